/* SPDX-License-Identifier: MIT */
/* The exchange on two loops with a thread each: everybody writes to everybody, presence in between,
 * and each recipient sees what one sender wrote in the order in which it was written; every stanza
 * is settled. Then: people leave memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/exchange/exchange.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/subscription.h"
#include "gateway/services/services.h"
#include "gateway/store/account.h"
#include "gateway/store/rosters.h"
#include "gateway/xmpp/stanza_build.h"
#include "test/world/world.h"

enum { PEOPLE = 6, ROUNDS = 40 };

static struct hall {
    struct loop *loops[2];
    struct store *store;
    struct exchange *x;
    sem_t ready, settled, received;
    struct guest {
        struct edge_link link;
        struct command start;
        struct jid *jid;
        int last[PEOPLE]; /* newest number seen of each sender; -1: none */
        bool disorder;
    } guests[PEOPLE];
} hall;

static void on_bound(struct edge_link *l, const struct jid *full, enum stanza_error why)
{
    struct guest *g = container_of(l, struct guest, link);
    CHECK(full && why == STANZA_OK);
    g->jid = jid_dup(full);
    sem_post(&hall.ready);
}

/* The id of every stanza is SENDER.NUMBER. */
static void deliver(struct edge_link *l, struct stanza *st, uint64_t seq)
{
    struct guest *g = container_of(l, struct guest, link);
    int who, number;
    if (seq)
        exchange_delivered(l->resource, seq);
    if (!st->id || sscanf(st->id, "%d.%d", &who, &number) != 2)
        return;
    g->disorder |= number != g->last[who] + 1;
    g->last[who] = number;
    sem_post(&hall.received);
}

static void on_replaced(struct edge_link *l, enum stream_error why)
{
    (void)l, (void)why;
}

static const struct edge_link_ops ops = {on_bound, deliver, on_replaced};

static void on_settled(struct command *c)
{
    mem_free(container_of(c, struct settle, cmd));
    sem_post(&hall.settled);
}

static void send_one(struct guest *g, int me, int to, int number)
{
    char id[32];
    snprintf(id, sizeof(id), "%d.%d", me, number);
    struct builder b;
    bool message = number % 3 != 1;
    build_begin(&b, message ? STANZA_MESSAGE : STANZA_PRESENCE,
                message ? MESSAGE_CHAT : PRESENCE_AVAILABLE);
    build_to(&b, hall.guests[to].jid);
    build_id(&b, id);
    if (message && number % 3 == 0)
        build_leaf(&b, "body", NULL, "hello");
    struct stanza *st = build_end(&b);
    struct settle *s = mem_new(struct settle);
    settle_init(s, exchange_loop_of(hall.x, g->jid->bare), on_settled);
    CHECK(exchange_receive(g->link.resource, st, s));
    stanza_unref(&st);
}

static void start(struct command *c)
{
    struct guest *g = container_of(c, struct guest, start);
    int me = (int)(g - hall.guests);
    for (int n = 0; n < ROUNDS; n++)
        for (int to = 0; to < PEOPLE; to++)
            send_one(g, me, to, n);
}

static void leave(struct command *c)
{
    struct guest *g = container_of(c, struct guest, start);
    exchange_unbind(g->link.resource, NULL, 0);
    sem_post(&hall.ready);
}

static void wait_for(sem_t *s, int count)
{
    for (int i = 0; i < count; i++)
        while (sem_wait(s) != 0)
            ;
}

static bool put_account(struct store_tx *tx, void *user, struct error *e)
{
    struct account a = {.bare = user};
    return account_put(tx, &a, true, e);
}

static void open_hall(void)
{
    struct error e = ERROR_INIT;
    struct store_options so = {.path = ":memory:",
                               .schema_dir = CAUSEWAY_SOURCE_DIR "/schemas/sql"};
    hall.store = store_open(&so, &e);
    assert_non_null(hall.store);
    for (int i = 0; i < 2; i++)
        hall.loops[i] = loop_create("shard", clock_real());
    struct community c = {.domain = "a.example", .archive = true};
    static const struct service *const none[] = {NULL};
    struct exchange_options o = {.loops = hall.loops,
                                 .loop_count = 2,
                                 .store = hall.store,
                                 .communities = &c,
                                 .community_count = 1,
                                 .services = none};
    hall.x = exchange_create(&o);
    exchange_start(hall.x);
    sem_init(&hall.ready, 0, 0);
    sem_init(&hall.settled, 0, 0);
    sem_init(&hall.received, 0, 0);
}

