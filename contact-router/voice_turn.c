/* SPDX-License-Identifier: MIT */
/* Keys: 1 again, 2 yes (heard; accept), 3 no (cannot talk now; decline), 4 the next device, 9 no more calls. What is
 * not a key of that call says everything again. */
#include "contact-router/voice_turn.h"

#include "gateway/base/text.h"

static const char *const words[] = {
#define L(name, word) word,
    VOICE_LINES(L)
#undef L
};

const char *voice_turn_word(enum voice_line line)
{
    return words[line];
}

bool voice_turn_parse(const char *word, enum voice_line *out)
{
    for (unsigned i = 0; i < VOICE_LINE_COUNT; i++)
        if (text_eq(words[i], word)) {
            *out = (enum voice_line)i;
            return true;
        }
    return false;
}

/* 2, 3 and 4 mean something only where somebody waits for an answer. */
static struct voice_turn talk(bool request, char key)
{
    switch (key) {
    case '2':
        return request ? (struct voice_turn){ VOICE_ACCEPTED, false, VOICE_DO_ACCEPT }
                       : (struct voice_turn){ VOICE_HEARD, false, VOICE_DO_HEARD };
    case '3':
        return request ? (struct voice_turn){ VOICE_DECLINED, false, VOICE_DO_DECLINE }
                       : (struct voice_turn){ VOICE_CANNOT, false, VOICE_DO_CANNOT };
    case '4':
        return (struct voice_turn){ VOICE_PASSED, false, VOICE_DO_PASS };
    }
    return (struct voice_turn){ VOICE_MESSAGE, true, VOICE_DO_NOTHING };
}

struct voice_turn voice_turn_next(enum outbox_purpose purpose, enum outbox_state state, char key, bool machine)
{
    bool over = state == OUTBOX_FAILED || state == OUTBOX_CANCELLED || state == OUTBOX_DEAD;
    if (key == '9')
        return (struct voice_turn){ VOICE_STOPPED, false, VOICE_DO_STOP };
    if (over)
        return (struct voice_turn){ VOICE_OVER, false, VOICE_DO_NOTHING };
    if (machine && !key)
        return (struct voice_turn){ VOICE_MACHINE, false, VOICE_DO_NOTHING };
    if (purpose == OUTBOX_PURPOSE_MESSAGE || purpose == OUTBOX_PURPOSE_REQUEST)
        return talk(purpose == OUTBOX_PURPOSE_REQUEST, key);
    return (struct voice_turn){ VOICE_MESSAGE, true, VOICE_DO_NOTHING };
}
