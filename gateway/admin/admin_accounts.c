/* SPDX-License-Identifier: MIT */
/* Accounts (XEP-0133): adding, deleting, disabling, passwords; how many there are; who is linked, and
 * ending their links. Whatever takes an account's right to be here ends its links. An admin cannot take
 * away the account that they are using. What several accounts are named for happens to all or to none. */
#include <string.h>

#include "gateway/admin/adhoc_listing.h"
#include "gateway/admin/admin.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/store/account.h"
#include "gateway/xmpp/bare.h"
#include "gateway/xmpp/ns.h"

#define NODE(name) NS_ADMIN "#" name

enum { PASSWORD_BYTES = 1023, LINKS_MAX = 100000 };

/* ---- one change of accounts ---- */

enum change { CHANGE_ADD, CHANGE_PASSWORD, CHANGE_DELETE, CHANGE_DISABLE, CHANGE_ENABLE };

struct change_job {
    struct store_job job;
    uv_work_t work; /* deriving keys, on libuv's pool */
    struct adhoc_call *call;
    enum change change;
    const char *const *names; /* bare JIDs */
    unsigned count;
    const char *password;
    bool derived;
    struct account keys;
    struct arena arena;
    unsigned ends_left, ended;
};

static void change_end(struct change_job *j)
{
    mem_wipe(&j->keys, sizeof j->keys);
    arena_fini(&j->arena);
    mem_free(j);
}

static bool change_one(struct change_job *j, struct store_tx *tx, const char *bare, struct error *e)
{
    if (j->change == CHANGE_DELETE)
        return account_delete(tx, bare, e);
    if (j->change == CHANGE_DISABLE || j->change == CHANGE_ENABLE)
        return account_set_disabled(tx, bare, j->change == CHANGE_DISABLE, e);
    j->keys.bare = bare;
    return j->change == CHANGE_ADD ? account_put(tx, &j->keys, false, e) : account_renew_keys(tx, &j->keys, e);
}

static bool change_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct change_job *j = container_of(job, struct change_job, job);
    for (unsigned i = 0; i < j->count; i++)
        if (!change_one(j, tx, j->names[i], e))
            return false;
    return true;
}

static void say_what_was_done(struct change_job *j)
{
    static const char *const words[] = {"added", "has a new password", "deleted", "disabled", "enabled"};
    for (unsigned i = 0; i < j->count; i++)
        adhoc_note(j->call, "%s: %s", j->names[i], words[j->change]);
    if (j->ended)
        adhoc_note(j->call, j->ended == 1 ? "%u link was ended." : "%u links were ended.", j->ended);
    adhoc_finish(j->call);
    change_end(j);
}

static void on_links_ended(void *user, unsigned ended)
{
    struct change_job *j = user;
    j->ended += ended;
    if (--j->ends_left == 0)
        say_what_was_done(j);
}

static void end_their_links(struct change_job *j)
{
    struct exchange *x = adhoc_exchange(j->call);
    j->ends_left = j->count;
    for (unsigned i = 0; i < j->count; i++) {
        exchange_account_changed(x, j->names[i]);
        exchange_end_links(x, jid_parse_text(&j->arena, j->names[i]), STREAM_NOT_AUTHORIZED, adhoc_loop(j->call),
                           on_links_ended, j);
    }
}

static enum stanza_error error_for(enum error_code code)
{
    return code == ERROR_EXISTS      ? STANZA_CONFLICT
           : code == ERROR_NOT_FOUND ? STANZA_ITEM_NOT_FOUND
                                     : STANZA_RESOURCE_CONSTRAINT;
}

static void on_changed(struct store_job *job, const struct error *e)
{
    struct change_job *j = container_of(job, struct change_job, job);
    if (e->code == ERROR_NONE && (j->change == CHANGE_ADD || j->change == CHANGE_ENABLE)) {
        for (unsigned i = 0; i < j->count; i++)
            exchange_account_changed(adhoc_exchange(j->call), j->names[i]);
        say_what_was_done(j);
    } else if (e->code == ERROR_NONE) {
        end_their_links(j);
    } else {
        adhoc_refuse(j->call, error_for(e->code), "%s", e->text);
        change_end(j);
    }
}

static void change_write(struct change_job *j)
{
    j->job = (struct store_job){.reply_on = adhoc_loop(j->call), .run = change_run, .done = on_changed};
    store_write(exchange_store(adhoc_exchange(j->call)), &j->job);
}

/* ---- which accounts ---- */

