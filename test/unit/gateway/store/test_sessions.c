/* SPDX-License-Identifier: MIT */
/* Rows of messaging sessions: what is put is what is loaded, the sweep finds what is due, and an event
 * to reach somebody is written once a message. */
#include "test/unit/gateway/store/store_world.h"

#include "gateway/store/blocks.h"
#include "gateway/store/sessions.h"

#define ROMEO "romeo@montague.example"
#define TYBALT "tybalt@montague.example"
#define JULIET "juliet@capulet.example"

/* Rows in, by one transaction. */
struct put {
    const char *callee;
    const struct consent_row *consent;
    const struct session_row *session;
    const struct session_prefs *prefs;
    struct reach_event *event;
    bool receipt, gone, drop;
    const char *block, *unblock;
    bool blocks_gone;
    struct arena arena;
    const char *to, *id; /* of the receipt that was taken */
    uint64_t take;
};

static bool run_put(struct store_tx *tx, void *user, struct error *e)
{
    struct put *p = user;
    return (!p->consent || sessions_put_consent(tx, p->callee, p->consent, e)) &&
           (!p->session || sessions_put(tx, p->callee, p->session, e)) &&
           (!p->prefs || sessions_put_prefs(tx, p->callee, p->prefs, e)) &&
           (!p->event || sessions_put_event(tx, p->event, e)) &&
           (!p->receipt || sessions_put_receipt(tx, p->callee, 7, ROMEO "/orchard", "id7", e)) &&
           (!p->take || sessions_take_receipt(tx, p->callee, p->take, &p->arena, &p->to, &p->id, e)) &&
           (!p->drop || sessions_drop_consent(tx, p->callee, ROMEO, e)) &&
           (!p->block || blocks_put(tx, p->callee, p->block, e)) &&
           (!p->unblock || blocks_drop(tx, p->callee, p->unblock, e)) &&
           (!p->blocks_gone || blocks_account_gone(tx, p->callee, e)) &&
           (!p->gone || sessions_account_gone(tx, p->callee, e));
}

static void put(struct put *p)
{
    struct error e = ERROR_INIT;
    p->callee = JULIET;
    if (!store_write_wait(world.store, run_put, p, &e))
        fail_msg("%s", e.text);
}

static struct sessions_load loaded(void)
{
    struct sessions_load l = {.job = {.reply_on = world.loop, .done = world_done}, .callee = JULIET};
    arena_init(&l.arena);
    sessions_load(world.store, &l);
    world_wait(1);
    if (l.job.error.code != ERROR_NONE)
        fail_msg("%s", l.job.error.text);
    return l;
}

static struct consent_row request(const char *peer, int64_t number, int64_t expires_us)
{
    return (struct consent_row){.peer = peer, .state = 1, .number = number, .held = 2, .told = 1,
                                .prompted = 1, .expires_us = expires_us, .changed_us = 5,
                                .asker = ROMEO "/orchard", .asked = JULIET "/balcony", .lang = "it",
                                .excerpt = "Good morrow"};
}

static void what_is_put_is_loaded(void **state)
{
    (void)state;
    struct sessions_load l = loaded();
    assert_int_equal(l.consent_count, 0);
    assert_int_equal(l.prefs.strangers, -1);
    assert_int_equal(l.prefs.tell, 1);
    arena_fini(&l.arena);

    struct consent_row romeo = request(ROMEO, 1, 1000);
    struct consent_row tybalt = {.peer = TYBALT, .state = 4, .number = 2, .openly = 1};
    struct session_row session = {.peer = ROMEO, .code = "r1", .reach = 2, .encrypted = 1, .lang = "it"};
    struct session_prefs prefs = {.strangers = 2, .tell = 0};
    put(&(struct put){.consent = &romeo, .session = &session, .prefs = &prefs});
    put(&(struct put){.consent = &tybalt});
    romeo.held = 3; /* a second put replaces */
    session.reach = 3;
    put(&(struct put){.consent = &romeo, .session = &session});
    world_reopen();

    l = loaded();
    assert_int_equal(l.consent_count, 2);
    assert_string_equal(l.consents[0].peer, ROMEO);
    assert_int_equal(l.consents[0].held, 3);
    assert_int_equal(l.consents[0].expires_us, 1000);
    assert_string_equal(l.consents[0].asked, JULIET "/balcony");
    assert_string_equal(l.consents[0].excerpt, "Good morrow");
    assert_int_equal(l.consents[1].state, 4);
    assert_int_equal(l.consents[1].openly, 1);
    assert_null(l.consents[1].asker);
    assert_int_equal(l.session_count, 1);
    assert_string_equal(l.sessions[0].code, "r1");
    assert_int_equal(l.sessions[0].reach, 3);
    assert_string_equal(l.sessions[0].lang, "it");
    assert_int_equal(l.prefs.strangers, 2);
    assert_int_equal(l.prefs.tell, 0);
    arena_fini(&l.arena);

    put(&(struct put){.drop = true});
    l = loaded();
    assert_int_equal(l.consent_count, 1);
    arena_fini(&l.arena);
}

