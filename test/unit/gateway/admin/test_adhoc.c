/* SPDX-License-Identifier: MIT */
/* The engine of ad-hoc commands: who may run what, stages, sessions and their bounds, and the name of each
 * thing that can be wrong with a request or a form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/admin/adhoc.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"
#include "test/world/world.h"

#define ROMEO "romeo@a.example/orchard"
#define BENVOLIO "benvolio@a.example/street"
#define ESCALUS "escalus@a.example/palace"

/* ---- commands to try ---- */

static struct adhoc_call *held; /* of "later" */

static void run_later(struct adhoc_call *c)
{
    held = c;
}

static void run_now(struct adhoc_call *c)
{
    adhoc_note(c, "done for %s", adhoc_asker(c)->bare);
    adhoc_finish(c);
}

static const struct listing_column columns[] = {{"what", "What"}, {"said", "Said"}, {NULL, NULL}};

static void run_tale(struct adhoc_call *c)
{
    unsigned n;
    const char *const *guests = adhoc_values(c, "guests", &n);
    if (text_eq(adhoc_text(c, "name"), "tybalt")) {
        adhoc_reject(c, "name: not him");
        return;
    }
    adhoc_columns(c, columns);
    adhoc_row(c, (const char *[]){"name", adhoc_text(c, "name")});
    adhoc_row(c, (const char *[]){"age", adhoc_text(c, "age")});
    adhoc_row(c, (const char *[]){"drink", adhoc_text(c, "drink")});
    for (unsigned i = 0; i < n; i++)
        adhoc_row(c, (const char *[]){"guest", guests[i]});
    adhoc_finish(c);
}

static void show_drinks(struct adhoc_call *c)
{
    adhoc_offer(c, "drink", "Wine", "wine");
    if (adhoc_number(c, "age", 0) < 100)
        adhoc_offer(c, "drink", "Poison", "poison");
    adhoc_preset(c, "drink", "wine");
    adhoc_ask(c);
}

static const struct adhoc_field who_fields[] = {
    {.type = FORM_FIXED, .var = "say", .value = "Who are you?"},
    {.type = FORM_TEXT_SINGLE, .var = "name", .label = "Name", .required = true, .max_bytes = 10},
    {.type = FORM_TEXT_SINGLE, .var = "age", .datatype = "xs:integer", .min = 1, .max = 150},
    {.type = FORM_TEXT_SINGLE, .var = "born", .datatype = "xs:dateTime"},
    {.type = FORM_BOOLEAN, .var = "masked"},
    {.type = FORM_JID_MULTI, .var = "guests"},
    {.type = FORM_TEXT_PRIVATE, .var = "secret"},
    {0},
};
static const struct adhoc_field drink_fields[] = {
    {.type = FORM_LIST_SINGLE, .var = "drink", .required = true},
    {0},
};
static const struct adhoc_stage tale[] = {
    {.title = "Who", .instructions = "Tell me.", .fields = who_fields},
    {.title = "Drink", .fields = drink_fields, .show = show_drinks},
};
static const struct adhoc_command list[] = {
    {.node = "now", .name = "At once", .who = ADHOC_PERSON, .run = run_now},
    {.node = "tale", .name = "A tale", .who = ADHOC_PERSON, .form_type = "urn:tale", .stages = tale, .stage_count = 2, .run = run_tale},
    {.node = "later", .name = "Later", .who = ADHOC_PERSON, .run = run_later},
    {.node = "rule", .name = "Rule", .who = ADHOC_ADMIN, .run = run_now},
    {0},
};
static const struct adhoc_command *const lists[] = {list, NULL};

/* ---- a world with them ---- */

struct scene {
    struct world *w;
    struct peer *romeo, *benvolio, *escalus, *far;
};

