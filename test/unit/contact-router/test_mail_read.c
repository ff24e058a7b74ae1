/* SPDX-License-Identifier: MIT */
/* What a mail says: as people's programs write answers, as mail servers write reports, as machines write, and as nobody
 * should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "contact-router/mail_address.h"
#include "contact-router/mail_answer.h"
#include "contact-router/mail_html.h"
#include "contact-router/mail_quote.h"
#include "contact-router/mail_read.h"
#include "gateway/base/text.h"

#define OURS "--- write your answer above this line ---"

static void quotations(void **state)
{
    static const struct {
        const char *in, *out, *proves;
    } table[] = {
        {"Yes.\n", "Yes.", "nothing but an answer"},
        {"\n\nYes.\nAnd no.\n\n\n", "Yes.\nAnd no.", "blank lines around it"},
        {"Yes.\r\n\r\nNo.\r\n", "Yes.\n\nNo.", "CR LF"},
        {"Yes.\n\nOn Tue, 24 Nov 2026 Romeo wrote:\n> " OURS "\n>\n> hello\n", "Yes.", "top-posted; our line is quoted"},
        {"Yes.\n\nOn Tue, 24 Nov 2026 at 09:00, romeo@montague.example via\ncapulet.example <reply+x@capulet.example>\n"
         "wrote:\n> " OURS "\n> hello\n", "Yes.", "what announces it takes three lines"},
        {"Ja.\n\nAm 24.11.2026 um 09:00 schrieb Romeo:\n\n> " OURS "\n", "Ja.", "in another language"},
        {"Oui.\n\nLe 24 nov. 2026, Romeo a \xc3\xa9" "crit\xc2\xa0:\n> hello\n", "Oui.", "and without our line"},
        {"Yes.\n\n-----Original Message-----\nFrom: Romeo\n\nhello\n", "Yes.", "a divider"},
        {"Yes.\n\n________________________________\nFrom: Romeo\n\nhello\n", "Yes.", "a line of underscores"},
        {"Ja.\n\nVon: Romeo <romeo@montague.example>\nGesendet: Dienstag, 24. November 2026 09:00\nAn: Julia\nBetreff: "
         "hallo\n\nhallo\n", "Ja.", "a block of headers"},
        {"Yes.\n-- \nJuliet\nVerona\n", "Yes.", "a signature"},
        {"Note: this is it.\nAlso: that.\n", "Note: this is it.\nAlso: that.", "two lines with colons are no headers"},
        {"I bring:\n\nbread\n", "I bring:\n\nbread", "a colon announces nothing when nothing is quoted"},
        {"> are you there?\nYes.\n> and tomorrow?\nNo.\n", "> are you there?\nYes.\n> and tomorrow?\nNo.",
         "answers between the lines keep what they answer"},
        {"On Tuesday Romeo wrote:\n> " OURS "\n> are you there?\n\nYes, below.\n-- \nJuliet\n", "Yes, below.",
         "bottom-posted"},
        {OURS "\nRomeo wrote to you:\n\nhello\n", "", "nothing was written"},
        {"", "", "nothing at all"},
        {">\n>\n", "", "nothing but a quotation"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct bytes out = BYTES_EMPTY;
        mail_quote_strip(span_of(table[i].in), &out);
        if (!text_eq(bytes_text(&out), table[i].out))
            fail_msg("%s: `%s`", table[i].proves, bytes_text(&out));
        bytes_fini(&out);
    }
}

static void flowed(void **state)
{
    (void)state;
    struct bytes out = BYTES_EMPTY;
    mail_quote_unflow(SPAN("one \ntwo\n three\n-- \nme\n> quoted \n> more\n"), false, &out);
    assert_string_equal(out.data, "one two\nthree\n-- \nme\n> quoted \n> more\n");
    bytes_clear(&out);
    mail_quote_unflow(SPAN("long \nword\n"), true, &out);
    assert_string_equal(out.data, "longword\n");
    bytes_fini(&out);
}

static void html(void **state)
{
    static const struct {
        const char *in, *out;
    } table[] = {
        {"<p>Yes,<br>and   no</p><p>maybe</p>", "Yes,\nand no\nmaybe\n"},
        {"<html><head><title>x</title><style>p{}</style></head><body><div>hi</div><script>alert(1)</script></body>", "hi\n"},
        {"<div>Yes</div><div class=q>On Tuesday Romeo wrote:<blockquote>hello<p>x</blockquote></div>",
         "Yes\nOn Tuesday Romeo wrote:\n>\n"},
        {"a &lt;b&gt; &amp; &euro;", "a <b> & \xe2\x82\xac\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct bytes out = BYTES_EMPTY;
        mail_html_text(span_of(table[i].in), &out);
        assert_string_equal(bytes_text(&out), table[i].out);
        bytes_fini(&out);
    }
}

#define FROM "From: Juliet <juliet@mail.example>\r\nMessage-ID: <1@mail.example>\r\n"
#define MIME "MIME-Version: 1.0\r\n"
#define ALTERNATIVE MIME "Content-Type: multipart/alternative; boundary=b\r\n\r\n"
#define MIXED MIME "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
#define REPORT "From: MAILER-DAEMON@mail.example\r\n" MIME                                                          \
               "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nSorry.\r\n" \
               "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mail.example\r\n\r\n"

static void mails(void **state)
{
    static const struct {
        const char *mail;
        enum mail_answer_kind kind;
        const char *from, *text; /* of a report: its status and a piece of its reason */
        unsigned attachments;
        const char *proves;
    } table[] = {
        {FROM "\r\nYes.\r\n", MAIL_ANSWER_WORDS, "juliet@mail.example", "Yes.", 0, "no MIME"},
        {FROM MIME "Content-Type: text/plain; charset=ISO-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
                   "Gr=FC=DFe\r\n", MAIL_ANSWER_WORDS, "juliet@mail.example", "Gr\xc3\xbc\xc3\x9f" "e", 0, "another charset"},
        {FROM MIME "Content-Type: text/plain; charset=utf-8\r\n\r\nbad \xff\xfe bytes\r\n", MAIL_ANSWER_WORDS,
         "juliet@mail.example", "bad  bytes", 0, "what is no UTF-8"},
        {FROM MIME "Content-Type: text/plain; charset=no-such-charset\r\n\r\nYes.\r\n", MAIL_ANSWER_WORDS,
         "juliet@mail.example", "Yes.", 0, "a charset that nobody knows"},
        {FROM ALTERNATIVE "--b\r\nContent-Type: text/html\r\n\r\n<b>no</b>\r\n--b\r\nContent-Type: text/plain\r\n\r\nYes."
                          "\r\n--b--\r\n", MAIL_ANSWER_WORDS, "juliet@mail.example", "Yes.", 0, "plain text goes first"},
        {FROM MIME "Content-Type: text/html; charset=utf-8\r\n\r\n<p>Yes.</p><blockquote>hello</blockquote>\r\n",
         MAIL_ANSWER_WORDS, "juliet@mail.example", "Yes.", 0, "HTML alone"},
        {FROM MIXED "--b\r\n\r\nSee.\r\n--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n"
                    "--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nx\r\n--b--\r\n",
         MAIL_ANSWER_WORDS, "juliet@mail.example", "See.", 2, "attachments are counted"},
        {FROM "Subject: x\x01y\r\n\r\na\x01" "b\x7f" "c\r\n", MAIL_ANSWER_WORDS, "juliet@mail.example", "a bc", 0, "control characters"},
        {FROM "Auto-Submitted: auto-replied\r\n\r\nI am in Mantua.\r\n", MAIL_ANSWER_AUTOMATIC, "juliet@mail.example", "", 0,
         "on holiday (RFC 3834)"},
        {FROM "Auto-Submitted: no\r\n\r\nI am here.\r\n", MAIL_ANSWER_WORDS, "juliet@mail.example", "I am here.", 0, "not"},
        {FROM "List-Id: <all.mail.example>\r\n\r\nx\r\n", MAIL_ANSWER_AUTOMATIC, "juliet@mail.example", "", 0, "a list"},
        {FROM "Precedence: bulk\r\n\r\nx\r\n", MAIL_ANSWER_AUTOMATIC, "juliet@mail.example", "", 0, "bulk"},
        {REPORT "Final-Recipient: rfc822; juliet@mail.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
                "Diagnostic-Code: smtp; 550 no such user\r\n--b--\r\n",
         MAIL_ANSWER_FAILED, "MAILER-DAEMON@mail.example", "5.1.1 smtp; 550 no such user", 0, "it failed (RFC 3464)"},
        {REPORT "Action: delayed\r\nStatus: 4.4.1\r\n--b--\r\n", MAIL_ANSWER_DELAYED, "MAILER-DAEMON@mail.example", "4.4.1 ",
         0, "it is late"},
        {REPORT "Action: delivered\r\nStatus: 2.0.0\r\n--b--\r\n", MAIL_ANSWER_DELIVERED, "MAILER-DAEMON@mail.example",
         "2.0.0 ", 0, "it arrived"},
        {REPORT "Action: relayed\r\nStatus: 2.0.0\r\n--b--\r\n", MAIL_ANSWER_UNKNOWN, "MAILER-DAEMON@mail.example", "2.0.0 ", 0,
         "handed on is not arrived"},
        {"From: a@b.example, c@d.example\r\n\r\nx\r\n", MAIL_ANSWER_WORDS, "a@b.example", "x", 0, "two writers"},
        {"From: nobody\r\n\r\nx\r\n", MAIL_ANSWER_WORDS, "nobody", "x", 0, "from no address"},
        {"\r\nx\r\n", MAIL_ANSWER_WORDS, "", "x", 0, "no header at all"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct bytes out = BYTES_EMPTY;
        struct mail_answer m;
        struct error e = ERROR_INIT;
        struct arena a;
        arena_init(&a);
        if (!mail_read(span_of(table[i].mail), &out) || !mail_answer_read(bytes_span(&out), &a, &m, &e))
            fail_msg("%s: %s %s", table[i].proves, e.text, bytes_text(&out));
        const char *text = *m.status ? arena_printf(&a, "%s %s", m.status, m.reason) : m.text;
        if (m.kind != table[i].kind || !text_eq(m.from, table[i].from) || !text_eq(text, table[i].text) ||
            m.attachments != table[i].attachments)
            fail_msg("%s: %s", table[i].proves, out.data);
        arena_fini(&a);
        bytes_fini(&out);
    }
}

