/* SPDX-License-Identifier: MIT */
/* Accepting on loopback: the bound an address, the port shared by two loops, and errors. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/net/listener.h"

struct world {
    struct loop *loop;
    struct listener *listener;
    int accepted[64];
    unsigned count;
    bool close_on_accept;
};

static void on_accept(void *user, uv_os_sock_t fd)
{
    struct world *w = user;
    w->accepted[w->count++] = fd;
    if (w->close_on_accept)
        listener_close(&w->listener);
}

static struct listener *open_at(struct world *w, const char *address, uint16_t port, unsigned max)
{
    struct error e = ERROR_INIT;
    struct listener *li = listener_open(w->loop, address, port, max, on_accept, w, &e);
    if (!li)
        fail_msg("%s", e.text);
    return li;
}

static void begin(struct world *w, unsigned max)
{
    memset(w, 0, sizeof *w);
    w->loop = loop_create("test", clock_real());
    w->listener = open_at(w, "127.0.0.1", 0, max);
}

static void finish(struct world *w)
{
    for (unsigned i = 0; i < w->count; i++)
        close(w->accepted[i]);
    listener_close(&w->listener);
    while (loop_turn(w->loop))
        ;
    loop_destroy(&w->loop);
}

/* Connects from `from`; the kernel completes it without the listener. -1: refused. */
static int connect_from(const char *from, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, from, &a.sin_addr);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
    a.sin_port = htons(port);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool was_refused(int fd)
{
    char c;
    return recv(fd, &c, 1, MSG_DONTWAIT) == 0;
}

static void turn(struct world *w)
{
    while (loop_turn(w->loop))
        ;
}

static void bound_an_address(void **state)
{
    (void)state;
    struct world w;
    int fd[4];
    begin(&w, 2);
    for (int i = 0; i < 3; i++)
        fd[i] = connect_from("127.0.0.2", listener_port(w.listener));
    turn(&w);
    assert_int_equal(w.count, 2);
    assert_true(was_refused(fd[2]));
    fd[3] = connect_from("127.0.0.3", listener_port(w.listener)); /* another's are his own */
    turn(&w);
    assert_int_equal(w.count, 3);
    close(fd[2]);

    struct sockaddr_in peer = {.sin_family = AF_INET};
    inet_pton(AF_INET, "127.0.0.2", &peer.sin_addr);
    listener_forget(w.listener, (struct sockaddr *)&peer); /* one of his has ended */
    fd[2] = connect_from("127.0.0.2", listener_port(w.listener));
    turn(&w);
    assert_int_equal(w.count, 4);
    assert_false(was_refused(fd[2]));
    listener_forget(w.listener, (struct sockaddr *)&peer);
    listener_forget(w.listener, (struct sockaddr *)&peer);
    listener_forget(w.listener, (struct sockaddr *)&peer); /* harmless */
    for (int i = 0; i < 4; i++)
        close(fd[i]);
    finish(&w);
}

static void shared_port(void **state)
{
    (void)state;
    struct world a, b = {0};
    begin(&a, 0);
    b.loop = loop_create("second", clock_real());
    b.listener = open_at(&b, "127.0.0.1", listener_port(a.listener), 0);
    int fd[40];
    for (int i = 0; i < 40; i++)
        fd[i] = connect_from("127.0.0.1", listener_port(a.listener));
    turn(&a);
    turn(&b);
    assert_int_equal(a.count + b.count, 40);
    assert_true(a.count > 0 && b.count > 0);
    for (int i = 0; i < 40; i++)
        close(fd[i]);
    finish(&a);
    finish(&b);
}

static void closed_inside_accept(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 0);
    uint16_t port = listener_port(w.listener);
    w.close_on_accept = true;
    int one = connect_from("127.0.0.1", port), two = connect_from("127.0.0.1", port);
    turn(&w);
    assert_int_equal(w.count, 1);
    assert_null(w.listener);
    assert_int_equal(connect_from("127.0.0.1", port), -1);
    close(one);
    close(two);
    finish(&w);
}

static void cannot_bind(void **state)
{
    (void)state;
    struct world w;
    struct error e = ERROR_INIT;
    begin(&w, 0);
    assert_null(listener_open(w.loop, "localhost", 0, 0, on_accept, &w, &e));
    assert_int_equal(e.code, ERROR_INVALID);
    assert_null(listener_open(w.loop, "192.0.2.1", 5222, 0, on_accept, &w, &e));
    assert_non_null(strstr(e.text, "192.0.2.1 port 5222"));
    finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bound_an_address),
        cmocka_unit_test(shared_port),
        cmocka_unit_test(closed_inside_accept),
        cmocka_unit_test(cannot_bind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
