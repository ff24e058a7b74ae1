/* SPDX-License-Identifier: MIT */
/* Fields of a query or a form (application/x-www-form-urlencoded), decoded. */
#ifndef CAUSEWAY_CONTACT_ROUTER_URLENCODED_H
#define CAUSEWAY_CONTACT_ROUTER_URLENCODED_H

#include <stdbool.h>

#include "gateway/base/arena.h"
#include "gateway/base/bytes.h"

enum { URLENCODED_MAX = 256 };

struct urlencoded_pair { const char *name, *value; };
struct urlencoded { struct urlencoded_pair *v; unsigned count; };

/* false: a broken escape, a NUL, no UTF-8, or more than URLENCODED_MAX fields. */
MUST_USE bool urlencoded_parse(struct arena *a, struct span text, struct urlencoded *out);
const char *urlencoded_get(const struct urlencoded *u, const char *name); /* the first; NULL: none */
/* By name, then value, bytewise. */
void urlencoded_sort(struct urlencoded *u);

#endif
