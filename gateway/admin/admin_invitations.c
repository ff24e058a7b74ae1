/* SPDX-License-Identifier: MIT */
/* Invitations (XEP-0401): to be somebody's contact, to have an account; what is open, and taking it back. What people
 * may is the community's (struct community_joining); an admin may always, unless nobody may come at all. The address is
 * shown once, to whoever made it: only its hash is kept. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gateway/admin/admin.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/store/invitations.h"
#include "gateway/xmpp/datetime.h"
#include "gateway/xmpp/invite_uri.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/register_query.h"

#define NODE_MINE(name) "urn:causeway:invite:1#" name

enum { LISTED_MAX = 200 };

static const struct community *community_of(const struct adhoc_call *c)
{
    return exchange_community(adhoc_exchange(c), adhoc_domain(c));
}

static bool people_may_contacts(const struct community *c)
{
    return c->joining.people >= INVITE_CONTACTS;
}

static bool people_may_accounts(const struct community *c)
{
    return c->joining.people == INVITE_ACCOUNTS && c->joining.who != JOIN_NOBODY;
}

static void refuse(struct adhoc_call *c, const struct error *e)
{
    enum stanza_error why = e->code == ERROR_NOT_FOUND ? STANZA_ITEM_NOT_FOUND
                            : e->code == ERROR_EXISTS  ? STANZA_CONFLICT
                            : e->code == ERROR_LIMIT   ? STANZA_POLICY_VIOLATION
                                                       : STANZA_RESOURCE_CONSTRAINT;
    adhoc_refuse(c, why, "%s", e->text);
}

/* ---- making one ---- */

struct invite_job {
    struct store_job job;
    struct adhoc_call *call;
    struct invitation invitation; /* texts in the call's arena */
    char token[INVITATION_TOKEN_LEN + 1];
    unsigned open_max;
    int64_t ttl_us;
};

static bool invite_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct invite_job *j = container_of(job, struct invite_job, job);
    j->invitation.expires_us = store_now_us(tx) + j->ttl_us;
    return invitations_make(tx, &j->invitation, j->token, j->open_max, e);
}

static void show_made(struct invite_job *j)
{
    const struct invitation *i = &j->invitation;
    const char *page = community_of(j->call)->joining.page_url;
    struct bytes uri = BYTES_EMPTY, landing = BYTES_EMPTY;
    char until[DATETIME_MAX];
    invite_uri_write(&uri, &(struct invite_uri){i->domain, i->inviter, i->name, i->contact, i->account, j->token});
    bytes_printf(&landing, "%s%s", page ? page : "", j->token);
    datetime_write_second(until, i->expires_us);
    adhoc_result(j->call, FORM_TEXT_SINGLE, "uri", "Address for a client", bytes_text(&uri));
    if (page)
        adhoc_result(j->call, FORM_TEXT_SINGLE, "landing-url", "Page for a browser", bytes_text(&landing));
    adhoc_result(j->call, FORM_TEXT_SINGLE, "expire", "Holds until", until);
    adhoc_finish(j->call);
    bytes_fini(&uri);
    bytes_fini(&landing);
}

static void on_made(struct store_job *job, const struct error *e)
{
    struct invite_job *j = container_of(job, struct invite_job, job);
    if (e->code == ERROR_NONE)
        show_made(j);
    else
        refuse(j->call, e);
    mem_wipe(j->token, sizeof j->token);
    mem_free(j);
}

static void make(struct adhoc_call *c, struct invitation i)
{
    const struct community_joining *joining = &community_of(c)->joining;
    struct invite_job *j = mem_new(struct invite_job);
    j->call = c;
    j->invitation = i;
    j->invitation.domain = adhoc_domain(c);
    j->invitation.inviter = arena_dup(adhoc_arena(c), adhoc_asker(c)->bare);
    j->invitation.uses_left = 1;
    j->open_max = adhoc_is_admin(c) ? 0 : joining->invitations_max;
    j->ttl_us = (int64_t)joining->invitation_ttl_s * 1000000;
    invitations_token(j->token);
    j->job = (struct store_job){.reply_on = adhoc_loop(c), .run = invite_run, .done = on_made};
    store_write(exchange_store(adhoc_exchange(c)), &j->job);
}

