/* SPDX-License-Identifier: MIT */
/* Connecting by racing (RFC 8305 section 5): the addresses in the resolver's order, each with a
 * head start before the next is tried beside it; the first that connects wins, the others are
 * closed. Invariant: after the end no attempt points to the dial; an attempt's memory goes when
 * libuv lets go. */
#include "gateway/net/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/net/address.h"
#include "gateway/net/timer.h"

enum {
    HEAD_START_MS = 250,
    DEFAULT_TIMEOUT_MS = 20000,
    MAX_ATTEMPTS = 16,
};

struct attempt {
    struct list node;
    uv_poll_t poll;
    struct dial *dial;
    uv_os_sock_t fd; /* -1: given away or closed */
    struct sockaddr_storage addr;
};

struct dial {
    struct dial_options o;
    char *host;
    struct dns_query *query; /* NULL once it has answered */
    struct sockaddr_storage addr[MAX_ATTEMPTS];
    unsigned count, next;
    unsigned refused; /* by the egress guard */
    struct list attempts;
    struct timer head_start, timeout;
    char tried[200]; /* what happened so far, for the error */
    bool secure;     /* the addresses are proved */
    void (*on_done)(void *user, const struct dialled *d);
    void *user;
};

static void try_next(struct dial *d);

static void address_text(const struct sockaddr_storage *ss, char out[INET6_ADDRSTRLEN])
{
    if (ss->ss_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)ss)->sin_addr, out, INET6_ADDRSTRLEN);
    else
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)ss)->sin6_addr, out, INET6_ADDRSTRLEN);
}

static void note(struct dial *d, const char *what)
{
    size_t used = strlen(d->tried);
    snprintf(d->tried + used, sizeof d->tried - used, "%s%s", used ? "; " : "", what);
}

static void note_attempt(struct dial *d, const struct sockaddr_storage *ss, const char *what)
{
    char address[INET6_ADDRSTRLEN], line[INET6_ADDRSTRLEN + 80];
    address_text(ss, address);
    snprintf(line, sizeof line, "%s: %s", address, what);
    note(d, line);
}

static void on_poll_closed(uv_handle_t *h)
{
    mem_free(container_of((uv_poll_t *)h, struct attempt, poll));
}

/* Lets go of the attempt; its descriptor is closed unless it was given away before. */
static void drop(struct attempt *a)
{
    list_remove(&a->node);
    uv_close((uv_handle_t *)&a->poll, on_poll_closed);
    if (a->fd >= 0)
        close(a->fd);
    a->fd = -1;
    a->dial = NULL;
}

static void destroy(struct dial *d)
{
    struct list *node;
    while ((node = list_first(&d->attempts)))
        drop(list_entry(node, struct attempt, node));
    if (d->query)
        dns_cancel(d->query);
    timer_stop(&d->head_start);
    timer_stop(&d->timeout);
    mem_free(d->host);
    mem_free(d);
}

static void end(struct dial *d, const struct dialled *what)
{
    void (*on_done)(void *, const struct dialled *) = d->on_done;
    void *user = d->user;
    destroy(d);
    on_done(user, what);
}

static void fail(struct dial *d, enum error_code code)
{
    struct dialled none = {.fd = -1, .secure = d->secure};
    error_set(&none.e, code, "connecting to %.80s port %u: %s", d->host, d->o.port, d->tried);
    end(d, &none);
}

static void on_timeout(struct timer *t)
{
    struct dial *d = container_of(t, struct dial, timeout);
    char line[64];
    snprintf(line, sizeof line, "%s in %llu ms", d->query ? "no addresses" : "not connected",
             (unsigned long long)d->o.timeout_ms);
    note(d, line);
    fail(d, ERROR_TIMEOUT);
}

static void on_head_start_over(struct timer *t)
{
    try_next(container_of(t, struct dial, head_start));
}

