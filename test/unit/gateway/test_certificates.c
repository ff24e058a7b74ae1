/* SPDX-License-Identifier: MIT */
/* Certificates that change under a gateway that runs. Whether the new one is there is read from the names it
 * covers. The clock stands still but for what the test lets pass; files, inotify and the signal are real. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/base/clock.h"
#include "gateway/certificates.h"
#include "gateway/config.h"
#include "gateway/net/tls.h"
#include "test/unit/gateway/net/pki.h"

#define OURS "montague.example"

static struct {
    struct clock_fake clock;
    struct loop *loop;
    struct tls_store *tls;
    struct pki pki;
    struct pki_files ours, other; /* for that name, and for another */
    char chain[128], key[128];    /* what the configuration names */
    struct config_community community;
    struct config config;
    struct certificates *certificates;
    bool stopped;
} world;

static void on_stopped(void *user)
{
    (void)user;
    world.stopped = true;
}

static int setup(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    memset(&world, 0, sizeof world);
    clock_fake_init(&world.clock);
    world.loop = loop_create("test", &world.clock.clock);
    pki_init(&world.pki);
    world.ours = pki_issue(&world.pki, "ours", "DNS:" OURS, 30);
    world.other = pki_issue(&world.pki, "other", "DNS:verona.example", 30);
    snprintf(world.chain, sizeof world.chain, "%s/live", world.pki.dir);
    assert_int_equal(mkdir(world.chain, 0700), 0);
    snprintf(world.chain, sizeof world.chain, "%s/live/chain.pem", world.pki.dir);
    snprintf(world.key, sizeof world.key, "%s/live/key.pem", world.pki.dir);
    assert_int_equal(symlink(world.ours.chain, world.chain) | symlink(world.ours.key, world.key), 0);
    world.community = (struct config_community){.exchange.domain = OURS, .certificate = world.chain, .key = world.key};
    world.config = (struct config){.communities = &world.community, .community_count = 1};
    world.tls = tls_store_create(world.pki.ca_file, &e);
    world.certificates = certificates_create(world.loop, &world.config, world.tls, &e);
    if (!world.certificates)
        fail_msg("%s", e.text);
    certificates_watch(world.certificates);
    assert_true(tls_certificate_covers(world.tls, OURS));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    certificates_stop(world.certificates, on_stopped, NULL);
    while (!world.stopped)
        loop_turn(world.loop);
    certificates_destroy(&world.certificates);
    tls_store_destroy(&world.tls);
    loop_destroy(&world.loop);
    unlink(world.chain);
    unlink(world.key);
    snprintf(world.chain, sizeof world.chain, "%s/live", world.pki.dir);
    rmdir(world.chain);
    pki_fini(&world.pki);
    return 0;
}

/* As certbot and the hook of `causeway setup` do: the name is moved over the old one. */
static void put(const char *path, const char *target)
{
    char fresh[160];
    snprintf(fresh, sizeof fresh, "%s.new", path);
    assert_int_equal(symlink(target, fresh), 0);
    assert_int_equal(rename(fresh, path), 0);
}

static void until_covered(bool covered)
{
    while (tls_certificate_covers(world.tls, OURS) != covered) {
        loop_turn(world.loop);
        clock_fake_advance(&world.clock, 1000);
    }
}

static void replaced_files_are_read(void **state)
{
    (void)state;
    put(world.chain, world.other.chain);
    put(world.key, world.other.key);
    until_covered(false);
    put(world.key, world.ours.key);
    put(world.chain, world.ours.chain);
    until_covered(true);
}

/* What does not hold is not taken, and what holds again is. */
static void the_one_before_stays(void **state)
{
    (void)state;
    char garbage[160];
    snprintf(garbage, sizeof garbage, "%s/garbage", world.pki.dir);
    FILE *f = fopen(garbage, "w");
    assert_non_null(f);
    fputs("-----BEGIN CERTIFICATE-----\nno\n", f);
    fclose(f);
    const struct {
        const char *proves, *chain;
    } rows[] = {
        {"a certificate without its key: the other half is still to come", world.other.chain},
        {"no certificate at all", garbage},
        {"a link that leads nowhere", "/proc/nothing"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].proves);
        put(world.chain, rows[i].chain);
        certificates_look(world.certificates);
        for (int turn = 0; turn < 50; turn++) { /* chances to do what must not happen */
            loop_turn(world.loop);
            clock_fake_advance(&world.clock, 1000);
            usleep(100);
        }
        assert_true(tls_certificate_covers(world.tls, OURS));
    }
    unlink(garbage);
    put(world.chain, world.other.chain);
    put(world.key, world.other.key);
    until_covered(false);
}

/* Where the folder's events were lost or refused, a look is enough: no time passes here. */
static void a_signal_is_enough(void **state)
{
    (void)state;
    put(world.chain, world.other.chain);
    put(world.key, world.other.key);
    certificates_look(world.certificates);
    while (tls_certificate_covers(world.tls, OURS))
        loop_turn(world.loop);
}

/* Two wishes while files are read are one more reading, and the end waits for it: see teardown. */
static void the_end_waits_for_reading(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        certificates_look(world.certificates);
        loop_turn(world.loop);
    }
}

static void who_cannot_begin_says_why(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    world.community.key = world.other.key;
    assert_null(certificates_create(world.loop, &world.config, world.tls, &e));
    assert_non_null(strstr(e.text, "certificate of " OURS ": "));
    assert_non_null(strstr(e.text, world.other.key));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(replaced_files_are_read), TEST(the_one_before_stays), TEST(a_signal_is_enough),
        TEST(the_end_waits_for_reading), TEST(who_cannot_begin_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
