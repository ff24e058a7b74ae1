/* SPDX-License-Identifier: MIT */
/* Migrations: applied in order, once; what does not fit stops the start and says what to do. */
#include <sys/stat.h>

#include "test/unit/gateway/store/store_world.h"

static char schema[96];

static void put(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", schema, name);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void drop(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", schema, name);
    assert_int_equal(unlink(path), 0);
}

/* A folder with the real core in one file, so that the store opens. */
static int setup(void **state)
{
    if (world_setup(state) != 0)
        return -1;
    snprintf(schema, sizeof schema, "%s/sql", world.dir);
    mkdir(schema, 0700);
    char command[512];
    snprintf(command, sizeof command, "cat '%s/0001_core.sqlite.sql' '%s/0020_packs.sqlite.sql' >'%s/0001_core.sqlite.sql'",
             SCHEMA_DIR, SCHEMA_DIR, schema);
    return system(command);
}

static void expect_open(void)
{
    struct store_options o = {.path = world.path, .schema_dir = schema};
    world_open_with(&o);
}

static void expect_refused(const char *says)
{
    struct error e = ERROR_INIT;
    struct store_options o = {.path = world.path, .schema_dir = schema};
    assert_null(store_open(&o, &e));
    if (!strstr(e.text, says))
        fail_msg("'%s' is not in '%s'", says, e.text);
}

static bool read_m(struct store_tx *tx, void *user, struct error *e)
{
    struct store_rows *r = store_query(tx, e, "select text from m", "");
    if (!r || !store_next(r, e))
        return false;
    snprintf(user, 16, "%s", store_text(r, 0));
    store_end(r);
    return true;
}

static void expect_m(const char *text)
{
    char got[16] = "";
    struct error e = ERROR_INIT;
    if (!store_write_wait(world.store, read_m, got, &e))
        fail_msg("%s", e.text);
    assert_string_equal(got, text);
}

static void applied_in_order_and_once(void **state)
{
    (void)state;
    put("0010_b.sql", "update m set text = text || 'b';");
    put("0002_a.sql", "create table m (text text); insert into m (text) values ('a');");
    put("0011_c.pg.sql", "this is for another database");
    put("0012_d.sqlite.sql", "update m set text = text || 'd';");
    put("notes.sql", "not a migration");
    put("0013_e.sql~", "nor this");
    expect_open();
    expect_m("abd");
    store_close(&world.store);
    put("0020_f.sql", "update m set text = text || 'f'; -- $1 in a comment is harmless\n");
    expect_open();
    expect_m("abdf");
}

static void a_bad_one_changes_nothing(void **state)
{
    (void)state;
    put("0002_a.sql", "create table m (text text); insert into m (text) values ('a');");
    put("0003_b.sql", "update m set text = 'half'; update nosuch set x = 1;");
    expect_refused("0003_b.sql");
    put("0003_b.sql", "update m set text = text || 'b';");
    expect_open();
    expect_m("ab");
}

static void what_was_applied_must_not_change(void **state)
{
    (void)state;
    put("0002_a.sql", "create table m (text text); insert into m (text) values ('a');");
    expect_open();
    store_close(&world.store);
    put("0002_a.sql", "create table m (text text); insert into m (text) values ('A');");
    expect_refused("was changed after");
    drop("0002_a.sql");
    expect_refused("install the version that made the store");
    put("0002_a.sql", "create table m (text text); insert into m (text) values ('a');");
    put("0002_other.sql", "select 1;");
    expect_refused("have the same number");
    drop("0002_other.sql");
    expect_open();
}

static void a_folder_without_any(void **state)
{
    (void)state;
    drop("0001_core.sqlite.sql");
    expect_refused("holds no NNNN_name.sql");
    snprintf(schema, sizeof schema, "/nowhere");
    expect_refused("/nowhere");
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(applied_in_order_and_once),
        WORLD_TEST(a_bad_one_changes_nothing),
        WORLD_TEST(what_was_applied_must_not_change),
        WORLD_TEST(a_folder_without_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
