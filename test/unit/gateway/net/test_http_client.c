/* SPDX-License-Identifier: MIT */
/* The HTTP client against our own server, plain and with TLS, and against peers that misbehave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/base/text.h"
#include "gateway/net/http_client.h"
#include "gateway/net/http_server.h"
#include "test/unit/gateway/net/net_world.h"
#include "test/unit/gateway/net/pki.h"

static const struct dns_row rows[] = {
    {"hook.example", "A 127.0.0.1"},    {"wrong.example", "A 127.0.0.1"},
    {"mixed.example", "AAAA fd00::1"},  {"mixed.example", "A 127.0.0.1"},
    {"inside.example", "A 10.0.0.1"},   {"silent.example", "SILENT"},
    {"broken.example", "SERVFAIL"},     {NULL, NULL},
};

struct test {
    struct net_world w;
    struct pki pki;
    struct tls_store *tls;
    struct http_server *plain, *secure;
    struct http_client *client;
    struct http_exchange *waiting;
    unsigned requests;
    int listening; /* a socket that accepts and says nothing */
    /* the last answer */
    unsigned done;
    int status;
    bool sent;
    struct error error;
    char body[512], retry_after[32], type[64];
};

static void on_request(void *user, struct http_exchange *x, const struct http_incoming *in)
{
    struct test *t = user;
    t->requests++;
    if (text_eq(in->target, "/later")) {
        t->waiting = x;
        return;
    }
    if (text_eq(in->target, "/big")) {
        char *big = arena_alloc(in->arena, 100001);
        memset(big, 'x', 100000);
        http_answer(x, 200, "text/plain", span_of(big));
        return;
    }
    if (text_eq(in->target, "/redirect")) {
        http_answer(x, 302, NULL, (struct span){0});
        return;
    }
    const char *type = in->header(in, "Content-Type"), *token = in->header(in, "X-Token");
    const char *text = arena_printf(in->arena, "%s %s host=%s type=%s token=%s [%.*s]", in->method,
                                    in->target, in->host, type ? type : "none",
                                    token ? token : "none", (int)in->body.len,
                                    in->body.len ? in->body.data : "");
    http_answer(x, text_eq(in->target, "/made") ? 201 : 200, "text/plain", span_of(text));
}

static void on_done(void *user, const struct http_response *r)
{
    struct test *t = user;
    t->done++;
    t->status = r->status;
    t->sent = r->sent;
    t->error = r->error;
    snprintf(t->body, sizeof t->body, "%.*s", (int)r->body.len, r->body.len ? r->body.data : "");
    text_copy(t->retry_after, sizeof t->retry_after, r->retry_after ? r->retry_after : "");
    const char *type = r->header(r, "content-TYPE");
    text_copy(t->type, sizeof t->type, type ? type : "");
    assert_int_equal(r->status == 0, r->error.code != ERROR_NONE && r->error.code != ERROR_LIMIT);
}

static struct http_server *serve(struct test *t, struct tls_store *tls)
{
    struct error e = ERROR_INIT;
    struct http_server_options o = {.loop = t->w.loop, .address = "127.0.0.1", .tls = tls,
                                    .on_request = on_request, .user = t};
    struct http_server *s = http_server_open(&o, &e);
    if (!s)
        fail_msg("%s", e.text);
    return s;
}

static int test_open(void **state)
{
    struct test *t = test_calloc(1, sizeof *t);
    struct error e = ERROR_INIT;
    net_world_open(&t->w, rows);
    pki_init(&t->pki);
    struct pki_files f = pki_issue(&t->pki, "hook.example", "DNS:hook.example,DNS:mixed.example", 30);
    t->tls = tls_store_create(t->pki.ca_file, &e);
    if (!t->tls || !tls_store_set(t->tls, "hook.example", f.chain, f.key, &e))
        fail_msg("%s", e.text);
    t->plain = serve(t, NULL);
    t->secure = serve(t, t->tls);
    t->client = http_client_create(t->w.loop, t->w.dns, t->w.egress, t->pki.ca_file);
    t->listening = -1;
    *state = t;
    return 0;
}

static int test_close(void **state)
{
    struct test *t = *state;
    http_client_destroy(&t->client);
    http_server_close(&t->plain);
    http_server_close(&t->secure);
    tls_store_destroy(&t->tls);
    if (t->listening >= 0)
        close(t->listening);
    net_world_close(&t->w);
    pki_fini(&t->pki);
    test_free(t);
    return 0;
}

