/* SPDX-License-Identifier: MIT */
/* HTTP calls by libcurl. Decided here: what a call may reach and for how long, and what its end
 * means. One pool of connections a purpose, since a kept one is not asked of the egress guard
 * again. Calls that are not safe to repeat (POST, PATCH) get a connection of their own: curl
 * silently sends again when a kept one turns out to be dead. Our time-out runs on the loop's clock.
 * Invariant: user code runs from tell only. */
#include "gateway/net/http_client.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/net/curl_resolve.h"
#include "gateway/net/endings.h"
#include "gateway/net/timer.h"

enum {
    DEFAULT_TIMEOUT_MS = 30000,
    DEFAULT_BODY_BYTES = 65536,
    MAX_HEADER_BYTES = 32768,
};

struct http_client {
    struct loop *loop;
    struct dns *dns;
    const struct egress *egress;
    char *ca_file;
    struct curl_pool *pools[EGRESS_PURPOSES]; /* NULL until the first call of the purpose */
    struct list calls;                        /* resolving or running */
    struct endings endings;                   /* on_done comes next */
};

enum call_state {
    CALL_RESOLVING, /* `resolve` runs */
    CALL_RUNNING,   /* `easy` is in its pool */
    CALL_DONE,      /* it was there and is not any more, or never was */
};

struct field {
    char *name, *value;
};

struct http_call {
    struct http_client *client;
    struct list node;
    enum call_state state;
    struct timer timeout;
    uint64_t timeout_ms;
    CURLU *url;
    CURL *easy;
    struct curl_slist *headers;
    struct curl_resolve resolve;
    char curl_text[CURL_ERROR_SIZE];
    struct curl_pool_guard guard;
    size_t max_body_bytes, header_bytes;
    bool too_large;
    struct bytes request_body, body;
    struct field *fields;
    size_t field_count;
    struct http_response response;
    void (*on_done)(void *user, const struct http_response *);
    void *user;
};

/* --- the end of a call --- */

static const char *find_field(const struct http_response *r, const char *name)
{
    const struct http_call *call = container_of(r, const struct http_call, response);
    for (size_t i = 0; i < call->field_count; i++) {
        if (text_eq_nocase(call->fields[i].name, name))
            return call->fields[i].value;
    }
    return NULL;
}

static void drop_fields(struct http_call *call)
{
    for (size_t i = 0; i < call->field_count; i++) {
        mem_free(call->fields[i].name);
        mem_free(call->fields[i].value);
    }
    call->field_count = 0;
}

/* Gives back all but the response. */
static void release(struct http_call *call)
{
    timer_stop(&call->timeout);
    curl_resolve_cancel(&call->resolve);
    if (call->state == CALL_RUNNING)
        curl_pool_stop(call->guard.pool, call->easy);
    if (call->easy)
        curl_easy_cleanup(call->easy);
    call->easy = NULL;
    curl_slist_free_all(call->headers);
    call->headers = NULL;
    curl_resolve_fini(&call->resolve);
    curl_url_cleanup(call->url);
    call->url = NULL;
    list_remove(&call->node);
}

static void destroy(struct http_call *call)
{
    release(call);
    drop_fields(call);
    mem_free(call->fields);
    if (call->request_body.len > 0)
        mem_wipe(call->request_body.data, call->request_body.len); /* may hold tokens */
    bytes_fini(&call->request_body);
    bytes_fini(&call->body);
    mem_free(call);
}

static void finish(struct http_call *call)
{
    release(call);
    call->state = CALL_DONE;
    endings_add(&call->client->endings, &call->node);
}

static void fail(struct http_call *call, enum error_code code, const char *text)
{
    call->response.status = 0;
    error_set(&call->response.error, code, "%s", text);
    finish(call);
}

static void tell(struct list *node)
{
    struct http_call *call = list_entry(node, struct http_call, node);
    call->on_done(call->user, &call->response);
    destroy(call);
}