static int set_up(void **state)
{
    static const struct world_gateway gateways[] = {{.domain = "a.example", .commands = lists}, {.domain = "b.example"}};
    struct scene *s = mem_new(struct scene);
    s->w = world_create(gateways, 2);
    world_account(s->w, "romeo@a.example");
    world_account(s->w, "benvolio@a.example");
    world_admin(s->w, "escalus@a.example");
    world_admin(s->w, "paris@b.example");
    s->romeo = world_bind(s->w, ROMEO);
    s->benvolio = world_bind(s->w, BENVOLIO);
    s->escalus = world_bind(s->w, ESCALUS);
    s->far = world_bind(s->w, "paris@b.example/tomb");
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    world_destroy(&s->w);
    mem_free(s);
    return 0;
}

/* What comes back for an iq with that payload. */
static struct stanza *ask(struct scene *s, struct peer *p, const char *type, const char *to, const char *payload)
{
    char xml[70000];
    snprintf(xml, sizeof xml, "<iq type='%s' id='x'%s%s%s>%s</iq>", type, to ? " to='" : "", to ? to : "", to ? "'" : "", payload);
    assert_true(peer_send(p, xml));
    world_settle(s->w);
    struct stanza *answer = peer_next(p);
    assert_non_null(answer);
    return answer;
}

/* "condition/specific: text", "" for a result. Static. */
static const char *error_of(const struct stanza *st)
{
    static char text[512];
    const struct element *error = stanza_child(st, "error", NULL);
    text[0] = '\0';
    if (!error)
        return text;
    const struct element *specific = NULL, *said = element_child(error, "text", NS_STANZA_ERRORS);
    for (const struct element *e = error->first_child; e; e = e->next)
        if (text_eq(e->ns, NS_COMMANDS))
            specific = e;
    snprintf(text, sizeof text, "%s%s%s%s%s", error->first_child->name, specific ? "/" : "", specific ? specific->name : "",
             said ? ": " : "", said ? said->text : "");
    return text;
}

static const char *status_of(const struct stanza *st)
{
    const char *status = element_attr(stanza_child(st, "command", NS_COMMANDS), "status");
    return status ? status : "";
}

/* Begins a command; the session's id goes into `id`. */
static struct stanza *begin(struct scene *s, struct peer *p, const char *node, char id[128])
{
    char payload[256];
    snprintf(payload, sizeof payload, "<command xmlns='" NS_COMMANDS "' node='%s' action='execute'/>", node);
    struct stanza *st = ask(s, p, "set", "a.example", payload);
    const char *got = element_attr(stanza_child(st, "command", NS_COMMANDS), "sessionid");
    snprintf(id, 128, "%s", got ? got : "");
    return st;
}

static struct stanza *step(struct scene *s, struct peer *p, const char *node, const char *id, const char *action, const char *form)
{
    char payload[66000];
    snprintf(payload, sizeof payload, "<command xmlns='" NS_COMMANDS "' node='%s' sessionid='%s'%s%s%s>%s</command>", node, id,
             action ? " action='" : "", action ? action : "", action ? "'" : "", form);
    return ask(s, p, "set", "a.example", payload);
}

#define FORM(fields) "<x xmlns='jabber:x:data' type='submit'>" fields "</x>"
#define FIELD(var, value) "<field var='" var "'><value>" value "</value></field>"

/* ---- who may see and run what ---- */

static void test_items(void **state)
{
    struct scene *s = *state;
    static const struct {
        const char *what;
        int who; /* 0 romeo, 1 escalus, 2 paris of b.example */
        const char *to;
        unsigned items;
    } rows[] = {
        {"a person sees what people may run, at the domain", 0, "a.example", 3},
        {"and at their own account, where admins' commands are not", 0, NULL, 3},
        {"an admin sees all at the domain", 1, "a.example", 4},
        {"but not at their account", 1, NULL, 3},
        {"an admin of another community sees nothing here", 2, "a.example", 0},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct peer *p = rows[i].who == 0 ? s->romeo : rows[i].who == 1 ? s->escalus : s->far;
        struct stanza *st = ask(s, p, "get", rows[i].to, "<query xmlns='" NS_DISCO_ITEMS "' node='" NS_COMMANDS "'/>");
        unsigned n = 0;
        for (const struct element *e = stanza_first(st)->first_child; e; e = e->next)
            n++;
        if (n != rows[i].items || st->type != IQ_RESULT)
            fail_msg("%s: %u items", rows[i].what, n);
    }
}

