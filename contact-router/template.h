/* SPDX-License-Identifier: MIT */
/* Texts with ${name|filter|...} in them. Escaping follows from where the text lands, never from its
 * author: TEMPLATE_URL percent-encodes and TEMPLATE_XML escapes what is put in; whoever lands a whole
 * text in a form, a query or JSON escapes the whole. */
#ifndef CAUSEWAY_CONTACT_ROUTER_TEMPLATE_H
#define CAUSEWAY_CONTACT_ROUTER_TEMPLATE_H

#include <stdbool.h>

#include "gateway/base/arena.h"
#include "gateway/base/bytes.h"
#include "gateway/base/error.h"

enum template_filter {
    FILTER_DIGITS, /* without a leading + */
    FILTER_PLUS,   /* with one */
    FILTER_CUT,    /* at most N characters, never inside one as people see it */
    FILTER_GSM,    /* the GSM alphabet as far as it goes (sms_text.h) */
    FILTER_LOWER,  /* ASCII */
    FILTER_B64,
};

struct template_step { enum template_filter filter; unsigned cut; };

enum { TEMPLATE_STEPS_MAX = 6, TEMPLATE_PARTS_MAX = 64 };

struct template_part {
    const char *literal; /* NULL: a name */
    const char *name;
    struct template_step steps[TEMPLATE_STEPS_MAX];
    unsigned step_count;
};

struct template {
    const struct template_part *parts; /* in the arena it was read into */
    unsigned count;
};

enum template_context {
    TEMPLATE_PLAIN,  /* nothing is escaped */
    TEMPLATE_URL,    /* each value percent-encoded, except one that begins the text (the base address) */
    TEMPLATE_XML,    /* each value as character data or attribute value */
    TEMPLATE_JSON,   /* each value as the inside of a JSON string */
    TEMPLATE_HEADER, /* refused: anything but visible ASCII, space and tab */
};

/* Where names get their values. Appends it to out; false: there is no such name. */
struct template_names {
    bool (*value)(const struct template_names *n, const char *name, struct bytes *out);
};

/* ERROR_INVALID: which mistake. */
MUST_USE bool template_parse(struct arena *a, const char *text, struct template *out, struct error *e);
/* Appends. ERROR_INVALID: an unknown name, or a value that the context forbids; out is as before. */
MUST_USE bool template_render(const struct template *t, enum template_context c,
                              const struct template_names *names, struct bytes *out, struct error *e);
/* RFC 3986: everything but unreserved characters. */
void template_percent(struct bytes *out, const char *data, size_t len);
/* application/x-www-form-urlencoded: as template_percent, a space is '+'. */
void template_form(struct bytes *out, const char *data, size_t len);

#endif
