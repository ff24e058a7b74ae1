/* SPDX-License-Identifier: MIT */
/* Consent as a table: every state with every event, and what the asker may learn of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "gateway/exchange/consent.h"

#define HOLD CONSENT_HOLD
#define FIRST (CONSENT_HOLD | CONSENT_OPEN | CONSENT_TELL_ASKER)
#define PROMPT CONSENT_PROMPT
#define REFUSE CONSENT_REFUSE
#define DELIVER CONSENT_DELIVER_HELD
#define BOUNCE CONSENT_BOUNCE_HELD

static const struct row {
    const char *proves;
    enum consent_state state;
    enum consent_event event;
    unsigned held; /* of 2 */
    bool openly;
    enum consent_state next;
    unsigned effects;
    enum stanza_error error;
} rows[] = {
    {"a stranger's first message asks", CONSENT_NONE, CONSENT_MESSAGE_EVENT, 0, false, CONSENT_ASKED, FIRST | PROMPT, 0},
    {"accept with no request lets in", CONSENT_NONE, CONSENT_ACCEPT_EVENT, 0, false, CONSENT_ACCEPTED, 0, 0},
    {"nothing to decline", CONSENT_NONE, CONSENT_DECLINE_EVENT, 0, false, CONSENT_NONE, 0, 0},
    {"a block needs no request", CONSENT_NONE, CONSENT_BLOCK_EVENT, 0, false, CONSENT_BLOCKED, 0, 0},
    {"who is written to is no stranger", CONSENT_NONE, CONSENT_WROTE_EVENT, 0, false, CONSENT_ACCEPTED, 0, 0},
    {"nor who is subscribed to", CONSENT_NONE, CONSENT_SUBSCRIPTION_EVENT, 0, false, CONSENT_ACCEPTED, 0, 0},
    {"nothing to revoke", CONSENT_NONE, CONSENT_REVOKE_EVENT, 0, false, CONSENT_NONE, 0, 0},
    {"nothing to expire", CONSENT_NONE, CONSENT_EXPIRY_EVENT, 0, false, CONSENT_NONE, 0, 0},

    {"the second message is held, nobody is told again", CONSENT_ASKED, CONSENT_MESSAGE_EVENT, 1, false, CONSENT_ASKED, HOLD, 0},
    {"more than held_max is refused", CONSENT_ASKED, CONSENT_MESSAGE_EVENT, 2, false, CONSENT_ASKED, REFUSE, STANZA_RESOURCE_CONSTRAINT},
    {"accept delivers what waits", CONSENT_ASKED, CONSENT_ACCEPT_EVENT, 2, false, CONSENT_ACCEPTED, DELIVER, 0},
    {"a silent decline tells nobody and keeps what waits", CONSENT_ASKED, CONSENT_DECLINE_EVENT, 2, false, CONSENT_DECLINED, 0, 0},
    {"an open decline sends back with forbidden", CONSENT_ASKED, CONSENT_DECLINE_EVENT, 2, true, CONSENT_DECLINED, BOUNCE, STANZA_FORBIDDEN},
    {"a block sends back what XEP-0191 names", CONSENT_ASKED, CONSENT_BLOCK_EVENT, 1, false, CONSENT_BLOCKED, BOUNCE, STANZA_SERVICE_UNAVAILABLE},
    {"writing to the person accepts", CONSENT_ASKED, CONSENT_WROTE_EVENT, 1, false, CONSENT_ACCEPTED, DELIVER, 0},
    {"approving a subscription accepts", CONSENT_ASKED, CONSENT_SUBSCRIPTION_EVENT, 1, false, CONSENT_ACCEPTED, DELIVER, 0},
    {"a request that waits is not revoked but answered", CONSENT_ASKED, CONSENT_REVOKE_EVENT, 1, false, CONSENT_ASKED, 0, 0},
    {"no answer in time sends back", CONSENT_ASKED, CONSENT_EXPIRY_EVENT, 2, false, CONSENT_EXPIRED, BOUNCE, STANZA_RECIPIENT_UNAVAILABLE},

    {"messages pass", CONSENT_ACCEPTED, CONSENT_MESSAGE_EVENT, 0, false, CONSENT_ACCEPTED, CONSENT_PASS, 0},
    {"accepted already", CONSENT_ACCEPTED, CONSENT_ACCEPT_EVENT, 0, false, CONSENT_ACCEPTED, 0, 0},
    {"too late to decline", CONSENT_ACCEPTED, CONSENT_DECLINE_EVENT, 0, false, CONSENT_ACCEPTED, 0, 0},
    {"a block ends it", CONSENT_ACCEPTED, CONSENT_BLOCK_EVENT, 0, false, CONSENT_BLOCKED, 0, 0},
    {"writing changes nothing", CONSENT_ACCEPTED, CONSENT_WROTE_EVENT, 0, false, CONSENT_ACCEPTED, 0, 0},
    {"nor does a subscription", CONSENT_ACCEPTED, CONSENT_SUBSCRIPTION_EVENT, 0, false, CONSENT_ACCEPTED, 0, 0},
    {"consent is taken back", CONSENT_ACCEPTED, CONSENT_REVOKE_EVENT, 0, false, CONSENT_NONE, 0, 0},
    {"consent does not expire", CONSENT_ACCEPTED, CONSENT_EXPIRY_EVENT, 0, false, CONSENT_ACCEPTED, 0, 0},

    {"after a silent decline the asker sees a request like any; the callee sees nothing", CONSENT_DECLINED, CONSENT_MESSAGE_EVENT, 0, false, CONSENT_DECLINED, FIRST, 0},
    {"and is held like any", CONSENT_DECLINED, CONSENT_MESSAGE_EVENT, 1, false, CONSENT_DECLINED, HOLD, 0},
    {"up to the same number", CONSENT_DECLINED, CONSENT_MESSAGE_EVENT, 2, false, CONSENT_DECLINED, REFUSE, STANZA_RESOURCE_CONSTRAINT},
    {"after an open decline the asker is told at once", CONSENT_DECLINED, CONSENT_MESSAGE_EVENT, 0, true, CONSENT_DECLINED, REFUSE, STANZA_FORBIDDEN},
    {"a change of mind delivers what still waits", CONSENT_DECLINED, CONSENT_ACCEPT_EVENT, 1, false, CONSENT_ACCEPTED, DELIVER, 0},
    {"declined silently, then openly", CONSENT_DECLINED, CONSENT_DECLINE_EVENT, 1, true, CONSENT_DECLINED, BOUNCE, STANZA_FORBIDDEN},
    {"declined, then blocked", CONSENT_DECLINED, CONSENT_BLOCK_EVENT, 1, false, CONSENT_BLOCKED, BOUNCE, STANZA_SERVICE_UNAVAILABLE},
    {"writing to them is a change of mind", CONSENT_DECLINED, CONSENT_WROTE_EVENT, 0, false, CONSENT_ACCEPTED, 0, 0},
    {"so is a subscription", CONSENT_DECLINED, CONSENT_SUBSCRIPTION_EVENT, 1, false, CONSENT_ACCEPTED, DELIVER, 0},
    {"a decline taken back is no row", CONSENT_DECLINED, CONSENT_REVOKE_EVENT, 0, false, CONSENT_NONE, 0, 0},
    {"or the request that waits", CONSENT_DECLINED, CONSENT_REVOKE_EVENT, 1, false, CONSENT_ASKED, 0, 0},
    {"a silent decline expires as a request does", CONSENT_DECLINED, CONSENT_EXPIRY_EVENT, 2, false, CONSENT_DECLINED, BOUNCE, STANZA_RECIPIENT_UNAVAILABLE},

    {"the blocked hear service-unavailable", CONSENT_BLOCKED, CONSENT_MESSAGE_EVENT, 0, false, CONSENT_BLOCKED, REFUSE, STANZA_SERVICE_UNAVAILABLE},
    {"accept lifts a block", CONSENT_BLOCKED, CONSENT_ACCEPT_EVENT, 0, false, CONSENT_ACCEPTED, 0, 0},
    {"decline does not", CONSENT_BLOCKED, CONSENT_DECLINE_EVENT, 0, false, CONSENT_BLOCKED, 0, 0},
    {"blocked already", CONSENT_BLOCKED, CONSENT_BLOCK_EVENT, 0, false, CONSENT_BLOCKED, 0, 0},
    {"nor does writing", CONSENT_BLOCKED, CONSENT_WROTE_EVENT, 0, false, CONSENT_BLOCKED, 0, 0},
    {"nor a subscription", CONSENT_BLOCKED, CONSENT_SUBSCRIPTION_EVENT, 0, false, CONSENT_BLOCKED, 0, 0},
    {"revoking does", CONSENT_BLOCKED, CONSENT_REVOKE_EVENT, 0, false, CONSENT_NONE, 0, 0},
    {"a block does not expire", CONSENT_BLOCKED, CONSENT_EXPIRY_EVENT, 0, false, CONSENT_BLOCKED, 0, 0},

    {"who was not answered may ask again", CONSENT_EXPIRED, CONSENT_MESSAGE_EVENT, 0, false, CONSENT_ASKED, FIRST | PROMPT, 0},
    {"a late accept lets in", CONSENT_EXPIRED, CONSENT_ACCEPT_EVENT, 0, false, CONSENT_ACCEPTED, 0, 0},
    {"a late decline stands", CONSENT_EXPIRED, CONSENT_DECLINE_EVENT, 0, false, CONSENT_DECLINED, 0, 0},
    {"a late block stands", CONSENT_EXPIRED, CONSENT_BLOCK_EVENT, 0, false, CONSENT_BLOCKED, 0, 0},
    {"writing lets in", CONSENT_EXPIRED, CONSENT_WROTE_EVENT, 0, false, CONSENT_ACCEPTED, 0, 0},
    {"a subscription lets in", CONSENT_EXPIRED, CONSENT_SUBSCRIPTION_EVENT, 0, false, CONSENT_ACCEPTED, 0, 0},
    {"forgotten", CONSENT_EXPIRED, CONSENT_REVOKE_EVENT, 0, false, CONSENT_NONE, 0, 0},
    {"expired already", CONSENT_EXPIRED, CONSENT_EXPIRY_EVENT, 0, false, CONSENT_EXPIRED, 0, 0},
};

