/* SPDX-License-Identifier: MIT */
/* Stream management (XEP-0198) and the bounds of what may be under way. The exchange is scripted,
 * so the test decides when a stanza is settled; everything in c2s is real. */
#include "test/unit/c2s/c2s_world.h"
#include "test/unit/c2s/scripted_exchange.h"
#include "c2s/c2s_internal.h"
#include "gateway/store/journal.h"
#include "gateway/store/streams.h"
#include "test/world/failing_store.h"

struct fixture {
    struct world w;
    struct exchange x;
    struct client c;
    char token[64];
};

static int setup_with(void **state, enum arrangement how, struct c2s_limits limits)
{
    struct fixture *f = mem_new(struct fixture);

    world_open(&f->w, how);
    f->x.loop = f->w.loop;
    f->w.exchange = &f->x;
    world_start(&f->w, limits);
    f->c.fd = -1;
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, TOGETHER, (struct c2s_limits){0});
}

static int setup_threaded(void **state)
{
    return setup_with(state, THREADED, (struct c2s_limits){0});
}

static int setup_small(void **state)
{
    return setup_with(state, TOGETHER,
                      (struct c2s_limits){.output_bytes = 65536, .unacked_bytes = 1 << 20});
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    client_close(&f->c);
    script_reset(&f->x);
    world_stop(&f->w);
    script_free_resources(&f->x);
    world_close(&f->w);
    mem_free(f);
    return 0;
}

static void until_in(struct fixture *f, unsigned count)
{
    for (int i = 0; i < PATIENCE_TURNS && f->x.in_count < count; i++)
        world_turn(&f->w);
    assert_true(f->x.in_count >= count);
}

static void until_hibernating(struct fixture *f, unsigned i)
{
    for (int k = 0; k < PATIENCE_TURNS && f->x.resources[i]->state != LINK_HIBERNATING; k++)
        world_turn(&f->w);
    assert_int_equal(f->x.resources[i]->state, LINK_HIBERNATING);
}

static void until_unbound(struct fixture *f, unsigned i)
{
    for (int k = 0; k < PATIENCE_TURNS && f->x.resources[i]->bound; k++)
        world_turn(&f->w);
    assert_false(f->x.resources[i]->bound);
}

static void say(struct fixture *f, int first, int count)
{
    char text[128];

    for (int i = first; i < first + count; i++) {
        snprintf(text, sizeof(text),
                 "<message id='m%d' to='juliet@capulet.example'><body>.</body></message>", i);
        client_send(&f->c, text);
    }
}

static void deliver(struct fixture *f, const char *id, uint64_t seq)
{
    char text[256];

    snprintf(text, sizeof(text), "<message xmlns='jabber:client' id='%s'><body>.</body></message>",
             id);
    script_deliver(&f->x, 0, text, seq);
}

/* A second connection of `user` that asks to resume. */
static void resume(struct fixture *f, struct client *d, const char *user, const char *password,
                   unsigned h)
{
    char text[256];

    client_proved_stage(d, &f->w, user, password);
    snprintf(text, sizeof(text), "<resume " SM " previd='%s' h='%u'/>", f->token, h);
    client_send(d, text);
}

/* ---- what we acknowledge ---- */

/* `h` is the longest settled prefix; what raises it after a short answer is told unasked. */
static void count_follows_commits(void **state)
{
    struct fixture *f = *state;

    client_managed_stage(&f->c, &f->w, f->token);
    say(f, 0, 4);
    client_send(&f->c, "<r " SM "/>");
    until_in(f, 4);
    client_expect_not(&f->c, "<a"); /* it waits for the disk, */
    world_advance(&f->w, 50);       /* but not long */
    client_expect(&f->c, "<a " SM " h='0'/>");
    script_settle(&f->x, 0);
    client_expect(&f->c, "<a " SM " h='1'/>");
    script_settle(&f->x, 2); /* no prefix yet */
    client_expect_not(&f->c, "<a");
    script_settle(&f->x, 1);
    client_expect(&f->c, "<a " SM " h='3'/>");
    script_settle(&f->x, 3);
    client_expect(&f->c, "<a " SM " h='4'/>");
    say(f, 4, 1); /* nobody asked: nothing is told */
    until_in(f, 5);
    script_settle(&f->x, 4);
    client_expect_not(&f->c, "<a");
    client_send(&f->c, "<r " SM "/>");
    client_expect(&f->c, "<a " SM " h='5'/>");
}

