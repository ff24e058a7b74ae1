/* SPDX-License-Identifier: MIT */
/* An exchange of its own for tests of messaging sessions: the store on disk, the clock still until it is
 * moved, a scripted terminal, and what left for another community or for devices as lines of text. */
#ifndef TEST_SESSION_WORLD_H
#define TEST_SESSION_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/base/bytes.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/exchange/exchange.h"
#include "gateway/exchange/subscription.h"
#include "gateway/services/contact_request.h"
#include "gateway/store/account.h"
#include "gateway/store/journal.h"
#include "gateway/store/rosters.h"
#include "gateway/store/sessions.h"
#include "gateway/xmpp/ns.h"

#define ROMEO "romeo@montague.example"
#define JULIET "juliet@capulet.example"
#define NURSE "nurse@capulet.example"
#define NOBODY "rosaline@capulet.example"

/* A terminal: what it is given, as lines. */
struct terminal {
    struct edge_link link;
    struct bytes got;
    bool bound;
    bool silent; /* confirms nothing */
};

struct session_world {
    char dir[64], path[96];
    struct clock_fake clock;
    struct loop *loop;
    struct store *store;
    struct exchange *x;
    struct community communities[2];
    struct edge_remote remote;
    struct reach reach;
    struct bytes left;    /* what left for other communities */
    struct bytes devices; /* what contact-router was told */
};

static struct session_world world;

/* ---- lines ---- */

/* "chat FROM TO [error CONDITION] [contact STATE] BODY" and so on. */
static inline void line_of(struct bytes *out, const struct stanza *st)
{
    const char *type = stanza_type_name(st->type);
    bytes_printf(out, "%s %s > %s", type ? type : "normal", st->from ? st->from->full : "-",
                 st->to ? st->to->full : "-");
    const struct element *error = stanza_child(st, "error", NULL);
    if (error && error->first_child)
        bytes_printf(out, " error %s", error->first_child->name);
    const struct element *contact = stanza_child(st, "contact", NS_CONTACT);
    if (contact)
        bytes_printf(out, " contact %s", element_attr(contact, "state"));
    if (stanza_child(st, "received", NS_RECEIPTS))
        bytes_printf(out, " received %s", element_attr(stanza_child(st, "received", NS_RECEIPTS), "id"));
    if (stanza_body(st))
        bytes_printf(out, ": %s", stanza_body(st));
    bytes_append_char(out, '\n');
}

/* ---- edges ---- */

static inline void on_bound(struct edge_link *l, const struct jid *full, enum stanza_error why)
{
    (void)why;
    assert_non_null(full);
    container_of(l, struct terminal, link)->bound = true;
}

static inline void on_deliver(struct edge_link *l, struct stanza *st, uint64_t seq)
{
    struct terminal *t = container_of(l, struct terminal, link);
    if (st->kind == STANZA_MESSAGE || st->type == PRESENCE_SUBSCRIBE)
        line_of(&t->got, st);
    if (seq && !t->silent)
        exchange_delivered(l->resource, seq);
}

static inline void on_replaced(struct edge_link *l, enum stream_error why)
{
    (void)l, (void)why;
}

static const struct edge_link_ops terminal_ops = {on_bound, on_deliver, on_replaced};

static inline void remote_send(struct edge_remote *e, struct stanza *st, struct queue_id id)
{
    (void)e;
    if (st->kind == STANZA_MESSAGE)
        line_of(&world.left, st);
    else if (st->type == PRESENCE_ERROR)
        bytes_printf(&world.left, "presence error from %s\n", st->from->full);
    exchange_remote_done(world.x, st, id.seq);
}

static inline void remote_wake(struct edge_remote *e, const char *local, const char *remote)
{
    (void)e, (void)local, (void)remote;
}

static const struct edge_remote_ops remote_ops = {remote_send, remote_wake};

