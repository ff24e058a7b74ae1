/* SPDX-License-Identifier: MIT */
/* Invitations as rows: which hold, what an account takes of one, and what goes with whom. */
#include "test/unit/gateway/store/store_world.h"

#include "gateway/store/invitations.h"

#define DOMAIN "montague.example"
#define ROMEO  "romeo@" DOMAIN
#define TOKEN  "aaaaaaaaaaaaaaaaaaaaaa"
#define BOTH   8
#define DAY_US (86400ll * 1000000)

static struct clock_fake fake;

static int setup(void **state)
{
    int failed = world_setup(state);
    clock_fake_init(&fake);
    if (!failed)
        world_open_with(&(struct store_options){.path = world.path, .schema_dir = SCHEMA_DIR, .clock = &fake.clock});
    return failed;
}

static enum error_code last_error;

static bool write_it(bool (*run)(struct store_tx *, void *, struct error *), const void *user)
{
    struct error e = ERROR_INIT;
    bool held = store_write_wait(world.store, run, (void *)user, &e);
    last_error = e.code;
    return held;
}

/* ---- steps ---- */

static bool put_run(struct store_tx *tx, void *user, struct error *e)
{
    return account_put(tx, &(struct account){.bare = user}, false, e);
}

static bool gone_run(struct store_tx *tx, void *user, struct error *e)
{
    return account_delete(tx, user, e);
}

static bool disable_run(struct store_tx *tx, void *user, struct error *e)
{
    return account_set_disabled(tx, user, true, e);
}

struct making {
    struct invitation i;
    const char *token;
    unsigned open_max;
    int64_t ttl_us;
};

static bool make_run(struct store_tx *tx, void *user, struct error *e)
{
    struct making *m = user;
    m->i.expires_us = store_now_us(tx) + (m->ttl_us ? m->ttl_us : 7 * DAY_US);
    return invitations_make(tx, &m->i, m->token, m->open_max, e);
}

static struct making usual(void)
{
    return (struct making){.i = {.domain = DOMAIN, .inviter = ROMEO, .account = true, .introduces = true, .uses_left = 1}, .token = TOKEN};
}

static void make(struct making m)
{
    assert_true(write_it(make_run, &m));
}

struct looking {
    const char *token;
    struct arena arena;
    struct invitation i;
    bool found;
};

static bool find_run(struct store_tx *tx, void *user, struct error *e)
{
    struct looking *l = user;
    unsigned char hash[INVITATION_HASH_LEN];
    invitations_hash(l->token, hash);
    return invitations_find(tx, hash, &l->arena, &l->i, &l->found, e);
}

static bool holds(const char *token)
{
    struct looking l = {.token = token};
    arena_init(&l.arena);
    assert_true(write_it(find_run, &l));
    arena_fini(&l.arena);
    return l.found;
}

struct registering {
    const char *token; /* NULL: none */
    const char *bare;
    enum registration_outcome outcome;
    char inviter[64];
};

static bool register_run(struct store_tx *tx, void *user, struct error *e)
{
    struct registering *g = user;
    unsigned char hash[INVITATION_HASH_LEN];
    struct arena a;
    struct account account = {.bare = g->bare};
    struct registration r = {.account = &account, .hash = g->token ? hash : NULL, .roster_state = BOTH, .arena = &a};
    if (g->token)
        invitations_hash(g->token, hash);
    arena_init(&a);
    bool held = invitations_register(tx, &r, e);
    g->outcome = r.outcome;
    text_copy(g->inviter, sizeof g->inviter, held && r.inviter ? r.inviter : "");
    arena_fini(&a);
    return held;
}

static enum registration_outcome enrol(const char *token, const char *bare)
{
    struct registering g = {.token = token, .bare = bare};
    assert_true(write_it(register_run, &g));
    return g.outcome;
}

static bool exists(const char *bare)
{
    struct account_get g = {.bare = bare};
    arena_init(&g.arena);
    g.job.reply_on = world.loop;
    g.job.done = world_done;
    account_get(world.store, &g);
    world_wait(1);
    arena_fini(&g.arena);
    return g.found;
}

static void note_pair(void *user, const char *inviter, const char *invited)
{
    bytes_printf(user, "%s-%s ", inviter, invited);
}

static bool pairs_run(struct store_tx *tx, void *user, struct error *e)
{
    bytes_clear(user);
    return invitations_introductions(tx, note_pair, user, e);
}

