/* SPDX-License-Identifier: MIT */
/* The HTTP server over real sockets: what is answered, refused, timed out, kept open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <errno.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "gateway/base/text.h"
#include "gateway/net/http_server.h"
#include "test/unit/gateway/net/line_client.h"

#define H "Host: a\r\n"

struct test {
    struct net_world w;
    struct http_server *server;
    struct http_exchange *waiting; /* a request to /later */
    unsigned requests;
    struct line_client c;
};

static void on_request(void *user, struct http_exchange *x, const struct http_incoming *in)
{
    struct test *t = user;
    t->requests++;
    assert_string_equal(in->peer, "127.0.0.1");
    assert_true(text_eq(in->host, in->header(in, "HOST")));
    if (text_eq(in->target, "/later")) {
        t->waiting = x;
        return;
    }
    if (text_eq(in->target, "/close"))
        http_server_close(&t->server);
    const char *text = arena_printf(in->arena, "%s %s [%.*s]", in->method, in->target,
                                    (int)in->body.len, in->body.len ? in->body.data : "");
    http_answer(x, 200, "text/plain", span_of(text));
}

static int test_open(void **state)
{
    static const struct dns_row none[] = {{NULL, NULL}};
    struct test *t = test_calloc(1, sizeof *t);
    struct error e = ERROR_INIT;
    net_world_open(&t->w, none);
    struct http_server_options o = {.loop = t->w.loop, .address = "127.0.0.1",
                                    .max_body_bytes = 32, .on_request = on_request, .user = t};
    t->server = http_server_open(&o, &e);
    if (!t->server)
        fail_msg("%s", e.text);
    t->c.fd = -1;
    *state = t;
    return 0;
}

static int test_close(void **state)
{
    struct test *t = *state;
    http_server_close(&t->server);
    line_client_close(&t->c);
    net_world_close(&t->w);
    test_free(t);
    return 0;
}

static void connect_client(struct test *t)
{
    line_client_connect(&t->c, http_server_port(t->server));
}

static void say(struct test *t, const char *text)
{
    line_client_say(&t->c, text);
}

static unsigned count(const char *in, const char *what)
{
    unsigned n = 0;
    while ((in = strstr(in, what))) {
        in++;
        n++;
    }
    return n;
}

static void wait_for(struct test *t, const char *text)
{
    line_client_wait_for(&t->c, &t->w, text);
}

static void answers(void **state)
{
    struct test *t = *state;
    static const struct {
        const char *request, *status, *last;
        bool closes;
        const char *proves;
    } table[] = {
        {"GET /a?b=c HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 200 OK\r\n", "GET /a?b=c []", false, "GET"},
        {"POST /p HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\nhi", "HTTP/1.1 200 OK\r\n",
         "POST /p [hi]", false, "POST"},
        {"HEAD /h HTTP/1.1\r\n" H "\r\n", "Content-Length: 10\r\n", "nosniff\r\n\r\n", false,
         "HEAD has a length and no body"},
        {"GET /o HTTP/1.0\r\n\r\n", "Connection: close\r\n", "GET /o []", true, "HTTP/1.0 closes"},
        {"GET /c HTTP/1.1\r\n" H "Connection: close\r\n\r\n", "Connection: close\r\n", "GET /c []",
         true, "closed on request"},
        {"GET /d HTTP/1.1\r\n" H "\r\n", "Date: Tue, 01 Jan 2030 00:00:00 GMT\r\n", "GET /d []",
         false, "the date of the loop's clock"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        connect_client(t);
        say(t, table[i].request);
        wait_for(t, table[i].last);
        if (!strstr(t->c.got, table[i].status))
            fail_msg("%s: %s", table[i].proves, t->c.got);
        if (strncmp(table[i].request, "HEAD", 4) == 0)
            assert_null(strstr(t->c.got, "HEAD"));
        if (table[i].closes)
            line_client_wait_eof(&t->c, &t->w);
        assert_int_equal(strstr(t->c.got, "Connection: close") != NULL, table[i].closes);
    }
}

static void refusals(void **state)
{
    struct test *t = *state;
    static char long_head[17000];
    memset(long_head, 'x', sizeof long_head - 1);
    memcpy(long_head, "GET / HTTP/1.1\r\nX:", 18);
    const struct {
        const char *request, *status;
    } table[] = {
        {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "HTTP/1.1 400 Bad Request"},
        {"GET / HTTP/1.1\n" H "\r\n", "HTTP/1.1 400 "},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
         "HTTP/1.1 400 "},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 33\r\n\r\n", "HTTP/1.1 413 "},
        {"GET / HTTP/3.0\r\n" H "\r\n", "HTTP/1.1 505 "},
        {"FROB / HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 501 "},
        {long_head, "HTTP/1.1 431 "},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        connect_client(t);
        say(t, table[i].request);
        wait_for(t, table[i].status);
        line_client_wait_eof(&t->c, &t->w);
        assert_int_equal(count(t->c.got, "HTTP/1.1 "), 1);
        assert_non_null(strstr(t->c.got, "Connection: close\r\n"));
    }
    assert_int_equal(t->requests, 0); /* none of them reached anybody */
}

