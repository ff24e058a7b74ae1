/* SPDX-License-Identifier: MIT */
/* contact-router/answer_text.c, mail_text.c, delivery_text.c: what comes back, and what goes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "contact-router/answer_text.h"
#include "contact-router/delivery_text.h"
#include "contact-router/mail_text.h"
#include "contact-router/sms_text.h"

static void test_answers(void **state)
{
    (void)state;
    static const struct { const char *in; enum answer_word word; const char *code, *rest; enum answer_verb verb; unsigned number; } rows[] = {
        { "hello", ANSWER_NONE, NULL, "", ANSWER_SAY, 0 },
        { "r7 hello there", ANSWER_NONE, "r7", "hello there", ANSWER_SAY, 0 },
        { "R7: hello", ANSWER_NONE, "r7", "hello", ANSWER_SAY, 0 },
        { " r7\nhello\n", ANSWER_NONE, "r7", "hello", ANSWER_SAY, 0 },
        { "r7", ANSWER_NONE, "r7", "", ANSWER_SAY, 0 },
        { "r7 Accept", ANSWER_NONE, "r7", "Accept", ANSWER_ACCEPT, 0 },
        { "r7 accept that I am right", ANSWER_NONE, "r7", "accept that I am right", ANSWER_SAY, 0 },
        { "block", ANSWER_NONE, NULL, "", ANSWER_BLOCK, 0 },
        { "r7ex is a word", ANSWER_NONE, NULL, "", ANSWER_SAY, 0 },
        { "rom7 no code", ANSWER_NONE, NULL, "", ANSWER_SAY, 0 },
        { "r123456 too long", ANSWER_NONE, NULL, "", ANSWER_SAY, 0 },
        { "2", ANSWER_NONE, NULL, "", ANSWER_SAY, 2 },
        { "22", ANSWER_NONE, NULL, "", ANSWER_SAY, 0 },
        { "STOP", ANSWER_STOP, NULL, "", ANSWER_SAY, 0 },
        { " stop. ", ANSWER_STOP, NULL, "", ANSWER_SAY, 0 },
        { "Stop All", ANSWER_STOP, NULL, "", ANSWER_SAY, 0 },
        { "please stop", ANSWER_NONE, NULL, "", ANSWER_SAY, 0 },
        { "stop it", ANSWER_NONE, NULL, "", ANSWER_SAY, 0 },
        { "Start", ANSWER_START, NULL, "", ANSWER_SAY, 0 },
        { "help", ANSWER_HELP, NULL, "", ANSWER_SAY, 0 },
        { "", ANSWER_NONE, NULL, "", ANSWER_SAY, 0 },
    };
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct answer_text t;
        answer_text_read(&a, rows[i].in, &t);
        bool code = rows[i].code ? t.code && strcmp(t.code, rows[i].code) == 0 : !t.code;
        if (t.word != rows[i].word || !code || strcmp(t.rest, rows[i].rest) != 0 || t.verb != rows[i].verb ||
            t.number != rows[i].number)
            fail_msg("`%s`: %d `%s` `%s` %d %u", rows[i].in, t.word, t.code ? t.code : "", t.rest, t.verb, t.number);
    }
    arena_fini(&a);
}

static void test_mail(void **state)
{
    (void)state;
    struct mail_text m = { .from_name = "romeo via capulet.example", .from = "notify@capulet.example", .to = "j@example.net",
        .subject = "Hello", .body = "Dear J,\ncaf\xc3\xa9 = good \n.\n", .message_id = "ref@capulet.example",
        .thread = "c.1@capulet.example", .now_us = 1893456000000000 };
    struct bytes out = BYTES_EMPTY;
    struct error e = ERROR_INIT;
    assert_true(mail_text_compose(&m, &out, &e));
    assert_string_equal(out.data,
        "From: \"romeo via capulet.example\"\r\n <notify@capulet.example>\r\nTo: <j@example.net>\r\nSubject: Hello\r\n"
        "Date: Tue, 1 Jan 2030 00:00:00 +0000\r\nMessage-ID: <ref@capulet.example>\r\n"
        "In-Reply-To: <c.1@capulet.example>\r\nReferences: <c.1@capulet.example>\r\n"
        "Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        "Dear J,\r\ncaf=C3=A9 =3D good=20\r\n.\r\n");
    /* A long subject of another script: encoded words, each within a line, none torn. */
    bytes_clear(&out);
    m.subject = "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82, \xd0\xb4\xd0\xbe\xd1\x80\xd0\xbe\xd0\xb3\xd0\xb0\xd1\x8f "
                "\xd0\x94\xd0\xb6\xd1\x83\xd0\xbb\xd1\x8c\xd0\xb5\xd1\x82\xd1\x82\xd0\xb0";
    assert_true(mail_text_compose(&m, &out, &e));
    assert_non_null(strstr(out.data, "Subject: =?UTF-8?B?"));
    assert_non_null(strstr(out.data, "?=\r\n =?UTF-8?B?"));
    for (const char *l = out.data; *l; l = strstr(l, "\r\n") + 2)
        assert_true(strcspn(l, "\r") <= 78);
    bytes_fini(&out);
}

