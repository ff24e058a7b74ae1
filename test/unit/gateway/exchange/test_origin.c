/* SPDX-License-Identifier: MIT */
/* Numbered messages of another community: each is taken once, whatever becomes of it, also when a copy
 * comes while the first is being written and after a crash. */
#include "test/unit/gateway/exchange/session_world.h"

#define MESSAGE(body) "chat " ROMEO "/orchard > " JULIET ": " body "\n"
#define REFUSED(id) "error capulet.example > " ROMEO "/orchard error service-unavailable: " id "\n"

enum { EPOCH = 7 };

static unsigned settles; /* that were released */

static void on_settled(struct command *c)
{
    mem_free(container_of(c, struct settle, cmd));
    settles++;
}

static void arrives(const char *to, uint64_t epoch, int64_t at_us, uint64_t seq, const char *body)
{
    struct bytes children = BYTES_EMPTY;
    bytes_printf(&children, "<body>%s</body>", body);
    struct stanza *st = chat(ROMEO "/orchard", to, bytes_text(&children));
    struct settle *s = mem_new(struct settle);
    settle_init(s, world.loop, on_settled);
    exchange_receive_numbered(world.x, st, epoch, (struct queue_id){at_us, seq}, s);
    stanza_unref(&st);
    bytes_fini(&children);
}

static void says_settled(uint64_t epoch, int64_t at_us, uint64_t seq)
{
    exchange_remote_settled(world.x, "montague.example", "capulet.example", epoch, (struct queue_id){at_us, seq}, NULL);
}

/* All settled, and this was given to her. */
static void expect_given(struct terminal *t, unsigned settled, const char *text)
{
    settle_all();
    expect_text(&t->got, text);
    assert_int_equal(settles, settled);
    settles = 0;
}

/* Juliet is there, and romeo is no stranger. */
static void friends(struct terminal *t)
{
    settles = 0;
    log_on(t, JULIET);
    sends(t, chat(JULIET "/balcony", ROMEO, "<body>hello</body>"));
    bytes_clear(&world.left);
    bytes_clear(&t->got);
    says_settled(EPOCH, 0, 0);
}

static void restart(struct terminal *t)
{
    log_off(t);
    world_restart();
    settles = 0;
}

static void a_copy_is_not_taken(void **state)
{
    (void)state;
    struct terminal t;
    friends(&t);
    arrives(JULIET, EPOCH, 100, 1, "one");
    arrives(JULIET, EPOCH, 100, 3, "three");
    arrives(JULIET, EPOCH, 100, 1, "one"); /* the first is being written */
    expect_given(&t, 3, MESSAGE("one") MESSAGE("three"));
    arrives(JULIET, EPOCH, 100, 3, "three");
    arrives(JULIET, EPOCH, 100, 2, "two"); /* below one that was taken, but not taken itself */
    expect_given(&t, 2, MESSAGE("two"));
    arrives(JULIET, EPOCH, 0, 0, "free"); /* without a number, as often as it comes */
    arrives(JULIET, EPOCH, 0, 0, "free");
    expect_given(&t, 2, MESSAGE("free") MESSAGE("free"));
    restart(&t);
    log_on(&t, JULIET);
    arrives(JULIET, EPOCH, 100, 1, "one");
    arrives(JULIET, EPOCH, 100, 2, "two");
    arrives(JULIET, EPOCH, 100, 4, "four");
    expect_given(&t, 3, MESSAGE("four"));
    log_off(&t);
}

/* The settle of a copy waits with that of the first: it must not be confirmed before the commit. */
static void a_copy_waits_for_the_first(void **state)
{
    (void)state;
    struct terminal t;
    friends(&t);
    settle_all();
    arrives(JULIET, EPOCH, 100, 1, "one");
    arrives(JULIET, EPOCH, 100, 1, "one");
    while (loop_turn(world.loop)) /* without the store's answer nothing is settled, or both are */
        assert_true(settles == 0 || settles == 2);
    expect_given(&t, 2, MESSAGE("one"));
    log_off(&t);
}

static void a_held_one_is_held_once(void **state)
{
    (void)state;
    struct terminal t;
    settles = 0;
    arrives(JULIET, EPOCH, 100, 1, "one");
    arrives(JULIET, EPOCH, 100, 2, "two");
    settle_all();
    world_restart();
    arrives(JULIET, EPOCH, 100, 1, "one");
    arrives(JULIET, EPOCH, 100, 2, "two");
    settle_all();
    assert_int_equal(settles, 4);
    log_on(&t, JULIET);
    bytes_clear(&t.got);
    sends(&t, chat(JULIET "/balcony", ROMEO, "<body>come</body>"));
    expect_text(&t.got, MESSAGE("one") MESSAGE("two"));
    log_off(&t);
}

