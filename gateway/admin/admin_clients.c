/* SPDX-License-Identifier: MIT */
/* Clients of an account of the community, for its admins: seeing them, and revoking one. */
#include "gateway/admin/admin.h"
#include "gateway/admin/client_table.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"

static void run_clients(struct adhoc_call *c)
{
    if (adhoc_own_account(c, adhoc_text(c, "accountjid")))
        client_table_show(c);
}

static void run_revoke(struct adhoc_call *c)
{
    if (adhoc_own_account(c, adhoc_text(c, "accountjid")))
        client_table_revoke(c);
}

static const struct adhoc_field clients_fields[] = {
    {.type = FORM_JID_SINGLE, .var = "accountjid", .label = "Address", .required = true},
    {0},
};
static const struct adhoc_field revoke_fields[] = {
    {.type = FORM_JID_SINGLE, .var = "accountjid", .label = "Address", .required = true},
    {.type = FORM_TEXT_SINGLE,
     .var = "client",
     .label = "Client",
     .hint = "as the list of clients has it",
     .required = true},
    {0},
};
static const struct adhoc_stage clients_stages[] = {
    {.title = "Show the clients of an account", .fields = clients_fields}};
static const struct adhoc_stage revoke_stages[] = {{.title = "Revoke a client",
                                                    .instructions = "Its tokens hold no more, and its links end.",
                                                    .fields = revoke_fields}};

const struct adhoc_command admin_clients[] = {
    {.node = "urn:causeway:admin:1#clients",
     .name = "Show the clients of an account",
     .who = ADHOC_ADMIN,
     .form_type = NS_ADMIN,
     .stages = clients_stages,
     .stage_count = 1,
     .run = run_clients},
    {.node = "urn:causeway:admin:1#revoke-client",
     .name = "Revoke a client",
     .who = ADHOC_ADMIN,
     .form_type = NS_ADMIN,
     .stages = revoke_stages,
     .stage_count = 1,
     .run = run_revoke},
    {0},
};