/* One <a/> a batch, not one a commit. */
static void one_answer_a_batch(void **state)
{
    struct fixture *f = *state;

    client_managed_stage(&f->c, &f->w, f->token);
    say(f, 0, 20);
    client_send(&f->c, "<r " SM "/>");
    until_in(f, 20);
    client_expect_not(&f->c, "<a");
    for (unsigned i = 0; i < 20; i++)
        script_settle(&f->x, i);
    client_expect(&f->c, "<a " SM " h='20'/>");
    world_advance(&f->w, 50);
    client_expect_not(&f->c, "<a");
}

/* Presence and iq count; what came before <enable/>, and nonzas, do not (XEP-0198 section 4). */
static void what_counts(void **state)
{
    struct fixture *f = *state;

    f->x.settle_at_once = true;
    client_bound_stage(&f->c, &f->w);
    say(f, 0, 3);
    client_send(&f->c,
                "<enable " SM "/><active xmlns='urn:xmpp:csi:0'/><presence/>"
                "<iq type='get' id='i'><query xmlns='urn:x'/></iq><message to='@@'/><r " SM "/>");
    client_expect(&f->c, "<enabled " SM "/>");
    client_expect(&f->c, "<a " SM);
    client_expect(&f->c, "/>");
    world_settle_down(&f->w);
    client_send(&f->c, "<r " SM "/>");
    client_expect(&f->c, " h='3'/>");
}

static void assert_in(struct fixture *f, unsigned count)
{
    world_settle_down(&f->w);
    assert_int_equal(f->x.in_count, count);
}

/* A disk that is full: who sends something is told so once and not read any more, however long that lasts;
 * when the disk takes writes again, what waited comes, in order. */
static void a_full_disk_stops_reading(void **state)
{
    struct fixture *f = *state;

    f->x.settle_at_once = true;
    client_managed_stage(&f->c, &f->w, f->token);
    say(f, 0, 1);
    until_in(f, 1);
    failing_store_break(f->w.store);
    say(f, 1, 1);
    until_in(f, 2); /* the exchange refuses that one */
    say(f, 2, 5);
    deliver(f, "d", 0);
    client_expect(&f->c, "<r " SM "/>");
    client_send(&f->c, "<a " SM " h='1'/>"); /* is not read either, and must not be missed */
    for (int minute = 0; minute < 60; minute++)
        world_advance(&f->w, 60000);
    assert_in(f, 2);
    failing_store_mend(f->w.store);
    world_advance(&f->w, 1000);
    until_in(f, 7);
    for (int i = 0; i < 7; i++) {
        char id[16];
        snprintf(id, sizeof(id), "m%d", i);
        assert_string_equal(f->x.in[i]->id, id);
    }
    client_expect_not(&f->c, "<error");
    client_send(&f->c, "<r " SM "/>");
    client_expect(&f->c, " h='7'/>");
    say(f, 7, 3); /* nothing stops any more */
    until_in(f, 10);
}

/* Credit: with 64 KiB unsettled the connection is not read; commits open it again, in order. */
static void credit(void **state)
{
    struct fixture *f = *state;
    struct bytes b = BYTES_EMPTY;

    client_managed_stage(&f->c, &f->w, f->token);
    for (int i = 0; i < 60; i++) {
        bytes_printf(&b, "<message id='m%d'><body>", i);
        for (int k = 0; k < 4000; k++)
            bytes_append_char(&b, 'x');
        bytes_append_text(&b, "</body></message>");
    }
    client_send_n(&f->c, b.data, b.len);
    bytes_fini(&b);
    until_in(f, 16);
    world_settle_down(&f->w);
    assert_in_range(f->x.in_count, 16, 18);
    for (unsigned i = 0; i < 60; i++) {
        until_in(f, i + 1);
        script_settle(&f->x, i);
    }
    client_send(&f->c, "<r " SM "/>");
    client_expect(&f->c, " h='60'/>");
    for (int i = 0; i < 60; i++) {
        char id[16];
        snprintf(id, sizeof(id), "m%d", i);
        assert_string_equal(f->x.in[i]->id, id);
    }
}

/* ---- what the client acknowledges ---- */

