/* SPDX-License-Identifier: MIT */
/* Whom a list keeps out: domains, all below a domain, single people. Immutable once made, counted; any thread reads. */
#ifndef CAUSEWAY_S2S_S2S_DENY_LIST_H
#define CAUSEWAY_S2S_S2S_DENY_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/xmpp/jid.h"

struct s2s_deny_list;

enum { S2S_DENY_LINES_MAX = 1000000, S2S_HASH_TEXT = 64 };

/* A line an entry: "spam.example", "*.spam.example" (all below it, not it itself), "villain@decent.example"; a SHA-256
 * of a domain or a bare JID in 64 hexadecimal digits stands for it. Blanks around, empty lines and what follows '#' do
 * not count. What is none of these is left out and told: `wrong` gets its line's number. */
struct s2s_deny_list *s2s_deny_list_read(const char *name, const char *text, size_t len,
                                         void (*wrong)(void *user, unsigned line), void *user);
struct s2s_deny_list *s2s_deny_list_ref(struct s2s_deny_list *l);
void s2s_deny_list_unref(struct s2s_deny_list **l);
const char *s2s_deny_list_name(const struct s2s_deny_list *l);
size_t s2s_deny_list_count(const struct s2s_deny_list *l);

bool s2s_deny_list_has_domain(const struct s2s_deny_list *l, const char *domain);
/* The person alone; their domain is another question. */
bool s2s_deny_list_has_person(const struct s2s_deny_list *l, const struct jid *who);

/* Is it the SHA-256 of something, in hexadecimal? In small digits. */
bool s2s_deny_list_read_hash(char out[S2S_HASH_TEXT + 1], const char *text);
/* Does "*.spam.example" or "spam.example" mean that domain? */
bool s2s_deny_list_fits(const char *pattern, const char *domain);

#endif
