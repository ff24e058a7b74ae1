/* SPDX-License-Identifier: MIT */
/* Paging through a result set (XEP-0059). */
#ifndef CAUSEWAY_XMPP_RSM_H
#define CAUSEWAY_XMPP_RSM_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/xmpp/stanza_build.h"

struct rsm_query {
    bool present; /* there was a <set/> */
    bool has_max, has_index;
    uint32_t max;       /* 0: only the count is wanted */
    uint32_t index;     /* of the first item wanted */
    const char *after;  /* NULL: absent; borrowed from the stanza */
    const char *before; /* NULL: absent; "": the last page */
};

/* What was found: nothing when `first` is NULL. */
struct rsm_page {
    const char *first, *last;
    bool has_index, has_count;
    uint32_t index, count;
};

/* Reads <set/> inside `parent` (may be NULL). STANZA_OK, also when there is none;
 * STANZA_BAD_REQUEST: numbers that are none, or `after` together with `index`. */
enum stanza_error rsm_parse(struct rsm_query *out, const struct element *parent);
/* Appends <set/> to what is open. */
void rsm_write(struct builder *b, const struct rsm_page *page);

#endif