/* The error is written with the number: after a crash it goes out, and no second one is made. */
static void a_refused_one_is_refused_once(void **state)
{
    (void)state;
    settles = 0;
    arrives("capulet.example", EPOCH, 100, 1, "one");
    arrives("capulet.example", EPOCH, 100, 1, "one");
    settle_all();
    expect_text(&world.left, REFUSED("one"));
    world_restart();
    arrives("capulet.example", EPOCH, 100, 1, "one");
    arrives("capulet.example", EPOCH, 100, 2, "two");
    settle_all();
    expect_text(&world.left, REFUSED("two"));
    assert_int_equal(settles, 4);
}

static void settled_ones_are_copies(void **state)
{
    (void)state;
    struct terminal t;
    friends(&t);
    arrives(JULIET, EPOCH, 100, 1, "one");
    says_settled(EPOCH, 100, 5);
    arrives(JULIET, EPOCH, 100, 1, "one");
    arrives(JULIET, EPOCH, 100, 4, "an old stream's");
    arrives(JULIET, EPOCH, 100, 6, "six");
    says_settled(EPOCH, 0, 0); /* a gateway that has started anew does not know better */
    arrives(JULIET, EPOCH, 100, 5, "five");
    expect_given(&t, 5, MESSAGE("one") MESSAGE("six"));
    log_off(&t);
}

/* Many, so that what is settled is written down and rows go. */
static void settled_ones_are_written_down(void **state)
{
    (void)state;
    struct terminal t;
    struct bytes expected = BYTES_EMPTY;
    friends(&t);
    for (uint64_t seq = 1; seq <= 300; seq++) {
        arrives(JULIET, EPOCH, 100, seq, "m");
        bytes_append_text(&expected, MESSAGE("m"));
    }
    expect_given(&t, 300, bytes_text(&expected));
    says_settled(EPOCH, 100, 290);
    settle_all();
    restart(&t);
    log_on(&t, JULIET);
    for (uint64_t seq = 280; seq <= 301; seq++)
        arrives(JULIET, EPOCH, 100, seq, "m");
    expect_given(&t, 22, MESSAGE("m"));
    bytes_fini(&expected);
    log_off(&t);
}

/* A replaced store has another epoch; one that was restored from a copy goes on under later times. */
static void another_store_is_believed(void **state)
{
    (void)state;
    struct terminal t;
    friends(&t);
    arrives(JULIET, EPOCH, 100, 1, "one");
    arrives(JULIET, EPOCH, 200, 1, "restored");
    expect_given(&t, 2, MESSAGE("one") MESSAGE("restored"));
    arrives(JULIET, EPOCH + 1, 100, 1, "unannounced"); /* taken, not remembered */
    says_settled(EPOCH + 1, 0, 0);
    arrives(JULIET, EPOCH + 1, 100, 1, "replaced");
    arrives(JULIET, EPOCH + 1, 100, 1, "replaced");
    expect_given(&t, 3, MESSAGE("unannounced") MESSAGE("replaced"));
    log_off(&t);
}

/* What a pair may make us remember is bounded; beyond that its messages are as those without number. */
static void a_flood_is_bounded(void **state)
{
    (void)state;
    enum { IDS_MAX = 16384 };
    struct terminal t;
    friends(&t);
    for (uint64_t seq = 1; seq <= IDS_MAX; seq++) {
        struct stanza *st = chat("tybalt@montague.example/x", JULIET, "<active xmlns='" NS_CHATSTATES "'/>");
        exchange_receive_numbered(world.x, st, EPOCH, (struct queue_id){100, seq}, NULL);
        stanza_unref(&st);
    }
    arrives(JULIET, EPOCH, 100, IDS_MAX + 1, "over");
    arrives(JULIET, EPOCH, 100, IDS_MAX + 1, "over");
    expect_given(&t, 2, MESSAGE("over") MESSAGE("over"));
    says_settled(EPOCH, 100, 100);
    arrives(JULIET, EPOCH, 100, IDS_MAX + 2, "room");
    arrives(JULIET, EPOCH, 100, IDS_MAX + 2, "room");
    expect_given(&t, 2, MESSAGE("room"));
    log_off(&t);
}

/* The kept error goes its way; while the peer cannot take more of them, later ones are as they always were. */
static void many_refusals(void **state)
{
    (void)state;
    for (uint64_t seq = 1; seq <= 2100; seq++)
        arrives("capulet.example", EPOCH, 100, seq, "m");
    settle_all();
    unsigned errors = 0;
    for (const char *at = bytes_text(&world.left); (at = strstr(at, "service-unavailable")); at++)
        errors++;
    assert_int_equal(errors, 2100);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_copy_is_not_taken),           CASE(a_copy_waits_for_the_first),    CASE(a_held_one_is_held_once),
        CASE(a_refused_one_is_refused_once), CASE(settled_ones_are_copies),       CASE(settled_ones_are_written_down),
        CASE(another_store_is_believed),     CASE(a_flood_is_bounded),            CASE(many_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
