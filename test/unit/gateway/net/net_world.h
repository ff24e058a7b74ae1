/* SPDX-License-Identifier: MIT */
/* What the tests of outgoing connections share: a loop with a fake clock, a scripted name server, a
 * resolver that asks it, and an egress guard that opens loopback. */
#ifndef CAUSEWAY_TEST_NET_WORLD_H
#define CAUSEWAY_TEST_NET_WORLD_H

#include <poll.h>

#include "gateway/base/clock.h"
#include "gateway/net/dns.h"
#include "gateway/net/egress.h"
#include "gateway/net/loop.h"
#include "test/unit/gateway/net/dns_server.h"

struct net_world {
    struct clock_fake clock;
    struct loop *loop;
    struct dns_server server;
    struct dns *dns;
    struct egress *egress;
};

static inline void net_world_open(struct net_world *w, const struct dns_row *rows)
{
    struct error e = ERROR_INIT;
    clock_fake_init(&w->clock);
    w->loop = loop_create("test", &w->clock.clock);
    dns_server_open(&w->server, loop_uv(w->loop), rows);
    w->dns = dns_create(w->loop, &(struct dns_options){.server = w->server.address}, &e);
    w->egress = egress_create();
    if (!w->dns || !egress_allow(w->egress, "any 127.0.0.0/8", &e) ||
        !egress_allow(w->egress, "any ::1", &e))
        fail_msg("%s", e.text);
}

static inline void net_world_close(struct net_world *w)
{
    dns_destroy(&w->dns);
    egress_destroy(&w->egress);
    dns_server_close(&w->server);
    while (loop_turn(w->loop))
        ;
    loop_destroy(&w->loop);
}

/* Sleeps until something is ready on the loop; libuv's own timers wake it at the latest. `*patience`
 * ends a test that would wait for ever. */
static inline void net_world_turn(struct net_world *w, int *patience)
{
    struct pollfd p = {.fd = uv_backend_fd(loop_uv(w->loop)), .events = POLLIN};
    int due = uv_backend_timeout(loop_uv(w->loop));
    if (loop_turn(w->loop))
        return;
    if (poll(&p, 1, due < 0 || due > 50 ? 50 : due) == 0 && --*patience == 0)
        fail_msg("nothing happens any more");
}

#define net_world_until(w, condition)                                                              \
    for (int patience_ = 400; !(condition);)                                                       \
    net_world_turn((w), &patience_)

#endif
