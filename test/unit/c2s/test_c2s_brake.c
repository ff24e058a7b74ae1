/* SPDX-License-Identifier: MIT */
/* What a wrong password costs: rows of who tries, whether it was right, and how long the outcome waits. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "c2s/c2s_brake.h"

#define MINUTE 60000u

static struct c2s_brake_key key(const char *address, const char *user)
{
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } a;

    memset(&a, 0, sizeof(a));
    if (strchr(address, ':')) {
        a.in6.sin6_family = AF_INET6;
        assert_int_equal(inet_pton(AF_INET6, address, &a.in6.sin6_addr), 1);
    } else {
        a.in.sin_family = AF_INET;
        assert_int_equal(inet_pton(AF_INET, address, &a.in.sin_addr), 1);
    }
    return c2s_brake_key(&a.sa, user, "montague.example");
}

enum outcome { RIGHT, WRONG };

static void waits(void **state)
{
    static const struct {
        const char *what;
        unsigned after_ms; /* the row before */
        const char *address, *user;
        enum outcome outcome;
        unsigned delay_ms;
    } rows[] = {
        {"the first is free", 0, "192.0.2.1", "romeo", WRONG, 0},
        {"the second too: people mistype", 10, "192.0.2.1", "romeo", WRONG, 0},
        {"the third waits", 10, "192.0.2.1", "romeo", WRONG, 1000},
        {"twice as long", 10, "192.0.2.1", "romeo", WRONG, 2000},
        {"a neighbour in the same /24 is the same network", 10, "192.0.2.200", "romeo", WRONG, 4000},
        {"and again", 10, "192.0.2.1", "romeo", WRONG, 8000},
        {"never longer than this", 10, "192.0.2.1", "romeo", WRONG, C2S_BRAKE_MAX_MS},
        {"the owner at another network does not wait", 10, "192.0.3.1", "romeo", RIGHT, 0},
        {"nor another account at the same", 10, "192.0.2.1", "juliet", RIGHT, 0},
        {"as little by IPv6", 10, "2001:db8:1::1", "romeo", RIGHT, 0},
        {"an address that was mapped is the same network", 10, "::ffff:192.0.2.9", "romeo", WRONG, C2S_BRAKE_MAX_MS},
        {"each minute of rest forgives one: of eight wrong six are left", 2 * MINUTE, "192.0.2.1", "romeo", WRONG, C2S_BRAKE_MAX_MS},
        {"a right one waits as long as a wrong one would", 4 * MINUTE, "192.0.2.1", "romeo", RIGHT, 2000},
        {"and clears the account", 10, "192.0.2.1", "romeo", RIGHT, 0},
        {"so that guessing begins anew", 10, "192.0.2.1", "romeo", WRONG, 0},
        {"a /48 of IPv6 is one network", 10, "2001:db8:2::1", "tybalt", WRONG, 0},
        {"another /64 in it", 10, "2001:db8:2:ffff::7", "tybalt", WRONG, 0},
        {"is counted with it", 10, "2001:db8:2:1::9", "tybalt", WRONG, 1000},
    };
    struct c2s_brake *b = c2s_brake_create();
    uint64_t now = 5, delay;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct c2s_brake_key k = key(rows[i].address, rows[i].user);
        print_message("  %s\n", rows[i].what);
        now += rows[i].after_ms;
        assert_true(c2s_brake_judged(b, k, rows[i].outcome == WRONG, now, &delay));
        assert_int_equal(delay, rows[i].delay_ms);
        if (delay)
            c2s_brake_told(b, k, rows[i].outcome == RIGHT);
    }
    c2s_brake_destroy(&b);
}

/* A guesser closes each connection at once and makes the next: what the next one costs must not say whether the one before
 * was right. */
static void not_waited_for(void **state)
{
    uint64_t delay[2][12];

    (void)state;
    for (unsigned guess = 0; guess < 6; guess++) {
        for (unsigned right = 0; right < 2; right++) {
            struct c2s_brake *b = c2s_brake_create();
            struct c2s_brake_key k = key("192.0.2.1", "romeo");
            for (unsigned i = 0; i < 12; i++) {
                bool wrong = !right || i != C2S_BRAKE_FREE + guess;
                assert_true(c2s_brake_judged(b, k, wrong, i * 100, &delay[right][i]));
                if (delay[right][i])
                    c2s_brake_told(b, k, false);
            }
            c2s_brake_destroy(&b);
        }
        assert_memory_equal(delay[0], delay[1], sizeof(delay[0]));
    }
}