static void enter(struct guest *g, int i)
{
    struct error e = ERROR_INIT;
    char bare[32];
    snprintf(bare, sizeof(bare), "guest%d@a.example", i);
    assert_true(store_write_wait(hall.store, put_account, bare, &e));
    struct arena a;
    arena_init(&a);
    g->link.ops = &ops;
    for (int k = 0; k < PEOPLE; k++)
        g->last[k] = -1;
    exchange_bind(hall.x, &g->link, jid_parse_text(&a, bare), "r");
    arena_fini(&a);
}

static void close_hall(void)
{
    for (int i = 0; i < 2; i++) {
        loop_stop(hall.loops[i]);
        loop_join(hall.loops[i]);
    }
    store_close(&hall.store);
    for (int i = 0; i < 2; i++)
        while (loop_turn(hall.loops[i]))
            ;
    exchange_destroy(&hall.x);
    for (int i = 0; i < 2; i++)
        loop_destroy(&hall.loops[i]);
    for (int i = 0; i < PEOPLE; i++)
        jid_destroy(&hall.guests[i].jid);
}

static void on_all(void (*run)(struct command *c))
{
    for (int i = 0; i < PEOPLE; i++) {
        struct guest *g = &hall.guests[i];
        g->start.run = run;
        loop_post(exchange_loop_of(hall.x, g->jid->bare), &g->start);
    }
}

static void two_loops(void **state)
{
    (void)state;
    open_hall();
    for (int i = 0; i < PEOPLE; i++)
        enter(&hall.guests[i], i);
    for (int i = 0; i < 2; i++)
        loop_start_thread(hall.loops[i]);
    wait_for(&hall.ready, PEOPLE);
    bool both[2] = {false, false};
    for (int i = 0; i < PEOPLE; i++)
        both[exchange_loop_of(hall.x, hall.guests[i].jid->bare) == hall.loops[1]] = true;
    assert_true(both[0] && both[1]);
    on_all(start);
    wait_for(&hall.settled, PEOPLE * PEOPLE * ROUNDS);
    wait_for(&hall.received, PEOPLE * PEOPLE * ROUNDS);
    on_all(leave);
    wait_for(&hall.ready, PEOPLE);
    for (int i = 0; i < PEOPLE; i++)
        assert_false(hall.guests[i].disorder);
    close_hall();
}

/* Idle people leave when there are too many; one that is linked stays; NOBODY goes at once. */
static void idle_people_leave(void **state)
{
    (void)state;
    struct world *w = world_create(&(struct world_gateway){.domain = "a.example"}, 1);
    struct shard *s = &world_exchange(w, "a.example")->shards[0];
    world_account(w, "romeo@a.example");
    world_account(w, "juliet@a.example");
    struct peer *romeo = world_bind(w, "romeo@a.example/orchard");
    assert_int_equal(s->persons.count, 1);
    assert_true(peer_send(
        romeo, "<message to='nobody@a.example' type='chat' id='1'><body>x</body></message>"));
    assert_true(peer_send(
        romeo, "<message to='juliet@a.example' type='chat' id='2'><body>x</body></message>"));
    world_settle(w);
    assert_int_equal(s->persons.count, 2); /* romeo linked, juliet idle */
    assert_int_equal(s->idle_count, 1);
    peer_vanish(romeo);
    world_settle(w);
    assert_int_equal(s->idle_count, 2);
    exchange_account_changed(world_exchange(w, "a.example"), "juliet@a.example");
    world_settle(w);
    assert_int_equal(s->persons.count, 1); /* what was cached of her is gone */
    world_destroy(&w);
}

static unsigned take_all(struct peer *p, unsigned from)
{
    struct stanza *st;
    while ((st = peer_next(p))) {
        char id[16];
        snprintf(id, sizeof id, "%u", from);
        if (st->kind == STANZA_MESSAGE) {
            assert_string_equal(st->id, id); /* in order, each once */
            from++;
        }
    }
    return from;
}

/* What waited is more than a slow link can hold: it comes as the link reports, in order with what is said
 * meanwhile, and nothing is lost when the link goes in between. */
