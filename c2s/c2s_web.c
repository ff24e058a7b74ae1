/* SPDX-License-Identifier: MIT */
/* Two kinds of door: with TLS of our own, where addresses are counted as for TCP; and plain, behind a reverse proxy on
 * this machine. There the socket's address is the proxy's, so who is behind it is asked of X-Forwarded-For, of which
 * only the last entry is the proxy's own word, and connections an address are the proxy's to count. */
#include "c2s/c2s_web.h"

#include <string.h>

#include "c2s/c2s_conn.h"
#include "gateway/base/text.h"
#include "gateway/net/address.h"
#include "gateway/net/web_socket.h"
#include "gateway/xmpp/stanza_build.h"

enum { REQUEST_BYTES = 1024 };

/* ---- host-meta ---- */

static const struct c2s_listener *own_listener(const struct c2s *c)
{
    for (unsigned i = 0; i < c->listener_count; i++)
        if (c->listeners[i].path && c->listeners[i].direct_tls)
            return &c->listeners[i];
    return NULL;
}

/* Which community is asked about; NULL: none of ours. Behind a proxy the name may be the proxy's: where there is only one
 * community it is meant. */
static const char *asked_domain(const struct c2s *c, const char *host)
{
    size_t len = host ? strcspn(host, ":") : 0;

    for (unsigned i = 0; c->domains[i]; i++)
        if (strlen(c->domains[i]) == len && strncasecmp(c->domains[i], host, len) == 0)
            return c->domains[i];
    return c->domains[1] ? NULL : c->domains[0];
}

/* false: there is none to tell. */
static bool put_url(const struct c2s *c, const struct http_incoming *in, struct bytes *url)
{
    const struct c2s_listener *own = own_listener(c);
    const char *domain = asked_domain(c, in->host);

    if (!domain || (!c->websocket_url && !own))
        return false;
    if (c->websocket_url)
        bytes_append_text(url, c->websocket_url);
    else if (own->port == 443)
        bytes_printf(url, "wss://%s%s", domain, own->path);
    else
        bytes_printf(url, "wss://%s:%u%s", domain, own->port, own->path);
    return true;
}

static void put_xrd(struct bytes *out, const struct bytes *url)
{
    bytes_append_text(out, "<?xml version='1.0' encoding='utf-8'?>\n"
                           "<XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>"
                           "<Link rel='urn:xmpp:alt-connections:websocket' href='");
    xml_escape(out, url->data, url->len);
    bytes_append_text(out, "'/></XRD>\n");
}

static void put_json(struct bytes *out, const struct bytes *url)
{
    bytes_printf(out, "{\"links\":[{\"rel\":\"urn:xmpp:alt-connections:websocket\",\"href\":\"%s\"}]}\n",
                 bytes_text(url)); /* without quotation marks and the like: the configuration is checked */
}

bool c2s_web_host_meta(const struct c2s *c, struct http_exchange *x, const struct http_incoming *in)
{
    bool json = text_eq(in->target, "/.well-known/host-meta.json");
    struct bytes url = BYTES_EMPTY, out = BYTES_EMPTY;

    if (!json && !text_eq(in->target, "/.well-known/host-meta"))
        return false;
    if (!text_eq(in->method, "GET") && !text_eq(in->method, "HEAD")) {
        http_answer_with(x, 405, "Allow: GET, HEAD\r\n", "text/plain", SPAN("host-meta is only read.\n"));
    } else if (!put_url(c, in, &url)) {
        http_answer(x, 404, "text/plain", SPAN("No other way to connect is known for that name.\n"));
    } else {
        (json ? put_json : put_xrd)(&out, &url);
        http_answer_with(x, 200, "Access-Control-Allow-Origin: *\r\n", json ? "application/json" : "application/xrd+xml",
                         bytes_span(&out));
    }
    bytes_fini(&url);
    bytes_fini(&out);
    return true;
}

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

static void on_request(void *user, struct http_exchange *x, const struct http_incoming *in)
{
    struct c2s_port *port = user;

    if (c2s_web_host_meta(port->io->c2s, x, in))
        return;
    if (is_path(in->target, port->o->path))
        answer_upgrade(port, x, in);
    else
        http_answer(x, 404, "text/plain", SPAN("There is nothing here.\n"));
}

/* NULL: nobody was forwarded. */
static const char *last_forwarded(const struct http_incoming *in)
{
    const char *list = in->header(in, "X-Forwarded-For");
    const char *comma = list ? strrchr(list, ',') : NULL;

    return list ? text_skip_blank(comma ? comma + 1 : list) : NULL;
}

static void on_upgrade(void *user, struct wire *w, const struct sockaddr_storage *peer, const struct http_incoming *in)
{
    struct c2s_port *port = user;
    struct sockaddr_storage client;
    const char *behind = port->direct_tls ? NULL : last_forwarded(in);

    if (behind && address_parse(&client, behind, 0)) {
        log_info(NULL, "websocket: %s is %s", wire_peer_text(w), behind);
        peer = &client;
    }
    c2s_conn_accept_web(port, w, (const struct sockaddr *)peer);
}

bool c2s_web_open(struct c2s_port *port, struct error *e)
{
    const struct c2s *c = port->io->c2s;
    unsigned most = c->limits.connections_per_address;

    port->web = http_server_open(&(struct http_server_options){.loop = port->io->loop,
                                                               .address = port->o->address,
                                                               .port = port->o->port,
                                                               .tls = port->direct_tls ? c->tls : NULL,
                                                               .max_body_bytes = REQUEST_BYTES,
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