static bool was_sent(CURL *easy)
{
    long bytes = 0;
    return curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &bytes) == CURLE_OK && bytes > 0;
}

static void on_timeout(struct timer *t)
{
    struct http_call *call = container_of(t, struct http_call, timeout);
    call->response.sent = call->easy && was_sent(call->easy);
    char text[64];
    snprintf(text, sizeof text, "no complete answer in %llu ms",
             (unsigned long long)call->timeout_ms);
    fail(call, ERROR_TIMEOUT, text);
}

/* --- what curl reports while a call runs --- */

static size_t on_body(char *data, size_t size, size_t count, void *user)
{
    struct http_call *call = user;
    size_t len = size * count, room = call->max_body_bytes - call->body.len;
    call->too_large = len > room;
    bytes_append(&call->body, data, len > room ? room : len);
    return call->too_large ? 0 : len;
}

static void take_field(struct http_call *call, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    if (!colon)
        return;
    const char *end = line + len, *value = colon + 1;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && strchr(" \t\r\n", end[-1]))
        end--;
    call->fields = mem_grow(call->fields, (call->field_count + 1) * sizeof *call->fields);
    call->fields[call->field_count++] = (struct field){mem_dup_n(line, (size_t)(colon - line)),
                                                       mem_dup_n(value, (size_t)(end - value))};
}

static size_t on_header(char *data, size_t size, size_t count, void *user)
{
    struct http_call *call = user;
    size_t len = size * count;
    call->header_bytes += len;
    if (call->header_bytes > MAX_HEADER_BYTES) {
        call->too_large = true;
        return 0;
    }
    if (len >= 5 && memcmp(data, "HTTP/", 5) == 0)
        drop_fields(call); /* those of a 100 that came before */
    else
        take_field(call, data, len);
    return len;
}

static enum error_code code_of(const struct http_call *call, CURLcode rc)
{
    switch (rc) {
    case CURLE_URL_MALFORMAT:
    case CURLE_SSL_CACERT_BADFILE:
        return ERROR_INVALID;
    case CURLE_PEER_FAILED_VERIFICATION:
        return ERROR_DENIED;
    case CURLE_OPERATION_TIMEDOUT:
        return ERROR_TIMEOUT;
    case CURLE_COULDNT_CONNECT:
        return call->guard.refused.code && !call->guard.opened ? ERROR_DENIED : ERROR_TEMPORARY;
    default: /* of some ninety codes of a library */
        return ERROR_TEMPORARY;
    }
}

static void on_transfer_done(void *user, CURLcode rc)
{
    struct http_call *call = user;
    struct http_response *r = &call->response;
    long status = 0;
    call->state = CALL_DONE;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    r->sent = was_sent(call->easy);
    if (rc == CURLE_OK || (call->too_large && call->header_bytes <= MAX_HEADER_BYTES)) {
        r->status = (int)status;
        r->body = bytes_span(&call->body);
        r->retry_after = find_field(r, "Retry-After");
        r->header = find_field;
        if (call->too_large)
            error_set(&r->error, ERROR_LIMIT, "the answer is larger than %zu bytes",
                      call->max_body_bytes);
        finish(call);
        return;
    }
    enum error_code code = call->too_large ? ERROR_LIMIT : code_of(call, rc);
    if (call->too_large)
        fail(call, code, "the head of the answer is too large");
    else if (code == ERROR_DENIED && call->guard.refused.code)
        fail(call, code, call->guard.refused.text);
    else
        fail(call, code, call->curl_text[0] ? call->curl_text : curl_easy_strerror(rc));
}

/* --- the beginning of a call --- */

