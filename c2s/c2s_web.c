/* SPDX-License-Identifier: MIT */
/* Two kinds of door: with TLS of our own, where addresses are counted as for TCP; and plain, behind a reverse proxy on
 * this machine. There the socket's address is the proxy's, so who is behind it is asked of X-Forwarded-For, of which
 * only the last entry is the proxy's own word, and connections an address are the proxy's to count. */
#include "c2s/c2s_web.h"

#include <string.h>

#include "c2s/c2s_bosh.h"
#include "c2s/c2s_conn.h"
#include "gateway/base/text.h"
#include "gateway/net/address.h"
#include "gateway/net/web_socket.h"

enum { REQUEST_BYTES = 1024 };

/* ---- WebSockets ---- */

static bool is_path(const char *target, const char *path)
{
    size_t len = strlen(path);
    return strncmp(target, path, len) == 0 && (!target[len] || target[len] == '?');
}

static void answer_upgrade(struct c2s_port *port, struct http_exchange *x, const struct http_incoming *in)
{
    const struct web_socket_offer offer = {.subprotocol = "xmpp", .origins = port->o->origins};
    struct bytes lines = BYTES_EMPTY;
    const char *reason = NULL;
    int status = web_socket_judge(in, &offer, &lines, &reason);

    if (status == 101) {
        http_upgrade(x, "websocket", bytes_text(&lines));
    } else {
        log_info(NULL, "websocket: %s: %d, %s", in->peer, status, reason);
        http_answer_with(x, status, bytes_text(&lines), "text/plain", span_of(reason));
    }
    bytes_fini(&lines);
}

/* NULL: nobody was forwarded. */
static const char *last_forwarded(const struct http_incoming *in)
{
    const char *list = in->header(in, "X-Forwarded-For");
    const char *comma = list ? strrchr(list, ',') : NULL;

    return list ? text_skip_blank(comma ? comma + 1 : list) : NULL;
}

/* Who asks; false: a proxy on this machine that does not say whom it speaks for. */
static bool find_client(const struct c2s_port *port, const struct http_incoming *in, struct sockaddr_storage *out)
{
    const char *behind = port->direct_tls ? NULL : last_forwarded(in);

    if (behind && address_parse(out, behind, 0))
        return true;
    CHECK(address_parse(out, in->peer, 0));
    return port->direct_tls;
}

static void on_request(void *user, struct http_exchange *x, const struct http_incoming *in)
{
    struct c2s_port *port = user;
    struct sockaddr_storage client;

    if (c2s_meta_answer(port->io->c2s, x, in) || c2s_invite_page(port->io->c2s, port->io->loop, x, in))
        return;
    if (port->o->bosh_path && is_path(in->target, port->o->bosh_path)) {
        bool known = find_client(port, in, &client);
        c2s_bosh_on_request(port, x, in, &client, known);
    } else if (is_path(in->target, port->o->path)) {
        answer_upgrade(port, x, in);
    } else {
        http_answer(x, 404, "text/plain", SPAN("There is nothing here.\n"));
    }
}

static void on_upgrade(void *user, struct wire *w, const struct sockaddr_storage *peer, const struct http_incoming *in)
{
    struct c2s_port *port = user;
    struct sockaddr_storage client;

    if (!port->direct_tls && find_client(port, in, &client)) {
        log_info(NULL, "websocket: %s is %s", wire_peer_text(w), last_forwarded(in));
        peer = &client;
    }
    c2s_conn_accept_web(port, w, (const struct sockaddr *)peer);
}

bool c2s_web_open(struct c2s_port *port, struct error *e)
{
    const struct c2s *c = port->io->c2s;
    unsigned most = c->limits.connections_per_address;
    size_t body = port->o->bosh_path ? c->limits.after_auth.stanza_bytes + C2S_BOSH_BODY_BYTES : REQUEST_BYTES;

    port->web = http_server_open(&(struct http_server_options){.loop = port->io->loop,
                                                               .address = port->o->address,
                                                               .port = port->o->port,
                                                               .tls = port->direct_tls ? c->tls : NULL,
                                                               .ask = TLS_ASK_PEOPLE,
                                                               .max_body_bytes = body,
                                                               .connections_per_address =
                                                                   most && port->direct_tls ? most : UINT32_MAX,
                                                               .on_request = on_request,
                                                               .on_upgrade = on_upgrade,
                                                               .user = port},
                                 e);
    return port->web != NULL;
}

void c2s_web_forget(struct c2s_port *port, const struct sockaddr *peer)
{
    struct sockaddr_storage whole = {0};

    if (!port->direct_tls)
        return; /* not counted */
    memcpy(&whole, peer, address_len(peer));
    http_server_forget(port->web, &whole);
}
