/* SPDX-License-Identifier: MIT */
/* The <body/> of BOSH (XEP-0124 section 4): a document whose attributes are the binding's and whose children are a
 * stream's first-level elements. A pure reader: what the attributes mean is for whoever keeps the session. */
#ifndef CAUSEWAY_XMPP_XML_BODY_H
#define CAUSEWAY_XMPP_XML_BODY_H

#include "gateway/base/arena.h"
#include "gateway/base/bytes.h"
#include "gateway/xmpp/xml_read.h"

struct xml_body_attr;

struct xml_body {
    struct arena arena; /* the attributes */
    const struct xml_body_attr *attrs;
    struct stanza **stanzas; /* in order; counts owned; NULL where somebody has taken one */
    unsigned count, cap;
    struct xml_limits limits;
    bool rooted;             /* the start tag was read: the attributes are good, whatever came behind */
    bool stopped;            /* by `limits_of` */
    enum stream_error error; /* STREAM_OK: it is whole */
    const char *text;        /* static; what was wrong */
};

struct xml_body_reader {
    /* Asked once, when the attributes are known: what may the children be? NULL: nobody wants to know. Borrowed. */
    const struct xml_limits *(*limits_of)(void *user, const struct xml_body *b);
    void *user;
};

/* Never NULL. */
struct xml_body *xml_body_read(struct span text, const struct xml_body_reader *how);
void xml_body_destroy(struct xml_body **b);
/* `ns` "": none. NULL: it is not there. */
const char *xml_body_attr(const struct xml_body *b, const char *ns, const char *name);
/* A whole number of at most `max`. */
bool xml_body_number(const struct xml_body *b, const char *name, uint64_t max, uint64_t *out);
/* The caller's count; NULL: taken before. */
struct stanza *xml_body_take(struct xml_body *b, unsigned i);

#endif