static void kept_and_pipelined(void **state)
{
    struct test *t = *state;
    connect_client(t);
    for (int i = 0; i < 3; i++) {
        t->c.got_len = 0;
        say(t, "GET /again HTTP/1.1\r\n" H "\r\n");
        wait_for(t, "GET /again []");
    }
    t->c.got_len = 0;
    say(t, "GET /1 HTTP/1.1\r\n" H "\r\nPOST /2 HTTP/1.1\r\n" H
           "Content-Length: 1\r\n\r\nxGET /3 HTTP/1.1\r\n" H "\r\n");
    wait_for(t, "GET /3 []");
    assert_true(strstr(t->c.got, "/1") < strstr(t->c.got, "/2"));
    assert_int_equal(t->requests, 6);
}

/* The next request waits until the one before it is answered. */
static void answered_later(void **state)
{
    struct test *t = *state;
    connect_client(t);
    say(t, "GET /later HTTP/1.1\r\n" H "\r\nGET /next HTTP/1.1\r\n" H "\r\n");
    net_world_until(&t->w, t->waiting);
    say(t, "GET /last HTTP/1.1\r\n" H "\r\n");
    clock_fake_advance(&t->w.clock, 600000); /* the answer may take its time */
    for (int i = 0; i < 5; i++)
        loop_turn(t->w.loop);
    assert_int_equal(t->requests, 1);
    http_answer(t->waiting, 202, NULL, (struct span){0});
    wait_for(t, "GET /last []");
    assert_non_null(strstr(t->c.got, "HTTP/1.1 202 Accepted\r\n"));
    assert_true(strstr(t->c.got, "202") < strstr(t->c.got, "/next"));
}

static void peer_leaves_before_the_answer(void **state)
{
    struct test *t = *state;
    connect_client(t);
    say(t, "GET /later HTTP/1.1\r\n" H "\r\n");
    net_world_until(&t->w, t->waiting);
    line_client_close(&t->c);
    for (int i = 0; i < 5; i++)
        loop_turn(t->w.loop);
    http_answer(t->waiting, 200, "text/plain", SPAN("too late"));
}

static void server_closes_before_the_answer(void **state)
{
    struct test *t = *state;
    connect_client(t);
    say(t, "GET /later HTTP/1.1\r\n" H "\r\n");
    net_world_until(&t->w, t->waiting);
    http_server_close(&t->server);
    line_client_wait_eof(&t->c, &t->w);
    http_answer(t->waiting, 200, "text/plain", SPAN("too late"));
}

static void closed_from_inside_a_request(void **state)
{
    struct test *t = *state;
    connect_client(t);
    say(t, "GET /close HTTP/1.1\r\n" H "\r\nGET /x HTTP/1.1\r\n" H "\r\n");
    line_client_wait_eof(&t->c, &t->w);
    assert_int_equal(t->requests, 1);
}

