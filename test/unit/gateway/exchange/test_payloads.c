/* SPDX-License-Identifier: MIT */
/* What clients say to each other beside words passes as it is: to a client here, to one of another community, and in the
 * copy for another client of the same person. Some of it waits for who is away and is archived; typing is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/xmpp/ns.h"
#include "test/world/match.h"
#include "test/world/world.h"

#define RTT(attrs, inside) "<rtt xmlns='urn:xmpp:rtt:0' " attrs ">" inside "</rtt>"
#define MARKER(name, attrs) "<" name " xmlns='urn:xmpp:chat-markers:0'" attrs "/>"

/* clang-format off */
static const struct row {
    const char *proves, *children;
    bool is_kept; /* waits, and is archived */
} rows[] = {
    /* XEP-0301 */
    {"0301: letters", RTT("seq='123001' event='new'", "<t>H\xc3\xa9 &lt;&amp;</t>"), false},
    {"0301: erasing, inserting, pausing", RTT("seq='123002'", "<e p='4' n='1'/><w n='300'/><t p='2'>ll</t>"), false},
    {"0301: reset, for a message that is corrected", RTT("seq='1' event='reset' id='r1'", "<t>x</t>"), false},
    {"0301: begins", RTT("event='init'", ""), false},
    {"0301: ends", RTT("event='cancel'", ""), false},
    {"0301: with a state beside it", RTT("seq='2'", "<t>a</t>") "<composing xmlns='http://jabber.org/protocol/chatstates'/>", false},
    {"0301: the words it comes to", "<body>H\xc3\xa9 &lt;&amp; all</body>", true},
    /* XEP-0308 */
    {"0308: a correction", "<body>But soft</body><replace xmlns='urn:xmpp:message-correct:0' id='bad1'/>", true},
    {"0308: of an encrypted message", "<encrypted xmlns='eu.siacs.conversations.axolotl'><payload>aGk=</payload></encrypted>"
     "<replace xmlns='urn:xmpp:message-correct:0' id='bad1'/>", true},
    /* XEP-0184 */
    {"0184: a wish for a receipt", "<body>My lord</body><request xmlns='urn:xmpp:receipts'/>", true},
    {"0184: a receipt", "<received xmlns='urn:xmpp:receipts' id='richard2-4.1.247'/>", true},
    /* XEP-0333 */
    {"0333: markable", "<body>My lord</body>" MARKER("markable", ""), true},
    {"0333: received", MARKER("received", " id='1'"), true},
    {"0333: displayed, in a thread", "<thread>sleeping</thread>" MARKER("displayed", " id='1'"), true},
    {"0333: acknowledged", MARKER("acknowledged", " id='1'"), true},
    {"0333: of a message by its stanza-id", MARKER("displayed", " id='1'") "<stanza-id xmlns='urn:xmpp:sid:0' by='room@c.example' id='9'/>", true},
    /* what else is on the way beside words */
    {"0085: a state", "<paused xmlns='http://jabber.org/protocol/chatstates'/>", false},
    {"0359: the sender's own id", "<body>x</body><origin-id xmlns='urn:xmpp:sid:0' id='o 1'/>", true},
    {"0444: a reaction", "<reactions xmlns='urn:xmpp:reactions:0' id='1'><reaction>\xf0\x9f\x91\x8b</reaction></reactions>", true},
    {"0461: a reply", "<body>> x\ny</body><reply xmlns='urn:xmpp:reply:0' to='a@b/c' id='1'/>", true},
    {"0424: a retraction", "<retract xmlns='urn:xmpp:message-retract:1' id='1'/>", true},
};
enum { ROWS = sizeof rows / sizeof *rows };
/* clang-format on */

static struct {
    struct world *w;
    struct peer *romeo, *juliet, *hall, *nurse;
} t;

static void say(struct peer *p, const char *xml)
{
    assert_true(peer_send(p, xml));
    world_settle(t.w);
}

static void forget(struct peer *p)
{
    while (peer_next(p))
        ;
}