static void every_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        struct consent_facts f = {.held = r->held, .held_max = 2, .openly = r->openly};
        struct consent_outcome o = consent_step(r->state, r->event, &f);
        if (o.next != r->next || o.effects != r->effects || o.error != r->error)
            fail_msg("%s: %s -> %s, effects %u, error %d", r->proves, consent_state_name(r->state),
                     consent_state_name(o.next), o.effects, (int)o.error);
    }
}

static void no_pair_is_forgotten(void **state)
{
    (void)state;
    for (int s = CONSENT_NONE; s <= CONSENT_EXPIRED; s++)
        for (int ev = CONSENT_MESSAGE_EVENT; ev <= CONSENT_EXPIRY_EVENT; ev++) {
            bool found = false;
            for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
                found |= (int)rows[i].state == s && (int)rows[i].event == ev;
            if (!found)
                fail_msg("no row for %s, event %d", consent_state_name((enum consent_state)s), ev);
        }
}

/* Silent decline, no answer, and no account look alike to the asker. */
static void the_asker_cannot_tell(void **state)
{
    (void)state;
    for (unsigned held = 0; held <= 2; held++) {
        struct consent_facts f = {.held = held, .held_max = 2};
        struct consent_outcome a = consent_step(held ? CONSENT_ASKED : CONSENT_EXPIRED, CONSENT_MESSAGE_EVENT, &f);
        struct consent_outcome b = consent_step(CONSENT_DECLINED, CONSENT_MESSAGE_EVENT, &f);
        assert_int_equal(a.effects & ~(unsigned)CONSENT_PROMPT, b.effects);
        assert_int_equal(a.error, b.error);
        a = consent_step(CONSENT_ASKED, CONSENT_EXPIRY_EVENT, &f);
        b = consent_step(CONSENT_DECLINED, CONSENT_EXPIRY_EVENT, &f);
        assert_int_equal(a.effects, b.effects);
        assert_int_equal(a.error, b.error);
    }
}

static void numbers_of_the_store(void **state)
{
    (void)state;
    assert_true(consent_state_known(CONSENT_NONE));
    assert_true(consent_state_known(CONSENT_EXPIRED));
    assert_false(consent_state_known(CONSENT_EXPIRED + 1));
    assert_false(consent_state_known(-1));
    assert_string_equal(consent_state_name(CONSENT_ASKED), "asked");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row),
        cmocka_unit_test(no_pair_is_forgotten),
        cmocka_unit_test(the_asker_cannot_tell),
        cmocka_unit_test(numbers_of_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
