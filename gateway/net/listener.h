/* SPDX-License-Identifier: MIT */
/* Listening sockets: one a loop and address, shared by SO_REUSEPORT, so accepting needs no hand-over. */
#ifndef CAUSEWAY_NET_LISTENER_H
#define CAUSEWAY_NET_LISTENER_H

#include <stdint.h>

#include "gateway/net/loop.h"
#include "gateway/base/error.h"

struct listener;

/* on_accept gets a connected socket that it owns. At most `max_per_address` live connections of one
 * source address (IPv6: /64) are accepted (0: no bound); the owner calls listener_forget(addr) when
 * one ends, not after listener_close. `address` is numeric. NULL and *e filled when it cannot be bound. Loop: l. */
MUST_USE struct listener *listener_open(struct loop *l, const char *address, uint16_t port,
                                        unsigned max_per_address,
                                        void (*on_accept)(void *user, uv_os_sock_t fd), void *user,
                                        struct error *e);
void listener_forget(struct listener *li, const struct sockaddr *peer);
/* Inside on_accept: the address that was counted. The socket itself does not tell it any more when the
 * peer has reset the connection since. */
struct sockaddr_storage listener_peer(const struct listener *li);
void listener_close(struct listener **li); /* stops at once; on_accept is not called again */
uint16_t listener_port(const struct listener *li);

#endif
