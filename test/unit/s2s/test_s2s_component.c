/* SPDX-License-Identifier: MIT */
/* Attached services, where time matters: silence before the handshake, a service that is dead or knows no pings, messages
 * that wait for one too long. A conversation in full is test/interop/component.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/xmpp/component_key.h"
#include "test/unit/s2s/s2s_world.h"

#define IRC "irc.a.test"
#define SECRET "not romeo"
#define HEADER                                                                                     \
    "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='" IRC "'>"

struct scene {
    struct world w;
    struct side a;
    uint16_t port;
};

static void scene_open(struct scene *s)
{
    world_open(&s->w);
    s->port = world_free_port(&s->w);
    const struct s2s_listener door = {.address = "127.0.0.1", .port = s->port};
    const struct s2s_component irc = {IRC, SECRET};
    side_open(&s->a, &s->w, "a.test", 0, NULL,
              (struct s2s_options){.component_listeners = &door, .component_listener_count = 1, .components = &irc,
                                   .component_count = 1});
    s->a.x.attached = IRC;
}

static void scene_close(struct scene *s)
{
    side_close(&s->a);
    world_close(&s->w);
}

static void attach(struct scene *s, struct raw *r)
{
    char key[COMPONENT_KEY_LEN + 1], text[128], id[64] = "";
    raw_open(r, &s->w, s->port);
    raw_say(r, HEADER);
    world_until(&s->w, raw_has(r, " id='"));
    sscanf(strstr(r->heard, " id='"), " id='%63[^']", id);
    component_key_make(key, id, SECRET);
    snprintf(text, sizeof text, "<handshake>%s</handshake>", key);
    raw_say(r, text);
}

static void attached(struct scene *s, struct raw *r)
{
    attach(s, r);
    world_until(&s->w, raw_has(r, "<handshake/>"));
}

/* Answers the newest ping that it was sent. */
static void pong(struct raw *r, const char *to)
{
    char id[64] = "", text[256];
    for (const char *at = r->heard; (at = strstr(at, "<iq ")); at++)
        if (strstr(at, " id='"))
            sscanf(strstr(at, " id='"), " id='%63[^']", id);
    snprintf(text, sizeof text, "<iq type='result' from='" IRC "' to='%s' id='%s'/>", to, id);
    raw_say(r, text);
}

static void silence_ends(void **state)
{
    (void)state;
    struct scene s;
    struct raw mute, slow;
    scene_open(&s);
    raw_open(&mute, &s.w, s.port);
    raw_open(&slow, &s.w, s.port);
    raw_say(&slow, HEADER);
    world_until(&s.w, raw_has(&slow, " id='"));
    world_advance(&s.w, 31000);
    world_until(&s.w, raw_has(&mute, "<connection-timeout ") && raw_has(&slow, "<connection-timeout "));
    raw_close(&mute);
    raw_close(&slow);
    scene_close(&s);
}

static void kept_until_it_answers(void **state)
{
    (void)state;
    struct scene s;
    struct raw r;
    scene_open(&s);
    attached(&s, &r);
    world_say(&s.a.x, "message", IRC, "m1");
    world_until(&s.w, raw_has(&r, "id='m1'") && raw_has(&r, "urn:xmpp:ping"));
    assert_int_equal(s.a.x.done_count, 0);
    assert_int_equal(side_queued(&s.a, IRC), 1);
    pong(&r, "a.test");
    world_until(&s.w, s.a.x.done_count == 1);
    assert_int_equal(side_queued(&s.a, IRC), 0);
    assert_int_equal(s.a.x.in_count, 0); /* the answer is the way's, nobody else's */
    raw_close(&r);
    scene_close(&s);
}

