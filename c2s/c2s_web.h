/* SPDX-License-Identifier: MIT */
/* The door for WebSockets (RFC 7395): an HTTP server that upgrades at one path, has BOSH at another, and tells
 * host-meta. Behind the handshake a connection is like any other (c2s_conn.h). */
#ifndef CAUSEWAY_C2S_C2S_WEB_H
#define CAUSEWAY_C2S_C2S_WEB_H

#include "c2s/c2s_internal.h"
#include "gateway/net/http_server.h"

/* Listens: port->web. */
MUST_USE bool c2s_web_open(struct c2s_port *port, struct error *e);
/* A connection that came through port->web has ended. */
void c2s_web_forget(struct c2s_port *port, const struct sockaddr *peer);

#endif
