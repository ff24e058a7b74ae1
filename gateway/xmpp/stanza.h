/* SPDX-License-Identifier: MIT */
/* What moves through Causeway. Parsed once, frozen, then read by any thread.
 *
 * A stanza is an envelope (the root's attributes) and a payload (the root's children). Routing
 * makes new envelopes; the payload is counted and shared, never copied: a message to a thousand
 * occupants is one payload and a thousand start tags.
 *
 * The payload is kept twice: as a compact tree for those who look inside, and as the bytes that go
 * out. The bytes are canonical: an element in the content namespace (jabber:client, jabber:server)
 * carries no xmlns, every other one carries it where it changes. So the same bytes serve clients,
 * servers and rooms. An element in jabber:client below a foreign one (a forwarded message) says so.
 * Roots in the namespaces of streams and of dialback are written with the prefixes stream: and db:,
 * which the header of the stream declares.
 *
 * RFC 6120 section 8; first-level elements that are no stanza (stream features, SASL, XEP-0198,
 * dialback) come as STANZA_NONZA, with the same tree. */
#ifndef CAUSEWAY_XMPP_STANZA_H
#define CAUSEWAY_XMPP_STANZA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/arena.h"
#include "gateway/base/bytes.h"
#include "gateway/base/ref.h"
#include "gateway/xmpp/jid.h"
#include "gateway/xmpp/stanza_error.h"

enum stanza_kind { STANZA_MESSAGE, STANZA_PRESENCE, STANZA_IQ, STANZA_NONZA };

enum stanza_type {
    /* message; an absent or unknown type is NORMAL (RFC 6121 5.2.2) */
    MESSAGE_NORMAL,
    MESSAGE_CHAT,
    MESSAGE_GROUPCHAT,
    MESSAGE_HEADLINE,
    MESSAGE_ERROR,
    /* presence; absent is AVAILABLE */
    PRESENCE_AVAILABLE,
    PRESENCE_UNAVAILABLE,
    PRESENCE_SUBSCRIBE,
    PRESENCE_SUBSCRIBED,
    PRESENCE_UNSUBSCRIBE,
    PRESENCE_UNSUBSCRIBED,
    PRESENCE_PROBE,
    PRESENCE_ERROR,
    /* iq */
    IQ_GET,
    IQ_SET,
    IQ_RESULT,
    IQ_ERROR,
    /* a type attribute that the kind does not know: bad-request for iq and presence */
    STANZA_TYPE_UNKNOWN,
    /* nonza */
    STANZA_TYPE_NONE,
};

struct attr {
    const char *ns;   /* NULL: no namespace (the ordinary case) */
    const char *name; /* local name */
    const char *value;
};

struct element {
    const char *name; /* local name */
    const char
        *ns; /* never NULL; elements in the content namespace have NS_CLIENT, whatever came */
    const struct attr *attrs; /* without xmlns declarations */
    uint16_t attr_count;
    const struct element *first_child; /* NULL: none */
    const struct element *next;        /* sibling */
    const char *text;                  /* character data directly inside, joined; "" when none */
    struct span xml; /* this element as it stands in payload->xml, start tag to end tag */
};

/* Children, shared between envelopes. */
struct payload {
    struct ref ref;
    struct arena arena;   /* holds everything below, and itself */
    struct element *root; /* name and namespace of the root, its children and its other attributes:
                           * not from, to, id, type, xml:lang */
    struct span xml;      /* the children, canonical */
    struct payload *inner; /* stanza_forward: a count; its children stand behind xml; NULL: none */
    struct span tail;      /* and this behind those */
};

struct stanza {
    struct ref ref;
    enum stanza_kind kind;
    enum stanza_type type;
    const struct jid *from, *to;       /* NULL: absent, or not a JID: */
    bool from_malformed, to_malformed; /* it was there and is not a JID */
    const char *id, *lang;             /* NULL: absent */
    struct payload *payload;           /* owned count */
    struct span extra;  /* further children for this recipient (delay, stanza-id), after the
                         * payload's;  not in the tree */
    struct arena arena; /* holds the envelope, and itself; empty: the payload's arena holds it */
};

struct stanza *stanza_ref(struct stanza *st); /* returns st */
void stanza_unref(struct stanza **st);        /* accepts NULL inside; clears the pointer */

/* The same payload under another envelope. `from`, `to` NULL: absent. `extra` (may be empty) is
 * copied behind what st has. The new stanza is the caller's. */
struct stanza *stanza_readdress(struct stanza *st, const struct jid *from, const struct jid *to,
                                struct span extra);

/* A message of the type of `st` that carries it: <NAME xmlns=NS><forwarded><message/> (XEP-0297). The
 * payload is shared: tree and bytes of `st` hang inside. The elements around it have no `xml` of
 * their own. Without `to`, for stanza_readdress; `st` is a message and no such one itself. */
struct stanza *stanza_forward(const struct stanza *st, const char *name, const char *ns,
                              const struct jid *from);

/* First child of that name and namespace, or NULL; ns NULL means the content namespace. */
const struct element *stanza_child(const struct stanza *st, const char *name, const char *ns);
/* The first child whatever it is (for iq: its payload), or NULL. */
const struct element *stanza_first(const struct stanza *st);
const struct element *element_child(const struct element *e, const char *name, const char *ns);
const struct element *element_next(const struct element *e, const char *name, const char *ns);
bool element_is(const struct element *e, const char *name, const char *ns); /* NULL e: false */
const char *element_attr(const struct element *e, const char *name); /* NULL: absent (or NULL e) */
/* Attribute of the root that the envelope does not hold, for nonzas and unusual ones. */
const char *stanza_attr(const struct stanza *st, const char *name);
/* Text of the first <body/> (the one in lang if there is one); NULL: none. */
const char *stanza_body(const struct stanza *st);

/* Attribute `name` of namespace `ns` (xml:lang: NS_XML, "lang"); NULL: absent. */
const char *element_attr_ns(const struct element *e, const char *ns, const char *name);

/* Appends the stanza for a stream whose default namespace is `content_ns` (NS_CLIENT, NS_SERVER,
 * NS_COMPONENT). NULL: a document of its own, as the store keeps it (xmlns='jabber:client'). */
void stanza_write(struct bytes *out, const struct stanza *st, const char *content_ns);
/* Upper bound of what stanza_write appends, in bytes. */
size_t stanza_size(const struct stanza *st);
/* Reads what stanza_write(.., NULL) wrote (or a peer's XML in tests). NULL: not one stanza. */
MUST_USE struct stanza *stanza_parse(const char *xml, size_t len);

bool stanza_is_answer(const struct stanza *st); /* an iq's result or error */
const char *stanza_kind_name(enum stanza_kind kind); /* "message", ... */
const char *
stanza_type_name(enum stanza_type type); /* wire; NULL where the attribute is left out */

#endif