static void what_waits_does_not_drown(void **state)
{
    (void)state;
    enum { MANY = 60, BODY = 100000 };
    struct world *w = world_create(&(struct world_gateway){.domain = "a.example"}, 1);
    world_account(w, "romeo@a.example");
    world_account(w, "juliet@a.example");
    struct peer *romeo = world_bind(w, "romeo@a.example/orchard");
    char *xml = test_malloc(BODY + 200);
    for (unsigned i = 0; i < MANY; i++) {
        sprintf(xml, "<message to='juliet@a.example' type='chat' id='%u'><body>%0*u</body></message>", i, BODY, i);
        assert_true(peer_send(romeo, xml));
    }
    world_settle(w);
    struct peer *juliet = world_bind(w, "juliet@a.example/balcony");
    peer_hold_reports(juliet);
    assert_true(peer_send(juliet, "<presence/>"));
    world_settle(w);
    assert_in_range(take_all(juliet, 0), 8, 20);
    peer_vanish(juliet);
    juliet = world_bind(w, "juliet@a.example/chamber");
    peer_hold_reports(juliet);
    assert_true(peer_send(juliet, "<presence/>"));
    world_settle(w);
    unsigned have = take_all(juliet, 0), before;
    assert_in_range(have, 8, 20);
    sprintf(xml, "<message to='juliet@a.example' type='chat' id='%u'><body>x</body></message>", MANY);
    assert_true(peer_send(romeo, xml));
    do {
        before = have;
        world_settle(w);
        peer_report(juliet);
        peer_hold_reports(juliet); /* what comes now */
        world_settle(w);
        have = take_all(juliet, have);
        assert_in_range(have - before, 0, 30);
    } while (have > before);
    assert_int_equal(have, MANY + 1);
    sprintf(xml, "<message to='juliet@a.example' type='chat' id='%u'><body>x</body></message>", MANY + 1);
    assert_true(peer_send(romeo, xml));
    world_settle(w);
    assert_int_equal(take_all(juliet, have), MANY + 2);
    test_free(xml);
    world_destroy(&w);
}

/* Queries of an archive: one at a time for a link, fifty wait, and those of a link that has gone end unasked. */
static void queries_take_turns(void **state)
{
    (void)state;
    struct world *w = world_create(&(struct world_gateway){.domain = "a.example"}, 1);
    world_account(w, "romeo@a.example");
    struct peer *romeo = world_bind(w, "romeo@a.example/orchard"), *other = world_bind(w, "romeo@a.example/hall");
    char xml[80];
    for (unsigned round = 0; round < 2; round++) {
        for (int i = 0; i < 80; i++) {
            snprintf(xml, sizeof xml, "<iq type='set' id='%d'><query xmlns='urn:xmpp:mam:2'/></iq>", i);
            assert_true(peer_send(romeo, xml));
        }
        assert_true(peer_send(other, xml)); /* another link's waits for none of them */
        if (round) /* the second time it goes while they wait */
            peer_vanish(romeo);
        unsigned results = 0, errors = 0;
        while (!round && results + errors < 80) { /* each answer starts the next read, on any reader */
            world_settle(w);
            for (struct stanza *st; (st = peer_next(romeo));)
                *(st->type == IQ_RESULT ? &results : &errors) += 1;
        }
        assert_int_equal(results, round ? 0 : 51);
        assert_int_equal(errors, round ? 0 : 29);
        while (!peer_look(other, 0))
            world_settle(w);
        struct stanza *st = peer_next(other);
        assert_true(st && st->type == IQ_RESULT);
    }
    world_destroy(&w);
}

enum { CONTACTS = 300 };

static bool put_contacts(struct store_tx *tx, void *user, struct error *e)
{
    char contact[40];
    bool ok = true;
    (void)user;
    for (int i = 0; ok && i <= CONTACTS; i++) {
        snprintf(contact, sizeof contact, i < CONTACTS ? "u%d@a.example" : "romeo@a.example", i);
        ok = roster_put(tx, "juliet@a.example",
                        &(struct roster_row){.contact = contact, .groups = "", .state = SUBSCRIPTION_FROM, .in_roster = 1,
                                             .version = i + 1},
                        e);
    }
    return ok;
}

/* A burst of presences to a long roster: while the first one goes out, in slices, only the newest of the others
 * waits for it; the newest is what all see, and the end of the link too. */