static void test_who_may(void **state)
{
    struct scene *s = *state;
    static const struct {
        const char *what;
        int who;
        const char *to, *node, *error;
    } rows[] = {
        {"a person runs what people may", 0, "a.example", "now", ""},
        {"at their own account too", 0, "romeo@a.example", "now", ""},
        {"not an admin's command", 0, "a.example", "rule", "forbidden: this command is not for you"},
        {"an admin runs it at the domain", 1, "a.example", "rule", ""},
        {"not at their account", 1, "escalus@a.example", "rule", "forbidden: this command is not for you"},
        {"an admin of elsewhere does not", 2, "a.example", "rule", "forbidden: this command is not for you"},
        {"nor anything that is for our people", 2, "a.example", "now", "forbidden: this command is not for you"},
        {"what does not exist", 0, "a.example", "never", "item-not-found: there is no such command"},
        {"nor without a node", 0, "a.example", NULL, "item-not-found: there is no such command"},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct peer *p = rows[i].who == 0 ? s->romeo : rows[i].who == 1 ? s->escalus : s->far;
        char payload[256];
        snprintf(payload, sizeof payload, "<command xmlns='" NS_COMMANDS "'%s%s%s/>", rows[i].node ? " node='" : "",
                 rows[i].node ? rows[i].node : "", rows[i].node ? "'" : "");
        const char *got = error_of(ask(s, p, "set", rows[i].to, payload));
        if (!text_eq(got, rows[i].error))
            fail_msg("%s: %s", rows[i].what, got);
    }
    assert_int_equal(adhoc_session_count(world_adhoc(s->w, "a.example")), 0);
}

static void test_info(void **state)
{
    struct scene *s = *state;
    struct stanza *st = ask(s, s->romeo, "get", "a.example", "<query xmlns='" NS_DISCO_INFO "' node='tale'/>");
    const struct element *identity = element_child(stanza_first(st), "identity", NS_DISCO_INFO);
    assert_string_equal(element_attr(identity, "category"), "automation");
    assert_string_equal(element_attr(identity, "type"), "command-node");
    assert_string_equal(element_attr(identity, "name"), "A tale");
    st = ask(s, s->romeo, "get", "a.example", "<query xmlns='" NS_DISCO_INFO "' node='rule'/>");
    assert_true(text_starts_with(error_of(st), "forbidden"));
    st = ask(s, s->romeo, "get", "a.example", "<query xmlns='" NS_DISCO_INFO "' node='never'/>");
    assert_true(text_starts_with(error_of(st), "item-not-found"));
}

/* One who is no admin any more cannot go on, or begin. */
static void test_revoked(void **state)
{
    struct scene *s = *state;
    char id[128];
    assert_string_equal(status_of(begin(s, s->escalus, "rule", id)), "completed");
    world_account(s->w, "escalus@a.example");
    assert_true(text_starts_with(error_of(begin(s, s->escalus, "rule", id)), "forbidden"));
}

/* ---- stages ---- */

