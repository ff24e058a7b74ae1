/* SPDX-License-Identifier: MIT */
/* What a person's clients leave with the account (XEP-0049), by name and namespace of the element. Bounded a
 * person: PRIVATE_XML_COUNT_MAX kinds, PRIVATE_XML_BYTES_MAX in all. */
#ifndef CAUSEWAY_STORE_PRIVATE_XML_H
#define CAUSEWAY_STORE_PRIVATE_XML_H

#include "gateway/base/arena.h"
#include "gateway/store/store.h"

enum { PRIVATE_XML_COUNT_MAX = 100, PRIVATE_XML_BYTES_MAX = 1024 * 1024 };

struct private_xml {
    const char *name, *ns;
    struct span xml; /* empty: none */
};

/* Read. After done: what->xml, in `arena`, which is the caller's. */
struct private_xml_get {
    struct store_job job;
    struct arena arena;
    const char *owner;
    struct private_xml what;
};
void private_xml_get(struct store *s, struct private_xml_get *g);

/* Write: replaces each of `all`, whose names and namespaces differ; empty ones go. `refused`, after done: it
 * would be too much, and nothing was changed. */
struct private_xml_put {
    struct store_job job;
    const char *owner;
    const struct private_xml *all;
    unsigned count;
    bool refused;
};
void private_xml_put(struct store *s, struct private_xml_put *p);

/* Inside a transaction. */
MUST_USE bool private_xml_account_gone(struct store_tx *tx, const char *owner, struct error *e);

#endif