/* contact-router's part: reads the events and tells them. */
static inline bool read_events(struct store_tx *tx, void *user, struct error *e)
{
    (void)user;
    struct store_rows *r = store_query(tx, e, "select kind, callee, peer, code, text from reach_events order by id", "");
    while (r && store_next(r, e))
        bytes_printf(&world.devices, "%s %s from %s (%s): %s\n", store_int(r, 0) ? "request" : "message",
                     store_text(r, 1), store_text(r, 2), store_text(r, 3), store_text(r, 4) ? store_text(r, 4) : "-");
    return store_exec(tx, e, "delete from reach_events", "");
}

static inline void reach_wake(struct reach *r, const char *callee)
{
    (void)r, (void)callee;
    struct error e = ERROR_INIT;
    if (!store_write_wait(world.store, read_events, NULL, &e))
        fail_msg("%s", e.text);
}

static inline void reach_stop(struct reach *r, const char *callee, const char *peer)
{
    (void)r;
    bytes_printf(&world.devices, "stop %s %s\n", callee, peer ? peer : "all");
}

static inline bool reach_command(struct reach *r, const struct jid *account, const char *line,
                                 void (*reply)(void *user, enum stanza_error refused, const char *text), void *user)
{
    (void)r, (void)account;
    if (!text_eq(line, "devices"))
        return false;
    reply(user, STANZA_OK, "You have no devices.");
    return true;
}

static inline const char *reach_help(struct reach *r)
{
    (void)r;
    return "devices - what reaches you";
}

static const struct reach_ops reach_table = {
    .wake = reach_wake, .stop = reach_stop, .command = reach_command, .help = reach_help};

/* ---- time ---- */

static inline bool nothing(struct store_tx *tx, struct store_job *job, struct error *e)
{
    (void)tx, (void)job, (void)e;
    return true;
}

static unsigned barriers; /* under way */

static inline void on_nothing(struct store_job *job, const struct error *e)
{
    (void)job, (void)e;
    barriers--;
}

/* Until nothing is under way: loop, store and what follows of both. The writer and the only reader do
 * their jobs in order, and answers come in order, so what was asked before is done when these are. */
static inline void settle_all(void)
{
    for (unsigned quiet = 0; quiet < 12; quiet++) { /* longer than any chain of steps */
        struct store_job write = {.reply_on = world.loop, .run = nothing, .done = on_nothing}, read = write;
        unsigned busy = 0;
        barriers = 2;
        store_write(world.store, &write);
        store_read(world.store, &read);
        while (barriers)
            busy += loop_turn(world.loop);
        while (loop_turn(world.loop))
            busy++;
        if (busy > 2) /* more than our own answers */
            quiet = 0;
    }
}

/* In steps, so that a timer that starts another is seen. */
static inline void advance_s(uint64_t seconds)
{
    for (uint64_t left = seconds; left;) {
        uint64_t step = left > 43200 ? 43200 : left;
        clock_fake_advance(&world.clock, step * 1000);
        left -= step;
        settle_all();
    }
    for (int i = 0; i < 3; i++) { /* the sweep's slices */
        clock_fake_advance(&world.clock, 61000);
        settle_all();
    }
}

/* ---- life ---- */

static inline bool put_accounts(struct store_tx *tx, void *user, struct error *e)
{
    (void)user;
    static const char *const names[] = {JULIET, NURSE};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!account_put(tx, &(struct account){.bare = names[i]}, false, e))
            return false;
    return true;
}

static inline void world_up(void)
{
    static const struct service *const services[] = {&contact_request_service, NULL};
    struct error e = ERROR_INIT;
    struct store_options so = {
        .path = world.path, .schema_dir = CAUSEWAY_SOURCE_DIR "/schemas/sql", .clock = &world.clock.clock,
        .readers = 1};
    world.loop = loop_create("test", &world.clock.clock);
    world.store = store_open(&so, &e);
    if (!world.store)
        fail_msg("%s", e.text);
    struct exchange_options xo = {
        .loops = &world.loop, .loop_count = 1, .store = world.store, .communities = world.communities,
        .community_count = 1, .services = services, .remote = &world.remote, .reach = &world.reach};
    world.x = exchange_create(&xo);
    exchange_start(world.x);
    settle_all();
}

