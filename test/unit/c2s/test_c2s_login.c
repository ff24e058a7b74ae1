/* SPDX-License-Identifier: MIT */
/* Logging in: SASL's mechanisms, what binds them to TLS, who guesses, who leaves in between (RFC 6120 section 6). The
 * exchange is scripted; the rest is real. */
#include "test/unit/c2s/scripted_world.h"
#include "test/unit/c2s/client_scram.h"

static int setup_hasty(void **state)
{
    return setup_timed(state, TOGETHER, (struct c2s_limits){0}, (struct c2s_times){.login_ms = 3000});
}

static void auth_plain(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *what, *authzid, *user, *password, *want;
    } cases[] = {
        {"right", "", "romeo", "rose", "<success"},
        {"right, with one's own authzid", "romeo@montague.example", "romeo", "rose", "<success"},
        {"a name in capitals is the same account", "", "ROMEO", "rose", "<success"},
        {"keys of SHA-1 only serve PLAIN as well", "", "abram", "thumb", "<success"},
        {"wrong password", "", "romeo", "thorn", "<not-authorized/>"},
        {"no such account: the same error", "", "nobody", "rose", "<not-authorized/>"},
        {"6.5.2 disabled", "", "tybalt", "cats", "<account-disabled/>"},
        {"disabled is not told to who does not know the password", "", "tybalt", "dogs",
         "<not-authorized/>"},
        {"a name that cannot be", "", "ro@meo", "rose", "<not-authorized/>"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct client c;
        print_message("  %s\n", cases[i].what);
        client_secure_stage(&c, &f->w);
        client_auth_plain(&c, cases[i].authzid, cases[i].user, cases[i].password);
        client_expect(&c, cases[i].want);
        client_close(&c);
    }
    /* One line each, with the address; never the password. */
    world_until_logged(&f->w, "127.0.0.1");
    world_until_logged(&f->w, "login failed: not-authorized, as nobody");
    assert_false(world_has_logged(&f->w, "thorn"));
}

/* Wrong passwords for one account from one network, each on a connection of its own. */
/* What the exchange compares is from before the account was read, not from when a resource is bound. */
static void login_is_dated(void **state)
{
    struct fixture *f = *state;
    struct client c;

    f->x.revocations = 7;
    client_proved_stage(&c, &f->w, "romeo", "rose");
    f->x.revocations = 9;
    client_bind(&c, "orchard");
    assert_int_equal(f->x.resources[0]->proved, 7);
    client_close(&c);
}

static void guess(struct fixture *f, unsigned times, const char *from)
{
    for (unsigned i = 0; i < times; i++) {
        struct client c;
        client_secure_stage_from(&c, &f->w, from);
        client_auth_plain(&c, "", "romeo", "thorn");
        client_expect(&c, "<not-authorized/>");
        client_close(&c);
    }
}

/* A password was derived and looked at, and the outcome waits for so long. */
static void expect_held(struct fixture *f, struct client *c, const char *password, const char *after)
{
    world_forget_log(&f->w);
    client_auth_plain(c, "", "romeo", password);
    world_until_logged(&f->w, "the outcome is told after");
    assert_true(world_has_logged(&f->w, after));
    client_expect_not(c, "<failure");
    client_expect_not(c, "<success");
}

/* Whoever reconnects and guesses on waits longer each time, whether the guess was right or wrong; a person
 * at another network, and other accounts, do not wait; and what waits does no harm when its client leaves. */
static void guesses_wait(void **state)
{
    struct fixture *f = *state;
    struct client wrong, right, other, away, gone;

    guess(f, 2, "127.0.0.1");
    client_secure_stage(&wrong, &f->w);
    expect_held(f, &wrong, "thorn", "after 1000 ms");
    world_advance(&f->w, 1100);
    client_expect(&wrong, "<not-authorized/>");
    client_secure_stage_from(&right, &f->w, "127.0.0.77");
    expect_held(f, &right, "rose", "after 2000 ms");
    client_secure_stage_from(&away, &f->w, "127.0.1.1");
    client_auth_plain(&away, "", "romeo", "rose");
    client_expect(&away, "<success");
    client_secure_stage(&other, &f->w);
    client_auth_plain(&other, "", "mercutio", "mab");
    client_expect(&other, "<success");
    client_expect_not(&right, "<success");
    world_advance(&f->w, 2200);
    client_expect(&right, "<success");
    client_send(&right, HEADER("montague.example"));
    client_expect(&right, "<bind");
    guess(f, 2, "127.0.0.1");
    client_secure_stage(&gone, &f->w);
    expect_held(f, &gone, "thorn", "after 1000 ms");
    client_close(&gone);
    world_advance(&f->w, 20000);
    client_close(&wrong);
    client_close(&right);
    client_close(&other);
    client_close(&away);
}

