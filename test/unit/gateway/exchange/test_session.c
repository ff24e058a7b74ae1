/* SPDX-License-Identifier: MIT */
/* Messaging sessions from outside: what the asker learns, what the callee is shown, what survives. */
#include "test/unit/gateway/exchange/session_world.h"

#include "gateway/exchange/consent.h"

#define WAITS(from, to) "chat " from " > " to " contact waiting: [Your message waits until the recipient accepts it.]\n"
#define PROMPT(peer, n, excerpt)                                                                   \
    "chat capulet.example > " JULIET " contact asked: " peer " would like to write to you:\n> " excerpt                 \
    "\nAnswer \"accept " n "\" to let them in, \"decline " n "\" to say nothing, or \"block " n                  \
    "\" to hear no more of them. Writing to " peer " also accepts.\n"
#define REPLY(text) "chat capulet.example > " JULIET "/balcony contact reply: " text "\n"
#define TOLD "chat " JULIET " > " ROMEO " contact routed: [The recipient was told by text message.]\n"
#define MESSAGE(from, to, body) "chat " from " > " to ": " body "\n"

enum { WEEK_S = 7 * 24 * 3600 };

static void a_request_is_held_shown_and_accepted(void **state)
{
    (void)state;
    struct terminal t;
    writes(ROMEO "/orchard", JULIET, "one");
    writes(ROMEO "/orchard", JULIET, "two");
    expect_text(&world.left, WAITS(JULIET, ROMEO "/orchard")); /* once */
    expect_text(&world.devices, "request " JULIET " from " ROMEO " (r1): one\n");
    log_on(&t, JULIET);
    expect_text(&t.got, PROMPT(ROMEO, "1", "one"));
    expect_text(&world.devices, "stop " JULIET " all\n");
    says_to_domain(&t, "accept 1");
    writes(ROMEO "/orchard", JULIET, "three");
    const char *got = bytes_text(&t.got);
    const char *one = strstr(got, ": one\n"), *two = strstr(got, ": two\n"), *three = strstr(got, ": three\n");
    assert_true(one && two && three && one < two && two < three);
    assert_non_null(strstr(got, REPLY(ROMEO " can write to you now. Here are the messages that waited.")));
    expect_text(&world.left, ""); /* the asker learns by being answered */
    log_off(&t);
}

/* What comes while the store still lets the held messages in waits behind them. */
static void nothing_overtakes_what_was_held(void **state)
{
    (void)state;
    struct terminal t;
    struct reach_answer accept = {.callee = JULIET, .peer = ROMEO, .verb = REACH_ACCEPT};
    log_on(&t, JULIET);
    writes(ROMEO "/orchard", JULIET, "one");
    writes(ROMEO "/orchard", JULIET, "two");
    bytes_clear(&t.got);
    exchange_reach_answer(world.x, &accept);
    writes(ROMEO "/orchard", JULIET, "three");
    expect_text(&t.got, MESSAGE(ROMEO "/orchard", JULIET, "one") MESSAGE(ROMEO "/orchard", JULIET, "two")
                            MESSAGE(ROMEO "/orchard", JULIET, "three"));
    log_off(&t);
}

static void a_link_is_asked_at_once(void **state)
{
    (void)state;
    struct terminal t;
    log_on(&t, JULIET);
    writes(ROMEO "/orchard", JULIET "/balcony", "one");
    expect_text(&t.got, PROMPT(ROMEO, "1", "one"));
    expect_text(&world.left, WAITS(JULIET "/balcony", ROMEO "/orchard")); /* from the JID they wrote to */
    expect_text(&world.devices, "");
    sends(&t, chat(JULIET "/balcony", ROMEO, "<body>who?</body>")); /* writing back accepts */
    expect_text(&t.got, MESSAGE(ROMEO "/orchard", JULIET "/balcony", "one"));
    expect_text(&world.left, MESSAGE(JULIET "/balcony", ROMEO, "who?"));
    writes(ROMEO "/orchard", JULIET "/balcony", "two");
    expect_text(&t.got, MESSAGE(ROMEO "/orchard", JULIET "/balcony", "two"));
    log_off(&t);
}

struct story {
    const char *proves, *callee;
    bool linked;
    const char *line;
};

