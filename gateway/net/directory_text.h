/* SPDX-License-Identifier: MIT */
/* Texts of a directory (LDAP): names put into a filter (RFC 4515) or into a distinguished name (RFC 4514), and what the
 * answers to a bind mean. No I/O. */
#ifndef CAUSEWAY_NET_DIRECTORY_TEXT_H
#define CAUSEWAY_NET_DIRECTORY_TEXT_H

#include "gateway/base/bytes.h"
#include "gateway/net/directory.h"

/* A template has %u (localpart), may have %d (domain) and %% in it, and no other %. */
bool directory_text_is_template(const char *text);
/* What stands between ( and ) is balanced, and nothing stands outside. */
bool directory_text_is_filter(const char *text);

/* Appends the template with escaped names. */
void directory_text_filter(struct bytes *out, const char *text, const char *user, const char *domain);
void directory_text_dn(struct bytes *out, const char *text, const char *user, const char *domain);

/* To list everybody whom a filter could find: the filter with * for %u, and the attribute that the first %u is compared
 * with. false: it cannot be told ("(%u=*)"). */
struct directory_listed {
    struct bytes filter, attribute;
    struct bytes before, behind; /* what stands around %u in the attribute's value: "@example.org" */
};
MUST_USE bool directory_text_listed(struct directory_listed *out, const char *filter, const char *domain);
/* The same of a template of a DN: "uid=%u,ou=people" gives "(uid=*)"; *base is where to search, one level below. */
MUST_USE bool directory_text_listed_dn(struct directory_listed *out, const char **base, const char *dn,
                                       const char *domain);
void directory_text_listed_fini(struct directory_listed *l);
/* What %u is compared with, each time that it stands in the filter (their `filter` is empty). 0: it cannot be told, for
 * one is compared by a rule, with a part of a value, or there are more than `most`. */
unsigned directory_text_compared(struct directory_listed *out, unsigned most, const char *filter, const char *domain);
/* The name in a value of that attribute: *len bytes from the result on. NULL: it is none of that shape. */
const char *directory_text_name(const struct directory_listed *l, const char *value, size_t value_len, size_t *len);

/* What the policy control of a bind's answer said (draft-behera-ldap-password-policy). */
enum directory_policy { DIRECTORY_POLICY_NONE, DIRECTORY_POLICY_EXPIRED, DIRECTORY_POLICY_LOCKED };

/* `code`: the result of a person's bind (LDAP_*); `diagnostic`: what was said with it, may be NULL. */
enum directory_outcome directory_text_outcome(int code, const char *diagnostic, enum directory_policy policy);
/* What a call that failed left as its result, which is never a success. */
int directory_text_failure(int code);
/* The connection is of no use after that result. */
bool directory_text_is_broken(int code);

/* An ldap:// URL of this machine, where nobody listens in; ldapi:// is too. */
bool directory_text_is_loopback(const char *url);

#endif
