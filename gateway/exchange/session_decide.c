/* SPDX-License-Identifier: MIT */
/* What a person decides about others by form: the same decisions as by lines (session_command.c), with
 * answers that a program can read. */
#include <stdlib.h>

#include "gateway/base/text.h"
#include "gateway/exchange/session_internal.h"

static int by_number(const void *a, const void *b)
{
    const struct session_request *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

unsigned session_requests(struct person *p, struct arena *a, struct session_request **out)
{
    unsigned count = 0;
    struct session_request *found = arena_alloc(a, (p->sessions->peers.count + 1) * sizeof *found);
    struct session *s;
    for (size_t i = 0; (s = map_next(&p->sessions->peers, &i));) {
        if (s->consent == CONSENT_NONE || (!s->number && s->consent != CONSENT_BLOCKED))
            continue;
        found[count++] = (struct session_request){.peer = arena_dup(a, s->peer),
                                                  .number = s->number,
                                                  .state = s->consent,
                                                  .held = s->consent == CONSENT_ASKED ? s->held : 0,
                                                  .excerpt = arena_dup_or_null(a, s->excerpt),
                                                  .expires_us = s->consent == CONSENT_ASKED ? s->expires_us : 0};
    }
    qsort(found, count, sizeof *found, by_number);
    *out = found;
    return count;
}

static bool is_open(const struct session *s)
{
    return s->consent == CONSENT_ASKED || s->consent == CONSENT_DECLINED || s->consent == CONSENT_EXPIRED;
}

bool session_decide(struct person *p, const struct jid *peer, enum consent_event event, bool openly,
                    void (*done)(void *user, const struct error *e), void *user)
{
    struct session *s = session_find(p, peer->bare);
    if (!s && event == CONSENT_BLOCK_EVENT && !jid_eq_bare(peer, p->jid))
        s = session_of(p, peer->bare);
    if (!s || (event == CONSENT_DECLINE_EVENT && !is_open(s)) ||
        (event == CONSENT_ACCEPT_EVENT && !is_open(s) && s->consent != CONSENT_BLOCKED))
        return false;
    session_consent_apply(p, s, event, openly, done, user);
    return true;
}
