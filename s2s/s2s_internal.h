/* SPDX-License-Identifier: MIT */
/* Shared by the files of s2s. A shard is one I/O loop with its pairs, its incoming streams and its
 * resolver; nothing crosses shards but commands. */
#ifndef CAUSEWAY_S2S_S2S_INTERNAL_H
#define CAUSEWAY_S2S_S2S_INTERNAL_H

#include "gateway/base/list.h"
#include "gateway/base/log.h"
#include "gateway/base/map.h"
#include "gateway/net/dns.h"
#include "gateway/net/listener.h"
#include "gateway/net/sources.h"
#include "gateway/store/gate.h"
#include "s2s/s2s.h"
#include "s2s/s2s_out.h"
#include "s2s/s2s_trace.h"

enum {
    S2S_SECRET_LEN = 32,
    S2S_OUT_HIGH_BYTES = 256 * 1024, /* unsent output at which a pair waits; on_drained tells */
};

struct s2s_shard {
    struct s2s *s2s;
    unsigned index;
    struct loop *loop;
    struct dns *dns;
    struct map pairs;            /* "LOCAL REMOTE" -> struct s2s_pair */
    struct list ins;             /* of struct s2s_in */
    struct list outs;            /* of struct s2s_out */
    struct list receptions;      /* of struct s2s_reception: what comes in, on streams of either list */
    struct map ways_back;        /* "REMOTE LOCAL" -> struct s2s_in by which LOCAL's stanzas can go to REMOTE */
    struct s2s_turns turns;      /* of outs that are not ready */
    struct listener **listeners; /* one a configured address; NULL: closed */
    struct sources taken;        /* incoming streams that came by s2s_take */
    struct map communities;      /* of ours -> their policy (s2s_policy.c) */
    struct map deny_lists;       /* name -> struct s2s_deny_list, counted */
    struct map rates;            /* other domain -> what it has brought lately (s2s_policy.c) */
    struct s2s_trace trace;      /* of its pairs, and of its incoming streams */
    struct gate gate;            /* while it is shut, incoming streams that brought something are not read */
    unsigned reads;              /* windows of queues that the store is reading for its pairs */
    unsigned finishing;          /* stopping: pairs whose peer is to say what it has */
    bool stopping;
    bool closing;                /* stopping: no pair of any shard is finishing; streams end */
    bool stopped;                /* the first loop was told */
    struct command stop;         /* on its way from one step of that to the next */
};

struct s2s {
    struct edge_remote edge; /* ops: s2s.c */
    struct s2s_options o;    /* texts copied */
    struct map remotes;      /* domain -> struct s2s_remote */
    struct s2s_shard *shards;
    struct list block_lists; /* s2s_block_list.c; first loop only */
    const struct s2s_community *first; /* of the start: which lists they name */
    unsigned first_count;
    struct s2s_components *components; /* on the first shard */
    unsigned shards_finishing; /* stopping: shards with pairs that are; first loop only */
    unsigned shards_left;    /* stopping: shards that still hold streams; first loop only */
    void (*on_stopped)(void *user);
    void *stop_user;
    struct arena arena;
};

/* What the admin says of a domain; never NULL (defaults). */
const struct s2s_remote *s2s_remote_of(const struct s2s *s, const char *domain);
/* Where the pair LOCAL>REMOTE lives. */
struct s2s_shard *s2s_shard_of(struct s2s *s, const char *local, const char *remote);
/* A stream or a read of the shard ended: when it is stopping and holds none, tells the first loop. */
void s2s_shard_check_stopped(struct s2s_shard *sh);
/* A pair of the shard that was finishing has stopped. */
void s2s_shard_finished(struct s2s_shard *sh);

/* Output that may wait for a peer that does not read; beyond it its stream ends. Its questions are answered as they
 * come, and the answers pile up behind our stanzas, where these go that way too. */
static inline size_t s2s_output_max(bool has_our_stanzas)
{
    size_t answers = 256 * 1024, ours = S2S_OUT_HIGH_BYTES + 2 * XML_LIMITS_DEFAULT.stanza_bytes;
    return answers + (has_our_stanzas ? ours : 0);
}

#endif