static struct change_job *change_new(struct adhoc_call *c, enum change change, const char *const *names, unsigned count)
{
    struct change_job *j = mem_new(struct change_job);
    arena_init(&j->arena);
    j->call = c;
    j->change = change;
    j->names = names;
    j->count = count;
    return j;
}

/* ---- many at once ---- */

static bool is_before(const char *const *names, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void change_many(struct adhoc_call *c, enum change change)
{
    unsigned given, count = 0;
    const char *const *texts = adhoc_values(c, "accountjids", &given);
    const char **names = arena_alloc(adhoc_arena(c), (given + 1) * sizeof *names);
    for (unsigned i = 0; i < given; i++) {
        const char *bare = adhoc_own_account(c, texts[i]);
        if (!bare)
            return;
        if (change != CHANGE_ENABLE && text_eq(bare, adhoc_asker(c)->bare)) {
            adhoc_refuse(c, STANZA_NOT_ALLOWED, "that is the account that you are using");
            return;
        }
        if (!is_before(names, count, bare))
            names[count++] = bare;
    }
    change_write(change_new(c, change, names, count));
}

static void run_delete(struct adhoc_call *c)
{
    change_many(c, CHANGE_DELETE);
}

static void run_disable(struct adhoc_call *c)
{
    change_many(c, CHANGE_DISABLE);
}

static void run_enable(struct adhoc_call *c)
{
    change_many(c, CHANGE_ENABLE);
}

/* ---- one with a password ---- */

static void on_work(uv_work_t *work)
{
    struct change_job *j = container_of(work, struct change_job, work);
    j->derived = account_set_password(&j->keys, j->password);
}

static void on_worked(uv_work_t *work, int status)
{
    struct change_job *j = container_of(work, struct change_job, work);
    if (status == 0 && j->derived) {
        change_write(j);
        return;
    }
    adhoc_reject(j->call, "password: it has characters that SASLprep refuses");
    change_end(j);
}

static void change_password(struct adhoc_call *c, enum change change)
{
    const char *password = adhoc_text(c, "password"), *bare = adhoc_own_account(c, adhoc_text(c, "accountjid"));
    if (!bare)
        return;
    if (exchange_community(adhoc_exchange(c), bare_domain(bare))->accounts_elsewhere) {
        adhoc_refuse(c, STANZA_NOT_ALLOWED,
                     "accounts and passwords of this community are those of its directory (LDAP): change them there");
        return;
    }
    if (change == CHANGE_ADD && !text_eq(password, adhoc_text(c, "password-verify"))) {
        adhoc_reject(c, "password-verify: it is not the same password");
        return;
    }
    const char **names = arena_alloc(adhoc_arena(c), sizeof *names);
    names[0] = bare;
    struct change_job *j = change_new(c, change, names, 1);
    j->password = password;
    CHECK(uv_queue_work(loop_uv(adhoc_loop(c)), &j->work, on_work, on_worked) == 0);
}

static void run_add(struct adhoc_call *c)
{
    change_password(c, CHANGE_ADD);
}

static void run_password(struct adhoc_call *c)
{
    change_password(c, CHANGE_PASSWORD);
}

/* ---- ending links ---- */

struct ends {
    struct adhoc_call *call;
    unsigned left, ended;
};

static void on_ended(void *user, unsigned ended)
{
    struct ends *n = user;
    n->ended += ended;
    if (--n->left)
        return;
    adhoc_note(n->call, n->ended == 1 ? "%u link was ended." : "%u links were ended.", n->ended);
    adhoc_finish(n->call);
}

static void run_end_links(struct adhoc_call *c)
{
    unsigned count;
    const char *const *texts = adhoc_values(c, "accountjids", &count);
    const struct jid **who = arena_alloc(adhoc_arena(c), (count + 1) * sizeof *who);
    struct ends *n = arena_new(adhoc_arena(c), struct ends);
    *n = (struct ends){.call = c, .left = count};
    for (unsigned i = 0; i < count; i++) {
        who[i] = jid_parse_text(adhoc_arena(c), texts[i]);
        if (!who[i] || !who[i]->local || !text_eq(who[i]->domain, adhoc_domain(c))) {
            adhoc_reject(c, "'%.200s' is not an account of %s", texts[i], adhoc_domain(c));
            return;
        }
    }
    for (unsigned i = 0; i < count; i++)
        exchange_end_links(adhoc_exchange(c), who[i], STREAM_POLICY_VIOLATION, adhoc_loop(c), on_ended, n);
}

/* ---- how many, and which ---- */

struct look_job {
    struct store_job job;
    struct adhoc_call *call;
    char *domain, *after;
    unsigned limit;     /* 0: only the number */
    int64_t number;
    struct bytes names; /* a line each */
    unsigned given;
};

static void take_name(void *user, const struct account *a)
{
    struct look_job *j = user;
    if (j->given++ < j->limit)
        bytes_printf(&j->names, "%s%s", j->names.len ? "\n" : "", a->bare);
}

static bool look_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct look_job *j = container_of(job, struct look_job, job);
    bytes_clear(&j->names);
    j->given = 0;
    return account_count(tx, j->domain, &j->number, e) &&
           (!j->limit || account_list(tx, j->domain, j->after, j->limit + 1, take_name, j, e));
}

