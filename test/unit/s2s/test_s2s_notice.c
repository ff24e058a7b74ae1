/* SPDX-License-Identifier: MIT */
/* What comes back at once, what waits, and who is told that it waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/unit/s2s/s2s_world.h"

#define LOOPBACK "s2s 127.0.0.0/8"

enum { MINUTE_MS = 60000 };

struct duo {
    struct world w;
    struct side a;
    struct peer p;
};

/* The peer listens when it is told to. */
static void duo_open(struct duo *d, uint64_t notice_s)
{
    struct s2s_remote r = {.domain = "peer.test", .host = "127.0.0.1", .tls_optional = true};
    world_open(&d->w);
    peer_open(&d->p, &d->w, "peer.test");
    peer_down(&d->p);
    r.port = d->p.port;
    side_open(&d->a, &d->w, "a.test", world_free_port(&d->w), LOOPBACK,
              (struct s2s_options){.remotes = &r, .remote_count = 1, .delayed_notice_s = notice_s,
                                   .queue_deadline_s = 7200});
}

static void duo_close(struct duo *d)
{
    side_close(&d->a);
    peer_close(&d->p);
    world_close(&d->w);
}

static void say(struct duo *d, bool keep, const char *xml)
{
    struct stanza *st = stanza_parse(xml, strlen(xml));
    assert_non_null(st);
    if (keep)
        world_keep(&d->a.x, st, true);
    else
        d->a.x.edge->ops->send(d->a.x.edge, st, (struct queue_id){0});
    stanza_unref(&st);
    world_until(&d->w, d->a.x.keeping == 0);
}

static void say_kept(struct duo *d, const char *from, const char *to, const char *id, const char *inside)
{
    char xml[512];
    snprintf(xml, sizeof xml, "<message xmlns='jabber:client' type='chat' from='%s@a.test/r' to='%s@peer.test' id='%s'>%s</message>",
             from, to, id, inside);
    say(d, true, xml);
}

#define BODY "<body>x</body>"

static void minutes(struct duo *d, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        world_advance(&d->w, MINUTE_MS);
}

/* One a conversation and outage; what has nothing to read in it is nobody's concern. */
static void once(void **state)
{
    struct duo d;
    (void)state;
    duo_open(&d, 300);
    say_kept(&d, "u", "v", "1", BODY);
    say_kept(&d, "u", "v", "2", BODY);
    say_kept(&d, "u", "w", "3", "<received xmlns='urn:xmpp:receipts' id='x'/>");
    minutes(&d, 4);
    assert_string_equal(d.a.x.out, "");
    minutes(&d, 2);
    world_until(&d.w, strstr(d.a.x.out, "delayed:1 "));
    say_kept(&d, "u", "v", "4", BODY);
    say_kept(&d, "u", "w", "5", BODY);
    say_kept(&d, "t", "v", "6", BODY);
    minutes(&d, 4);
    assert_string_equal(d.a.x.out, "delayed:1 ");
    minutes(&d, 2);
    world_until(&d.w, strstr(d.a.x.out, "delayed:6 "));
    assert_string_equal(d.a.x.out, "delayed:1 delayed:5 delayed:6 ");
    minutes(&d, 30);
    assert_string_equal(d.a.x.out, "delayed:1 delayed:5 delayed:6 ");
    duo_close(&d);
}

/* When the way was open meanwhile, it is another outage. */
static void again(void **state)
{
    struct duo d;
    (void)state;
    duo_open(&d, 300);
    say_kept(&d, "u", "v", "1", BODY);
    minutes(&d, 6);
    world_until(&d.w, strstr(d.a.x.out, "delayed:1 "));
    peer_listen(&d.p);
    minutes(&d, 6);
    world_until(&d.w, strstr(d.p.heard, "message:1+delay"));
    peer_down(&d.p);
    say_kept(&d, "u", "v", "2", BODY);
    minutes(&d, 8);
    world_until(&d.w, strstr(d.a.x.out, "delayed:2 "));
    duo_close(&d);
}

/* Not where the admin wants none, nor where there is nothing to wait for. */
static void never(void **state)
{
    struct duo d;
    (void)state;
    duo_open(&d, 0);
    say_kept(&d, "u", "v", "1", BODY);
    minutes(&d, 30);
    assert_string_equal(d.a.x.out, "");
    duo_close(&d);
    duo_open(&d, 300);
    peer_listen(&d.p);
    d.p.header_error = "host-unknown";
    say_kept(&d, "u", "v", "1", BODY);
    minutes(&d, 30);
    assert_string_equal(d.a.x.out, "failed:1=remote-server-not-found ");
    duo_close(&d);
}

/* At the deadline the error says how long it was tried. */
static void deadline(void **state)
{
    struct duo d;
    (void)state;
    duo_open(&d, 0);
    say_kept(&d, "u", "v", "1", BODY);
    minutes(&d, 130);
    world_until(&d.w, d.a.x.failed_count == 1);
    assert_string_equal(d.a.x.out, "failed:1=remote-server-timeout ");
    assert_non_null(strstr(d.a.x.why, "could not be reached for 2 hours: "));
    assert_non_null(strstr(d.a.x.why, "Connection refused"));
    duo_close(&d);
}

/* What is not kept waits for a first attempt, and later comes back at once: a room must learn that its occupants are
 * gone. The exchange decides what becomes of errors, results and typing (edge.h). */
static void at_once(void **state)
{
    static const char *const rows[] = {
        "<message xmlns='jabber:client' type='groupchat' from='room@a.test/r' to='v@peer.test' id='1'><body>x</body></message>",
        "<message xmlns='jabber:client' type='headline' from='u@a.test/r' to='v@peer.test' id='2'><body>x</body></message>",
        "<presence xmlns='jabber:client' from='u@a.test/r' to='v@peer.test' id='3'/>",
        "<iq xmlns='jabber:client' type='get' from='u@a.test/r' to='v@peer.test' id='4'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<message xmlns='jabber:client' type='chat' from='u@a.test/r' to='v@peer.test' id='5'>"
        "<composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
    };
    struct duo d;
    (void)state;
    duo_open(&d, 300);
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        say(&d, false, rows[i]);
        world_until(&d.w, d.a.x.failed_count == i + 1);
    }
    duo_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(once),     cmocka_unit_test(again),   cmocka_unit_test(never),
        cmocka_unit_test(deadline), cmocka_unit_test(at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