/* What the asker sees of it all, without the callee's name. */
static struct bytes story_of(const struct story *s)
{
    struct terminal t = {.link = {.resource = NULL}};
    struct bytes out = BYTES_EMPTY;
    void *state = NULL;
    assert_int_equal(world_setup(&state), 0);
    if (s->linked)
        log_on(&t, s->callee);
    writes(ROMEO "/x", s->callee, "one");
    if (s->line)
        says_to_domain(&t, s->line);
    for (int k = 0; k < 3; k++)
        writes(ROMEO "/x", s->callee, "more"); /* held_max is 3: the last is too many */
    advance_s(WEEK_S);
    writes(ROMEO "/x", s->callee, "again"); /* a new request */
    for (const char *at = bytes_text(&world.left); *at; at++) {
        bool name = strncmp(at, s->callee, strlen(s->callee)) == 0;
        if (name)
            at += strlen(s->callee) - 1;
        bytes_append_text(&out, name ? "CALLEE" : (char[]){*at, '\0'});
    }
    log_off(&t);
    assert_int_equal(world_teardown(&state), 0);
    return out;
}

/* Unanswered, declined silently, linked, and no such account are one to the
 * asker: notice, number of messages, and errors at the end. */
static void the_asker_cannot_tell(void **state)
{
    (void)state;
    static const struct story rows[] = {
        {"nobody answers", JULIET, false, NULL},
        {"no such account", NOBODY, false, NULL},
        {"linked, does not answer", NURSE, true, NULL},
        {"declines silently", NURSE, true, "decline"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes story = story_of(&rows[i]);
        if (strcmp(bytes_text(&story),
                   "chat CALLEE > " ROMEO "/x contact waiting: [Your message waits until the recipient accepts it.]\n"
                   "error CALLEE > " ROMEO "/x error resource-constraint: more\n"
                   "error CALLEE > " ROMEO "/x error recipient-unavailable: one\n"
                   "error CALLEE > " ROMEO "/x error recipient-unavailable: more\n"
                   "error CALLEE > " ROMEO "/x error recipient-unavailable: more\n"
                   "chat CALLEE > " ROMEO "/x contact waiting: [Your message waits until the recipient accepts it.]\n") != 0)
            fail_msg("%s:\n%s", rows[i].proves, bytes_text(&story));
        bytes_fini(&story);
    }
}

static void a_restart_loses_nothing(void **state)
{
    (void)state;
    struct terminal t;
    writes(ROMEO "/orchard", JULIET, "one");
    bytes_clear(&world.left);
    world_restart();
    writes(ROMEO "/orchard", JULIET, "two");
    expect_text(&world.left, ""); /* the notice was before the restart */
    log_on(&t, JULIET);
    expect_text(&t.got, PROMPT(ROMEO, "1", "one"));
    log_off(&t);
    world_restart();
    log_on(&t, JULIET);
    says_to_domain(&t, "accept romeo@montague.example");
    assert_non_null(strstr(bytes_text(&t.got), ": one\n"));
    assert_non_null(strstr(bytes_text(&t.got), ": two\n"));
    log_off(&t);
    world_restart(); /* consent outlives the process */
    log_on(&t, JULIET);
    writes(ROMEO "/orchard", JULIET, "three");
    assert_non_null(strstr(bytes_text(&t.got), ": three\n"));
    log_off(&t);
}

static void a_request_expires_while_nobody_is_in_memory(void **state)
{
    (void)state;
    writes(ROMEO "/orchard", JULIET, "one");
    writes(ROMEO "/orchard", NOBODY, "two");
    bytes_clear(&world.left);
    world_restart();
    advance_s(WEEK_S + 60);
    const char *left = bytes_text(&world.left);
    assert_non_null(strstr(left, "error " JULIET " > " ROMEO "/orchard error recipient-unavailable: one\n"));
    assert_non_null(strstr(left, "error " NOBODY " > " ROMEO "/orchard error recipient-unavailable: two\n"));
    bytes_clear(&world.left);
    advance_s(WEEK_S);
    expect_text(&world.left, ""); /* once */
}

static void on_kept(struct store_job *job, const struct error *e)
{
    (void)job;
    assert_int_equal(e->code, ERROR_NONE);
}

/* A crash after the decision, before the errors: they follow at the next start, once. */
static void what_was_to_go_back_goes_back(void **state)
{
    (void)state;
    struct keep k = {.job = {.reply_on = world.loop, .done = on_kept},
                     .stanza = chat(ROMEO "/orchard", JULIET, "<body>one</body>"),
                     .queue = {"b:recipient-unavailable " JULIET " " ROMEO}};
    journal_keep(world.store, &k);
    settle_all();
    stanza_unref(&k.stanza);
    world_restart();
    expect_text(&world.left, "error " JULIET " > " ROMEO "/orchard error recipient-unavailable: one\n");
    world_restart();
    expect_text(&world.left, "");
}

/* XEP-0334: what was held reaches the archive by acceptance only, and not against its hint. */
static void what_is_archived(void **state)
{
    (void)state;
    struct archive_page page = {.job = {.reply_on = world.loop, .done = on_kept}, .owner = JULIET, .max = 10};
    writes(ROMEO "/orchard", JULIET, "one");
    comes("<message xmlns='jabber:client' from='" ROMEO "/orchard' to='" JULIET "' type='chat'>"
          "<body>whisper</body><no-store xmlns='urn:xmpp:hints'/></message>");
    struct reach_answer accept = {.callee = JULIET, .peer = ROMEO, .verb = REACH_ACCEPT};
    page.with = ROMEO;
    for (int accepted = 0; accepted < 2; accepted++) {
        arena_init(&page.arena);
        archive_query(world.store, &page);
        settle_all();
        assert_int_equal(page.count, accepted);
        if (accepted)
            assert_non_null(strstr(page.rows[0].xml.data, ">one<"));
        arena_fini(&page.arena);
        exchange_reach_answer(world.x, &accept);
        settle_all();
    }
    struct terminal t;
    log_on(&t, JULIET);
    assert_non_null(strstr(bytes_text(&t.got), ": whisper\n"));
    log_off(&t);
}

static void declined_openly_and_blocked(void **state)
{
    (void)state;
    struct terminal t;
    log_on(&t, JULIET);
    writes(ROMEO "/orchard", JULIET, "one");
    writes("tybalt@montague.example/x", JULIET, "two");
    bytes_clear(&world.left);
    bytes_clear(&t.got);
    says_to_domain(&t, "Decline 1 openly");
    expect_text(&world.left, "error " JULIET " > " ROMEO "/orchard error forbidden: one\n");
    expect_text(&t.got, REPLY("Declined. " ROMEO " is told so."));
    writes(ROMEO "/orchard", JULIET, "please");
    expect_text(&world.left, "error " JULIET " > " ROMEO "/orchard error forbidden: please\n");
    says_to_domain(&t, "block 2");
    expect_text(&world.left, "error " JULIET " > tybalt@montague.example/x error service-unavailable: two\n");
    expect_text(&t.got, REPLY("tybalt@montague.example is blocked. \"forget tybalt@montague.example\" undoes it."));
    writes("tybalt@montague.example/x", JULIET, "three");
    expect_text(&world.left, "error " JULIET " > tybalt@montague.example/x error service-unavailable: three\n");
    says_to_domain(&t, "requests");
    expect_text(&t.got, REPLY("Nobody is waiting for your answer.\nDeclined:\n1  " ROMEO
                              "\nBlocked:\n2  tybalt@montague.example"));
    says_to_domain(&t, "forget 2");
    bytes_clear(&t.got);
    writes("tybalt@montague.example/x", JULIET, "four");
    expect_text(&world.left, WAITS(JULIET, "tybalt@montague.example/x"));
    log_off(&t);
}

/* What makes a request, and what does not. */
static void what_makes_a_request(void **state)
{
    (void)state;
#define FROM_STRANGER(n, type, children)                                                           \
    "<message xmlns='jabber:client' from='s" n "@montague.example/x' to='" JULIET "' type='" type "'>" children "</message>"
    static const struct {
        const char *proves, *xml, *answer; /* NULL: the notice; "": nothing */
    } rows[] = {
        {"a body", FROM_STRANGER("0", "chat", "<body>hi</body>"), NULL},
        {"normal", FROM_STRANGER("1", "normal", "<body>hi</body>"), NULL},
        {"encrypted", FROM_STRANGER("2", "chat", "<encryption xmlns='urn:xmpp:eme:0' namespace='x'/>"), NULL},
        {"invitation, direct", FROM_STRANGER("3", "normal", "<x xmlns='jabber:x:conference' jid='r@c.example'/>"), NULL},
        {"invitation, mediated",
         FROM_STRANGER("4", "normal", "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='a@b.example'/></x>"), NULL},
        {"state", FROM_STRANGER("5", "chat", "<composing xmlns='http://jabber.org/protocol/chatstates'/>"), ""},
        {"marker", FROM_STRANGER("6", "chat", "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>"), ""},
        {"receipt", FROM_STRANGER("7", "chat", "<received xmlns='urn:xmpp:receipts' id='1'/>"), ""},
        {"headline", FROM_STRANGER("8", "headline", "<body>buy</body>"), "service-unavailable"},
        {"pubsub event",
         FROM_STRANGER("9", "normal", "<event xmlns='http://jabber.org/protocol/pubsub#event'/>"), "service-unavailable"},
        {"what carries our namespace does not ask",
         FROM_STRANGER("10", "chat", "<body>[waits]</body><contact xmlns='urn:causeway:contact:1' state='waiting'/>"), ""},
        {"what is delayed does not ask",
         FROM_STRANGER("11", "chat", "<body>old</body><delay xmlns='urn:xmpp:delay' stamp='2030-01-01T00:00:00Z'/>"),
         "service-unavailable"},
        {"an error does not ask", FROM_STRANGER("12", "error", "<body>x</body>"), ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        comes(rows[i].xml);
        const char *left = bytes_text(&world.left);
        bool right = !rows[i].answer     ? strstr(left, "contact waiting") != NULL
                     : *rows[i].answer ? strstr(left, rows[i].answer) != NULL
                                       : *left == '\0';
        if (!right)
            fail_msg("%s: %s", rows[i].proves, left);
        bytes_clear(&world.left);
        const char *devices = bytes_text(&world.devices);
        if ((rows[i].answer == NULL) != (*devices != '\0'))
            fail_msg("%s: devices: %s", rows[i].proves, devices);
        bytes_clear(&world.devices);
    }
}

struct roster_put_job { const char *contact; int64_t state; };

static bool put_contact(struct store_tx *tx, void *user, struct error *e)
{
    const struct roster_put_job *j = user;
    struct roster_row row = {.contact = j->contact, .state = j->state, .in_roster = 1, .version = 1};
    return roster_put(tx, JULIET, &row, e);
}

static void has_contact(const char *contact, enum subscription_state subscription)
{
    struct roster_put_job j = {contact, subscription};
    struct error e = ERROR_INIT;
    assert_true(store_write_wait(world.store, put_contact, &j, &e));
    exchange_account_changed(world.x, JULIET);
    settle_all();
}

static void told(const char *peer, uint64_t seq, enum reach_progress pr)
{
    exchange_reach_progress(world.x, JULIET, peer, seq, pr, "text message");
    settle_all();
}

/* Every message that waits for Juliet has the newest row; its number is what contact-router reports. */
static bool newest_row(struct store_tx *tx, void *user, struct error *e)
{
    struct store_rows *r = store_query(tx, e, "select max(seq) from session_receipt", "");
    while (r && store_next(r, e))
        *(uint64_t *)user = (uint64_t)store_int(r, 0);
    return e->code == ERROR_NONE;
}

static void what_a_contact_learns_of_devices(void **state)
{
    (void)state;
    static const struct {
        enum subscription_state subscription;
        bool learns;
    } rows[] = {{SUBSCRIPTION_TO, false}, {SUBSCRIPTION_FROM, true}, {SUBSCRIPTION_BOTH, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct terminal t;
        uint64_t seq = 0;
        struct error e = ERROR_INIT;
        has_contact(ROMEO, rows[i].subscription);
        struct stanza *st = chat(ROMEO "/orchard", JULIET, "<body>hi</body><request xmlns='urn:xmpp:receipts'/>");
        struct bytes receipt = BYTES_EMPTY;
        bytes_printf(&receipt, "chat " JULIET " > " ROMEO "/orchard received %s\n", st->id);
        exchange_receive_remote(world.x, st, NULL);
        stanza_unref(&st);
        settle_all();
        expect_text(&world.devices, "message " JULIET " from " ROMEO " (r1): hi\n");
        assert_true(store_write_wait(world.store, newest_row, &seq, &e));
        told(ROMEO, seq, REACH_SENT);
        expect_text(&world.left, rows[i].learns ? TOLD : "");
        told(ROMEO, seq, REACH_DELIVERED);
        expect_text(&world.left, rows[i].learns ? bytes_text(&receipt) : "");
        told(ROMEO, seq, REACH_READ);
        expect_text(&world.left, ""); /* one receipt a message */
        bytes_fini(&receipt);
        log_on(&t, JULIET);
        assert_non_null(strstr(bytes_text(&t.got), ": hi\n")); /* told by a device is not delivered */
        log_off(&t);
        bytes_clear(&world.devices);
    }
}

/* Nobody was told, and why: to who may know that there are devices, each time; to nobody else. */
static void what_a_contact_learns_of_failures(void **state)
{
    (void)state;
    static const struct {
        enum reach_progress pr;
        const char *notice;
    } rows[] = {
        {REACH_EXHAUSTED, NULL}, /* she has no devices: it waits, as with any server */
        {REACH_OVER_LIMIT, "No device was told of this message: for now there were enough."},
        {REACH_OVER_BUDGET, "No device was told of this message: the budget for that is spent."},
        {REACH_FAILED, "No device could be reached with this message."},
        {REACH_FAILED, "No device could be reached with this message."}, /* of the next */
    };
    for (int may = 0; may < 2; may++) {
        has_contact(ROMEO, may ? SUBSCRIPTION_FROM : SUBSCRIPTION_TO);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            char want[256] = "";
            writes(ROMEO "/orchard", JULIET, "hi");
            told(ROMEO, 1, REACH_SENT); /* it looked well */
            bytes_clear(&world.left);
            told(ROMEO, 1, rows[i].pr);
            if (may && rows[i].notice)
                snprintf(want, sizeof want, "chat " JULIET " > " ROMEO " contact untold: [%s It can be read after the next log-on.]\n",
                         rows[i].notice);
            expect_text(&world.left, want);
        }
    }
}

static void a_person_may_forbid_it(void **state)
{
    (void)state;
    struct terminal t;
    has_contact(ROMEO, SUBSCRIPTION_BOTH);
    log_on(&t, JULIET);
    says_to_domain(&t, "tell off");
    expect_text(&t.got, REPLY("Nobody learns that a device was told."));
    log_off(&t);
    writes(ROMEO "/orchard", JULIET, "hi");
    bytes_clear(&world.left);
    told(ROMEO, 1, REACH_SENT);
    told(ROMEO, 1, REACH_DELIVERED);
    expect_text(&world.left, "");
}

static void strangers_learn_nothing_of_devices(void **state)
{
    (void)state;
    writes(ROMEO "/orchard", JULIET, "hi");
    bytes_clear(&world.left);
    told(ROMEO, 1, REACH_SENT);
    told(ROMEO, 1, REACH_DELIVERED);
    expect_text(&world.left, "");
}

static enum error_code answered;

static void on_answered(void *user, const struct error *e)
{
    (void)user;
    answered = e->code;
}

static enum error_code answers(const char *peer, enum reach_verb verb, const char *text)
{
    struct reach_answer a = {.callee = JULIET, .peer = peer, .verb = verb, .text = text, .via = "sms",
                             .dedup = "SM1", .done = on_answered};
    answered = ERROR_CANCELLED;
    exchange_reach_answer(world.x, &a);
    settle_all();
    return answered;
}

/* Hibernating counts as none after 60 s. */
static void a_link_that_hibernates(void **state)
{
    (void)state;
    struct terminal t;
    has_contact(ROMEO, SUBSCRIPTION_BOTH);
    log_on(&t, JULIET);
    t.silent = true;
    exchange_link_state(t.link.resource, LINK_HIBERNATING);
    writes(ROMEO "/orchard", JULIET, "one");
    clock_fake_advance(&world.clock, 50000);
    settle_all();
    exchange_link_state(t.link.resource, LINK_ACTIVE); /* a short cut */
    clock_fake_advance(&world.clock, 50000);
    settle_all();
    expect_text(&world.devices, "");
    exchange_link_state(t.link.resource, LINK_HIBERNATING);
    clock_fake_advance(&world.clock, 62000);
    settle_all();
    expect_text(&world.devices, "message " JULIET " from " ROMEO " (r1): one\n");
    writes(ROMEO "/orchard", JULIET, "two");
    expect_text(&world.devices, "message " JULIET " from " ROMEO " (r1): two\n");
    exchange_link_state(t.link.resource, LINK_ACTIVE);
    settle_all();
    expect_text(&world.devices, "stop " JULIET " all\n");
    log_off(&t);
    expect_text(&world.devices, ""); /* told already: once a message */
}

/* A terminal that takes no messages (RFC 6121 8.5.2.1.1) is nobody who reads them. */
static void a_negative_priority_is_no_link(void **state)
{
    (void)state;
    struct terminal t;
    has_contact(ROMEO, SUBSCRIPTION_BOTH);
    log_on(&t, JULIET);
    sends_xml(&t, "<presence xmlns='jabber:client'><priority>-1</priority></presence>");
    writes(ROMEO "/orchard", JULIET, "one");
    expect_text(&t.got, "");
    expect_text(&world.devices, "message " JULIET " from " ROMEO " (r1): one\n");
    log_off(&t);
}

static void an_answer_from_a_device(void **state)
{
    (void)state;
    struct terminal t;
    has_contact(ROMEO, SUBSCRIPTION_BOTH);
    writes(ROMEO "/orchard", JULIET, "hi");
    assert_int_equal(answers(ROMEO, REACH_SAY, "By and by"), ERROR_NONE);
    expect_text(&world.left, "chat " JULIET " > " ROMEO " contact answer: By and by\n");
    assert_non_null(strstr(bytes_text(&world.devices), "stop " JULIET " " ROMEO "\n"));
    comes("<message xmlns='jabber:client' from='" ROMEO "/orchard' to='" JULIET "' type='chat'>"
          "<body>sealed</body><encryption xmlns='urn:xmpp:eme:0' namespace='x'/></message>");
    assert_non_null(strstr(bytes_text(&world.devices), "(r1): -\n")); /* nothing readable leaves */
    assert_int_equal(answers(ROMEO, REACH_SAY, "Anon"), ERROR_NONE);
    expect_text(&world.left, "chat " JULIET " > " ROMEO " contact answer: [by text message, not encrypted] Anon\n");
    assert_int_equal(answers("tybalt@montague.example", REACH_SAY, "who?"), ERROR_NOT_FOUND);
    assert_int_equal(answers(ROMEO, REACH_ACCEPT, NULL), ERROR_NOT_FOUND); /* nothing waits */
    log_on(&t, JULIET);
    log_off(&t);
}

static void a_request_is_accepted_by_device(void **state)
{
    (void)state;
    writes(ROMEO "/orchard", JULIET, "one");
    writes(ROMEO "/orchard", JULIET, "two");
    bytes_clear(&world.left);
    expect_text(&world.devices, "request " JULIET " from " ROMEO " (r1): one\n");
    assert_int_equal(answers(ROMEO, REACH_ACCEPT, NULL), ERROR_NONE);
    expect_text(&world.devices, "message " JULIET " from " ROMEO " (r1): one\n"
                                "message " JULIET " from " ROMEO " (r1): two\n");
    expect_text(&world.left, "");
    struct terminal t;
    log_on(&t, JULIET);
    assert_non_null(strstr(bytes_text(&t.got), MESSAGE(ROMEO "/orchard", JULIET, "one")
                                               MESSAGE(ROMEO "/orchard", JULIET, "two")));
    log_off(&t);
}

static void approving_a_subscription_is_consent(void **state)
{
    (void)state;
    struct terminal t;
    log_on(&t, JULIET);
    writes(ROMEO "/orchard", JULIET, "one");
    bytes_clear(&t.got);
    comes("<presence xmlns='jabber:client' from='" ROMEO "' to='" JULIET "' type='subscribe'/>");
    expect_text(&t.got, "subscribe " ROMEO " > " JULIET "\n");
    sends_xml(&t, "<presence xmlns='jabber:client' to='" ROMEO "' type='subscribed'/>");
    expect_text(&t.got, MESSAGE(ROMEO "/orchard", JULIET, "one"));
    log_off(&t);
}

/* To whom she has sent an iq may write while the answer is due; directed presence, while it is in force. */
static void an_iq_and_directed_presence(void **state)
{
    (void)state;
    struct terminal t;
    log_on(&t, JULIET);
    sends_xml(&t, "<iq xmlns='jabber:client' to='" ROMEO "/orchard' type='set' id='i'>"
                  "<command xmlns='http://jabber.org/protocol/commands' node='n'/></iq>");
    writes(ROMEO "/orchard", JULIET, "pong");
    expect_text(&t.got, MESSAGE(ROMEO "/orchard", JULIET, "pong"));
    clock_fake_advance(&world.clock, 121000);
    writes(ROMEO "/orchard", JULIET, "later");
    expect_text(&t.got, PROMPT(ROMEO, "1", "later"));
    bytes_clear(&world.left);
    sends_xml(&t, "<presence xmlns='jabber:client' to='hall@rooms.example/juliet'/>");
    writes("hall@rooms.example/nurse", JULIET, "in private");
    expect_text(&t.got, MESSAGE("hall@rooms.example/nurse", JULIET, "in private"));
    sends_xml(&t, "<presence xmlns='jabber:client' to='hall@rooms.example/juliet' type='unavailable'/>");
    writes("hall@rooms.example/nurse", JULIET, "still there?");
    expect_text(&t.got, PROMPT("hall@rooms.example", "2", "still there?"));
    log_off(&t);
}

/* What a client asks by itself of whoever sends a presence lets nobody in. */
static void a_client_that_asks_by_itself(void **state)
{
    (void)state;
    static const char *const asked[] = {
        "<query xmlns='http://jabber.org/protocol/disco#info' node='http://evil.example#ver'/>",
        "<query xmlns='http://jabber.org/protocol/disco#items'/>",
        "<vCard xmlns='vcard-temp'/>",
        "<ping xmlns='urn:xmpp:ping'/>",
        "<query xmlns='jabber:iq:version'/>",
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:avatar:data'/></pubsub>",
    };
    struct terminal t;
    char xml[400];
    log_on(&t, JULIET);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        snprintf(xml, sizeof xml, "<iq xmlns='jabber:client' to='" ROMEO "/orchard' type='get' id='i'>%s</iq>", asked[i]);
        sends_xml(&t, xml);
    }
    bytes_clear(&world.left);
    writes(ROMEO "/orchard", JULIET, "psst");
    expect_text(&t.got, PROMPT(ROMEO, "1", "psst"));
    log_off(&t);
}

/* One domain fills its part of the room for contact requests and shuts out itself alone, of somebody and of
 * nobody alike. */
static void a_domain_that_asks_too_much(void **state)
{
    (void)state;
    static const char *const asked[] = {JULIET, NOBODY};
    char from[64];
    for (size_t k = 0; k < sizeof asked / sizeof *asked; k++) {
        for (int i = 0; i < 21; i++) {
            bytes_clear(&world.left);
            snprintf(from, sizeof from, "u%d@evil.example/x", i);
            writes(from, asked[k], "buy");
            if (!strstr(bytes_text(&world.left), i < 20 ? "contact waiting" : "error resource-constraint: buy"))
                fail_msg("%s, request %d: %s", asked[k], i, bytes_text(&world.left));
        }
        bytes_clear(&world.left);
        writes("u0@evil.example/x", asked[k], "more"); /* a request that is open goes on */
        expect_text(&world.left, "");
        writes(ROMEO "/orchard", asked[k], "ay me");
        assert_non_null(strstr(bytes_text(&world.left), "contact waiting"));
    }
}

/* What people of one domain have waiting is bounded in all, for somebody and for nobody alike; it switches requests
 * off for no other domain. */
static bool fill_up(struct store_tx *tx, void *user, struct error *e)
{
    char callee[40];
    (void)user;
    for (int i = 0; i < 100; i++) {
        snprintf(callee, sizeof callee, "x%d@capulet.example", i);
        struct consent_row row = {.peer = "u@evil.example", .state = CONSENT_ASKED, .number = 1, .held = 20, .told = 1,
                                  .prompted = 1, .nobody = i % 2, .expires_us = INT64_MAX, .asker = "u@evil.example/x",
                                  .asked = callee, .excerpt = "buy"};
        if (!sessions_put_consent(tx, callee, &row, e))
            return false;
    }
    return true;
}

static void a_domain_that_writes_too_much(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    static const char *const asked[] = {JULIET, NOBODY};
    assert_true(store_write_wait(world.store, fill_up, NULL, &e));
    world_restart();
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        bytes_clear(&world.left);
        writes("v@evil.example/x", asked[i], "buy");
        assert_non_null(strstr(bytes_text(&world.left), "error resource-constraint: buy"));
        bytes_clear(&world.left);
        writes(ROMEO "/orchard", asked[i], "ay me");
        assert_non_null(strstr(bytes_text(&world.left), "contact waiting"));
    }
}

