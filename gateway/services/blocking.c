/* SPDX-License-Identifier: MIT */
/* XEP-0191, as a client asks for it: read the list, block, unblock. What blocking does to stanzas is
 * where they are routed (session_blocks). */
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
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

static void on_done(void *user, const struct error *e)
{
    struct change *c = user;
    if (e->code == ERROR_NONE)
        exchange_answer(c->x, build_result(c->iq));
    else
        exchange_refuse(c->x, c->iq, STANZA_RESOURCE_CONSTRAINT, "the list could not be kept");
    end(c);
}

/* STANZA_OK: c->jids are what the client names. */
static enum stanza_error read_items(struct change *c, const struct element *list, const struct jid *own)
{
    unsigned most = 0;
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
static const struct service_xep xeps[] = {{"0191", "1.3", NULL}, {0}};
static const char *const features[] = {NS_BLOCKING, NULL};

const struct service blocking_service = {
    .name = "blocking",
    .xeps = xeps,
    .domain_features = features,
    .account_features = features,
    .iqs = iqs,
};
