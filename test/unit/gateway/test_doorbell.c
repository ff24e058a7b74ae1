/* SPDX-License-Identifier: MIT */
/* The bell between a tool and a running gateway: what it says arrives, whole and in order, and a tool is told
 * when it cannot ring; where nobody listens there is nothing to tell. */
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

#include "gateway/doorbell.h"

struct fixture {
    char dir[64], store[96], bell[128];
    struct loop *loop;
    struct doorbell *d;
    char rung[256]; /* each followed by a blank */
};

static void on_ring(void *user, enum doorbell_news news, const char *bare)
{
    struct fixture *f = user;
    size_t at = strlen(f->rung);
    snprintf(f->rung + at, sizeof f->rung - at, "%s%s ", news == DOORBELL_PASSWORD ? "password:" : "", bare);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->dir, sizeof f->dir, "/tmp/doorbell-test-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    snprintf(f->store, sizeof f->store, "%s/store.db", f->dir);
    snprintf(f->bell, sizeof f->bell, "%s.bell", f->store);
    f->loop = loop_create("test", clock_real());
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    doorbell_close(&f->d);
    loop_turn(f->loop);
    loop_destroy(&f->loop);
    unlink(f->bell);
    int rc = rmdir(f->dir); /* nothing else was left */
    free(f);
    return rc;
}

static void hang(struct fixture *f)
{
    struct error e = ERROR_INIT;
    f->d = doorbell_open(f->loop, f->store, on_ring, f, &e);
    if (!f->d)
        fail_msg("%s", e.text);
}

static bool ring(struct fixture *f, const char *bare)
{
    struct error e = ERROR_INIT;
    return doorbell_ring(f->store, DOORBELL_ACCOUNT, bare, &e);
}

static void what_is_said_arrives(void **state)
{
    struct fixture *f = *state;
    hang(f);
    for (int i = 0; i < 3; i++) { /* also while nobody looks */
        char bare[16];
        snprintf(bare, sizeof bare, "u%d@a", i);
        assert_true(ring(f, bare));
    }
    struct error e = ERROR_INIT;
    assert_true(doorbell_ring(f->store, DOORBELL_PASSWORD, "u3@a", &e));
    assert_string_equal(f->rung, "");
    while (loop_turn(f->loop))
        ;
    assert_string_equal(f->rung, "u0@a u1@a u2@a password:u3@a ");
}

static void only_the_own_user_may_ring(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    hang(f);
    assert_int_equal(stat(f->bell, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void nobody_listens(void **state)
{
    struct fixture *f = *state;
    assert_true(ring(f, "u@a")); /* never made */
    hang(f);
    doorbell_close(&f->d);
    assert_int_not_equal(access(f->bell, F_OK), 0);
    assert_true(ring(f, "u@a")); /* taken down */
    loop_turn(f->loop);
    assert_string_equal(f->rung, "");
}

/* A gateway that was killed leaves its bell lying there. */
static void a_former_life(void **state)
{
    struct fixture *f = *state;
    struct fixture before = *f;
    hang(&before);
    char kept[160];
    snprintf(kept, sizeof kept, "%s.kept", f->bell);
    assert_int_equal(link(f->bell, kept), 0);
    doorbell_close(&before.d);
    loop_turn(f->loop);
    assert_int_equal(rename(kept, f->bell), 0);
    assert_true(ring(f, "u@a"));
    hang(f);
    assert_true(ring(f, "v@a"));
    while (loop_turn(f->loop))
        ;
    assert_string_equal(f->rung, "v@a ");
}

static void what_cannot_be(void **state)
{
    struct fixture *f = *state;
    struct error e = ERROR_INIT;
    char longer[256];
    snprintf(longer, sizeof longer, "%s/%0120d", f->dir, 1);
    assert_false(doorbell_ring(longer, DOORBELL_ACCOUNT, "u@a", &e));
    assert_non_null(strstr(e.text, "too long"));
    assert_null(doorbell_open(f->loop, longer, on_ring, f, &e));
    assert_int_equal(mkdir(f->bell, 0700), 0); /* not ours to remove */
    error_clear(&e);
    assert_null(doorbell_open(f->loop, f->store, on_ring, f, &e));
    assert_non_null(strstr(e.text, f->bell));
    rmdir(f->bell);
    FILE *file = fopen(f->bell, "w"); /* something is there that is no bell */
    fclose(file);
    error_clear(&e);
    assert_true(doorbell_ring(f->store, DOORBELL_ACCOUNT, "u@a", &e)); /* it refuses connections: nobody runs */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_said_arrives), TEST(only_the_own_user_may_ring), TEST(nobody_listens), TEST(a_former_life),
        TEST(what_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
