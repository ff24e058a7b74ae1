/* SPDX-License-Identifier: MIT */
/* Decided here: where a domain is (RFC 6120 3.2): where the admin says, else SRV, and the domain's own addresses only
 * when there is no SRV at all. */
#include "s2s/s2s_locate.h"

#include <idn2.h>
#include <stdio.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "s2s/s2s_internal.h"

enum { DEFAULT_PORT = 5269, TARGETS_MAX = 16 };

struct s2s_locate {
    struct s2s_shard *shard;
    char *remote;
    char ascii[256]; /* remote, as DNS knows it */
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

static void fail(struct s2s_locate *l, enum s2s_failure why, const char *text)
{
    l->found.why = why;
    text_copy(l->found.text, sizeof l->found.text, text);
}

static void add_target(struct s2s_locate *l, const char *host, uint16_t port)
{
    if (l->found.count == TARGETS_MAX)
        return;
    struct s2s_target *t = &l->targets[l->found.count];
    if (text_copy(t->host, sizeof t->host, host)) {
        t->port = port;
        l->found.count++;
    }
}

static void on_srv(void *user, const struct dns_answer *a)
{
    struct s2s_locate *l = user;
    l->query = NULL;
    if (a->status == DNS_FAILED) {
        char text[160];
        snprintf(text, sizeof text, "DNS does not answer for _xmpp-server._tcp.%s: %s", l->remote, a->text);
        fail(l, S2S_TIMEOUT, text);
        tell(l);
        return;
    }
    for (unsigned i = 0; a->status == DNS_FOUND && i < a->count; i++)
        if (strcmp(a->srv[i].target, ".") != 0)
            add_target(l, a->srv[i].target, a->srv[i].port);
    if (a->status == DNS_FOUND && l->found.count == 0)
        fail(l, S2S_NOT_FOUND, "the domain's SRV record says that it has no XMPP server");
    else if (l->found.count == 0)
        add_target(l, l->ascii, DEFAULT_PORT);
    tell(l);
}

/* DNS knows names as A-labels; false: it cannot know this one. */
static bool to_ascii(char out[256], const char *domain)
{
    uint8_t *labels = NULL;
    const char *p = domain;
    while (*p && !(*p & 0x80))
        p++;
    if (!*p)
        return text_copy(out, 256, domain);
    if (idn2_lookup_u8((const uint8_t *)domain, &labels, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
        return false;
    bool fits = text_copy(out, 256, (const char *)labels);
    idn2_free(labels);
    return fits;
}

struct s2s_locate *s2s_locate_start(struct s2s_shard *sh, const char *remote,
                                    void (*on_located)(void *user, const struct s2s_located *l), void *user)
{
    const struct s2s_remote *r = s2s_remote_of(sh->s2s, remote);
    struct s2s_locate *l = mem_new(struct s2s_locate);
    l->shard = sh;
    l->remote = mem_dup(remote);
    l->on_located = on_located;
    l->user = user;
    l->found.targets = l->targets;
    if (r->host) {
        add_target(l, r->host, r->port ? r->port : DEFAULT_PORT);
        tell_later(l);
    } else if (!to_ascii(l->ascii, remote)) {
        fail(l, S2S_NOT_FOUND, "the domain is no name that DNS could know");
        tell_later(l);
    } else {
        l->query = dns_srv(sh->dns, "_xmpp-server._tcp", l->ascii, on_srv, l);
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
    mem_free(l->remote);
    mem_free(l);
}
