/* SPDX-License-Identifier: MIT */
/* XEP-0049: a person's clients leave XML with the account and fetch it, by name and namespace. Nobody else
 * sees it. Several elements of one name in a set are one thing; an empty one takes it away.
 *
 * Of the errors: "bad format", which the XEP names for a get of nothing, is no stanza error (RFC 6120 8.3.3); its
 * rule for both, not-acceptable, holds. */
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/services/services.h"
#include "gateway/store/private_xml.h"
#include "gateway/xmpp/jid.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

static bool is_reserved(const char *ns)
{
    return text_starts_with(ns, "jabber:") || text_starts_with(ns, "http://jabber.org/") || text_eq(ns, NS_VCARD);
}

/* ---- get ---- */

struct reading {
    struct private_xml_get get;
    struct turn turn;
    struct exchange *x;
    struct person *who;
    struct stanza *iq; /* a count */
};

static void reading_end(struct reading *r)
{
    stanza_unref(&r->iq);
    arena_fini(&r->get.arena);
    mem_free(r);
}

static void append_empty(struct bytes *out, const struct private_xml *w)
{
    bytes_printf(out, "<%s xmlns='", w->name);
    xml_escape(out, w->ns, strlen(w->ns));
    bytes_append_text(out, "'/>");
}

static void answer(const struct reading *r)
{
    const struct private_xml *w = &r->get.what;
    struct stanza *empty = build_result(r->iq);
    struct bytes xml = BYTES_EMPTY;
    bytes_append_text(&xml, "<query xmlns='" NS_PRIVATE "'>");
    if (w->xml.len)
        bytes_append(&xml, w->xml.data, w->xml.len);
    else
        append_empty(&xml, w);
    bytes_append_text(&xml, "</query>");
    exchange_answer(r->x, stanza_readdress(empty, empty->from, empty->to, bytes_span(&xml)));
    bytes_fini(&xml);
    stanza_unref(&empty);
}

static void on_read(struct store_job *job, const struct error *e)
{
    struct reading *r = container_of(job, struct reading, get.job);
    if (e->code == ERROR_NONE)
        answer(r);
    else
        exchange_refuse(r->x, r->iq, STANZA_INTERNAL_SERVER_ERROR, NULL);
    person_turn_end(r->who, &r->turn);
    reading_end(r);
}

static void on_turn(struct turn *t, bool is_there)
{
    struct reading *r = container_of(t, struct reading, turn);
    if (!is_there) {
        reading_end(r);
        return;
    }
    r->get.job.must_see = store_ticket(exchange_store(r->x));
    private_xml_get(exchange_store(r->x), &r->get);
}

static enum service_result get(struct exchange *x, struct person *who, struct stanza *iq)
{
    const struct element *e = stanza_first(iq)->first_child;
    if (!e || e->next || is_reserved(e->ns)) { /* one at a time */
        exchange_refuse(x, iq, STANZA_NOT_ACCEPTABLE, NULL);
        return SERVICE_HANDLED;
    }
    struct reading *r = mem_new(struct reading);
    arena_init(&r->get.arena);
    r->x = x;
    r->who = who;
    r->iq = stanza_ref(iq);
    r->turn = (struct turn){.asker = r->iq->from, .run = on_turn};
    r->get.owner = arena_dup(&r->get.arena, person_jid(who)->bare);
    r->get.what = (struct private_xml){.name = e->name, .ns = e->ns};
    r->get.job.reply_on = person_loop(who);
    r->get.job.done = on_read;
    if (person_turn(who, &r->turn))
        return SERVICE_HANDLED;
    exchange_refuse(x, iq, STANZA_RESOURCE_CONSTRAINT, "too many questions at once");
    reading_end(r);
    return SERVICE_HANDLED;
}

/* ---- set ---- */

struct writing {
    struct private_xml_put put;
    struct arena arena;
    struct exchange *x;
    struct stanza *iq; /* a count */
};

static void writing_end(struct writing *w)
{
    stanza_unref(&w->iq);
    arena_fini(&w->arena);
    mem_free(w);
}

