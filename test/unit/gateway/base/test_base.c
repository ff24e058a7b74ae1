/* SPDX-License-Identifier: MIT */
/* gateway/base as tables: what each small thing must answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/base/arena.h"
#include "gateway/base/base64.h"
#include "gateway/base/bytes.h"
#include "gateway/base/clock.h"
#include "gateway/base/error.h"
#include "gateway/base/list.h"
#include "gateway/base/log.h"
#include "gateway/base/map.h"
#include "gateway/base/mem.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/base/utf8.h"

static void little_endian(void **state)
{
    (void)state;
    struct bytes b = BYTES_EMPTY;
    bytes_append_le(&b, 0x1122334455667788, 8);
    bytes_append_le(&b, 0xf1f2f3f4, 2); /* the low bytes only */
    assert_int_equal(b.len, 10);
    assert_memory_equal(b.data, "\x88\x77\x66\x55\x44\x33\x22\x11\xf4\xf3", 10);
    assert_true(bytes_read_le(b.data, 8) == 0x1122334455667788);
    assert_true(bytes_read_le(b.data + 8, 2) == 0xf3f4);
    bytes_fini(&b);
}

static void base64_table(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *encoded;
    } ok[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}};
    for (size_t i = 0; i < sizeof ok / sizeof *ok; i++) {
        struct bytes b = BYTES_EMPTY;
        base64_encode(&b, ok[i].plain, strlen(ok[i].plain));
        assert_string_equal(bytes_text(&b), ok[i].encoded);
        bytes_clear(&b);
        assert_true(base64_decode(&b, ok[i].encoded, strlen(ok[i].encoded)));
        assert_string_equal(bytes_text(&b), ok[i].plain);
        bytes_fini(&b);
    }
    static const char *const bad[] = {"Zg", "Zg=", "Zh==" /* stray bits */, "Z m9v", "====", "Zm9v\n",
                                      "Zg==Zg==", "A", "=Zg="};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct bytes b = BYTES_EMPTY;
        bytes_append_text(&b, "kept");
        assert_false(base64_decode(&b, bad[i], strlen(bad[i])));
        assert_int_equal(b.len, 4);
        bytes_fini(&b);
    }
}