static void kept_until_acknowledged(void **state)
{
    struct fixture *f = *state;
    struct resource *r;

    client_managed_stage(&f->c, &f->w, f->token);
    r = f->x.resources[0];
    deliver(f, "a", 11);
    deliver(f, "b", 0);
    deliver(f, "c", 13);
    client_expect(&f->c, "id='c'");
    assert_int_equal(r->done_count, 0);
    client_expect(&f->c, "<r " SM "/>");
    client_send(&f->c, "<a " SM " h='2'/>");
    for (int i = 0; i < PATIENCE_TURNS && !r->done_count; i++)
        world_turn(&f->w);
    world_settle_down(&f->w);
    assert_int_equal(r->done_count, 1);
    assert_int_equal(r->done[0], 11);
    client_expect_not(&f->c, "<r"); /* one is still open, but was asked for just now */
    world_advance(&f->w, 5200);
    client_expect(&f->c, "<r " SM "/>");
    client_send(&f->c, "<a " SM " h='3'/>");
    for (int i = 0; i < PATIENCE_TURNS && r->done_count < 2; i++)
        world_turn(&f->w);
    assert_int_equal(r->done[1], 13);
}

/* One <r/> for what goes out together, and no second before the answer. */
static void asks_once(void **state)
{
    struct fixture *f = *state;

    client_managed_stage(&f->c, &f->w, f->token);
    for (int i = 0; i < 40; i++)
        deliver(f, "x", 0);
    client_expect(&f->c, "<r " SM "/>");
    assert_null(strstr(f->c.got, "<r " SM "/><"));
    client_expect_not(&f->c, "<r");
    client_send(&f->c, "<a " SM " h='40'/>");
    world_settle_down(&f->w);
    world_advance(&f->w, 70000);
    client_expect_not(&f->c, "<r");
}

static void answer_ask(struct fixture *f, unsigned h)
{
    char answer[64];

    snprintf(answer, sizeof(answer), "<a " SM " h='%u'/>", h);
    client_expect(&f->c, "<r " SM "/>");
    client_send(&f->c, answer);
    world_settle_down(&f->w);
}

/* In a lively chat: the first is asked for at once, what follows within 250 ms together, or when it is
 * sixteen. */
static void asks_seldom(void **state)
{
    struct fixture *f = *state;

    client_managed_stage(&f->c, &f->w, f->token);
    deliver(f, "a", 0);
    client_expect(&f->c, "id='a'");
    answer_ask(f, 1);
    deliver(f, "b", 0);
    client_expect(&f->c, "id='b'");
    deliver(f, "c", 0);
    client_expect(&f->c, "id='c'");
    client_expect_not(&f->c, "<r");
    world_advance(&f->w, 300);
    answer_ask(f, 3);
    for (int i = 0; i < 15; i++)
        deliver(f, "x", 0);
    client_expect(&f->c, "id='x'");
    client_expect_not(&f->c, "<r");
    deliver(f, "sixteenth", 0);
    client_expect(&f->c, "id='sixteenth'");
    answer_ask(f, 19);
    world_advance(&f->w, 1000);
    deliver(f, "alone", 0); /* after a pause: at once again */
    client_expect(&f->c, "id='alone'");
    answer_ask(f, 20);
}

/* Kept messages from before <enable/> are the socket's, later ones the client's. */
static void enabled_in_the_middle(void **state)
{
    struct fixture *f = *state;
    struct resource *r;

    client_bound_stage(&f->c, &f->w);
    r = f->x.resources[0];
    deliver(f, "a", 1);
    client_send(&f->c, "<enable " SM " resume='1'/>");
    client_expect(&f->c, "<enabled");
    deliver(f, "b", 2);
    client_expect(&f->c, "id='b'");
    WORLD_UNTIL(&f->w, r->done_count);
    world_settle_down(&f->w);
    assert_int_equal(r->done_count, 1);
    client_send(&f->c, "<a " SM " h='1'/>");
    for (int i = 0; i < PATIENCE_TURNS && r->done_count < 2; i++)
        world_turn(&f->w);
    assert_int_equal(r->done[0], 1);
    assert_int_equal(r->done[1], 2);
}

/* An <r/> that nobody answers: the client has gone; it may come back. */
static void no_answer(void **state)
{
    struct fixture *f = *state;

    client_managed_stage(&f->c, &f->w, f->token);
    deliver(f, "a", 11);
    client_expect(&f->c, "<r " SM "/>");
    world_advance(&f->w, 62000);
    client_expect(&f->c, "<connection-timeout");
    world_advance(&f->w, 6000);
    until_hibernating(f, 0);
}

