/* SPDX-License-Identifier: MIT */
/* XEP-0352: what may wait for a client that nobody looks at, for how long, and in what order it comes. The first
 * half has no sockets. */
#include "c2s/c2s_csi.h"
#include "test/unit/c2s/scripted_world.h"

/* ---- how urgent ---- */

#define COMPOSING "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
#define HINT      "<no-store xmlns='urn:xmpp:hints'/>"
#define RECEIVED  "<received xmlns='urn:xmpp:receipts' id='1'/>"
#define RTT       "<rtt xmlns='urn:xmpp:rtt:0' seq='1'><t>O</t></rtt>"
#define EVENT     "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='n'/></event>"
#define ROOM(status) "<x xmlns='http://jabber.org/protocol/muc#user'><item/>" status "</x>"
#define COPY(type, inside)                                                                         \
    "<message><received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>"         \
    "<message xmlns='jabber:client' from='a@a/1' to='b@b/1' type='" type "'>" inside               \
    "</message></forwarded></received></message>"

/* clang-format off */
static const struct row {
    const char *proves, *xml;
    enum c2s_csi_urgency is;
} rows[] = {
    {"an answer", "<iq type='result' id='1'/>", C2S_CSI_NOW},
    {"a question", "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>", C2S_CSI_NOW},
    {"somebody is there", "<presence/>", C2S_CSI_NEWEST},
    {"somebody went", "<presence type='unavailable'/>", C2S_CSI_NEWEST},
    {"an occupant of a room", "<presence>" ROOM("") "</presence>", C2S_CSI_NEWEST},
    {"the client itself is in the room", "<presence>" ROOM("<status code='110'/>") "</presence>", C2S_CSI_NOW},
    {"or was put out", "<presence type='unavailable'>" ROOM("<status code='307'/><status code='110'/>") "</presence>", C2S_CSI_NOW},
    {"somebody asks to be let in", "<presence type='subscribe'/>", C2S_CSI_NOW},
    {"somebody lets in", "<presence type='subscribed'/>", C2S_CSI_NOW},
    {"an error to presence", "<presence type='error'/>", C2S_CSI_NOW},
    {"what people say", "<message type='chat'><body>x</body></message>", C2S_CSI_NOW},
    {"with a state beside it", "<message type='chat'>" COMPOSING "<body>x</body></message>", C2S_CSI_NOW},
    {"in a room", "<message type='groupchat'><body>x</body></message>", C2S_CSI_NOW},
    {"a subject", "<message type='groupchat'><subject>s</subject></message>", C2S_CSI_NOW},
    {"encrypted", "<message><encrypted xmlns='eu.siacs.conversations.axolotl'/>" HINT "</message>", C2S_CSI_NOW},
    {"a call", "<message><propose xmlns='urn:xmpp:jingle-message:0' id='1'/></message>", C2S_CSI_NOW},
    {"what nobody here knows", "<message><x xmlns='urn:example:new'/></message>", C2S_CSI_NOW},
    {"a page of an archive", "<message><result xmlns='urn:xmpp:mam:2' id='1'/></message>", C2S_CSI_NOW},
    {"an error", "<message type='error'>" COMPOSING "</message>", C2S_CSI_NOW},
    {"nothing at all", "<message/>", C2S_CSI_NOW},
    {"typing", "<message type='chat'>" COMPOSING HINT "<thread>t</thread></message>", C2S_CSI_NEWEST},
    {"typing in a room", "<message type='groupchat'>" COMPOSING "</message>", C2S_CSI_NEWEST},
    {"a receipt", "<message>" RECEIVED "</message>", C2S_CSI_WAITS},
    {"a marker", "<message type='chat'><displayed xmlns='urn:xmpp:chat-markers:0' id='1'/></message>", C2S_CSI_WAITS},
    {"a receipt and a state: the receipt is not replaced", "<message>" COMPOSING RECEIVED "</message>", C2S_CSI_WAITS},
    {"an event", "<message type='headline'>" EVENT "</message>", C2S_CSI_WAITS},
    {"a headline that says something", "<message type='headline'><body>fire</body></message>", C2S_CSI_NOW},
    {"real-time text", "<message type='chat'>" RTT HINT "</message>", C2S_CSI_NEVER},
    {"and the words that end it", "<message type='chat'>" RTT "<body>Oh</body></message>", C2S_CSI_NOW},
    {"a copy of words", COPY("chat", "<body>x</body>"), C2S_CSI_NOW},
    {"a copy of typing", COPY("chat", COMPOSING), C2S_CSI_NEWEST},
    {"a copy of a receipt", COPY("normal", RECEIVED), C2S_CSI_WAITS},
    {"a copy of an error", COPY("error", COMPOSING), C2S_CSI_NOW},
};
/* clang-format on */

