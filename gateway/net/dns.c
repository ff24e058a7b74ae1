/* SPDX-License-Identifier: MIT */
/* Names to addresses by libunbound: its own thread resolves and validates, its descriptor wakes our
 * loop. Decided here: time-outs, what counts as which status, the order of SRV records (RFC 2782), also
 * of two services mixed (XEP-0368), how A and AAAA make one answer (RFC 8305 section 3). Invariant: a query is
 * on exactly one of the lists `waiting` and `endings` until its callback was called; callbacks run outside
 * ub_process. */
#include "gateway/net/dns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unbound.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/net/address.h"
#include "gateway/net/endings.h"
#include "gateway/net/timer.h"

enum {
    QUERY_TIMEOUT_MS = 5000,
    /* One family has answered: how long the other may still take (RFC 8305 says 50 ms for people
     * who wait at a browser; a gateway is in less of a hurry). */
    OTHER_FAMILY_MS = 250,
    OTHER_SERVICE_MS = 1000, /* likewise: one of two services has records */
    MAX_RECORDS = 32, /* of an answer; more are not looked at */
    MAX_TLSA = 16,
    TYPE_A = 1,
    TYPE_AAAA = 28,
    TYPE_SRV = 33,
    TYPE_TLSA = 52,
    CLASS_IN = 1,
};

static const char system_root_key[] = "/usr/share/dns/root.key"; /* Debian: dns-root-data */

struct dns {
    struct loop *loop;
    struct ub_ctx *ub;
    uv_poll_t poll;
    struct list waiting;    /* for libunbound or the time-out */
    struct endings endings; /* their callback comes next */
};

/* One question to libunbound. */
struct part {
    struct dns_query *query;
    int type, async_id;
    bool is_pending;
    enum dns_status status;
    bool secure;
    struct sockaddr_storage addr[MAX_RECORDS];
    unsigned addr_count;
};

struct dns_query {
    struct dns *dns;
    struct list node;
    struct timer timeout;
    struct part part[2]; /* SRV: one a service; addresses: AAAA and A; TLSA: one */
    unsigned part_count;
    union {
        struct dns_srv srv[2 * MAX_RECORDS];
        struct sockaddr_storage addr[2 * MAX_RECORDS];
        struct dns_tlsa tlsa[MAX_TLSA];
    };
    struct ub_result *result; /* of TLSA, whose records point into it; else NULL */
    struct dns_answer answer;
    void (*on_answer)(void *user, const struct dns_answer *);
    void *user;
};

/* --- settings --- */

static bool set_option(struct ub_ctx *ub, const char *name, const char *value, struct error *e)
{
    int rc = ub_ctx_set_option(ub, name, value);
    return !rc ||
           error_set(e, ERROR_INVALID, "libunbound option %s %s: %s", name, value, ub_strerror(rc));
}

/* libunbound answers these zones by itself, empty; private set-ups and tests have names there. With
 * the system's root key they must count as unsigned, since the root proves that they do not exist.
 */
static bool open_special_zones(struct ub_ctx *ub, bool system_key, struct error *e)
{
    static const char *const zones[] = {"test.", "example.", "invalid.", "localhost.",
                                        "home.arpa."};
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        char line[64];
        snprintf(line, sizeof line, "%s transparent", zones[i]);
        if (!set_option(ub, "local-zone:", line, e))
            return false;
        if (system_key && !set_option(ub, "domain-insecure:", zones[i], e))
            return false;
    }
    return set_option(ub, "local-data:", "localhost. A 127.0.0.1", e) &&
           set_option(ub, "local-data:", "localhost. AAAA ::1", e);
}

/* Without a resolver to forward to, libunbound asks the root servers itself; only then would a
 * foreign server's referral to 127.0.0.1 be followed, and it stays forbidden. */
static bool set_forwarder(struct ub_ctx *ub, const char *server, struct error *e)
{
    int rc = 0;
    if (server)
        rc = ub_ctx_set_fwd(ub, server);
    else if (access("/etc/resolv.conf", R_OK) == 0)
        rc = ub_ctx_resolvconf(ub, NULL);
    else
        return true;
    if (rc)
        return error_set(e, ERROR_INVALID, "resolver %s: %s", server ? server : "/etc/resolv.conf",
                         ub_strerror(rc));
    return set_option(ub, "do-not-query-localhost:", "no", e);
}

