/* SPDX-License-Identifier: MIT */
/* Bytes of a stream to stream headers and frozen stanzas (RFC 6120 sections 4 and 11).
 *
 * Restricted XML only: no DTD, processing instruction, comment or foreign entity; limits on size,
 * depth, attributes and children are checked while bytes arrive. Parsers belong to the thread's
 * pool and are lent to a reader while a stanza is incomplete: an idle reader holds none.
 *
 * The reader is pulled: feed bytes, then take events until there is none. So closing or restarting
 * a stream while its events are handled is harmless. Of what was fed only a piece is parsed ahead of them: the rest
 * waits as bytes, however long nobody takes an event. */
#ifndef CAUSEWAY_XMPP_XML_READ_H
#define CAUSEWAY_XMPP_XML_READ_H

#include <stddef.h>
#include <stdint.h>

#include "gateway/xmpp/stanza.h"
#include "gateway/xmpp/stream_error.h"

struct xml_limits {
    size_t stanza_bytes; /* one first-level element, start tag to end tag; header too */
    unsigned depth;      /* below the stream's root; at most BUILD_MAX_DEPTH */
    unsigned attributes; /* an element */
    unsigned children;   /* a stanza, all levels */
};
#define XML_LIMITS_DEFAULT     ((struct xml_limits){262144, 32, 64, 4096})
#define XML_LIMITS_BEFORE_AUTH ((struct xml_limits){10240, 8, 24, 64})

struct stream_header {
    const char *from, *to, *id, *lang; /* as they came, not yet prepared; NULL: absent */
    const char *version;               /* NULL: absent (a peer before RFC 3920) */
    const char *content_ns;            /* default namespace: "jabber:client", ...; "" when none */
    bool has_dialback;                 /* xmlns:db='jabber:server:dialback' was declared */
};

enum xml_event_kind {
    XML_NONE,   /* feed more */
    XML_HEADER, /* ev->header; borrowed until the next call on the reader */
    XML_STANZA, /* ev->stanza; the caller's count */
    XML_CLOSE,  /* </stream:stream> */
    XML_ERROR,  /* ev->error; the reader answers nothing but this from now on */
};

struct xml_event {
    enum xml_event_kind kind;
    struct stream_header header;
    struct stanza *stanza;
    enum stream_error error;
    char text[96]; /* for XML_ERROR: what exactly, for the log and the peer */
};

struct xml_pool;
struct xml_pool *xml_pool_create(void);            /* one an I/O loop */
void xml_pool_destroy(struct xml_pool **pool);     /* after all its readers */
size_t xml_pool_lent(const struct xml_pool *pool); /* parsers out on loan, for tests and metrics */

struct xml_reader;
/* A reader that expects a stream header first. */
struct xml_reader *xml_reader_create(struct xml_pool *pool, struct xml_limits limits);
void xml_reader_destroy(struct xml_reader **r);
void xml_reader_set_limits(struct xml_reader *r, struct xml_limits limits);
struct xml_limits xml_reader_limits(const struct xml_reader *r);
/* The next bytes begin a new stream header (after STARTTLS or SASL). Unread bytes and events are
 * dropped; returns how many events were, so that the caller can refuse pipelined plaintext. */
size_t xml_reader_restart(struct xml_reader *r);
void xml_reader_feed(struct xml_reader *r, const char *data, size_t len);
/* Instead of it, for a reader that is only given whole messages (RFC 7395): each is one document of its own;
 * <open/> is a header, <close/> the end. A blank message is nothing. */
void xml_reader_message(struct xml_reader *r, const char *data, size_t len);
/* Or for one whose elements somebody else reads (xml_body.h): in order, what they came to. The header's texts are
 * copied; a stanza's count is taken; what comes in the wrong place is an error, as in a message. */
void xml_reader_give_header(struct xml_reader *r, const struct stream_header *h);
void xml_reader_give(struct xml_reader *r, struct stanza *st);
void xml_reader_give_close(struct xml_reader *r);
void xml_reader_give_error(struct xml_reader *r, enum stream_error e, const char *text);
/* Takes the next event. ev->kind says which; XML_NONE when nothing is complete. */
void xml_reader_next(struct xml_reader *r, struct xml_event *ev);
/* Bytes of the unfinished element: the caller's time-out for slow peers looks here. */
size_t xml_reader_partial(const struct xml_reader *r);

#endif
