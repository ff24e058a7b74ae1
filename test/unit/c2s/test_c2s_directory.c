/* SPDX-License-Identifier: MIT */
/* A community whose passwords a directory has: what is offered, what becomes of its answers, and of who leaves before they
 * come. Exchange and directory are scripted; sockets, TLS, threads and store are real. */
#include "test/unit/c2s/outside.h"

#define ROMEO "romeo@montague.example"

static int open_here(void **state)
{
    return outside_open(state, TOGETHER, (struct directory_options){0});
}

static int open_threaded(void **state)
{
    return outside_open(state, THREADED, (struct directory_options){0});
}

static void set_script(struct outside *out, bool away, enum directory_outcome refusal)
{
    pthread_mutex_lock(&out->script.lock);
    out->script.away = away;
    out->script.refusal = refusal;
    pthread_mutex_unlock(&out->script.lock);
}

static void show_password(struct outside *out, const char *password, const char *want)
{
    struct client c;

    client_secure_stage(&c, &out->f->w);
    client_auth_plain(&c, "", "romeo", password);
    client_expect(&c, want);
    client_close(&c);
}

struct look {
    struct arena arena;
    struct account account;
    bool found;
};

static bool look_run(struct store_tx *tx, void *user, struct error *e)
{
    struct look *l = user;
    return account_find(tx, ROMEO, &l->arena, &l->account, &l->found, e);
}

/* Romeo's account was ours, with keys: by his first login it is the directory's, without. */
static void right_and_wrong(void **state)
{
    struct outside *out = *state;
    struct look l = {0};
    struct error e = ERROR_INIT;

    show_password(out, "thorn", "<not-authorized/>");
    assert_string_equal(out->f->x.changed, "");
    show_password(out, "rose", "<success");
    assert_string_equal(out->f->x.changed, ROMEO " ");
    show_password(out, "rose", "<success");
    assert_string_equal(out->f->x.changed, ROMEO " "); /* once */
    arena_init(&l.arena);
    assert_true(store_write_wait(out->f->w.store, look_run, &l, &e));
    assert_true(l.found && l.account.of_directory && l.account.key_count == 0);
    arena_fini(&l.arena);
}

static void what_is_said(void **state)
{
    static const struct {
        const char *proves;
        bool away;
        enum directory_outcome refusal;
        const char *want;
    } rows[] = {
        {"locked", false, DIRECTORY_DISABLED, "<account-disabled/>"},
        {"expired", false, DIRECTORY_EXPIRED, "<credentials-expired/>"},
        {"cannot be asked", true, DIRECTORY_RIGHT, "<temporary-auth-failure/>"},
        {"no answer", false, DIRECTORY_UNAVAILABLE, "<temporary-auth-failure/>"},
    };
    struct outside *out = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        set_script(out, rows[i].away, rows[i].refusal);
        show_password(out, "thorn", rows[i].want);
    }
}

/* Locked counts as wrong for the brake: the third is told later. A directory that is away does not count. */
static void guesses_are_braked(void **state)
{
    struct outside *out = *state;
    struct client c;

    set_script(out, true, DIRECTORY_RIGHT);
    for (unsigned i = 0; i < 4; i++)
        show_password(out, "thorn", "<temporary-auth-failure/>");
    set_script(out, false, DIRECTORY_DISABLED);
    for (unsigned i = 0; i < 2; i++)
        show_password(out, "thorn", "<account-disabled/>");
    client_secure_stage(&c, &out->f->w);
    client_auth_plain(&c, "", "romeo", "thorn");
    world_until_logged(&out->f->w, "the outcome is told after");
    client_close(&c);
}

static void what_is_offered(void **state)
{
    struct outside *out = *state;
    struct client c;

    client_secure_stage(&c, &out->f->w);
    assert_non_null(strstr(c.got, "<mechanism>PLAIN</mechanism>"));
    assert_non_null(strstr(c.got, "<mechanism>HT-SHA-256-NONE</mechanism>"));
    assert_null(strstr(c.got, "SCRAM-SHA"));
    client_send(&c, "<auth " SASL " mechanism='SCRAM-SHA-256'>biwsbj1yb21lbyxyPWFiYw==</auth>");
    client_expect(&c, "<invalid-mechanism/>");
    client_close(&c);
}

/* Nobody may look whether somebody is still there: no tokens. */
static void no_tokens_without_eyes(void **state)
{
    struct outside *out = *state;
    struct client c;

    client_secure_stage(&c, &out->f->w);
    assert_null(strstr(c.got, "HT-SHA-256"));
    client_close(&c);
    show_password(out, "rose", "<success");
}

/* The connection ends while the directory thinks; what comes back finds nobody, and the way down waits for it. */
static void gone_before_the_answer(void **state)
{
    struct outside *out = *state;
    struct client c;

    script_set_shut(&out->script, true);
    client_secure_stage(&c, &out->f->w);
    client_auth_plain(&c, "", "romeo", "rose");
    for (bool inside = false; !inside;) {
        world_turn(&out->f->w);
        pthread_mutex_lock(&out->script.lock);
        inside = out->script.inside > 0;
        pthread_mutex_unlock(&out->script.lock);
    }
    clock_fake_advance(&out->f->w.clock, 60001); /* the time for logging in is over */
    world_settle_down(&out->f->w);
    clock_fake_advance(&out->f->w.clock, 5001); /* and that for an end by the client */
    world_until_logged(&out->f->w, "stream ended");
    client_close(&c);
    script_set_shut(&out->script, false);
    show_password(out, "rose", "<success");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(right_and_wrong, open_here, outside_close),
        cmocka_unit_test_setup_teardown(right_and_wrong, open_threaded, outside_close),
        cmocka_unit_test_setup_teardown(what_is_said, open_here, outside_close),
        cmocka_unit_test_setup_teardown(guesses_are_braked, open_here, outside_close),
        cmocka_unit_test_setup_teardown(what_is_offered, open_here, outside_close),
        cmocka_unit_test_setup_teardown(no_tokens_without_eyes, outside_open_blind, outside_close),
        cmocka_unit_test_setup_teardown(gone_before_the_answer, open_here, outside_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