static bool set_trust_anchor(struct ub_ctx *ub, const char *file, struct error *e)
{
    if (!file)
        return true;
    if (access(file, R_OK) != 0)
        return error_set(e, ERROR_INVALID, "trust anchor %s cannot be read", file);
    int rc = ub_ctx_add_ta_file(ub, file);
    return !rc || error_set(e, ERROR_INVALID, "trust anchor %s: %s", file, ub_strerror(rc));
}

static void load_hosts(struct ub_ctx *ub)
{
    int rc = access("/etc/hosts", R_OK) == 0 ? ub_ctx_hosts(ub, NULL) : 0;
    if (rc)
        log_warn(NULL, "dns: /etc/hosts is not used: %s", ub_strerror(rc));
}

static bool configure(struct ub_ctx *ub, const struct dns_options *o, struct error *e)
{
    bool system_key = !o->trust_anchor && access(system_root_key, R_OK) == 0;
    /* A resolver that was down is asked again at once, not after a quarter of an hour. */
    if (!set_option(ub, "infra-host-ttl:", "30", e) ||
        !set_option(ub, "infra-keep-probing:", "yes", e) ||
        !set_option(ub, "edns-buffer-size:", "1232", e))
        return false;
    if (!open_special_zones(ub, system_key, e) || !set_forwarder(ub, o->server, e) ||
        !set_trust_anchor(ub, system_key ? system_root_key : o->trust_anchor, e))
        return false;
    load_hosts(ub);
    int rc = ub_ctx_async(ub, 1);
    return !rc || error_set(e, ERROR_TEMPORARY, "libunbound thread: %s", ub_strerror(rc));
}

/* --- the end of a query --- */

static void query_free(struct dns_query *q)
{
    ub_resolve_free(q->result);
    mem_free(q);
}

static void tell(struct list *node)
{
    struct dns_query *q = list_entry(node, struct dns_query, node);
    q->on_answer(q->user, &q->answer);
    query_free(q);
}

static void release(struct dns_query *q)
{
    for (unsigned i = 0; i < q->part_count; i++) {
        if (q->part[i].is_pending)
            ub_cancel(q->dns->ub, q->part[i].async_id);
        q->part[i].is_pending = false;
    }
    timer_stop(&q->timeout);
    list_remove(&q->node);
}

static void finish(struct dns_query *q)
{
    release(q);
    endings_add(&q->dns->endings, &q->node);
}

static bool asks_addresses(const struct dns_query *q)
{
    return q->part[0].type == TYPE_AAAA;
}

/* Is there something that could be told? */
static bool has_some(const struct dns_query *q)
{
    return q->part[0].addr_count > 0 || q->part[1].addr_count > 0 || q->answer.count > 0;
}

/* A part that has not answered counts as failed. */
static enum dns_status worst(const struct part *p)
{
    return p->is_pending ? DNS_FAILED : p->status;
}

/* Two parts, and none has a record. */
static enum dns_status none_found(const struct dns_query *q)
{
    enum dns_status one = worst(&q->part[0]), other = worst(&q->part[1]);
    if (one == DNS_FAILED || other == DNS_FAILED)
        return DNS_FAILED;
    return one == DNS_NO_DATA ? one : other;
}

static void combine_addresses(struct dns_query *q)
{
    const struct part *six = &q->part[0], *four = &q->part[1];
    struct dns_answer *a = &q->answer;
    a->secure = (six->secure || !six->addr_count) && (four->secure || !four->addr_count);
    for (unsigned i = 0; i < six->addr_count || i < four->addr_count; i++) {
        if (i < six->addr_count)
            q->addr[a->count++] = six->addr[i];
        if (i < four->addr_count)
            q->addr[a->count++] = four->addr[i];
    }
    a->addr = q->addr;
    a->status = a->count > 0 ? DNS_FOUND : none_found(q);
    if (a->status != DNS_FOUND)
        a->secure = false;
}

static void order_srv(struct dns_srv *srv, unsigned count);

static void combine_services(struct dns_query *q)
{
    struct dns_answer *a = &q->answer;
    order_srv(q->srv, a->count);
    a->srv = q->srv;
    a->status = a->count > 0 ? DNS_FOUND : none_found(q);
    a->secure = q->part[0].secure && q->part[1].secure;
}

static void finish_one(struct dns_query *q)
{
    const struct part *p = &q->part[0];
    if (p->type == TYPE_SRV)
        order_srv(q->srv, q->answer.count);
    q->answer.srv = p->type == TYPE_SRV ? q->srv : NULL;
    q->answer.tlsa = p->type == TYPE_TLSA ? q->tlsa : NULL;
    q->answer.status = worst(p);
    q->answer.secure = p->secure;
}