static void on_looked(struct store_job *job, const struct error *e)
{
    struct look_job *j = container_of(job, struct look_job, job);
    struct adhoc_call *c = j->call;
    if (e->code != ERROR_NONE) {
        adhoc_refuse(c, STANZA_RESOURCE_CONSTRAINT, "%s", e->text);
    } else if (!j->limit) {
        adhoc_result_number(c, "registeredusersnum", "Accounts", (unsigned long long)j->number);
        adhoc_finish(c);
    } else {
        adhoc_result(c, FORM_JID_MULTI, "registereduserjids", "Accounts", j->names.len ? bytes_text(&j->names) : NULL);
        if (j->given > j->limit)
            adhoc_warn(c, "There are more: give the last one of these as \"after\".");
        adhoc_finish(c);
    }
    bytes_fini(&j->names);
    mem_free(j->domain);
    mem_free(j->after);
    mem_free(j);
}

static void look(struct adhoc_call *c, unsigned limit)
{
    struct look_job *j = mem_new(struct look_job);
    j->call = c;
    j->domain = mem_dup(adhoc_domain(c));
    j->after = mem_dup(adhoc_text(c, "after"));
    j->limit = limit;
    j->job = (struct store_job){.reply_on = adhoc_loop(c), .run = look_run, .done = on_looked};
    store_read(exchange_store(adhoc_exchange(c)), &j->job);
}

static void run_registered_number(struct adhoc_call *c)
{
    look(c, 0);
}

static void run_registered(struct adhoc_call *c)
{
    look(c, (unsigned)adhoc_number(c, "max_items", 200));
}

static bool same_account(const char *full, const char *other, size_t other_len)
{
    return strcspn(full, "/") == other_len && strncmp(full, other, other_len) == 0;
}

/* Links of one account stand together in the table. */
static unsigned count_accounts(const struct listing_query *q, struct bytes *names, unsigned limit)
{
    unsigned n = 0;
    const char *before = "";
    for (const struct listing_row *r = q->first; r; r = r->next) {
        if (same_account(r->cells[0], before, strcspn(before, "/")))
            continue;
        before = r->cells[0];
        if (++n <= limit)
            bytes_printf(names, "%s%.*s", names->len ? "\n" : "", (int)strcspn(before, "/"), before);
    }
    return n;
}

static void show_online_number(struct adhoc_call *c, const struct listing *l, const struct listing_query *q)
{
    (void)l;
    struct bytes none = BYTES_EMPTY;
    adhoc_result_number(c, "onlineusersnum", "Accounts that are linked", count_accounts(q, &none, 0));
    adhoc_result_number(c, "links", "Links", q->count);
    bytes_fini(&none);
    adhoc_finish(c);
}

static void show_online(struct adhoc_call *c, const struct listing *l, const struct listing_query *q)
{
    (void)l;
    struct bytes names = BYTES_EMPTY;
    unsigned limit = (unsigned)adhoc_number(c, "max_items", 200), n = count_accounts(q, &names, limit);
    adhoc_result(c, FORM_JID_MULTI, "onlineuserjids", "Accounts that are linked", n ? bytes_text(&names) : NULL);
    if (n > limit)
        adhoc_warn(c, "There are %u; these are %u of them.", n, limit);
    bytes_fini(&names);
    adhoc_finish(c);
}

static void run_online_number(struct adhoc_call *c)
{
    adhoc_listing_ask(c, "links", NULL, LINKS_MAX, show_online_number);
}

static void run_online(struct adhoc_call *c)
{
    adhoc_listing_ask(c, "links", NULL, LINKS_MAX, show_online);
}

static void run_links(struct adhoc_call *c)
{
    adhoc_listing_show(c, "links", adhoc_text(c, "accountjid"));
}

/* ---- the table ---- */

