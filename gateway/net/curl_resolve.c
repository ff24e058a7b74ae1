/* SPDX-License-Identifier: MIT */
/* Decided here: which addresses curl is given, and how a host without one is called. */
#include "gateway/net/curl_resolve.h"

#include <arpa/inet.h>

#include "gateway/base/bytes.h"

static bool is_numeric(const char *host)
{
    struct in_addr four;
    return *host == '[' || inet_pton(AF_INET, host, &four) == 1;
}

static void append_address(struct bytes *line, const struct sockaddr *sa, bool first)
{
    char text[INET6_ADDRSTRLEN];
    bool six = sa->sa_family == AF_INET6;
    const void *raw = six ? (const void *)&((const struct sockaddr_in6 *)sa)->sin6_addr
                          : (const void *)&((const struct sockaddr_in *)sa)->sin_addr;
    inet_ntop(sa->sa_family, raw, text, sizeof text);
    bytes_printf(line, "%s%s%s%s", first ? "" : ",", six ? "[" : "", text, six ? "]" : "");
}

/* CURLOPT_RESOLVE for what the guard allows of the answer. false: nothing; guard->refused says why. */
static bool hand_over(struct curl_resolve *r, const struct dns_answer *answer)
{
    char *host = NULL, *port = NULL;
    struct bytes line = BYTES_EMPTY; /* "+host:port:address,address"; '+': may grow old */
    unsigned used = 0;
    CHECK(curl_url_get(r->url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
          curl_url_get(r->url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK);
    bytes_printf(&line, "+%s:%s:", host, port);
    for (unsigned i = 0; i < answer->count && used < CURL_POOL_ADDRESSES; i++) {
        const struct sockaddr *sa = (const struct sockaddr *)&answer->addr[i];
        if (egress_check(r->guard->egress, r->guard->purpose, sa, &r->guard->refused))
            append_address(&line, sa, used++ == 0);
    }
    if (used > 0 && !is_numeric(host)) {
        r->list = curl_slist_append(NULL, bytes_text(&line));
        CURL_POOL_SET(r->easy, CURLOPT_RESOLVE, r->list);
    }
    bytes_fini(&line);
    curl_free(host);
    curl_free(port);
    return used > 0;
}

static void on_addresses(void *user, const struct dns_answer *answer)
{
    struct curl_resolve *r = user;
    struct error e = ERROR_INIT;
    r->query = NULL;
    switch (answer->status) {
    case DNS_FOUND:
        if (!hand_over(r, answer))
            error_set(&e, ERROR_DENIED, "%s", r->guard->refused.text);
        break;
    case DNS_NO_DATA:
    case DNS_NO_NAME:
        error_set(&e, ERROR_NOT_FOUND, "the host of %s has no address", r->what);
        break;
    case DNS_FAILED:
        error_set(&e, ERROR_TEMPORARY, "%s", answer->text);
        break;
    }
    r->on_done(r, &e);
}

void curl_resolve_start(struct curl_resolve *r, struct dns *dns)
{
    char *host = NULL;
    if (curl_url_get(r->url, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
        struct error e = ERROR_INIT;
        error_set(&e, ERROR_INVALID, "%s names no host", r->what);
        r->on_done(r, &e);
        return;
    }
    r->query = dns_addresses(dns, host, on_addresses, r);
    curl_free(host);
}

void curl_resolve_cancel(struct curl_resolve *r)
{
    if (r->query)
        dns_cancel(r->query);
    r->query = NULL;
}

void curl_resolve_fini(struct curl_resolve *r)
{
    curl_slist_free_all(r->list);
    r->list = NULL;
}
