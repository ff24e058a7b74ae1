/* SPDX-License-Identifier: MIT */
/* The threads before a directory, the directory itself being scripted: who is asked about what, what is remembered, and what
 * happens to those who wait. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/base/text.h"
#include "gateway/net/directory.h"

struct script {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool shut;       /* nobody is answered until it is open */
    bool away;       /* UNAVAILABLE */
    bool is_gone;    /* nobody is there */
    unsigned inside; /* threads that wait */
    unsigned finds, proofs;
    struct clock_fake clock;
    struct loop *loop;
    struct directory *d;
};

static void *script_open(const struct directory_options *o)
{
    return o->backend_user;
}

static void script_close(void *line)
{
    (void)line;
}

static enum directory_outcome script_find(void *line, const char *user, struct bytes *dn, uint64_t deadline_ms, struct error *e)
{
    struct script *s = line;
    (void)deadline_ms;

    pthread_mutex_lock(&s->lock);
    s->finds++;
    s->inside++;
    pthread_cond_broadcast(&s->wake);
    while (s->shut)
        pthread_cond_wait(&s->wake, &s->lock);
    s->inside--;
    enum directory_outcome outcome = s->away ? DIRECTORY_UNAVAILABLE : s->is_gone ? DIRECTORY_WRONG : DIRECTORY_RIGHT;
    pthread_mutex_unlock(&s->lock);
    if (outcome == DIRECTORY_UNAVAILABLE)
        error_set(e, ERROR_TEMPORARY, "away");
    bytes_printf(dn, "uid=%s", user);
    return outcome;
}

static enum directory_outcome script_prove(void *line, const char *dn, const char *password, uint64_t deadline_ms, struct error *e)
{
    struct script *s = line;
    (void)deadline_ms, (void)e;

    assert_true(*password);
    pthread_mutex_lock(&s->lock);
    s->proofs++;
    pthread_mutex_unlock(&s->lock);
    return text_eq(dn, "uid=romeo") && text_eq(password, "rose") ? DIRECTORY_RIGHT : DIRECTORY_WRONG;
}

static const struct directory_backend script_backend = {script_open, script_find, script_prove, script_close};

static void start(struct script *s, struct directory_options o)
{
    static const char *const urls[] = {"ldap://localhost", NULL};

    *s = (struct script){0};
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, NULL);
    clock_fake_init(&s->clock);
    s->loop = loop_create("test", &s->clock.clock);
    o.domain = "x.example";
    o.urls = urls;
    o.base = o.dn ? NULL : "ou=people";
    o.timeout_s = 5;
    o.backend = &script_backend;
    o.backend_user = s;
    o.clock = &s->clock.clock;
    s->d = directory_create(&o);
}

static void end(struct script *s)
{
    directory_destroy(&s->d);
    loop_destroy(&s->loop);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
}