/* "HOST/PATH" with the port of a server of ours put between. */
static const char *url(struct test *t, const char *scheme, const char *host_path)
{
    static char out[256];
    struct http_server *s = text_eq(scheme, "https") ? t->secure : t->plain;
    int host = (int)strcspn(host_path, "/");
    snprintf(out, sizeof out, "%s://%.*s:%u%s", scheme, host, host_path, http_server_port(s),
             host_path + host);
    return out;
}

static void call(struct test *t, const struct http_request *r)
{
    unsigned before = t->done;
    http_call(t->client, r, on_done, t);
    assert_int_equal(t->done, before); /* never before the call returned */
    net_world_until(&t->w, t->done > before);
    assert_int_equal(t->done, before + 1);
}

static void get(struct test *t, const char *address)
{
    call(t, &(struct http_request){.method = "GET", .url = address, .allow_http = true});
}

static void plain_and_secure(void **state)
{
    struct test *t = *state;
    static const char *const headers[] = {"X-Token: abc", "Content-Type: application/json", NULL};
    static const struct {
        const char *method, *scheme, *target;
        const char *const *headers;
        const char *body;
        int status;
        const char *want;
    } table[] = {
        {"GET", "http", "hook.example/x?y", NULL, "", 200, "GET /x?y host=hook.example"},
        {"GET", "https", "hook.example/s", NULL, "", 200, "GET /s host=hook.example"},
        {"GET", "https", "mixed.example/s", NULL, "", 200, "GET /s host=mixed.example"},
        {"GET", "http", "127.0.0.1/n", NULL, "", 200, "GET /n host=127.0.0.1"},
        {"POST", "https", "hook.example/made", headers, "{}", 201, "type=application/json token=abc [{}]"},
        {"POST", "http", "hook.example/e", NULL, "", 200, "POST /e"},
        {"PUT", "http", "hook.example/p", NULL, "b", 200, "type=none token=none [b]"},
        {"DELETE", "http", "hook.example/d", NULL, "", 200, "DELETE /d"},
        {"HEAD", "http", "hook.example/h", NULL, "", 200, ""},
        {"GET", "http", "hook.example/redirect", NULL, "", 302, ""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        call(t, &(struct http_request){.method = table[i].method,
                                       .url = url(t, table[i].scheme, table[i].target),
                                       .headers = table[i].headers,
                                       .body = span_of(table[i].body),
                                       .allow_http = true});
        if (t->status != table[i].status || !strstr(t->body, table[i].want))
            fail_msg("%s %s: %d %s %s", table[i].method, table[i].target, t->status, t->body,
                     t->error.text);
        assert_true(t->sent);
    }
}

static void refused_before_anything_is_sent(void **state)
{
    struct test *t = *state;
    static const char *const crlf[] = {"X: a\r\nY: b", NULL};
    static const char *const nameless[] = {": a", NULL};
    static const char *const no_colon[] = {"nothing", NULL};
    static const struct {
        const char *method, *url;
        const char *const *headers;
        bool allow_http;
        enum error_code code;
        const char *proves;
    } table[] = {
        {"GET", "http://hook.example/", NULL, false, ERROR_INVALID, "https only by default"},
        {"GET", "file:///etc/passwd", NULL, true, ERROR_INVALID, "no other scheme"},
        {"GET", "gopher://hook.example/", NULL, true, ERROR_INVALID, "no other scheme"},
        {"GET", "hook.example", NULL, true, ERROR_INVALID, "no scheme"},
        {"GET", "https://u:p@hook.example/", NULL, true, ERROR_INVALID, "no passwords in URLs"},
        {"GET", "https://:443/x", NULL, true, ERROR_INVALID, "no host"},
        {"get", "https://hook.example/", NULL, true, ERROR_INVALID, "methods are upper case"},
        {"GET / HTTP/1.1\r\nX:", "https://hook.example/", NULL, true, ERROR_INVALID, "no injection"},
        {"GET", "https://hook.example/", crlf, true, ERROR_INVALID, "no CR LF in headers"},
        {"GET", "https://hook.example/", nameless, true, ERROR_INVALID, "header without a name"},
        {"GET", "https://hook.example/", no_colon, true, ERROR_INVALID, "header without a colon"},
        {"GET", "https://inside.example/", NULL, true, ERROR_DENIED, "a name that points inside"},
        {"GET", "https://10.0.0.1/", NULL, true, ERROR_DENIED, "private address"},
        {"GET", "https://[::ffff:10.0.0.1]/", NULL, true, ERROR_DENIED, "mapped"},
        {"GET", "https://0x0a000001/", NULL, true, ERROR_DENIED, "the host as one number"},
        {"GET", "https://absent.example/", NULL, true, ERROR_NOT_FOUND, "no such name"},
        {"GET", "https://broken.example/", NULL, true, ERROR_TEMPORARY, "no answer about the name"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        call(t, &(struct http_request){.method = table[i].method, .url = table[i].url,
                                       .headers = table[i].headers,
                                       .allow_http = table[i].allow_http});
        if (t->status || t->error.code != table[i].code || t->sent)
            fail_msg("%s: %d %d %s", table[i].proves, t->status, t->error.code, t->error.text);
    }
    assert_int_equal(t->requests, 0);
}

/* Without a rule nothing on this machine is reached, whatever its name or spelling. */
static void default_guard(void **state)
{
    struct test *t = *state;
    struct egress *none = egress_create();
    http_client_destroy(&t->client);
    t->client = http_client_create(t->w.loop, t->w.dns, none, t->pki.ca_file);
    static const char *const hosts[] = {"hook.example/", "127.0.0.1/", "localhost/", "[::1]/",
                                        "[::ffff:127.0.0.1]/", "127.1/", "2130706433/"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        get(t, url(t, "http", hosts[i]));
        if (t->error.code != ERROR_DENIED || !strstr(t->error.text, "loopback"))
            fail_msg("%s: %d %s", hosts[i], t->status, t->error.text);
    }
    assert_int_equal(t->requests, 0);
    http_client_destroy(&t->client);
    egress_destroy(&none);
}

static void certificates(void **state)
{
    struct test *t = *state;
    get(t, url(t, "https", "wrong.example/"));
    assert_int_equal(t->error.code, ERROR_DENIED);
    assert_false(t->sent);
    http_client_destroy(&t->client);
    t->client = http_client_create(t->w.loop, t->w.dns, t->w.egress, NULL);
    get(t, url(t, "https", "hook.example/")); /* the system does not know our CA */
    assert_int_equal(t->error.code, ERROR_DENIED);
    assert_int_equal(t->requests, 0);
}

static void body_is_capped(void **state)
{
    struct test *t = *state;
    get(t, url(t, "https", "hook.example/big"));
    assert_int_equal(t->status, 200);
    assert_int_equal(t->error.code, ERROR_LIMIT);
    call(t, &(struct http_request){.method = "GET", .url = url(t, "http", "hook.example/big"),
                                   .max_body_bytes = 100000, .allow_http = true});
    assert_int_equal(t->status, 200);
    assert_int_equal(t->error.code, ERROR_NONE);
}

static void timeout_and_cancel(void **state)
{
    struct test *t = *state;
    struct http_request r = {.method = "POST", .url = url(t, "https", "hook.example/later"),
                             .body = SPAN("x")};
    http_call(t->client, &r, on_done, t);
    net_world_until(&t->w, t->waiting);
    clock_fake_advance(&t->w.clock, 31000);
    net_world_until(&t->w, t->done == 1);
    assert_int_equal(t->error.code, ERROR_TIMEOUT);
    assert_true(t->sent); /* outcome unknown */
    http_answer(t->waiting, 200, NULL, (struct span){0});

    t->waiting = NULL;
    struct http_call *c = http_call(t->client, &r, on_done, t);
    net_world_until(&t->w, t->waiting);
    http_call_cancel(c);
    http_answer(t->waiting, 200, NULL, (struct span){0});
    http_call_cancel(http_call(t->client, &r, on_done, t));

    t->waiting = NULL;
    r.url = "https://silent.example/";
    http_call(t->client, &r, on_done, t);
    clock_fake_advance(&t->w.clock, 31000);
    net_world_until(&t->w, t->done == 2);
    assert_false(t->sent);
}

static void destroy_completes(void **state)
{
    struct test *t = *state;
    http_call(t->client, &(struct http_request){.method = "POST", .url = url(t, "https", "hook.example/later")},
              on_done, t);
    net_world_until(&t->w, t->waiting);
    http_client_destroy(&t->client);
    assert_int_equal(t->done, 1);
    assert_int_equal(t->error.code, ERROR_CANCELLED);
    assert_true(t->sent);
    http_answer(t->waiting, 200, NULL, (struct span){0});
}

/* --- a peer that says what the row says, then closes --- */

struct raw {
    uv_poll_t listen, conn;
    int fd;
    const char *words;
    char heard[2048];
    size_t heard_len;
    unsigned accepted;
};

static void on_raw_readable(uv_poll_t *p, int status, int events)
{
    struct raw *raw = p->data;
    (void)status;
    (void)events;
    ssize_t n = recv(raw->fd, raw->heard + raw->heard_len, sizeof raw->heard - raw->heard_len - 1, 0);
    if (n > 0)
        raw->heard_len += (size_t)n;
    if (n > 0 && !strstr(raw->heard, "\r\n\r\n"))
        return;
    if (n > 0)
        send(raw->fd, raw->words, strlen(raw->words), MSG_NOSIGNAL);
    uv_poll_stop(&raw->conn);
    uv_close((uv_handle_t *)&raw->conn, NULL);
    close(raw->fd);
}

static void on_raw_accept(uv_poll_t *p, int status, int events)
{
    struct raw *raw = p->data;
    uv_os_fd_t fd;
    (void)status;
    (void)events;
    uv_fileno((uv_handle_t *)p, &fd);
    raw->fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    raw->accepted++;
    memset(raw->heard, 0, sizeof raw->heard);
    raw->heard_len = 0;
    uv_poll_init(p->loop, &raw->conn, raw->fd);
    raw->conn.data = raw;
    uv_poll_start(&raw->conn, UV_READABLE, on_raw_readable);
}

static void odd_answers(void **state)
{
    struct test *t = *state;
    static const struct {
        const char *words;
        int status;
        enum error_code code;
        const char *body, *retry_after, *proves;
    } table[] = {
        {"HTTP/1.1 503 Later\r\nRetry-After: 120\r\nContent-Length: 2\r\n\r\nno", 503, ERROR_NONE,
         "no", "120", "Retry-After"},
        {"HTTP/1.1 100 Continue\r\nRetry-After: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
         200, ERROR_NONE, "", "", "the head of a 100 is forgotten"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", 0, ERROR_TEMPORARY, "", "",
         "an answer that breaks off is none"},
        {"", 0, ERROR_TEMPORARY, "", "", "no answer at all"},
        {"SSH-2.0-OpenSSH\r\n", 0, ERROR_TEMPORARY, "", "", "not HTTP"},
        {"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, ERROR_NONE, "until the end", "", "HTTP/1.0"},
        {"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\nContent-Length: 0\r\n\r\n", 302,
         ERROR_NONE, "", "", "redirects are not followed"},
    };
    struct sockaddr_in in = {.sin_family = AF_INET};
    socklen_t len = sizeof in;
    inet_pton(AF_INET, "127.0.0.1", &in.sin_addr);
    t->listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(t->listening, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(listen(t->listening, 8), 0);
    getsockname(t->listening, (struct sockaddr *)&in, &len);
    struct raw raw = {.fd = -1};
    uv_poll_init(loop_uv(t->w.loop), &raw.listen, t->listening);
    raw.listen.data = &raw;
    uv_poll_start(&raw.listen, UV_READABLE, on_raw_accept);
    char address[64];
    snprintf(address, sizeof address, "http://hook.example:%u/x", ntohs(in.sin_port));
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        raw.words = table[i].words;
        call(t, &(struct http_request){.method = "POST", .url = address, .body = SPAN("b"),
                                       .allow_http = true});
        if (t->status != table[i].status || t->error.code != table[i].code)
            fail_msg("%s: %d %d %s", table[i].proves, t->status, t->error.code, t->error.text);
        assert_true(t->sent);
        assert_string_equal(t->retry_after, table[i].retry_after);
        assert_string_equal(t->body, table[i].body);
        assert_int_equal(raw.accepted, i + 1); /* a POST is never sent twice */
    }
    uv_close((uv_handle_t *)&raw.listen, NULL);
    loop_turn(t->w.loop);
}

static void many_at_once(void **state)
{
    struct test *t = *state;
    char address[128];
    snprintf(address, sizeof address, "%s", url(t, "https", "hook.example/many"));
    for (int i = 0; i < 40; i++)
        http_call(t->client, &(struct http_request){.method = i % 2 ? "GET" : "POST", .url = address},
                  on_done, t);
    net_world_until(&t->w, t->done == 40);
    assert_int_equal(t->requests, 40);
    assert_int_equal(t->status, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(plain_and_secure, test_open, test_close),
        cmocka_unit_test_setup_teardown(refused_before_anything_is_sent, test_open, test_close),
        cmocka_unit_test_setup_teardown(default_guard, test_open, test_close),
        cmocka_unit_test_setup_teardown(certificates, test_open, test_close),
        cmocka_unit_test_setup_teardown(body_is_capped, test_open, test_close),
        cmocka_unit_test_setup_teardown(timeout_and_cancel, test_open, test_close),
        cmocka_unit_test_setup_teardown(destroy_completes, test_open, test_close),
        cmocka_unit_test_setup_teardown(odd_answers, test_open, test_close),
        cmocka_unit_test_setup_teardown(many_at_once, test_open, test_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
