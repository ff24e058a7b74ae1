/* SPDX-License-Identifier: MIT */
/* What a report inside a block says, and what is wrong with one (XEP-0377). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/base/bytes.h"
#include "gateway/base/text.h"
#include "gateway/services/abuse_report.h"
#include "gateway/xmpp/ns.h"

#define REPORT(reason, inside) "<report xmlns='urn:xmpp:reporting:1' reason='" reason "'>" inside "</report>"
#define SPAM(inside)           REPORT("urn:xmpp:reporting:spam", inside)
#define SID(attrs)             "<stanza-id xmlns='urn:xmpp:sid:0' " attrs "/>"
#define TEN                    "0123456789"
#define FIFTY                  TEN TEN TEN TEN TEN
#define R255                   FIFTY FIFTY FIFTY FIFTY FIFTY "12345"

/* clang-format off */
static const struct row {
    const char *proves, *inside;
    enum stanza_error wrong;
    bool found;
    const char *words, *messages;
    bool to_origin, to_others;
} rows[] = {
    {"a block without a report", "", STANZA_OK, false, NULL, NULL, 0, 0},
    {"a reason is enough", SPAM(""), STANZA_OK, true, "", "", 0, 0},
    {"words", SPAM("<text>Never</text>"), STANZA_OK, true, "Never", "", 0, 0},
    {"in the language of the request", SPAM("<text xml:lang='en'>No</text><text xml:lang='de'>Nein</text>"), STANZA_OK, true, "Nein", "", 0, 0},
    {"or the first", SPAM("<text xml:lang='fr'>Non</text><text xml:lang='en'>No</text>"), STANZA_OK, true, "Non", "", 0, 0},
    {"messages", SPAM(SID("by='a@a' id='1'") SID("id='2' by='b'")), STANZA_OK, true, "", "a@a 1\nb 2", 0, 0},
    {"what may be done with it", SPAM("<third-party/>"), STANZA_OK, true, "", "", 0, 1},
    {"both", SPAM("<report-origin/><third-party/>"), STANZA_OK, true, "", "", 1, 1},
    {"a flag of another namespace is none", SPAM("<report-origin xmlns='urn:example'/>"), STANZA_OK, true, "", "", 0, 0},
    {"a reason that is not one of the two", REPORT("urn:example:trolling", ""), STANZA_OK, true, "", "", 0, 0},
    {"the longest reason", REPORT(R255, ""), STANZA_OK, true, "", "", 0, 0},
    {"a longer one", REPORT(R255 "x", ""), STANZA_BAD_REQUEST, true, NULL, NULL, 0, 0},
    {"an empty one", REPORT("", ""), STANZA_BAD_REQUEST, true, NULL, NULL, 0, 0},
    {"none", "<report xmlns='urn:xmpp:reporting:1'/>", STANZA_BAD_REQUEST, true, NULL, NULL, 0, 0},
    {"two reports of one", SPAM("") SPAM(""), STANZA_BAD_REQUEST, true, NULL, NULL, 0, 0},
    {"a message without by", SPAM(SID("id='1'")), STANZA_BAD_REQUEST, true, NULL, NULL, 0, 0},
    {"a message without id", SPAM(SID("by='a'")), STANZA_BAD_REQUEST, true, NULL, NULL, 0, 0},
    {"an empty id", SPAM(SID("by='a' id=''")), STANZA_BAD_REQUEST, true, NULL, NULL, 0, 0},
    {"the namespace of old", "<report xmlns='urn:xmpp:reporting:0'><spam/></report>", STANZA_OK, false, NULL, NULL, 0, 0},
};
/* clang-format on */

static enum stanza_error read_item(const char *inside, struct report *r, bool *found, struct arena *a)
{
    struct bytes xml = BYTES_EMPTY;
    bytes_append_text(&xml, "<iq xmlns='jabber:client' type='set' id='1'><item xmlns='urn:xmpp:blocking' jid='a'>");
    bytes_append_text(&xml, inside);
    bytes_append_text(&xml, "</item></iq>");
    struct stanza *st = stanza_parse(xml.data, xml.len);
    bytes_fini(&xml);
    assert_non_null(st);
    enum stanza_error wrong = abuse_report_read(r, found, stanza_first(st), "de", a);
    stanza_unref(&st); /* nothing points into it */
    return wrong;
}

static void reports(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *w = &rows[i];
        struct report r = {0};
        struct arena a;
        bool found;
        arena_init(&a);
        bool as_said = read_item(w->inside, &r, &found, &a) == w->wrong && found == w->found;
        if (as_said && found && w->wrong == STANZA_OK)
            as_said = text_eq(r.words, w->words) && text_eq(r.messages, w->messages) && r.to_origin == w->to_origin &&
                      r.to_others == w->to_others;
        if (!as_said)
            fail_msg("%s", w->proves);
        arena_fini(&a);
    }
}

/* What is longer than anybody reads is cut, between characters. */
static void cut(void **state)
{
    (void)state;
    struct bytes xml = BYTES_EMPTY;
    struct report r;
    struct arena a;
    bool found;
    arena_init(&a);
    bytes_append_text(&xml, "<report xmlns='urn:xmpp:reporting:1' reason='x'><text>.");
    for (unsigned i = 0; i < ABUSE_REPORT_WORDS_BYTES; i++)
        bytes_append_text(&xml, "\xc3\xa9");
    bytes_append_text(&xml, "</text>");
    for (unsigned i = 0; i < 3 * ABUSE_REPORT_MESSAGES; i++)
        bytes_printf(&xml, "<stanza-id xmlns='urn:xmpp:sid:0' by='a' id='%u'/>", i);
    bytes_append_text(&xml, "</report>");
    assert_int_equal(read_item(bytes_text(&xml), &r, &found, &a), STANZA_OK);
    assert_int_equal(strlen(r.words), ABUSE_REPORT_WORDS_BYTES - 1);
    assert_non_null(strstr(r.messages, "a 19"));
    assert_null(strstr(r.messages, "a 20"));
    bytes_fini(&xml);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reports), cmocka_unit_test(cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