static void run_invite(struct adhoc_call *c)
{
    const struct community *community = community_of(c);
    bool account = community->joining.who != JOIN_NOBODY && (adhoc_is_admin(c) || people_may_accounts(community));
    make(c, (struct invitation){.contact = true, .account = account, .introduces = account});
}

static void run_create_account(struct adhoc_call *c)
{
    const char *text = adhoc_text(c, "username");
    const struct jid *who = *text ? jid_make(adhoc_arena(c), text, adhoc_domain(c), NULL) : NULL;
    if (community_of(c)->joining.who == JOIN_NOBODY)
        adhoc_refuse(c, STANZA_NOT_ALLOWED, "nobody may make an account here (registration = \"off\")");
    else if (*text && !who)
        adhoc_reject(c, "username: '%.200s' is not the part of an address before the @", text);
    else if (who && !adhoc_is_admin(c) &&
             (register_query_is_reserved(who->local) || community_lists_admin(community_of(c), who->bare)))
        adhoc_reject(c, "username: '%.200s' is reserved", text);
    else
        make(c, (struct invitation){.account = true,
                                    .name = who ? who->local : NULL,
                                    .introduces = adhoc_is_set(c, "roster-subscription")});
}

/* ---- what there is, and taking back ---- */

static const struct listing_column columns[] = {
    {"id", "Id"},          {"inviter", "Of"},   {"for", "For"}, {"expire", "Holds until"},
    {"left", "Uses left"}, {"used", "Used by"}, {NULL, NULL},
};

struct list_job {
    struct store_job job;
    struct adhoc_call *call;
    const char *domain, *inviter, *id; /* inviter NULL: everybody's; id: to be taken back */
    struct arena arena;
    const char *rows[LISTED_MAX][6];
    unsigned count;
};

static void take_row(void *user, const struct invitation *i)
{
    struct list_job *j = user;
    char until[DATETIME_MAX];
    const char **cells = j->rows[j->count++];
    datetime_write_second(until, i->expires_us);
    cells[0] = arena_dup(&j->arena, i->id);
    cells[1] = arena_dup_or_null(&j->arena, i->inviter);
    cells[2] = arena_printf(&j->arena, "%s%s%s%s", i->contact ? "contact" : "", i->contact && i->account ? ", " : "",
                            i->account ? "account" : "", i->name ? arena_printf(&j->arena, " %s", i->name) : "");
    cells[3] = arena_dup(&j->arena, until);
    cells[4] = arena_printf(&j->arena, "%" PRId64, i->uses_left);
    cells[5] = arena_dup_or_null(&j->arena, i->used_by);
}

static bool list_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct list_job *j = container_of(job, struct list_job, job);
    j->count = 0;
    return invitations_list(tx, j->domain, j->inviter, LISTED_MAX, take_row, j, e);
}

static void on_listed(struct store_job *job, const struct error *e)
{
    struct list_job *j = container_of(job, struct list_job, job);
    if (e->code != ERROR_NONE) {
        refuse(j->call, e);
    } else {
        adhoc_columns(j->call, columns);
        for (unsigned i = 0; i < j->count; i++)
            adhoc_row(j->call, j->rows[i]);
        adhoc_finish(j->call);
    }
    arena_fini(&j->arena);
    mem_free(j);
}

static bool revoke_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct list_job *j = container_of(job, struct list_job, job);
    return invitations_revoke(tx, j->domain, j->inviter, j->id, e);
}

