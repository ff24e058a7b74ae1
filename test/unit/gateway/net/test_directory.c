/* SPDX-License-Identifier: MIT */
/* The threads before a directory, the directory itself being scripted: who is asked about what, what is remembered, and what
 * happens to those who wait. */
#include "test/unit/gateway/net/scripted_directory.h"

struct bench {
    struct script s;
    struct clock_fake clock;
    struct loop *loop;
};

static void start(struct bench *b, struct directory_options o)
{
    clock_fake_init(&b->clock);
    b->loop = loop_create("test", &b->clock.clock);
    o.domain = "x.example";
    o.clock = &b->clock.clock;
    script_start(&b->s, o);
}

static void end(struct bench *b)
{
    script_end(&b->s);
    loop_destroy(&b->loop);
}

struct asking {
    struct directory_ask ask;
    bool over;
};

static void on_done(struct directory_ask *ask)
{
    container_of(ask, struct asking, ask)->over = true;
}

static void ask(struct bench *b, struct asking *a, const char *user, const char *password)
{
    *a = (struct asking){.ask = {.user = user, .password = password, .reply_on = b->loop, .done = on_done}};
    directory_ask(b->s.d, &a->ask);
    assert_false(a->over); /* later, also when it is known at once */
}

static enum directory_outcome answer(struct bench *b, struct asking *a)
{
    while (!a->over)
        if (!loop_turn(b->loop))
            poll(NULL, 0, 1);
    return a->ask.outcome;
}

static enum directory_outcome asked(struct bench *b, const char *user, const char *password)
{
    struct asking a;

    ask(b, &a, user, password);
    return answer(b, &a);
}

static void passwords_are_judged(void **state)
{
    struct bench b;
    (void)state;

    start(&b, (struct directory_options){.cache_s = 600});
    assert_int_equal(asked(&b, "romeo", "rose"), DIRECTORY_RIGHT);
    assert_int_equal(asked(&b, "romeo", "thorn"), DIRECTORY_WRONG);
    assert_int_equal(b.s.proofs, 2);
    assert_int_equal(b.s.finds, 2); /* each time: what is remembered is for tokens alone */
    assert_int_equal(asked(&b, "romeo", ""), DIRECTORY_WRONG);
    assert_int_equal(b.s.finds, 2); /* the directory never sees an empty one */
    b.s.is_gone = true;
    assert_int_equal(asked(&b, "romeo", "rose"), DIRECTORY_WRONG);
    assert_int_equal(b.s.proofs, 2);
    b.s.away = true;
    assert_int_equal(asked(&b, "romeo", "rose"), DIRECTORY_UNAVAILABLE);
    end(&b);
}

static void who_exists_is_remembered(void **state)
{
    struct bench b;
    (void)state;

    start(&b, (struct directory_options){.cache_s = 600, .cache_max = 2});
    assert_int_equal(asked(&b, "romeo", NULL), DIRECTORY_RIGHT);
    b.s.is_gone = true;
    assert_int_equal(asked(&b, "romeo", NULL), DIRECTORY_RIGHT);
    assert_int_equal(b.s.finds, 1);
    struct asking now = {.ask = {.user = "romeo", .fresh = true, .reply_on = b.loop, .done = on_done}};
    directory_ask(b.s.d, &now.ask);
    assert_int_equal(answer(&b, &now), DIRECTORY_WRONG); /* who wants it fresh hears it, and all others from then on */
    assert_int_equal(b.s.finds, 2);
    assert_int_equal(asked(&b, "romeo", NULL), DIRECTORY_WRONG);
    clock_fake_advance(&b.clock, 600 * 1000);
    assert_int_equal(asked(&b, "romeo", NULL), DIRECTORY_WRONG);
    b.s.is_gone = false;
    assert_int_equal(asked(&b, "romeo", NULL), DIRECTORY_WRONG); /* that somebody is not there, too */
    assert_int_equal(asked(&b, "romeo", "rose"), DIRECTORY_RIGHT);
    assert_int_equal(asked(&b, "romeo", NULL), DIRECTORY_RIGHT); /* whoever shows a password is seen at once */
    assert_int_equal(b.s.finds, 4);
    clock_fake_advance(&b.clock, 600 * 1000);
    b.s.away = true;
    assert_int_equal(asked(&b, "romeo", NULL), DIRECTORY_UNAVAILABLE); /* which is not remembered */
    b.s.away = false;
    for (const char *const *name = (const char *const[]){"a", "b", "c", NULL}; *name; name++)
        assert_int_equal(asked(&b, *name, NULL), DIRECTORY_RIGHT);
    b.s.finds = 0;
    assert_int_equal(asked(&b, "c", NULL), DIRECTORY_RIGHT);
    assert_int_equal(b.s.finds, 0);
    assert_int_equal(asked(&b, "a", NULL), DIRECTORY_RIGHT);
    assert_int_equal(b.s.finds, 1); /* the oldest made room */
    end(&b);
}

static void waiting_is_bounded(void **state)
{
    struct bench b;
    struct asking inside[2], waiting[3], more;
    (void)state;

    start(&b, (struct directory_options){.threads = 2, .queue_max = 3});
    script_set_shut(&b.s, true);
    for (unsigned i = 0; i < 2; i++)
        ask(&b, &inside[i], "romeo", "rose");
    script_until_inside(&b.s, 2);
    for (unsigned i = 0; i < 3; i++)
        ask(&b, &waiting[i], "romeo", "rose");
    ask(&b, &more, "romeo", "rose");
    assert_int_equal(answer(&b, &more), DIRECTORY_UNAVAILABLE);
    clock_fake_advance(&b.clock, 15000); /* what waited so long is not asked any more */
    script_set_shut(&b.s, false);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(answer(&b, &inside[i]), DIRECTORY_RIGHT);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(answer(&b, &waiting[i]), DIRECTORY_UNAVAILABLE);
    assert_int_equal(b.s.finds, 2);
    assert_int_equal(asked(&b, "romeo", "rose"), DIRECTORY_RIGHT);
    end(&b);
}

static void who_can_search(void **state)
{
    struct bench b;
    (void)state;

    start(&b, (struct directory_options){.dn = "uid=%u"});
    assert_false(directory_can_search(b.s.d));
    end(&b);
    start(&b, (struct directory_options){.dn = "uid=%u", .bind_dn = "cn=a", .bind_password = "b"});
    assert_true(directory_can_search(b.s.d));
    end(&b);
    start(&b, (struct directory_options){0});
    assert_true(directory_can_search(b.s.d));
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords_are_judged),
        cmocka_unit_test(who_exists_is_remembered),
        cmocka_unit_test(waiting_is_bounded),
        cmocka_unit_test(who_can_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
