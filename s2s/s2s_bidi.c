/* SPDX-License-Identifier: MIT */
/* Decided here: what comes back is one pair's, the one that opened the stream, and outlives the stream until it has
 * settled. */
#include "s2s/s2s_bidi.h"

#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/xmpp/ns.h"
#include "s2s/s2s_internal.h"

struct s2s_bidi {
    struct s2s_reception reception;
};

static void bidi_free(struct s2s_bidi *b)
{
    struct s2s_shard *sh = b->reception.shard;
    s2s_reception_fini(&b->reception);
    mem_free(b);
    s2s_shard_check_stopped(sh);
}

static void on_empty(struct s2s_reception *r)
{
    bidi_free(container_of(r, struct s2s_bidi, reception));
}

struct s2s_bidi *s2s_bidi_open(struct s2s_shard *sh, struct stream *st, const char *remote, const char *local,
                               enum s2s_proof how)
{
    struct s2s_bidi *b = mem_new(struct s2s_bidi);
    s2s_reception_init(&b->reception, sh, st, on_empty);
    s2s_reception_prove(&b->reception, remote, local, how);
    return b;
}

enum stream_error s2s_bidi_take(struct s2s_bidi *b, struct stanza *st, const char **text)
{
    return st->kind == STANZA_NONZA ? s2s_reception_queue_word(&b->reception, st, text)
                                    : s2s_reception_stanza(&b->reception, st, text);
}

void s2s_bidi_stop(struct s2s_bidi *b)
{
    if (b)
        s2s_reception_stop(&b->reception);
}

void s2s_bidi_close(struct s2s_bidi **bp)
{
    struct s2s_bidi *b = *bp;
    *bp = NULL;
    if (b && s2s_reception_end(&b->reception))
        bidi_free(b);
}