/* Makes the answer of what the parts brought. */
static void finish_parts(struct dns_query *q)
{
    if (q->part_count == 1)
        finish_one(q);
    else if (asks_addresses(q))
        combine_addresses(q);
    else
        combine_services(q);
    finish(q);
}

static void on_timeout(struct timer *t)
{
    struct dns_query *q = container_of(t, struct dns_query, timeout);
    if (!has_some(q))
        snprintf(q->answer.text, sizeof q->answer.text, "no answer from the resolver in %d s",
                 QUERY_TIMEOUT_MS / 1000);
    finish_parts(q);
}

/* --- answers of libunbound --- */

/* Wire form (RFC 1035 3.1, never compressed here) to text; false: a label that no host has. */
static bool name_text(const unsigned char *wire, size_t len, char out[256])
{
    size_t at = 0, used = 0;
    while (at < len && wire[at]) {
        size_t label = wire[at++];
        if (label > 63 || at + label > len || used + label + 2 > 256)
            return false;
        if (used)
            out[used++] = '.';
        for (size_t i = 0; i < label; i++, at++) {
            unsigned char c = wire[at];
            bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
            if (!ok && c != '-' && c != '_')
                return false;
            out[used++] = (char)c;
        }
    }
    if (at >= len)
        return false;
    if (!used)
        out[used++] = '.';
    out[used] = '\0';
    return true;
}

static unsigned u16(const unsigned char *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static int compare_srv(const void *a, const void *b)
{
    const struct dns_srv *x = a, *y = b;
    if (x->priority != y->priority)
        return x->priority < y->priority ? -1 : 1;
    return (x->weight > 0) - (y->weight > 0); /* weight 0 first: RFC 2782 draws among them so */
}

/* Draws the records of one priority in the order to try, by weight (RFC 2782). */
static void draw_by_weight(struct dns_srv *srv, unsigned count)
{
    for (; count > 1; srv++, count--) {
        uint32_t sum = 0, running = 0;
        for (unsigned i = 0; i < count; i++)
            sum += srv[i].weight;
        uint32_t drawn = random_below(sum + 1);
        unsigned pick = 0;
        while ((running += srv[pick].weight) < drawn)
            pick++;
        struct dns_srv chosen = srv[pick];
        memmove(srv + 1, srv, pick * sizeof *srv); /* the others keep their order */
        srv[0] = chosen;
    }
}

static void order_srv(struct dns_srv *srv, unsigned count)
{
    qsort(srv, count, sizeof *srv, compare_srv);
    for (unsigned i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && srv[end].priority == srv[i].priority;)
            end++;
        draw_by_weight(srv + i, end - i);
    }
}

/* Into the answer, behind those of the other service. */
static void take_srv(struct part *p, const struct ub_result *r)
{
    struct dns_query *q = p->query;
    unsigned n = 0;
    for (unsigned i = 0; r->data[i] && n < MAX_RECORDS; i++) {
        const unsigned char *rr = (const unsigned char *)r->data[i];
        struct dns_srv *srv = &q->srv[q->answer.count + n];
        if (r->len[i] < 7 || !name_text(rr + 6, (size_t)r->len[i] - 6, srv->target))
            continue;
        srv->priority = (uint16_t)u16(rr);
        srv->weight = (uint16_t)u16(rr + 2);
        srv->port = (uint16_t)u16(rr + 4);
        srv->service = (uint8_t)(p - q->part);
        srv->secure = p->secure;
        n++;
    }
    q->answer.count += n;
    if (n == 0) {
        p->status = DNS_FAILED;
        snprintf(q->answer.text, sizeof q->answer.text, "no SRV record of it can be understood");
    }
}

/* RFC 6698 2.1. Keeps `r`. */
static void take_tlsa(struct dns_query *q, struct ub_result *r)
{
    unsigned n = 0;
    for (unsigned i = 0; r->data[i] && n < MAX_TLSA; i++) {
        const unsigned char *rr = (const unsigned char *)r->data[i];
        if (r->len[i] < 4)
            continue;
        q->tlsa[n++] = (struct dns_tlsa){
            .usage = rr[0], .selector = rr[1], .matching = rr[2], .data = rr + 3, .len = (size_t)r->len[i] - 3};
    }
    q->answer.count = n;
    q->result = r;
}

