/* SPDX-License-Identifier: MIT */
/* What the world finds when it asks the DNS for us, and what answers there. All names are asked at once, then
 * the targets that they gave; a loop of its own runs for each of the two rounds. */
#include "gateway/doctor_internal.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <string.h>

#include "gateway/base/text.h"
#include "gateway/net/dns.h"
#include "gateway/probe.h"
#include "gateway/records.h"

enum { TARGETS_MAX = 4, ADDRESSES_MAX = 8 };

struct round {
    struct loop *loop;
    unsigned left;
};

struct question {
    struct round *round;
    const char *service; /* NULL: addresses */
    const char *name;
    enum dns_status status;
    char text[128];
    struct dns_srv srv[TARGETS_MAX];
    struct sockaddr_storage addr[ADDRESSES_MAX];
    unsigned count;
};

static void on_answer(void *user, const struct dns_answer *a)
{
    struct question *q = user;
    q->status = a->status;
    text_copy(q->text, sizeof q->text, a->text);
    unsigned most = q->service ? TARGETS_MAX : ADDRESSES_MAX;
    q->count = a->status == DNS_FOUND ? (a->count < most ? a->count : most) : 0;
    for (unsigned i = 0; i < q->count; i++)
        if (q->service)
            q->srv[i] = a->srv[i];
        else
            q->addr[i] = a->addr[i];
    if (--q->round->left == 0)
        loop_stop(q->round->loop);
}

/* Asks all; false: there is no resolver to ask. */
static bool ask(struct doctor *d, struct question *q, unsigned count)
{
    struct error e = ERROR_INIT;
    struct round round = {.loop = loop_create("doctor", clock_real()), .left = count};
    struct dns *dns = dns_create(round.loop, &(struct dns_options){d->c->dns_server, d->c->dns_trust_anchor}, &e);
    for (unsigned i = 0; dns && i < count; i++) {
        q[i].round = &round;
        if (q[i].service)
            dns_srv(dns, q[i].service, q[i].name, on_answer, &q[i]);
        else
            dns_addresses(dns, q[i].name, on_answer, &q[i]);
    }
    if (!dns)
        doctor_say(d, DOCTOR_WRONG, "is 'dns_server' right, or /etc/resolv.conf?", "%s", e.text);
    else if (count) {
        loop_run(round.loop);
        dns_destroy(&dns);
    }
    dns_destroy(&dns);
    while (loop_turn(round.loop)) /* its handles close */
        ;
    loop_destroy(&round.loop);
    return count == 0 || round.left == 0;
}

/* ---- what they say ---- */

static bool is_this_machine(const struct sockaddr_storage *at)
{
    struct ifaddrs *all = NULL;
    bool found = false;
    if (getifaddrs(&all) != 0)
        return true; /* nothing is known: nothing is said */
    for (struct ifaddrs *i = all; i && !found; i = i->ifa_next) {
        if (!i->ifa_addr || i->ifa_addr->sa_family != at->ss_family)
            continue;
        if (at->ss_family == AF_INET)
            found = memcmp(&((struct sockaddr_in *)i->ifa_addr)->sin_addr, &((const struct sockaddr_in *)at)->sin_addr,
                           4) == 0;
        else
            found = memcmp(&((struct sockaddr_in6 *)i->ifa_addr)->sin6_addr,
                           &((const struct sockaddr_in6 *)at)->sin6_addr, 16) == 0;
    }
    freeifaddrs(all);
    return found;
}

static const char *address_text(struct doctor *d, const struct sockaddr_storage *at)
{
    char text[INET6_ADDRSTRLEN] = "?";
    const void *raw = at->ss_family == AF_INET6 ? (const void *)&((const struct sockaddr_in6 *)at)->sin6_addr
                                                : (const void *)&((const struct sockaddr_in *)at)->sin_addr;
    inet_ntop(at->ss_family, raw, text, sizeof text);
    return arena_dup(&d->arena, text);
}

static enum probe_kind kind_of(const struct records_srv *r)
{
    bool direct = text_starts_with(r->service, "_xmpps");
    return strstr(r->service, "client") ? (direct ? PROBE_CLIENT_TLS : PROBE_CLIENT)
                                        : (direct ? PROBE_SERVER_TLS : PROBE_SERVER);
}

static void knock(struct doctor *d, const struct records_srv *r, const char *domain, const struct dns_srv *srv,
                  struct sockaddr_storage at)
{
    const char *where = address_text(d, &at);
    if (at.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&at)->sin6_port = htons(srv->port);
    else
        ((struct sockaddr_in *)&at)->sin_port = htons(srv->port);
    struct probe p = probe_door(&at, kind_of(r), domain, d->c->ca_file);
    if (p.result == PROBE_GOOD)
        doctor_say(d, DOCTOR_GOOD, NULL, "%s: %s port %u at %s answers", r->who, srv->target, srv->port, where);
    else if (p.result == PROBE_NO_CONNECTION && !d->is_running)
        doctor_say(d, DOCTOR_GOOD, NULL, "%s: %s port %u at %s; nothing listens there yet", r->who, srv->target,
                   srv->port, where);
    else if (p.result == PROBE_NO_CONNECTION && !is_this_machine(&at))
        doctor_say(d, DOCTOR_WRONG,
                   arena_printf(&d->arena,
                                "let the firewall, and a router before this machine, pass port %u on; some routers "
                                "cannot be reached from inside: try from elsewhere",
                                srv->port),
                   "%s: %s port %u at %s: %s", r->who, srv->target, srv->port, where, p.text);
    else
        doctor_say(d, DOCTOR_WRONG,
                   p.result == PROBE_NO_CONNECTION
                       ? arena_printf(&d->arena,
                                      "is there a listener for port %u in %s, and does the firewall pass it?",
                                      srv->port, d->c->file)
                       : "is that address this machine's, and the port causeway's?",
                   "%s: %s port %u at %s: %s", r->who, srv->target, srv->port, where, p.text);
}

