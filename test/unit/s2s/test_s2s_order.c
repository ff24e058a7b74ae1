/* SPDX-License-Identifier: MIT */
/* One queue over two lives of a gateway: what the former one left goes first, nothing passes it, and what
 * the peer confirmed does not come again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/store/store.h"
#include "test/unit/s2s/s2s_world.h"

struct duo {
    struct world w;
    struct side a;
    struct peer p;
    struct s2s_remote remote;
    struct s2s_options o;
};

static void duo_open(struct duo *d)
{
    memset(d, 0, sizeof *d);
    world_open(&d->w);
    peer_open(&d->p, &d->w, "peer.test");
    d->remote = (struct s2s_remote){.domain = "peer.test", .host = "127.0.0.1", .port = d->p.port, .tls_optional = true};
    d->o = (struct s2s_options){.remotes = &d->remote, .remote_count = 1};
    side_open(&d->a, &d->w, "a.test", world_free_port(&d->w), "s2s 127.0.0.0/8", d->o);
}

static void duo_close(struct duo *d)
{
    side_close(&d->a);
    peer_close(&d->p);
    world_close(&d->w);
}

static void say(struct duo *d, const char *kind, const char *id)
{
    world_say(&d->a.x, kind, "peer.test", id);
    world_until(&d->w, d->a.x.keeping == 0);
}

/* As a former life left it. */
static void leave(struct duo *d, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char id[16];
        snprintf(id, sizeof id, "old%u", i);
        struct stanza *st = world_stanza("message", "a.test", "peer.test", id, 0);
        world_keep(&d->a.x, st, false);
        stanza_unref(&st);
    }
    world_until(&d->w, d->a.x.keeping == 0);
}

static bool on_damage(struct store_tx *tx, void *user, struct error *e)
{
    return store_exec(tx, e, user, "");
}

static void sql(struct duo *d, const char *text)
{
    struct error e = ERROR_INIT;
    assert_true(store_write_wait(d->a.x.store, on_damage, (void *)text, &e));
}

/* Messages that the peer heard, in order, each with a space behind it. */
static const char *messages(struct duo *d)
{
    static char out[WORLD_TEXT];
    char *to = out;
    for (const char *at = d->p.heard; (at = strstr(at, "message:")); to += strlen(to)) {
        at += strlen("message:");
        int len = (int)strcspn(at, " +");
        snprintf(to, (size_t)(out + sizeof out - to), "%.*s ", len, at);
    }
    *to = '\0';
    return out;
}

/* The peer answers on a stream of its own. */
struct voice {
    struct raw r;
};

static void voice_open(struct voice *v, struct duo *d)
{
    raw_open(&v->r, &d->w, d->a.port);
    raw_prove(&v->r, RAW_HEADER("peer.test", "a.test"), "peer.test", "a.test");
}

static void pong(struct voice *v, struct duo *d)
{
    char text[256];
    snprintf(text, sizeof text, "<iq type='result' from='peer.test' to='a.test' id='%s'/>", d->p.ping);
    d->p.ping[0] = '\0';
    raw_say(&v->r, text);
}

enum when { NEVER, FIRST, AT_ONCE, LATER };

/* ---- what a former life left, and what is said after the start ---- */

static void former_life(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        unsigned left;
        enum when presence; /* so that the stream comes up: before what is said, at the same time; LATER: it is up */
        enum when wake;     /* the exchange's word that rows wait */
        bool damaged;       /* the first read fails */
    } rows[] = {
        {"said into a pair that knows nothing", 1, NEVER, NEVER, false},
        {"more than are read without a stream", 40, NEVER, NEVER, false},
        {"the read is under way when it is said", 1, NEVER, FIRST, false},
        {"more rows than that read brings", 40, NEVER, FIRST, false},
        {"the queue was read, the stream is on its way", 1, NEVER, LATER, false},
        {"woken after it was said", 1, NEVER, AT_ONCE, false},
        {"presence came first, its stream is on its way", 1, FIRST, NEVER, false},
        {"presence came first, and its stream is up", 40, LATER, NEVER, false},
        {"presence, its stream is up, then both at once", 40, LATER, AT_ONCE, false},
        {"the read is under way when presence makes the stream", 40, AT_ONCE, FIRST, false},
        {"the read fails", 1, NEVER, NEVER, true},
        {"the read fails, the stream comes up meanwhile", 40, FIRST, NEVER, true},
        {"the read fails on a stream that is up", 40, LATER, AT_ONCE, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct duo d;
        struct edge_remote *edge;
        char want[1024] = "";
        duo_open(&d);
        leave(&d, rows[i].left);
        side_stop(&d.a);
        side_serve(&d.a, d.o);
        edge = d.a.x.edge;
        if (rows[i].damaged)
            sql(&d, "update journal set stanza = cast('!' || stanza as blob)");
        if (rows[i].presence == FIRST || rows[i].presence == LATER)
            world_say(&d.a.x, "presence", "peer.test", "p");
        if (rows[i].presence == LATER)
            world_until(&d.w, strstr(d.p.heard, "presence:p"));
        if (rows[i].wake == FIRST || rows[i].wake == LATER)
            edge->ops->wake(edge, "a.test", "peer.test");
        if (rows[i].wake == LATER)
            world_until(&d.w, d.p.conn_count > 0);
        if (rows[i].presence == AT_ONCE)
            world_say(&d.a.x, "presence", "peer.test", "p");
        say(&d, "message", "new0");
        if (rows[i].wake == AT_ONCE)
            edge->ops->wake(edge, "a.test", "peer.test");
        say(&d, "message", "new1");
        if (rows[i].damaged) {
            world_calm(&d.w);
            assert_string_equal(messages(&d), "");
            sql(&d, "update journal set stanza = cast(substr(stanza, 2) as blob) where hex(substr(stanza, 1, 1)) = '21'");
            world_advance(&d.w, 10000);
        }
        unsigned all = rows[i].left + 2;
        world_until(&d.w, d.p.message_count >= all && d.p.ping[0]);
        for (unsigned k = 0; k < rows[i].left; k++)
            snprintf(want + strlen(want), sizeof want - strlen(want), "old%u ", k);
        snprintf(want + strlen(want), sizeof want - strlen(want), "new0 new1 ");
        world_calm(&d.w);
        if (strcmp(messages(&d), want) != 0)
            fail_msg("%s: %s", rows[i].what, messages(&d));
        duo_close(&d);
    }
}