static const struct adhoc_field add_fields[] = {
    {.type = FORM_JID_SINGLE, .var = "accountjid", .label = "Address", .required = true},
    {.type = FORM_TEXT_PRIVATE, .var = "password", .label = "Password", .required = true, .max_bytes = PASSWORD_BYTES},
    {.type = FORM_TEXT_PRIVATE,
     .var = "password-verify",
     .label = "Password again",
     .required = true,
     .max_bytes = PASSWORD_BYTES},
    {0},
};
static const struct adhoc_field password_fields[] = {
    {.type = FORM_JID_SINGLE, .var = "accountjid", .label = "Address", .required = true},
    {.type = FORM_TEXT_PRIVATE,
     .var = "password",
     .label = "New password",
     .required = true,
     .max_bytes = PASSWORD_BYTES},
    {0},
};
static const struct adhoc_field many_fields[] = {
    {.type = FORM_JID_MULTI, .var = "accountjids", .label = "Addresses", .required = true},
    {0},
};
static const struct adhoc_field links_fields[] = {
    {.type = FORM_JID_SINGLE, .var = "accountjid", .label = "Address", .hint = "empty: everybody's"},
    {0},
};
static const struct form_option max_items[] = {
    {"25", "25"}, {"50", "50"}, {"75", "75"}, {"100", "100"}, {"150", "150"}, {"200", "200"}, {NULL, NULL},
};
static const struct adhoc_field list_fields[] = {
    {.type = FORM_LIST_SINGLE, .var = "max_items", .label = "How many", .value = "100", .options = max_items},
    {.type = FORM_JID_SINGLE, .var = "after", .label = "After this address", .hint = "the last one of the page before"},
    {0},
};
static const struct adhoc_field online_fields[] = {
    {.type = FORM_LIST_SINGLE, .var = "max_items", .label = "How many", .value = "100", .options = max_items},
    {0},
};

static const struct adhoc_stage add_stages[] = {{.title = "Add an account", .fields = add_fields}};
static const struct adhoc_stage delete_stages[] = {
    {.title = "Delete accounts",
     .instructions = "With their contacts, archives and devices. This cannot be undone.",
     .fields = many_fields}};
static const struct adhoc_stage disable_stages[] = {{.title = "Disable accounts",
                                                     .instructions = "They cannot log in; nothing of theirs is lost.",
                                                     .fields = many_fields}};
static const struct adhoc_stage enable_stages[] = {{.title = "Enable accounts again", .fields = many_fields}};
static const struct adhoc_stage end_stages[] = {
    {.title = "End links",
     .instructions = "Of whole accounts, or of one client each (with its resource).",
     .fields = many_fields}};
static const struct adhoc_stage password_stages[] = {
    {.title = "Change a password",
     .instructions = "Clients that are logged in have to log in again.",
     .fields = password_fields}};
static const struct adhoc_stage list_stages[] = {{.title = "List accounts", .fields = list_fields}};
static const struct adhoc_stage online_stages[] = {{.title = "List who is linked", .fields = online_fields}};
static const struct adhoc_stage links_stages[] = {{.title = "Show links", .fields = links_fields}};

#define COMMAND(node_, name_, stages_, run_)                                                                           \
    {                                                                                                                  \
        .node = node_, .name = name_, .who = ADHOC_ADMIN, .form_type = NS_ADMIN, .stages = stages_, .stage_count = 1,  \
        .run = run_                                                                                                    \
    }
const struct adhoc_command admin_accounts[] = {
    COMMAND(NODE("add-user"), "Add an account", add_stages, run_add),
    COMMAND(NODE("delete-user"), "Delete accounts", delete_stages, run_delete),
    COMMAND(NODE("disable-user"), "Disable accounts", disable_stages, run_disable),
    COMMAND(NODE("reenable-user"), "Enable accounts again", enable_stages, run_enable),
    COMMAND(NODE("change-user-password"), "Change a password", password_stages, run_password),
    COMMAND(NODE("end-user-session"), "End links", end_stages, run_end_links),
    COMMAND(NODE("get-registered-users-list"), "List accounts", list_stages, run_registered),
    COMMAND(NODE("get-online-users-list"), "List who is linked", online_stages, run_online),
    {.node = NODE("get-registered-users-num"), .name = "How many accounts there are", .who = ADHOC_ADMIN,
     .form_type = NS_ADMIN, .run = run_registered_number},
    {.node = NODE("get-online-users-num"), .name = "How many are linked", .who = ADHOC_ADMIN, .form_type = NS_ADMIN,
     .run = run_online_number},
    COMMAND("urn:causeway:admin:1#links", "Show links", links_stages, run_links),
    {0},
};
