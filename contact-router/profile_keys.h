/* SPDX-License-Identifier: MIT */
/* How the keys of a section become fields of a struct: a table row a key. Between profile.c (lines
 * and sections) and profile_keys.c (values); nobody else includes it. */
#ifndef CAUSEWAY_CONTACT_ROUTER_PROFILE_KEYS_H
#define CAUSEWAY_CONTACT_ROUTER_PROFILE_KEYS_H

#include "contact-router/profile.h"

/* Which names a template may use. */
enum profile_scope {
    SCOPE_NONE,
    SCOPE_SEND,
    SCOPE_SIGNED,
    SCOPE_SIGN,
    SCOPE_VERIFY,
    SCOPE_KEY,
    SCOPE_CLAIM,
    SCOPE_REPLY,
    SCOPE_VOICE
};

enum profile_key_type {
    KEY_TEXT, KEY_UINT, KEY_YES, KEY_ENUM, KEY_TEMPLATE, KEY_STATUSES, KEY_WORDS, KEY_PICK, KEY_TEST,
    KEY_FIELD,   /* prefix.NAME; more than one */
    KEY_JSON,    /* json./pointer, json:int./p, json:bool./p */
    KEY_MAP, KEY_AUTH, KEY_REPLY, KEY_RATE, KEY_POINTER,
};

struct profile_key {
    const char *name; /* one that ends with '.' or ':' is a prefix */
    enum profile_key_type type;
    size_t offset;
    const char *words; /* KEY_ENUM: in the order of the enum */
    enum profile_scope scope;
};

struct profile_reader {
    struct profile *p;
    const char *file;
    int line;
    const struct profile_key *keys; /* of the section; ends with name NULL */
    void *target;
    unsigned char seen[64];
    struct error *e;
};

extern const struct profile_key profile_keys_send[], profile_keys_hook[], profile_keys_voice[];

/* Fills *r->e with "file:line: ..." and returns false. */
bool profile_keys_fail(struct profile_reader *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
MUST_USE bool profile_keys_set(struct profile_reader *r, const char *key, const char *value);
MUST_USE const regex_t *profile_keys_regex(struct profile_reader *r, const char *pattern);

struct profile_regex { struct profile_regex *next; regex_t re; };

#endif