static void test_mail_injection(void **state)
{
    (void)state;
    static const struct { const char *why, *from, *to, *subject, *reply; bool ok; } rows[] = {
        { "a recipient that goes on", "a@b", "c@d>\r\nBcc: x@y", "s", NULL, false },
        { "a sender that closes its bracket", "a@b>", "c@d", "s", NULL, false },
        { "a Reply-To with a line", "a@b", "c@d", "s", "r@b\r\nX: y", false },
        { "no recipient", "a@b", "", "s", NULL, false },
        { "a subject with a line is encoded, not a header", "a@b", "c@d", "s\r\nBcc: x@y", NULL, true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes out = BYTES_EMPTY;
        struct error e = ERROR_INIT;
        struct mail_text m = { .from = rows[i].from, .to = rows[i].to, .subject = rows[i].subject, .body = "x\n",
                               .reply_to = rows[i].reply, .message_id = "r@b" };
        bool ok = mail_text_compose(&m, &out, &e);
        if (ok != rows[i].ok || (ok && strstr(out.data, "\r\nBcc:")))
            fail_msg("%s", rows[i].why);
        bytes_fini(&out);
    }
}

static void test_deliveries(void **state)
{
    (void)state;
    static const char long_text[] = "All the world is a stage. All the world is a stage. All the world is a stage. All the world is a stage. "
        "All the world is a stage. All the world is a stage. All the world is a stage. All the world is a stage. ";
    static const struct { const char *why, *text; enum outbox_purpose purpose; bool full, readable, answerable; int64_t texts;
                          unsigned segments; const char *want; } rows[] = {
        { "whole text", "hi", OUTBOX_PURPOSE_MESSAGE, true, true, true, 1, 4, "r7 romeo@m.example: hi\nAnswer: r7 your text" },
        { "no way back, no hint of one", "hi", OUTBOX_PURPOSE_MESSAGE, true, true, false, 1, 4, "r7 romeo@m.example: hi" },
        { "a notice keeps the text back", "hi", OUTBOX_PURPOSE_MESSAGE, false, true, false, 2, 4,
          "r7 romeo@m.example wrote to you (2 messages). Log in to c.example to read" },
        { "encrypted", "", OUTBOX_PURPOSE_MESSAGE, true, false, false, 1, 4,
          "r7 romeo@m.example wrote to you (encrypted). Log in to c.example to read" },
        { "cut, the way back stays", long_text, OUTBOX_PURPOSE_MESSAGE, true, true, true, 1, 1, NULL },
        { "the answer to a text", "To whom?", OUTBOX_PURPOSE_REPLY, false, true, true, 1, 4, "To whom?" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct outbox_row row = { .account = "j@c.example", .address = "+44", .community = "c.example", .purpose = rows[i].purpose,
            .peer = "romeo@m.example", .code = "r7", .texts = rows[i].texts, .readable = rows[i].readable, .text = rows[i].text };
        struct bytes out = BYTES_EMPTY;
        struct delivery_text t = { &row, rows[i].full, rows[i].answerable, rows[i].segments, 0 };
        delivery_text_sms(&t, &out);
        if (rows[i].want && strcmp(out.data, rows[i].want) != 0)
            fail_msg("%s: %s", rows[i].why, out.data);
        if (!rows[i].want) {
            assert_int_equal(sms_text_measure(out.data, out.len).segments, rows[i].segments);
            assert_non_null(strstr(out.data, "... (more when you log in)\nAnswer: r7 your text"));
        }
        bytes_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_mail),
        cmocka_unit_test(test_mail_injection),
        cmocka_unit_test(test_deliveries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
