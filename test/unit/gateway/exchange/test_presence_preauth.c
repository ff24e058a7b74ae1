/* SPDX-License-Identifier: MIT */
/* Invitations at the exchange: two who show one token at the same moment, one that is spent between the look and the turn, and
 * an inviter who is told once of whom they invited. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/store/invitations.h"
#include "test/world/world.h"

#define HERE  "a.example"
#define ROMEO "romeo@" HERE
#define TOKEN "abcdefghijklmnopqrstuv"
#define STATE(contact, state) "select count(*) from rosters where owner = '" ROMEO "' and contact = '" contact "' and state = " state " and removed = 0"
#define FROM_OUT "7"
#define NONE_IN  "2"
#define BOTH     "8"

static int setup(void **state)
{
    static const struct world_gateway here = {.domain = HERE};
    static const char *const names[] = {ROMEO, "benvolio@" HERE, "mercutio@" HERE};
    struct world *w = world_create(&here, 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        world_account(w, names[i]);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    world_destroy(&w);
    return 0;
}

static bool make_run(struct store_tx *tx, void *user, struct error *e)
{
    struct invitation i = {.domain = HERE, .inviter = ROMEO, .contact = true, .uses_left = *(unsigned *)user};
    i.expires_us = store_now_us(tx) + 3600ll * 1000000;
    return invitations_make(tx, &i, TOKEN, 0, e);
}

static void invite(struct world *w, unsigned uses)
{
    struct error e = ERROR_INIT;
    if (!store_write_wait(world_store(w, HERE), make_run, &uses, &e))
        fail_msg("%s", e.text);
}

#define SUBSCRIBE "<presence type='subscribe' to='" ROMEO "'><preauth xmlns='urn:xmpp:pars:0' token='" TOKEN "'/></presence>"

static void ask_both(struct world *w)
{
    struct peer *one = world_bind(w, "benvolio@" HERE "/x"), *other = world_bind(w, "mercutio@" HERE "/y");
    assert_true(peer_send(one, SUBSCRIBE) && peer_send(other, SUBSCRIBE)); /* neither has been looked at yet */
    world_settle(w);
}

/* One use: one of them is let in, the other waits like any stranger; nothing is left of the try. */
static void two_at_once(void **state)
{
    struct world *w = *state;
    invite(w, 1);
    ask_both(w);
    int64_t in = world_count(w, HERE, STATE("benvolio@" HERE, FROM_OUT)) + world_count(w, HERE, STATE("mercutio@" HERE, FROM_OUT));
    int64_t waiting = world_count(w, HERE, STATE("benvolio@" HERE, NONE_IN)) + world_count(w, HERE, STATE("mercutio@" HERE, NONE_IN));
    assert_int_equal(in, 1);
    assert_int_equal(waiting, 1);
    assert_int_equal(world_count(w, HERE, "select uses_left from invitations"), 0);
}

static void two_uses(void **state)
{
    struct world *w = *state;
    invite(w, 2);
    ask_both(w);
    assert_int_equal(world_count(w, HERE, STATE("benvolio@" HERE, FROM_OUT)), 1);
    assert_int_equal(world_count(w, HERE, STATE("mercutio@" HERE, FROM_OUT)), 1);
}

/* Who is let in already, and asks once more, does not spend another use. */
static void again(void **state)
{
    struct world *w = *state;
    invite(w, 2);
    struct peer *one = world_bind(w, "benvolio@" HERE "/x");
    for (int i = 0; i < 2; i++) {
        assert_true(peer_send(one, SUBSCRIBE));
        world_settle(w);
    }
    assert_int_equal(world_count(w, HERE, "select uses_left from invitations"), 1);
}

/* The inviter's half of an introduction: pushed, kept, and done once however often it is asked for. */
static void introduced(void **state)
{
    struct world *w = *state;
    struct peer *romeo = world_bind(w, ROMEO "/orchard");
    unsigned pushes = 0;
    assert_true(peer_send(romeo, "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>"));
    world_settle(w);
    while (peer_next(romeo))
        ;
    for (int i = 0; i < 2; i++)
        exchange_introduce(world_exchange(w, HERE), ROMEO, "benvolio@" HERE);
    exchange_introduce(world_exchange(w, HERE), "nobody@" HERE, "benvolio@" HERE); /* an inviter who has gone */
    world_settle(w);
    for (struct stanza *st; (st = peer_next(romeo));)
        pushes += st->kind == STANZA_IQ && st->type == IQ_SET;
    assert_int_equal(pushes, 1);
    assert_int_equal(world_count(w, HERE, STATE("benvolio@" HERE, BOTH)), 1);
    assert_int_equal(world_count(w, HERE, "select count(*) from rosters where owner like 'nobody%'"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(two_uses, setup, teardown),
        cmocka_unit_test_setup_teardown(again, setup, teardown),
        cmocka_unit_test_setup_teardown(introduced, setup, teardown),
    };
    return cmocka_run_group_tests_name("presence_preauth", tests, NULL, NULL);
}