static void continue_is_said(void **state)
{
    struct test *t = *state;
    connect_client(t);
    say(t, "POST /e HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    wait_for(t, "HTTP/1.1 100 Continue\r\n\r\n");
    say(t, "ok");
    wait_for(t, "POST /e [ok]");
    assert_int_equal(count(t->c.got, "HTTP/1.1 100"), 1);
}

static void slow_and_idle(void **state)
{
    struct test *t = *state;
    static const struct {
        const char *text;
        uint64_t early_ms, late_ms;
        bool says_408;
        const char *proves;
    } table[] = {
        {"", 14500, 1000, false, "a peer that says nothing is cut"},
        {"GET / HT", 14500, 1000, true, "a request that does not end"},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\n1", 14500, 1000, true, "slow body"},
        {"GET /i HTTP/1.1\r\n" H "\r\n", 29000, 2000, false, "idle between requests"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        unsigned before = t->requests;
        connect_client(t);
        say(t, table[i].text);
        net_world_until(&t->w, !loop_turn(t->w.loop) && !loop_turn(t->w.loop));
        clock_fake_advance(&t->w.clock, table[i].early_ms);
        loop_turn(t->w.loop);
        line_client_hear(&t->c);
        if (t->c.eof || strstr(t->c.got, "408"))
            fail_msg("%s: too early", table[i].proves);
        clock_fake_advance(&t->w.clock, table[i].late_ms);
        line_client_wait_eof(&t->c, &t->w);
        assert_int_equal(strstr(t->c.got, "HTTP/1.1 408 ") != NULL, table[i].says_408);
        assert_int_equal(t->requests - before, strstr(t->c.got, "GET /i") != NULL);
    }
}

/* A socket that was reset before it is looked at does not tell its address any more; its place among the
 * connections of that address is free again all the same. */
static void reset_before_accepted(void **state)
{
    struct test *t = *state;
    struct linger now = {1, 0};
    for (int i = 0; i < 300; i++) { /* more than one address may have */
        connect_client(t);
        setsockopt(t->c.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        line_client_close(&t->c);
        if (i % 50 == 49)
            while (loop_turn(t->w.loop))
                continue;
    }
    connect_client(t);
    say(t, "GET /still HTTP/1.1\r\n" H "\r\n");
    wait_for(t, "GET /still []");
}

static void cannot_be_bound(void **state)
{
    struct test *t = *state;
    struct error e = ERROR_INIT;
    struct http_server_options o = {.loop = t->w.loop, .address = "nowhere", .on_request = on_request};
    assert_null(http_server_open(&o, &e));
    assert_true(e.text[0] != '\0');
}

/* Requests behind each other whose answers nobody reads: they do not pile up. */
static void answers_that_nobody_reads(void **state)
{
    struct test *t = *state;
    char many[100 * sizeof "GET /a HTTP/1.1\r\n" H "\r\n"] = "";
    bool cut = false;
    size_t sent = 0, at = 0;
    int patience = 4000;
    for (int i = 0; i < 100; i++)
        strcat(many, "GET /a HTTP/1.1\r\n" H "\r\n");
    connect_client(t);
    while (!cut && sent < (size_t)16 << 20) {
        ssize_t n = send(t->c.fd, many + at, strlen(many) - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        cut = n < 0 && errno != EAGAIN;
        sent += n > 0 ? (size_t)n : 0;
        at = n > 0 ? (at + (size_t)n) % strlen(many) : at;
        net_world_turn(&t->w, &patience);
    }
    assert_in_range(t->requests, 1, 150000); /* what kernels hold of their answers, and a little more */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers, test_open, test_close),
        cmocka_unit_test_setup_teardown(refusals, test_open, test_close),
        cmocka_unit_test_setup_teardown(kept_and_pipelined, test_open, test_close),
        cmocka_unit_test_setup_teardown(answers_that_nobody_reads, test_open, test_close),
        cmocka_unit_test_setup_teardown(answered_later, test_open, test_close),
        cmocka_unit_test_setup_teardown(peer_leaves_before_the_answer, test_open, test_close),
        cmocka_unit_test_setup_teardown(server_closes_before_the_answer, test_open, test_close),
        cmocka_unit_test_setup_teardown(closed_from_inside_a_request, test_open, test_close),
        cmocka_unit_test_setup_teardown(continue_is_said, test_open, test_close),
        cmocka_unit_test_setup_teardown(slow_and_idle, test_open, test_close),
        cmocka_unit_test_setup_teardown(reset_before_accepted, test_open, test_close),
        cmocka_unit_test_setup_teardown(cannot_be_bound, test_open, test_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