static struct peer *come(const char *full, const char *presence)
{
    struct peer *p = world_bind(t.w, full);
    assert_non_null(p);
    say(p, presence);
    return p;
}

static int set_up(void **state)
{
    static const struct world_gateway gateways[] = {{.domain = "a.example"}, {.domain = "b.example", .strangers = STRANGERS_DELIVER}};
    (void)state;
    t.w = world_create(gateways, 2);
    world_account(t.w, "romeo@a.example");
    world_account(t.w, "juliet@a.example");
    world_account(t.w, "nurse@b.example");
    t.romeo = come("romeo@a.example/orchard", "<presence/>");
    t.juliet = come("juliet@a.example/balcony", "<presence/>");
    t.hall = come("juliet@a.example/hall", "<presence><priority>-1</priority></presence>");
    say(t.hall, "<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    t.nurse = come("nurse@b.example/chamber", "<presence/>");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_destroy(&t.w);
    return 0;
}

/* The message of row `i`, and its children as they are written. */
static void tell(const char *to, unsigned i, struct bytes *children)
{
    struct bytes xml = BYTES_EMPTY;
    bytes_printf(&xml, "<message to='%s' type='chat' id='i%u'>%s</message>", to, i, rows[i].children);
    struct stanza *st = match_parse(bytes_text(&xml));
    assert_non_null(st);
    bytes_clear(children);
    bytes_append(children, st->payload->xml.data, st->payload->xml.len);
    stanza_unref(&st);
    say(t.romeo, bytes_text(&xml));
    bytes_fini(&xml);
}

/* The next stanza, whole. */
static void expect(struct peer *p, unsigned i, const char *where, const struct bytes *children)
{
    struct bytes out = BYTES_EMPTY;
    struct stanza *st = peer_next(p);
    if (!st)
        fail_msg("%s: nothing came %s", rows[i].proves, where);
    stanza_write(&out, st, NULL);
    if (!strstr(bytes_text(&out), bytes_text(children)))
        fail_msg("%s: %s came %s", rows[i].proves, bytes_text(&out), where);
    bool archived = strstr(bytes_text(&out), "by='juliet@a.example'") != NULL;
    if (p == t.juliet && archived != rows[i].is_kept)
        fail_msg("%s: archived %d", rows[i].proves, archived);
    bytes_fini(&out);
    if (peer_look(p, 0))
        fail_msg("%s: more came %s", rows[i].proves, where);
}

static void pass_unharmed(void **state)
{
    (void)state;
    struct bytes children = BYTES_EMPTY;
    forget(t.juliet);
    forget(t.hall);
    forget(t.nurse);
    for (unsigned i = 0; i < ROWS; i++) {
        tell("juliet@a.example", i, &children);
        expect(t.juliet, i, "here", &children);
        expect(t.hall, i, "as a copy", &children);
        tell("nurse@b.example/chamber", i, &children);
        expect(t.nurse, i, "there", &children);
    }
    bytes_fini(&children);
}

static void wait_or_not(void **state)
{
    (void)state;
    struct bytes children = BYTES_EMPTY;
    peer_vanish(t.juliet);
    peer_vanish(t.hall);
    world_settle(t.w);
    for (unsigned i = 0; i < ROWS; i++)
        tell("juliet@a.example", i, &children);
    bytes_fini(&children);
    t.juliet = come("juliet@a.example/balcony", "<presence/>");
    unsigned next = 0;
    for (struct stanza *st; (st = peer_next(t.juliet));) {
        unsigned i;
        if (st->kind != STANZA_MESSAGE || sscanf(st->id, "i%u", &i) != 1)
            continue;
        while (next < i && !rows[next].is_kept)
            next++;
        if (next != i)
            fail_msg("%s: it %s", rows[next < i ? next : i].proves, next < i ? "did not wait" : "waited");
        next++;
    }
    while (next < ROWS && !rows[next].is_kept)
        next++;
    assert_int_equal(next, ROWS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pass_unharmed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wait_or_not, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
