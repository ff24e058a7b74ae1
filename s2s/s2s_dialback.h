/* SPDX-License-Identifier: MIT */
/* XEP-0220: keys, the question to an authoritative server, and what is said on the wire. */
#ifndef CAUSEWAY_S2S_S2S_DIALBACK_H
#define CAUSEWAY_S2S_S2S_DIALBACK_H

#include "gateway/base/arena.h"
#include "gateway/base/bytes.h"
#include "gateway/net/stream.h"

struct s2s;
struct s2s_shard;
struct s2s_verify;

/* Key that LOCAL sends to `receiving` for the stream `id`, and that we confirm as authoritative. */
void s2s_dialback_key(const struct s2s *s, const char *receiving, const char *originating,
                      const char *id, struct bytes *out);
bool s2s_dialback_key_is_ours(const struct s2s *s, const char *receiving, const char *originating,
                              const char *id, const char *key);
/* Asks the authoritative server of `remote` whether it made `key` for our stream `id`. on_result
 * exactly once, later; e STANZA_OK: the question was answered with `valid`. */
struct s2s_verify *s2s_dialback_verify(struct s2s_shard *sh, const char *local, const char *remote,
                                       const char *id, const char *key,
                                       void (*on_result)(void *user, bool valid, enum stanza_error e),
                                       void *user);
void s2s_dialback_cancel(struct s2s_verify *v); /* on_result is not called any more */
/* What a <db:result/> or <db:verify/> says. */
struct s2s_dialback {
    const char *from, *to; /* domains, prepared */
    const char *id, *type; /* NULL: absent */
    const char *key;       /* "" when there is none */
    struct arena arena;    /* holds the domains; arena_fini when done */
};
/* false: from or to is missing or no domain; nothing to release. */
MUST_USE bool s2s_dialback_read(const struct stanza *st, struct s2s_dialback *out);
/* <db:result/> or <db:verify/> answers; `type` "valid", "invalid" or NULL with `key`. */
void s2s_dialback_send(struct stream *st, const char *element, const char *from, const char *to,
                       const char *id, const char *type, const char *key);
void s2s_dialback_send_error(struct stream *st, const char *element, const char *from, const char *to,
                             const char *id, enum stanza_error e);

#endif
