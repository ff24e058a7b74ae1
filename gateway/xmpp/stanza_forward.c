/* SPDX-License-Identifier: MIT */
/* A message inside another one (XEP-0297, for XEP-0280): the builder makes what stands around, the
 * forwarded message's payload hangs inside it, by tree and by bytes, and is not copied. */
#include <string.h>

#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_internal.h"

#define HOLE "." /* where the payload goes, until it is there */

static const struct element *build_around(struct builder *b, const struct stanza *st,
                                          const char *name, const char *ns)
{
    build_open(b, name, ns);
    build_open(b, "forwarded", NS_FORWARD);
    build_open(b, stanza_kind_name(st->kind), NS_CLIENT);
    build_attr(b, "from", st->from ? st->from->full : NULL);
    build_attr(b, "to", st->to ? st->to->full : NULL);
    build_attr(b, "id", st->id);
    build_attr(b, "type", stanza_type_name(st->type));
    if (st->lang)
        build_attr_ns(b, NS_XML, "lang", st->lang);
    const struct element *message = b->open[b->depth];
    build_text(b, HOLE);
    for (int i = 0; i < 3; i++)
        build_close(b);
    return message;
}

/* Bytes behind the hole, with what `st` carries beside its payload in front. */
static struct span tail_of(struct arena *a, const struct stanza *st, struct span rest)
{
    char *tail = arena_alloc(a, st->extra.len + rest.len);
    if (st->extra.len)
        memcpy(tail, st->extra.data, st->extra.len);
    memcpy(tail + st->extra.len, rest.data, rest.len);
    return (struct span){tail, st->extra.len + rest.len};
}

struct stanza *stanza_forward(const struct stanza *st, const char *name, const char *ns,
                              const struct jid *from)
{
    struct builder b;
    CHECK(st->kind == STANZA_MESSAGE && !st->payload->inner);
    build_begin(&b, STANZA_MESSAGE, st->type);
    build_from(&b, from);
    struct element *message = (struct element *)build_around(&b, st, name, ns);
    struct stanza *out = build_end(&b);
    struct payload *p = out->payload;
    static const char end[] = HOLE "</message></forwarded></";
    size_t rest = sizeof end - 1 - strlen(HOLE) + strlen(name) + 1, head = p->xml.len - rest;
    CHECK(strncmp(p->xml.data + head - strlen(HOLE), end, sizeof end - 1) == 0);
    p->tail = tail_of(&p->arena, st, (struct span){p->xml.data + head, rest});
    p->xml.len = head - strlen(HOLE);
    p->inner = st->payload;
    ref_take(&p->inner->ref);
    message->text = "";
    message->first_child = p->inner->root->first_child;
    struct element *wrap = (struct element *)p->root->first_child;
    struct element *forwarded = (struct element *)wrap->first_child;
    wrap->xml = forwarded->xml = message->xml = (struct span){0};
    return out;
}