/* ---- resumption ---- */

static void resumed_in_order(void **state)
{
    struct fixture *f = *state;
    struct client d;

    f->x.settle_at_once = true;
    client_managed_stage(&f->c, &f->w, f->token);
    say(f, 0, 5);
    until_in(f, 5);
    deliver(f, "a", 11);
    deliver(f, "b", 12);
    deliver(f, "c", 0);
    client_expect(&f->c, "id='c'");
    client_close(&f->c);
    until_hibernating(f, 0);
    deliver(f, "d", 14);
    resume(f, &d, "romeo", "rose", 1);
    client_expect(&d, "<resumed " SM);
    client_expect(&d, "h='5'/>");
    client_expect(&d, "</message>");
    assert_non_null(strstr(d.got, "id='b'"));
    client_expect(&d, "id='c'");
    client_expect(&d, "id='d'");
    struct resource *r = f->x.resources[0];
    WORLD_UNTIL(&f->w, r->state == LINK_ACTIVE && r->done_count);
    assert_int_equal(r->done_count, 1);
    assert_int_equal(r->done[0], 11);
    deliver(f, "e", 15); /* and it goes on */
    client_expect(&d, "id='e'");
    client_send(&d, "<a " SM " h='5'/>");
    for (int i = 0; i < PATIENCE_TURNS && r->done_count < 4; i++)
        world_turn(&f->w);
    assert_int_equal(r->done[3], 15);
    client_send(&d, "<message id='m5'/><r " SM "/>");
    client_expect(&d, " h='6'/>");
    client_close(&d);
    until_hibernating(f, 0); /* a second time */
    resume(f, &d, "romeo", "rose", 5);
    client_expect(&d, "<resumed " SM);
    client_expect(&d, "h='6'/>");
    client_expect_not(&d, "<message");
    client_close(&d);
}

/* The old connection is only half dead: it gets conflict, and what it says later is not taken. */
static void resumed_over_the_old(void **state)
{
    struct fixture *f = *state;
    struct client d;

    f->x.settle_at_once = true;
    client_managed_stage(&f->c, &f->w, f->token);
    deliver(f, "a", 11);
    resume(f, &d, "romeo", "rose", 0);
    client_expect(&d, "<resumed");
    client_expect(&d, "id='a'");
    client_expect(&f->c, "<conflict");
    say(f, 0, 1);
    client_expect_end(&f->c);
    world_settle_down(&f->w);
    assert_int_equal(f->x.in_count, 0);
    assert_true(f->x.resources[0]->bound);
    deliver(f, "b", 12);
    client_expect(&d, "id='b'");
    client_close(&d);
}

/* What came before the cut is still on its way to the disk: the answer waits, so that the client
 * does not repeat what will be kept. */
static void resumption_waits_for_commits(void **state)
{
    struct fixture *f = *state;
    struct client d, e;

    client_managed_stage(&f->c, &f->w, f->token);
    say(f, 0, 2);
    until_in(f, 2);
    client_close(&f->c);
    until_hibernating(f, 0);
    resume(f, &d, "romeo", "rose", 0);
    client_expect_not(&d, "<resumed");
    script_settle(&f->x, 0);
    client_expect_not(&d, "<resumed");
    resume(f, &e, "romeo", "rose", 0); /* it was impatient */
    client_expect(&d, "<conflict");
    client_close(&d);
    script_settle(&f->x, 1);
    client_expect(&e, "<resumed");
    client_expect(&e, "h='2'/>");
    client_close(&e);
}

/* The one that waits goes away: the link hibernates on, and can be resumed. */
static void leaves_while_resuming(void **state)
{
    struct fixture *f = *state;
    struct client d;

    client_managed_stage(&f->c, &f->w, f->token);
    say(f, 0, 1);
    until_in(f, 1);
    client_close(&f->c);
    until_hibernating(f, 0);
    resume(f, &d, "romeo", "rose", 0);
    world_settle_down(&f->w);
    client_close(&d);
    world_settle_down(&f->w);
    script_settle(&f->x, 0);
    world_settle_down(&f->w);
    assert_true(f->x.resources[0]->bound);
    resume(f, &d, "romeo", "rose", 0);
    client_expect(&d, "<resumed");
    client_expect(&d, "h='1'/>");
    client_close(&d);
}

