/* SPDX-License-Identifier: MIT */
/* Accounts with keys of an earlier build: what is announced while there are some, how they get new ones, and that nobody
 * cannot be told from them by rounds. */
#include "test/unit/c2s/client_scram.h"
#include "test/unit/c2s/scripted_world.h"

#define ABRAM "abram@montague.example"

static bool announces(struct fixture *f, const char *mechanism)
{
    struct client c;

    client_secure_stage(&c, &f->w);
    bool does = strstr(c.got, mechanism) != NULL;
    client_close(&c);
    return does;
}

static void log_in(struct fixture *f, enum scram_hash hash, const char *user, const char *password, const char *want)
{
    struct client c;

    client_secure_stage(&c, &f->w);
    client_scram(&c, &spelt_sasl, hash, user, password, (struct bound){0}, want);
    client_close(&c);
}

static void show_password(struct fixture *f, const char *user, const char *password)
{
    struct client c;

    client_secure_stage(&c, &f->w);
    client_auth_plain(&c, "", user, password);
    client_expect(&c, "<success");
    client_close(&c);
}

static void tell_of_abram(struct fixture *f)
{
    world_forget_log(&f->w);
    c2s_account_changed(f->w.c2s, ABRAM);
    world_until_logged(&f->w, "SCRAM-SHA-512 is not announced: 1 accounts");
}

/* The strongest is announced while everybody has keys of it, and again when the last one got them by PLAIN. */
static void announced_while_all_have_it(void **state)
{
    struct fixture *f = *state;
    struct client c;

    assert_true(announces(f, ">SCRAM-SHA-512-PLUS"));
    tell_of_abram(f);
    assert_false(announces(f, ">SCRAM-SHA-512"));
    assert_true(announces(f, ">SCRAM-SHA-256-PLUS"));
    client_secure_stage(&c, &f->w);
    client_send(&c, "<auth " SASL " mechanism='SCRAM-SHA-512'>biwsbj1hYnJhbSxyPWFiYw==</auth>");
    client_expect(&c, "<invalid-mechanism/>");
    client_close(&c);
    log_in(f, SCRAM_SHA1, "abram", "thumb", "<success"); /* the hash of what was announced fits too */
    world_forget_log(&f->w);
    show_password(f, "abram", "thumb");
    world_until_logged(&f->w, "SCRAM-SHA-512 is announced");
    assert_true(announces(f, ">SCRAM-SHA-512-PLUS"));
    for (int h = SCRAM_SHA1; h <= SCRAM_SHA512; h++)
        log_in(f, (enum scram_hash)h, "abram", "thumb", "<success");
}

/* A wrong password makes nothing. */
static void made_of_the_right_password_only(void **state)
{
    struct fixture *f = *state;
    struct client c;

    client_secure_stage(&c, &f->w);
    client_auth_plain(&c, "", "abram", "thorn");
    client_expect(&c, "<not-authorized/>");
    client_close(&c);
    log_in(f, SCRAM_SHA256, "abram", "thumb", "<not-authorized/>");
}

/* Whoever was shown it may use it, whatever happens meanwhile; and what its challenge says fits what was shown. */
static void shown_is_held(void **state)
{
    struct fixture *f = *state;
    struct client c;

    client_secure_stage(&c, &f->w);
    tell_of_abram(f);
    client_scram(&c, &spelt_sasl, SCRAM_SHA512, "romeo", "rose", (struct bound){0}, "<success");
    client_close(&c);
}

/* Disabled accounts do not count: they cannot log in. */
static void disabled_do_not_count(void **state)
{
    struct fixture *f = *state;

    tell_of_abram(f);
    world_add_account(&f->w, (struct world_account){.bare = ABRAM, .password = "thumb", .only_sha1 = true, .disabled = true});
    c2s_account_changed(f->w.c2s, ABRAM);
    world_until_logged(&f->w, "SCRAM-SHA-512 is announced");
    assert_true(announces(f, ">SCRAM-SHA-512"));
}

static unsigned rounds_of(struct fixture *f, const char *first)
{
    struct bytes raw = BYTES_EMPTY;
    struct client c;
    unsigned rounds = 0;

    client_secure_stage(&c, &f->w);
    client_send(&c, first);
    client_expect(&c, "<challenge");
    client_expect(&c, ">");
    client_expect(&c, "</challenge>");
    assert_true(base64_decode(&raw, c.got, strcspn(c.got, "<")));
    const char *at = strstr(bytes_text(&raw), ",i=");
    assert_non_null(at);
    rounds = (unsigned)strtoul(at + 3, NULL, 10);
    bytes_fini(&raw);
    client_close(&c);
    return rounds;
}

#define FIRST(name) "<auth " SASL " mechanism='SCRAM-SHA-256'>" name "</auth>"
#define ROMEO       FIRST("biwsbj1yb21lbyxyPWFiYw==")     /* n,,n=romeo,r=abc */
#define NOBODY      FIRST("biwsbj1ub2JvZHkscj1hYmM=")     /* n,,n=nobody,r=abc */

/* While all accounts show few rounds, so does nobody; when they have new keys, nobody does too. */
static void nobody_looks_like_everybody(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(rounds_of(f, ROMEO), 4096);
    assert_int_equal(rounds_of(f, NOBODY), 4096);
    show_password(f, "romeo", "rose");
    world_until_logged(&f->w, "romeo@montague.example has new keys");
    show_password(f, "mercutio", "mab");
    world_until_logged(&f->w, "mercutio@montague.example has new keys");
    assert_int_equal(rounds_of(f, ROMEO), SCRAM_ITERATIONS);
    assert_int_equal(rounds_of(f, NOBODY), SCRAM_ITERATIONS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(announced_while_all_have_it), BOTH(made_of_the_right_password_only), BOTH(shown_is_held),
        BOTH(disabled_do_not_count),       BOTH(nobody_looks_like_everybody),
    };
    return cmocka_run_group_tests_name("c2s_keys", tests, NULL, NULL);
}