static struct stanza *parsed(const char *xml)
{
    struct bytes text = BYTES_EMPTY;
    size_t name = 1 + strcspn(xml + 1, " >/");

    bytes_append(&text, xml, name);
    bytes_append_text(&text, " xmlns='jabber:client'");
    bytes_append_text(&text, xml + name);
    struct stanza *st = stanza_parse(text.data, text.len);
    assert_non_null(st);
    bytes_fini(&text);
    return st;
}

static void urgency(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct stanza *st = parsed(rows[i].xml);
        if (c2s_csi_judge(st) != rows[i].is)
            fail_msg("%s: %d", rows[i].proves, (int)c2s_csi_judge(st));
        stanza_unref(&st);
    }
}

/* ---- what waits ---- */

static bool hold(struct c2s_csi **h, const char *xml, uint64_t seq)
{
    struct stanza *st = parsed(xml);
    bool held = c2s_csi_hold(h, st, seq);

    stanza_unref(&st);
    return held;
}

/* Ids of what waits, each followed by a blank. */
static void taken(struct c2s_csi **h, char *ids, size_t cap)
{
    struct stanza *st;
    uint64_t seq;

    ids[0] = '\0';
    while (c2s_csi_take(h, &st, &seq)) {
        size_t at = strlen(ids);
        snprintf(ids + at, cap - at, "%s%s ", st->id, seq ? "k" : "");
        stanza_unref(&st);
    }
    assert_null(*h);
}

static void newest_of_each(void **state)
{
    (void)state;
    struct c2s_csi *h = NULL;
    char ids[256];

    assert_true(hold(&h, "<presence from='a@a/1' id='1'/>", 0));
    assert_true(hold(&h, "<presence from='a@a/2' id='2'/>", 0));
    assert_true(hold(&h, "<message from='a@a/1' id='3'>" COMPOSING "</message>", 0));
    assert_true(hold(&h, "<presence from='a@a/1' id='4' type='unavailable'/>", 0)); /* behind 3, as it came */
    assert_true(hold(&h, "<message from='a@a/1' id='5'>" RECEIVED "</message>", 7));
    assert_true(hold(&h, "<message from='a@a/1' id='6'>" RECEIVED "</message>", 8));
    assert_true(hold(&h, "<message from='a@a/1' id='7'>" COMPOSING "</message>", 0));
    assert_true(hold(&h, "<message from='a@a/1' id='8'>" COMPOSING "</message>", 9)); /* kept: it stays */
    assert_true(hold(&h, "<message from='a@a/1' id='9'>" COMPOSING "</message>", 0));
    assert_true(hold(&h, "<message from='a@a/1' id='10'>" RTT "</message>", 0)); /* gone */
    assert_true(hold(&h, "<message from='a@a/1' id='11'>" RTT "</message>", 10));
    assert_false(hold(&h, "<message from='a@a/1' id='12'><body>x</body></message>", 0));
    taken(&h, ids, sizeof(ids));
    assert_string_equal(ids, "2 4 5k 6k 8k 9 11k ");
}

/* Copies all come from the account itself; they are about who writes to whom. */
static void copies_of_each(void **state)
{
    (void)state;
    struct c2s_csi *h = NULL;
    char ids[64];
    static const char fmt[] =
        "<message from='b@b' id='%d'><sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>"
        "<message xmlns='jabber:client' from='b@b/1' to='%s'>" COMPOSING "</message></forwarded></sent></message>";
    const char *to[] = {"a@a", "c@c", "a@a"};

    for (int i = 0; i < 3; i++) {
        char xml[512];
        snprintf(xml, sizeof(xml), fmt, i, to[i]);
        assert_true(hold(&h, xml, 0));
    }
    taken(&h, ids, sizeof(ids));
    assert_string_equal(ids, "1 2 ");
}

