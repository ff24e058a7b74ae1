/* SPDX-License-Identifier: MIT */
/* curl's sockets and its timer on libuv. curl keeps its own time, so its timer is one of libuv's
 * and not of the loop's clock. Invariant: on_done runs after curl has returned, never inside its
 * callbacks. */
#include "gateway/net/curl_pool.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/mem.h"

enum {
    CONNECTIONS_A_HOST = 8,
    CONNECTIONS = 64,
    NAME_CACHE_S = 600, /* longer than any call; each call renews its own entry */
};

struct curl_pool {
    struct loop *loop;
    CURLM *multi;
    uv_timer_t timer;
    struct list sockets; /* all that curl has open */
    void (*on_done)(void *user, CURLcode rc);
};

struct open_socket {
    struct list node;
    curl_socket_t fd;
};

/* A socket that curl wants watched. */
struct watch {
    uv_poll_t poll;
    struct curl_pool *pool;
    curl_socket_t fd;
};

static void take_results(struct curl_pool *p)
{
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(p->multi, &left))) {
        struct curl_pool_guard *g = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        CURL *easy = m->easy_handle;
        CURLcode rc = m->data.result; /* m is gone when the handle is removed */
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&g);
        curl_multi_remove_handle(p->multi, easy);
        p->on_done(g->user, rc);
    }
}

static void act(struct curl_pool *p, curl_socket_t fd, int events)
{
    int running;
    curl_multi_socket_action(p->multi, fd, events, &running);
    take_results(p);
}

static void on_socket_event(uv_poll_t *poll, int status, int events)
{
    struct watch *w = container_of(poll, struct watch, poll);
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    act(w->pool, w->fd, flags);
}

static void on_watch_closed(uv_handle_t *h)
{
    mem_free(container_of((uv_poll_t *)h, struct watch, poll));
}

static struct watch *watch_open(struct curl_pool *p, curl_socket_t fd)
{
    struct watch *w = mem_new(struct watch);
    w->pool = p;
    w->fd = fd;
    CHECK(uv_poll_init_socket(loop_uv(p->loop), &w->poll, fd) == 0);
    curl_multi_assign(p->multi, fd, w);
    return w;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user)
{
    struct curl_pool *p = user;
    struct watch *w = socket_user;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w) {
            curl_multi_assign(p->multi, fd, NULL);
            uv_close((uv_handle_t *)&w->poll, on_watch_closed);
        }
        return 0;
    }
    if (!w)
        w = watch_open(p, fd);
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    CHECK(uv_poll_start(&w->poll, events, on_socket_event) == 0);
    return 0;
}