static void on_revoked(struct store_job *job, const struct error *e)
{
    struct list_job *j = container_of(job, struct list_job, job);
    if (e->code != ERROR_NONE) {
        refuse(j->call, e);
    } else {
        adhoc_note(j->call, "Invitation %s was taken back.", j->id);
        adhoc_finish(j->call);
    }
    arena_fini(&j->arena);
    mem_free(j);
}

static struct list_job *list_new(struct adhoc_call *c, bool own)
{
    struct list_job *j = mem_new(struct list_job);
    arena_init(&j->arena);
    j->call = c;
    j->domain = arena_dup(&j->arena, adhoc_domain(c));
    j->inviter = own ? arena_dup(&j->arena, adhoc_asker(c)->bare) : NULL;
    return j;
}

static void list(struct adhoc_call *c, bool own)
{
    struct list_job *j = list_new(c, own);
    struct store *s = exchange_store(adhoc_exchange(c));
    j->job =
        (struct store_job){.reply_on = adhoc_loop(c), .run = list_run, .done = on_listed, .must_see = store_ticket(s)};
    store_read(s, &j->job);
}

static void take_back(struct adhoc_call *c, bool own)
{
    struct list_job *j = list_new(c, own);
    j->id = arena_dup(&j->arena, adhoc_text(c, "id"));
    j->job = (struct store_job){.reply_on = adhoc_loop(c), .run = revoke_run, .done = on_revoked};
    store_write(exchange_store(adhoc_exchange(c)), &j->job);
}

static void run_list_all(struct adhoc_call *c)
{
    list(c, false);
}

static void run_list_own(struct adhoc_call *c)
{
    list(c, true);
}

static void run_revoke_any(struct adhoc_call *c)
{
    take_back(c, false);
}

static void run_revoke_own(struct adhoc_call *c)
{
    take_back(c, true);
}

/* ---- the table ---- */

static const struct adhoc_field account_fields[] = {
    {.type = FORM_TEXT_SINGLE,
     .var = "username",
     .label = "Name",
     .hint = "what stands before the @; empty: whoever is invited chooses"},
    {.type = FORM_BOOLEAN, .var = "roster-subscription", .label = "You become contacts", .value = "true"},
    {0},
};
static const struct adhoc_field id_fields[] = {
    {.type = FORM_TEXT_SINGLE,
     .var = "id",
     .label = "Id, as the list has it",
     .required = true,
     .max_bytes = INVITATION_ID_LEN},
    {0},
};
static const struct adhoc_stage account_stages[] = {{.title = "Invite to an account", .fields = account_fields}};
static const struct adhoc_stage id_stages[] = {{.title = "Take an invitation back", .fields = id_fields}};

#define RESULT NS_INVITE "#invitation"
const struct adhoc_command admin_invitations[] = {
    {.node = NS_INVITE "#invite",
     .name = "Invite a contact",
     .who = ADHOC_ADMIN,
     .people_may = people_may_contacts,
     .form_type = RESULT,
     .run = run_invite},
    {.node = NS_INVITE "#create-account",
     .name = "Invite to an account",
     .who = ADHOC_ADMIN,
     .people_may = people_may_accounts,
     .form_type = RESULT,
     .stages = account_stages,
     .stage_count = 1,
     .run = run_create_account},
    {.node = NODE_MINE("list"), .name = "My invitations", .who = ADHOC_PERSON, .run = run_list_own},
    {.node = NODE_MINE("revoke"),
     .name = "Take an invitation back",
     .who = ADHOC_PERSON,
     .stages = id_stages,
     .stage_count = 1,
     .run = run_revoke_own},
    {.node = "urn:causeway:admin:1#invitations",
     .name = "Show invitations",
     .who = ADHOC_ADMIN,
     .form_type = NS_ADMIN,
     .run = run_list_all},
    {.node = "urn:causeway:admin:1#revoke-invitation",
     .name = "Take anybody's invitation back",
     .who = ADHOC_ADMIN,
     .form_type = NS_ADMIN,
     .stages = id_stages,
     .stage_count = 1,
     .run = run_revoke_any},
    {0},
};