/* The same with any number of the loop's turns between one word and the next. */
static void any_moment(void **state)
{
    (void)state;
    static const unsigned order[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (unsigned turns = 0; turns < 30; turns++) {
        struct duo d;
        duo_open(&d);
        leave(&d, 18);
        side_stop(&d.a);
        side_serve(&d.a, d.o);
        for (unsigned k = 0; k < 3; k++) {
            unsigned what = order[turns % 6][k];
            if (what == 0)
                world_say(&d.a.x, "presence", "peer.test", "p");
            else if (what == 1)
                d.a.x.edge->ops->wake(d.a.x.edge, "a.test", "peer.test");
            else
                world_say(&d.a.x, "message", "peer.test", "new0");
            for (unsigned n = 0; n < turns / 6 * 4; n++)
                world_turn(&d.w);
        }
        world_until(&d.w, d.p.message_count >= 19);
        world_calm(&d.w);
        assert_int_equal(d.p.message_count, 19);
        assert_non_null(strstr(messages(&d), "old0 old1 old2 "));
        assert_non_null(strstr(messages(&d), "old16 old17 new0 "));
        duo_close(&d);
    }
}

/* ---- a gentle end while some of what was sent is not confirmed ---- */

static void gentle_end(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        bool answers;
        const char *heard;
    } rows[] = {
        {"the peer's answers are waited for, each burst's", true, "0 1 2 3 "},
        {"a peer that does not answer hears again what it did not confirm", false, "0 1 2 1 2 3 "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct duo d;
        struct voice v;
        duo_open(&d);
        voice_open(&v, &d);
        say(&d, "message", "0");
        world_until(&d.w, d.p.ping[0]);
        say(&d, "message", "1"); /* behind the ping that is under way: a ping of their own follows */
        say(&d, "message", "2");
        world_until(&d.w, d.p.message_count == 3);
        pong(&v, &d);
        world_until(&d.w, d.a.x.done_count == 1 && d.p.ping[0]);
        s2s_stop(d.a.s2s, side_on_stopped, &d.a);
        world_calm(&d.w);
        assert_false(d.a.stopped);
        world_say(&d.a.x, "presence", "peer.test", "goodbye");
        world_until(&d.w, strstr(d.p.heard, "presence:goodbye"));
        world_say(&d.a.x, "message", "peer.test", "3"); /* too late for this life */
        world_until(&d.w, d.a.x.keeping == 0);
        if (rows[i].answers)
            pong(&v, &d);
        for (int k = 0; k < 4 && !rows[i].answers; k++)
            world_advance(&d.w, 3000);
        if (rows[i].answers) {
            world_until(&d.w, d.a.x.done_count == 3);
            world_advance(&d.w, 6000);
        }
        raw_close(&v.r);
        world_until(&d.w, d.a.stopped);
        s2s_destroy(&d.a.s2s);
        assert_int_equal(d.a.x.failed_count, 0);
        assert_int_equal(side_queued(&d.a, "peer.test"), rows[i].answers ? 1 : 3);
        side_serve(&d.a, d.o);
        d.a.x.edge->ops->wake(d.a.x.edge, "a.test", "peer.test");
        world_until(&d.w, strstr(d.p.heard, "message:3"));
        if (strcmp(messages(&d), rows[i].heard) != 0)
            fail_msg("%s: %s", rows[i].what, messages(&d));
        duo_close(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(former_life),
        cmocka_unit_test(any_moment),
        cmocka_unit_test(gentle_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
