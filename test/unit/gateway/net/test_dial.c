/* SPDX-License-Identifier: MIT */
/* Racing, refusals and time-outs of outgoing connections, on loopback with real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/net/dial.h"
#include "test/unit/gateway/net/net_world.h"

static const struct dns_row rows[] = {
    {"both.example", "AAAA ::1"},         {"both.example", "A 127.0.0.1"},
    {"four.example", "A 127.0.0.1"},      {"private.example", "A 10.0.0.1"},
    {"mixed.example", "AAAA fd00::1"},    {"mixed.example", "A 127.0.0.1"},
    {"silent.example", "SILENT"},         {"broken.example", "SERVFAIL"},
    {"text.example", "TXT"},              {NULL, NULL},
};

struct test {
    struct net_world w;
    int four, six; /* listening on the same port of 127.0.0.1 and ::1; -1: closed */
    int stuffing[8];
    uint16_t port;
    bool done;
    uv_os_sock_t fd;
    struct error error;
};

static int listen_on(const char *address, uint16_t port)
{
    struct sockaddr_storage ss = {0};
    struct sockaddr_in *four = (struct sockaddr_in *)&ss;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&ss;
    int on = 1;
    if (inet_pton(AF_INET, address, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
    } else {
        assert_int_equal(inet_pton(AF_INET6, address, &six->sin6_addr), 1);
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(port);
    }
    int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(fd, (struct sockaddr *)&ss, ss.ss_family == AF_INET ? sizeof *four : sizeof *six), 0);
    assert_int_equal(listen(fd, 64), 0);
    return fd;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in in;
    socklen_t len = sizeof in;
    getsockname(fd, (struct sockaddr *)&in, &len);
    return ntohs(in.sin_port);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int test_open(void **state)
{
    struct test *t = test_calloc(1, sizeof *t);
    net_world_open(&t->w, rows);
    t->four = listen_on("127.0.0.1", 0);
    t->port = port_of(t->four);
    t->six = listen_on("::1", t->port);
    for (int i = 0; i < 8; i++)
        t->stuffing[i] = -1;
    *state = t;
    return 0;
}

static int test_close(void **state)
{
    struct test *t = *state;
    net_world_close(&t->w);
    close_fd(&t->four);
    close_fd(&t->six);
    for (int i = 0; i < 8; i++)
        close_fd(&t->stuffing[i]);
    test_free(t);
    return 0;
}

static void on_done(void *user, const struct dialled *d)
{
    struct test *t = user;
    assert_false(t->done);
    assert_int_equal(d->fd < 0, d->e.code != ERROR_NONE);
    t->done = true;
    t->fd = d->fd;
    t->error = d->e;
}

static struct dial *start(struct test *t, const char *host)
{
    struct dial_options o = {.loop = t->w.loop, .dns = t->w.dns, .egress = t->w.egress,
                             .purpose = EGRESS_S2S, .host = host, .port = t->port};
    t->done = false;
    struct dial *d = dial_start(&o, on_done, t);
    assert_false(t->done); /* never before the call returned */
    return d;
}

static int peer_family(struct test *t)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    assert_int_equal(getpeername(t->fd, (struct sockaddr *)&ss, &len), 0);
    close(t->fd);
    return ss.ss_family;
}

static void connects(void **state)
{
    struct test *t = *state;
    static const struct {
        const char *host;
        bool six_listens;
        int family;
        const char *proves;
    } table[] = {
        {"127.0.0.1", true, AF_INET, "numeric IPv4"},
        {"[::1]", true, AF_INET6, "numeric IPv6"},
        {"both.example", true, AF_INET6, "IPv6 first"},
        {"mixed.example", true, AF_INET, "what the guard refuses is passed over"},
        {"both.example", false, AF_INET, "refused: the next without waiting"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (!table[i].six_listens)
            close_fd(&t->six);
        start(t, table[i].host);
        net_world_until(&t->w, t->done);
        if (t->fd < 0)
            fail_msg("%s: %s", table[i].proves, t->error.text);
        assert_int_equal(peer_family(t), table[i].family);
    }
}

/* Fills the backlog of ::1, so that a further connect hangs. */
static void stuff(struct test *t)
{
    listen(t->six, 0);
    struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(t->port)};
    inet_pton(AF_INET6, "::1", &in.sin6_addr);
    for (int i = 0; i < 8; i++) {
        t->stuffing[i] = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(t->stuffing[i], (struct sockaddr *)&in, sizeof in);
    }
}

