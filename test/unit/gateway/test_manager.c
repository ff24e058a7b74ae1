/* SPDX-License-Identifier: MIT */
/* What the service manager hears, on a socket of the test's own and a clock that stands still. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/base/clock.h"
#include "gateway/manager.h"

static int listen_as(const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    memcpy(at.sun_path, name, len);
    if (name[0] == '@')
        at.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

/* "" when nothing waits. */
static const char *heard(int fd)
{
    static char text[64];
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void words_arrive(void **state)
{
    (void)state;
    char file[64], abstract[64];
    snprintf(file, sizeof file, "/tmp/causeway-notify-%d", (int)getpid());
    snprintf(abstract, sizeof abstract, "@causeway-notify-%d", (int)getpid());
    const char *const names[] = {file, abstract};
    for (int i = 0; i < 2; i++) {
        int fd = listen_as(names[i]);
        manager_tell("READY=1");
        assert_string_equal(heard(fd), "READY=1");
        close(fd);
    }
    unlink(file);
    manager_tell("READY=1"); /* nobody listens any more: a warning, no more */
    setenv("NOTIFY_SOCKET", "no path", 1);
    manager_tell("READY=1");
    unsetenv("NOTIFY_SOCKET");
    manager_tell("READY=1");
}

static void the_watchdog_is_fed_while_turns_are_taken(void **state)
{
    (void)state;
    char own[16], name[64];
    snprintf(own, sizeof own, "%d", (int)getpid());
    snprintf(name, sizeof name, "@causeway-watch-%d", (int)getpid());
    const struct {
        const char *proves, *usec, *pid;
        uint64_t every_ms;
    } rows[] = {
        {"twice in the time that is given", "20000000", own, 10000},
        {"no pid is ours too", "20000000", NULL, 10000},
        {"another process is watched", "20000000", "1", 0},
        {"nobody is watched", NULL, NULL, 0},
        {"no number", "soon", own, 0},
        {"too short to be meant", "1000", own, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int fd = listen_as(name);
        if (rows[i].usec)
            setenv("WATCHDOG_USEC", rows[i].usec, 1);
        if (rows[i].pid)
            setenv("WATCHDOG_PID", rows[i].pid, 1);
        struct clock_fake clock;
        clock_fake_init(&clock);
        struct loop *l = loop_create("test", &clock.clock);
        struct manager_watch w;
        manager_watch_start(&w, l);
        assert_int_equal(w.every_ms, rows[i].every_ms);
        for (int k = 0; k < 3; k++) {
            clock_fake_advance(&clock, 10500);
            assert_string_equal(heard(fd), "");
            while (loop_turn(l))
                ;
            assert_string_equal(heard(fd), rows[i].every_ms ? "WATCHDOG=1" : "");
        }
        manager_watch_stop(&w);
        loop_destroy(&l);
        close(fd);
        unsetenv("WATCHDOG_USEC");
        unsetenv("WATCHDOG_PID");
        unsetenv("NOTIFY_SOCKET");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_arrive),
        cmocka_unit_test(the_watchdog_is_fed_while_turns_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
