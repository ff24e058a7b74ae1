/* SPDX-License-Identifier: MIT */
/* What a person has listed to be reached by, and the lines by which they manage it. Pure. */
#ifndef CAUSEWAY_CONTACT_ROUTER_DEVICE_H
#define CAUSEWAY_CONTACT_ROUTER_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/arena.h"
#include "gateway/base/error.h"

/* kind, word in the store, word for people, can it be used today */
#define DEVICE_KINDS(K)                          \
    K(SMS, "sms", "text message", true)          \
    K(EMAIL, "email", "e-mail", true)            \
    K(VOICE, "voice", "phone call", true)        \
    K(PAGER, "pager", "pager", true)             \
    K(WEBHOOK, "webhook", "webhook", false)      \
    K(TERMINAL, "terminal", "terminal", false)   \
    K(PUSH, "push", "push", false)
enum device_kind {
#define K(name, word, people, usable) DEVICE_##name,
    DEVICE_KINDS(K)
#undef K
    DEVICE_KIND_COUNT
};

/* Hours in which a device stays silent, on the wall clock of its zone. */
struct device_quiet {
    bool set;
    unsigned from_min, to_min; /* minutes after midnight; from > to: over midnight */
    const char *zone;          /* IANA name */
};

struct device {
    const char *account;    /* bare JID */
    int64_t n;              /* as the person sees it: "remove 2" */
    enum device_kind kind;
    const char *address;    /* normal form: +447700900123, juliet@example.net */
    const char *label, *lang;
    int64_t verified_us;    /* 0: not verified, so not used */
    bool full_text;         /* false: a notice only */
    bool opted_out;         /* its owner said STOP */
    int64_t failures;       /* permanent refusals in a row; from DEVICE_FAILURES_MAX on it is not used */
    struct device_quiet quiet;
    bool damaged;           /* its row cannot be read: it is shown, and not used */
};

enum { DEVICE_FAILURES_MAX = 3, DEVICE_PER_ACCOUNT_MAX = 10 };

const char *device_kind_word(enum device_kind k);
const char *device_kind_people(enum device_kind k);
bool device_kind_usable(enum device_kind k);
bool device_kind_parse(const char *word, enum device_kind *out);

/* The normal form (E.164 with +), or NULL: not a phone number that can be dialled from anywhere. */
const char *device_phone(struct arena *a, const char *text);
/* The address if it is one that may stand in SMTP and in a header (RFC 5321; ASCII), domain in lower case;
 * or NULL. */
const char *device_mail(struct arena *a, const char *text);
/* What a carrier or an app knows a pager by: digits (punctuation goes), a number with its country (+44...), a name of
 * letters, digits, ".", "-" and "_", or one of these at a domain; or NULL. */
const char *device_pager(struct arena *a, const char *text);
/* Is the number dear or outside any country (premium, satellite, international networks)? */
bool device_phone_is_premium(const char *e164);

/* "22:00-07:00 Europe/London"; "" or NULL: none set. false: not such a text. */
bool device_quiet_parse(struct arena *a, const char *text, struct device_quiet *out);
const char *device_quiet_text(struct arena *a, const struct device_quiet *q); /* "" none */
/* When the quiet hours that hold at `now_us` end; `now_us` itself when none do. `offset_s`: of the
 * zone at that time. */
int64_t device_quiet_until(const struct device_quiet *q, int64_t now_us, int offset_s);

enum device_verb {
    DEVICE_LIST,
    DEVICE_ADD,
    DEVICE_VERIFY,
    DEVICE_REMOVE,
    DEVICE_FULL,
    DEVICE_NOTICE,
    DEVICE_QUIET,
    DEVICE_TEST,
    DEVICE_SPEAK,
    DEVICE_WRONG, /* concerns devices, but is not right: `why` says how to write it */
};
struct device_command {
    enum device_verb verb;
    enum device_kind kind;
    const char *address, *code, *why;
    int64_t n;
    bool full;
    bool any_phone;     /* DEVICE_ADD: it was not said whether text messages or calls are meant; kind is SMS */
    const char *lang;   /* DEVICE_SPEAK */
    struct device_quiet quiet;
};
/* false: the line is not about devices. Texts live in `a`. */
bool device_command_parse(struct arena *a, const char *line, struct device_command *out);
const char *device_help(void);

#endif
