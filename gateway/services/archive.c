/* SPDX-License-Identifier: MIT */
/* XEP-0313: an account reads its own archive, page by page (XEP-0059). The page is made on a reader
 * of the store; here the query is understood and the rows are wrapped, without parsing them again.
 * Order, ids and what is in the archive are the store's and the exchange's. */
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/exchange/edge.h"
#include "gateway/services/services.h"
#include "gateway/store/journal.h"
#include "gateway/xmpp/datetime.h"
#include "gateway/xmpp/form.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/rsm.h"
#include "gateway/xmpp/stanza_build.h"

enum { PAGE_DEFAULT = 50, PAGE_MAX = 250 };

/* One query on its way to the store and back. */
struct query {
    struct archive_page page;
    struct turn turn;
    struct person *who;  /* in memory until the turn ends */
    struct exchange *x;
    struct stanza *iq;
    struct arena arena;  /* of what is asked; the page's own is for what is found */
    bool flip;           /* newest first (#extended) */
    uint64_t oldest_seq; /* for metadata; 0: the archive is empty */
    int64_t oldest_us;
};

static void query_end(struct query *q)
{
    arena_fini(&q->page.arena);
    arena_fini(&q->arena);
    stanza_unref(&q->iq);
    mem_free(q);
}

/* ---- what is asked ---- */

static bool read_id(struct query *q, const char *id, uint64_t *seq)
{
    return !id || archive_id_parse(exchange_store(q->x), id, seq);
}

static bool read_time(const struct form *f, const char *var, int64_t *out)
{
    const char *text = form_text(f, var);
    return !text || datetime_parse(text, out);
}

static enum stanza_error read_form(struct query *q, const struct element *e)
{
    if (!element_child(e, "x", NS_DATA))
        return STANZA_OK;
    const struct form *f = form_parse(&q->arena, e);
    if (!f || !text_eq(f->form_type, NS_MAM))
        return STANZA_BAD_REQUEST;
    if (!read_time(f, "start", &q->page.start_us) || !read_time(f, "end", &q->page.end_us))
        return STANZA_BAD_REQUEST;
    if (!read_id(q, form_text(f, "after-id"), &q->page.after) ||
        !read_id(q, form_text(f, "before-id"), &q->page.before))
        return STANZA_ITEM_NOT_FOUND;
    const char *with = form_text(f, "with");
    const struct jid *peer = with ? jid_parse_text(&q->arena, with) : NULL;
    if (with && !peer)
        return STANZA_JID_MALFORMED;
    q->page.with = peer ? peer->bare : NULL;
    if (form_find(f, "ids"))
        return STANZA_FEATURE_NOT_IMPLEMENTED;
    return STANZA_OK;
}

/* Where the page begins or ends, inside what the form bounds. */
static enum stanza_error read_paging(struct query *q, const struct element *e)
{
    struct rsm_query r;
    uint64_t after = 0, before = 0;
    enum stanza_error why = rsm_parse(&r, e);
    if (why != STANZA_OK)
        return why;
    if (r.has_index)
        return STANZA_FEATURE_NOT_IMPLEMENTED;
    bool backwards = r.before != NULL;
    if (!read_id(q, r.after, &after) ||
        !read_id(q, backwards && *r.before ? r.before : NULL, &before))
        return STANZA_ITEM_NOT_FOUND;
    struct archive_page *p = &q->page;
    p->last_page = backwards;
    if (after > p->after)
        p->after = after;
    if (before && (!p->before || before < p->before))
        p->before = before;
    p->max = !r.has_max ? PAGE_DEFAULT : r.max > PAGE_MAX ? PAGE_MAX : r.max;
    return STANZA_OK;
}

/* ---- what is found ---- */

static void append_attr(struct bytes *out, const char *name, const char *value)
{
    bytes_printf(out, " %s='", name);
    xml_escape(out, value, strlen(value));
    bytes_append_char(out, '\'');
}

