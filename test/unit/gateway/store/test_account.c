/* SPDX-License-Identifier: MIT */
/* Accounts and rosters as rows. */
#include "test/unit/gateway/store/store_world.h"

#define ROMEO "romeo@montague.example"
#define JULIET "juliet@capulet.example"

struct step {
    const char *bare, *contact;
    struct account account;
    bool replace, found;
    int64_t version;
    struct arena arena;
    struct bytes seen;
    bool complete;
};

static struct account sample(const char *bare, unsigned keys)
{
    struct account a = {.bare = bare, .key_count = keys, .created_us = 5};
    static const char *const names[] = {"SCRAM-SHA-1", "SCRAM-SHA-256"};
    for (unsigned i = 0; i < keys; i++) {
        struct account_keys *k = &a.keys[i];
        text_copy(k->mechanism, sizeof k->mechanism, names[i]);
        k->iterations = 4096 + i;
        k->salt_len = 16;
        k->key_len = i ? 32 : 20;
        memset(k->salt, 's', k->salt_len);
        memset(k->stored_key, 'k' + (int)i, k->key_len);
        memset(k->server_key, 'v', k->key_len);
    }
    return a;
}

static bool put_run(struct store_tx *tx, void *user, struct error *e)
{
    struct step *s = user;
    return account_put(tx, &s->account, s->replace, e);
}

static bool delete_run(struct store_tx *tx, void *user, struct error *e)
{
    struct step *s = user;
    return account_delete(tx, s->bare, e);
}

static void on_account(void *user, const struct account *a)
{
    struct step *s = user;
    bytes_printf(&s->seen, "%s(%u) ", a->bare, a->key_count);
}

static bool list_run(struct store_tx *tx, void *user, struct error *e)
{
    struct step *s = user;
    bytes_clear(&s->seen);
    return account_list(tx, s->bare, s->contact, 2, on_account, s, e);
}

static enum error_code do_step(bool (*run)(struct store_tx *, void *, struct error *), struct step *s)
{
    struct error e = ERROR_INIT;
    bool ok = store_write_wait(world.store, run, s, &e);
    assert_int_equal(ok, e.code == ERROR_NONE);
    return e.code;
}

static void get(const char *bare, struct account_get *g)
{
    *g = (struct account_get){.bare = bare};
    arena_init(&g->arena);
    g->job.reply_on = world.loop;
    g->job.done = world_done;
    account_get(world.store, g);
    world_wait(1);
    assert_int_equal(g->job.error.code, ERROR_NONE);
}

static void account_life(void **state)
{
    (void)state;
    world_open(false);
    struct step s = {.account = sample(JULIET, 2)};
    struct account_get g;
    get(JULIET, &g);
    assert_false(g.found);
    arena_fini(&g.arena);
    assert_int_equal(do_step(put_run, &s), ERROR_NONE);
    assert_int_equal(do_step(put_run, &s), ERROR_EXISTS);
    get(JULIET, &g);
    assert_true(g.found);
    assert_string_equal(g.account.bare, JULIET);
    assert_int_equal(g.account.key_count, 2);
    assert_string_equal(g.account.keys[1].mechanism, "SCRAM-SHA-256");
    assert_int_equal(g.account.keys[1].iterations, 4097);
    assert_int_equal(g.account.keys[1].key_len, 32);
    assert_memory_equal(g.account.keys[1].stored_key, s.account.keys[1].stored_key, 32);
    assert_int_equal(g.account.created_us, 5);
    arena_fini(&g.arena);
    s.account = sample(JULIET, 1);
    s.account.is_admin = s.account.disabled = s.replace = true;
    assert_int_equal(do_step(put_run, &s), ERROR_NONE);
    get(JULIET, &g);
    assert_int_equal(g.account.key_count, 1);
    assert_true(g.account.is_admin && g.account.disabled);
    arena_fini(&g.arena);
}

static bool renew_run(struct store_tx *tx, void *user, struct error *e)
{
    struct step *s = user;
    return account_renew_keys(tx, &s->account, e);
}

