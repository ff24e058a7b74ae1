/* SPDX-License-Identifier: MIT */
/* What two configurations differ in: which communities come and go, and what else has changed, by name. Files that
 * a configuration includes, and how their mistakes are told. */
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

#include "gateway/base/bytes.h"
#include "gateway/base/mem.h"
#include "gateway/config_facts.h"

#define FILES "certificate = \"/dev/null\" key = \"/dev/null\""
#define A "community \"a.example\" { " FILES " }\n"
#define B "community \"b.example\" { " FILES " }\n"

#define SECRET "/tmp/causeway-facts-secret"

static char folder[] = "/tmp/causeway-facts-XXXXXX";

static void put(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void note(void *user, const char *text)
{
    bytes_printf(user, "%s\n", text + strlen(folder) + 1);
}

/* "": no mistakes. */
static char *read_from(const char *name, struct config *c)
{
    char path[256];
    struct bytes told = BYTES_EMPTY;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    bytes_append_text(&told, "");
    bool good = config_read(c, path, note, &told);
    assert_int_equal(good, told.len == 0);
    return bytes_take(&told);
}

static void compare(const char *older, const char *newer, struct bytes *out)
{
    struct config one, other;
    struct arena a;
    put("one.conf", older);
    put("other.conf", newer);
    char *told = read_from("one.conf", &one), *told_too = read_from("other.conf", &other);
    assert_string_equal(told, "");
    assert_string_equal(told_too, "");
    mem_free(told);
    mem_free(told_too);
    arena_init(&a);
    struct config_change c = config_facts_compare(&one, &other, &a);
    bytes_append_text(out, "");
    for (unsigned i = 0; i < c.added_count; i++)
        bytes_printf(out, "+%s ", c.added[i]->exchange.domain);
    for (unsigned i = 0; i < c.removed_count; i++)
        bytes_printf(out, "-%s ", c.removed[i]->exchange.domain);
    for (unsigned i = 0; i < c.attached_count; i++)
        bytes_printf(out, "~%s ", c.attached[i]->exchange.domain);
    for (unsigned i = 0; i < c.detached_count; i++)
        bytes_printf(out, "^%s ", c.detached[i]->exchange.domain);
    for (unsigned i = 0; i < c.other_count; i++)
        bytes_printf(out, "[%s] ", c.others[i]);
    arena_fini(&a);
    config_fini(&one);
    config_fini(&other);
}

static void changes_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *proves, *older, *newer, *change;
    } rows[] = {
        {"the same", A B, A B, ""},
        {"another order is no change", A B, B A, ""},
        {"one comes, one goes", A, B, "+b.example -a.example "},
        {"a domain spelt otherwise is the same", A, "community \"A.Example\" { " FILES " }", ""},
        {"what one that comes says is no other change", A, A "community \"b.example\" { " FILES " archive = false }", "+b.example "},
        {"nor what one that goes said", A "community \"b.example\" { " FILES " archive = false }", A, "-b.example "},
        {"an option of one that stays", A, "community \"a.example\" { " FILES " archive = false }", "[community \"a.example\": archive] "},
        {"the default written down is no change", A, "community \"a.example\" { " FILES " archive = true }", ""},
        {"an option that is gone", "gateway { idle_seconds = 299 }\n" A, A, "[gateway: idle_seconds] "},
        {"an entry of a list", "gateway { egress_allow = { \"s2s 10.0.0.0/8\" } }\n" A, "gateway { egress_allow = { \"s2s 10.0.0.0/9\" } }\n" A,
         "[gateway: egress_allow] "},
        {"a listener by its place", "listen { service = \"c2s\" port = 5222 }\n" A, "listen { service = \"c2s\" port = 5224 }\n" A,
         "[listen \"1\": port] "},
        {"a component comes, under the name of none", A, A "component \"irc.a.example\" { secret_file = \"" SECRET "\" }", "~irc.a.example "},
        {"a component goes", A "component \"irc.a.example\" { secret_file = \"" SECRET "\" }", A, "^irc.a.example "},
        {"another domain's", A, A "remote \"r.example\" { deny = true }", "[remote \"r.example\": deny] "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes out = BYTES_EMPTY;
        compare(rows[i].older, rows[i].newer, &out);
        if (strcmp(bytes_text(&out), rows[i].change) != 0)
            fail_msg("%s: %s", rows[i].proves, bytes_text(&out));
        bytes_fini(&out);
    }
}

static void files_are_included(void **state)
{
    (void)state;
    static const struct {
        const char *proves, *main, *included, *told;
        unsigned communities;
    } rows[] = {
        {"as if it stood here", "gateway { include = \"d/*.conf\" }\n" A, B, "", 2},
        {"a pattern that nothing fits", "gateway { include = \"d/*.none\" }\n" A, B, "", 1},
        {"a file that is not there", "gateway { include = \"d/none.conf\" }\n" A, B, "main.conf: include: ", 1},
        {"a mistake in a value, with its file and line", "gateway { include = \"d/*.conf\" }\n" A,
         "community \"b.example\" {\n" FILES "\nheld_messages = 0 }", "d/b.conf:3: held_messages: 0 is not between 1 and 1000\n", 0},
        {"a mistake of syntax", "gateway { include = \"d/*.conf\" }\n" A, "community \"b.example\" {\n" FILES "\ncolour = 1 }",
         "d/b.conf:3: no such option 'colour'; `causeway options` prints all there are\n", 0},
        {"the same domain in both", "gateway { include = \"d/*.conf\" }\n" A, A, "d/b.conf:1: ", 0},
        {"the same domain, spelt otherwise", "gateway { include = \"d/*.conf\" }\n" A, "community \"A.example\" { " FILES " }",
         "d/b.conf:1: community \"a.example\" stands there already, spelt otherwise\n", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config c;
        put("main.conf", rows[i].main);
        put("d/b.conf", rows[i].included);
        char *told = read_from("main.conf", &c);
        if (strncmp(told, rows[i].told, strlen(rows[i].told)) != 0 || !*told != !*rows[i].told)
            fail_msg("%s: %s", rows[i].proves, told);
        if (!*told)
            assert_int_equal(c.community_count, rows[i].communities);
        mem_free(told);
        config_fini(&c);
    }
}

static int setup(void **state)
{
    (void)state;
    char path[256];
    assert_non_null(mkdtemp(folder));
    FILE *f = fopen(SECRET, "w");
    assert_non_null(f);
    fputs("secret\n", f);
    fclose(f);
    assert_int_equal(chmod(SECRET, 0600), 0);
    snprintf(path, sizeof path, "%s/d", folder);
    return mkdir(path, 0700);
}

static int teardown(void **state)
{
    (void)state;
    static const char *const names[] = {"one.conf", "other.conf", "main.conf", "d/b.conf", "d", ""};
    char path[256];
    unlink(SECRET);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (unlink(path) != 0)
            rmdir(path);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_named),
        cmocka_unit_test(files_are_included),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