static void resumed_by_another(void **state)
{
    struct fixture *f = *state;
    struct client d;

    client_managed_stage(&f->c, &f->w, f->token);
    client_close(&f->c);
    until_hibernating(f, 0);
    resume(f, &d, "mercutio", "mab", 0);
    client_expect(&d, "<item-not-found");
    assert_true(f->x.resources[0]->bound);
    client_bind(&d, "balcony"); /* the stream is still good for binding */
    client_close(&d);
}

static void resumed_with_too_much(void **state)
{
    struct fixture *f = *state;
    struct client d;

    client_managed_stage(&f->c, &f->w, f->token);
    deliver(f, "a", 0);
    client_expect(&f->c, "id='a'");
    client_close(&f->c);
    until_hibernating(f, 0);
    resume(f, &d, "romeo", "rose", 2);
    client_expect(&d, "<undefined-condition");
    client_expect(&d, "<handled-count-too-high xmlns='urn:xmpp:sm:3' h='2' send-count='1'/>");
    client_close(&d);
    resume(f, &d, "romeo", "rose", 1);
    client_expect(&d, "<resumed");
    client_close(&d);
}

/* Nobody comes back: what was not acknowledged goes back, and a late resumption learns the count.
 */
static void not_resumed_in_time(void **state)
{
    struct fixture *f = *state;
    struct client d;

    f->x.settle_at_once = true;
    client_managed_stage(&f->c, &f->w, f->token);
    say(f, 0, 7);
    until_in(f, 7);
    deliver(f, "a", 0);
    deliver(f, "b", 12);
    deliver(f, "c", 0);
    client_expect(&f->c, "id='c'");
    client_close(&f->c);
    until_hibernating(f, 0);
    world_advance(&f->w, 290000);
    assert_true(f->x.resources[0]->bound);
    world_advance(&f->w, 20000);
    assert_false(f->x.resources[0]->bound);
    assert_string_equal(f->x.resources[0]->undelivered, "a c ");
    assert_int_equal(f->x.resources[0]->done_count, 0);
    resume(f, &d, "romeo", "rose", 0);
    client_expect(&d, "<failed " SM " h='7'><item-not-found");
    client_close(&d);
}

/* Without resume='true', and after an orderly end, it is over at once. */
static void over_at_once(void **state)
{
    struct fixture *f = *state;

    client_bound_stage(&f->c, &f->w);
    client_send(&f->c, "<enable " SM "/>");
    client_expect(&f->c, "<enabled " SM "/>");
    deliver(f, "a", 0);
    client_expect(&f->c, "id='a'");
    client_close(&f->c);
    until_unbound(f, 0);
    assert_string_equal(f->x.resources[0]->undelivered, "a ");
    client_managed_stage(&f->c, &f->w, f->token);
    client_send(&f->c, "</stream:stream>");
    until_unbound(f, 1);
}

/* The account or the resource is taken away while nobody is there. */
static void replaced_while_hibernating(void **state)
{
    struct fixture *f = *state;
    struct client d;

    client_managed_stage(&f->c, &f->w, f->token);
    deliver(f, "a", 0);
    client_close(&f->c);
    until_hibernating(f, 0);
    script_replace(&f->x, 0, STREAM_CONFLICT);
    world_settle_down(&f->w);
    resume(f, &d, "romeo", "rose", 0);
    client_expect(&d, "<item-not-found");
    client_close(&d);
}

/* The link ends while stanzas are unsettled: they settle into nothing. */
static void ends_unsettled(void **state)
{
    struct fixture *f = *state;

    client_managed_stage(&f->c, &f->w, f->token);
    say(f, 0, 3);
    until_in(f, 3);
    client_send(&f->c, "</stream:stream>");
    until_unbound(f, 0);
    for (unsigned i = 0; i < 3; i++)
        script_settle(&f->x, i);
    world_settle_down(&f->w);
}

static void stops_with_hibernating(void **state)
{
    struct fixture *f = *state;

    client_managed_stage(&f->c, &f->w, f->token);
    say(f, 0, 1);
    until_in(f, 1);
    client_close(&f->c);
    until_hibernating(f, 0);
    c2s_stop(f->w.c2s, f->w.loop, world_on_stopped, &f->w);
    until_unbound(f, 0);
    world_settle_down(&f->w);
    assert_false(f->w.stopped); /* a stanza is not settled */
    script_settle(&f->x, 0);
    for (int i = 0; i < PATIENCE_TURNS && !f->w.stopped; i++)
        world_turn(&f->w);
    assert_true(f->w.stopped);
    c2s_destroy(&f->w.c2s);
}

