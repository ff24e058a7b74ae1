/* SPDX-License-Identifier: MIT */
/* See rsm.h. */
#include "gateway/xmpp/rsm.h"

#include <stdio.h>

#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"

/* false: it is there and is no number. */
static bool read_number(const struct element *set, const char *name, bool *has, uint32_t *out)
{
    const struct element *e = element_child(set, name, NS_RSM);
    *has = e != NULL;
    return !e || text_to_u32(e->text, out);
}

enum stanza_error rsm_parse(struct rsm_query *out, const struct element *parent)
{
    const struct element *set = element_child(parent, "set", NS_RSM);
    *out = (struct rsm_query){.present = set != NULL};
    if (!set)
        return STANZA_OK;
    if (!read_number(set, "max", &out->has_max, &out->max) ||
        !read_number(set, "index", &out->has_index, &out->index))
        return STANZA_BAD_REQUEST;
    const struct element *after = element_child(set, "after", NS_RSM);
    const struct element *before = element_child(set, "before", NS_RSM);
    out->after = after ? after->text : NULL;
    out->before = before ? before->text : NULL;
    return out->has_index && (after || before) ? STANZA_BAD_REQUEST : STANZA_OK;
}

static void put_number(struct builder *b, const char *name, uint32_t n)
{
    char text[12];
    snprintf(text, sizeof text, "%u", n);
    build_leaf(b, name, NULL, text);
}

void rsm_write(struct builder *b, const struct rsm_page *page)
{
    build_open(b, "set", NS_RSM);
    if (page->first) {
        char index[12];
        snprintf(index, sizeof index, "%u", page->index);
        build_open(b, "first", NULL);
        build_attr(b, "index", page->has_index ? index : NULL);
        build_text(b, page->first);
        build_close(b);
        build_leaf(b, "last", NULL, page->last);
    }
    if (page->has_count)
        put_number(b, "count", page->count);
    build_close(b);
}
