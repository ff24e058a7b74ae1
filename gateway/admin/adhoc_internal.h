/* SPDX-License-Identifier: MIT */
/* What the engine's files share: adhoc.c takes requests in and keeps the sessions, adhoc_call.c is what
 * commands are given and what is answered. */
#ifndef CAUSEWAY_ADMIN_ADHOC_INTERNAL_H
#define CAUSEWAY_ADMIN_ADHOC_INTERNAL_H

#include "gateway/admin/adhoc_form.h"
#include "gateway/base/list.h"
#include "gateway/base/map.h"
#include "gateway/base/random.h"
#include "gateway/net/timer.h"

enum { ADHOC_ID_LEN = RANDOM_ID_LEN + 16 }; /* what was drawn, and that it was drawn here */

/* One loop's sessions. */
struct adhoc_shard {
    struct loop *loop;
    struct map by_id;     /* -> struct adhoc_call */
    struct list calls;    /* the longest untouched first */
    struct timer expiry;  /* of the first that waits */
};

struct adhoc {
    struct adhoc_options o;
    struct adhoc_shard *shards; /* o.loop_count */
};

enum adhoc_progress {
    ADHOC_RUNNING, /* the command is at work: nothing may touch the call */
    ADHOC_WAITING, /* a form is out */
};

struct adhoc_cell_row {
    const char **cells;
    struct adhoc_cell_row *next;
};

struct adhoc_answer_field {
    enum form_type type;
    const char *var, *label, *value;
    struct adhoc_answer_field *next;
};

struct adhoc_answer {
    const char *note;
    bool warns;
    struct adhoc_answer_field *fields, *last_field;
    const struct listing_column *columns;
    unsigned column_count;
    struct adhoc_cell_row *rows, *last_row;
};

struct adhoc_call {
    struct adhoc *engine;
    struct adhoc_shard *shard;
    struct list node;       /* in shard->calls */
    struct arena arena;     /* all texts below */
    char id[ADHOC_ID_LEN + 1];
    const struct adhoc_command *command;
    const struct jid *asker; /* full */
    const char *domain;
    bool by_admin;          /* at the last step */
    enum adhoc_progress progress;
    unsigned stage, steps;
    uint64_t expires_mono_ms;
    struct stanza *iq;      /* what is to be answered; NULL while it waits */
    struct adhoc_value *values, *presets; /* newest first */
    struct adhoc_offers offers;           /* of the stage that is out */
    struct adhoc_answer answer;
};

/* -- adhoc.c: what becomes of a call that was answered */
void adhoc_call_waits(struct adhoc_call *c);
void adhoc_call_end(struct adhoc_call *c);

/* -- adhoc_call.c */
/* An error with a condition of XEP-0050 (`specific` NULL: none) to whoever sent `iq`. */
void adhoc_send_error(struct exchange *x, const struct stanza *iq, enum stanza_error e, const char *specific,
                      const char *text);
/* The stage's form: calls show, or asks at once. */
void adhoc_show_stage(struct adhoc_call *c);

#endif