static bool is_clean(const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_method(const char *method)
{
    size_t len = strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return len > 0 && len < 20 && !method[len];
}

static bool add_header(struct http_call *call, const char *line)
{
    const char *colon = strchr(line, ':');
    if (!colon || colon == line || !is_clean(line) || strcspn(line, " \t") < (size_t)(colon - line))
        return error_set(&call->response.error, ERROR_INVALID, "not a header: \"%.60s\"", line);
    char empty[128]; /* curl takes "Name;" for a header without a value */
    if (!*text_skip_blank(colon + 1)) {
        if (!text_copy(empty, sizeof empty, line))
            return error_set(&call->response.error, ERROR_INVALID, "header name is too long");
        empty[colon - line] = ';';
        empty[colon - line + 1] = '\0';
        line = empty;
    }
    call->headers = curl_slist_append(call->headers, line);
    return true;
}

static bool has_header(const struct http_request *r, const char *name)
{
    size_t len = strlen(name);
    for (const char *const *h = r->headers; h && *h; h++) {
        if (strncasecmp(*h, name, len) == 0 && (*h)[len] == ':')
            return true;
    }
    return false;
}

static bool take_headers(struct http_call *call, const struct http_request *r)
{
    for (const char *const *h = r->headers; h && *h; h++) {
        if (!add_header(call, *h))
            return false;
    }
    /* "Name:" takes away what curl would say by itself. */
    call->headers = curl_slist_append(call->headers, "Expect:");
    if (!has_header(r, "Content-Type"))
        call->headers = curl_slist_append(call->headers, "Content-Type:");
    if (!has_header(r, "Accept"))
        call->headers = curl_slist_append(call->headers, "Accept: */*");
    return true;
}

static bool take_url(struct http_call *call, const struct http_request *r)
{
    char *scheme = NULL;
    call->url = curl_url();
    CURLUcode rc = curl_url_set(call->url, CURLUPART_URL, r->url, CURLU_DISALLOW_USER);
    if (rc == CURLUE_OK)
        rc = curl_url_get(call->url, CURLUPART_SCHEME, &scheme, 0);
    if (rc != CURLUE_OK)
        return error_set(&call->response.error, ERROR_INVALID, "URL \"%.100s\": %s", r->url,
                         curl_url_strerror(rc));
    bool ok = text_eq(scheme, "https") || (r->allow_http && text_eq(scheme, "http"));
    curl_free(scheme);
    return ok || error_set(&call->response.error, ERROR_INVALID, "URL \"%.100s\": only %s here",
                           r->url, r->allow_http ? "https and http" : "https");
}

static void set_body(struct http_call *call, const struct http_request *r)
{
    if (text_eq(r->method, "HEAD")) {
        CURL_POOL_SET(call->easy, CURLOPT_NOBODY, 1L);
        return;
    }
    bool expected = text_eq(r->method, "POST") || text_eq(r->method, "PUT");
    if (r->body.len > 0 || expected) {
        bytes_append(&call->request_body, r->body.data, r->body.len);
        CURL_POOL_SET(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
        CURL_POOL_SET(call->easy, CURLOPT_POSTFIELDS, bytes_text(&call->request_body));
    }
    CURL_POOL_SET(call->easy, CURLOPT_CUSTOMREQUEST, r->method);
}

static void set_limits(struct http_call *call, const struct http_request *r)
{
    CURL *e = call->easy;
    const char *schemes = r->allow_http ? "https,http" : "https";
    CURL_POOL_SET(e, CURLOPT_PROTOCOLS_STR, schemes);
    CURL_POOL_SET(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (text_eq(r->method, "POST") || text_eq(r->method, "PATCH")) {
        CURL_POOL_SET(e, CURLOPT_FRESH_CONNECT, 1L);
        CURL_POOL_SET(e, CURLOPT_FORBID_REUSE, 1L);
    }
}

static void set_callbacks(struct http_call *call)
{
    CURL *e = call->easy;
    CURL_POOL_SET(e, CURLOPT_ERRORBUFFER, call->curl_text);
    CURL_POOL_SET(e, CURLOPT_WRITEFUNCTION, on_body);
    CURL_POOL_SET(e, CURLOPT_WRITEDATA, call);
    CURL_POOL_SET(e, CURLOPT_HEADERFUNCTION, on_header);
    CURL_POOL_SET(e, CURLOPT_HEADERDATA, call);
}

static bool prepare(struct http_call *call, const struct http_request *r)
{
    if (!is_method(r->method))
        return error_set(&call->response.error, ERROR_INVALID, "not a method: \"%.20s\"",
                         r->method);
    if (!take_url(call, r) || !take_headers(call, r))
        return false;
    call->easy = curl_easy_init();
    CHECK(call->easy);
    curl_pool_prepare(call->easy, &call->guard, call->client->ca_file);
    set_limits(call, r);
    set_callbacks(call);
    set_body(call, r);
    CURL_POOL_SET(call->easy, CURLOPT_CURLU, call->url);
    CURL_POOL_SET(call->easy, CURLOPT_HTTPHEADER, call->headers);
    CURL_POOL_SET(call->easy, CURLOPT_USERAGENT, "Causeway/" CAUSEWAY_VERSION);
    return true;
}

static void on_resolved(struct curl_resolve *r, const struct error *e)
{
    struct http_call *call = container_of(r, struct http_call, resolve);
    if (e->code != ERROR_NONE) {
        fail(call, e->code, e->text);
        return;
    }
    call->state = CALL_RUNNING;
    curl_pool_start(call->guard.pool, call->easy);
}

static void start(struct http_call *call)
{
    call->state = CALL_RESOLVING;
    timer_start(&call->timeout, call->client->loop, call->timeout_ms, on_timeout);
    call->resolve = (struct curl_resolve){.easy = call->easy,
                                          .url = call->url,
                                          .guard = &call->guard,
                                          .what = "the URL",
                                          .on_done = on_resolved};
    curl_resolve_start(&call->resolve, call->client->dns);
}

/* --- outside --- */

struct http_client *http_client_create(struct loop *l, struct dns *d, const struct egress *g,
                                       const char *ca_file)
{
    loop_check(l);
    struct http_client *c = mem_new(struct http_client);
    c->loop = l;
    c->dns = d;
    c->egress = g;
    c->ca_file = ca_file ? mem_dup(ca_file) : NULL;
    list_init(&c->calls);
    endings_init(&c->endings, l, tell);
    return c;
}

void http_client_destroy(struct http_client **cp)
{
    struct http_client *c = *cp;
    if (!c)
        return;
    loop_check(c->loop);
    struct list *node;
    while ((node = list_first(&c->calls))) {
        struct http_call *call = list_entry(node, struct http_call, node);
        call->response.sent = call->easy && was_sent(call->easy);
        fail(call, ERROR_CANCELLED, "the client is closed");
    }
    endings_fini(&c->endings);
    CHECK(list_is_empty(&c->calls)); /* nobody calls while it is destroyed */
    for (int i = 0; i < EGRESS_PURPOSES; i++)
        curl_pool_destroy(&c->pools[i]);
    mem_free(c->ca_file);
    mem_free(c);
    *cp = NULL;
}

struct http_call *http_call(struct http_client *c, const struct http_request *r,
                            void (*on_done)(void *user, const struct http_response *), void *user)
{
    loop_check(c->loop);
    CHECK(r->purpose < EGRESS_PURPOSES);
    struct http_call *call = mem_new(struct http_call);
    call->client = c;
    if (!c->pools[r->purpose])
        c->pools[r->purpose] = curl_pool_create(c->loop, on_transfer_done);
    call->guard = (struct curl_pool_guard){
        .pool = c->pools[r->purpose], .egress = c->egress, .purpose = r->purpose, .user = call};
    call->timeout_ms = r->timeout_ms ? r->timeout_ms : DEFAULT_TIMEOUT_MS;
    call->max_body_bytes = r->max_body_bytes ? r->max_body_bytes : DEFAULT_BODY_BYTES;
    call->response.header = find_field;
    call->on_done = on_done;
    call->user = user;
    list_append(&c->calls, &call->node);
    if (prepare(call, r))
        start(call);
    else
        finish(call);
    return call;
}

void http_call_cancel(struct http_call *call)
{
    loop_check(call->client->loop);
    destroy(call);
}