static void a_burst_of_presences(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    struct world *w = world_create(&(struct world_gateway){.domain = "a.example"}, 1);
    world_account(w, "romeo@a.example");
    world_account(w, "juliet@a.example");
    assert_true(store_write_wait(world_store(w, "a.example"), put_contacts, NULL, &e));
    struct peer *romeo = world_bind(w, "romeo@a.example/orchard"), *juliet = world_bind(w, "juliet@a.example/balcony");
    assert_true(peer_send(romeo, "<presence/>"));
    world_settle(w);
    while (peer_next(romeo))
        ;
    char xml[60], last[8] = "";
    for (int i = 0; i < 100; i++) {
        snprintf(xml, sizeof xml, "<presence><status>%d</status></presence>", i);
        assert_true(peer_send(juliet, xml));
    }
    assert_in_range(peer_settled(juliet), 0, 1); /* none of it is gone before it is told */
    world_settle(w);
    assert_int_equal(peer_settled(juliet), 100);
    unsigned count = 0;
    for (struct stanza *st; (st = peer_next(romeo)); count++)
        snprintf(last, sizeof last, "%.7s", stanza_child(st, "status", NULL) ? stanza_child(st, "status", NULL)->text : "");
    assert_string_equal(last, "99");
    assert_in_range(count, 1, 2);
    peer_vanish(juliet);
    world_settle(w);
    struct stanza *st = peer_next(romeo);
    assert_true(st && st->type == PRESENCE_UNAVAILABLE);
    assert_null(peer_next(romeo));
    world_destroy(&w);
}

static bool run_delete(struct store_tx *tx, void *user, struct error *e)
{
    return account_delete(tx, user, e);
}

static void delete_account(struct world *w, const char *bare)
{
    struct error e = ERROR_INIT;
    char name[64];
    snprintf(name, sizeof(name), "%s", bare);
    assert_true(store_write_wait(world_store(w, "a.example"), run_delete, name, &e));
}

/* A deleted account loses its links. */
static void deleted_account(void **state)
{
    (void)state;
    struct world *w = world_create(&(struct world_gateway){.domain = "a.example"}, 1);
    world_account(w, "romeo@a.example");
    struct peer *romeo = world_bind(w, "romeo@a.example/orchard");
    delete_account(w, "romeo@a.example");
    exchange_account_changed(world_exchange(w, "a.example"), "romeo@a.example");
    world_settle(w);
    assert_int_equal(peer_replaced(romeo), STREAM_NOT_AUTHORIZED);
    assert_null(world_bind(w, "romeo@a.example/orchard"));
    assert_int_equal(world_refusal(w), STANZA_NOT_AUTHORIZED);
    world_destroy(&w);
}

static bool run_bar(struct store_tx *tx, void *user, struct error *e)
{
    return account_set_disabled(tx, user, true, e);
}

static bool run_unbar(struct store_tx *tx, void *user, struct error *e)
{
    return account_set_disabled(tx, user, false, e);
}

static void change_account(struct world *w, bool (*run)(struct store_tx *, void *, struct error *))
{
    struct error e = ERROR_INIT;
    assert_true(store_write_wait(world_store(w, "a.example"), run, (char *)"romeo@a.example", &e));
    exchange_account_changed(world_exchange(w, "a.example"), "romeo@a.example");
}

/* A disabled account loses its links and gets no new one, whether it was in memory or is loaded; what comes for it
 * is kept, and is there when it is enabled again. */
static void disabled_account(void **state)
{
    (void)state;
    struct world *w = world_create(&(struct world_gateway){.domain = "a.example"}, 1);
    world_account(w, "romeo@a.example");
    world_account(w, "juliet@a.example");
    struct peer *juliet = world_bind(w, "juliet@a.example/balcony");
    struct peer *links[2] = {world_bind(w, "romeo@a.example/1"), world_bind(w, "romeo@a.example/2")};
    change_account(w, run_bar);
    assert_null(world_bind(w, "romeo@a.example/3"));
    assert_int_equal(world_refusal(w), STANZA_NOT_AUTHORIZED);
    for (int i = 0; i < 2; i++)
        assert_int_equal(peer_replaced(links[i]), STREAM_NOT_AUTHORIZED);
    assert_int_equal(peer_replaced(juliet), STREAM_OK);
    assert_null(world_bind(w, "romeo@a.example/4")); /* as he was loaded now */
    assert_true(peer_send(juliet, "<message to='romeo@a.example' type='chat' id='m'><body>x</body></message>"));
    world_settle(w);
    assert_int_equal(peer_settled(juliet), 1);
    change_account(w, run_unbar);
    struct peer *romeo = world_bind(w, "romeo@a.example/5");
    assert_non_null(romeo);
    assert_true(peer_send(romeo, "<presence/>"));
    world_settle(w);
    bool came = false;
    for (struct stanza *st; (st = peer_next(romeo));)
        came = came || text_eq(st->id, "m");
    assert_true(came);
    world_destroy(&w);
}

static void count_ended(void *user, unsigned ended)
{
    *(unsigned *)user += ended;
}

