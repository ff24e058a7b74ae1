/* SPDX-License-Identifier: MIT */
/* Life of a stanza and looking inside it. A stanza that was parsed or built lies in its payload's
 * arena (one block for both); an envelope made by stanza_readdress has an arena of its own. */
#include "gateway/xmpp/stanza.h"

#include <string.h>

#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_internal.h"

/* kind, wire name (NULL: the attribute is left out) */
static const struct {
    enum stanza_kind kind;
    const char *wire;
} types[] = {
    [MESSAGE_NORMAL] = {STANZA_MESSAGE, NULL},
    [MESSAGE_CHAT] = {STANZA_MESSAGE, "chat"},
    [MESSAGE_GROUPCHAT] = {STANZA_MESSAGE, "groupchat"},
    [MESSAGE_HEADLINE] = {STANZA_MESSAGE, "headline"},
    [MESSAGE_ERROR] = {STANZA_MESSAGE, "error"},
    [PRESENCE_AVAILABLE] = {STANZA_PRESENCE, NULL},
    [PRESENCE_UNAVAILABLE] = {STANZA_PRESENCE, "unavailable"},
    [PRESENCE_SUBSCRIBE] = {STANZA_PRESENCE, "subscribe"},
    [PRESENCE_SUBSCRIBED] = {STANZA_PRESENCE, "subscribed"},
    [PRESENCE_UNSUBSCRIBE] = {STANZA_PRESENCE, "unsubscribe"},
    [PRESENCE_UNSUBSCRIBED] = {STANZA_PRESENCE, "unsubscribed"},
    [PRESENCE_PROBE] = {STANZA_PRESENCE, "probe"},
    [PRESENCE_ERROR] = {STANZA_PRESENCE, "error"},
    [IQ_GET] = {STANZA_IQ, "get"},
    [IQ_SET] = {STANZA_IQ, "set"},
    [IQ_RESULT] = {STANZA_IQ, "result"},
    [IQ_ERROR] = {STANZA_IQ, "error"},
    [STANZA_TYPE_UNKNOWN] = {STANZA_NONZA, NULL},
    [STANZA_TYPE_NONE] = {STANZA_NONZA, NULL},
};

bool stanza_is_answer(const struct stanza *st)
{
    return st->kind == STANZA_IQ && (st->type == IQ_RESULT || st->type == IQ_ERROR);
}

const char *stanza_kind_name(enum stanza_kind kind)
{
    static const char *const names[] = {
        [STANZA_MESSAGE] = "message",
        [STANZA_PRESENCE] = "presence",
        [STANZA_IQ] = "iq",
        [STANZA_NONZA] = "nonza",
    };
    CHECK((unsigned)kind <= STANZA_NONZA);
    return names[kind];
}

const char *stanza_type_name(enum stanza_type type)
{
    CHECK((unsigned)type <= STANZA_TYPE_NONE);
    return types[type].wire;
}

enum stanza_type stanza_type_parse(enum stanza_kind kind, const char *wire)
{
    if (kind == STANZA_NONZA)
        return STANZA_TYPE_NONE;
    if (kind == STANZA_PRESENCE && !wire)
        return PRESENCE_AVAILABLE;
    for (unsigned i = 0; wire && i < STANZA_TYPE_UNKNOWN; i++)
        if (types[i].kind == kind && types[i].wire && strcmp(types[i].wire, wire) == 0)
            return (enum stanza_type)i;
    return kind == STANZA_MESSAGE ? MESSAGE_NORMAL : STANZA_TYPE_UNKNOWN;
}

struct stanza *stanza_ref(struct stanza *st)
{
    ref_take(&st->ref);
    return st;
}

static void payload_unref(struct payload *p)
{
    if (!ref_drop(&p->ref))
        return;
    struct payload *inner = p->inner;
    struct arena arena = p->arena; /* p lies in it */
    arena_fini(&arena);
    if (inner)
        payload_unref(inner);
}

void stanza_unref(struct stanza **st)
{
    struct stanza *gone = *st;
    *st = NULL;
    if (!gone || !ref_drop(&gone->ref))
        return;
    struct payload *payload = gone->payload;
    struct arena arena = gone->arena; /* gone lies in it, or in the payload's */
    arena_fini(&arena);
    payload_unref(payload);
}

static size_t jid_bytes(const struct jid *j)
{
    return j ? j->block_bytes + 16 : 0; /* and what aligning may take */
}

struct stanza *stanza_readdress(struct stanza *st, const struct jid *from, const struct jid *to,
                                struct span extra)
{
    struct arena a;
    /* What lies in the payload's arena lives as long as the new envelope. */
    bool shared = st->arena.chunks == NULL;
    arena_init_sized(&a, sizeof *st + jid_bytes(from) + jid_bytes(to) + st->extra.len + extra.len +
                             (shared ? 0 : span_of(st->id).len + span_of(st->lang).len) + 64);
    struct stanza *out = arena_new(&a, struct stanza);
    ref_init(&out->ref);
    out->kind = st->kind;
    out->type = st->type;
    out->from = shared && from == st->from ? from : jid_copy(&a, from);
    out->to = shared && to == st->to ? to : jid_copy(&a, to);
    out->id = shared || !st->id ? st->id : arena_dup(&a, st->id);
    out->lang = shared || !st->lang ? st->lang : arena_dup(&a, st->lang);
    if (st->extra.len + extra.len) {
        char *both = arena_alloc(&a, st->extra.len + extra.len);
        if (st->extra.len)
            memcpy(both, st->extra.data, st->extra.len);
        if (extra.len)
            memcpy(both + st->extra.len, extra.data, extra.len);
        out->extra = (struct span){both, st->extra.len + extra.len};
    }
    out->payload = st->payload;
    ref_take(&out->payload->ref);
    out->arena = a;
    return out;
}

bool element_is(const struct element *e, const char *name, const char *ns)
{
    return e && strcmp(e->name, name) == 0 && strcmp(e->ns, ns ? ns : NS_CLIENT) == 0;
}

static const struct element *find(const struct element *e, const char *name, const char *ns)
{
    while (e && !element_is(e, name, ns))
        e = e->next;
    return e;
}

const struct element *element_child(const struct element *e, const char *name, const char *ns)
{
    return e ? find(e->first_child, name, ns) : NULL;
}

const struct element *element_next(const struct element *e, const char *name, const char *ns)
{
    return e ? find(e->next, name, ns) : NULL;
}

const struct element *stanza_child(const struct stanza *st, const char *name, const char *ns)
{
    return find(st->payload->root->first_child, name, ns);
}

const struct element *stanza_first(const struct stanza *st)
{
    return st->payload->root->first_child;
}

const char *element_attr_ns(const struct element *e, const char *ns, const char *name)
{
    for (unsigned i = 0; e && i < e->attr_count; i++)
        if (strcmp(e->attrs[i].name, name) == 0 && text_eq(e->attrs[i].ns, ns))
            return e->attrs[i].value;
    return NULL;
}

const char *element_attr(const struct element *e, const char *name)
{
    return element_attr_ns(e, NULL, name);
}

const char *stanza_attr(const struct stanza *st, const char *name)
{
    return element_attr(st->payload->root, name);
}

const char *stanza_body(const struct stanza *st)
{
    const struct element *first = stanza_child(st, "body", NULL);
    for (const struct element *e = first; e; e = element_next(e, "body", NULL)) {
        const char *lang = element_attr_ns(e, NS_XML, "lang");
        if (!lang || (st->lang && text_eq_nocase(lang, st->lang)))
            return e->text;
    }
    return first ? first->text : NULL;
}
