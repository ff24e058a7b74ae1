/* SPDX-License-Identifier: MIT */
/* Decided here: which failures are permanent, and how far apart attempts are. */
#include "s2s/s2s_attempts.h"

#include "gateway/base/mem.h"
#include "gateway/base/random.h"

enum {
    BACKOFF_FIRST_MS = 1000,
    BACKOFF_LAST_MS = 300000,
};

void s2s_attempts_fini(struct s2s_attempts *a)
{
    mem_free(a->text);
}

static void forgive(struct s2s_attempts *a)
{
    a->refused = STANZA_OK;
    a->permanent = false;
    mem_free(a->text);
    a->text = NULL;
}

void s2s_attempts_failed(struct s2s_attempts *a, enum s2s_failure why, const char *text)
{
    forgive(a);
    a->is_well = false;
    a->refused = why == S2S_NOT_FOUND ? STANZA_REMOTE_SERVER_NOT_FOUND
                 : why == S2S_DENIED  ? STANZA_NOT_ALLOWED
                                      : STANZA_REMOTE_SERVER_TIMEOUT; /* RFC 6120 8.3.3.17: or no negotiation */
    a->permanent = why == S2S_NOT_FOUND || why == S2S_DENIED || why == S2S_REFUSED;
    a->text = mem_dup(text);
}

void s2s_attempts_succeeded(struct s2s_attempts *a)
{
    forgive(a);
    a->is_well = true;
}

/* A little less than it says, so that a thousand pairs that failed together do not come back together. */
uint64_t s2s_attempts_back_off_ms(struct s2s_attempts *a)
{
    a->backoff_ms = a->backoff_ms ? a->backoff_ms * 2 : BACKOFF_FIRST_MS;
    if (a->backoff_ms > BACKOFF_LAST_MS)
        a->backoff_ms = BACKOFF_LAST_MS;
    return a->backoff_ms - random_below((uint32_t)(a->backoff_ms / 4) + 1);
}

void s2s_attempts_start_over(struct s2s_attempts *a)
{
    a->backoff_ms = 0;
}

enum s2s_urgency s2s_attempts_urgency(const struct s2s_attempts *a)
{
    return a->is_well ? S2S_KNOWN : a->refused ? S2S_AGAIN : S2S_FIRST;
}