/* <message><result><forwarded><delay/>row</forwarded></result></message> */
static void send_row(struct query *q, struct stanza *envelope, const struct archive_row *row,
                     struct bytes *xml)
{
    char id[ARCHIVE_ID_LEN + 1], stamp[DATETIME_MAX];
    archive_id(exchange_store(q->x), row->seq, id);
    datetime_write(stamp, row->kept_us);
    const char *queryid = element_attr(stanza_first(q->iq), "queryid");
    bytes_clear(xml);
    bytes_append_text(xml, "<result xmlns='" NS_MAM "'");
    append_attr(xml, "id", id);
    if (queryid)
        append_attr(xml, "queryid", queryid);
    bytes_append_text(xml, "><forwarded xmlns='" NS_FORWARD "'><delay xmlns='" NS_DELAY "'");
    append_attr(xml, "stamp", stamp);
    bytes_append_text(xml, "/>");
    bytes_append(xml, row->xml.data, row->xml.len);
    bytes_append_text(xml, "</forwarded></result>");
    struct stanza *st = stanza_readdress(envelope, envelope->from, envelope->to, bytes_span(xml));
    exchange_answer(q->x, st);
}

static void send_rows(struct query *q)
{
    const struct archive_page *p = &q->page;
    struct builder b;
    build_begin(&b, STANZA_MESSAGE, MESSAGE_NORMAL);
    build_from(&b, q->iq->to);
    build_to(&b, q->iq->from);
    struct stanza *envelope = build_end(&b);
    struct bytes xml = BYTES_EMPTY;
    for (unsigned i = 0; i < p->count; i++)
        send_row(q, envelope, &p->rows[q->flip ? p->count - 1 - i : i], &xml);
    bytes_fini(&xml);
    stanza_unref(&envelope);
}

static void send_fin(struct query *q)
{
    const struct archive_page *p = &q->page;
    char first[ARCHIVE_ID_LEN + 1], last[ARCHIVE_ID_LEN + 1];
    struct rsm_page set = {.has_count = p->total >= 0, .count = (uint32_t)p->total};
    if (p->count) {
        archive_id(exchange_store(q->x), p->rows[0].seq, first);
        archive_id(exchange_store(q->x), p->rows[p->count - 1].seq, last);
        set.first = first;
        set.last = last;
        set.has_index = p->first_index >= 0;
        set.index = (uint32_t)p->first_index;
    }
    struct builder b;
    build_begin_result(&b, q->iq);
    build_open(&b, "fin", NS_MAM);
    build_attr(&b, "complete", p->complete ? "true" : NULL);
    rsm_write(&b, &set);
    build_close(&b);
    exchange_answer(q->x, build_end(&b));
}

static void on_page(struct store_job *job, const struct error *e)
{
    struct query *q = container_of(job, struct query, page.job);
    if (e->code != ERROR_NONE) {
        exchange_refuse(q->x, q->iq, STANZA_RESOURCE_CONSTRAINT, NULL);
    } else if (q->page.after_unknown || q->page.before_unknown) {
        exchange_refuse(q->x, q->iq, STANZA_ITEM_NOT_FOUND, NULL);
    } else {
        send_rows(q);
        send_fin(q);
    }
    person_turn_end(q->who, &q->turn);
    query_end(q);
}

static void on_turn(struct turn *t, bool is_there)
{
    struct query *q = container_of(t, struct query, turn);
    if (is_there)
        archive_query(exchange_store(q->x), &q->page);
    else
        query_end(q);
}

static enum service_result begin(struct query *q)
{
    if (person_turn(q->who, &q->turn))
        return SERVICE_HANDLED;
    exchange_refuse(q->x, q->iq, STANZA_RESOURCE_CONSTRAINT, "too many queries at once");
    query_end(q);
    return SERVICE_HANDLED;
}

static struct query *query_new(struct exchange *x, struct person *who, struct stanza *iq)
{
    struct query *q = mem_new(struct query);
    arena_init(&q->arena);
    arena_init(&q->page.arena);
    q->x = x;
    q->iq = stanza_ref(iq);
    q->who = who;
    q->turn = (struct turn){.asker = q->iq->from, .run = on_turn};
    q->page.owner = arena_dup(&q->arena, person_jid(who)->bare);
    q->page.job.reply_on = person_loop(who);
    q->page.job.must_see = store_ticket(exchange_store(x));
    return q;
}