static void expect_pairs(const char *want)
{
    struct bytes b = BYTES_EMPTY;
    assert_true(write_it(pairs_run, &b));
    assert_string_equal(bytes_text(&b), want);
    bytes_fini(&b);
}

/* ---- tests ---- */

/* The account, its first contact, the introduction that is due, and one use fewer: all of it or nothing. */
static void registers(void **state)
{
    (void)state;
    assert_true(write_it(put_run, ROMEO));
    make(usual());
    assert_true(holds(TOKEN));
    assert_false(holds("bbbbbbbbbbbbbbbbbbbbbb"));

    assert_int_equal(enrol(TOKEN, ROMEO), REGISTRATION_TAKEN); /* and nothing is spent */
    assert_true(holds(TOKEN));
    assert_int_equal(enrol(TOKEN, "paris@verona.example"), REGISTRATION_NOT_INVITED); /* another community's */
    assert_int_equal(enrol(TOKEN, "benvolio@" DOMAIN), REGISTRATION_DONE);
    assert_true(exists("benvolio@" DOMAIN));
    assert_false(holds(TOKEN));
    expect_pairs(ROMEO "-benvolio@" DOMAIN " ");
    assert_int_equal(enrol(TOKEN, "balthasar@" DOMAIN), REGISTRATION_NOT_INVITED); /* spent */
    assert_false(exists("balthasar@" DOMAIN));

    struct roster_load l = {.owner = "benvolio@" DOMAIN};
    arena_init(&l.arena);
    l.job.reply_on = world.loop;
    l.job.done = world_done;
    roster_load(world.store, &l);
    world_wait(1);
    assert_int_equal(l.count, 1);
    assert_string_equal(l.rows[0].contact, ROMEO);
    assert_int_equal(l.rows[0].state, BOTH);
    assert_int_equal(l.rows[0].in_roster, 1);
    assert_int_equal(l.version, 1);
    arena_fini(&l.arena);
    assert_int_equal(enrol(NULL, "balthasar@" DOMAIN), REGISTRATION_DONE); /* no token: whoever calls has decided */
}

/* What a token is worth after something has happened to it. */
static void what_ends_one(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        bool (*run)(struct store_tx *, void *, struct error *);
        int64_t later_us;
        bool still_registers; /* one that was shown before it ran out */
    } rows[] = {
        {"its time runs out: a stream that has shown it goes on", NULL, 8 * DAY_US, true},
        {"its inviter is deleted", gone_run, 0, false},
        {"its inviter is disabled", disable_run, 0, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char inviter[64], invited[64], token[] = "cccccccccccccccccccccc";
        token[0] = (char)('0' + i);
        snprintf(inviter, sizeof inviter, "inviter%zu@" DOMAIN, i);
        snprintf(invited, sizeof invited, "invited%zu@" DOMAIN, i);
        print_message("%s\n", rows[i].what);
        assert_true(write_it(put_run, inviter));
        struct making m = usual();
        m.i.inviter = inviter;
        m.token = token;
        make(m);
        assert_true(holds(token));
        if (rows[i].run)
            assert_true(write_it(rows[i].run, inviter));
        clock_fake_advance(&fake, (uint64_t)rows[i].later_us / 1000);
        assert_false(holds(token));
        assert_int_equal(enrol(token, invited), rows[i].still_registers ? REGISTRATION_DONE : REGISTRATION_NOT_INVITED);
    }
}

/* A name is kept for whoever is invited by it, and the invitation is for nobody else. */
static void names(void **state)
{
    (void)state;
    struct making m = usual(), other = usual(), taken = usual();
    assert_true(write_it(put_run, ROMEO));
    m.i.name = "rosaline";
    make(m);
    other.token = "dddddddddddddddddddddd";
    make(other);
    assert_int_equal(enrol(other.token, "rosaline@" DOMAIN), REGISTRATION_TAKEN);
    assert_int_equal(enrol(TOKEN, "helena@" DOMAIN), REGISTRATION_OTHER_NAME);
    taken.token = "eeeeeeeeeeeeeeeeeeeeee";
    taken.i.name = "rosaline";
    assert_false(write_it(make_run, &taken));
    assert_int_equal(last_error, ERROR_EXISTS);
    taken.i.name = "romeo";
    assert_false(write_it(make_run, &taken));
    assert_int_equal(last_error, ERROR_EXISTS);
    assert_int_equal(enrol(TOKEN, "rosaline@" DOMAIN), REGISTRATION_DONE);
}

