/* SPDX-License-Identifier: MIT */
/* Tokens as rows: which of two logins at a time wins, and how many installations there may be. */
#include "test/unit/gateway/store/store_world.h"

#include "gateway/store/clients.h"

#define ROMEO "romeo@montague.example"

struct look {
    const char *agent;
    struct client_tokens tokens;
    unsigned clients;
};

static bool use_run(struct store_tx *tx, void *user, struct error *e)
{
    return clients_use(tx, user, e);
}

static void count(void *user, const struct client_row *row)
{
    (void)row;
    ++*(unsigned *)user;
}

static bool look_run(struct store_tx *tx, void *user, struct error *e)
{
    struct look *l = user;
    l->clients = 0;
    return clients_tokens(tx, ROMEO, l->agent, &l->tokens, e) && clients_each(tx, ROMEO, count, &l->clients, e);
}

static void use(struct client_use *u)
{
    struct error e = ERROR_INIT;
    if (!store_write_wait(world.store, use_run, u, &e))
        fail_msg("%s", e.text);
}

static struct look look(const char *agent)
{
    struct error e = ERROR_INIT;
    struct look l = {.agent = agent};
    if (!store_write_wait(world.store, look_run, &l, &e))
        fail_msg("%s", e.text);
    return l;
}

static void give(const char *agent, char seed)
{
    struct client_token t = {.mechanism = "HT-SHA-256-NONE", .expires_us = INT64_MAX};
    memset(t.seed, seed, sizeof t.seed);
    use(&(struct client_use){.bare = ROMEO, .agent = agent, .software = "s", .device = "d", .give = &t});
}

/* Two logins looked at the same fresh token before either was kept: both get in, and it holds after them. */
static void fresh_twice(void **state)
{
    (void)state;
    give("a", '1');
    struct look before = look("a");
    assert_int_equal(before.tokens.count, 1);
    assert_true(before.tokens.list[0].fresh);
    for (int i = 0; i < 2; i++) {
        struct client_use u = {.bare = ROMEO, .agent = "a", .used = &before.tokens.list[0]};
        use(&u);
        assert_false(u.refused);
        struct look after = look("a");
        assert_int_equal(after.tokens.count, 1);
        assert_false(after.tokens.list[0].fresh);
    }
    give("a", '2'); /* and the one in use goes when the next is shown */
    struct look both = look("a");
    assert_int_equal(both.tokens.count, 2);
    use(&(struct client_use){.bare = ROMEO, .agent = "a", .used = &both.tokens.list[1]});
    struct look last = look("a");
    assert_int_equal(last.tokens.count, 1);
    assert_int_equal(last.tokens.list[0].seed[0], '2');
    struct client_use gone = {.bare = ROMEO, .agent = "a", .used = &before.tokens.list[0]};
    use(&gone);
    assert_true(gone.refused);
}

/* Whoever knows a password may call itself by any number of ids: the newest stay, the others lose their tokens. */
static void bounds(void **state)
{
    (void)state;
    char agent[16];
    for (int i = 0; i < CLIENTS_MAX + 10; i++) {
        snprintf(agent, sizeof agent, "agent%d", i);
        give(agent, '1');
    }
    struct look newest = look(agent), oldest = look("agent0");
    assert_int_equal(newest.tokens.count, 1);
    assert_int_equal(oldest.tokens.count, 0);
    assert_in_range(newest.clients, CLIENTS_MAX, CLIENTS_MAX + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fresh_twice, world_setup_open, world_teardown),
        cmocka_unit_test_setup_teardown(bounds, world_setup_open, world_teardown),
    };
    return cmocka_run_group_tests_name("clients", tests, NULL, NULL);
}