static void in_doubt_comes_again(void **state)
{
    (void)state;
    struct scene s;
    struct raw r;
    scene_open(&s);
    attached(&s, &r);
    world_say(&s.a.x, "message", IRC, "m1");
    world_until(&s.w, raw_has(&r, "id='m1'"));
    raw_close(&r);
    world_say(&s.a.x, "iq", IRC, "q1");
    world_until(&s.w, s.a.x.failed_count == 1);
    assert_string_equal(s.a.x.out, "failed:q1=remote-server-timeout ");
    world_say(&s.a.x, "message", IRC, "m2");
    world_until(&s.w, s.a.x.keeping == 0);
    attached(&s, &r);
    world_until(&s.w, raw_has(&r, "id='m2'"));
    const char *first = strstr(r.heard, "id='m1'");
    assert_true(first && first < strstr(r.heard, "id='m2'") && strstr(first, "urn:xmpp:delay"));
    raw_close(&r);
    scene_close(&s);
}

static void the_deadline_holds(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    world_say(&s.a.x, "message", IRC, "m1");
    world_until(&s.w, s.a.x.keeping == 0);
    world_advance(&s.w, 23ull * 3600 * 1000);
    assert_int_equal(s.a.x.failed_count, 0);
    for (int i = 0; i < 3 && !s.a.x.failed_count; i++)
        world_advance(&s.w, 3600 * 1000);
    world_until(&s.w, s.a.x.failed_count == 1);
    assert_string_equal(s.a.x.out, "failed:m1=remote-server-timeout ");
    scene_close(&s);
}

static void no_pings_no_proof(void **state)
{
    (void)state;
    struct scene s;
    struct raw r;
    scene_open(&s);
    attached(&s, &r);
    world_say(&s.a.x, "message", IRC, "m1");
    world_until(&s.w, raw_has(&r, "urn:xmpp:ping"));
    world_advance(&s.w, 61000);
    world_until(&s.w, s.a.x.done_count == 1);
    world_say(&s.a.x, "message", IRC, "m2");
    world_until(&s.w, s.a.x.done_count == 2 && raw_has(&r, "id='m2'"));
    assert_false(r.ended);
    raw_close(&r);
    scene_close(&s);
}

static void who_answered_once_must_go_on(void **state)
{
    (void)state;
    struct scene s;
    struct raw r;
    scene_open(&s);
    attached(&s, &r);
    world_say(&s.a.x, "message", IRC, "m1");
    world_until(&s.w, raw_has(&r, "urn:xmpp:ping"));
    pong(&r, "a.test");
    world_until(&s.w, s.a.x.done_count == 1);
    world_say(&s.a.x, "message", IRC, "m2");
    world_until(&s.w, raw_has(&r, "id='m2'"));
    world_advance(&s.w, 61000);
    world_until(&s.w, raw_has(&r, "<connection-timeout "));
    assert_int_equal(s.a.x.done_count, 1);
    assert_int_equal(side_queued(&s.a, IRC), 1);
    raw_close(&r);
    scene_close(&s);
}

static void the_dead_hold_nobody_up(void **state)
{
    (void)state;
    struct scene s;
    struct raw dead, next;
    scene_open(&s);
    attached(&s, &dead);
    attach(&s, &next);
    world_until(&s.w, raw_has(&next, "<conflict "));
    raw_close(&next);
    world_until(&s.w, raw_has(&dead, "urn:xmpp:ping"));
    world_advance(&s.w, 21000);
    world_until(&s.w, raw_has(&dead, "<connection-timeout "));
    attached(&s, &next);
    raw_close(&dead);
    raw_close(&next);
    scene_close(&s);
}

static void who_lives_stays(void **state)
{
    (void)state;
    struct scene s;
    struct raw first, next;
    scene_open(&s);
    attached(&s, &first);
    attach(&s, &next);
    world_until(&s.w, raw_has(&next, "<conflict ") && raw_has(&first, "urn:xmpp:ping"));
    pong(&first, IRC);
    world_advance(&s.w, 21000);
    assert_false(raw_has(&first, "<connection-timeout "));
    raw_close(&first);
    raw_close(&next);
    scene_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_ends),
        cmocka_unit_test(kept_until_it_answers),
        cmocka_unit_test(in_doubt_comes_again),
        cmocka_unit_test(the_deadline_holds),
        cmocka_unit_test(no_pings_no_proof),
        cmocka_unit_test(who_answered_once_must_go_on),
        cmocka_unit_test(the_dead_hold_nobody_up),
        cmocka_unit_test(who_lives_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