/* A record that is not there. */
static void say_absent(struct doctor *d, const struct records_srv *r, const char *domain, const struct question *q,
                       const char *host)
{
    const char *line = arena_printf(&d->arena, "add: %s.%s%s. 3600 IN SRV %u 0 %u %s.", r->service, r->part, domain,
                                    r->priority, r->port, host);
    bool needed = !*r->part && !text_starts_with(r->service, "_xmpps");
    if (q->status == DNS_FAILED)
        doctor_say(d, DOCTOR_WRONG,
                   "ask again in a minute; is the name server reachable? ('dns_server', /etc/resolv.conf)",
                   "%s.%s cannot be asked for: %s", r->service, q->name, q->text);
    else if (needed)
        doctor_say(d, DOCTOR_WRONG, line, "there is no record %s.%s (%s)", r->service, q->name, r->who);
    else
        doctor_say(d, DOCTOR_NOTE, line, "there is no record %s.%s (%s)", r->service, q->name, r->who);
}

/* ---- the two rounds ---- */

struct target {
    const struct records_srv *record;
    const char *domain;
    const struct question *srv;
    unsigned index;
};

static void say_target(struct doctor *d, const struct target *t, const struct question *q)
{
    const struct dns_srv *srv = &t->srv->srv[t->index];
    if (q->count == 0) {
        doctor_say(d, DOCTOR_WRONG,
                   arena_printf(&d->arena, "add: %s. 3600 IN A and AAAA, with this machine's addresses", srv->target),
                   "%s.%s leads to %s, which has no address%s%s", t->record->service, t->srv->name, srv->target,
                   q->text[0] ? ": " : "", q->text);
        return;
    }
    for (unsigned i = 0; i < q->count && !*t->record->part; i++)
        knock(d, t->record, t->domain, srv, q->addr[i]);
    if (*t->record->part)
        doctor_say(d, DOCTOR_GOOD, NULL, "%s.%s leads to %s port %u", t->record->service, t->srv->name, srv->target,
                   srv->port);
}

/* The targets of one community's answers, asked for and looked at. */
static void follow(struct doctor *d, const char *domain, const char *ascii, const struct question *srv)
{
    struct target targets[RECORDS_SRV_COUNT * TARGETS_MAX];
    struct question *q = arena_alloc(&d->arena, RECORDS_SRV_COUNT * TARGETS_MAX * sizeof *q);
    unsigned n = 0;
    const char *host = arena_printf(&d->arena, "xmpp.%s", ascii);
    for (unsigned i = 0; i < RECORDS_SRV_COUNT; i++)
        for (unsigned k = 0; k < srv[i].count; k++)
            if (!text_eq(srv[i].srv[k].target, ".")) {
                host = srv[i].srv[k].target;
                targets[n] = (struct target){&records_srv[i], domain, &srv[i], k};
                q[n++].name = srv[i].srv[k].target;
            }
    for (unsigned i = 0; i < RECORDS_SRV_COUNT; i++) {
        if (srv[i].count == 0)
            say_absent(d, &records_srv[i], ascii, &srv[i], host);
        else if (text_eq(srv[i].srv[0].target, "."))
            doctor_say(d, DOCTOR_WRONG, "remove that record, or give it a target",
                       "%s.%s says that the service is not there", records_srv[i].service, srv[i].name);
    }
    if (!ask(d, q, n))
        return;
    for (unsigned i = 0; i < n; i++)
        say_target(d, &targets[i], &q[i]);
}

void doctor_dns(struct doctor *d)
{
    unsigned communities = d->c->community_count;
    struct question *q = arena_alloc(&d->arena, (communities * RECORDS_SRV_COUNT + 1) * sizeof *q);
    const char **ascii = arena_alloc(&d->arena, (communities + 1) * sizeof *ascii);
    for (unsigned i = 0; i < communities; i++) {
        ascii[i] = records_ascii(&d->arena, d->c->communities[i].exchange.domain);
        for (unsigned k = 0; k < RECORDS_SRV_COUNT; k++) {
            q[i * RECORDS_SRV_COUNT + k].service = records_srv[k].service;
            q[i * RECORDS_SRV_COUNT + k].name = arena_printf(&d->arena, "%s%s", records_srv[k].part, ascii[i]);
        }
    }
    if (!ask(d, q, communities * RECORDS_SRV_COUNT))
        return;
    for (unsigned i = 0; i < communities; i++)
        follow(d, d->c->communities[i].exchange.domain, ascii[i], &q[i * RECORDS_SRV_COUNT]);
}