static void take_addresses(struct part *p, const struct ub_result *r)
{
    for (unsigned i = 0; r->data[i] && p->addr_count < MAX_RECORDS; i++) {
        struct sockaddr_storage *ss = &p->addr[p->addr_count];
        if (p->type == TYPE_A && r->len[i] == 4) {
            ss->ss_family = AF_INET;
            memcpy(&((struct sockaddr_in *)ss)->sin_addr, r->data[i], 4);
        } else if (p->type == TYPE_AAAA && r->len[i] == 16) {
            ss->ss_family = AF_INET6;
            memcpy(&((struct sockaddr_in6 *)ss)->sin6_addr, r->data[i], 16);
        } else {
            continue;
        }
        p->addr_count++;
    }
    if (p->addr_count == 0)
        p->status = DNS_NO_DATA;
}

/* Bogus answers still carry data, so that is asked first. */
static enum dns_status status_of(int err, const struct ub_result *r, char *text, size_t cap)
{
    if (err || !r) {
        snprintf(text, cap, "%s", ub_strerror(err));
        return err == UB_SYNTAX ? DNS_NO_NAME : DNS_FAILED; /* what is no name does not exist */
    }
    if (r->bogus) {
        snprintf(text, cap, "DNSSEC: %s", r->why_bogus ? r->why_bogus : "the answer is bogus");
        return DNS_FAILED;
    }
    if (r->nxdomain)
        return DNS_NO_NAME;
    if (r->havedata)
        return DNS_FOUND;
    if (r->rcode == 0)
        return DNS_NO_DATA;
    snprintf(text, cap, "the resolver answered with rcode %d%s", r->rcode,
             r->rcode == 2 ? " (server failure)" : "");
    return DNS_FAILED;
}

static void part_done(struct part *p)
{
    struct dns_query *q = p->query;
    if (!q->part[0].is_pending && !q->part[1].is_pending)
        finish_parts(q);
    else if (has_some(q))
        timer_start(&q->timeout, q->dns->loop, asks_addresses(q) ? OTHER_FAMILY_MS : OTHER_SERVICE_MS, on_timeout);
}

static void on_result(void *user, int err, struct ub_result *r)
{
    struct part *p = user;
    struct dns_query *q = p->query;
    p->is_pending = false;
    p->status = status_of(err, r, q->answer.text, sizeof q->answer.text);
    p->secure = p->status != DNS_FAILED && r && r->secure;
    if (p->status == DNS_FOUND && p->type == TYPE_SRV)
        take_srv(p, r);
    else if (p->status == DNS_FOUND && p->type == TYPE_TLSA)
        take_tlsa(q, r);
    else if (p->status == DNS_FOUND)
        take_addresses(p, r);
    if (r != q->result)
        ub_resolve_free(r);
    part_done(p);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct dns *d = poll->data;
    (void)events;
    int rc = status < 0 ? 0 : ub_process(d->ub);
    if (status < 0 || rc)
        log_warn(NULL, "dns: %s", rc ? ub_strerror(rc) : uv_strerror(status));
}

/* --- outside --- */

static void on_poll_closed(uv_handle_t *h)
{
    mem_free(h->data);
}

static bool watch(struct dns *d, struct error *e)
{
    int rc = uv_poll_init(loop_uv(d->loop), &d->poll, ub_fd(d->ub));
    if (rc)
        return error_set(e, ERROR_TEMPORARY, "watching libunbound: %s", uv_strerror(rc));
    d->poll.data = d;
    rc = uv_poll_start(&d->poll, UV_READABLE, on_readable);
    CHECK(rc == 0);
    return true;
}

struct dns *dns_create(struct loop *l, const struct dns_options *o, struct error *e)
{
    loop_check(l);
    struct dns *d = mem_new(struct dns);
    d->loop = l;
    list_init(&d->waiting);
    endings_init(&d->endings, l, tell);
    d->ub = ub_ctx_create();
    if (!d->ub) {
        error_set(e, ERROR_TEMPORARY, "libunbound does not start");
        goto fail_ub;
    }
    if (!configure(d->ub, o, e) || !watch(d, e))
        goto fail_configure;
    return d;

fail_configure:
    ub_ctx_delete(d->ub);
fail_ub:
    mem_free(d);
    return NULL;
}