static void set_shut(struct script *s, bool shut)
{
    pthread_mutex_lock(&s->lock);
    s->shut = shut;
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

static void until_inside(struct script *s, unsigned count)
{
    pthread_mutex_lock(&s->lock);
    while (s->inside < count)
        pthread_cond_wait(&s->wake, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

struct asking {
    struct directory_ask ask;
    bool over;
};

static void on_done(struct directory_ask *ask)
{
    container_of(ask, struct asking, ask)->over = true;
}

static void ask(struct script *s, struct asking *a, const char *user, const char *password)
{
    *a = (struct asking){.ask = {.user = user, .password = password, .reply_on = s->loop, .done = on_done}};
    directory_ask(s->d, &a->ask);
    assert_false(a->over); /* later, also when it is known at once */
}

static enum directory_outcome answer(struct script *s, struct asking *a)
{
    while (!a->over)
        if (!loop_turn(s->loop))
            poll(NULL, 0, 1);
    return a->ask.outcome;
}

static enum directory_outcome asked(struct script *s, const char *user, const char *password)
{
    struct asking a;

    ask(s, &a, user, password);
    return answer(s, &a);
}

static void passwords_are_judged(void **state)
{
    struct script s;
    (void)state;

    start(&s, (struct directory_options){.cache_s = 600});
    assert_int_equal(asked(&s, "romeo", "rose"), DIRECTORY_RIGHT);
    assert_int_equal(asked(&s, "romeo", "thorn"), DIRECTORY_WRONG);
    assert_int_equal(s.proofs, 2);
    assert_int_equal(s.finds, 2); /* each time: what is remembered is for tokens alone */
    assert_int_equal(asked(&s, "romeo", ""), DIRECTORY_WRONG);
    assert_int_equal(s.finds, 2); /* the directory never sees an empty one */
    s.is_gone = true;
    assert_int_equal(asked(&s, "romeo", "rose"), DIRECTORY_WRONG);
    assert_int_equal(s.proofs, 2);
    s.away = true;
    assert_int_equal(asked(&s, "romeo", "rose"), DIRECTORY_UNAVAILABLE);
    end(&s);
}

static void who_exists_is_remembered(void **state)
{
    struct script s;
    (void)state;

    start(&s, (struct directory_options){.cache_s = 600, .cache_max = 2});
    assert_int_equal(asked(&s, "romeo", NULL), DIRECTORY_RIGHT);
    s.is_gone = true;
    assert_int_equal(asked(&s, "romeo", NULL), DIRECTORY_RIGHT);
    assert_int_equal(s.finds, 1);
    clock_fake_advance(&s.clock, 600 * 1000);
    assert_int_equal(asked(&s, "romeo", NULL), DIRECTORY_WRONG);
    s.is_gone = false;
    assert_int_equal(asked(&s, "romeo", NULL), DIRECTORY_WRONG); /* that somebody is not there, too */
    assert_int_equal(asked(&s, "romeo", "rose"), DIRECTORY_RIGHT);
    assert_int_equal(asked(&s, "romeo", NULL), DIRECTORY_RIGHT); /* whoever shows a password is seen at once */
    assert_int_equal(s.finds, 3);
    clock_fake_advance(&s.clock, 600 * 1000);
    s.away = true;
    assert_int_equal(asked(&s, "romeo", NULL), DIRECTORY_UNAVAILABLE); /* which is not remembered */
    s.away = false;
    for (const char *const *name = (const char *const[]){"a", "b", "c", NULL}; *name; name++)
        assert_int_equal(asked(&s, *name, NULL), DIRECTORY_RIGHT);
    s.finds = 0;
    assert_int_equal(asked(&s, "c", NULL), DIRECTORY_RIGHT);
    assert_int_equal(s.finds, 0);
    assert_int_equal(asked(&s, "a", NULL), DIRECTORY_RIGHT);
    assert_int_equal(s.finds, 1); /* the oldest made room */
    end(&s);
}

static void waiting_is_bounded(void **state)
{
    struct script s;
    struct asking inside[2], waiting[3], more;
    (void)state;

    start(&s, (struct directory_options){.threads = 2, .queue_max = 3});
    set_shut(&s, true);
    for (unsigned i = 0; i < 2; i++)
        ask(&s, &inside[i], "romeo", "rose");
    until_inside(&s, 2);
    for (unsigned i = 0; i < 3; i++)
        ask(&s, &waiting[i], "romeo", "rose");
    ask(&s, &more, "romeo", "rose");
    assert_int_equal(answer(&s, &more), DIRECTORY_UNAVAILABLE);
    clock_fake_advance(&s.clock, 15000); /* what waited so long is not asked any more */
    set_shut(&s, false);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(answer(&s, &inside[i]), DIRECTORY_RIGHT);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(answer(&s, &waiting[i]), DIRECTORY_UNAVAILABLE);
    assert_int_equal(s.finds, 2);
    assert_int_equal(asked(&s, "romeo", "rose"), DIRECTORY_RIGHT);
    end(&s);
}

static void who_can_search(void **state)
{
    struct script s;
    (void)state;

    start(&s, (struct directory_options){.dn = "uid=%u"});
    assert_false(directory_can_search(s.d));
    end(&s);
    start(&s, (struct directory_options){.dn = "uid=%u", .bind_dn = "cn=a", .bind_password = "b"});
    assert_true(directory_can_search(s.d));
    end(&s);
    start(&s, (struct directory_options){0});
    assert_true(directory_can_search(s.d));
    end(&s);
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