static void utf8_table(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        bool valid;
    } rows[] = {{"", true}, {"abc", true}, {"\xc3\xa9", true}, {"\xe2\x82\xac", true},
                {"\xf0\x9f\x98\x80", true}, {"\xc0\xaf", false}, {"\xed\xa0\x80", false},
                {"\xf4\x90\x80\x80", false}, {"\xe2\x82", false}, {"\x80", false}, {"\xff", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(utf8_valid(rows[i].data, strlen(rows[i].data)), rows[i].valid);
    char out[4];
    size_t at = 0;
    assert_int_equal(utf8_put(out, 0x20ac), 3);
    assert_int_equal(utf8_next(out, 3, &at), 0x20ac);
    assert_int_equal(utf8_put(out, 0x1f600), 4);
    assert_memory_equal(out, "\xf0\x9f\x98\x80", 4);
    assert_int_equal(utf8_cut("a\xe2\x82\xac", 4, 3), 1);
    assert_int_equal(utf8_count("a\xe2\x82\xac", 4), 2);
}

static void map_against_array(void **state)
{
    (void)state;
    enum { N = 400 };
    static char keys[N][16];
    static bool in[N];
    struct map m = MAP_EMPTY;
    for (int i = 0; i < N; i++)
        snprintf(keys[i], sizeof keys[i], "key%d", i);
    for (int round = 0; round < 20000; round++) {
        uint32_t i = random_below(N);
        if (random_below(2)) {
            assert_ptr_equal(map_put(&m, keys[i], keys[i]), in[i] ? keys[i] : NULL);
            in[i] = true;
        } else {
            assert_ptr_equal(map_remove(&m, keys[i]), in[i] ? keys[i] : NULL);
            in[i] = false;
        }
    }
    size_t count = 0, cursor = 0;
    for (int i = 0; i < N; i++) {
        assert_ptr_equal(map_get(&m, keys[i]), in[i] ? keys[i] : NULL);
        count += in[i];
    }
    assert_int_equal(m.count, count);
    while (map_next(&m, &cursor))
        count--;
    assert_int_equal(count, 0);
    map_fini(&m);
}

static void arena_keeps_all(void **state)
{
    (void)state;
    struct arena a;
    arena_init_sized(&a, 100);
    char *texts[300];
    for (int i = 0; i < 300; i++)
        texts[i] = arena_printf(&a, "%d-%0*d", i, i * 7, i);
    memset(arena_alloc(&a, 200000), 1, 200000);
    for (int i = 0; i < 300; i++)
        assert_int_equal(texts[i][0], '0' + (i < 10 ? i : i < 100 ? i / 10 : i / 100));
    assert_int_equal((uintptr_t)arena_alloc(&a, 3) % 16, 0);
    arena_fini(&a);
}

static void lists(void **state)
{
    (void)state;
    struct list a, b, nodes[4] = {{0}};
    list_init(&a);
    list_init(&b);
    for (int i = 0; i < 4; i++)
        list_append(i < 2 ? &a : &b, &nodes[i]);
    list_splice(&a, &b);
    assert_true(list_is_empty(&b));
    int n = 0;
    list_each(it, &a) {
        assert_ptr_equal(it, &nodes[n++]);
        list_remove(it);
        list_remove(it); /* twice is harmless */
    }
    assert_int_equal(n, 4);
    assert_true(list_is_empty(&a));
}

static void numbers_and_texts(void **state)
{
    (void)state;
    uint64_t v;
    assert_true(text_to_u64("18446744073709551615", &v) && v == UINT64_MAX);
    assert_false(text_to_u64("18446744073709551616", &v));
    assert_false(text_to_u64("", &v));
    assert_false(text_to_u64("-1", &v));
    assert_false(text_to_u64("1x", &v));
    char small[4];
    assert_false(text_copy(small, sizeof small, "long"));
    assert_string_equal(small, "lon");
    assert_true(text_eq(NULL, NULL));
    assert_false(text_eq("a", NULL));
    assert_true(text_eq_secret("ab", 2, "ab", 2));
    assert_false(text_eq_secret("ab", 2, "ac", 2));
}

static void errors_and_clock(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    assert_false(error_set(&e, ERROR_IO, "cannot open %s", "x"));
    error_wrap(&e, "store");
    assert_string_equal(e.text, "store: cannot open x");
    assert_int_equal(e.code, ERROR_IO);
    struct clock_fake f;
    clock_fake_init(&f);
    uint64_t before = clock_mono_ms(&f.clock);
    int64_t wall = clock_unix_us(&f.clock);
    clock_fake_advance(&f, 1500);
    assert_int_equal(clock_mono_ms(&f.clock) - before, 1500);
    assert_int_equal(clock_unix_us(&f.clock) - wall, 1500000);
}

static char seen[1500];
static void keep_line(void *user, enum log_level level, const char *line)
{
    (void)user, (void)level;
    text_copy(seen, sizeof seen, line);
}

static void no_peer_forges_a_log_line(void **state)
{
    (void)state;
    struct log_ctx ctx;
    log_ctx_set(&ctx, "c2s:%d\nx", 7);
    log_set_sink(keep_line, NULL);
    log_warn(&ctx, "said '%s'", "a\n2030 error");
    assert_non_null(strstr(seen, "[c2s:7\\x0ax] said 'a\\x0a2030 error'"));
    log_warn(NULL, "%s", "\xc3\xa9 \xc2\x9b" "31m");
    log_set_sink(NULL, NULL);
    assert_null(strchr(seen, 0x9b));
    assert_non_null(strstr(seen, "\xc3\xa9 \\xc2\\x9b" "31m"));
    assert_null(strchr(seen, '\n'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(little_endian),
        cmocka_unit_test(base64_table),      cmocka_unit_test(utf8_table),
        cmocka_unit_test(map_against_array), cmocka_unit_test(arena_keeps_all),
        cmocka_unit_test(lists),             cmocka_unit_test(numbers_and_texts),
        cmocka_unit_test(errors_and_clock),  cmocka_unit_test(no_peer_forges_a_log_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