static void test_stages(void **state)
{
    struct scene *s = *state;
    char id[128];
    struct stanza *st = begin(s, s->romeo, "tale", id);
    const struct element *c = stanza_child(st, "command", NS_COMMANDS), *actions = element_child(c, "actions", NS_COMMANDS);
    assert_string_equal(status_of(st), "executing");
    assert_string_equal(element_attr(actions, "execute"), "next");
    assert_null(element_child(actions, "prev", NS_COMMANDS));
    const struct element *x = element_child(c, "x", NS_DATA), *range = NULL;
    for (const struct element *f = element_child(x, "field", NS_DATA); f; f = element_next(f, "field", NS_DATA))
        if (text_eq(element_attr(f, "var"), "age"))
            range = element_child(element_child(f, "validate", NS_VALIDATE), "range", NS_VALIDATE);
    assert_string_equal(element_attr(range, "max"), "150");

    st = step(s, s->romeo, "tale", id, "next", FORM(FIELD("name", "Romeo") FIELD("age", "16") FIELD("guests", "Benvolio@A.example")));
    assert_string_equal(status_of(st), "executing");
    actions = element_child(stanza_child(st, "command", NS_COMMANDS), "actions", NS_COMMANDS);
    assert_string_equal(element_attr(actions, "execute"), "complete");
    assert_non_null(element_child(actions, "prev", NS_COMMANDS));

    /* Back: what was said stands there; forth again, older, so there is no poison any more. */
    st = step(s, s->romeo, "tale", id, "prev", "");
    x = element_child(stanza_child(st, "command", NS_COMMANDS), "x", NS_DATA);
    const struct element *name = element_next(element_child(x, "field", NS_DATA), "field", NS_DATA);
    name = text_eq(element_attr(name, "var"), "name") ? name : element_next(name, "field", NS_DATA);
    assert_string_equal(element_child(name, "value", NS_DATA)->text, "Romeo");
    step(s, s->romeo, "tale", id, NULL, FORM(FIELD("name", "Romeo") FIELD("age", "101") FIELD("guests", "Benvolio@A.example")));
    assert_string_equal(error_of(step(s, s->romeo, "tale", id, "complete", FORM(FIELD("drink", "poison")))),
                        "bad-request/bad-payload: drink: 'poison' is not one of the choices");
    st = step(s, s->romeo, "tale", id, "complete", FORM(FIELD("drink", "wine")));
    assert_string_equal(status_of(st), "completed");
    struct bytes xml = BYTES_EMPTY;
    stanza_write(&xml, st, NULL);
    assert_non_null(strstr(bytes_text(&xml), "<value>benvolio@a.example</value>")); /* prepared */
    assert_non_null(strstr(bytes_text(&xml), "<value>101</value>"));
    bytes_fini(&xml);
    assert_int_equal(adhoc_session_count(world_adhoc(s->w, "a.example")), 0);
    assert_string_equal(error_of(step(s, s->romeo, "tale", id, "complete", FORM(FIELD("drink", "wine")))),
                        "not-allowed/session-expired: this session is over; begin again");
}

/* A command may say itself that a value will not do; then the step can be made again. */
static void test_reject(void **state)
{
    struct scene *s = *state;
    char id[128];
    begin(s, s->romeo, "tale", id);
    step(s, s->romeo, "tale", id, NULL, FORM(FIELD("name", "tybalt")));
    assert_string_equal(error_of(step(s, s->romeo, "tale", id, NULL, FORM(FIELD("drink", "wine")))),
                        "bad-request/bad-payload: name: not him");
    step(s, s->romeo, "tale", id, "prev", "");
    step(s, s->romeo, "tale", id, NULL, FORM(FIELD("name", "Romeo")));
    assert_string_equal(status_of(step(s, s->romeo, "tale", id, NULL, FORM(FIELD("drink", "wine")))), "completed");
}

static void test_bad_actions(void **state)
{
    struct scene *s = *state;
    char id[128];
    static const struct {
        const char *action, *error;
    } first[] = {
        {"prev", "bad-request/bad-action: this is the first step"},
        {"complete", "bad-request/bad-action: this is not the last step"},
        {"dance", "bad-request/malformed-action: there is no such action"},
        {"", "bad-request/malformed-action: there is no such action"},
    };
    begin(s, s->romeo, "tale", id);
    for (unsigned i = 0; i < sizeof first / sizeof *first; i++)
        assert_string_equal(error_of(step(s, s->romeo, "tale", id, first[i].action, "")), first[i].error);
    step(s, s->romeo, "tale", id, "execute", FORM(FIELD("name", "Romeo")));
    assert_string_equal(error_of(step(s, s->romeo, "tale", id, "next", FORM(FIELD("drink", "wine")))),
                        "bad-request/bad-action: this is the last step");
    assert_string_equal(status_of(step(s, s->romeo, "tale", id, "cancel", "")), "canceled");
    assert_string_equal(error_of(ask(s, s->romeo, "set", "a.example", "<command xmlns='" NS_COMMANDS "' node='tale' action='next'/>")),
                        "bad-request/bad-action: a command begins with execute");
    assert_string_equal(error_of(ask(s, s->romeo, "set", "a.example", "<command xmlns='" NS_COMMANDS "' node='tale'>" FORM("") "</command>")),
                        "bad-request/bad-payload: the form comes with the second step");
    /* A form of type cancel cancels (XEP-0004 section 3.1). */
    begin(s, s->romeo, "tale", id);
    assert_string_equal(status_of(step(s, s->romeo, "tale", id, NULL, "<x xmlns='jabber:x:data' type='cancel'/>")), "canceled");
}