static void bounded(void **state)
{
    (void)state;
    struct c2s_csi *h = NULL;
    char xml[40000], fill[30000];
    unsigned n = 0;

    for (; n < 2 * C2S_CSI_COUNT_MAX; n++) {
        snprintf(xml, sizeof(xml), "<presence from='a@a/%u'/>", n);
        if (!hold(&h, xml, 0))
            break;
    }
    assert_int_equal(n, C2S_CSI_COUNT_MAX);
    assert_true(hold(&h, "<presence from='a@a/5'/>", 0)); /* takes the place of one */
    c2s_csi_drop(&h);
    memset(fill, 'x', sizeof(fill) - 1);
    fill[sizeof(fill) - 1] = '\0';
    for (n = 0; n < 100; n++) {
        snprintf(xml, sizeof(xml), "<presence from='a@a/%u'><status>%s</status></presence>", n, fill);
        if (!hold(&h, xml, 0))
            break;
    }
    assert_int_equal(n, C2S_CSI_BYTES_MAX / sizeof(fill));
    c2s_csi_drop(&h);
    assert_null(h);
}

/* ---- on a stream ---- */

#define INACTIVE "<inactive xmlns='urn:xmpp:csi:0'/>"
#define ACTIVE   "<active xmlns='urn:xmpp:csi:0'/>"

static void be_inactive(struct fixture *f, struct client *c, unsigned resource)
{
    client_send(c, INACTIVE);
    for (int i = 0; i < PATIENCE_TURNS && f->x.resources[resource]->state != LINK_INACTIVE; i++)
        world_turn(&f->w);
    assert_int_equal(f->x.resources[resource]->state, LINK_INACTIVE);
}

static void tell(struct fixture *f, const char *children, const char *id, uint64_t seq)
{
    char xml[512];

    snprintf(xml, sizeof(xml), "<message xmlns='jabber:client' from='a@a/1' id='%s'>%s</message>", id, children);
    script_deliver(&f->x, 0, xml, seq);
}

static void show(struct fixture *f, const char *id)
{
    char xml[256];

    snprintf(xml, sizeof(xml), "<presence xmlns='jabber:client' from='a@a/1' id='%s'/>", id);
    script_deliver(&f->x, 0, xml, 0);
}

/* Held, replaced, brought in front of what is important; all of it when the client is active again, and before the
 * answer to what it asks next. */
