/* SPDX-License-Identifier: MIT */
/* Ad-hoc commands (XEP-0050): a command is a row of a table, and this is what it is made of. The engine
 * knows who may run what, keeps the sessions of commands with stages, reads and checks the forms
 * (XEP-0004, XEP-0122), and names what is wrong with them as XEP-0050 section 4.4 does.
 *
 *     static const struct adhoc_field fields[] = {
 *         {.type = FORM_TEXT_SINGLE, .var = "address", .label = "Address", .required = true}, {0}};
 *     static const struct adhoc_stage stages[] = {{.title = "Add a mailbox", .fields = fields}};
 *     {.node = "...", .name = "Add a mailbox", .who = ADHOC_PERSON, .stages = stages, .stage_count = 1, .run = add},
 *
 * Everything about one asker runs on exchange_loop_of(asker), and so do the callbacks. */
#ifndef CAUSEWAY_ADMIN_ADHOC_H
#define CAUSEWAY_ADMIN_ADHOC_H

#include <stdbool.h>

#include "gateway/exchange/exchange.h"
#include "gateway/exchange/listing.h"
#include "gateway/xmpp/form.h"

enum {
    ADHOC_SESSIONS_PER_PERSON = 8, /* the one that was not touched for longest goes */
    ADHOC_SESSIONS_MAX = 1000,     /* a loop */
    ADHOC_SESSION_MS = 600000,     /* since its last step */
    ADHOC_STEPS_MAX = 64,          /* of one session */
    ADHOC_SESSION_BYTES = 262144,  /* of all that was said in it, before its next step */
    ADHOC_VALUE_BYTES = 1023,      /* where the field does not say */
    ADHOC_VALUES_MAX = 100,        /* of a field with many */
    ADHOC_FIELDS_MAX = 64,         /* of a submitted form */
};

/* ---- what a command is made of ---- */

struct adhoc_field {
    enum form_type type;
    const char *var;     /* NULL ends the list */
    const char *label;
    const char *hint;    /* NULL: none */
    const char *value;   /* what stands there at first; NULL: nothing */
    bool required;
    const struct form_option *options; /* lists; ends with value NULL; NULL: what adhoc_offer gave */
    const char *datatype; /* XEP-0122: "xs:integer", "xs:dateTime"; NULL: any text */
    long long min, max;   /* xs:integer; both 0: any */
    unsigned max_bytes;   /* of a value; 0: ADHOC_VALUE_BYTES */
};

struct adhoc_call; /* one execution */

struct adhoc_stage {
    const char *title, *instructions; /* instructions may be NULL */
    const struct adhoc_field *fields;
    /* Before the form goes out: offers and presets; then adhoc_ask, adhoc_finish or adhoc_refuse, now or
     * later, once. NULL: the form goes out as it is. */
    void (*show)(struct adhoc_call *c);
};

enum adhoc_who {
    ADHOC_PERSON, /* every account of the community, at its own address and at the domain */
    ADHOC_ADMIN,  /* the community's admins (README.md), at the domain */
};

struct adhoc_command {
    const char *node; /* NULL ends the list */
    const char *name;
    enum adhoc_who who;
    /* Of ADHOC_ADMIN: people may too, at the domain, where their community lets them. NULL: admins alone. */
    bool (*people_may)(const struct community *c);
    const char *form_type; /* FORM_TYPE of its forms; NULL: none */
    const struct adhoc_stage *stages;
    unsigned stage_count;  /* 0: runs at once */
    /* With all that was submitted; then adhoc_finish, adhoc_refuse or adhoc_reject, now or later, once. */
    void (*run)(struct adhoc_call *c);
};

/* ---- the engine ---- */

struct adhoc;

struct adhoc_options {
    struct exchange *exchange;
    struct loop *const *loops; /* the exchange's */
    unsigned loop_count;
    const struct adhoc_command *const *commands; /* lists in order; ends with NULL; they live on */
    const struct listing *const *listings; /* tables that parts give of themselves; ends with NULL; NULL: none */
};

/* Before exchange_start. */
struct adhoc *adhoc_create(const struct adhoc_options *o);
/* After the loops have stopped and the store is closed. */
void adhoc_destroy(struct adhoc **a);
/* For the exchange's list, before disco: answers commands, and disco of their nodes. */
extern const struct service adhoc_service;
/* Commands that wait for their next step, of all loops. For tests. */
unsigned adhoc_session_count(const struct adhoc *a);

/* ---- in show and run ---- */

struct exchange *adhoc_exchange(const struct adhoc_call *c);
const struct jid *adhoc_asker(const struct adhoc_call *c);  /* full */
bool adhoc_is_admin(const struct adhoc_call *c);            /* known of commands that are ADHOC_ADMIN */
const char *adhoc_domain(const struct adhoc_call *c);       /* of the community that it concerns */
struct loop *adhoc_loop(const struct adhoc_call *c);
/* The bare JID of an account of that community; NULL: it is none, and the call was rejected. */
const char *adhoc_own_account(struct adhoc_call *c, const char *text);
struct arena *adhoc_arena(struct adhoc_call *c);            /* until the call ends */
const struct listing *adhoc_listing(const struct adhoc_call *c, const char *name); /* NULL: no part gives it */

/* Submitted: the first value; "" when there is none. */
const char *adhoc_text(const struct adhoc_call *c, const char *var);
bool adhoc_is_set(const struct adhoc_call *c, const char *var); /* a boolean that is true */
long long adhoc_number(const struct adhoc_call *c, const char *var, long long otherwise);
const char *const *adhoc_values(const struct adhoc_call *c, const char *var, unsigned *count);

/* show: texts are copied. */
void adhoc_offer(struct adhoc_call *c, const char *var, const char *label, const char *value);
void adhoc_preset(struct adhoc_call *c, const char *var, const char *value);
void adhoc_preset_words(struct adhoc_call *c, const char *var, const char *words); /* each a value; blanks between */
void adhoc_ask(struct adhoc_call *c);
/* Asks when something was offered for `var`; else there is nothing to choose, and the note `nothing` ends the call. */
void adhoc_ask_offered(struct adhoc_call *c, const char *var, const char *nothing);

/* What the answer says; texts are copied. */
void adhoc_note(struct adhoc_call *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
void adhoc_warn(struct adhoc_call *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
void adhoc_result(struct adhoc_call *c, enum form_type type, const char *var, const char *label, const char *value);
void adhoc_result_number(struct adhoc_call *c, const char *var, const char *label, unsigned long long n);
/* A table (XEP-0004 3.4): the columns once, then rows with as many cells (NULL: empty). */
void adhoc_columns(struct adhoc_call *c, const struct listing_column *columns);
void adhoc_row(struct adhoc_call *c, const char *const *cells);

/* The end, once. finish: completed. refuse: an error that ends the session; text for a person. reject:
 * what was submitted will not do (bad-payload): the session stays where it is, for another try. */
void adhoc_finish(struct adhoc_call *c);
void adhoc_refuse(struct adhoc_call *c, enum stanza_error e, const char *fmt, ...) PRINTF_LIKE(3, 4);
void adhoc_reject(struct adhoc_call *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