/* ---- after a restart ---- */

struct left_behind {
    const char *account;
    int64_t handled, serial, done, acked;
    struct span outs;
};

static bool put_left_behind(struct store_tx *tx, void *user, struct error *e)
{
    const struct left_behind *b = user;
    struct stream_row row = {
        .token = "left", .account = b->account, .resource = "orchard", .handled = b->handled, .serial = b->serial,
        .done = b->done, .acked = b->acked, .outs = b->outs,
        .presence = SPAN("<presence xmlns='jabber:client' from='romeo@montague.example/orchard'/>"),
        .directed = SPAN("room@verona.example/romeo\n"),
    };
    return streams_put(tx, &row, e);
}

static bool read_left(struct store_tx *tx, void *user, struct error *e)
{
    bool *found = user;
    struct store_rows *r = store_query(tx, e, "select token from streams where token = 'left'", "");
    while (r && store_next(r, e))
        *found = true;
    return r && e->code == ERROR_NONE;
}

static bool is_left(struct fixture *f)
{
    bool found = false;
    struct error e = ERROR_INIT;
    if (!store_write_wait(f->w.store, read_left, &found, &e))
        fail_msg("%s", e.text);
    return found;
}

/* A row that an ended process left: it is a link at once, whose stream goes on, or is refused and ends, so that all who
 * saw its resource hear of it. */
