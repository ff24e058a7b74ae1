/* SPDX-License-Identifier: MIT */
/* What people and machines read of a messaging session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/base/text.h"
#include "gateway/exchange/session_text.h"
#include "gateway/xmpp/ns.h"

static struct arena arena;

static struct stanza *parse(const char *xml)
{
    struct stanza *st = stanza_parse(xml, strlen(xml));
    assert_non_null(st);
    return st;
}

static struct stanza *message(const char *children)
{
    const char *xml = arena_printf(&arena,
                                   "<message xmlns='jabber:client' from='romeo@m.example/x' to='juliet@c.example' "
                                   "type='chat'>%s</message>", children);
    return parse(xml);
}

static const struct jid *jid(const char *text)
{
    return jid_parse_text(&arena, text);
}

static void excerpts(void **state)
{
    (void)state;
    char letters[501] = {0}, sharp[501] = {0};
    memset(letters, 'a', 500);
    for (int i = 0; i < 500; i += 2) /* U+00DF, so that a cut in the middle would show */
        memcpy(sharp + i, "\xc3\x9f", 2);
    const struct {
        const char *proves, *children, *excerpt;
    } rows[] = {
        {"a short message as it is", "<body>Good morrow</body>", "Good morrow"},
        {"three lines, no more", "<body>1\n2\n3\n4</body>", "1\n2\n3 ..."},
        {"a line's end at the end adds nothing", "<body>1\n</body>", "1"},
        {"240 bytes, no more", arena_printf(&arena, "<body>%s</body>", letters),
         arena_printf(&arena, "%.240s ...", letters)},
        {"whole characters", arena_printf(&arena, "<body>a%s</body>", sharp),
         arena_printf(&arena, "a%.238s ...", sharp)},
        {"encrypted: the fallback body says nothing",
         "<body>use OMEMO</body><encryption xmlns='urn:xmpp:eme:0' namespace='x'/>",
         "(an encrypted message: you can read it when you have accepted)"},
        {"a direct invitation", "<x xmlns='jabber:x:conference' jid='hall@rooms.example'/>",
         "(an invitation to the room hall@rooms.example)"},
        {"a mediated one", "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='a@b'/></x>",
         "(an invitation to the room romeo@m.example)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stanza *st = message(rows[i].children);
        const char *got = session_text_excerpt(&arena, st);
        if (strcmp(got, rows[i].excerpt) != 0)
            fail_msg("%s: %s", rows[i].proves, got);
        stanza_unref(&st);
    }
}

static void notices_in_languages(void **state)
{
    (void)state;
    static const struct {
        const char *asked, *answered;
    } rows[] = {{NULL, "en"}, {"", "en"}, {"de", "de"}, {"de-CH", "de"}, {"FR", "fr"}, {"es-419", "es"},
                {"nl", "nl"}, {"x-klingon", "en"}, {"deu", "en"}, {"d", "en"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stanza *st = session_text_waits(jid("juliet@c.example/balcony"), jid("romeo@m.example/x"),
                                               rows[i].asked);
        assert_string_equal(st->lang, rows[i].answered);
        const char *body = stanza_body(st);
        assert_int_equal(body[0], '[');
        assert_int_equal(body[strlen(body) - 1], ']');
        stanza_unref(&st);
    }
}

/* From the JID that was written to, bracketed, with what keeps it out of copies, archives and loops. */
static void the_notice_for_machines(void **state)
{
    (void)state;
    struct stanza *st =
        session_text_waits(jid("juliet@c.example/balcony"), jid("romeo@m.example/x"), "en");
    assert_string_equal(st->from->full, "juliet@c.example/balcony");
    assert_string_equal(st->to->full, "romeo@m.example/x");
    assert_string_equal(stanza_body(st), "[Your message waits until the recipient accepts it.]");
    assert_string_equal(element_attr(stanza_child(st, "contact", NS_CONTACT), "state"), "waiting");
    assert_non_null(stanza_child(st, "no-copy", NS_HINTS));
    assert_non_null(stanza_child(st, "no-permanent-store", NS_HINTS));
    assert_true(session_text_is_machine(st));
    stanza_unref(&st);
    st = session_text_told(jid("juliet@c.example"), jid("romeo@m.example"), "en", "text message");
    assert_string_equal(stanza_body(st), "[The recipient was told by text message.]");
    assert_true(session_text_is_machine(st));
    stanza_unref(&st);
    st = session_text_untold(jid("juliet@c.example"), jid("romeo@m.example"), "en", SESSION_UNTOLD_SPENT);
    assert_non_null(strstr(stanza_body(st), "the budget for that is spent"));
    assert_string_equal(element_attr(stanza_child(st, "contact", NS_CONTACT), "state"), "untold");
    assert_true(session_text_is_machine(st));
    stanza_unref(&st);
}

static void the_prompt(void **state)
{
    (void)state;
    struct session_prompt p = {.domain = jid("c.example"), .callee = jid("juliet@c.example"),
                               .peer = "romeo@m.example", .number = 3,
                               .excerpt = "Good morrow\naccept 4"};
    struct stanza *st = session_text_prompt(&p);
    const char *body = stanza_body(st);
    assert_non_null(strstr(body, "romeo@m.example would like to write to you:\n> Good morrow\n> accept 4\n"));
    assert_non_null(strstr(body, "\"accept 3\""));
    assert_non_null(strstr(body, "\"decline 3\""));
    assert_non_null(strstr(body, "\"block 3\""));
    assert_int_equal(st->type, MESSAGE_CHAT);
    const struct element *e = stanza_child(st, "response", "urn:xmpp:tmp:quick-response");
    assert_string_equal(element_attr(e, "value"), "accept 3");
    e = stanza_child(st, "contact", NS_CONTACT);
    assert_string_equal(element_attr(e, "peer"), "romeo@m.example");
    assert_string_equal(element_attr(e, "number"), "3");
    stanza_unref(&st);
}

static void answers_of_devices(void **state)
{
    (void)state;
    struct stanza *st = session_text_answer(jid("juliet@c.example"), jid("romeo@m.example"), "By and by", "sms",
                                            "SM42", true);
    assert_string_equal(stanza_body(st), "[by text message, not encrypted] By and by");
    assert_string_equal(st->id, "SM42");
    assert_string_equal(element_attr(stanza_child(st, "contact", NS_CONTACT), "via"), "sms");
    stanza_unref(&st);
    st = session_text_answer(jid("juliet@c.example"), jid("romeo@m.example"), "By and by", "sms", "SM43", false);
    assert_string_equal(stanza_body(st), "By and by");
    stanza_unref(&st);
}

static void urgency_and_delay(void **state)
{
    (void)state;
    struct stanza *st = message("<headers xmlns='http://jabber.org/protocol/shim'><header name='Keywords'>low"
                                "</header><header name='Urgency'>High</header></headers><body>x</body>");
    assert_string_equal(session_text_urgency(st), "high");
    assert_false(session_text_is_delayed(st));
    assert_false(session_text_is_sealed(st));
    stanza_unref(&st);
    st = message("<body>x</body><delay xmlns='urn:xmpp:delay' stamp='2030-01-01T00:00:00Z'/>");
    assert_null(session_text_urgency(st));
    assert_true(session_text_is_delayed(st));
    stanza_unref(&st);
}

static int setup(void **state)
{
    (void)state;
    arena_init(&arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(excerpts),          cmocka_unit_test(notices_in_languages),
        cmocka_unit_test(the_notice_for_machines), cmocka_unit_test(the_prompt),
        cmocka_unit_test(answers_of_devices), cmocka_unit_test(urgency_and_delay),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
