/* SPDX-License-Identifier: MIT */
/* BOSH (XEP-0124, XEP-0206): streams whose elements travel in the bodies of HTTP requests and their answers.
 *
 * The **door** (c2s_bosh.c, the loop that a request came to) reads the body's start tag and brings the request to the
 * loop of its session, which the session's name tells: requests of one session come over several connections, and these
 * to several loops. The **session** (c2s_bosh_session.c) carries one stream (gateway/net/stream.h) and is that loop's
 * alone. A request is answered exactly once. */
#ifndef CAUSEWAY_C2S_C2S_BOSH_H
#define CAUSEWAY_C2S_C2S_BOSH_H

#include "c2s/c2s_internal.h"
#include "gateway/net/http_server.h"
#include "gateway/net/sources.h"
#include "gateway/xmpp/xml_body.h"

struct c2s_bosh_session;

enum { C2S_BOSH_BODY_BYTES = 64 * 1024 }; /* what a request may weigh beside a stanza of the limit */

/* One on each I/O loop. */
struct c2s_bosh {
    struct map by_sid;
    struct list sessions;
    struct sources sources; /* of sessions: connections tell nothing of how many there are */
};

struct c2s_bosh_request {
    struct ref ref; /* until it is answered, and of each command under way */
    struct c2s_port *port;     /* of the door; its loop answers */
    struct http_exchange *x;   /* the door's; NULL once answered */
    const struct http_incoming *in; /* good until it is answered, and never changed */
    struct sockaddr_storage peer;   /* who asks */
    bool counted;                   /* that is known: no proxy stands between that does not say */
    struct c2s_io *home;
    struct c2s_bosh_session *session; /* home's: which will answer; NULL: none, or it has */
    uint64_t rid;
    struct bytes text; /* the answer on its way to the door */
    const char *content_type;
    struct command to_home, to_door, gone, pressed;
};

/* ---- the door ---- */

void c2s_bosh_open(struct c2s_io *io);  /* io->bosh */
void c2s_bosh_close(struct c2s_io *io); /* all that is left; streams have ended. Harmless twice */
/* A request to the path of BOSH. `peer`, `counted` as above. */
void c2s_bosh_on_request(struct c2s_port *port, struct http_exchange *x, const struct http_incoming *in,
                         const struct sockaddr_storage *peer, bool counted);
/* From its home. Static text: content_type. */
void c2s_bosh_answer(struct c2s_bosh_request *r, struct span xml, const char *content_type);
/* <body type='terminate'/> for a request that has no session. */
void c2s_bosh_refuse(struct c2s_bosh_request *r, const char *condition);

/* ---- the session; Loop: its io's ---- */

/* XEP-0124 7. Takes over both. */
void c2s_bosh_session_open(struct c2s_bosh_request *r, struct xml_body *b);
/* Takes over both; the body may be broken behind its start tag. */
void c2s_bosh_session_take(struct c2s_bosh_session *s, struct c2s_bosh_request *r, struct xml_body *b);
struct xml_limits c2s_bosh_session_limits(const struct c2s_bosh_session *s);
void c2s_bosh_session_news(struct c2s_bosh_session *s, struct c2s_bosh_request *r, enum http_news news);
void c2s_bosh_session_free(struct c2s_bosh_session *s); /* its stream has ended */
struct c2s_bosh_session *c2s_bosh_session_at(struct list *node); /* of c2s_bosh.sessions */

#endif