static void a_domain_that_subscribes_too_much(void **state)
{
    (void)state;
    struct terminal t;
    char xml[200];
    for (int i = 0; i < 520; i++) {
        snprintf(xml, sizeof xml,
                 "<presence xmlns='jabber:client' from='u%d@evil.example' to='" JULIET "' type='subscribe'/>", i);
        comes(xml);
    }
    comes("<presence xmlns='jabber:client' from='" ROMEO "' to='" JULIET "' type='subscribe'/>");
    expect_text(&world.left, "");
    log_on(&t, JULIET);
    unsigned others = 0;
    bool romeo = false;
    for (const char *at = bytes_text(&t.got); (at = strstr(at, "subscribe ")); at++) {
        others += strncmp(at, "subscribe u", 11) == 0;
        romeo |= strncmp(at, "subscribe romeo", 15) == 0;
    }
    assert_int_equal(others, 100);
    assert_true(romeo);
    log_off(&t);
}

/* Strangers fill the room for requests: the one who finds it full learns no more than of nobody. */
static void too_many_want_to_see_her(void **state)
{
    (void)state;
    char xml[200];
    for (int i = 0; i < 520; i++) {
        snprintf(xml, sizeof xml,
                 "<presence xmlns='jabber:client' from='u@evil%d.example' to='" JULIET "' type='subscribe'/>", i);
        comes(xml);
    }
    expect_text(&world.left, "");
}

