/* SPDX-License-Identifier: MIT */
/* How a pair's attempts to reach its peer went, and what follows: how urgent the next one is, how long it
 * waits, what those learn whose stanzas wait. Lies in the pair. */
#ifndef CAUSEWAY_S2S_S2S_ATTEMPTS_H
#define CAUSEWAY_S2S_S2S_ATTEMPTS_H

#include "gateway/xmpp/stanza_error.h"
#include "s2s/s2s_out.h"

struct s2s_attempts {
    bool is_well;              /* the last that was heard of the peer was good */
    enum stanza_error refused; /* why the last attempt failed; STANZA_OK: it did not */
    bool permanent;            /* of `refused`: kept messages come back too */
    char *text;                /* of `refused`, for senders and admins; NULL: none */
    uint64_t backoff_ms;       /* before the newest attempt; 0: nothing failed lately */
};

void s2s_attempts_fini(struct s2s_attempts *a);
void s2s_attempts_failed(struct s2s_attempts *a, enum s2s_failure why, const char *text);
void s2s_attempts_succeeded(struct s2s_attempts *a);
/* How long to wait before the next one; longer each time. */
uint64_t s2s_attempts_back_off_ms(struct s2s_attempts *a);
void s2s_attempts_start_over(struct s2s_attempts *a); /* the next wait is short */
enum s2s_urgency s2s_attempts_urgency(const struct s2s_attempts *a);

#endif
