/* SPDX-License-Identifier: MIT */
/* Reach as stories: what happens to a conversation, and what is done about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "gateway/exchange/reach_state.h"

#define ON(event) REACH_STATE_ON_##event
#define IS(state) REACH_STATE_##state

static const struct {
    const char *proves;
    struct {
        enum reach_state_event event;
        enum reach_state next;
        unsigned effects;
    } steps[6];
    unsigned count;
} rows[] = {
    {"a device is told, the one who wrote learns it once, the answer ends the plan",
     {{ON(MESSAGE), IS(WAKING), REACH_STATE_PUT_EVENT},
      {ON(SENT), IS(ROUTED), REACH_STATE_TELL_ASKER},
      {ON(MESSAGE), IS(ROUTED), REACH_STATE_PUT_EVENT},
      {ON(SENT), IS(ROUTED), 0},
      {ON(CONFIRMED), IS(ROUTED), REACH_STATE_RECEIPT},
      {ON(ANSWER), IS(ANSWERED), REACH_STATE_STOP}}, 6},
    {"a log-on ends the plan; the next absence begins anew",
     {{ON(MESSAGE), IS(WAKING), REACH_STATE_PUT_EVENT},
      {ON(LINK), IS(LINKED), REACH_STATE_STOP},
      {ON(LINK), IS(LINKED), 0},
      {ON(MESSAGE), IS(WAKING), REACH_STATE_PUT_EVENT},
      {ON(SENT), IS(ROUTED), REACH_STATE_TELL_ASKER},
      {ON(LINK), IS(LINKED), REACH_STATE_STOP}}, 6},
    {"a conversation goes on by device",
     {{ON(MESSAGE), IS(WAKING), REACH_STATE_PUT_EVENT},
      {ON(ANSWER), IS(ANSWERED), REACH_STATE_STOP},
      {ON(MESSAGE), IS(ANSWERED), REACH_STATE_PUT_EVENT},
      {ON(SENT), IS(ANSWERED), 0},
      {ON(CONFIRMED), IS(ANSWERED), REACH_STATE_RECEIPT},
      {ON(LINK), IS(LINKED), REACH_STATE_STOP}}, 6},
    {"nothing held: the next message tries again",
     {{ON(MESSAGE), IS(WAKING), REACH_STATE_PUT_EVENT},
      {ON(EXHAUSTED), IS(EXHAUSTED), 0},
      {ON(MESSAGE), IS(WAKING), REACH_STATE_PUT_EVENT},
      {ON(EXHAUSTED), IS(EXHAUSTED), 0},
      {ON(LINK), IS(LINKED), REACH_STATE_STOP}}, 5},
    {"a confirmation may come before the report that it was sent",
     {{ON(MESSAGE), IS(WAKING), REACH_STATE_PUT_EVENT},
      {ON(CONFIRMED), IS(ROUTED), REACH_STATE_TELL_ASKER | REACH_STATE_RECEIPT},
      {ON(SENT), IS(ROUTED), 0}}, 3},
    {"reports after the log-on move nothing; a late confirmation is one",
     {{ON(SENT), IS(LINKED), 0},
      {ON(CONFIRMED), IS(LINKED), REACH_STATE_RECEIPT},
      {ON(EXHAUSTED), IS(LINKED), 0},
      {ON(ANSWER), IS(LINKED), 0}}, 4},
    {"a device that came late, after all had failed",
     {{ON(MESSAGE), IS(WAKING), REACH_STATE_PUT_EVENT},
      {ON(EXHAUSTED), IS(EXHAUSTED), 0},
      {ON(SENT), IS(ROUTED), REACH_STATE_TELL_ASKER},
      {ON(EXHAUSTED), IS(EXHAUSTED), 0},
      {ON(ANSWER), IS(ANSWERED), REACH_STATE_STOP},
      {ON(EXHAUSTED), IS(EXHAUSTED), 0}}, 6},
};

static void every_story(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum reach_state at = IS(LINKED);
        for (unsigned j = 0; j < rows[i].count; j++) {
            struct reach_state_outcome o = reach_state_step(at, rows[i].steps[j].event);
            if (o.next != rows[i].steps[j].next || o.effects != rows[i].steps[j].effects)
                fail_msg("%s, step %u: %s -> %s, effects %u", rows[i].proves, j, reach_state_name(at),
                         reach_state_name(o.next), o.effects);
            at = o.next;
        }
    }
}

/* Each pair is a transition that the states allow (asserted inside). */
static void every_pair(void **state)
{
    (void)state;
    for (int s = IS(LINKED); s <= IS(EXHAUSTED); s++)
        for (int ev = ON(MESSAGE); ev <= ON(EXHAUSTED); ev++) {
            struct reach_state_outcome o = reach_state_step((enum reach_state)s, (enum reach_state_event)ev);
            assert_true(reach_state_known(o.next));
            assert_int_equal(ev == ON(MESSAGE), (o.effects & REACH_STATE_PUT_EVENT) != 0);
        }
    assert_false(reach_state_known(-1));
    assert_false(reach_state_known(IS(EXHAUSTED) + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_story), cmocka_unit_test(every_pair)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