/* A thousand parts in one another end at a depth, and nothing else happens. */
static void bomb(void **state)
{
    struct bytes mail = BYTES_EMPTY, out = BYTES_EMPTY;
    (void)state;
    bytes_append_text(&mail, FROM MIME);
    for (int i = 0; i < 1000; i++)
        bytes_printf(&mail, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i);
    bytes_append_text(&mail, "\r\nx\r\n");
    assert_true(mail_read(bytes_span(&mail), &out));
    bytes_fini(&mail);
    bytes_fini(&out);
}

/* What a reader that was taken over might say. */
static void untrusted(void **state)
{
#define HEAD "kind: words\nfrom: a\nid: \nstatus: \nreason: \nattachments: 0\n"
    static const struct {
        const char *text;
        bool ok;
    } table[] = {
        {HEAD "\nhello\n", true},
        {HEAD "\n", true},
        {HEAD, false},
        {HEAD "\n\x01", false},
        {HEAD "\n\xff", false},
        {"", false},
        {"kind: words\n", false},
        {"kind: frob\nfrom: a\nid: \nstatus: \nreason: \nattachments: 0\n\n", false},
        {"kind: words\nfrom: a\nid: \nstatus: \nreason: \nattachments: -1\n\n", false},
        {"from: a\nkind: words\nid: \nstatus: \nreason: \nattachments: 0\n\n", false},
        {"kind: words\nfrom: a\x1b[1m\nid: \nstatus: \nreason: \nattachments: 0\n\n", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct mail_answer m;
        struct error e = ERROR_INIT;
        struct arena a;
        arena_init(&a);
        assert_int_equal(mail_answer_read(span_of(table[i].text), &a, &m, &e), table[i].ok);
        arena_fini(&a);
    }
}

static void addresses(void **state)
{
    static const unsigned char key[SECRET_LEN] = {1}, other[SECRET_LEN] = {2};
    const char *base = "reply@capulet.example", *ref = "abcdefghij-KLMNOPQ_123";
    char back[RANDOM_ID_LEN + 1];
    struct bytes address = BYTES_EMPTY;
    (void)state;
    mail_address_write(key, base, ref, &address);
    assert_true(strcspn(address.data, "@") <= 64); /* RFC 5321 4.5.3.1.1 */
    assert_true(mail_address_read(key, base, address.data, back));
    assert_string_equal(back, ref);
    for (char *c = address.data; *c; c++) /* a mail server may lose the case, either way */
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
    assert_true(mail_address_read(key, base, address.data, back));
    assert_string_equal(back, ref);
    assert_false(mail_address_read(other, base, address.data, back));
    assert_false(mail_address_read(key, "reply@montague.example", address.data, back));
    assert_false(mail_address_read(key, base, base, back));
    assert_false(mail_address_read(key, base, "reply+@capulet.example", back));
    for (size_t i = 6; address.data[i] != '@'; i++) {
        char was = address.data[i];
        address.data[i] = was == '7' ? '6' : '7';
        assert_false(mail_address_read(key, base, address.data, back));
        address.data[i] = was;
    }
    bytes_fini(&address);
    static const struct {
        const char *base;
        bool ok;
    } bases[] = {{"reply@capulet.example", true}, {"replyreplyre@capulet.example", false}, {"reply", false},
                 {"@capulet.example", false},     {"re+ly@capulet.example", false},        {"a@b@c", false},
                 {"reply@", false},               {"a b@c.example", false}};
    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++)
        assert_int_equal(mail_address_is_base(bases[i].base), bases[i].ok);
}

int main(void)
{
    mail_read_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotations), cmocka_unit_test(flowed),    cmocka_unit_test(html),     cmocka_unit_test(mails),
        cmocka_unit_test(bomb),       cmocka_unit_test(untrusted), cmocka_unit_test(addresses)};
    return cmocka_run_group_tests_name("mail_read", tests, NULL, NULL);
}