static void policies(void **state)
{
    (void)state;
    struct terminal t;
    log_on(&t, JULIET);
    says_to_domain(&t, "strangers refuse");
    bytes_clear(&t.got);
    writes(ROMEO "/orchard", JULIET, "one");
    expect_text(&world.left, "error " JULIET " > " ROMEO "/orchard error service-unavailable: one\n");
    says_to_domain(&t, "strangers deliver");
    bytes_clear(&t.got);
    writes(ROMEO "/orchard", JULIET, "two");
    expect_text(&t.got, MESSAGE(ROMEO "/orchard", JULIET, "two"));
    expect_text(&world.left, "");
    log_off(&t);
}

static void lines_to_the_domain(void **state)
{
    (void)state;
    struct terminal t;
    log_on(&t, JULIET);
    says_to_domain(&t, "devices");
    expect_text(&t.got, REPLY("You have no devices."));
    says_to_domain(&t, "wherefore art thou");
    expect_text(&t.got, REPLY("I do not understand that. Write \"help\" for what I understand."));
    says_to_domain(&t, "accept 7");
    expect_text(&t.got, REPLY("I know no request by that name. \"requests\" lists what waits."));
    says_to_domain(&t, "requests");
    expect_text(&t.got, REPLY("Nobody is waiting for your answer."));
    says_to_domain(&t, "help");
    assert_non_null(strstr(bytes_text(&t.got), "devices - what reaches you"));
    bytes_clear(&t.got);
    sends_xml(&t, "<message xmlns='jabber:client' to='capulet.example' type='chat'>"
                  "<active xmlns='http://jabber.org/protocol/chatstates'/></message>");
    expect_text(&t.got, "");
    log_off(&t);
    writes(ROMEO "/orchard", "capulet.example", "help"); /* of another community: not answered */
    expect_text(&world.left, "error capulet.example > " ROMEO "/orchard error service-unavailable: help\n");
}