static struct sessions_due due(int64_t now_us, bool untold)
{
    struct sessions_due d = {.job = {.reply_on = world.loop, .done = world_done},
                             .now_us = now_us, .untold = untold, .limit = 10, .counts = true};
    arena_init(&d.arena);
    sessions_due(world.store, &d);
    world_wait(1);
    if (d.job.error.code != ERROR_NONE)
        fail_msg("%s", d.job.error.text);
    return d;
}

static void the_sweep_finds_what_is_due(void **state)
{
    (void)state;
    struct consent_row romeo = request(ROMEO, 1, 1000), tybalt = request(TYBALT, 2, 2000);
    tybalt.nobody = 1;
    put(&(struct put){.consent = &romeo});
    put(&(struct put){.consent = &tybalt});
    struct sessions_due d = due(999, false);
    assert_int_equal(d.count, 0);
    assert_int_equal(d.held_count, 1); /* of both askers' domain */
    assert_int_equal(d.held[0].held, 4);
    arena_fini(&d.arena);
    d = due(5000, false);
    assert_int_equal(d.count, 1); /* a callee once, whatever is due of hers */
    assert_string_equal(d.callees[0], JULIET);
    arena_fini(&d.arena);
    d = due(0, true);
    assert_int_equal(d.count, 0);
    arena_fini(&d.arena);
    romeo.told = 0;
    put(&(struct put){.consent = &romeo});
    d = due(0, true);
    assert_int_equal(d.count, 1);
    arena_fini(&d.arena);
    put(&(struct put){.gone = true}); /* a deleted account: what waits still expires */
    d = due(5000, false);
    assert_int_equal(d.count, 1);
    assert_int_equal(d.held[0].held, 4);
    arena_fini(&d.arena);
}

static void events_rise_and_are_written_once(void **state)
{
    (void)state;
    struct reach_event one = {.kind = REACH_MESSAGE, .callee = JULIET, .peer = ROMEO, .code = "r1", .seq = 7,
                              .text = "Good morrow", .urgency = "high", .at_us = 9};
    struct reach_event two = {.kind = REACH_REQUEST, .callee = JULIET, .peer = TYBALT, .code = "t2", .seq = 8};
    struct reach_event again = one;
    put(&(struct put){.event = &one, .receipt = true});
    put(&(struct put){.event = &two});
    put(&(struct put){.event = &again});
    assert_true(one.id > 0);
    assert_true(two.id > one.id);
    assert_int_equal(again.id, one.id);

    struct put take = {.take = 7};
    arena_init(&take.arena);
    put(&take);
    assert_string_equal(take.id, "id7");
    assert_string_equal(take.to, ROMEO "/orchard");
    put(&take);
    assert_null(take.id); /* owed once */
    arena_fini(&take.arena);
}

/* Entries of a blocking list outlive the process, each once, and go with the account. */
static void blocked_is_loaded(void **state)
{
    (void)state;
    char jid[64];
    for (int i = 0; i < 40; i++) {
        snprintf(jid, sizeof jid, "%02d.example", i);
        put(&(struct put){.block = jid});
        put(&(struct put){.block = jid});
    }
    put(&(struct put){.unblock = "07.example"});
    put(&(struct put){.unblock = "was-never-there.example"});
    world_reopen();
    struct sessions_load l = loaded();
    assert_int_equal(l.blocked_count, 39);
    assert_string_equal(l.blocked[0], "00.example");
    assert_string_equal(l.blocked[7], "08.example");
    arena_fini(&l.arena);
    put(&(struct put){.blocks_gone = true});
    l = loaded();
    assert_int_equal(l.blocked_count, 0);
    arena_fini(&l.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_put_is_loaded, world_setup_open, world_teardown),
        cmocka_unit_test_setup_teardown(the_sweep_finds_what_is_due, world_setup_open, world_teardown),
        cmocka_unit_test_setup_teardown(blocked_is_loaded, world_setup_open, world_teardown),
        cmocka_unit_test_setup_teardown(events_rise_and_are_written_once, world_setup_open, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
