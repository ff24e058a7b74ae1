/* SPDX-License-Identifier: MIT */
/* Decided here: the targets in their order, each with a head start before the next is tried beside it (XEP-0495; the
 * addresses of one target race in gateway/net/dial.c); the first that takes the connection wins, the others have their
 * chance again when it turns out to be of no use.
 * Where DNSSEC proved the way to a host and its addresses, its TLSA records are asked for beside them, and it is used
 * only when these, or that there are none, are known (RFC 7673 3.4): else whoever can drop an answer could switch
 * them off. */
#include "s2s/s2s_reach.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/mem.h"
#include "gateway/net/address.h"
#include "gateway/net/dial.h"
#include "s2s/s2s_internal.h"

/* An admin's priorities are worth more than a second; a dead server is not worth twenty. */
enum { HEAD_START_MS = 1000, RECORDS_MAX = 16 };

enum runner_state {
    RUNNER_IDLE,    /* not tried, or called back because another one won */
    RUNNER_RUNNING, /* on its way */
    RUNNER_DONE,    /* failed, or was reached */
};

/* One target in the race. */
struct runner {
    struct s2s_reach *reach;
    const struct s2s_target *target;
    enum runner_state state;
    struct dial *dial;
    uv_os_sock_t fd;        /* connected, and waits for the records; -1: none */
    struct dns_query *tlsa; /* NULL: not asked, or answered */
    char tlsa_failed[128];  /* not empty: the records cannot be known */
    struct tls_dane_record records[RECORDS_MAX];
    unsigned record_count;
    struct arena arena; /* what the records point to */
};

struct s2s_reach {
    struct s2s_shard *shard;
    struct s2s_trail *trail;
    const struct s2s_reach_events *ev;
    void *user;
    struct timer head_start;
    struct turn_hook over; /* s2s_reach_next found nobody */
    const struct runner *winner; /* NULL: nobody yet */
    unsigned count;
    struct runner runners[];
};

static void start_next(struct s2s_reach *r);

static void stop(struct runner *n, enum runner_state next)
{
    if (n->dial)
        dial_cancel(n->dial);
    if (n->tlsa)
        dns_cancel(n->tlsa);
    if (n->fd >= 0)
        close(n->fd);
    n->dial = NULL;
    n->tlsa = NULL;
    n->fd = -1;
    n->state = next;
}

static bool is_running(const struct s2s_reach *r)
{
    for (unsigned i = 0; i < r->count; i++)
        if (r->runners[i].state == RUNNER_RUNNING)
            return true;
    return false;
}

static struct runner *first_idle(struct s2s_reach *r)
{
    for (unsigned i = 0; i < r->count; i++)
        if (r->runners[i].state == RUNNER_IDLE)
            return &r->runners[i];
    return NULL;
}

/* The last thing that its caller does with the race, which the callbacks may end. */
static void failed(struct runner *n, enum s2s_failure why, const char *text)
{
    struct s2s_reach *r = n->reach;
    stop(n, RUNNER_DONE);
    start_next(r);
    bool over = !is_running(r);
    const struct s2s_reach_events *ev = r->ev;
    void *user = r->user;
    ev->on_failed(user, n->target, why, text);
    if (over)
        ev->on_over(user);
}

static void won(struct runner *n)
{
    struct s2s_reach *r = n->reach;
    uv_os_sock_t fd = n->fd;
    n->fd = -1;
    stop(n, RUNNER_DONE);
    for (unsigned i = 0; i < r->count; i++)
        if (r->runners[i].state == RUNNER_RUNNING)
            stop(&r->runners[i], RUNNER_IDLE);
    timer_stop(&r->head_start);
    r->winner = n;
    r->ev->on_reached(r->user, fd, n->target);
}

static void judge(struct runner *n)
{
    if (n->fd < 0 || n->tlsa)
        return; /* one of both is still to come */
    if (!n->tlsa_failed[0]) {
        won(n);
        return;
    }
    s2s_trail_fail(n->reach->trail, S2S_STEP_DNS, S2S_WHY_DNS_SILENT, "%s: %s", n->target->host, n->tlsa_failed);
    failed(n, S2S_TIMEOUT, n->tlsa_failed);
}

static void on_tlsa(void *user, const struct dns_answer *a)
{
    struct runner *n = user;
    n->tlsa = NULL;
    if (a->status == DNS_FAILED)
        snprintf(n->tlsa_failed, sizeof n->tlsa_failed, "its TLSA records cannot be known: %.80s", a->text);
    for (unsigned i = 0; a->status == DNS_FOUND && a->secure && i < a->count && i < RECORDS_MAX; i++) {
        const struct dns_tlsa *t = &a->tlsa[i];
        n->records[n->record_count++] = (struct tls_dane_record){
            .usage = t->usage,
            .selector = t->selector,
            .matching = t->matching,
            .data = (const unsigned char *)arena_dup_n(&n->arena, (const char *)t->data, t->len),
            .len = t->len,
        };
    }
    judge(n);
}

static void forget_records(struct runner *n)
{
    if (n->tlsa)
        dns_cancel(n->tlsa);
    n->tlsa = NULL;
    n->tlsa_failed[0] = '\0';
    n->record_count = 0;
}

