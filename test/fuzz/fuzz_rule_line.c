/* SPDX-License-Identifier: MIT */
/* Any line that a person writes about rules: it is refused with a reason, or it is a rule within its bounds that is
 * kept in a form which reads as the same rule. */
#include <stdint.h>
#include <string.h>

#include "contact-router/rule_line.h"
#include "contact-router/rule_text.h"
#include "gateway/base/mem.h"
#include "gateway/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_bounds(const struct rule *r)
{
    CHECK(r->sender < RULE_SENDER_COUNT && r->step_count <= RULE_STEPS_MAX && r->days < RULE_EVERY_DAY && r->urgencies < 15);
    CHECK(!r->has_hours || (r->from_min < 1440 && r->to_min < 1440));
    for (unsigned i = 0; i < r->step_count; i++) {
        const struct rule_step *s = &r->steps[i];
        CHECK(s->delay_s <= 60 * RULE_DELAY_MAX_MIN && s->device_count <= DEVICE_PER_ACCOUNT_MAX && (s->kinds || s->device_count));
        CHECK(!i || s->delay_s >= s[-1].delay_s);
    }
}

static void check_kept(struct arena *a, const struct rule *r)
{
    struct bytes first = BYTES_EMPTY, second = BYTES_EMPTY;
    struct rule again;
    const char *why;
    rule_text_write(r, &first);
    CHECK(rule_text_parse(a, bytes_text(&first), &again, &why));
    rule_text_write(&again, &second);
    CHECK(strcmp(bytes_text(&first), bytes_text(&second)) == 0);
    CHECK(rule_hides(r, &again) == (!r->days && !r->has_hours));
    bytes_fini(&first);
    bytes_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct rule_line l;
    if (size > 2048 || !utf8_valid((const char *)data, size) || memchr(data, 0, size))
        return 0;
    char *line = mem_dup_n((const char *)data, size);
    arena_init(&a);
    if (rule_line_parse(&a, line, &l)) {
        CHECK(l.verb != RULE_WRONG || *l.why);
        CHECK(l.verb == RULE_LIST || l.verb == RULE_ADD || l.verb == RULE_WRONG || l.n);
        if (l.verb == RULE_ADD || l.verb == RULE_CHANGE) {
            struct rule_event ev = { .peer = "romeo@montague.example", .groups = "Friends", .urgency = size % 4,
                                     .at_us = (int64_t)size * 1000000000 };
            check_bounds(&l.rule);
            check_kept(&a, &l.rule);
            CHECK(rule_fits(&l.rule, &ev, 3600) <= RULE_OTHER_TIME);
        }
    }
    arena_fini(&a);
    mem_free(line);
    return 0;
}
