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
/* Did the authoritative server of `remote` make `key` for our stream `id`? */
struct s2s_dialback_question {
    const char *local, *remote, *id, *key; /* copied */
    /* Exactly once, later, unless it is cancelled; e STANZA_OK: the question was answered with `valid`. */
    void (*on_result)(void *user, bool valid, enum stanza_error e);
    void *user;
    struct s2s_trail *trail; /* is told when the server cannot be asked; counted anew */
};
struct s2s_verify *s2s_dialback_verify(struct s2s_shard *sh, const struct s2s_dialback_question *q);
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
/* A <db:result/> or <db:verify/> that is sent. */
struct s2s_dialback_word {
    const char *element; /* "result", "verify" */
    const char *from, *to;
    const char *id;   /* NULL: none */
    const char *type; /* of an answer: "valid", "invalid"; NULL: it is no answer */
    const char *key;  /* NULL: none */
};
void s2s_dialback_send(struct stream *st, const struct s2s_dialback_word *w);
/* Authoritative server: if it is a sound db:verify, answers whether we made that key, and `*wrong` (may be NULL)
 * says that it was not so or not ours to know. Asked on any stream, in any state (XEP-0220 2.3). */
bool s2s_dialback_answer(struct s2s_shard *sh, struct stream *st, const struct stanza *question, bool *wrong);
/* The answer that it is neither: type and key are not looked at. */
void s2s_dialback_send_error(struct stream *st, const struct s2s_dialback_word *w, enum stanza_error e);

#endif