static void on_written(struct store_job *job, const struct error *e)
{
    struct writing *w = container_of(job, struct writing, put.job);
    if (e->code != ERROR_NONE)
        exchange_refuse(w->x, w->iq, STANZA_RESOURCE_CONSTRAINT, "it could not be kept");
    else if (w->put.refused)
        exchange_refuse(w->x, w->iq, STANZA_RESOURCE_CONSTRAINT, "more than an account may keep");
    else
        exchange_answer(w->x, build_result(w->iq));
    writing_end(w);
}

static bool says_something(const struct element *e)
{
    return e->first_child || e->attr_count || *e->text;
}

/* Which of them it belongs to; one more if there is none. NULL: there are too many. */
static struct private_xml *kind_of(struct private_xml *all, unsigned *count, const struct element *e)
{
    for (unsigned i = 0; i < *count; i++)
        if (text_eq(all[i].ns, e->ns) && text_eq(all[i].name, e->name))
            return &all[i];
    if (*count == PRIVATE_XML_COUNT_MAX)
        return NULL;
    all[*count] = (struct private_xml){.name = e->name, .ns = e->ns};
    return &all[(*count)++];
}

/* Twice over the elements: how long each kind is, then its text. */
static enum stanza_error gather(struct writing *w, const struct element *first)
{
    struct private_xml *all = arena_alloc(&w->arena, PRIVATE_XML_COUNT_MAX * sizeof *all);
    for (const struct element *e = first; e; e = e->next) {
        struct private_xml *kind = is_reserved(e->ns) ? NULL : kind_of(all, &w->put.count, e);
        if (!kind)
            return is_reserved(e->ns) ? STANZA_NOT_ACCEPTABLE : STANZA_RESOURCE_CONSTRAINT;
        kind->xml.len += says_something(e) ? e->xml.len : 0;
    }
    for (unsigned i = 0; i < w->put.count; i++) {
        char *text = arena_alloc(&w->arena, all[i].xml.len + 1);
        all[i].xml = (struct span){text, 0};
    }
    for (const struct element *e = first; e; e = e->next) {
        struct span *to = &kind_of(all, &w->put.count, e)->xml;
        if (!says_something(e))
            continue;
        memcpy((char *)to->data + to->len, e->xml.data, e->xml.len);
        to->len += e->xml.len;
    }
    w->put.all = all;
    return STANZA_OK;
}

static enum service_result set(struct exchange *x, struct person *who, struct stanza *iq)
{
    struct writing *w = mem_new(struct writing);
    arena_init(&w->arena);
    w->x = x;
    w->iq = stanza_ref(iq);
    w->put.owner = arena_dup(&w->arena, person_jid(who)->bare);
    w->put.job.reply_on = person_loop(who);
    w->put.job.done = on_written;
    const struct element *first = stanza_first(w->iq)->first_child;
    enum stanza_error wrong = first ? gather(w, first) : STANZA_NOT_ACCEPTABLE;
    if (wrong == STANZA_OK) {
        private_xml_put(exchange_store(x), &w->put);
        return SERVICE_HANDLED;
    }
    exchange_refuse(x, iq, wrong, wrong == STANZA_RESOURCE_CONSTRAINT ? "more than an account may keep" : NULL);
    writing_end(w);
    return SERVICE_HANDLED;
}

static enum service_result refuse(struct exchange *x, struct person *who, struct stanza *iq)
{
    (void)who;
    exchange_refuse(x, iq, STANZA_FORBIDDEN, NULL);
    return SERVICE_HANDLED;
}

static const struct service_iq iqs[] = {
    {"query", NS_PRIVATE, 1u << IQ_GET, AT_ACCOUNT, get},
    {"query", NS_PRIVATE, 1u << IQ_SET, AT_ACCOUNT, set},
    {"query", NS_PRIVATE, 1u << IQ_GET | 1u << IQ_SET, AT_OTHER, refuse},
    {0},
};
static const struct service_xep xeps[] = {{"0049", "1.2", NULL}, {0}};
static const char *const features[] = {NS_PRIVATE, NULL};

const struct service private_storage_service = {
    .name = "private storage",
    .xeps = xeps,
    .domain_features = features,
    .account_features = features,
    .iqs = iqs,
};
