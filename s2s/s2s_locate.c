/* SPDX-License-Identifier: MIT */
/* Decided here: where a domain is. Where the admin says; else what the records of both services say, mixed by priority
 * and weight (RFC 6120 3.2, XEP-0368), except those that say "not here"; and the domain's own addresses only when
 * there is no SRV record at all, of which "not here" is one. */
#include "s2s/s2s_locate.h"

#include <stdio.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/prep.h"
#include "s2s/s2s_internal.h"

enum { DEFAULT_PORT = 5269, DEFAULT_TLS_PORT = 5270, TARGETS_MAX = 16 };

enum { SERVICE_TLS, SERVICE_STARTTLS };
static const char *const services[] = {[SERVICE_TLS] = "_xmpps-server._tcp", [SERVICE_STARTTLS] = "_xmpp-server._tcp"};

struct s2s_locate {
    struct s2s_shard *shard;
    char *remote;
    struct s2s_trail *trail;
    char ascii[PREP_MAX + 1]; /* remote, as DNS knows it */
    struct dns_query *query;
    struct turn_hook hook; /* nothing has to be asked */
    struct s2s_target targets[TARGETS_MAX];
    struct s2s_located found;
    void (*on_located)(void *user, const struct s2s_located *l);
    void *user;
};

static void tell(struct s2s_locate *l)
{
    l->on_located(l->user, &l->found);
}

static void run_hook(struct turn_hook *h)
{
    tell(container_of(h, struct s2s_locate, hook));
}

static void tell_later(struct s2s_locate *l)
{
    l->hook.run = run_hook;
    loop_at_turn_end(l->shard->loop, &l->hook);
}

static void fail(struct s2s_locate *l, enum s2s_failure why, enum s2s_reason reason, const char *text)
{
    s2s_trail_fail(l->trail, S2S_STEP_DNS, reason, "%s", text);
    l->found.why = why;
    text_copy(l->found.text, sizeof l->found.text, text);
}

static void add_target(struct s2s_locate *l, const char *host, struct s2s_target like)
{
    if (l->found.count < TARGETS_MAX && text_copy(like.host, sizeof like.host, host))
        l->targets[l->found.count++] = like;
}

static void note_srv(struct s2s_locate *l, const struct dns_answer *a)
{
    struct bytes b = BYTES_EMPTY;
    for (unsigned i = 0; i < a->count; i++)
        bytes_printf(&b, "%s%s port %u%s%s", i ? ", " : "", a->srv[i].target, a->srv[i].port,
                     a->srv[i].service == SERVICE_TLS ? " (direct TLS)" : "", a->srv[i].secure ? " (DNSSEC)" : "");
    s2s_trail_note(l->trail, S2S_STEP_DNS, "SRV of %s: %s", l->ascii, bytes_text(&b));
    bytes_fini(&b);
}

static void add_srv(struct s2s_locate *l, const struct dns_answer *a)
{
    note_srv(l, a);
    for (unsigned i = 0; i < a->count; i++) {
        const struct dns_srv *srv = &a->srv[i];
        if (strcmp(srv->target, ".") != 0)
            add_target(l, srv->target, (struct s2s_target){.port = srv->port,
                                                           .direct_tls = srv->service == SERVICE_TLS,
                                                           .proved = srv->secure});
    }
    if (l->found.count == 0)
        fail(l, S2S_NOT_FOUND, S2S_WHY_NO_SERVER, "the domain's SRV records say that it has no XMPP server");
}

static void on_srv(void *user, const struct dns_answer *a)
{
    struct s2s_locate *l = user;
    char text[200];
    l->query = NULL;
    switch (a->status) {
    case DNS_FOUND:
        add_srv(l, a);
        break;
    case DNS_NO_DATA:
    case DNS_NO_NAME:
        s2s_trail_note(l->trail, S2S_STEP_DNS, "no SRV of %s; its own address, port %u", l->ascii, DEFAULT_PORT);
        add_target(l, l->ascii, (struct s2s_target){.port = DEFAULT_PORT, .proved = a->secure, .is_itself = true});
        break;
    case DNS_FAILED:
        snprintf(text, sizeof text, "DNS does not answer for the SRV records of %.80s: %.80s", l->remote, a->text);
        fail(l, S2S_TIMEOUT, S2S_WHY_DNS_SILENT, text);
        break;
    }
    tell(l);
}

struct s2s_locate *s2s_locate_start(struct s2s_shard *sh, const char *remote, struct s2s_trail *trail,
                                    void (*on_located)(void *user, const struct s2s_located *l), void *user)
{
    const struct s2s_remote *r = s2s_remote_of(sh->s2s, remote);
    struct s2s_locate *l = mem_new(struct s2s_locate);
    l->shard = sh;
    l->remote = mem_dup(remote);
    l->trail = s2s_trail_ref(trail);
    l->on_located = on_located;
    l->user = user;
    l->found.targets = l->targets;
    if (r->host) {
        uint16_t port = r->port ? r->port : r->direct_tls ? DEFAULT_TLS_PORT : DEFAULT_PORT;
        s2s_trail_note(l->trail, S2S_STEP_DNS, "the configuration names %s port %u%s", r->host, port,
                       r->direct_tls ? " (direct TLS)" : "");
        add_target(l, r->host, (struct s2s_target){.port = port, .direct_tls = r->direct_tls});
        tell_later(l);
    } else if (!prep_domain_ascii(l->ascii, remote)) {
        fail(l, S2S_NOT_FOUND, S2S_WHY_NO_NAME, "the domain is no name that DNS could know");
        tell_later(l);
    } else {
        l->query = dns_srv_mixed(sh->dns, services, l->ascii, on_srv, l);
    }
    return l;
}

void s2s_locate_free(struct s2s_locate **lp)
{
    struct s2s_locate *l = *lp;
    if (!l)
        return;
    *lp = NULL;
    if (l->query)
        dns_cancel(l->query);
    loop_cancel_hook(&l->hook);
    s2s_trail_unref(&l->trail);
    mem_free(l->remote);
    mem_free(l);
}