static void held_and_brought(void **state)
{
    struct fixture *f = *state;
    struct client c;

    client_bound_stage(&c, &f->w);
    be_inactive(f, &c, 0);
    show(f, "p1");
    tell(f, COMPOSING, "t1", 0);
    show(f, "p2");
    client_expect_not(&c, "id='");
    tell(f, "<body>x</body>", "m1", 0);
    client_expect(&c, "id='m1'");
    assert_non_null(strstr(c.got, "id='t1'"));
    assert_non_null(strstr(strstr(c.got, "id='t1'"), "id='p2'"));
    assert_null(strstr(c.got, "id='p1'"));
    show(f, "p3");
    tell(f, RECEIVED, "r1", 4);
    client_expect_not(&c, "id='");
    assert_int_equal(f->x.resources[0]->done_count, 0);
    client_send(&c, ACTIVE "<iq type='set' id='again'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    client_expect(&c, "id='again'");
    assert_non_null(strstr(c.got, "id='p3'"));
    assert_non_null(strstr(c.got, "id='r1'"));
    for (int i = 0; i < PATIENCE_TURNS && !f->x.resources[0]->done_count; i++)
        world_turn(&f->w);
    assert_int_equal(f->x.resources[0]->done[0], 4); /* reported when it was sent */
    show(f, "p4"); /* as always */
    client_expect(&c, "id='p4'");
    client_close(&c);
}

/* With so much waiting it goes out, in order, and nothing is lost. */
static void overflow(void **state)
{
    struct fixture *f = *state;
    struct client c;
    char id[32], want[64];

    client_bound_stage(&c, &f->w);
    be_inactive(f, &c, 0);
    for (int i = 0; i <= C2S_CSI_COUNT_MAX; i++) {
        snprintf(id, sizeof(id), "r%d", i);
        tell(f, RECEIVED, id, 0);
    }
    for (int i = 0; i <= C2S_CSI_COUNT_MAX; i++) {
        snprintf(want, sizeof(want), "id='r%d'", i);
        client_expect(&c, want);
    }
    client_close(&c);
}

static void unknown_state(void **state)
{
    struct fixture *f = *state;
    struct client c;

    client_bound_stage(&c, &f->w);
    client_send(&c, "<asleep xmlns='urn:xmpp:csi:0'/>");
    client_expect(&c, "<unsupported-stanza-type");
    client_expect_end(&c);
    client_close(&c);
    client_proved_stage(&c, &f->w, "romeo", "rose");
    client_send(&c, INACTIVE); /* there is no link yet */
    client_expect(&c, "<unsupported-stanza-type");
    client_expect_end(&c);
    client_close(&c);
}

/* What waits has no number: <r/> and <a/> know only what was sent. A resumed stream is active: first comes what was
 * sent and not acknowledged, then what waited, then what is new. */
static void resumed(void **state)
{
    struct fixture *f = *state;
    struct client c, d;
    char token[64], text[256];

    client_managed_stage(&c, &f->w, token);
    be_inactive(f, &c, 0);
    tell(f, "<body>x</body>", "m1", 1);
    client_expect(&c, "id='m1'");
    show(f, "p1");
    tell(f, RECEIVED, "r1", 2);
    client_send(&c, "<a " SM " h='1'/>"); /* no more was sent: h='2' would be too high */
    WORLD_UNTIL(&f->w, f->x.resources[0]->done_count == 1);
    tell(f, "<body>y</body>", "m2", 3);
    client_expect(&c, "id='m2'");
    show(f, "p2");
    client_close(&c);
    for (int i = 0; i < PATIENCE_TURNS && f->x.resources[0]->state != LINK_HIBERNATING; i++)
        world_turn(&f->w);
    show(f, "p3");
    client_proved_stage(&d, &f->w, "romeo", "rose");
    snprintf(text, sizeof(text), "<resume " SM " previd='%s' h='2'/>", token); /* it has p1 */
    client_send(&d, text);
    client_expect(&d, "<resumed ");
    client_expect(&d, "id='p3'");
    const char *r1 = strstr(d.got, "id='r1'");
    assert_non_null(r1);
    assert_non_null(strstr(r1, "id='m2'"));
    assert_null(strstr(d.got, "id='p2'"));
    assert_int_equal(f->x.resources[0]->state, LINK_ACTIVE);
    show(f, "p4");
    client_expect(&d, "id='p4'");
    client_send(&d, "<a " SM " h='6'/>");
    for (int i = 0; i < PATIENCE_TURNS && f->x.resources[0]->done_count < 3; i++)
        world_turn(&f->w);
    assert_int_equal(f->x.resources[0]->done_count, 3);
    client_close(&d);
}

/* The link ends: what waited is gone, but what is kept was never reported, so the exchange has it still. */
static void ended(void **state)
{
    struct fixture *f = *state;
    struct client c;

    client_bound_stage(&c, &f->w);
    be_inactive(f, &c, 0);
    show(f, "p1");
    tell(f, RECEIVED, "r1", 5);
    client_send(&c, "</stream:stream>");
    client_expect(&c, "</stream:stream>");
    assert_null(strstr(c.got, "id='"));
    client_expect_end(&c);
    for (int i = 0; i < PATIENCE_TURNS && f->x.resources[0]->bound; i++)
        world_turn(&f->w);
    assert_false(f->x.resources[0]->bound);
    assert_int_equal(f->x.resources[0]->done_count, 0);
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urgency),
        cmocka_unit_test(newest_of_each),
        cmocka_unit_test(copies_of_each),
        cmocka_unit_test(bounded),
        BOTH(held_and_brought),
        BOTH(overflow),
        BOTH(unknown_state),
        BOTH(resumed),
        BOTH(ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
