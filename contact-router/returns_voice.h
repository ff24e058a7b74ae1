/* SPDX-License-Identifier: MIT */
/* A key that was pressed in a call, or the call's first question what to say, once it is known to be genuine. */
#ifndef CAUSEWAY_CONTACT_ROUTER_RETURNS_VOICE_H
#define CAUSEWAY_CONTACT_ROUTER_RETURNS_VOICE_H

#include "contact-router/returns.h"
#include "contact-router/voice_turn.h"

/* What is to be said now. `row` lives until the callback returns; NULL: the delivery is not known (any more). */
struct returns_voice_turn {
    struct voice_turn turn;
    const struct outbox_row *row;
    const char *lang;
    bool full_text;
};

/* Borrowed for the call. `on_turn` exactly once, later, when what the key caused is committed. Loop: the router's. */
void returns_voice(struct contact_router *r, struct router_provider *provider, const char *ref,
                   const struct hook_event *event, void (*on_turn)(void *user, const struct returns_voice_turn *t),
                   void *user);

#endif
