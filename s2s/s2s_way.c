/* SPDX-License-Identifier: MIT */
/* The names of a pair. */
#include "s2s/s2s_way.h"

#include <stdio.h>

#include "gateway/base/bytes.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/jid.h"

void s2s_way_name(char out[S2S_WAY_NAME_MAX], const char *local, const char *remote)
{
    snprintf(out, S2S_WAY_NAME_MAX, "%s %s", local, remote);
}

void s2s_way_init(struct s2s_way *w, struct s2s_shard *sh, const char *local, const char *remote)
{
    char name[S2S_WAY_NAME_MAX];
    struct bytes queue = BYTES_EMPTY;
    s2s_way_name(name, local, remote);
    bytes_printf(&queue, "s:%s", name);
    *w = (struct s2s_way){
        .shard = sh,
        .name = mem_dup(name),
        .local = mem_dup(local),
        .remote = mem_dup(remote),
        .queue = bytes_take(&queue),
    };
    log_ctx_set(&w->log, "s2s %s>%s", local, remote);
}

void s2s_way_fini(struct s2s_way *w)
{
    mem_free(w->name);
    mem_free(w->local);
    mem_free(w->remote);
    mem_free(w->queue);
}

bool s2s_way_is_domain(const char *name)
{
    struct arena a;
    arena_init(&a);
    bool is = text_eq(jid_parse_domain(&a, name), name);
    arena_fini(&a);
    return is;
}
