/* SPDX-License-Identifier: MIT */
/* RFC 6121 appendix A, row by row as the RFC prints it: states as rows, stanzas as columns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/exchange/subscription.h"

struct row {
    enum subscription_state state;
    bool pass;
    enum subscription_state next;
};

#define YES      true
#define NO       false
#define NONE     SUBSCRIPTION_NONE
#define OUT      SUBSCRIPTION_NONE_OUT
#define IN       SUBSCRIPTION_NONE_IN
#define OUT_IN   SUBSCRIPTION_NONE_OUT_IN
#define TO       SUBSCRIPTION_TO
#define TO_IN    SUBSCRIPTION_TO_IN
#define FROM     SUBSCRIPTION_FROM
#define FROM_OUT SUBSCRIPTION_FROM_OUT
#define BOTH     SUBSCRIPTION_BOTH

/* clang-format off */
static const struct table {
    const char *proves;
    bool outbound;
    enum stanza_type type;
    struct row rows[SUBSCRIPTION_STATES];
} tables[] = {
    {"A.2.1 outbound subscribe", true, PRESENCE_SUBSCRIBE,
     {{NONE, YES, OUT}, {OUT, YES, OUT}, {IN, YES, OUT_IN}, {OUT_IN, YES, OUT_IN}, {TO, YES, TO},
      {TO_IN, YES, TO_IN}, {FROM, YES, FROM_OUT}, {FROM_OUT, YES, FROM_OUT}, {BOTH, YES, BOTH}}},
    {"A.2.2 outbound unsubscribe", true, PRESENCE_UNSUBSCRIBE,
     {{NONE, YES, NONE}, {OUT, YES, NONE}, {IN, YES, IN}, {OUT_IN, YES, IN}, {TO, YES, NONE},
      {TO_IN, YES, IN}, {FROM, YES, FROM}, {FROM_OUT, YES, FROM}, {BOTH, YES, FROM}}},
    {"A.2.3 outbound subscribed", true, PRESENCE_SUBSCRIBED,
     {{NONE, NO, NONE}, {OUT, NO, OUT}, {IN, YES, FROM}, {OUT_IN, YES, FROM_OUT}, {TO, NO, TO},
      {TO_IN, YES, BOTH}, {FROM, NO, FROM}, {FROM_OUT, NO, FROM_OUT}, {BOTH, NO, BOTH}}},
    {"A.2.4 outbound unsubscribed", true, PRESENCE_UNSUBSCRIBED,
     {{NONE, NO, NONE}, {OUT, NO, OUT}, {IN, YES, NONE}, {OUT_IN, YES, OUT}, {TO, NO, TO},
      {TO_IN, YES, TO}, {FROM, YES, NONE}, {FROM_OUT, YES, OUT}, {BOTH, YES, TO}}},
    {"A.3.1 inbound subscribe", false, PRESENCE_SUBSCRIBE,
     {{NONE, YES, IN}, {OUT, YES, OUT_IN}, {IN, NO, IN}, {OUT_IN, NO, OUT_IN}, {TO, YES, TO_IN},
      {TO_IN, NO, TO_IN}, {FROM, NO, FROM}, {FROM_OUT, NO, FROM_OUT}, {BOTH, NO, BOTH}}},
    {"A.3.2 inbound unsubscribe", false, PRESENCE_UNSUBSCRIBE,
     {{NONE, NO, NONE}, {OUT, NO, OUT}, {IN, YES, NONE}, {OUT_IN, YES, OUT}, {TO, NO, TO},
      {TO_IN, YES, TO}, {FROM, YES, NONE}, {FROM_OUT, YES, OUT}, {BOTH, YES, TO}}},
    {"A.3.3 inbound subscribed", false, PRESENCE_SUBSCRIBED,
     {{NONE, NO, NONE}, {OUT, YES, TO}, {IN, NO, IN}, {OUT_IN, YES, TO_IN}, {TO, NO, TO},
      {TO_IN, NO, TO_IN}, {FROM, NO, FROM}, {FROM_OUT, YES, BOTH}, {BOTH, NO, BOTH}}},
    {"A.3.4 inbound unsubscribed", false, PRESENCE_UNSUBSCRIBED,
     {{NONE, NO, NONE}, {OUT, YES, NONE}, {IN, NO, IN}, {OUT_IN, YES, IN}, {TO, YES, NONE},
      {TO_IN, YES, IN}, {FROM, NO, FROM}, {FROM_OUT, YES, FROM}, {BOTH, YES, FROM}}},
};
/* clang-format on */

static void rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        for (size_t k = 0; k < SUBSCRIPTION_STATES; k++) {
            const struct table *t = &tables[i];
            const struct row *r = &t->rows[k];
            struct subscription_step s = t->outbound ? subscription_out(r->state, t->type)
                                                     : subscription_in(r->state, t->type);
            if (s.pass != r->pass || s.next != r->next)
                fail_msg("%s, row %zu: pass %d next %d", t->proves, k, s.pass, s.next);
        }
}

static void words(void **state)
{
    (void)state;
    assert_string_equal(subscription_name(TO_IN), "to");
    assert_string_equal(subscription_name(FROM_OUT), "from");
    assert_string_equal(subscription_name(OUT_IN), "none");
    assert_string_equal(subscription_name(BOTH), "both");
    assert_true(subscription_is_asked(FROM_OUT) && subscription_is_pending(TO_IN));
    assert_false(subscription_is_asked(TO_IN) || subscription_is_pending(FROM_OUT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows), cmocka_unit_test(words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