static void dial_failed(struct runner *n, const struct error *e)
{
    enum s2s_reason why = s2s_reason_of_dial(e);
    enum s2s_step step = why == S2S_WHY_NO_ADDRESS || why == S2S_WHY_DNS_SILENT ? S2S_STEP_DNS : S2S_STEP_TCP;
    if (why == S2S_WHY_NO_ADDRESS && n->target->is_itself)
        why = S2S_WHY_NO_NAME;
    s2s_trail_fail(n->reach->trail, step, why, "%s", e->text);
    failed(n,
           e->code == ERROR_DENIED      ? S2S_REFUSED
           : e->code == ERROR_NOT_FOUND ? S2S_NOT_FOUND
                                        : S2S_TIMEOUT,
           e->text);
}

/* One that listens on every address is at the other end when both ends have one and the same. */
static bool is_at(const struct sockaddr_storage *bound, const struct sockaddr_storage *peer,
                  const struct sockaddr_storage *here)
{
    bool any = address_is_any(bound) && bound->ss_family == peer->ss_family;
    return address_same(bound, peer) || (any && address_same(here, peer));
}

/* Does one of our own listeners have the other end? */
static bool is_ourselves(const struct s2s *s, uv_os_sock_t fd)
{
    struct sockaddr_storage peer = {0}, here = {0}, bound;
    socklen_t peer_len = sizeof peer, here_len = sizeof here;
    if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) || getsockname(fd, (struct sockaddr *)&here, &here_len))
        return false;
    for (unsigned i = 0; i < s->o.listener_count; i++) {
        const struct s2s_listener *l = &s->o.listeners[i];
        if (l->port == address_port(&peer) && address_parse(&bound, l->address, 0) && is_at(&bound, &peer, &here))
            return true;
    }
    return false;
}

static void on_dialled(void *user, const struct dialled *d)
{
    struct runner *n = user;
    n->dial = NULL;
    if (d->fd < 0) {
        dial_failed(n, &d->e);
        return;
    }
    n->fd = d->fd;
    if (is_ourselves(n->reach->shard->s2s, d->fd)) {
        s2s_trail_fail(n->reach->trail, S2S_STEP_TCP, S2S_WHY_OURSELVES, "%s port %u is this gateway", n->target->host,
                       n->target->port);
        failed(n, S2S_NOT_FOUND, "DNS leads to this gateway, which does not serve the domain");
        return;
    }
    if (!d->secure)
        forget_records(n); /* whoever could forge the addresses ... could have any certificate proved */
    judge(n);
}

static void start(struct runner *n)
{
    struct s2s_shard *sh = n->reach->shard;
    n->state = RUNNER_RUNNING;
    forget_records(n);
    if (n->target->proved)
        n->tlsa = dns_tlsa(sh->dns, n->target->host, n->target->port, on_tlsa, n);
    n->dial = dial_start(&(struct dial_options){.loop = sh->loop,
                                                .dns = sh->dns,
                                                .egress = sh->s2s->o.egress,
                                                .purpose = EGRESS_S2S,
                                                .host = n->target->host,
                                                .port = n->target->port},
                         on_dialled, n);
}

static void on_head_start_over(struct timer *t)
{
    start_next(container_of(t, struct s2s_reach, head_start));
}

static void start_next(struct s2s_reach *r)
{
    struct runner *n = first_idle(r);
    timer_stop(&r->head_start);
    if (!n)
        return;
    start(n);
    if (first_idle(r))
        timer_start(&r->head_start, r->shard->loop, HEAD_START_MS, on_head_start_over);
}

static void run_over(struct turn_hook *h)
{
    struct s2s_reach *r = container_of(h, struct s2s_reach, over);
    r->ev->on_over(r->user);
}

struct s2s_reach *s2s_reach_create(struct s2s_shard *sh, const struct s2s_located *where, struct s2s_trail *trail,
                                   const struct s2s_reach_events *ev, void *user)
{
    struct s2s_reach *r = mem_alloc(sizeof *r + where->count * sizeof *r->runners);
    memset(r, 0, sizeof *r + where->count * sizeof *r->runners);
    r->shard = sh;
    r->trail = s2s_trail_ref(trail);
    r->ev = ev;
    r->user = user;
    r->count = where->count;
    for (unsigned i = 0; i < r->count; i++) {
        struct runner *n = &r->runners[i];
        n->reach = r;
        n->target = &where->targets[i];
        n->fd = -1;
        arena_init(&n->arena);
    }
    return r;
}

void s2s_reach_next(struct s2s_reach *r)
{
    r->winner = NULL;
    start_next(r);
    if (is_running(r))
        return;
    r->over.run = run_over;
    loop_at_turn_end(r->shard->loop, &r->over);
}

bool s2s_reach_has_next(const struct s2s_reach *r)
{
    for (unsigned i = 0; i < r->count; i++)
        if (r->runners[i].state != RUNNER_DONE)
            return true;
    return false;
}

void s2s_reach_fill_dane(const struct s2s_reach *r, struct tls_peer *p)
{
    CHECK(r->winner);
    p->dane_host = r->winner->target->host;
    p->dane = r->winner->records;
    p->dane_count = r->winner->record_count;
}

void s2s_reach_free(struct s2s_reach **rp)
{
    struct s2s_reach *r = *rp;
    if (!r)
        return;
    *rp = NULL;
    timer_stop(&r->head_start);
    loop_cancel_hook(&r->over);
    for (unsigned i = 0; i < r->count; i++) {
        stop(&r->runners[i], RUNNER_DONE);
        arena_fini(&r->runners[i].arena);
    }
    s2s_trail_unref(&r->trail);
    mem_free(r);
}