/* RFC 8305 5: a peer that does not answer costs the head start, no more. */
static void head_start(void **state)
{
    struct test *t = *state;
    stuff(t);
    start(t, "both.example");
    net_world_until(&t->w, t->w.server.asked >= 2 && !loop_turn(t->w.loop));
    for (int i = 0; i < 3; i++)
        loop_turn(t->w.loop);
    for (int ms = 0; !t->done && ms < 2000; ms += 50) {
        struct pollfd p = {.fd = uv_backend_fd(loop_uv(t->w.loop)), .events = POLLIN};
        clock_fake_advance(&t->w.clock, 50);
        poll(&p, 1, 20);
        loop_turn(t->w.loop);
    }
    assert_true(t->done);
    assert_int_equal(peer_family(t), AF_INET);
}

static void fails(void **state)
{
    struct test *t = *state;
    static const struct {
        const char *host;
        enum error_code code;
        const char *text;
    } table[] = {
        {"10.0.0.1", ERROR_DENIED, "private"},
        {"private.example", ERROR_DENIED, "egress allow \"s2s 10.0.0.1\""},
        {"absent.example", ERROR_NOT_FOUND, "does not exist"},
        {"text.example", ERROR_NOT_FOUND, "no address"},
        {"broken.example", ERROR_TEMPORARY, "server failure"},
        {"both.example", ERROR_TEMPORARY, "::1: Connection refused; 127.0.0.1: Connection refused"},
    };
    close_fd(&t->four);
    close_fd(&t->six);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        start(t, table[i].host);
        net_world_until(&t->w, t->done);
        if (t->fd >= 0 || t->error.code != table[i].code || !strstr(t->error.text, table[i].text))
            fail_msg("%s: %s", table[i].host, t->error.text);
        assert_non_null(strstr(t->error.text, table[i].host));
    }
}

/* By default nothing on this machine can be reached. */
static void default_guard_refuses_loopback(void **state)
{
    struct test *t = *state;
    egress_destroy(&t->w.egress);
    t->w.egress = egress_create();
    start(t, "both.example");
    net_world_until(&t->w, t->done);
    assert_int_equal(t->error.code, ERROR_DENIED);
    assert_non_null(strstr(t->error.text, "loopback"));
}

static void whole_timeout(void **state)
{
    struct test *t = *state;
    struct dial_options o = {.loop = t->w.loop, .dns = t->w.dns, .egress = t->w.egress,
                             .host = "silent.example", .port = t->port, .timeout_ms = 2000};
    dial_start(&o, on_done, t);
    clock_fake_advance(&t->w.clock, 2100);
    net_world_until(&t->w, t->done);
    assert_int_equal(t->error.code, ERROR_TIMEOUT);
    assert_non_null(strstr(t->error.text, "2000 ms"));
}

static void cancel(void **state)
{
    struct test *t = *state;
    dial_cancel(start(t, "both.example"));
    struct dial *d = start(t, "127.0.0.1");
    net_world_until(&t->w, !loop_turn(t->w.loop) || t->done);
    if (!t->done)
        dial_cancel(d);
    else
        close(t->fd);
    start(t, "127.0.0.1");
    net_world_until(&t->w, t->done);
    close(t->fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(connects, test_open, test_close),
        cmocka_unit_test_setup_teardown(head_start, test_open, test_close),
        cmocka_unit_test_setup_teardown(fails, test_open, test_close),
        cmocka_unit_test_setup_teardown(default_guard_refuses_loopback, test_open, test_close),
        cmocka_unit_test_setup_teardown(whole_timeout, test_open, test_close),
        cmocka_unit_test_setup_teardown(cancel, test_open, test_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