static void after_a_restart(void **state)
{
#define OUT_3_9 SPAN("\3\0\0\0\11\0\0\0\0\0\0\0") /* stanza 3 was row 9 */
    static const struct {
        struct left_behind left;
        unsigned h;
        uint64_t later_ms;
        const char *answer;
        bool stays;
        const char *proves;
    } restarts[] = {
        {{"romeo@montague.example", 7, 4, 4, 2, {0}}, 2, 0, "<resumed " SM " previd='left' h='7'/>", true, "h as it was saved"},
        {{"romeo@montague.example", 7, 4, 4, 2, OUT_3_9}, 5, 0, "<resumed " SM " previd='left' h='7'/>", true,
         "the client has what was in doubt, and more that was not kept"},
        {{"romeo@montague.example", 7, 4, 4, 2, OUT_3_9}, 2, 0, "<item-not-found ", false,
         "what it has not is not waiting for it any more"},
        {{"romeo@montague.example", 7, 4, 3, 2, {0}}, 2, 0, "<item-not-found ", false, "a message was under way"},
        {{"romeo@montague.example", 7, 4, 4, 2, {0}}, 1, 0, "<item-not-found ", false, "fewer than it had acknowledged"},
        {{"romeo@montague.example", 7, 4, 4, 2, {0}}, 2, 301000, "<item-not-found ", false, "too late"},
        {{"mercutio@montague.example", 7, 4, 4, 2, {0}}, 2, 0, "<item-not-found ", true, "another's stream"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(restarts) / sizeof(*restarts); i++) {
        struct left_behind left = restarts[i].left;
        struct error e = ERROR_INIT;
        struct client d;
        unsigned bound = f->x.resource_count;
        bool resumes = strstr(restarts[i].answer, "resumed") != NULL;
        if (!store_write_wait(f->w.store, put_left_behind, &left, &e))
            fail_msg("%s", e.text);
        snprintf(f->token, sizeof(f->token), "left");
        if (!c2s_keep_start(f->w.c2s, &e))
            fail_msg("%s", e.text);
        world_settle_down(&f->w);
        assert_int_equal(f->x.resource_count, bound + 1);
        assert_string_equal(f->x.resources[bound]->directed, "room@verona.example/romeo\n");
        if (restarts[i].later_ms)
            world_advance(&f->w, restarts[i].later_ms);
        resume(f, &d, "romeo", "rose", restarts[i].h);
        client_expect(&d, restarts[i].answer);
        world_settle_down(&f->w);
        assert_int_equal(f->x.resource_count, bound + 1);
        assert_int_equal(f->x.resources[bound]->bound, resumes || restarts[i].stays);
        if (resumes) {
            assert_string_equal(f->x.resources[bound]->jid->resource, "orchard");
            assert_true(f->x.resources[bound]->woken);
            script_deliver(&f->x, bound, "<message xmlns='jabber:client' id='next'><body>.</body></message>", 77);
            client_expect(&d, "id='next'");
            snprintf(f->token, sizeof(f->token), "<a " SM " h='%u'/>", restarts[i].h + 1);
            client_send(&d, f->token);
            client_send(&d, "</stream:stream>");
            until_unbound(f, bound);
            assert_int_equal(f->x.resources[bound]->done_count, 1);
        }
        world_settle_down(&f->w);
        if (is_left(f) != (restarts[i].stays && !resumes))
            fail_msg("%s", restarts[i].proves);
        client_close(&d);
    }
#undef OUT_3_9
}

/* A row whose community is served no more holds up nobody: the others are links, and it stays. */
static void of_a_community_that_has_gone(void **state)
{
    struct fixture *f = *state;
    struct left_behind gone = {"romeo@gone.example", 7, 4, 4, 2, {0}};
    struct error e = ERROR_INIT;

    assert_true(store_write_wait(f->w.store, put_left_behind, &gone, &e));
    if (!c2s_keep_start(f->w.c2s, &e))
        fail_msg("%s", e.text);
    world_settle_down(&f->w);
    assert_int_equal(f->x.resource_count, 0);
    world_until_logged(&f->w, "its community is no more");
    assert_true(is_left(f));
    client_proved_stage(&f->c, &f->w, "romeo", "rose");
}

static void on_kept(struct store_job *job, const struct error *e)
{
    struct keep *k = container_of(job, struct keep, job);
    assert_int_equal(e->code, ERROR_NONE);
    stanza_unref(&k->stanza);
}

/* While it is read what one client has not, the same stream is resumed once more, by a client that counted otherwise: the
 * first connection ends, and the second is judged by what it says itself. */
static void resumed_twice_after_a_restart(void **state)
{
    enum { MANY = 2500, ENTRY = 12 };
    static char outs[MANY * ENTRY];
    struct fixture *f = *state;
    struct left_behind left = {"romeo@montague.example", 7, 4, 4, 2, {outs, sizeof(outs)}};
    struct error e = ERROR_INIT;
    struct client d[2];
    struct keep k = {.queue = {"u:romeo@montague.example"}, .job = {.reply_on = f->w.loop, .done = on_kept}};

    static const char waits[] = "<message xmlns='jabber:client' id='waits'><body>.</body></message>";
    k.stanza = stanza_parse(waits, strlen(waits));
    journal_keep(f->w.store, &k);
    for (int i = 0; i < PATIENCE_TURNS && k.stanza; i++)
        world_turn(&f->w);
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t number = i + 3;
        memcpy(outs + i * ENTRY, &number, 4); /* little endian, as any machine that this runs on */
        memcpy(outs + i * ENTRY + 4, &k.seq, 8);
    }
    assert_true(store_write_wait(f->w.store, put_left_behind, &left, &e));
    snprintf(f->token, sizeof(f->token), "left");
    assert_true(c2s_keep_start(f->w.c2s, &e));
    world_settle_down(&f->w);
    for (int i = 0; i < 2; i++)
        client_proved_stage(&d[i], &f->w, "romeo", "rose");
    client_send(&d[0], "<resume " SM " previd='left' h='2501'/>"); /* one is missing */
    client_send(&d[1], "<resume " SM " previd='left' h='2'/>");    /* all are: too many */
    client_expect(&d[0], "<conflict ");
    client_expect(&d[1], "<item-not-found ");
    world_settle_down(&f->w);
    assert_false(f->x.resources[0]->bound);
    for (int i = 0; i < 2; i++)
        client_close(&d[i]);
}

static bool keep_now(struct store_tx *tx, void *user, struct error *e)
{
    struct settle *s = user;
    return s->save(tx, s, e);
}

static bool count_doubt(struct store_tx *tx, void *user, struct error *e)
{
    struct store_rows *r = store_query(tx, e, "select serial - done from streams", "");
    while (r && store_next(r, e))
        *(int64_t *)user = store_int(r, 0);
    return r && e->code == ERROR_NONE;
}

static int64_t in_doubt(struct fixture *f)
{
    int64_t n = -1;
    struct error e = ERROR_INIT;
    if (!store_write_wait(f->w.store, count_doubt, &n, &e))
        fail_msg("%s", e.text);
    return n;
}

