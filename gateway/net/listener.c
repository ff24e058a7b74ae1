/* SPDX-License-Identifier: MIT */
/* A listening socket and the count of live connections by source address. Several loops listen
 * on the same address with SO_REUSEPORT and the kernel deals connections out; the bound is then
 * a loop's. */
#include "gateway/net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/net/address.h"
#include "gateway/net/sources.h"
#include "gateway/net/timer.h"

enum {
    BACKLOG = 1024,
    ACCEPTS_A_TURN = 64,
    REST_MS = 200, /* when the process has no descriptors left */
};

struct listener {
    uv_poll_t poll;
    struct loop *loop;
    uv_os_sock_t fd;
    uint16_t port;
    struct sources sources;
    struct timer rest;
    struct sockaddr_storage peer; /* of the newest connection */
    struct log_ctx log;
    void (*on_accept)(void *user, uv_os_sock_t fd);
    void *user;
};

void listener_forget(struct listener *li, const struct sockaddr *peer)
{
    loop_check(li->loop);
    sources_drop(&li->sources, peer);
}

/* ---- accepting */

static void on_ready(uv_poll_t *p, int status, int events);

static void on_rested(struct timer *t)
{
    struct listener *li = container_of(t, struct listener, rest);
    uv_poll_start(&li->poll, UV_READABLE, on_ready);
}

/* false: there is nothing more to accept now. */
static bool accept_one(struct listener *li)
{
    socklen_t len = sizeof li->peer;
    uv_os_sock_t fd = accept4(li->fd, (struct sockaddr *)&li->peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        if (sources_add(&li->sources, (const struct sockaddr *)&li->peer)) {
            li->on_accept(li->user, fd);
        } else {
            log_debug(&li->log, "refused a connection: too many of its address");
            close(fd);
        }
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        log_warn(&li->log, "cannot accept: %s; resting for %d ms", strerror(errno), REST_MS);
        uv_poll_stop(&li->poll);
        timer_start(&li->rest, li->loop, REST_MS, on_rested);
        return false;
    }
    /* Aborted while it waited: take the next. */
    return errno == ECONNABORTED || errno == EINTR || errno == EPROTO;
}

static void on_ready(uv_poll_t *p, int status, int events)
{
    struct listener *li = p->data;
    (void)events;
    if (status < 0)
        log_warn(&li->log, "listening: %s", uv_strerror(status));
    for (int i = 0; i < ACCEPTS_A_TURN; i++)
        if (uv_is_closing((uv_handle_t *)p) || !accept_one(li))
            return;
}

/* ---- life */

static uv_os_sock_t open_socket(const char *address, uint16_t port, uint16_t *bound,
                                struct error *e)
{
    struct sockaddr_storage a;
    int on = 1;
    if (!address_parse(&a, address, port)) {
        error_set(e, ERROR_INVALID, "listening on %s: not a numeric address", address);
        return -1;
    }
    uv_os_sock_t fd = socket(a.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        goto fail;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (a.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    socklen_t len = address_len((struct sockaddr *)&a);
    if (bind(fd, (struct sockaddr *)&a, len) != 0 || listen(fd, BACKLOG) != 0)
        goto fail;
    len = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &len) != 0)
        goto fail;
    *bound = ntohs(a.ss_family == AF_INET ? ((struct sockaddr_in *)&a)->sin_port
                                          : ((struct sockaddr_in6 *)&a)->sin6_port);
    return fd;

fail:
    error_set(e, errno == EACCES ? ERROR_DENIED : ERROR_EXISTS, "listening on %s port %u: %s",
              address, port, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

struct listener *listener_open(struct loop *l, const char *address, uint16_t port,
                               unsigned max_per_address,
                               void (*on_accept)(void *user, uv_os_sock_t fd), void *user,
                               struct error *e)
{
    loop_check(l);
    uint16_t bound = 0;
    uv_os_sock_t fd = open_socket(address, port, &bound, e);
    if (fd < 0)
        return NULL;
    struct listener *li = mem_new(struct listener);
    li->loop = l;
    li->fd = fd;
    li->port = bound;
    li->sources.most = max_per_address;
    li->on_accept = on_accept;
    li->user = user;
    li->poll.data = li;
    log_ctx_set(&li->log, "%s port %u", address, bound);
    CHECK(uv_poll_init_socket(loop_uv(l), &li->poll, fd) == 0);
    CHECK(uv_poll_start(&li->poll, UV_READABLE, on_ready) == 0);
    return li;
}

static void on_closed(uv_handle_t *h)
{
    struct listener *li = h->data;
    sources_fini(&li->sources);
    mem_free(li);
}

void listener_close(struct listener **lip)
{
    struct listener *li = *lip;
    if (!li)
        return;
    loop_check(li->loop);
    *lip = NULL;
    timer_stop(&li->rest);
    uv_poll_stop(&li->poll);
    close(li->fd); /* stops at once: the port is free when this returns */
    uv_close((uv_handle_t *)&li->poll, on_closed);
}

struct sockaddr_storage listener_peer(const struct listener *li)
{
    return li->peer;
}

uint16_t listener_port(const struct listener *li)
{
    return li->port;
}
