/* SPDX-License-Identifier: MIT */
/* One turn of a call: what the person pressed, and what is said and done next. Pure. */
#ifndef CAUSEWAY_CONTACT_ROUTER_VOICE_TURN_H
#define CAUSEWAY_CONTACT_ROUTER_VOICE_TURN_H

#include "contact-router/outbox_store.h"

/* What is said; the word stands in the address of the sound. */
#define VOICE_LINES(L) /* name, word                                                     */ \
    L(MESSAGE,  "message")  /* what the delivery is about, and which keys there are */        \
    L(MACHINE,  "machine")  /* to an answering machine: only that something waits   */        \
    L(HEARD,    "heard")                                                                      \
    L(CANNOT,   "cannot")   /* the person cannot talk now                           */        \
    L(ACCEPTED, "accepted")                                                                   \
    L(DECLINED, "declined")                                                                   \
    L(PASSED,   "passed")   /* the next device is tried                             */        \
    L(STOPPED,  "stopped")  /* no more calls                                        */        \
    L(FAILED,   "failed")   /* it did not work; the keys again                      */        \
    L(OVER,     "over")     /* nothing waits here any more                          */
enum voice_line {
#define L(name, word) VOICE_##name,
    VOICE_LINES(L)
#undef L
    VOICE_LINE_COUNT
};

enum voice_act {
    VOICE_DO_NOTHING,
    VOICE_DO_HEARD,
    VOICE_DO_CANNOT,
    VOICE_DO_ACCEPT,
    VOICE_DO_DECLINE,
    VOICE_DO_PASS,
    VOICE_DO_STOP
};

struct voice_turn {
    enum voice_line line;
    bool ask;            /* a key is waited for afterwards; else the call ends */
    enum voice_act act;
};

/* `key`: what was pressed; 0: nothing yet. `machine`: no person took the call. */
struct voice_turn voice_turn_next(enum outbox_purpose purpose, enum outbox_state state, char key, bool machine);
const char *voice_turn_word(enum voice_line line);
bool voice_turn_parse(const char *word, enum voice_line *out);

#endif
