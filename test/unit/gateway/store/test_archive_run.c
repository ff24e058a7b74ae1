/* SPDX-License-Identifier: MIT */
/* The bytes of a run: what is put is read, and what is not a run is refused. */
#include "test/unit/gateway/store/store_world.h"

#include "gateway/store/archive_run.h"

static struct bytes encode(const struct archive_entry *run, unsigned count)
{
    struct bytes out = BYTES_EMPTY;
    for (unsigned i = 1; i < count; i++)
        archive_run_put(&out, &run[i - 1], &run[i]);
    return out;
}

/* Newest first; `says` is what the row proves. */
static const struct {
    const char *says;
    struct archive_entry run[4];
    unsigned count;
    size_t bytes;
} runs[] = {
    {"a run of one has no bytes", {{7, 3, 1000}}, 1, 0},
    {"neighbours of one peer cost a few bytes", {{9, 3, 1700000000000900}, {8, 3, 1700000000000000}}, 2, 4},
    {"peers and times may go either way", {{9, 2, 50}, {5, 800, 90}, {2, 1, 10}}, 3, 9},
    {"the greatest numbers survive",
     {{INT64_MAX, INT64_MAX, INT64_MIN}, {2, INT64_MIN, INT64_MAX}, {1, 0, 0}},
     3,
     32},
};

static void what_is_put_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        struct archive_entry out[RUN_MOST] = {runs[i].run[0]};
        struct bytes b = encode(runs[i].run, runs[i].count);
        print_message("%s\n", runs[i].says);
        assert_int_equal(b.len, runs[i].bytes);
        assert_int_equal(archive_run_read(out, bytes_span(&b)), runs[i].count);
        for (unsigned k = 0; k < runs[i].count; k++) {
            assert_int_equal(out[k].seq, runs[i].run[k].seq);
            assert_int_equal(out[k].peer, runs[i].run[k].peer);
            assert_int_equal(out[k].first_us, runs[i].run[k].first_us);
        }
        bytes_fini(&b);
    }
}

static void a_full_run_is_read_and_a_longer_one_refused(void **state)
{
    (void)state;
    struct archive_entry out[RUN_MOST] = {{1000, 1, 1}}, newer = out[0];
    struct bytes b = BYTES_EMPTY;
    for (unsigned i = 1; i <= RUN_MOST; i++) {
        assert_int_equal(archive_run_read(out, bytes_span(&b)), i);
        struct archive_entry older = {1000 - i, 1, 1};
        archive_run_put(&b, &newer, &older);
        newer = older;
    }
    assert_int_equal(archive_run_read(out, bytes_span(&b)), 0);
    bytes_fini(&b);
}

static void what_is_no_run_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *says, *bytes;
        size_t len;
    } rows[] = {
        {"a number that does not end", "\x81", 1},
        {"an entry that does not end", "\x01\x00", 2},
        {"seq stands still", "\x00\x00\x00", 3},
        {"seq falls below 1", "\x09\x00\x00", 3},
        {"a number of more than 64 bits", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00", 14},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct archive_entry out[RUN_MOST] = {{9, 1, 1}};
        print_message("%s\n", rows[i].says);
        assert_int_equal(archive_run_read(out, (struct span){rows[i].bytes, rows[i].len}), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_read),
        cmocka_unit_test(a_full_run_is_read_and_a_longer_one_refused),
        cmocka_unit_test(what_is_no_run_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
