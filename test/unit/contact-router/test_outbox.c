/* SPDX-License-Identifier: MIT */
/* contact-router/outbox.c: the table of steps, and properties over all states and events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "contact-router/outbox.h"

#define S ((int64_t)1000000)
#define NOW (1000 * S)

struct row {
    const char *why;
    enum outbox_state from;
    enum outbox_event event;
    bool safe_retry;
    unsigned attempts;
    enum outbox_state to;
    unsigned effects;
};

static const struct row rows[] = {
    { "its time has come", OUTBOX_PLANNED, OUTBOX_TRY, false, 0, OUTBOX_SENDING, OUTBOX_SEND },
    { "a retry", OUTBOX_DUE, OUTBOX_TRY, false, 3, OUTBOX_SENDING, OUTBOX_SEND },
    { "the person logged on first", OUTBOX_PLANNED, OUTBOX_STOPPED, false, 0, OUTBOX_CANCELLED, 0 },
    { "refused, but a receipt says that it went out", OUTBOX_DUE, OUTBOX_SAID_DELIVERED, false, 1, OUTBOX_DELIVERED,
      OUTBOX_TELL_DELIVERED | OUTBOX_PRAISE_DEVICE },
    { "the same, on its way", OUTBOX_DUE, OUTBOX_SAID_SENT, false, 1, OUTBOX_SENT, OUTBOX_TELL_SENT },
    { "the same, read", OUTBOX_DUE, OUTBOX_SAID_READ, false, 1, OUTBOX_READ, OUTBOX_TELL_READ | OUTBOX_PRAISE_DEVICE },
    { "refused, and a receipt says the same", OUTBOX_DUE, OUTBOX_SAID_FAILED, false, 1, OUTBOX_DUE, 0 },
    { "a receipt of what was never tried", OUTBOX_PLANNED, OUTBOX_SAID_DELIVERED, false, 0, OUTBOX_PLANNED, 0 },
    { "or between two tries", OUTBOX_DUE, OUTBOX_STOPPED, false, 1, OUTBOX_CANCELLED, 0 },
    { "too late to stop", OUTBOX_SENDING, OUTBOX_STOPPED, false, 1, OUTBOX_SENDING, 0 },
    { "taken over", OUTBOX_SENDING, OUTBOX_ACCEPTED, false, 1, OUTBOX_SENT, OUTBOX_TELL_SENT | OUTBOX_PRAISE_DEVICE },
    { "refused for now", OUTBOX_SENDING, OUTBOX_REFUSED_NOW, false, 1, OUTBOX_DUE, 0 },
    { "refused once too often", OUTBOX_SENDING, OUTBOX_REFUSED_NOW, false, 12, OUTBOX_DEAD, OUTBOX_NEXT_STEP },
    { "refused for good", OUTBOX_SENDING, OUTBOX_REFUSED, false, 1, OUTBOX_FAILED, OUTBOX_NEXT_STEP | OUTBOX_BLAME_DEVICE },
    { "no answer: not repeated", OUTBOX_SENDING, OUTBOX_UNCLEAR, false, 1, OUTBOX_IN_DOUBT, OUTBOX_NEXT_STEP },
    { "no answer, but they deduplicate", OUTBOX_SENDING, OUTBOX_UNCLEAR, true, 1, OUTBOX_DUE, 0 },
    { "kill -9 during the try", OUTBOX_SENDING, OUTBOX_RESTARTED, false, 1, OUTBOX_IN_DOUBT, OUTBOX_NEXT_STEP },
    { "the same, they deduplicate", OUTBOX_SENDING, OUTBOX_RESTARTED, true, 1, OUTBOX_DUE, 0 },
    { "kill -9 while it waited", OUTBOX_DUE, OUTBOX_RESTARTED, false, 1, OUTBOX_DUE, 0 },
    { "confirmed", OUTBOX_SENT, OUTBOX_SAID_DELIVERED, false, 1, OUTBOX_DELIVERED, OUTBOX_TELL_DELIVERED | OUTBOX_PRAISE_DEVICE },
    { "read", OUTBOX_DELIVERED, OUTBOX_SAID_READ, false, 1, OUTBOX_READ, OUTBOX_TELL_READ | OUTBOX_PRAISE_DEVICE },
    { "sent comes after delivered: rank counts", OUTBOX_DELIVERED, OUTBOX_SAID_SENT, false, 1, OUTBOX_DELIVERED, 0 },
    { "delivered twice is once", OUTBOX_DELIVERED, OUTBOX_SAID_DELIVERED, false, 1, OUTBOX_DELIVERED, 0 },
    { "failed behind the provider", OUTBOX_SENT, OUTBOX_SAID_FAILED, false, 1, OUTBOX_FAILED, OUTBOX_NEXT_STEP },
    { "failed after delivered is nonsense", OUTBOX_DELIVERED, OUTBOX_SAID_FAILED, false, 1, OUTBOX_DELIVERED, 0 },
    { "doubt is lifted", OUTBOX_IN_DOUBT, OUTBOX_SAID_SENT, false, 1, OUTBOX_SENT, OUTBOX_TELL_SENT },
    { "doubt is never tried again", OUTBOX_IN_DOUBT, OUTBOX_TRY, true, 1, OUTBOX_IN_DOUBT, 0 },
    { "the webhook overtakes the answer", OUTBOX_SENDING, OUTBOX_SAID_DELIVERED, false, 1, OUTBOX_DELIVERED,
      OUTBOX_TELL_DELIVERED | OUTBOX_PRAISE_DEVICE },
    { "and the answer comes late", OUTBOX_DELIVERED, OUTBOX_ACCEPTED, false, 1, OUTBOX_DELIVERED, 0 },
    { "nobody could send it", OUTBOX_PLANNED, OUTBOX_HOPELESS, false, 0, OUTBOX_DEAD, OUTBOX_NEXT_STEP },
    { "nobody any more", OUTBOX_DUE, OUTBOX_HOPELESS, true, 1, OUTBOX_DEAD, OUTBOX_NEXT_STEP },
    { "somebody has it", OUTBOX_SENDING, OUTBOX_HOPELESS, false, 1, OUTBOX_SENDING, 0 },
    { "dead is dead", OUTBOX_DEAD, OUTBOX_TRY, true, 1, OUTBOX_DEAD, 0 },
    { "but for an admin", OUTBOX_DEAD, OUTBOX_REVIVED, false, 12, OUTBOX_PLANNED, 0 },
    { "who may do so with what failed", OUTBOX_FAILED, OUTBOX_REVIVED, false, 1, OUTBOX_PLANNED, 0 },
    { "and with what is in doubt", OUTBOX_IN_DOUBT, OUTBOX_REVIVED, false, 1, OUTBOX_PLANNED, 0 },
    { "not with what arrived", OUTBOX_DELIVERED, OUTBOX_REVIVED, false, 1, OUTBOX_DELIVERED, 0 },
    { "nor with what waits", OUTBOX_DUE, OUTBOX_REVIVED, false, 1, OUTBOX_DUE, 0 },
};

static void test_steps(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        struct outbox_policy p = outbox_policy_default;
        p.safe_retry = r->safe_retry;
        struct outbox_delivery d = { r->from, r->attempts, NOW, NOW - 60 * S, "aaaaaaaaaaaaaaaaaaaaaa" };
        unsigned effects = outbox_step(&d, &(struct outbox_input){ r->event, NOW, 0 }, &p);
        if (d.state != r->to || effects != r->effects)
            fail_msg("%s: %s, effects %u", r->why, outbox_state_name(d.state), effects);
    }
}

static void test_backoff(void **state)
{
    (void)state;
    struct outbox_policy p = outbox_policy_default;
    int64_t expected = 15 * S;
    for (unsigned attempts = 1; attempts < 11; attempts++) {
        struct outbox_delivery d = { OUTBOX_SENDING, attempts, NOW, NOW, "abcdefghijklmnopqrstuv" }, same = d;
        outbox_step(&d, &(struct outbox_input){ OUTBOX_REFUSED_NOW, NOW, 0 }, &p);
        outbox_step(&same, &(struct outbox_input){ OUTBOX_REFUSED_NOW, NOW, 0 }, &p);
        int64_t wait = d.due_us - NOW;
        assert_true(d.due_us == same.due_us); /* pure */
        assert_in_range((uint64_t)wait, (uint64_t)(expected * 3 / 4), (uint64_t)(expected * 5 / 4 + 1));
        expected = expected * 2 > p.cap_us ? p.cap_us : expected * 2;
    }
    struct outbox_delivery d = { OUTBOX_SENDING, 1, NOW, NOW, "abcdefghijklmnopqrstuv" };
    outbox_step(&d, &(struct outbox_input){ OUTBOX_REFUSED_NOW, NOW, 7200 * S }, &p);
    assert_true(d.due_us == NOW + 7200 * S); /* Retry-After is obeyed */
    d = (struct outbox_delivery){ OUTBOX_SENDING, 2, NOW, NOW - 24 * 3600 * S, "abcdefghijklmnopqrstuv" };
    outbox_step(&d, &(struct outbox_input){ OUTBOX_REFUSED_NOW, NOW, 0 }, &p);
    assert_int_equal(d.state, OUTBOX_DEAD); /* too old */
    d = (struct outbox_delivery){ OUTBOX_PLANNED, 0, NOW + 1, NOW, "abcdefghijklmnopqrstuv" };
    assert_int_equal(outbox_step(&d, &(struct outbox_input){ OUTBOX_TRY, NOW, 0 }, &p), 0); /* not yet */
    assert_int_equal(d.state, OUTBOX_PLANNED);
}

/* Every state and event: the step never breaks its own table, and what is ended never sends. */
static void test_every_state_and_event(void **state)
{
    (void)state;
    for (unsigned s = 0; s < OUTBOX_STATE_COUNT; s++)
        for (unsigned ev = 0; ev < OUTBOX_EVENT_COUNT; ev++)
            for (unsigned safe = 0; safe < 2; safe++) {
                struct outbox_policy p = outbox_policy_default;
                p.safe_retry = safe;
                struct outbox_delivery d = { (enum outbox_state)s, 1, NOW, NOW, "abcdefghijklmnopqrstuv" };
                unsigned effects = outbox_step(&d, &(struct outbox_input){ (enum outbox_event)ev, NOW, 0 }, &p);
                assert_true(d.state < OUTBOX_STATE_COUNT);
                if (outbox_is_ended((enum outbox_state)s)) {
                    assert_true(outbox_is_ended(d.state) || ev == OUTBOX_REVIVED);
                    assert_false(effects & OUTBOX_SEND);
                }
                enum outbox_state parsed;
                assert_true(outbox_state_parse(outbox_state_name(d.state), &parsed) && parsed == d.state);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_every_state_and_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
