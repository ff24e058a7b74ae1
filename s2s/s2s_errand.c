/* SPDX-License-Identifier: MIT */
/* Decided here: which errands make a pair that is not there. */
#include "s2s/s2s_errand.h"

#include <string.h>

#include "gateway/base/mem.h"
#include "s2s/s2s_component.h"
#include "s2s/s2s_internal.h"
#include "s2s/s2s_pair.h"
#include "s2s/s2s_way.h"

struct errand {
    struct command cmd;
    struct s2s_shard *shard;
    void (*tell)(struct s2s_pair *p, const struct errand *er);
    bool makes_pair;
    struct stanza *st;  /* to send; else NULL */
    struct queue_id id; /* of `st` */
    char *answer_id;    /* of an answer; else NULL */
    char *remote;       /* in `local` */
    char local[];       /* LOCAL \0 REMOTE \0 */
};

static void errand_free(struct errand *er)
{
    stanza_unref(&er->st);
    mem_free(er->answer_id);
    mem_free(er);
}

static void post(struct errand *er);

/* What is for a service that is attached here; it may have been attached since the errand began. */
static void run_for_component(struct errand *er)
{
    struct s2s *s = er->shard->s2s;
    if (er->shard->index) {
        er->shard = &s->shards[0];
        post(er);
        return;
    }
    if (er->st && !s2s_components_send(s->components, er->local, er->remote, er->st, er->id) && !er->id.seq)
        exchange_remote_failed(s->o.exchange, er->st, 0, STANZA_SERVICE_UNAVAILABLE, NULL);
    else if (er->makes_pair && !er->st)
        s2s_components_wake(s->components, er->local, er->remote);
    errand_free(er);
}

static void run_errand(struct command *c)
{
    struct errand *er = container_of(c, struct errand, cmd);
    struct s2s_shard *sh = er->shard;
    if (exchange_is_attached(sh->s2s->o.exchange, er->remote)) {
        run_for_component(er);
        return;
    }
    char name[S2S_WAY_NAME_MAX];
    s2s_way_name(name, er->local, er->remote);
    struct s2s_pair *p = map_get(&sh->pairs, name);
    if (!p && er->makes_pair && !sh->stopping)
        p = s2s_pair_create(sh, er->local, er->remote);
    if (p)
        er->tell(p, er);
    errand_free(er);
}

static struct errand *errand_new(struct s2s *s, const char *local, const char *remote,
                                 void (*tell)(struct s2s_pair *p, const struct errand *er))
{
    size_t local_len = strlen(local), remote_len = strlen(remote);
    struct errand *er = mem_alloc(sizeof *er + local_len + remote_len + 2);
    *er = (struct errand){.cmd.run = run_errand, .shard = s2s_shard_of(s, local, remote), .tell = tell};
    memcpy(er->local, local, local_len + 1);
    er->remote = er->local + local_len + 1;
    memcpy(er->remote, remote, remote_len + 1);
    return er;
}

static void post(struct errand *er)
{
    loop_post(er->shard->loop, &er->cmd);
}

static void tell_send(struct s2s_pair *p, const struct errand *er)
{
    s2s_pair_send(p, er->st, er->id);
}

void s2s_errand_send(struct s2s *s, struct stanza *st, struct queue_id id)
{
    struct errand *er = errand_new(s, st->from->domain, st->to->domain, tell_send);
    er->makes_pair = true;
    er->st = stanza_ref(st);
    er->id = id;
    post(er);
}

static void tell_wake(struct s2s_pair *p, const struct errand *er)
{
    (void)er;
    s2s_pair_wake(p);
}

void s2s_errand_wake(struct s2s *s, const char *local, const char *remote)
{
    struct errand *er = errand_new(s, local, remote, tell_wake);
    er->makes_pair = true;
    post(er);
}

static void tell_answer(struct s2s_pair *p, const struct errand *er)
{
    s2s_pair_answer(p, er->answer_id);
}

void s2s_errand_answer(struct s2s *s, const char *local, const char *remote, const char *id)
{
    struct errand *er = errand_new(s, local, remote, tell_answer);
    er->answer_id = mem_dup(id);
    post(er);
}

static void tell_alive(struct s2s_pair *p, const struct errand *er)
{
    (void)er;
    s2s_pair_peer_is_alive(p);
}

void s2s_errand_alive(struct s2s *s, const char *local, const char *remote)
{
    post(errand_new(s, local, remote, tell_alive));
}
