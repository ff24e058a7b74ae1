/* SPDX-License-Identifier: MIT */
/* What is logged in as the one who asks (as XEP-0494 would have it, by ad-hoc commands): seeing it, and revoking one or
 * all others. */
#include "gateway/admin/admin.h"
#include "gateway/admin/client_table.h"
#include "gateway/xmpp/ns.h"

#define NODE(name) NS_CLIENTS "#" name

static const struct adhoc_field revoke_fields[] = {
    {.type = FORM_LIST_SINGLE, .var = "client", .label = "Which one", .required = true},
    {0},
};
static const struct adhoc_stage revoke_stages[] = {
    {.title = "Log a client out",
     .instructions = "What it was given to log in with holds no more, and it is disconnected.",
     .fields = revoke_fields,
     .show = client_table_offer}};

const struct adhoc_command my_clients[] = {
    {.node = NODE("my-clients"),
     .name = "My clients",
     .who = ADHOC_PERSON,
     .form_type = NS_CLIENTS,
     .run = client_table_show},
    {.node = NODE("log-out"),
     .name = "Log a client out",
     .who = ADHOC_PERSON,
     .form_type = NS_CLIENTS,
     .stages = revoke_stages,
     .stage_count = 1,
     .run = client_table_revoke},
    {.node = NODE("log-out-others"),
     .name = "Log all my other clients out",
     .who = ADHOC_PERSON,
     .form_type = NS_CLIENTS,
     .run = client_table_revoke_others},
    {0},
};