static void on_writable(uv_poll_t *poll, int status, int events)
{
    struct attempt *a = container_of(poll, struct attempt, poll);
    struct dial *d = a->dial;
    int err = 0;
    socklen_t len = sizeof err;
    (void)events;
    if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
        err = errno;
    if (err || status < 0) {
        note_attempt(d, &a->addr, err ? strerror(err) : uv_strerror(status));
        drop(a);
        try_next(d);
        return;
    }
    struct dialled done = {.fd = a->fd, .secure = d->secure};
    a->fd = -1;
    end(d, &done);
}

static uv_os_sock_t start_connect(const struct sockaddr_storage *ss)
{
    int on = 1;
    uv_os_sock_t fd = socket(ss->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (const struct sockaddr *)ss, address_len((const struct sockaddr *)ss)) == 0 || errno == EINPROGRESS)
        return fd;
    int err = errno;
    close(fd);
    errno = err;
    return -1;
}

/* true: an attempt is under way. */
static bool try_address(struct dial *d, const struct sockaddr_storage *ss)
{
    struct error e = ERROR_INIT;
    if (!egress_check(d->o.egress, d->o.purpose, (const struct sockaddr *)ss, &e)) {
        d->refused++;
        note(d, e.text);
        return false;
    }
    uv_os_sock_t fd = start_connect(ss);
    if (fd < 0) {
        note_attempt(d, ss, strerror(errno));
        return false;
    }
    struct attempt *a = mem_new(struct attempt);
    a->dial = d;
    a->fd = fd;
    a->addr = *ss;
    CHECK(uv_poll_init_socket(loop_uv(d->o.loop), &a->poll, fd) == 0);
    CHECK(uv_poll_start(&a->poll, UV_WRITABLE, on_writable) == 0);
    list_append(&d->attempts, &a->node);
    return true;
}

static void try_next(struct dial *d)
{
    timer_stop(&d->head_start);
    while (d->next < d->count) {
        if (!try_address(d, &d->addr[d->next++]))
            continue;
        if (d->next < d->count)
            timer_start(&d->head_start, d->o.loop, HEAD_START_MS, on_head_start_over);
        return;
    }
    if (list_is_empty(&d->attempts))
        fail(d, d->refused == d->count ? ERROR_DENIED : ERROR_TEMPORARY);
}

static void set_port(struct sockaddr_storage *ss, uint16_t port)
{
    if (ss->ss_family == AF_INET)
        ((struct sockaddr_in *)ss)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)ss)->sin6_port = htons(port);
}

static void on_addresses(void *user, const struct dns_answer *answer)
{
    struct dial *d = user;
    d->query = NULL;
    d->secure = answer->secure;
    switch (answer->status) {
    case DNS_FOUND:
        for (; d->count < answer->count && d->count < MAX_ATTEMPTS; d->count++) {
            d->addr[d->count] = answer->addr[d->count];
            set_port(&d->addr[d->count], d->o.port);
        }
        try_next(d);
        return;
    case DNS_NO_DATA:
        note(d, "the name has no address");
        fail(d, ERROR_NOT_FOUND);
        return;
    case DNS_NO_NAME:
        note(d, "the name does not exist");
        fail(d, ERROR_NOT_FOUND);
        return;
    case DNS_FAILED:
        note(d, answer->text);
        fail(d, ERROR_TEMPORARY);
        return;
    }
}

struct dial *dial_start(const struct dial_options *o, void (*on_done)(void *user, const struct dialled *d), void *user)
{
    loop_check(o->loop);
    struct dial *d = mem_new(struct dial);
    d->o = *o;
    d->host = mem_dup(o->host);
    d->o.host = d->host;
    if (!d->o.timeout_ms)
        d->o.timeout_ms = DEFAULT_TIMEOUT_MS;
    d->on_done = on_done;
    d->user = user;
    list_init(&d->attempts);
    timer_start(&d->timeout, o->loop, d->o.timeout_ms, on_timeout);
    d->query = dns_addresses(o->dns, d->host, on_addresses, d);
    return d;
}

void dial_cancel(struct dial *d)
{
    loop_check(d->o.loop);
    destroy(d);
}