/* Who waits until it is told that it was right owes nothing, alone or with the network. */
static void waited_for(void **state)
{
    struct c2s_brake *b = c2s_brake_create();
    struct c2s_brake_key k = key("192.0.2.1", "romeo");
    uint64_t delay;

    (void)state;
    for (unsigned i = 0; i < 2 * C2S_BRAKE_NETWORK_FREE; i++) {
        for (unsigned wrong = 0; wrong < C2S_BRAKE_FREE; wrong++)
            assert_true(c2s_brake_judged(b, k, true, i * C2S_BRAKE_FREE * MINUTE, &delay));
        assert_true(c2s_brake_judged(b, k, false, i * C2S_BRAKE_FREE * MINUTE, &delay));
        assert_int_equal(delay, 1000);
        c2s_brake_told(b, k, true);
    }
    assert_true(c2s_brake_judged(b, key("192.0.2.1", "juliet"), false, 2 * C2S_BRAKE_NETWORK_FREE * C2S_BRAKE_FREE * MINUTE, &delay));
    assert_int_equal(delay, 0);
    c2s_brake_destroy(&b);
}

/* Many accounts, one guess each: the network as a whole waits. */
static void spraying(void **state)
{
    struct c2s_brake *b = c2s_brake_create();
    uint64_t delay;
    char user[16];

    (void)state;
    for (unsigned i = 0; i < C2S_BRAKE_NETWORK_FREE + 1; i++) {
        snprintf(user, sizeof(user), "user%u", i);
        assert_true(c2s_brake_judged(b, key("198.51.100.4", user), true, 1, &delay));
        assert_int_equal(delay, i < C2S_BRAKE_NETWORK_FREE ? 0 : 1000);
    }
    assert_true(c2s_brake_judged(b, key("198.51.101.4", "user1"), true, 1, &delay));
    assert_int_equal(delay, 0);
    c2s_brake_destroy(&b);
}

/* Guesses on many connections at once: few wait, the others learn nothing, also when one was right. */
static void at_once(void **state)
{
    struct c2s_brake *b = c2s_brake_create();
    struct c2s_brake_key k = key("192.0.2.1", "romeo");
    uint64_t delay;

    (void)state;
    for (unsigned i = 0; i < C2S_BRAKE_FREE + C2S_BRAKE_WAITING; i++)
        assert_true(c2s_brake_judged(b, k, true, 1, &delay));
    assert_false(c2s_brake_judged(b, k, true, 1, &delay));
    assert_false(c2s_brake_judged(b, k, false, 1, &delay));
    c2s_brake_told(b, k, false);
    assert_true(c2s_brake_judged(b, k, false, 1, &delay));
    assert_true(delay > 0);
    c2s_brake_destroy(&b);
}

/* A guesser with more networks and names than there are places only makes it forget the quiet ones. */
static void flooded(void **state)
{
    struct c2s_brake *b = c2s_brake_create();
    char user[16], address[20];
    uint64_t delay;

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(user, sizeof(user), "user%u", i);
        snprintf(address, sizeof(address), "10.%u.%u.1", i / 250 % 250, i % 250);
        assert_true(c2s_brake_judged(b, key(address, user), true, i, &delay));
        if (delay)
            c2s_brake_told(b, key(address, user), false);
    }
    for (unsigned i = 0; i < 3; i++)
        assert_true(c2s_brake_judged(b, key("192.0.2.1", "romeo"), true, 100000, &delay));
    assert_int_equal(delay, 1000);
    c2s_brake_destroy(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits),
        cmocka_unit_test(not_waited_for),
        cmocka_unit_test(waited_for),
        cmocka_unit_test(spraying),
        cmocka_unit_test(at_once),
        cmocka_unit_test(flooded),
    };
    return cmocka_run_group_tests_name("c2s_brake", tests, NULL, NULL);
}
