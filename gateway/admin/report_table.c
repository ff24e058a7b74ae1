/* SPDX-License-Identifier: MIT */
/* See report_table.h. A row has the reporter's own words and the archive ids of what was meant; what was said stands in
 * the reporter's archive, which is not the admin's to read here. */
#include "gateway/admin/report_table.h"

#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/store/reports.h"
#include "gateway/xmpp/datetime.h"

enum { SHOWN = 100, SHOWN_BYTES = 128 * 1024 }; /* a stanza has an end */

static const struct listing_column columns[] = {
    {"at", "Reported"}, {"jid", "Blocked"}, {"reason", "Reason"}, {"reporter", "By"}, {"words", "Words"},
    {"messages", "Messages"}, {"may_tell", "May be told to"}, {NULL, NULL},
};

struct reports_job {
    struct reports_get get;
    struct adhoc_call *call;
};

static const char *reason_of(const struct report *r)
{
    static const char prefix[] = "urn:xmpp:reporting:";
    return text_starts_with(r->reason, prefix) ? r->reason + sizeof prefix - 1 : r->reason;
}

static const char *may_tell(const struct report *r)
{
    if (r->to_origin)
        return r->to_others ? "its server, others" : "its server";
    return r->to_others ? "others" : NULL;
}

static const char *or_none(const char *text)
{
    return *text ? text : NULL;
}

static size_t add_report(struct adhoc_call *c, const struct report *r)
{
    char at[DATETIME_MAX];
    datetime_write(at, r->at_us);
    adhoc_row(c, (const char *[]){at, r->jid, reason_of(r), r->reporter, or_none(r->words), or_none(r->messages),
                                  may_tell(r)});
    return strlen(r->words) + strlen(r->messages) + strlen(r->jid) + 300;
}

static void show(struct adhoc_call *c, const struct reports_get *g)
{
    size_t bytes = 0;
    unsigned shown = 0;
    adhoc_columns(c, columns);
    while (shown < g->count && shown < SHOWN && bytes < SHOWN_BYTES)
        bytes += add_report(c, &g->all[shown++]);
    if (shown < g->count)
        adhoc_warn(c, "There are more; these are the newest %u.", shown);
    else if (!shown)
        adhoc_note(c, "There are none.");
    adhoc_finish(c);
}

static void on_read(struct store_job *job, const struct error *e)
{
    struct reports_job *j = container_of(job, struct reports_job, get.job);
    if (e->code == ERROR_NONE)
        show(j->call, &j->get);
    else
        adhoc_refuse(j->call, STANZA_RESOURCE_CONSTRAINT, "%s", e->text);
    arena_fini(&j->get.arena);
    mem_free(j);
}

void report_table_show(struct adhoc_call *c, const char *jid)
{
    struct store *s = exchange_store(adhoc_exchange(c));
    struct reports_job *j = mem_new(struct reports_job);
    arena_init(&j->get.arena);
    j->call = c;
    j->get.community = arena_dup(&j->get.arena, adhoc_domain(c));
    j->get.jid = *jid ? arena_dup(&j->get.arena, jid) : NULL;
    j->get.limit = SHOWN + 1;
    j->get.job.reply_on = adhoc_loop(c);
    j->get.job.done = on_read;
    j->get.job.must_see = store_ticket(s);
    reports_get(s, &j->get);
}