/* ---- sessions ---- */

static void test_sessions(void **state)
{
    struct scene *s = *state;
    char id[128], other[128], wrong[128];
    begin(s, s->romeo, "tale", id);
    begin(s, s->benvolio, "tale", other);
    static const char bad[] = "bad-request/bad-sessionid: there is no such session of yours";
    assert_string_equal(error_of(step(s, s->romeo, "tale", "x", "next", "")), bad);
    assert_string_equal(error_of(step(s, s->romeo, "tale", "", "next", "")), bad);
    assert_string_equal(error_of(step(s, s->romeo, "tale", other, "next", "")), bad); /* another's */
    assert_string_equal(error_of(step(s, s->romeo, "now", id, "next", "")), bad);     /* another command's */
    snprintf(wrong, sizeof wrong, "%s", id);
    wrong[0] = wrong[0] == 'A' ? 'B' : 'A';
    assert_string_equal(error_of(step(s, s->romeo, "tale", wrong, "next", "")), bad); /* never given out */
    struct peer *second = world_bind(s->w, "romeo@a.example/balcony");
    assert_string_equal(error_of(step(s, second, "tale", id, "next", "")), bad); /* the same person's other client */

    /* Time: each step begins it anew. */
    world_advance(s->w, ADHOC_SESSION_MS - 60000);
    step(s, s->romeo, "tale", id, NULL, FORM(FIELD("name", "Romeo")));
    world_advance(s->w, 120000);
    assert_string_equal(error_of(step(s, s->benvolio, "tale", other, NULL, FORM(FIELD("name", "B")))),
                        "not-allowed/session-expired: this session is over; begin again");
    assert_string_equal(status_of(step(s, s->romeo, "tale", id, NULL, FORM(FIELD("drink", "wine")))), "completed");
    begin(s, s->romeo, "tale", id);
    world_advance(s->w, ADHOC_SESSION_MS * 2);
    assert_int_equal(adhoc_session_count(world_adhoc(s->w, "a.example")), 0);
}

/* One more than a person may have: the oldest goes, nobody else's. */
static void test_too_many(void **state)
{
    struct scene *s = *state;
    char ids[ADHOC_SESSIONS_PER_PERSON + 1][128], other[128];
    begin(s, s->benvolio, "tale", other);
    for (unsigned i = 0; i <= ADHOC_SESSIONS_PER_PERSON; i++)
        begin(s, s->romeo, "tale", ids[i]);
    assert_int_equal(adhoc_session_count(world_adhoc(s->w, "a.example")), ADHOC_SESSIONS_PER_PERSON + 1);
    assert_true(text_starts_with(error_of(step(s, s->romeo, "tale", ids[0], NULL, "")), "not-allowed/session-expired"));
    assert_string_equal(status_of(step(s, s->romeo, "tale", ids[1], NULL, FORM(FIELD("name", "R")))), "executing");
    assert_string_equal(status_of(step(s, s->benvolio, "tale", other, NULL, FORM(FIELD("name", "B")))), "executing");
}

/* Steps without end: the session ends. */
static void test_too_long(void **state)
{
    struct scene *s = *state;
    char id[128];
    begin(s, s->romeo, "tale", id);
    for (unsigned i = 0; i < ADHOC_STEPS_MAX; i++)
        step(s, s->romeo, "tale", id, "next", FORM(""));
    assert_string_equal(error_of(step(s, s->romeo, "tale", id, "next", FORM(""))),
                        "not-allowed/session-expired: too much was said in one session; begin again");
    assert_int_equal(adhoc_session_count(world_adhoc(s->w, "a.example")), 0);
}