void dns_destroy(struct dns **dp)
{
    struct dns *d = *dp;
    if (!d)
        return;
    loop_check(d->loop);
    struct list *node;
    while ((node = list_first(&d->waiting))) {
        struct dns_query *q = list_entry(node, struct dns_query, node);
        q->answer.status = DNS_FAILED;
        snprintf(q->answer.text, sizeof q->answer.text, "cancelled: the resolver is closed");
        finish(q);
    }
    endings_fini(&d->endings);
    CHECK(list_is_empty(&d->waiting)); /* nobody asks while it is destroyed */
    uv_close((uv_handle_t *)&d->poll, on_poll_closed);
    ub_ctx_delete(d->ub);
    *dp = NULL;
}

static struct dns_query *
query_new(struct dns *d, void (*on_answer)(void *user, const struct dns_answer *), void *user)
{
    loop_check(d->loop);
    struct dns_query *q = mem_new(struct dns_query);
    q->dns = d;
    q->answer.status = DNS_FAILED;
    q->on_answer = on_answer;
    q->user = user;
    list_append(&d->waiting, &q->node);
    return q;
}

static void ask(struct dns_query *q, const char *name, int type)
{
    struct part *p = &q->part[q->part_count++];
    p->query = q;
    p->type = type;
    int rc = ub_resolve_async(q->dns->ub, name, type, CLASS_IN, p, on_result, &p->async_id);
    p->is_pending = rc == 0;
    p->status = rc == UB_SYNTAX ? DNS_NO_NAME : DNS_FAILED;
    if (rc)
        snprintf(q->answer.text, sizeof q->answer.text, "%.60s: %s", name, ub_strerror(rc));
}

/* Waits for the parts, or says later that none could be asked. */
static void start_waiting(struct dns_query *q)
{
    bool pending = false;
    for (unsigned i = 0; i < q->part_count; i++)
        pending = pending || q->part[i].is_pending;
    if (pending) {
        timer_start(&q->timeout, q->dns->loop, QUERY_TIMEOUT_MS, on_timeout);
        return;
    }
    finish_parts(q);
}

/* Too long a name is asked for as "", which is none. */
static void ask_below(struct dns_query *q, const char *prefix, const char *name, int type)
{
    char full[512];
    int len = snprintf(full, sizeof full, "%s.%s", prefix, name);
    ask(q, len > 0 && (size_t)len < sizeof full ? full : "", type);
}

struct dns_query *dns_srv_mixed(struct dns *d, const char *const services[2], const char *name,
                                void (*on_answer)(void *user, const struct dns_answer *), void *user)
{
    struct dns_query *q = query_new(d, on_answer, user);
    for (unsigned i = 0; i < 2 && services[i]; i++)
        ask_below(q, services[i], name, TYPE_SRV);
    start_waiting(q);
    return q;
}

struct dns_query *dns_srv(struct dns *d, const char *service, const char *name,
                          void (*on_answer)(void *user, const struct dns_answer *), void *user)
{
    return dns_srv_mixed(d, (const char *const[2]){service}, name, on_answer, user);
}

struct dns_query *dns_tlsa(struct dns *d, const char *host, uint16_t port,
                           void (*on_answer)(void *user, const struct dns_answer *), void *user)
{
    struct dns_query *q = query_new(d, on_answer, user);
    char prefix[16];
    snprintf(prefix, sizeof prefix, "_%u._tcp", port);
    ask_below(q, prefix, host, TYPE_TLSA);
    start_waiting(q);
    return q;
}

/* A numeric address, IPv6 also in brackets. */
static bool parse_numeric(const char *name, struct sockaddr_storage *out)
{
    char plain[INET6_ADDRSTRLEN + 2];
    if (!text_copy(plain, sizeof plain, name))
        return false;
    size_t len = strlen(plain);
    bool brackets = len > 2 && plain[0] == '[' && plain[len - 1] == ']';
    if (brackets)
        plain[len - 1] = '\0';
    return address_parse(out, plain + brackets, 0) && (!brackets || out->ss_family == AF_INET6);
}

struct dns_query *dns_addresses(struct dns *d, const char *name,
                                void (*on_answer)(void *user, const struct dns_answer *),
                                void *user)
{
    struct dns_query *q = query_new(d, on_answer, user);
    if (parse_numeric(name, &q->addr[0])) {
        q->answer.status = DNS_FOUND;
        q->answer.addr = q->addr;
        q->answer.count = 1;
        finish(q);
        return q;
    }
    ask(q, name, TYPE_AAAA);
    ask(q, name, TYPE_A);
    start_waiting(q);
    return q;
}

void dns_cancel(struct dns_query *q)
{
    loop_check(q->dns->loop);
    release(q);
    query_free(q);
}
