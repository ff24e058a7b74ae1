/* SPDX-License-Identifier: MIT */
/* Decided here: in which order rules are asked. What the admin says of one domain (`remote`) goes before what they say
 * of a community, and that before lists: so an allowed domain is not lost to somebody else's list. */
#include "s2s/s2s_policy.h"

#include <stdio.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "s2s/s2s_deny_list.h"
#include "s2s/s2s_in.h"
#include "s2s/s2s_internal.h"
#include "s2s/s2s_pair.h"

enum { STANZA_BYTES = 262144, RATES_MAX = 1024 };

/* ---- what holds on a shard ---- */

/* A community's policy, copied. */
struct terms {
    struct s2s_community c; /* texts in `arena` */
    struct arena arena;
};

static unsigned count_of(const char *const *list)
{
    unsigned n = 0;
    while (list && list[n])
        n++;
    return n;
}

/* Both, one behind the other. */
static const char *const *copy_lists(struct arena *a, const char *const *one, const char *const *other)
{
    unsigned n = count_of(one), m = count_of(other);
    const char **to = arena_alloc(a, (n + m + 1) * sizeof *to);
    for (unsigned i = 0; i < n + m; i++)
        to[i] = arena_dup(a, i < n ? one[i] : other[i - n]);
    to[n + m] = NULL;
    return to;
}

static struct terms *terms_new(const struct s2s_community *c)
{
    struct terms *t = mem_new(struct terms);
    arena_init(&t->arena);
    t->c = *c;
    t->c.domain = arena_dup(&t->arena, c->domain);
    t->c.allow = copy_lists(&t->arena, c->allow, NULL);
    t->c.deny = copy_lists(&t->arena, c->deny, NULL);
    t->c.deny_lists = copy_lists(&t->arena, c->deny_lists, c->block_lists);
    t->c.block_lists = NULL; /* who asks for them is another question */
    return t;
}

static void terms_free(struct terms *t)
{
    if (!t)
        return;
    arena_fini(&t->arena);
    mem_free(t);
}

static void put_terms(struct s2s_shard *sh, struct terms *t)
{
    terms_free(map_remove(&sh->communities, t->c.domain));
    map_put(&sh->communities, t->c.domain, t);
}

static void put_list(struct s2s_shard *sh, struct s2s_deny_list *l)
{
    struct s2s_deny_list *before = map_remove(&sh->deny_lists, s2s_deny_list_name(l));
    s2s_deny_list_unref(&before);
    map_put(&sh->deny_lists, s2s_deny_list_name(l), l);
}

void s2s_policy_begin(struct s2s_shard *sh, const struct s2s_community *communities, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        put_terms(sh, terms_new(&communities[i]));
}

/* ---- on every shard, while it runs ---- */

struct judged {
    const struct s2s_shard *shard;
    bool denied;
};

static void judge_proved(void *user, const struct s2s_in_look *look)
{
    struct judged *j = user;
    char text[S2S_POLICY_TEXT];
    if (look->how != S2S_PROOF_NONE)
        j->denied = j->denied || s2s_policy_denies(j->shard, look->local, look->remote, text);
}

static void judge_again(struct s2s_shard *sh)
{
    list_each(node, &sh->ins) {
        struct s2s_in *in = s2s_in_from_node(node);
        struct judged j = {.shard = sh};
        s2s_in_each_proved(in, judge_proved, &j);
        if (j.denied)
            s2s_in_close(in, STREAM_POLICY_VIOLATION, "our policy denies streams with your domain now");
    }
    struct s2s_pair *p;
    for (size_t i = 0; (p = map_next(&sh->pairs, &i));)
        s2s_pair_judge(p);
}

struct news {
    struct command cmd;
    struct s2s_shard *shard;
    struct terms *terms;        /* one of both */
    struct s2s_deny_list *list;
};

static void run_news(struct command *cmd)
{
    struct news *n = container_of(cmd, struct news, cmd);
    struct s2s_shard *sh = n->shard;
    if (n->terms)
        put_terms(sh, n->terms);
    else
        put_list(sh, n->list);
    mem_free(n);
    judge_again(sh);
}

static void post_news(struct s2s_shard *sh, struct terms *t, struct s2s_deny_list *l)
{
    struct news *n = mem_new(struct news);
    *n = (struct news){.cmd.run = run_news, .shard = sh, .terms = t, .list = l};
    loop_post(sh->loop, &n->cmd);
}

void s2s_policy_set_community(struct s2s *s, const struct s2s_community *c)
{
    for (unsigned i = 0; i < s->o.loop_count; i++)
        post_news(&s->shards[i], terms_new(c), NULL);
}

void s2s_policy_set_list(struct s2s *s, struct s2s_deny_list *l)
{
    for (unsigned i = 0; i < s->o.loop_count; i++)
        post_news(&s->shards[i], NULL, s2s_deny_list_ref(l));
}

/* ---- who ---- */

static const struct s2s_community *community_of(const struct s2s_shard *sh, const char *local)
{
    static const struct s2s_community ordinary = {0};
    const struct terms *t = local ? map_get(&sh->communities, local) : NULL;
    return t ? &t->c : &ordinary;
}

