/* SPDX-License-Identifier: MIT */
/* The handshake of a WebSocket, as a server answers it (RFC 6455 section 4.2). A pure function of the request. */
#ifndef CAUSEWAY_NET_WEB_SOCKET_H
#define CAUSEWAY_NET_WEB_SOCKET_H

#include "gateway/net/http_server.h"

struct web_socket_offer {
    const char *subprotocol;    /* demanded of the client */
    const char *const *origins; /* pages that may connect: "https://chat.example"; ends with NULL. NULL: any */
};

/* 101: `lines` is for http_upgrade. Else the status that refuses it, `lines` for http_answer_with, and `*reason`. */
int web_socket_judge(const struct http_incoming *in, const struct web_socket_offer *o, struct bytes *lines,
                     const char **reason);

#endif
