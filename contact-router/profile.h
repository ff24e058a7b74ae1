/* SPDX-License-Identifier: MIT */
/* A provider profile: how an outside API sends for us and answers, as data. Read from a file, checked
 * whole, immutable from then on. Format: schemas/provider/FORMAT.md. provider_request.h makes requests
 * of it, provider_answer.h judges answers, hook.h reads webhooks. No provider is named in code. */
#ifndef CAUSEWAY_CONTACT_ROUTER_PROFILE_H
#define CAUSEWAY_CONTACT_ROUTER_PROFILE_H

#include <regex.h>
#include <stdbool.h>

#include "contact-router/template.h"

enum { PROFILE_FIELDS_MAX = 48, PROFILE_TESTS_MAX = 4, PROFILE_STATUS_MAX = 16, PROFILE_HOOKS_MAX = 8,
       PROFILE_NAMES_MAX = 24, PROFILE_FILE_MAX = 64 * 1024 };

enum profile_kind { PROFILE_SMS, PROFILE_VOICE, PROFILE_PAGER, PROFILE_PUSH, PROFILE_WAKE, PROFILE_WEBHOOK,
                    PROFILE_KINDS };
enum profile_method { PROFILE_GET, PROFILE_POST, PROFILE_PUT, PROFILE_ANY };
enum profile_body { PROFILE_FORM, PROFILE_JSON, PROFILE_QUERY, PROFILE_TEXT, PROFILE_XML };
enum profile_auth { PROFILE_AUTH_NONE, PROFILE_AUTH_BASIC, PROFILE_AUTH_BEARER, PROFILE_AUTH_HEADER,
                    PROFILE_AUTH_QUERY, PROFILE_AUTH_JWT_RS256, PROFILE_AUTH_JWT_ES256, PROFILE_AUTH_SIGV4 };
enum profile_verify { PROFILE_HMAC_SHA1, PROFILE_HMAC_SHA256, PROFILE_HMAC_SHA512, PROFILE_ED25519,
                      PROFILE_JWT_HS256, PROFILE_BASIC, PROFILE_TOKEN };
enum profile_encoding { PROFILE_HEX, PROFILE_HEX_UPPER, PROFILE_B64, PROFILE_B64URL };

/* The one vocabulary of states that every provider's words are mapped to. */
#define PROFILE_STATES(S) \
    S(ACCEPTED, "accepted") S(SENT, "sent") S(DELIVERED, "delivered") S(READ, "read") S(FAILED, "failed") \
    S(EXPIRED, "expired") S(REJECTED, "rejected") S(OPTOUT, "optout") S(ANSWERED, "answered") S(BUSY, "busy") \
    S(NOANSWER, "noanswer") S(MACHINE, "machine") S(COMPLETED, "completed") S(UNKNOWN, "unknown")
enum profile_state {
#define S(name, word) PROFILE_STATE_##name,
    PROFILE_STATES(S)
#undef S
    PROFILE_STATE_COUNT
};

enum profile_pick_kind { PICK_NONE, PICK_JSON, PICK_XML, PICK_TEXT, PICK_HEADER, PICK_FORM, PICK_QUERY, PICK_CONST };
/* Where a value stands in an answer or a webhook. */
struct profile_pick {
    enum profile_pick_kind kind;
    const char *arg;   /* JSON pointer, path in XML, name, constant */
    const regex_t *re; /* PICK_TEXT: its first group is the value; NULL: the whole text */
};

enum profile_op { PROFILE_EQ, PROFILE_NE, PROFILE_EXISTS, PROFILE_MATCH };
struct profile_test {
    struct profile_pick what;
    enum profile_op op;
    const char *value;
    const regex_t *re;
};

struct profile_statuses { unsigned v[PROFILE_STATUS_MAX], count; }; /* 1..5: a whole class */
struct profile_words { const char *const *v; unsigned count; };

enum profile_field_type { FIELD_STRING, FIELD_INT, FIELD_BOOL,
                          FIELD_JSON /* the value is JSON itself: a document in a document */ };
struct profile_field {
    enum profile_field_type type;
    const char *key;
    bool optional; /* left out when it renders empty */
    struct template value;
};
struct profile_fields { struct profile_field v[PROFILE_FIELDS_MAX]; unsigned count; };
struct profile_tests { struct profile_test v[PROFILE_TESTS_MAX]; unsigned count; };