static bool names(const char *const *patterns, const char *domain)
{
    for (const char *const *p = patterns; p && *p; p++)
        if (s2s_deny_list_fits(*p, domain))
            return true;
    return false;
}

const char *s2s_policy_denies(const struct s2s_shard *sh, const char *local, const char *remote,
                              char out[S2S_POLICY_TEXT])
{
    const struct s2s_community *c = community_of(sh, local);
    if (s2s_remote_of(sh->s2s, remote)->deny)
        return "our policy denies streams with this domain";
    if (names(c->allow, remote))
        return NULL;
    if (names(c->deny, remote))
        return "our policy denies streams with this domain";
    if (c->listed_only) {
        snprintf(out, S2S_POLICY_TEXT, "%.100s federates only with domains that it lists", local);
        return out;
    }
    for (const char *const *name = c->deny_lists; name && *name; name++) {
        const struct s2s_deny_list *l = map_get(&sh->deny_lists, *name);
        if (l && s2s_deny_list_has_domain(l, remote))
            return "our policy denies streams with this domain, as a list of such domains says";
    }
    return NULL;
}

bool s2s_policy_wants_certificate(const struct s2s_shard *sh, const char *local, const char *remote)
{
    const struct s2s_remote *r = s2s_remote_of(sh->s2s, remote);
    if (r->certificate != S2S_CERTIFICATE_AS_COMMUNITY)
        return r->certificate == S2S_CERTIFICATE_REQUIRED;
    return community_of(sh, local)->certificate_required;
}

bool s2s_policy_denies_person(const struct s2s_shard *sh, const struct stanza *st)
{
    const struct s2s_community *c = community_of(sh, st->to->domain);
    for (const char *const *name = c->deny_lists; name && *name; name++) {
        const struct s2s_deny_list *l = map_get(&sh->deny_lists, *name);
        if (l && s2s_deny_list_has_person(l, st->from))
            return true;
    }
    return false;
}

/* ---- how much ---- */

size_t s2s_policy_stanza_bytes(const struct s2s *s, const char *remote)
{
    size_t own = remote ? s2s_remote_of(s, remote)->stanza_bytes : 0;
    return own ? own : s->o.stanza_bytes ? s->o.stanza_bytes : STANZA_BYTES;
}

void s2s_policy_set_limits(const struct s2s_shard *sh, struct stream *st, const char *remote)
{
    struct xml_limits l = XML_LIMITS_DEFAULT;
    size_t bytes = s2s_policy_stanza_bytes(sh->s2s, remote);
    l.stanza_bytes = bytes;
    stream_set_limits(st, l);
}

struct account {
    struct s2s_rate rate;
    char remote[];
};

static struct s2s_rate_limits limits_of(const struct s2s *s, const char *remote)
{
    struct s2s_rate_limits own = s2s_remote_of(s, remote)->rate, all = s->o.rate;
    return (struct s2s_rate_limits){own.stanzas_per_s ? own.stanzas_per_s : all.stanzas_per_s,
                                    own.bytes_per_s ? own.bytes_per_s : all.bytes_per_s};
}

/* Those that owe nothing need not be remembered; the others are as many as bring something now. */
static void forget_full(struct s2s_shard *sh, uint64_t now_ms)
{
    struct account *a;
    for (size_t i = 0; (a = map_next(&sh->rates, &i));)
        if (s2s_rate_is_full(&a->rate, now_ms)) {
            map_remove(&sh->rates, a->remote);
            mem_free(a);
            i = 0;
        }
}

uint64_t s2s_policy_spend(struct s2s_shard *sh, const char *remote, size_t bytes)
{
    struct s2s_rate_limits l = limits_of(sh->s2s, remote);
    uint64_t now_ms = clock_mono_ms(loop_clock(sh->loop));
    if (!l.stanzas_per_s && !l.bytes_per_s)
        return 0;
    struct account *a = map_get(&sh->rates, remote);
    if (!a) {
        if (sh->rates.count && sh->rates.count % RATES_MAX == 0)
            forget_full(sh, now_ms);
        a = mem_alloc(sizeof *a + strlen(remote) + 1);
        memcpy(a->remote, remote, strlen(remote) + 1);
        s2s_rate_init(&a->rate, l, now_ms);
        map_put(&sh->rates, a->remote, a);
    }
    return s2s_rate_spend(&a->rate, bytes, now_ms);
}

void s2s_policy_fini(struct s2s_shard *sh)
{
    struct account *a;
    for (size_t i = 0; (a = map_next(&sh->rates, &i));)
        mem_free(a);
    map_fini(&sh->rates);
    struct terms *t;
    for (size_t i = 0; (t = map_next(&sh->communities, &i));)
        terms_free(t);
    map_fini(&sh->communities);
    struct s2s_deny_list *l;
    for (size_t i = 0; (l = map_next(&sh->deny_lists, &i));)
        s2s_deny_list_unref(&l);
    map_fini(&sh->deny_lists);
}