static void end_links(struct world *w, const char *who)
{
    struct arena a;
    unsigned ended = 0;
    arena_init(&a);
    exchange_end_links(world_exchange(w, "a.example"), jid_parse_text(&a, who), STREAM_NOT_AUTHORIZED,
                       exchange_loop_of(world_exchange(w, "a.example"), who), count_ended, &ended);
    world_settle(w);
    arena_fini(&a);
}

/* Whoever logged in by the old password and waited is bound no more once there is a new one, in memory or not;
 * others are, and who logs in after it is. */
static void login_of_before(void **state)
{
    (void)state;
    struct world *w = world_create(&(struct world_gateway){.domain = "a.example"}, 1);
    struct exchange *x = world_exchange(w, "a.example");
    world_account(w, "romeo@a.example");
    world_account(w, "juliet@a.example");
    uint64_t before = exchange_revocations(x);
    end_links(w, "romeo@a.example/1"); /* one link, by an admin: no password is new */
    assert_non_null(world_bind_as_of(w, "romeo@a.example/1", before));
    end_links(w, "romeo@a.example");
    assert_null(world_bind_as_of(w, "romeo@a.example/2", before));
    assert_int_equal(world_refusal(w), STANZA_NOT_AUTHORIZED);
    assert_non_null(world_bind_as_of(w, "juliet@a.example/1", before));
    uint64_t after = exchange_revocations(x);
    assert_non_null(world_bind_as_of(w, "romeo@a.example/3", after));
    for (int i = 0; i < REVOCATIONS_KEPT; i++)
        end_links(w, "nobody@a.example");
    assert_non_null(world_bind_as_of(w, "romeo@a.example/4", after)); /* as many as are known */
    end_links(w, "nobody@a.example");
    assert_null(world_bind_as_of(w, "romeo@a.example/5", after)); /* more: nobody knows */
    world_destroy(&w);
}

static bool give_to_another(struct store_tx *tx, void *user, struct error *e)
{
    (void)user;
    return store_exec(tx, e, "create trigger another after delete on accounts begin insert into accounts"
                             " (bare, domain, is_admin, disabled, created_us) values (old.bare, old.domain, 0, 0, 1); end", "");
}

/* XEP-0077 3.2, and the name is somebody else's before anybody looks: the former owner's links end, and what logged in
 * before binds nothing. */
static void removed_and_anew(void **state)
{
    (void)state;
    struct world *w = world_create(&(struct world_gateway){.domain = "a.example"}, 1);
    struct error e = ERROR_INIT;
    world_account(w, "romeo@a.example");
    struct peer *one = world_bind(w, "romeo@a.example/1"), *other = world_bind(w, "romeo@a.example/2");
    uint64_t before = exchange_revocations(world_exchange(w, "a.example"));
    if (!store_write_wait(world_store(w, "a.example"), give_to_another, NULL, &e))
        fail_msg("%s", e.text);
    assert_true(peer_send(one, "<iq type='set' id='r'><query xmlns='jabber:iq:register'><remove/></query></iq>"));
    world_settle(w);
    struct stanza *answer = peer_next(one);
    assert_true(answer && answer->type == IQ_RESULT);
    assert_int_equal(world_count(w, "a.example", "select count(*) from accounts where bare = 'romeo@a.example'"), 1);
    assert_int_equal(peer_replaced(one), STREAM_NOT_AUTHORIZED);
    assert_int_equal(peer_replaced(other), STREAM_NOT_AUTHORIZED);
    assert_null(world_bind_as_of(w, "romeo@a.example/3", before));
    assert_int_equal(world_refusal(w), STANZA_NOT_AUTHORIZED);
    assert_non_null(world_bind(w, "romeo@a.example/4"));
    world_destroy(&w);
}

/* Who is not in memory is not loaded for it; what is no account of ours is nothing. */
static void unknown_account(void **state)
{
    (void)state;
    struct world *w = world_create(&(struct world_gateway){.domain = "a.example"}, 1);
    static const char *const said[] = {"nobody@a.example", "a.example", "romeo@b.example", "", "@@", "romeo@a.example/x"};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        exchange_account_changed(world_exchange(w, "a.example"), said[i]);
    world_settle(w);
    assert_int_equal(world_exchange(w, "a.example")->shards[0].persons.count, 0);
    world_destroy(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_loops),
        cmocka_unit_test(idle_people_leave),
        cmocka_unit_test(what_waits_does_not_drown),
        cmocka_unit_test(a_burst_of_presences),
        cmocka_unit_test(queries_take_turns),
        cmocka_unit_test(deleted_account),
        cmocka_unit_test(disabled_account),
        cmocka_unit_test(login_of_before), cmocka_unit_test(removed_and_anew),
        cmocka_unit_test(unknown_account),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
