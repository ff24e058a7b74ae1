/* SPDX-License-Identifier: MIT */
/* One attempt to come together with another community, step by step, as an admin is told of it. Whoever makes the
 * attempt keeps a count and adds its steps; s2s_trace.h shows it. Texts are for people; what comes from the peer is cut
 * and cleaned here. Loop: the shard's. */
#ifndef CAUSEWAY_S2S_S2S_TRAIL_H
#define CAUSEWAY_S2S_S2S_TRAIL_H

#include "gateway/net/loop.h"
#include "s2s/s2s_reason.h"

#define S2S_STEPS(S)                                                                               \
    S(POLICY, "policy")                                                                            \
    S(DNS, "DNS")                                                                                  \
    S(TCP, "TCP")                                                                                  \
    S(TLS, "TLS")                                                                                  \
    S(CERTIFICATE, "certificate")                                                                  \
    S(STREAM, "stream")                                                                            \
    S(AUTHENTICATION, "authentication")                                                            \
    S(STANZAS, "stanzas")

enum s2s_step {
#define S2S_STEP_ENUM(name, word) S2S_STEP_##name,
    S2S_STEPS(S2S_STEP_ENUM)
#undef S2S_STEP_ENUM
};
const char *s2s_trail_step_name(enum s2s_step s);

enum {
    S2S_TRAIL_STEPS = 24,     /* of more, those in the middle go */
    S2S_TRAIL_TEXT_MAX = 240, /* bytes of a step's text */
};

struct s2s_trail; /* NULL is one that nobody will look at: every call takes it */

struct s2s_trail *s2s_trail_new(struct loop *l);
struct s2s_trail *s2s_trail_ref(struct s2s_trail *t);
void s2s_trail_unref(struct s2s_trail **t);
/* A step that went well, or says what was found. */
void s2s_trail_note(struct s2s_trail *t, enum s2s_step s, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A step that did not. The attempt may go on (the next target, dialback after EXTERNAL). */
void s2s_trail_fail(struct s2s_trail *t, enum s2s_step s, enum s2s_reason why, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Both sides know each other: stanzas may go. */
void s2s_trail_well(struct s2s_trail *t, enum s2s_step s, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Its stream has ended, without a fault when `why` is NONE. */
void s2s_trail_end(struct s2s_trail *t, enum s2s_reason why, const char *text);

/* What is there to read of it; texts are the trail's. */
struct s2s_trail_step {
    enum s2s_step step;
    enum s2s_reason why; /* NONE: it did not fail */
    bool got_over;       /* stanzas went in spite of it */
    int64_t at_us;
    char *text;
};
struct s2s_trail_look {
    const struct s2s_trail_step *steps;
    unsigned count;
    unsigned skipped; /* steps that went, behind the first half */
    int64_t begun_us;
    int64_t well_us;      /* since when stanzas go; 0: they do not */
    int64_t last_well_us; /* they did until then; 0: never */
    const struct s2s_trail_step *fault; /* the last that failed and nothing made good; NULL: none */
};
void s2s_trail_look(const struct s2s_trail *t, struct s2s_trail_look *out);

#endif
