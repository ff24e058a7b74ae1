/* SPDX-License-Identifier: MIT */
/* XEP-0191, as a client asks for it: read the list, block, unblock. What blocking does to stanzas is
 * where they are routed (session_blocks). A block may say why (XEP-0377): kept for the admins once the block
 * holds; nobody else is told. */
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/services/abuse_report.h"
#include "gateway/services/services.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

static void put_item(void *user, const char *jid)
{
    struct builder *b = user;
    build_open(b, "item", NULL);
    build_attr(b, "jid", jid);
    build_close(b);
}

static enum service_result list(struct exchange *x, struct person *who, struct stanza *iq)
{
    struct builder b;
    build_begin_result(&b, iq);
    build_open(&b, "blocklist", NS_BLOCKING);
    blocklist_each(who, iq, put_item, &b);
    build_close(&b);
    exchange_answer(x, build_end(&b));
    return SERVICE_HANDLED;
}

/* ---- changing ---- */

struct change {
    struct exchange *x;
    struct stanza *iq; /* a count */
    struct arena arena;
    const struct jid **jids;
    unsigned count;
    struct reports_put put; /* what was reported of them */
    struct report reports[REPORTS_OF_ONE_MAX];
};

static void add(void *user, const char *jid)
{
    struct change *c = user;
    const struct jid **more = arena_alloc(&c->arena, (c->count + 1) * sizeof *more);
    for (unsigned i = 0; i < c->count; i++)
        more[i] = c->jids[i];
    const struct jid *j = jid_parse_text(&c->arena, jid);
    if (!j)
        return;
    more[c->count++] = j;
    c->jids = more;
}

static void end(struct change *c)
{
    stanza_unref(&c->iq);
    arena_fini(&c->arena);
    mem_free(c);
}

static void answer(struct change *c, const struct error *e, const char *otherwise)
{
    if (e->code == ERROR_NONE)
        exchange_answer(c->x, build_result(c->iq));
    else
        exchange_refuse(c->x, c->iq, STANZA_RESOURCE_CONSTRAINT, otherwise);
    end(c);
}

static void on_reported(struct store_job *job, const struct error *e)
{
    struct change *c = container_of(job, struct change, put.job);
    if (e->code == ERROR_NONE)
        log_info(NULL, "%s reported %u of whom it blocked", c->iq->from->bare, c->put.count);
    answer(c, e, "blocked, but the report could not be kept");
}

static void on_done(void *user, const struct error *e)
{
    struct change *c = user;
    if (e->code == ERROR_NONE && c->put.count)
        reports_put(exchange_store(c->x), &c->put);
    else
        answer(c, e, "the list could not be kept");
}

/* ---- reading what the client wants ---- */

static enum stanza_error read_report(struct change *c, const struct element *item, const struct jid *j)
{
    struct report r;
    bool found;
    enum stanza_error wrong = abuse_report_read(&r, &found, item, c->iq->lang, &c->arena);
    if (wrong != STANZA_OK || !found)
        return wrong;
    if (c->put.count == REPORTS_OF_ONE_MAX)
        return STANZA_RESOURCE_CONSTRAINT;
    r.reporter = c->iq->from->bare;
    r.jid = j->full;
    c->reports[c->put.count++] = r;
    return STANZA_OK;
}

/* STANZA_OK: c->jids are what the client names. */
static enum stanza_error read_items(struct change *c, const struct element *list, const struct jid *own)
{
    unsigned most = 0;
    bool block = text_eq(list->name, "block");
    enum stanza_error wrong;
    const struct element *e = element_child(list, "item", NS_BLOCKING);
    for (const struct element *i = e; i; i = element_next(i, "item", NS_BLOCKING))
        most++;
    c->jids = arena_alloc(&c->arena, (most + 1) * sizeof *c->jids);
    for (; e; e = element_next(e, "item", NS_BLOCKING)) {
        const char *text = element_attr(e, "jid");
        const struct jid *j = text ? jid_parse_text(&c->arena, text) : NULL;
        if (!j)
            return text ? STANZA_JID_MALFORMED : STANZA_BAD_REQUEST;
        if (jid_eq_bare(j, own) && !j->resource)
            return STANZA_NOT_ALLOWED; /* oneself */
        if (block && (wrong = read_report(c, e, j)) != STANZA_OK)
            return wrong;
        c->jids[c->count++] = j;
    }
    return STANZA_OK;
}

static enum service_result set(struct exchange *x, struct person *who, struct stanza *iq)
{
    const struct element *what = stanza_first(iq);
    bool block = text_eq(what->name, "block");
    struct change *c = mem_new(struct change);
    arena_init(&c->arena);
    c->x = x;
    c->iq = stanza_ref(iq);
    c->put = (struct reports_put){.community = arena_dup(&c->arena, person_jid(who)->domain), .all = c->reports};
    c->put.job.reply_on = person_loop(who);
    c->put.job.done = on_reported;
    enum stanza_error wrong = read_items(c, what, person_jid(who));
    if (wrong == STANZA_OK && !c->count && block)
        wrong = STANZA_BAD_REQUEST; /* 3.3: at least one */
    if (wrong == STANZA_OK && !c->count)
        blocklist_each(who, NULL, add, c); /* 3.4: all of them */
    if (wrong == STANZA_OK && !blocklist_set(who, c->jids, c->count, block, on_done, c))
        wrong = STANZA_RESOURCE_CONSTRAINT;
    if (wrong != STANZA_OK) {
        exchange_refuse(x, iq, wrong, NULL);
        end(c);
    }
    return SERVICE_HANDLED;
}

static const struct service_iq iqs[] = {
    {"blocklist", NS_BLOCKING, 1u << IQ_GET, AT_ACCOUNT, list},
    {"block", NS_BLOCKING, 1u << IQ_SET, AT_ACCOUNT, set},
    {"unblock", NS_BLOCKING, 1u << IQ_SET, AT_ACCOUNT, set},
    {0},
};
static const struct service_xep xeps[] = {
    {"0191", "1.3", NULL},
    {"0377", "0.4", "kept for the admins, told to nobody else"},
    {0},
};
static const char *const features[] = {NS_BLOCKING, NS_REPORTING, NULL};

const struct service blocking_service = {
    .name = "blocking",
    .xeps = xeps,
    .domain_features = features,
    .account_features = features,
    .iqs = iqs,
};