/* A message that is kept covers what came before it. What of that changes the state that is saved with the
 * stream is in doubt until it is saved: a resumption without it would leave the client unavailable, or
 * without carbons, and it would not say so again. */
static void state_is_in_doubt_until_saved(void **state)
{
    static const char *const changes[] = {
        "<presence/>",
        "<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>",
        "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>",
        "<iq type='get' id='b'><blocklist xmlns='urn:xmpp:blocking'/></iq>",
    };
    struct fixture *f = *state;
    struct error e = ERROR_INIT;

    client_managed_stage(&f->c, &f->w, f->token);
    for (unsigned i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        client_send(&f->c, changes[i]);
        client_send(&f->c, "<message to='a@b' id='m'><body>x</body></message>");
        until_in(f, 2 * i + 2);
        assert_true(store_write_wait(f->w.store, keep_now, f->x.settle[2 * i + 1], &e));
        assert_int_equal(in_doubt(f), 1);
        script_settle(&f->x, 2 * i);
        script_settle(&f->x, 2 * i + 1);
        for (int n = 0; n < PATIENCE_TURNS && in_doubt(f); n++)
            world_turn(&f->w);
        assert_int_equal(in_doubt(f), 0);
    }
}

/* ---- clients that read nothing ---- */

static void flood(struct fixture *f, int count, uint64_t first_seq)
{
    struct bytes b = BYTES_EMPTY;

    bytes_append_text(&b, "<message xmlns='jabber:client' id='big'><body>");
    for (int i = 0; i < 20000; i++)
        bytes_append_char(&b, 'x');
    bytes_append_text(&b, "</body></message>");
    for (int i = 0; i < count && f->x.resources[0]->bound; i++) {
        script_deliver(&f->x, 0, bytes_text(&b), first_seq ? first_seq + (uint64_t)i : 0);
        world_turn(&f->w);
    }
    bytes_fini(&b);
}

/* Without stream management: cut, and what the socket did not take is not reported. */
static void reads_nothing(void **state)
{
    struct fixture *f = *state;

    client_bound_stage(&f->c, &f->w);
    flood(f, 250, 0);
    script_deliver(&f->x, 0, "<message xmlns='jabber:client' id='kept'/>", 77);
    world_advance(&f->w, 11000);
    flood(f, 250, 0);
    until_unbound(f, 0);
    assert_int_equal(f->x.resources[0]->done_count, 0);
}

/* With it: too much is unacknowledged, the link ends; kept messages stay pending. */
static void acknowledges_nothing(void **state)
{
    struct fixture *f = *state;

    client_managed_stage(&f->c, &f->w, f->token);
    flood(f, 250, 1000);
    until_unbound(f, 0);
    assert_int_equal(f->x.resources[0]->done_count, 0);
    assert_string_equal(f->x.resources[0]->undelivered, "");
    client_expect(&f->c, "<resource-constraint");
}

/* clang-format off */
#define BOTH(test)                                                                                 \
    cmocka_unit_test_setup_teardown(test, setup, teardown),                                        \
    {#test " (I/O on its own thread)", test, setup_threaded, teardown, NULL}
/* clang-format on */

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(count_follows_commits),
        BOTH(one_answer_a_batch),
        BOTH(what_counts),
        BOTH(a_full_disk_stops_reading),
        BOTH(credit),
        BOTH(kept_until_acknowledged),
        BOTH(asks_once),
        BOTH(asks_seldom),
        BOTH(enabled_in_the_middle),
        BOTH(no_answer),
        BOTH(resumed_in_order),
        BOTH(resumed_over_the_old),
        BOTH(resumption_waits_for_commits),
        BOTH(leaves_while_resuming),
        BOTH(resumed_by_another),
        BOTH(of_a_community_that_has_gone),
        BOTH(resumed_twice_after_a_restart),
        BOTH(resumed_with_too_much),
        BOTH(not_resumed_in_time),
        BOTH(over_at_once),
        BOTH(replaced_while_hibernating),
        BOTH(ends_unsettled),
        BOTH(stops_with_hibernating),
        cmocka_unit_test_setup_teardown(reads_nothing, setup_small, teardown),
        BOTH(after_a_restart),
        BOTH(state_is_in_doubt_until_saved),
        cmocka_unit_test_setup_teardown(acknowledges_nothing, setup_small, teardown),
    };
    return cmocka_run_group_tests_name("c2s_sm", tests, NULL, NULL);
}