static void on_timer_due(uv_timer_t *t)
{
    act(container_of(t, struct curl_pool, timer), CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer(CURLM *multi, long timeout_ms, void *user)
{
    struct curl_pool *p = user;
    (void)multi;
    if (timeout_ms < 0) {
        uv_timer_stop(&p->timer);
        return 0;
    }
    uv_update_time(loop_uv(p->loop));
    uv_timer_start(&p->timer, on_timer_due, (uint64_t)timeout_ms, 0);
    return 0;
}

static void hold(struct curl_pool_guard *g, curl_socket_t fd)
{
    unsigned n = atomic_load(&g->held_count);
    if (!g->can_be_cut || n == CURL_POOL_ADDRESSES)
        return;
    g->held[n] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    atomic_store(&g->held_count, n + 1);
}

void curl_pool_cut(struct curl_pool_guard *g)
{
    unsigned n = atomic_load(&g->held_count);
    for (unsigned i = 0; i < n; i++) {
        if (g->held[i] >= 0)
            shutdown(g->held[i], SHUT_RDWR);
    }
}

void curl_pool_guard_fini(struct curl_pool_guard *g)
{
    unsigned n = atomic_load(&g->held_count);
    for (unsigned i = 0; i < n; i++) {
        if (g->held[i] >= 0)
            close(g->held[i]);
    }
    atomic_store(&g->held_count, 0);
}

static curl_socket_t on_open_socket(void *user, curlsocktype type, struct curl_sockaddr *addr)
{
    struct curl_pool_guard *g = user;
    (void)type;
    if (!egress_check(g->egress, g->purpose, &addr->addr, &g->refused))
        return CURL_SOCKET_BAD;
    curl_socket_t fd = socket(addr->family, addr->socktype | SOCK_CLOEXEC, addr->protocol);
    if (fd == CURL_SOCKET_BAD)
        return fd;
    struct open_socket *s = mem_new(struct open_socket);
    s->fd = fd;
    list_append(&g->pool->sockets, &s->node);
    g->opened++;
    hold(g, fd);
    return fd;
}

static int on_close_socket(void *user, curl_socket_t fd)
{
    struct curl_pool *p = user;
    list_each (it, &p->sockets) {
        struct open_socket *s = list_entry(it, struct open_socket, node);
        if (s->fd != fd)
            continue;
        list_remove(it);
        mem_free(s);
        break;
    }
    shutdown(fd, SHUT_RDWR); /* a duplicate may keep it open */
    return close(fd);
}

struct curl_pool *curl_pool_create(struct loop *l, void (*on_done)(void *user, CURLcode rc))
{
    CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    struct curl_pool *p = mem_new(struct curl_pool);
    p->loop = l;
    p->on_done = on_done;
    list_init(&p->sockets);
    p->multi = curl_multi_init();
    CHECK(p->multi);
    uv_timer_init(loop_uv(l), &p->timer);
    curl_multi_setopt(p->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(p->multi, CURLMOPT_SOCKETDATA, p);
    curl_multi_setopt(p->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(p->multi, CURLMOPT_TIMERDATA, p);
    curl_multi_setopt(p->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)CONNECTIONS_A_HOST);
    curl_multi_setopt(p->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CONNECTIONS);
    curl_multi_setopt(p->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS);
    return p;
}

static void on_pool_closed(uv_handle_t *h)
{
    mem_free(container_of((uv_timer_t *)h, struct curl_pool, timer));
}

void curl_pool_destroy(struct curl_pool **pp)
{
    struct curl_pool *p = *pp;
    if (!p)
        return;
    *pp = NULL;
    list_each (it, &p->sockets)
        shutdown(list_entry(it, struct open_socket, node)->fd, SHUT_RDWR);
    curl_multi_cleanup(p->multi);
    CHECK(list_is_empty(&p->sockets));
    uv_close((uv_handle_t *)&p->timer, on_pool_closed);
    curl_global_cleanup();
}

void curl_pool_prepare(CURL *easy, struct curl_pool_guard *g, const char *ca_file)
{
    CURL_POOL_SET(easy, CURLOPT_PRIVATE, g);
    CURL_POOL_SET(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    CURL_POOL_SET(easy, CURLOPT_OPENSOCKETDATA, g);
    CURL_POOL_SET(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    CURL_POOL_SET(easy, CURLOPT_CLOSESOCKETDATA, g->pool);
    CURL_POOL_SET(easy, CURLOPT_PROXY, "");
    CURL_POOL_SET(easy, CURLOPT_NOPROXY, "*");
    CURL_POOL_SET(easy, CURLOPT_NOSIGNAL, 1L);
    CURL_POOL_SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
    CURL_POOL_SET(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    CURL_POOL_SET(easy, CURLOPT_DNS_CACHE_TIMEOUT, (long)NAME_CACHE_S);
    if (ca_file) {
        CURL_POOL_SET(easy, CURLOPT_CAINFO, ca_file);
        CURL_POOL_SET(easy, CURLOPT_CAPATH, NULL);
    }
}

void curl_pool_start(struct curl_pool *p, CURL *easy)
{
    CHECK(curl_multi_add_handle(p->multi, easy) == CURLM_OK);
}

void curl_pool_stop(struct curl_pool *p, CURL *easy)
{
    curl_multi_remove_handle(p->multi, easy);
}
