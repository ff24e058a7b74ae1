/* SPDX-License-Identifier: MIT */
/* What a sender is told of a message that waits for another community. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/exchange/delayed.h"
#include "gateway/exchange/message.h"
#include "gateway/xmpp/ns.h"

#define SINCE_US 1893456000000000 /* 2030-01-01T00:00:00Z */

static void notices(void **state)
{
    static const struct {
        const char *lang, *given, *begins;
    } rows[] = {
        {"", "en", "[Your message to v@b.test has not arrived yet: the server there cannot be reached. It is tried until "
                   "2030-01-02 00:00 UTC; if that fails, you get an error.]"},
        {" xml:lang='de-CH'", "de", "[Ihre Nachricht an v@b.test ist noch nicht angekommen:"},
        {" xml:lang='fr'", "fr", "[Votre message à v@b.test "},
        {" xml:lang='tlh'", "en", "[Your message to v@b.test "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char xml[512];
        snprintf(xml, sizeof xml, "<message xmlns='jabber:client' type='chat' from='u@a.test/r' to='v@b.test/s' id='m1'%s>"
                                  "<body>x</body></message>", rows[i].lang);
        struct stanza *msg = stanza_parse(xml, strlen(xml)), *st = delayed_notice(msg, SINCE_US, SINCE_US + 86400000000);
        assert_int_equal(st->type, MESSAGE_CHAT);
        assert_string_equal(st->from->full, "a.test"); /* nobody speaks in the name of v@b.test */
        assert_string_equal(st->to->full, "u@a.test");
        assert_string_equal(st->lang, rows[i].given);
        assert_memory_equal(stanza_body(st), rows[i].begins, strlen(rows[i].begins));
        const struct element *d = stanza_child(st, "delayed", NS_QUEUE);
        assert_non_null(d);
        assert_string_equal(element_attr(d, "to"), "v@b.test/s");
        assert_string_equal(element_attr(d, "id"), "m1");
        assert_string_equal(element_attr(d, "since"), "2030-01-01T00:00:00Z");
        assert_string_equal(element_attr(d, "until"), "2030-01-02T00:00:00Z");
        assert_true(message_weigh(st).keep);
        assert_false(message_weigh(st).archive);
        stanza_unref(&st);
        stanza_unref(&msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(notices)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