/* Some of a person at a time, one that is made for several uses counts once; each use counts down. */
static void bounds(void **state)
{
    (void)state;
    struct making m = usual();
    assert_true(write_it(put_run, ROMEO));
    m.open_max = 2;
    m.i.uses_left = 2;
    make(m);
    m.token = "ffffffffffffffffffffff";
    make(m);
    m.token = "gggggggggggggggggggggg";
    assert_false(write_it(make_run, &m));
    assert_int_equal(last_error, ERROR_LIMIT);
    assert_int_equal(enrol(TOKEN, "a@" DOMAIN), REGISTRATION_DONE);
    assert_true(holds(TOKEN));
    assert_int_equal(enrol(TOKEN, "b@" DOMAIN), REGISTRATION_DONE);
    assert_false(holds(TOKEN));
    make(m); /* there is room again */
}

struct spending {
    const char *token, *inviter;
    bool spent;
};

static bool spend_run(struct store_tx *tx, void *user, struct error *e)
{
    struct spending *s = user;
    unsigned char hash[INVITATION_HASH_LEN];
    invitations_hash(s->token, hash);
    return invitations_spend_contact(tx, hash, s->inviter, "juliet@capulet.example", &s->spent, e);
}

static bool spend(const char *token, const char *inviter)
{
    struct spending s = {token, inviter, false};
    assert_true(write_it(spend_run, &s));
    return s.spent;
}

/* A contact's invitation is good at its inviter alone, and once. */
static void contacts(void **state)
{
    (void)state;
    struct making m = usual(), account = usual();
    assert_true(write_it(put_run, ROMEO));
    m.i.contact = true;
    m.i.account = false;
    make(m);
    account.token = "hhhhhhhhhhhhhhhhhhhhhh";
    make(account);
    assert_int_equal(enrol(TOKEN, "paris@" DOMAIN), REGISTRATION_NOT_INVITED); /* makes no account */
    assert_false(spend(TOKEN, "mercutio@" DOMAIN));
    assert_false(spend(account.token, ROMEO)); /* makes no contact */
    assert_true(spend(TOKEN, ROMEO));
    assert_false(spend(TOKEN, ROMEO));
}

struct listed {
    struct bytes text;
    char id[INVITATION_ID_LEN + 1];
};

static void note(void *user, const struct invitation *i)
{
    struct listed *l = user;
    bytes_printf(&l->text, "%s/%s/%d ", i->inviter ? i->inviter : "-", i->used_by ? i->used_by : "-", (int)i->uses_left);
    text_copy(l->id, sizeof l->id, i->id);
}

static bool list_run(struct store_tx *tx, void *user, struct error *e)
{
    return invitations_list(tx, DOMAIN, NULL, 10, note, user, e);
}

static bool revoke_run(struct store_tx *tx, void *user, struct error *e)
{
    struct listed *l = user;
    return invitations_revoke(tx, DOMAIN, NULL, l->id, e);
}

static bool revoke_other_run(struct store_tx *tx, void *user, struct error *e)
{
    struct listed *l = user;
    return invitations_revoke(tx, DOMAIN, "mercutio@" DOMAIN, l->id, e);
}

static void list_and_revoke(void **state)
{
    (void)state;
    struct listed l = {.text = BYTES_EMPTY};
    struct making m = usual();
    m.i.inviter = NULL;
    m.i.introduces = false;
    make(m);
    assert_true(write_it(list_run, &l));
    assert_string_equal(bytes_text(&l.text), "-/-/1 ");
    assert_false(write_it(revoke_other_run, &l)); /* nobody takes back another's */
    assert_int_equal(last_error, ERROR_NOT_FOUND);
    assert_true(write_it(revoke_run, &l));
    assert_false(holds(TOKEN));
    assert_int_equal(enrol(TOKEN, "paris@" DOMAIN), REGISTRATION_NOT_INVITED);
    assert_false(write_it(revoke_run, &l));
    bytes_fini(&l.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(registers, setup, world_teardown),
        cmocka_unit_test_setup_teardown(what_ends_one, setup, world_teardown),
        cmocka_unit_test_setup_teardown(names, setup, world_teardown),
        cmocka_unit_test_setup_teardown(bounds, setup, world_teardown),
        cmocka_unit_test_setup_teardown(contacts, setup, world_teardown),
        cmocka_unit_test_setup_teardown(list_and_revoke, setup, world_teardown),
    };
    return cmocka_run_group_tests_name("invitations", tests, NULL, NULL);
}
