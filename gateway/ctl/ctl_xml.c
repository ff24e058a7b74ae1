/* SPDX-License-Identifier: MIT */
/* See ctl_xml.h. */
#include "gateway/ctl/ctl_xml.h"

#include "gateway/base/text.h"

static xmpp_stanza_t *first_of(xmpp_stanza_t *st, const char *name)
{
    while (st && (xmpp_stanza_is_text(st) || (name && !text_eq(xmpp_stanza_get_name(st), name))))
        st = xmpp_stanza_get_next(st);
    return st;
}

xmpp_stanza_t *ctl_xml_child(xmpp_stanza_t *parent, const char *name)
{
    return parent ? first_of(xmpp_stanza_get_children(parent), name) : NULL;
}

xmpp_stanza_t *ctl_xml_next(xmpp_stanza_t *sibling, const char *name)
{
    return first_of(xmpp_stanza_get_next(sibling), name);
}

const char *ctl_xml_text(struct arena *a, xmpp_stanza_t *st)
{
    const char *text = "";
    for (xmpp_stanza_t *c = st ? xmpp_stanza_get_children(st) : NULL; c; c = xmpp_stanza_get_next(c))
        if (xmpp_stanza_is_text(c))
            text = arena_printf(a, "%s%s", text, xmpp_stanza_get_text_ptr(c));
    return text;
}
