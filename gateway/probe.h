/* SPDX-License-Identifier: MIT */
/* What a stranger meets at one of our doors: connects, opens a stream (RFC 6120), starts TLS, looks at the
 * certificate, and goes. Blocking, at most some seconds: for commands only. */
#ifndef CAUSEWAY_PROBE_H
#define CAUSEWAY_PROBE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

enum probe_kind { PROBE_CLIENT, PROBE_CLIENT_TLS, PROBE_SERVER, PROBE_SERVER_TLS, PROBE_WEB /* HTTPS */ };

enum probe_result {
    PROBE_GOOD,
    PROBE_NO_CONNECTION, /* refused, no route, no answer */
    PROBE_NOT_XMPP,      /* something else answers there */
    PROBE_NO_TLS,        /* TLS is not offered, or its handshake fails */
    PROBE_WRONG_NAME,    /* the certificate does not cover the domain */
    PROBE_UNTRUSTED,     /* no chain to a trust anchor, or out of time */
};

struct probe {
    enum probe_result result;
    char text[160]; /* why, for people */
};

/* `ca_file` NULL: the system's trust anchors. `at` has its port. */
struct probe probe_door(const struct sockaddr_storage *at, enum probe_kind kind, const char *domain,
                        const char *ca_file);

/* A TCP connection within 5 s; the descriptor, or -1 with `text` filled. */
int probe_connect(const struct sockaddr_storage *at, char *text, size_t cap);

#endif