static enum service_result on_query(struct exchange *x, struct person *who, struct stanza *iq)
{
    const struct element *e = stanza_first(iq);
    struct query *q = query_new(x, who, iq);
    enum stanza_error why = element_attr(e, "node") ? STANZA_ITEM_NOT_FOUND : read_form(q, e);
    if (why == STANZA_OK)
        why = read_paging(q, e);
    if (why != STANZA_OK) {
        exchange_refuse(x, iq, why, NULL);
        query_end(q);
        return SERVICE_HANDLED;
    }
    q->flip = element_child(e, "flip-page", NS_MAM) != NULL;
    q->page.job.done = on_page;
    return begin(q);
}

/* ---- the fields that can be asked for (4.1.5) ---- */

static enum service_result on_fields(struct exchange *x, struct person *who, struct stanza *iq)
{
    (void)who;
    struct builder b;
    build_begin_result(&b, iq);
    build_open(&b, "query", NS_MAM);
    form_open(&b, FORM_KIND_FORM, NS_MAM, NULL, NULL);
    form_add(&b, &(struct form_field){.type = FORM_JID_SINGLE, .var = "with"});
    static const char *const texts[] = {"start", "end", "before-id", "after-id"};
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        form_add(&b, &(struct form_field){.type = FORM_TEXT_SINGLE, .var = texts[i]});
    build_close(&b);
    build_close(&b);
    exchange_answer(x, build_end(&b));
    return SERVICE_HANDLED;
}

/* ---- metadata (5): the oldest row, then the newest ---- */

static void build_edge(struct builder *b, const struct query *q, const char *name, uint64_t seq,
                       int64_t kept_us)
{
    char id[ARCHIVE_ID_LEN + 1], stamp[DATETIME_MAX];
    archive_id(exchange_store(q->x), seq, id);
    datetime_write(stamp, kept_us);
    build_open(b, name, NULL);
    build_attr(b, "id", id);
    build_attr(b, "timestamp", stamp);
    build_close(b);
}

static void send_metadata(struct query *q)
{
    struct builder b;
    build_begin_result(&b, q->iq);
    build_open(&b, "metadata", NS_MAM);
    if (q->oldest_seq && q->page.count) {
        build_edge(&b, q, "start", q->oldest_seq, q->oldest_us);
        build_edge(&b, q, "end", q->page.rows[0].seq, q->page.rows[0].kept_us);
    }
    build_close(&b);
    exchange_answer(q->x, build_end(&b));
}

static void on_newest(struct store_job *job, const struct error *e)
{
    struct query *q = container_of(job, struct query, page.job);
    if (e->code == ERROR_NONE)
        send_metadata(q);
    else
        exchange_refuse(q->x, q->iq, STANZA_RESOURCE_CONSTRAINT, NULL);
    person_turn_end(q->who, &q->turn);
    query_end(q);
}

static void on_oldest(struct store_job *job, const struct error *e)
{
    struct query *q = container_of(job, struct query, page.job);
    if (e->code == ERROR_NONE && q->page.count) {
        q->oldest_seq = q->page.rows[0].seq;
        q->oldest_us = q->page.rows[0].kept_us;
    }
    struct store_job again = {
        .reply_on = job->reply_on, .done = on_newest, .must_see = job->must_see};
    arena_fini(&q->page.arena);
    q->page =
        (struct archive_page){.job = again, .owner = q->page.owner, .max = 1, .last_page = true};
    arena_init(&q->page.arena);
    archive_query(exchange_store(q->x), &q->page);
}

static enum service_result on_metadata(struct exchange *x, struct person *who, struct stanza *iq)
{
    struct query *q = query_new(x, who, iq);
    q->page.max = 1;
    q->page.job.done = on_oldest;
    return begin(q);
}

static const struct service_iq iqs[] = {
    {"query", NS_MAM, 1u << IQ_SET, AT_ACCOUNT, on_query},
    {"query", NS_MAM, 1u << IQ_GET, AT_ACCOUNT, on_fields},
    {"metadata", NS_MAM, 1u << IQ_GET, AT_ACCOUNT, on_metadata},
    {0},
};
static const struct service_xep xeps[] = {
    {"0313", "1.1.1", "without preferences and the `ids` field; `with` compares bare JIDs"},
    {"0059", "1.0", "by id, both directions; without index"},
    {0},
};
static const char *const features[] = {NS_MAM, NS_MAM_EXTENDED, NULL};

const struct service archive_service = {
    .name = "archive",
    .xeps = xeps,
    .account_features = features,
    .iqs = iqs,
};
