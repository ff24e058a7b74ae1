/* SPDX-License-Identifier: MIT */
/* The table that one thread changes while others read: what stands there is found at each moment, whatever else comes,
 * goes, or makes the table grow. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "gateway/base/registry.h"

enum { MANY = 5000 };

static const char *name_of(char out[32], int i)
{
    snprintf(out, 32, "d%d.example", i);
    return out;
}

static void comes_and_goes(void **state)
{
    (void)state;
    struct registry r = {0};
    int one, two;
    size_t at = 0;
    assert_null(registry_get(&r, "a"));
    assert_null(registry_set(&r, "a", NULL));
    assert_null(registry_set(&r, "a", &one));
    assert_ptr_equal(registry_get(&r, "a"), &one);
    assert_ptr_equal(registry_set(&r, "a", &two), &one);
    assert_ptr_equal(registry_next(&r, &at), &two);
    assert_null(registry_next(&r, &at));
    assert_ptr_equal(registry_set(&r, "a", NULL), &two);
    assert_null(registry_get(&r, "a"));
    at = 0;
    assert_null(registry_next(&r, &at));
    registry_set(&r, "a", &one);
    assert_ptr_equal(registry_get(&r, "a"), &one);
    registry_fini(&r);
}

static struct registry shared;
static atomic_bool done;

/* The first one always stands there; of the others each is NULL or its own. */
static void *read_all(void *user)
{
    const int *values = user;
    char name[32];
    while (!atomic_load(&done))
        for (int i = 0; i < MANY; i++) {
            const void *v = registry_get(&shared, name_of(name, i));
            if (v != &values[i] && (v || i == 0))
                return (void *)values;
        }
    return NULL;
}

static void readers_find_what_stands_there(void **state)
{
    (void)state;
    static int values[MANY];
    char name[32];
    pthread_t readers[2];
    void *wrong;
    registry_set(&shared, name_of(name, 0), &values[0]);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_all, values), 0);
    for (int i = 1; i < MANY; i++)
        registry_set(&shared, name_of(name, i), &values[i]);
    for (int i = 1; i < MANY; i += 2)
        registry_set(&shared, name_of(name, i), NULL);
    atomic_store(&done, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(readers[i], &wrong);
        assert_null(wrong);
    }
    for (int i = 0; i < MANY; i++)
        assert_ptr_equal(registry_get(&shared, name_of(name, i)), i % 2 ? NULL : &values[i]);
    registry_fini(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_and_goes),
        cmocka_unit_test(readers_find_what_stands_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