static inline void world_down(void)
{
    settle_all();
    store_close(&world.store);
    while (loop_turn(world.loop))
        ;
    exchange_destroy(&world.x);
    loop_destroy(&world.loop);
}

static inline int world_setup(void **state)
{
    (void)state;
    world = (struct session_world){0};
    snprintf(world.dir, sizeof world.dir, "/tmp/session-test-XXXXXX");
    if (!mkdtemp(world.dir))
        return -1;
    snprintf(world.path, sizeof world.path, "%s/store.db", world.dir);
    clock_fake_init(&world.clock);
    world.communities[0] = (struct community){.domain = "capulet.example", .archive = true, .held_max = 3};
    world.remote.ops = &remote_ops;
    world.reach.ops = &reach_table;
    world_up();
    struct error e = ERROR_INIT;
    assert_true(store_write_wait(world.store, put_accounts, NULL, &e));
    return 0;
}

static inline int world_teardown(void **state)
{
    (void)state;
    world_down();
    bytes_fini(&world.left);
    bytes_fini(&world.devices);
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", world.dir);
    return system(command);
}

/* A crash and a start: memory is gone, the store is as it was. */
static inline void world_restart(void)
{
    world_down();
    world_up();
}

/* ---- what people do ---- */

static inline struct stanza *chat(const char *from, const char *to, const char *children)
{
    static unsigned count;
    struct bytes xml = BYTES_EMPTY;
    bytes_printf(&xml, "<message xmlns='jabber:client' from='%s' to='%s' type='chat' id='m%u'>%s</message>", from, to,
                 ++count, children);
    struct stanza *st = stanza_parse(xml.data, xml.len);
    assert_non_null(st);
    bytes_fini(&xml);
    return st;
}

/* Any stanza, as it comes from another community. */
static inline void comes(const char *xml)
{
    struct stanza *st = stanza_parse(xml, strlen(xml));
    assert_non_null(st);
    exchange_receive_remote(world.x, st, NULL);
    stanza_unref(&st);
    settle_all();
}

/* Somebody of another community writes. */
static inline void writes(const char *from, const char *to, const char *body)
{
    struct bytes children = BYTES_EMPTY;
    bytes_printf(&children, "<body>%s</body>", body);
    struct stanza *st = chat(from, to, bytes_text(&children));
    exchange_receive_remote(world.x, st, NULL);
    stanza_unref(&st);
    bytes_fini(&children);
    settle_all();
}

static inline void sends(struct terminal *t, struct stanza *st)
{
    assert_true(exchange_receive(t->link.resource, st, NULL));
    stanza_unref(&st);
    settle_all();
}

static inline void sends_xml(struct terminal *t, const char *xml)
{
    struct stanza *st = stanza_parse(xml, strlen(xml));
    assert_non_null(st);
    sends(t, st);
}

static inline void log_on(struct terminal *t, const char *account)
{
    struct arena a;
    arena_init(&a);
    *t = (struct terminal){.link.ops = &terminal_ops, .link.proved = exchange_revocations(world.x)};
    exchange_bind(world.x, &t->link, jid_parse_text(&a, account), "balcony");
    arena_fini(&a);
    settle_all();
    assert_true(t->bound);
    sends_xml(t, "<presence xmlns='jabber:client'/>");
}

static inline void log_off(struct terminal *t)
{
    if (t->link.resource)
        exchange_unbind(t->link.resource, NULL, 0);
    settle_all();
    bytes_fini(&t->got);
}

/* A line to the domain. */
static inline void says_to_domain(struct terminal *t, const char *line)
{
    struct bytes xml = BYTES_EMPTY;
    bytes_printf(&xml, "<message xmlns='jabber:client' to='capulet.example' type='chat' id='l'><body>%s</body></message>",
                 line);
    sends_xml(t, bytes_text(&xml));
    bytes_fini(&xml);
}

/* Exactly this, and the slate is clean again. */
static inline void expect_text(struct bytes *got, const char *text)
{
    assert_string_equal(bytes_text(got), text);
    bytes_clear(got);
}

#endif
