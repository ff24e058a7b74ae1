/* SPDX-License-Identifier: MIT */
/* The listeners, from this machine: does the gateway answer there, or is the port free for it? */
#include "gateway/doctor_internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "gateway/net/address.h"
#include "gateway/probe.h"

/* 0: it is free for us; else errno. */
static int bind_error(const struct sockaddr_storage *at)
{
    socklen_t len = address_len((const struct sockaddr *)at);
    int fd = socket(at->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1, why = 0;
    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (at->ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
    if (bind(fd, (const struct sockaddr *)at, len) != 0 || listen(fd, 1) != 0)
        why = errno;
    close(fd);
    return why;
}

static void say_silent(struct doctor *d, const char *address, uint16_t port, const char *who)
{
    struct sockaddr_storage at;
    CHECK(address_parse(&at, address, port)); /* the configuration was checked */
    int why = bind_error(&at);
    if (why == 0)
        doctor_say(d, DOCTOR_NOTE, "start it: systemctl enable --now causeway, or causeway run",
                   "port %u at %s is free for %s; nothing listens yet", port, address, who);
    else if (why == EADDRINUSE)
        doctor_say(
            d, DOCTOR_WRONG,
            arena_printf(&d->arena, "ss -ltnp 'sport = :%u' shows it; end it, or give causeway another port", port),
            "port %u at %s is taken by something that does not answer", port, address);
    else if (why == EADDRNOTAVAIL)
        doctor_say(d, DOCTOR_WRONG, "`ip address` shows those it has; write one of them, or 0.0.0.0",
                   "%s is no address of this machine", address);
    else
        doctor_say(d, DOCTOR_WRONG, why == EACCES ? "choose a port from 1024 on" : "see above", "port %u at %s: %s",
                   port, address, strerror(why));
}

static void examine_door(struct doctor *d, const char *address, uint16_t port, enum probe_kind kind, const char *who)
{
    struct sockaddr_storage at;
    const char *from_here = strcmp(address, "0.0.0.0") == 0 ? "127.0.0.1"
                            : strcmp(address, "::") == 0    ? "::1"
                                                            : address;
    CHECK(address_parse(&at, from_here, port));
    struct probe p = probe_door(&at, kind, d->c->communities[0].exchange.domain, d->c->ca_file);
    switch (p.result) {
    case PROBE_NO_CONNECTION:
        say_silent(d, address, port, who);
        break;
    case PROBE_NOT_XMPP:
    case PROBE_NO_TLS:
        doctor_say(d, DOCTOR_WRONG,
                   arena_printf(&d->arena,
                                "ss -ltnp 'sport = :%u' shows what it is; end it, or give causeway another port", port),
                   "something else answers on port %u at %s: %s", port, address, p.text);
        break;
    case PROBE_WRONG_NAME:
        doctor_say(d, DOCTOR_WRONG,
                   "is another server there, or an older certificate loaded? systemctl restart causeway",
                   "port %u at %s: %s", port, address, p.text);
        break;
    case PROBE_UNTRUSTED: /* said of the file already */
    case PROBE_GOOD:
        d->is_running = true;
        doctor_say(d, DOCTOR_GOOD, NULL, "port %u at %s answers %s", port, address, who);
        break;
    }
}

void doctor_ports(struct doctor *d)
{
    const struct config *c = d->c;
    for (unsigned i = 0; i < c->c2s_count; i++) {
        const struct c2s_listener *l = &c->c2s[i];
        if (l->path && l->direct_tls)
            examine_door(d, l->address, l->port, PROBE_WEB,
                         l->bosh_path ? "clients (WebSocket, BOSH)" : "clients (WebSocket)");
        else if (!l->path) /* a plain WebSocket is the proxy's */
            examine_door(d, l->address, l->port, l->direct_tls ? PROBE_CLIENT_TLS : PROBE_CLIENT,
                         l->direct_tls ? "clients (direct TLS)" : "clients");
    }
    for (unsigned i = 0; i < c->s2s_count; i++)
        examine_door(d, c->s2s[i].address, c->s2s[i].port, c->s2s[i].direct_tls ? PROBE_SERVER_TLS : PROBE_SERVER,
                     c->s2s[i].direct_tls ? "servers (direct TLS)" : "servers");
}