/* A new password is nothing but that: who is an admin, or disabled, stays so. */
static void new_password(void **state)
{
    (void)state;
    world_open(false);
    struct step s = {.account = sample(JULIET, 2)};
    struct account_get g;
    assert_int_equal(do_step(renew_run, &s), ERROR_NOT_FOUND);
    s.account.is_admin = s.account.disabled = true;
    assert_int_equal(do_step(put_run, &s), ERROR_NONE);
    s.account = sample(JULIET, 1);
    s.account.keys[0].stored_key[0] ^= 1;
    assert_int_equal(do_step(renew_run, &s), ERROR_NONE);
    get(JULIET, &g);
    assert_int_equal(g.account.key_count, 1);
    assert_memory_equal(g.account.keys[0].stored_key, s.account.keys[0].stored_key, 20);
    assert_true(g.account.is_admin && g.account.disabled);
    assert_int_equal(g.account.created_us, 5);
    arena_fini(&g.arena);
}

static void load(struct roster_load *l)
{
    *l = (struct roster_load){.owner = ROMEO};
    arena_init(&l->arena);
    l->job.reply_on = world.loop;
    l->job.done = world_done;
    roster_load(world.store, l);
    world_wait(1);
    assert_int_equal(l->job.error.code, ERROR_NONE);
}

static bool bar_run(struct store_tx *tx, void *user, struct error *e)
{
    return account_set_disabled(tx, ((struct step *)user)->bare, true, e);
}

static bool unbar_run(struct store_tx *tx, void *user, struct error *e)
{
    return account_set_disabled(tx, ((struct step *)user)->bare, false, e);
}

/* It keeps its keys; whoever loads its roster learns of it too. */
static void account_is_disabled(void **state)
{
    (void)state;
    world_open(true);
    struct account_get g;
    struct roster_load l;
    struct step s = {.bare = ROMEO, .account = sample(ROMEO, 2)};
    assert_int_equal(do_step(bar_run, &s), ERROR_NOT_FOUND);
    assert_int_equal(do_step(put_run, &s), ERROR_NONE);
    for (int disabled = 1; disabled >= 0; disabled--) {
        assert_int_equal(do_step(disabled ? bar_run : unbar_run, &s), ERROR_NONE);
        get(ROMEO, &g);
        assert_int_equal(g.account.disabled, disabled);
        assert_int_equal(g.account.key_count, 2);
        arena_fini(&g.arena);
        load(&l);
        assert_true(l.account_exists);
        assert_int_equal(l.account_disabled, disabled);
        arena_fini(&l.arena);
    }
}

static bool in_directory_run(struct store_tx *tx, void *user, struct error *e)
{
    struct step *s = user;
    return account_of_directory(tx, s->bare, &s->found, e);
}

static bool left_directory_run(struct store_tx *tx, void *user, struct error *e)
{
    struct step *s = user;
    return account_left_directory(tx, s->bare, &s->found, e);
}

static void account_is_of_a_directory(void **state)
{
    enum { HAS, LOST, BARRED, UNBARRED, OURS };
    static const struct {
        const char *proves;
        int what;
        bool changed, disabled, gone, of_directory;
        unsigned keys;
    } rows[] = {
        {"one of ours is not the directory's to lose", OURS, true, false, false, false, 2},
        {"nor lost", LOST, false, false, false, false, 2},
        {"it becomes the directory's, without keys", HAS, true, false, false, true, 0},
        {"and stays it", HAS, false, false, false, true, 0},
        {"it may not log in when it is gone", LOST, true, true, true, true, 0},
        {"once", LOST, false, true, true, true, 0},
        {"back, it may again", HAS, true, false, false, true, 0},
        {"an admin disables it", BARRED, true, true, false, true, 0},
        {"then being there changes nothing", HAS, false, true, false, true, 0},
        {"nor leaving", LOST, false, true, false, true, 0},
        {"only the admin does", UNBARRED, true, false, false, true, 0},
    };
    static bool (*const runs[])(struct store_tx *, void *, struct error *) = {in_directory_run, left_directory_run, bar_run, unbar_run, put_run};
    struct step s = {.bare = ROMEO, .account = sample(ROMEO, 2)};
    (void)state;
    world_open(true);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct account_get g;
        s.found = true;
        assert_int_equal(do_step(runs[rows[i].what], &s), ERROR_NONE);
        get(ROMEO, &g);
        if (s.found != rows[i].changed || g.account.disabled != rows[i].disabled || g.account.gone != rows[i].gone ||
            g.account.of_directory != rows[i].of_directory || g.account.key_count != rows[i].keys)
            fail_msg("%s", rows[i].proves);
        arena_fini(&g.arena);
    }
    s.bare = JULIET;
    assert_int_equal(do_step(left_directory_run, &s), ERROR_NONE);
    assert_false(s.found); /* nobody is no mistake */
    assert_int_equal(do_step(in_directory_run, &s), ERROR_NONE);
    assert_true(s.found); /* and is made */
}

