/* SPDX-License-Identifier: MIT */
/* Who is an admin (XEP-0133, edit-admin): the accounts that are marked so in the store. Those that the
 * configuration lists are admins whatever is said here. Nobody takes it from themselves. */
#include <string.h>

#include "gateway/admin/admin.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/store/account.h"
#include "gateway/xmpp/ns.h"

struct names {
    const char *v[ADHOC_VALUES_MAX];
    unsigned count;
};

struct admins_job {
    struct store_job job;
    struct adhoc_call *call;
    struct arena arena;
    const char *domain;
    struct names marked, wanted;
    bool too_many; /* of the marked ones */
};

static void job_start(struct admins_job *j, bool writes)
{
    struct store *s = exchange_store(adhoc_exchange(j->call));
    j->job.reply_on = adhoc_loop(j->call);
    j->job.must_see = store_ticket(s);
    if (writes)
        store_write(s, &j->job);
    else
        store_read(s, &j->job);
}

static struct admins_job *job_new(struct adhoc_call *c)
{
    struct admins_job *j = mem_new(struct admins_job);
    arena_init(&j->arena);
    j->call = c;
    j->domain = arena_dup(&j->arena, adhoc_domain(c));
    return j;
}

static void job_end(struct admins_job *j)
{
    arena_fini(&j->arena);
    mem_free(j);
}

static bool is_among(const struct names *n, const char *bare)
{
    for (unsigned i = 0; i < n->count; i++)
        if (strcmp(n->v[i], bare) == 0)
            return true;
    return false;
}

static void take_marked(void *user, const char *bare)
{
    struct admins_job *j = user;
    if (j->marked.count < ADHOC_VALUES_MAX)
        j->marked.v[j->marked.count++] = arena_dup(&j->arena, bare);
    else
        j->too_many = true;
}

static bool read_marked(struct store_tx *tx, struct admins_job *j, struct error *e)
{
    j->marked.count = 0;
    if (!account_admins(tx, j->domain, take_marked, j, e))
        return false;
    return !j->too_many || error_set(e, ERROR_LIMIT, "there are more than %d admins", ADHOC_VALUES_MAX);
}

static void refuse(struct adhoc_call *c, const struct error *e)
{
    adhoc_refuse(c, e->code == ERROR_NOT_FOUND ? STANZA_ITEM_NOT_FOUND : STANZA_RESOURCE_CONSTRAINT, "%s", e->text);
}

/* ---- the form, with those that there are ---- */

static bool show_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    return read_marked(tx, container_of(job, struct admins_job, job), e);
}

static void on_shown(struct store_job *job, const struct error *e)
{
    struct admins_job *j = container_of(job, struct admins_job, job);
    struct bytes lines = BYTES_EMPTY;
    for (unsigned i = 0; i < j->marked.count; i++)
        bytes_printf(&lines, "%s%s", i ? "\n" : "", j->marked.v[i]);
    if (e->code != ERROR_NONE) {
        refuse(j->call, e);
    } else {
        adhoc_preset(j->call, "adminjids", bytes_text(&lines));
        adhoc_ask(j->call);
    }
    bytes_fini(&lines);
    job_end(j);
}

static void show(struct adhoc_call *c)
{
    struct admins_job *j = job_new(c);
    j->job.run = show_run;
    j->job.done = on_shown;
    job_start(j, false);
}

/* ---- what is wanted instead ---- */

static bool change_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct admins_job *j = container_of(job, struct admins_job, job);
    bool ok = read_marked(tx, j, e);
    for (unsigned i = 0; ok && i < j->marked.count; i++)
        if (!is_among(&j->wanted, j->marked.v[i]))
            ok = account_mark_admin(tx, j->marked.v[i], false, e);
    for (unsigned i = 0; ok && i < j->wanted.count; i++)
        ok = account_mark_admin(tx, j->wanted.v[i], true, e);
    return ok;
}

static void on_change(struct store_job *job, const struct error *e)
{
    struct admins_job *j = container_of(job, struct admins_job, job);
    if (e->code != ERROR_NONE) {
        refuse(j->call, e);
    } else {
        adhoc_note(j->call, j->wanted.count == 1 ? "%u account is an admin." : "%u accounts are admins.",
                   j->wanted.count);
        adhoc_finish(j->call);
    }
    job_end(j);
}

static void run(struct adhoc_call *c)
{
    struct admins_job *j = job_new(c);
    unsigned count;
    const char *const *texts = adhoc_values(c, "adminjids", &count);
    for (unsigned i = 0; i < count; i++) {
        const char *bare = adhoc_own_account(c, texts[i]);
        if (!bare) {
            job_end(j);
            return;
        }
        j->wanted.v[j->wanted.count++] = arena_dup(&j->arena, bare);
    }
    if (!is_among(&j->wanted, adhoc_asker(c)->bare)) {
        adhoc_refuse(c, STANZA_NOT_ALLOWED, "that would take it from the account that you are using");
        job_end(j);
        return;
    }
    j->job.run = change_run;
    j->job.done = on_change;
    job_start(j, true);
}

/* ---- the table ---- */

static const struct adhoc_field fields[] = {
    {.type = FORM_JID_MULTI, .var = "adminjids", .label = "Admins", .required = true},
    {0},
};
static const struct adhoc_stage stages[] = {
    {.title = "Who is an admin",
     .instructions = "Those that the configuration lists are admins in any case.",
     .fields = fields,
     .show = show}};

const struct adhoc_command admin_admins[] = {
    {.node = NS_ADMIN "#edit-admin",
     .name = "Say who is an admin",
     .who = ADHOC_ADMIN,
     .form_type = NS_ADMIN,
     .stages = stages,
     .stage_count = 1,
     .run = run},
    {0},
};