/* Where little time is given for logging in, the wait leaves enough of it: the owner gets in from there too. */
static void guesses_wait_less_than_a_login_may_take(void **state)
{
    struct fixture *f = *state;
    struct client wrong, right;

    guess(f, 2, "127.0.0.1");
    client_secure_stage(&wrong, &f->w);
    expect_held(f, &wrong, "thorn", "after 1000 ms");
    client_secure_stage(&right, &f->w);
    expect_held(f, &right, "rose", "after 1000 ms"); /* 2 s, if there were time */
    world_advance(&f->w, 1100);
    client_expect(&wrong, "<not-authorized/>");
    client_expect(&right, "<success");
    client_close(&wrong);
    client_close(&right);
}

static void scram(struct client *c, enum scram_hash hash, const char *user, const char *password,
                  const char *want)
{
    client_scram(c, &spelt_sasl, hash, user, password, (struct bound){0}, want);
}

static void secure_stage_at_most(struct client *c, struct world *w, int tls_max)
{
    client_plain_stage(c, w);
    client_send(c, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    client_expect(c, "<proceed");
    client_expect(c, ">");
    c->tls_max = tls_max;
    client_secure(c, NULL);
    client_send(c, HEADER("montague.example"));
    client_expect(c, "</stream:features>");
}

/* RFC 5802 section 6: bound to the channel that is really there, or refused. */
static void auth_plus(void **state)
{
    static const struct {
        int tls;
        const char *type;
        bool tampered;
        const char *proves;
    } bindings[] = {
        {TLS1_3_VERSION, "tls-exporter", false, "RFC 9266"},
        {TLS1_3_VERSION, "tls-server-end-point", false, "RFC 5929 section 4"},
        {TLS1_3_VERSION, "tls-unique", false, "what clients on OpenSSL do where it is undefined"},
        {TLS1_2_VERSION, "tls-exporter", false, "with the extended master secret"},
        {TLS1_2_VERSION, "tls-unique", false, "RFC 5929 section 3"},
        {TLS1_3_VERSION, "tls-exporter", true, "somebody in between"},
        {TLS1_3_VERSION, "tls-server-end-point", true, "another certificate"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(bindings) / sizeof(*bindings); i++) {
        struct client c;
        struct bytes data = BYTES_EMPTY;
        secure_stage_at_most(&c, &f->w, bindings[i].tls);
        client_binding(&c, bindings[i].type, &data);
        data.data[0] ^= (char)bindings[i].tampered;
        client_scram(&c, &spelt_sasl, (enum scram_hash)(i % SCRAM_HASH_COUNT), "romeo", "rose",
                    (struct bound){bindings[i].type, bytes_span(&data)},
                    bindings[i].tampered ? "<not-authorized/>" : "<success");
        if (bindings[i].tampered) /* the same connection still lets in whoever does not bind */
            scram(&c, SCRAM_SHA256, "romeo", "rose", "<success");
        bytes_fini(&data);
        client_close(&c);
    }
}

/* A client that could bind and was shown no -PLUS: somebody took it away. */
static void auth_downgraded(void **state)
{
    struct fixture *f = *state;
    struct client c;

    client_secure_stage(&c, &f->w);
    client_send(&c, "<auth " SASL " mechanism='SCRAM-SHA-256'>eSwsbj1yb21lbyxyPWFiYw==</auth>"); /* y,, */
    client_expect(&c, "<not-authorized/>");
    client_send(&c, "<auth " SASL " mechanism='SCRAM-SHA-256-PLUS'>biwsbj1yb21lbyxyPWFiYw==</auth>"); /* n,, */
    client_expect(&c, "<not-authorized/>");
    client_close(&c);
}

/* RFC 5802: both sides prove the password; a wrong proof may be tried again on the same stream. */
static void auth_scram(void **state)
{
    struct fixture *f = *state;

    for (int h = SCRAM_SHA1; h < SCRAM_HASH_COUNT; h++) {
        struct client c;
        char from[16];
        snprintf(from, sizeof(from), "127.0.%d.1", h); /* a network each: guessers wait */
        client_secure_stage_from(&c, &f->w, from);
        scram(&c, (enum scram_hash)h, "romeo", "thorn", "<not-authorized/>");
        scram(&c, (enum scram_hash)h, "nobody", "rose", "<not-authorized/>");
        scram(&c, (enum scram_hash)h, "romeo", "rose", "<success");
        client_close(&c);
    }
}

/* The salt of an account that does not exist looks like any other and stays the same. */
static void unknown_account_salt(void **state)
{
    struct fixture *f = *state;
    char first[3][256];

    for (int i = 0; i < 3; i++) {
        struct client c;
        struct bytes raw = BYTES_EMPTY;
        client_secure_stage(&c, &f->w);
        /* n,,n=nobody,r=abc and n,,n=someone,r=abc */
        client_send(
            &c, i < 2 ? "<auth " SASL " mechanism='SCRAM-SHA-1'>biwsbj1ub2JvZHkscj1hYmM=</auth>"
                      : "<auth " SASL " mechanism='SCRAM-SHA-1'>biwsbj1zb21lb25lLHI9YWJj</auth>");
        client_expect(&c, "<challenge");
        client_expect(&c, ">");
        client_expect(&c, "</challenge>");
        assert_true(base64_decode(&raw, c.got, strcspn(c.got, "<")));
        const char *salt = strstr(bytes_text(&raw), ",s=");
        assert_non_null(salt);
        snprintf(first[i], sizeof(first[i]), "%s", salt);
        bytes_fini(&raw);
        client_close(&c);
    }
    assert_string_equal(first[0], first[1]);
    assert_string_not_equal(first[0], first[2]);
}

/* A client that leaves while its password is being derived leaves nothing behind. */
static void leaves_during_work(void **state)
{
    struct fixture *f = *state;
    struct c2s_counts n;

    for (int turns = 0; turns < 6; turns++) {
        struct client c;
        client_secure_stage(&c, &f->w);
        client_auth_plain(&c, "", "romeo", "rose");
        for (int i = 0; i < turns; i++)
            loop_turn(f->w.loop);
        client_close(&c);
    }
    c2s_count(f->w.c2s, &n);
    for (int i = 0; i < PATIENCE_TURNS && n.connections; i++) {
        world_turn(&f->w);
        c2s_count(f->w.c2s, &n);
    }
    assert_int_equal(n.connections, 0);
}

/* Keys that were made before there was SHA-512: asked for by that, the account is like a wrong password (and like
 * nobody); by what it has, it gets in. */
static void auth_scram_without_those_keys(void **state)
{
    struct fixture *f = *state;
    struct client c;

    client_secure_stage(&c, &f->w);
    scram(&c, SCRAM_SHA512, "abram", "thumb", "<not-authorized/>");
    scram(&c, SCRAM_SHA1, "abram", "thumb", "<success");
    client_close(&c);
}

/* XEP-0474: what the challenge says of our features is what they were. */
static void advertised_is_what_was_offered(void **state)
{
    struct fixture *f = *state;
    static const char offered[] = "PLAIN\x1eSCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS\x1eSCRAM-SHA-256\x1eSCRAM-SHA-256-PLUS\x1e"
                                  "SCRAM-SHA-512\x1eSCRAM-SHA-512-PLUS\x1ftls-exporter\x1etls-server-end-point";
    unsigned char digest[SCRAM_KEY_MAX];
    struct bytes raw = BYTES_EMPTY, want = BYTES_EMPTY;
    struct client c;

    scram_digest(SCRAM_SHA512, offered, sizeof(offered) - 1, digest);
    bytes_append_text(&want, ",h=");
    base64_encode(&want, digest, 64);
    client_secure_stage(&c, &f->w);
    client_send(&c, "<auth " SASL " mechanism='SCRAM-SHA-512'>biwsbj1yb21lbyxyPWFiYw==</auth>"); /* n,,n=romeo,r=abc */
    client_expect(&c, "<challenge");
    client_expect(&c, ">");
    client_expect(&c, "</challenge>");
    assert_true(base64_decode(&raw, c.got, strcspn(c.got, "<")));
    assert_non_null(strstr(bytes_text(&raw), bytes_text(&want)));
    bytes_fini(&raw);
    bytes_fini(&want);
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(auth_plain),
        BOTH(login_is_dated),
        BOTH(guesses_wait),
        cmocka_unit_test_setup_teardown(guesses_wait_less_than_a_login_may_take, setup_hasty, teardown),
        BOTH(auth_scram),
        BOTH(auth_scram_without_those_keys),
        BOTH(advertised_is_what_was_offered),
        BOTH(auth_plus),
        BOTH(auth_downgraded),
        BOTH(unknown_account_salt),
        BOTH(leaves_during_work),
    };
    return cmocka_run_group_tests_name("c2s_login", tests, NULL, NULL);
}