/* Nor can a session be made to hold much. */
static void test_too_large(void **state)
{
    struct scene *s = *state;
    struct bytes form = BYTES_EMPTY;
    char id[128];
    begin(s, s->romeo, "tale", id);
    bytes_append_text(&form, "<x xmlns='jabber:x:data' type='submit'>" FIELD("name", "R") "<field var='guests'>");
    for (unsigned i = 0; i < 60; i++) {
        bytes_append_text(&form, "<value>");
        for (unsigned k = 0; k < 1000; k++)
            bytes_append_char(&form, 'g');
        bytes_append_text(&form, "@a.example</value>");
    }
    bytes_append_text(&form, "</field></x>");
    unsigned steps = 0;
    const char *error;
    do
        error = error_of(step(s, s->romeo, "tale", id, steps % 2 ? "prev" : "next", steps % 2 ? "" : bytes_text(&form)));
    while (!*error && ++steps < ADHOC_STEPS_MAX);
    assert_string_equal(error, "not-allowed/session-expired: too much was said in one session; begin again");
    assert_true(steps < 10);
    assert_int_equal(adhoc_session_count(world_adhoc(s->w, "a.example")), 0);
    bytes_fini(&form);
}

/* While a command is at work, its session is left alone, even when the person begins others. */
static void test_busy(void **state)
{
    struct scene *s = *state;
    struct adhoc_call *calls[ADHOC_SESSIONS_PER_PERSON];
    for (unsigned i = 0; i < ADHOC_SESSIONS_PER_PERSON; i++) {
        assert_true(peer_send(s->romeo, "<iq type='set' id='l' to='a.example'><command xmlns='" NS_COMMANDS "' node='later'/></iq>"));
        world_settle(s->w);
        calls[i] = held;
    }
    world_advance(s->w, ADHOC_SESSION_MS * 2);
    char id[128];
    assert_string_equal(error_of(begin(s, s->romeo, "tale", id)),
                        "resource-constraint: too many commands are at work; try again later");
    adhoc_refuse(calls[0], STANZA_CONFLICT, "no %s", "luck");
    world_settle(s->w);
    assert_string_equal(error_of(peer_next(s->romeo)), "conflict: no luck");
    for (unsigned i = 1; i < ADHOC_SESSIONS_PER_PERSON; i++)
        adhoc_finish(calls[i]);
    world_settle(s->w);
    for (unsigned i = 1; i < ADHOC_SESSIONS_PER_PERSON; i++)
        assert_string_equal(status_of(peer_next(s->romeo)), "completed");
}

/* ---- forms ---- */