struct profile_send {
    bool present;
    int line; /* of its section */
    int method, body, auth; /* enum profile_method, _body, _auth */
    struct template url, auth_a, auth_b, text, xml;
    struct template auth_scope; /* PROFILE_AUTH_SIGV4: "aws:REGION:SERVICE" */
    const char *auth_name;
    struct template jwt_key;    /* PEM */
    struct profile_fields jwt_claims;
    unsigned jwt_ttl_s;
    struct profile_fields headers, form, query, json;
    unsigned max_parts, text_max;
    int encoding; /* 0 gsm-auto, 1 utf8 */
    struct profile_statuses ok, retry;
    struct profile_tests ok_if;
    struct profile_pick id, err_code, err_text;
    struct profile_words retry_code, permanent_code, optout_code;
    bool safe_retry;
    const char *idempotency_header;
    unsigned rate_per_s, concurrency;
    int sign_kind; /* enum profile_verify; only when sign_over has parts */
    struct template sign_over, sign_key;
};

struct profile_hook {
    const char *kind;   /* "status", "inbound", "voice" */
    const char *suffix; /* "" or what follows */
    int line;
    int method, body;
    int verify;         /* enum profile_verify */
    const char *verify_header; /* "form:NAME": a field */
    int verify_enc;
    struct template verify_over, verify_key;
    const char *verify_prefix, *verify_multi, *ts_header; /* NULL: none */
    unsigned ts_tolerance_s;
    bool verify_optional; /* without any signature the capability in the address is enough */
    struct profile_fields claims; /* PROFILE_JWT_HS256: each must be equal */
    int address;        /* 1: its events come to the address of [hook.inbound] */
    struct profile_tests when;
    const char *each;   /* JSON pointer of an array of events ("": the whole); NULL: one event */
    struct profile_pick id, ref, from, to, text, status, error_code, error_text, digits, answered_by, media,
        optout, dedup;
    struct profile_words map[PROFILE_STATE_COUNT];
    unsigned reply_status;
    const char *reply_type; /* NULL: none */
    struct template reply_body;
};

enum profile_voice_answer { PROFILE_VOICE_FETCHED, PROFILE_VOICE_INLINE /* in the request itself */ };
enum profile_voice_coding { PROFILE_VOICE_PCM16, PROFILE_VOICE_PCMU };
enum profile_voice_style { PROFILE_VOICE_XML, PROFILE_VOICE_JSON };
/* What a provider is told while a call goes on: documents that the profile writes itself. */
struct profile_voice {
    bool present;
    int line;
    int style;       /* enum profile_voice_style: how what is put into a document is escaped */
    int answer;      /* enum profile_voice_answer: how the first document reaches the provider */
    int coding;      /* enum profile_voice_coding: of the sound */
    struct template ask, end;         /* plays ${audio_url} and takes a key; plays it and ends the call */
    struct template say_ask, say_end; /* the same with ${text}, by the provider's own voice; may be empty */
    struct profile_words audio_types;
    unsigned audio_rate, audio_max_bytes, say_max;
};

struct profile_name { const char *name, *value; }; /* option and default; secret and what it is */

struct profile {
    struct arena arena;
    const char *name, *title;
    bool kinds[PROFILE_KINDS];
    struct profile_name options[PROFILE_NAMES_MAX], secrets[PROFILE_NAMES_MAX];
    unsigned option_count, secret_count;
    struct profile_send send[PROFILE_KINDS];
    struct profile_hook hooks[PROFILE_HOOKS_MAX];
    unsigned hook_count;
    struct profile_voice voice; /* present when there is [send.voice] */
    struct profile_regex *regexes;
};

/* NULL: *e says "file:line: what is wrong". */
MUST_USE struct profile *profile_load(const char *path, struct error *e);
MUST_USE struct profile *profile_parse(const char *name, const char *text, size_t len, struct error *e);
void profile_destroy(struct profile **p);

/* The section that sends messages of that kind: its own, or, for a kind that `kinds` lists without one (never
 * voice), the first of the file. NULL: it does not send them. */
const struct profile_send *profile_send_of(const struct profile *p, enum profile_kind k);
const char *profile_kind_name(enum profile_kind k);
const char *profile_state_name(enum profile_state s);
bool profile_status_in(const struct profile_statuses *l, int status);
bool profile_word_in(const struct profile_words *l, const char *word);

#endif
