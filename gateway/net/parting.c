/* SPDX-License-Identifier: MIT */
/* Looks at what came without reading it (MSG_PEEK). While a ClientHello is not whole, the kernel wakes us only when
 * there is more than was seen (SO_RCVLOWAT), so half of one costs no turns. */
#include "gateway/net/parting.h"

#include <errno.h>
#include <unistd.h>

#include "gateway/base/mem.h"
#include "gateway/net/timer.h"
#include "gateway/net/tls_hello.h"

enum { PATIENCE_MS = 10000, PEEK_BYTES = 4 + TLS_HELLO_MAX + 512 };

struct parting {
    struct loop *loop;
    parting_on_known *on_known;
    void *user;
    struct list guests; /* of struct guest */
    char seen[PEEK_BYTES];
};

struct guest {
    struct list node;
    struct parting *parting;
    uv_poll_t poll;
    uv_os_sock_t fd;
    struct sockaddr_storage peer;
    struct timer patience;
    ssize_t seen; /* bytes, when it was looked at last */
};

static void on_closed(uv_handle_t *h)
{
    mem_free(container_of((uv_poll_t *)h, struct guest, poll));
}

static void let_go(struct guest *g)
{
    list_remove(&g->node);
    timer_stop(&g->patience);
    uv_close((uv_handle_t *)&g->poll, on_closed);
}

static void wake_beyond(uv_os_sock_t fd, int bytes)
{
    int least = bytes + 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof least);
}

static void known(struct guest *g, bool servers)
{
    struct parting *p = g->parting;
    struct sockaddr_storage peer = g->peer;
    uv_os_sock_t fd = g->fd;
    let_go(g);
    wake_beyond(fd, 0);
    p->on_known(p->user, fd, &peer, servers);
}

static void on_patience_over(struct timer *t)
{
    known(container_of(t, struct guest, patience), false);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct guest *g = container_of(poll, struct guest, poll);
    (void)events;
    ssize_t n = status < 0 ? 0 : recv(g->fd, g->parting->seen, sizeof g->parting->seen, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    bool more = n > g->seen; /* woken without: nothing comes any more */
    g->seen = n;
    switch (more ? tls_hello_read(g->parting->seen, (size_t)n, TLS_ALPN_XMPP_SERVER) : TLS_HELLO_OTHER) {
    case TLS_HELLO_MORE:
        wake_beyond(g->fd, (int)n);
        return;
    case TLS_HELLO_OFFERS:
        known(g, true);
        return;
    case TLS_HELLO_OTHER:
        known(g, false);
        return;
    }
}

struct parting *parting_create(struct loop *l, parting_on_known *on_known, void *user)
{
    loop_check(l);
    struct parting *p = mem_new(struct parting);
    p->loop = l;
    p->on_known = on_known;
    p->user = user;
    list_init(&p->guests);
    return p;
}

void parting_take(struct parting *p, uv_os_sock_t fd, const struct sockaddr_storage *peer)
{
    loop_check(p->loop);
    struct guest *g = mem_new(struct guest);
    g->parting = p;
    g->fd = fd;
    g->peer = *peer;
    list_append(&p->guests, &g->node);
    CHECK(uv_poll_init_socket(loop_uv(p->loop), &g->poll, fd) == 0);
    CHECK(uv_poll_start(&g->poll, UV_READABLE, on_readable) == 0);
    timer_start(&g->patience, p->loop, PATIENCE_MS, on_patience_over);
}

void parting_destroy(struct parting **pp)
{
    struct parting *p = *pp;
    struct list *node;
    if (!p)
        return;
    loop_check(p->loop);
    *pp = NULL;
    while ((node = list_first(&p->guests))) {
        struct guest *g = list_entry(node, struct guest, node);
        uv_os_sock_t fd = g->fd;
        let_go(g);
        close(fd);
    }
    mem_free(p);
}