static void test_forms(void **state)
{
    struct scene *s = *state;
    static const struct {
        const char *what, *form, *error; /* NULL: it is taken */
    } rows[] = {
        {"all that is required", FORM(FIELD("name", "Romeo")), NULL},
        {"with the type of the form", FORM(FIELD("FORM_TYPE", "urn:tale") FIELD("name", "Romeo")), NULL},
        {"an empty value of what need not be given", FORM(FIELD("name", "R") FIELD("age", "")), NULL},
        {"a field without a value", FORM(FIELD("name", "R") "<field var='age'/>"), NULL},
        {"a fixed field that comes back", FORM(FIELD("name", "R") "<field type='fixed'><value>Who?</value></field>"), NULL},
        {"no form", "", "name: this field is required"},
        {"nothing in it", FORM(""), "name: this field is required"},
        {"a required field that is empty", FORM(FIELD("name", "")), "name: this field is required"},
        {"another type", FORM(FIELD("FORM_TYPE", "urn:x") FIELD("name", "R")), "FORM_TYPE: this form is not 'urn:x'"},
        {"a field that the form has not", FORM(FIELD("name", "R") FIELD("sword", "1")), "sword: the form has no such field"},
        {"a field of the other stage", FORM(FIELD("name", "R") FIELD("drink", "wine")), "drink: the form has no such field"},
        {"a field twice", FORM(FIELD("name", "R") FIELD("name", "R")), "name: this field stands twice"},
        {"two values for one", FORM("<field var='name'><value>a</value><value>b</value></field>"), "name: 2 values are too many"},
        {"too long", FORM(FIELD("name", "12345678901")), "name: longer than 10 bytes"},
        {"not a number", FORM(FIELD("name", "R") FIELD("age", "old")), "age: this is not a whole number"},
        {"a number and more", FORM(FIELD("name", "R") FIELD("age", "5x")), "age: this is not a whole number"},
        {"a blank before it", FORM(FIELD("name", "R") FIELD("age", " 5")), "age: this is not a whole number"},
        {"more than a number holds", FORM(FIELD("name", "R") FIELD("age", "99999999999999999999")), "age: this is not a whole number"},
        {"below the range", FORM(FIELD("name", "R") FIELD("age", "0")), "age: from 1 to 150"},
        {"above the range", FORM(FIELD("name", "R") FIELD("age", "151")), "age: from 1 to 150"},
        {"no boolean", FORM(FIELD("name", "R") FIELD("masked", "yes")), "masked: true or false"},
        {"no date", FORM(FIELD("name", "R") FIELD("born", "June")), "born: a date and time like 2030-01-31T08:00:00Z"},
        {"no address", FORM(FIELD("name", "R") FIELD("guests", "a@@b")), "guests: 'a@@b' is not an address"},
        {"not submitted", "<x xmlns='jabber:x:data' type='result'/>", "this is not a submitted form"},
        {"of no type", "<x xmlns='jabber:x:data'/>", "this is not a submitted form"},
        {"a field without a name", FORM("<field><value>1</value></field>"), "this is not a submitted form"},
        {"two forms", FORM(FIELD("name", "R")) FORM(FIELD("name", "R")), "there is more than one form"},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        char id[128], expected[256];
        begin(s, s->romeo, "tale", id);
        snprintf(expected, sizeof expected, "%s%s", rows[i].error ? "bad-request/bad-payload: " : "", rows[i].error ? rows[i].error : "");
        const char *got = error_of(step(s, s->romeo, "tale", id, "next", rows[i].form));
        if (!text_eq(got, expected))
            fail_msg("%s: %s", rows[i].what, got);
        /* Whatever was wrong, the step can be made again. */
        if (rows[i].error)
            assert_string_equal(status_of(step(s, s->romeo, "tale", id, "next", FORM(FIELD("name", "R")))), "executing");
        step(s, s->romeo, "tale", id, "cancel", "");
    }
}

static void test_oversized(void **state)
{
    struct scene *s = *state;
    struct bytes form = BYTES_EMPTY;
    char id[128];
    begin(s, s->romeo, "tale", id);
    bytes_append_text(&form, "<x xmlns='jabber:x:data' type='submit'>");
    for (unsigned i = 0; i < ADHOC_FIELDS_MAX + 1; i++)
        bytes_printf(&form, "<field var='f%u'><value>1</value></field>", i);
    bytes_append_text(&form, "</x>");
    assert_string_equal(error_of(step(s, s->romeo, "tale", id, "next", bytes_text(&form))),
                        "bad-request/bad-payload: the form has 65 fields, more than 64");
    bytes_clear(&form);
    bytes_append_text(&form, "<x xmlns='jabber:x:data' type='submit'>" FIELD("name", "R") "<field var='guests'>");
    for (unsigned i = 0; i < ADHOC_VALUES_MAX + 1; i++)
        bytes_append_text(&form, "<value>g@a.example</value>");
    bytes_append_text(&form, "</field></x>");
    assert_string_equal(error_of(step(s, s->romeo, "tale", id, "next", bytes_text(&form))),
                        "bad-request/bad-payload: guests: 101 values are too many");
    bytes_clear(&form);
    bytes_append_text(&form, "<x xmlns='jabber:x:data' type='submit'>" FIELD("name", "R") "<field var='secret'><value>");
    for (unsigned i = 0; i < 60000; i++)
        bytes_append_char(&form, 's');
    bytes_append_text(&form, "</value></field></x>");
    assert_string_equal(error_of(step(s, s->romeo, "tale", id, "next", bytes_text(&form))),
                        "bad-request/bad-payload: secret: longer than 1023 bytes");
    bytes_fini(&form);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_items, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_may, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_info, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_revoked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reject, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_actions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sessions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_large, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_busy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_forms, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_oversized, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