int main(void)
{
#define SESSION_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        SESSION_TEST(a_request_is_held_shown_and_accepted),
        SESSION_TEST(nothing_overtakes_what_was_held),
        SESSION_TEST(a_link_is_asked_at_once),
        cmocka_unit_test(the_asker_cannot_tell),
        SESSION_TEST(a_restart_loses_nothing),
        SESSION_TEST(a_request_expires_while_nobody_is_in_memory),
        SESSION_TEST(what_was_to_go_back_goes_back),
        SESSION_TEST(what_is_archived),
        SESSION_TEST(declined_openly_and_blocked),
        SESSION_TEST(what_makes_a_request),
        SESSION_TEST(what_a_contact_learns_of_devices), SESSION_TEST(what_a_contact_learns_of_failures),
        SESSION_TEST(a_person_may_forbid_it),
        SESSION_TEST(strangers_learn_nothing_of_devices),
        SESSION_TEST(a_link_that_hibernates),
        SESSION_TEST(a_negative_priority_is_no_link),
        SESSION_TEST(an_answer_from_a_device),
        SESSION_TEST(a_request_is_accepted_by_device),
        SESSION_TEST(approving_a_subscription_is_consent),
        SESSION_TEST(an_iq_and_directed_presence),
        SESSION_TEST(a_client_that_asks_by_itself),
        SESSION_TEST(a_domain_that_asks_too_much),
        SESSION_TEST(a_domain_that_writes_too_much),
        SESSION_TEST(a_domain_that_subscribes_too_much),
        SESSION_TEST(too_many_want_to_see_her),
        SESSION_TEST(policies),
        SESSION_TEST(lines_to_the_domain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