static void account_lists(void **state)
{
    (void)state;
    world_open(true);
    static const char *const names[] = {"a@x", "b@x", "c@x", "d@y"};
    struct step s = {0};
    for (int i = 0; i < 4; i++) {
        s.account = sample(names[i], (unsigned)i % 3);
        assert_int_equal(do_step(put_run, &s), ERROR_NONE);
    }
    static const struct {
        const char *domain, *after, *gives;
    } rows[] = {{NULL, NULL, "a@x(0) b@x(1) "}, {NULL, "b@x", "c@x(2) d@y(0) "}, {"y", NULL, "d@y(0) "},
                {"x", "b@x", "c@x(2) "}, {"z", NULL, ""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        s.bare = rows[i].domain;
        s.contact = rows[i].after;
        assert_int_equal(do_step(list_run, &s), ERROR_NONE);
        assert_string_equal(bytes_text(&s.seen), rows[i].gives);
    }
    bytes_fini(&s.seen);
}

/* -- rosters */

static bool roster_put_run(struct store_tx *tx, void *user, struct error *e)
{
    struct step *s = user;
    struct roster_row row = {.contact = s->contact, .name = "N", .groups = "a\nb", .state = 3, .approved = 1,
                             .in_roster = 1, .request = SPAN("<presence/>"), .version = s->version};
    return roster_put(tx, s->bare, &row, e);
}

static bool roster_remove_run(struct store_tx *tx, void *user, struct error *e)
{
    struct step *s = user;
    return roster_remove(tx, s->bare, s->contact, s->version, e);
}

static void on_change(void *user, const struct roster_row *row, bool removed)
{
    struct step *s = user;
    bytes_printf(&s->seen, "%s%s:%d ", removed ? "-" : "+", row->contact, (int)row->version);
}

static bool changes_run(struct store_tx *tx, void *user, struct error *e)
{
    struct step *s = user;
    bytes_clear(&s->seen);
    return roster_changes(tx, s->bare, s->version, on_change, s, &s->complete, e);
}

static void roster_step(bool (*run)(struct store_tx *, void *, struct error *), const char *contact, int64_t version)
{
    struct step s = {.bare = ROMEO, .contact = contact, .version = version};
    assert_int_equal(do_step(run, &s), ERROR_NONE);
}

static void expect_changes(int64_t since, const char *gives, bool complete)
{
    struct step s = {.bare = ROMEO, .version = since};
    assert_int_equal(do_step(changes_run, &s), ERROR_NONE);
    assert_string_equal(bytes_text(&s.seen), gives);
    assert_int_equal(s.complete, complete);
    bytes_fini(&s.seen);
}

static void roster_versions(void **state)
{
    (void)state;
    world_open(false);
    struct roster_load l;
    load(&l);
    assert_false(l.account_exists);
    assert_int_equal(l.count, 0);
    assert_int_equal(l.version, 0);
    arena_fini(&l.arena);
    struct step s = {.account = sample(ROMEO, 1)};
    assert_int_equal(do_step(put_run, &s), ERROR_NONE);
    roster_step(roster_put_run, "a@x", 1);
    roster_step(roster_put_run, "b@x", 2);
    roster_step(roster_put_run, "c@x", 3);
    roster_step(roster_remove_run, "b@x", 4);
    roster_step(roster_put_run, "a@x", 5);
    roster_step(roster_remove_run, "nobody@x", 6); /* was not there: nothing to tell */
    expect_changes(0, "+c@x:3 -b@x:4 +a@x:5 ", true);
    expect_changes(3, "-b@x:4 +a@x:5 ", true);
    expect_changes(5, "", true);
    expect_changes(99, "", false);
    roster_step(roster_put_run, "b@x", 7); /* comes back */
    expect_changes(3, "+a@x:5 +b@x:7 ", true);
    world_reopen();
    load(&l);
    assert_true(l.account_exists);
    assert_int_equal(l.count, 3);
    assert_int_equal(l.version, 7);
    assert_string_equal(l.rows[1].contact, "b@x");
    assert_string_equal(l.rows[1].groups, "a\nb");
    assert_true(span_eq_text(l.rows[1].request, "<presence/>"));
    arena_fini(&l.arena);
}

static void tombstones_are_bounded(void **state)
{
    (void)state;
    world_open(true);
    char contact[16];
    for (int i = 0; i < 300; i++) {
        snprintf(contact, sizeof contact, "c%03d@x", i);
        roster_step(roster_put_run, contact, 2 * i + 1);
        roster_step(roster_remove_run, contact, 2 * i + 2);
    }
    expect_changes(599, "-c299@x:600 ", true);
    expect_changes(10, "", false); /* forgotten: the whole roster is sent */
}

static void deleting_takes_what_is_its_own(void **state)
{
    (void)state;
    world_open(false);
    struct step s = {.account = sample(ROMEO, 2), .bare = ROMEO};
    assert_int_equal(do_step(put_run, &s), ERROR_NONE);
    roster_step(roster_put_run, "a@x", 1);
    world_keep(ROMEO, JULIET, "one", "u:" ROMEO);
    world_keep(JULIET, ROMEO, "two", "h:" ROMEO " " JULIET);
    world_expect_queue("u:" ROMEO, "one");
    world_keep(JULIET, ROMEO, "three", "u:" JULIET);
    assert_int_equal(do_step(delete_run, &s), ERROR_NONE);
    assert_int_equal(do_step(delete_run, &s), ERROR_NOT_FOUND);
    world_expect_queue("u:" ROMEO, "");
    world_expect_queue("h:" ROMEO " " JULIET, "");
    world_expect_archive((struct archive_page){.owner = ROMEO, .max = 9}, "");
    world_expect_archive((struct archive_page){.owner = JULIET, .max = 9}, "one two three"); /* hers stays */
    world_expect_queue("u:" JULIET, "three");
    struct roster_load l;
    load(&l);
    assert_false(l.account_exists);
    assert_int_equal(l.count, 0);
    arena_fini(&l.arena);
}

struct census {
    const char *domain;
    struct account_census found;
    char without[64];
};

static void take_without(void *user, const char *bare)
{
    snprintf(((struct census *)user)->without, sizeof ((struct census *)user)->without, "%s", bare);
}

static bool census_run(struct store_tx *tx, void *user, struct error *e)
{
    struct census *c = user;
    return account_census(tx, c->domain, 4097, &c->found, e) &&
           account_without(tx, c->domain, "SCRAM-SHA-256", take_without, c, e);
}

/* What the accounts of one domain have that may log in. */
static void census(void **state)
{
    (void)state;
    world_open(false);
    static const struct {
        const char *bare;
        unsigned keys;
        bool disabled;
    } rows[] = {{ROMEO, 2, false}, {"abram@montague.example", 1, false}, {"tybalt@montague.example", 2, true}, {JULIET, 2, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct step s = {.account = sample(rows[i].bare, rows[i].keys)};
        s.account.disabled = rows[i].disabled;
        assert_int_equal(do_step(put_run, &s), ERROR_NONE);
    }
    struct census c = {.domain = "montague.example"};
    struct error e = ERROR_INIT;
    assert_true(store_write_wait(world.store, census_run, &c, &e));
    assert_int_equal(c.found.accounts, 2);
    assert_int_equal(c.found.count, 2);
    assert_string_equal(c.found.rows[0].mechanism, "SCRAM-SHA-1");
    assert_int_equal(c.found.rows[0].have, 2);
    assert_int_equal(c.found.rows[0].older, 2); /* 4096 < 4097 */
    assert_int_equal(c.found.rows[0].least, 4096);
    assert_string_equal(c.found.rows[1].mechanism, "SCRAM-SHA-256");
    assert_int_equal(c.found.rows[1].have, 1);
    assert_int_equal(c.found.rows[1].older, 0);
    assert_string_equal(c.without, "abram@montague.example");
    c = (struct census){.domain = "nobody.example"};
    assert_true(store_write_wait(world.store, census_run, &c, &e));
    assert_int_equal(c.found.accounts, 0);
    assert_int_equal(c.found.count, 0);
    assert_string_equal(c.without, "");
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(account_life),
        WORLD_TEST(new_password),
        WORLD_TEST(account_is_disabled),
        WORLD_TEST(account_is_of_a_directory),
        WORLD_TEST(account_lists),
        WORLD_TEST(census),
        WORLD_TEST(roster_versions),
        WORLD_TEST(tombstones_are_bounded),
        WORLD_TEST(deleting_takes_what_is_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
