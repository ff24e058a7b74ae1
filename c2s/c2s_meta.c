/* SPDX-License-Identifier: MIT */
/* host-meta: how else to connect than by SRV records. As XRD and JSON by XEP-0156; the JSON holds what XEP-0487 adds
 * where that is whole: it bids whoever understands it to look nowhere else, so it must tell our addresses (which only
 * the configuration knows) and a way for servers too. */
#include <string.h>

#include "c2s/c2s_internal.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/net/http_server.h"
#include "gateway/xmpp/stanza_build.h"

enum { WAYS = 4, TTL_S = 3600, WEIGHT = 50 };

struct way {
    const char *rel, *scheme; /* scheme NULL: it is a port, and XEP-0487's alone */
    char *url;                /* owned; NULL: none */
    uint16_t port;            /* 0: none */
    unsigned priority;
};

/* As configured, else at the first listener whose TLS is ours, under the community's name. */
static void find_url(const struct c2s *c, const char *domain, struct way *w, const char *configured, bool bosh)
{
    struct bytes url = BYTES_EMPTY;

    if (configured)
        bytes_append_text(&url, configured);
    for (unsigned i = 0; !url.len && i < c->listener_count; i++) {
        const struct c2s_listener *l = &c->listeners[i];
        const char *path = bosh ? l->bosh_path : l->path;
        if (!path || !l->direct_tls)
            continue;
        bytes_printf(&url, "%s://%s", w->scheme, domain);
        if (l->port != 443)
            bytes_printf(&url, ":%u", l->port);
        bytes_append_text(&url, path);
    }
    w->url = url.len ? bytes_take(&url) : NULL;
}

static uint16_t direct_tls_port(const struct c2s *c)
{
    for (unsigned i = 0; i < c->listener_count; i++)
        if (c->listeners[i].direct_tls && !c->listeners[i].path)
            return c->listeners[i].port;
    return 0;
}

static void find_ways(const struct c2s *c, const char *domain, struct way ways[WAYS])
{
    const struct way all[WAYS] = {
        {"urn:xmpp:alt-connections:websocket", "wss", NULL, 0, 20},
        {"urn:xmpp:alt-connections:xbosh", "https", NULL, 0, 30},
        {"urn:xmpp:alt-connections:tls", NULL, NULL, direct_tls_port(c), 10},
        {"urn:xmpp:alt-connections:s2s-tls", NULL, NULL, c->s2s_tls_port, 10},
    };

    memcpy(ways, all, sizeof(all));
    find_url(c, domain, &ways[0], c->websocket_url, false);
    find_url(c, domain, &ways[1], c->bosh_url, true);
}

/* ---- what is written ---- */

static void put_xrd(struct bytes *out, const struct way *ways)
{
    bytes_append_text(out, "<?xml version='1.0' encoding='utf-8'?>\n"
                           "<XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>");
    for (int i = 0; i < WAYS; i++) {
        if (!ways[i].url)
            continue;
        bytes_printf(out, "<Link rel='%s' href='", ways[i].rel);
        xml_escape(out, ways[i].url, strlen(ways[i].url));
        bytes_append_text(out, "'/>");
    }
    bytes_append_text(out, "</XRD>\n");
}

/* The name to send in TLS: that of the URL, where it is not ours. */
static struct span sni_of(const struct way *w, const char *domain)
{
    const char *host = w->url ? strstr(w->url, "://") : NULL;

    return host ? (struct span){host + 3, strcspn(host + 3, ":/?")} : span_of(domain);
}

/* What XEP-0487 adds to a link. Nothing needs escaping: the configuration and the names are checked. */
static void put_more(struct bytes *out, const struct c2s *c, const struct way *w, const char *domain)
{
    struct span sni = sni_of(w, domain);

    bytes_printf(out, ",\"priority\":%u,\"weight\":%d,\"sni\":\"%.*s\",\"ips\":[", w->priority, WEIGHT, (int)sni.len,
                 sni.data);
    for (unsigned i = 0; c->public_addresses[i]; i++)
        bytes_printf(out, "%s\"%s\"", i ? "," : "", c->public_addresses[i]);
    bytes_append_char(out, ']');
}

/* May what XEP-0487 adds be told? */
static bool is_whole(const struct c2s *c, const struct way *ways)
{
    return c->public_addresses && c->public_addresses[0] && ways[2].port && ways[3].port;
}

static void put_json(struct bytes *out, const struct c2s *c, const struct way *ways, const char *domain)
{
    bool whole = is_whole(c, ways);
    const char *comma = "";

    bytes_append_char(out, '{');
    if (whole)
        bytes_printf(out, "\"xmpp\":{\"ttl\":%d},", TTL_S);
    bytes_append_text(out, "\"links\":[");
    for (int i = 0; i < WAYS; i++) {
        if (!ways[i].url && !(whole && ways[i].port))
            continue;
        bytes_printf(out, "%s{\"rel\":\"%s\"", comma, ways[i].rel);
        if (ways[i].url)
            bytes_printf(out, ",\"href\":\"%s\"", ways[i].url);
        else
            bytes_printf(out, ",\"port\":%u", ways[i].port);
        if (whole)
            put_more(out, c, &ways[i], domain);
        bytes_append_char(out, '}');
        comma = ",";
    }
    bytes_append_text(out, "]}\n");
}

/* ---- who asks ---- */

static void answer(const struct c2s *c, struct http_exchange *x, const char *domain, bool json)
{
    struct way ways[WAYS];
    struct bytes out = BYTES_EMPTY;

    find_ways(c, domain, ways);
    if (json)
        put_json(&out, c, ways, domain);
    else
        put_xrd(&out, ways);
    if (ways[0].url || ways[1].url || (json && is_whole(c, ways)))
        http_answer_with(x, 200, "Access-Control-Allow-Origin: *\r\n",
                         json ? "application/json" : "application/xrd+xml", bytes_span(&out));
    else
        http_answer(x, 404, "text/plain", SPAN("No other way to connect is known.\n"));
    for (int i = 0; i < WAYS; i++)
        mem_free(ways[i].url);
    bytes_fini(&out);
}

bool c2s_meta_answer(const struct c2s *c, struct http_exchange *x, const struct http_incoming *in)
{
    bool json = text_eq(in->target, "/.well-known/host-meta.json");
    const struct c2s_domain *domain = c2s_domain_of_host(c, in->host);

    if (!json && !text_eq(in->target, "/.well-known/host-meta"))
        return false;
    if (!text_eq(in->method, "GET") && !text_eq(in->method, "HEAD"))
        http_answer_with(x, 405, "Allow: GET, HEAD\r\n", "text/plain", SPAN("host-meta is only read.\n"));
    else if (domain)
        answer(c, x, domain->name, json);
    else
        http_answer(x, 404, "text/plain", SPAN("That name is not served here.\n"));
    return true;
}
