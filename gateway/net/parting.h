/* SPDX-License-Identifier: MIT */
/* One door for two: sockets whose peers have not said yet whom they want. Nothing is taken from them: whoever gets one
 * finds the connection as it was accepted. Loop: the one it was made on. */
#ifndef CAUSEWAY_NET_PARTING_H
#define CAUSEWAY_NET_PARTING_H

#include <stdbool.h>
#include <sys/socket.h>

#include "gateway/net/loop.h"

struct parting;

/* Exactly once a socket, later, which is then the callee's. `servers`: the peer begins TLS and offers ALPN
 * xmpp-server; all else, silence for ten seconds too, is not. */
typedef void parting_on_known(void *user, uv_os_sock_t fd, const struct sockaddr_storage *peer, bool servers);

struct parting *parting_create(struct loop *l, parting_on_known *on_known, void *user);
void parting_take(struct parting *p, uv_os_sock_t fd, const struct sockaddr_storage *peer);
/* Accepts NULL. Those that are not known yet are closed. */
void parting_destroy(struct parting **p);

#endif
