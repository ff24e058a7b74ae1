/* SPDX-License-Identifier: MIT */
/* The streams with other communities as an admin sees them: outgoing pairs with their queues and last
 * errors, incoming streams with what is proved of them. Gathered by one walk over the shards, each looked
 * at on its own loop. */
#include <ctype.h>

#include "gateway/base/text.h"
#include "s2s/s2s_in.h"
#include "s2s/s2s_internal.h"
#include "s2s/s2s_pair.h"

static const struct listing_column columns[] = {
    {"remote", "Community"}, {"direction", "Direction"}, {"state", "State"}, {"waiting", "Waiting"},
    {"unconfirmed", "Not confirmed"}, {"stored", "More in the store"}, {"error", "Last error"},
    {"stream", "Stream"}, {"theirs", "They proved themselves by"}, {"ours", "We proved ourselves by"}, {NULL, NULL},
};

struct walk {
    struct s2s *s2s;
    unsigned shard;
};

static const char *lower(struct listing_query *q, const char *name)
{
    char *text = arena_dup(&q->arena, name);
    for (char *c = text; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return text;
}

static bool concerns(const struct listing_query *q, const char *local, const char *remote)
{
    return text_eq(local, q->domain) && (!q->key || text_eq(remote, q->key));
}

static void add_pair(struct listing_query *q, const struct s2s_pair *p)
{
    struct s2s_pair_look look;
    s2s_pair_look(p, &look);
    struct listing_row *row = concerns(q, look.local, look.remote) ? listing_add(q) : NULL;
    if (!row)
        return;
    row->cells[0] = arena_dup(&q->arena, look.remote);
    row->cells[1] = "out";
    row->cells[2] = lower(q, look.state);
    row->cells[3] = listing_number(q, look.waiting);
    row->cells[4] = listing_number(q, look.unconfirmed);
    row->cells[5] = look.more_in_store ? "yes" : "no";
    row->cells[6] = arena_dup_or_null(&q->arena, look.error);
    if (look.by_peers_stream || look.our_proof != S2S_PROOF_NONE) {
        row->cells[7] = look.by_peers_stream ? "theirs, both ways" : look.both_ways ? "ours, both ways" : "ours";
        row->cells[8] = s2s_proof_name(look.peers_proof);
        row->cells[9] = look.by_peers_stream ? NULL : s2s_proof_name(look.our_proof);
    }
}

static void add_proved(void *user, const struct s2s_in_look *look)
{
    struct listing_query *q = user;
    struct listing_row *row = concerns(q, look->local, look->remote) ? listing_add(q) : NULL;
    if (!row)
        return;
    row->cells[0] = arena_dup_or_null(&q->arena, look->remote);
    row->cells[1] = "in";
    row->cells[2] = lower(q, look->state);
    row->cells[7] = look->both_ways ? "theirs, both ways" : "theirs";
    row->cells[8] = s2s_proof_name(look->how);
}

static void walk_shard(struct command *cmd)
{
    struct listing_query *q = container_of(cmd, struct listing_query, cmd);
    struct walk *w = q->giver;
    struct s2s_shard *sh = &w->s2s->shards[w->shard];
    struct s2s_pair *p;
    for (size_t i = 0; (p = map_next(&sh->pairs, &i));)
        add_pair(q, p);
    list_each(node, &sh->ins)
        s2s_in_each_proved(s2s_in_from_node(node), add_proved, q);
    if (++w->shard < w->s2s->o.loop_count)
        loop_post(w->s2s->shards[w->shard].loop, &q->cmd);
    else
        listing_end(q, NULL);
}

static void ask(const struct listing *l, struct listing_query *q)
{
    struct walk *w = arena_new(&q->arena, struct walk);
    w->s2s = l->of;
    q->giver = w;
    q->cmd.run = walk_shard;
    loop_post(w->s2s->shards[0].loop, &q->cmd);
}

struct listing s2s_listing(struct s2s *s)
{
    return (struct listing){.name = "communities", .columns = columns, .ask = ask, .of = s};
}
