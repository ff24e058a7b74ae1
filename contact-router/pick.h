/* SPDX-License-Identifier: MIT */
/* Taking values out of an answer or a webhook, as a profile says where they stand. */
#ifndef CAUSEWAY_CONTACT_ROUTER_PICK_H
#define CAUSEWAY_CONTACT_ROUTER_PICK_H

#include "contact-router/profile.h"
#include "contact-router/urlencoded.h"

struct json_t;

struct pick_source {
    struct arena *arena;          /* values live in it */
    struct json_t *json;          /* NULL: not JSON */
    struct span text;             /* the whole body */
    struct urlencoded form, query;
    const char *(*header)(const void *user, const char *name); /* NULL: no headers */
    const void *user;
};

/* The text of an element, or an attribute: "/top/child", "/top/child@name". NULL: it is not there, or `xml` is
 * not one well-formed document. Entities of its own are refused; they could grow without bound. */
const char *pick_xml(struct arena *a, struct span xml, const char *path);
bool pick_xml_well_formed(struct span xml);
/* NULL: it is not there. */
const char *pick_value(const struct profile_pick *p, const struct pick_source *s);
bool pick_holds(const struct profile_test *t, const struct pick_source *s);
bool pick_hold_all(const struct profile_tests *t, const struct pick_source *s);
/* The value at a JSON pointer (RFC 6901); NULL: none. */
struct json_t *pick_json(struct json_t *root, const char *pointer);

#endif
