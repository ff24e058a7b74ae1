/* SPDX-License-Identifier: MIT */
/* Decided here: what is asked of the service and when again. All is asked anew each hour: who subscribed is forgotten
 * by services that restart, and what was told while there was no way between us is lost. Ids that are no hash are left
 * out. */
#include "s2s/s2s_block_list.h"

#include <string.h>

#include "gateway/base/map.h"
#include "gateway/base/mem.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"
#include "s2s/s2s_deny_list.h"
#include "s2s/s2s_errand.h"
#include "s2s/s2s_internal.h"
#include "s2s/s2s_policy.h"

#define RESOURCE "block-lists" /* of our domain: what is said to it is for us */

enum {
    ANSWER_MS = 30000,
    AGAIN_FIRST_MS = 15000, /* after a failure, and twice as long after each more */
    AGAIN_LAST_MS = 480000,
    REFRESH_MS = 3600000,
    TOGETHER_MS = 1000,    /* changes that come together make one new list */
    ENTRIES_MAX = 200000,
};

struct block_list {
    struct list node;
    struct s2s *s2s;
    const char *name;           /* "SERVICE/NODE"; with the rest in `arena` */
    const char *service, *item_node;
    const char *local;          /* who asks */
    struct arena arena;
    uint64_t again_ms;          /* what was waited after the last failure; 0: it did not fail */
    char asked[RANDOM_ID_LEN + 1]; /* for the items; "": nothing is */
    struct map entries;         /* hash -> itself */
    struct timer timer;         /* to ask again */
    struct timer together;
};

/* ---- what it has ---- */

static void forget_entries(struct block_list *b)
{
    char *entry;
    for (size_t i = 0; (entry = map_next(&b->entries, &i));)
        mem_free(entry);
    map_fini(&b->entries);
    b->entries = MAP_EMPTY;
}

static void add_entry(struct block_list *b, const char *id)
{
    char hash[S2S_HASH_TEXT + 1];
    if (!id || !s2s_deny_list_read_hash(hash, id) || map_get(&b->entries, hash) || b->entries.count >= ENTRIES_MAX)
        return;
    char *entry = mem_dup(hash);
    map_put(&b->entries, entry, entry);
}

static void remove_entry(struct block_list *b, const char *id)
{
    char hash[S2S_HASH_TEXT + 1];
    if (id && s2s_deny_list_read_hash(hash, id))
        mem_free(map_remove(&b->entries, hash));
}

static void publish(struct block_list *b)
{
    struct bytes text = BYTES_EMPTY;
    const char *entry;
    for (size_t i = 0; (entry = map_next(&b->entries, &i));)
        bytes_printf(&text, "%s\n", entry);
    struct s2s_deny_list *l = s2s_deny_list_read(b->name, text.data, text.len, NULL, NULL);
    log_info(NULL, "block list %s: %zu entries", b->name, s2s_deny_list_count(l));
    s2s_policy_set_list(b->s2s, l);
    s2s_deny_list_unref(&l);
    bytes_fini(&text);
}

static void on_together(struct timer *t)
{
    publish(container_of(t, struct block_list, together));
}

/* ---- asking ---- */

static void ask(struct block_list *b);
static void ask_again_in(struct block_list *b, uint64_t ms);

static void failed(struct block_list *b)
{
    b->asked[0] = '\0';
    b->again_ms = b->again_ms ? b->again_ms * 2 : AGAIN_FIRST_MS;
    if (b->again_ms > AGAIN_LAST_MS)
        b->again_ms = AGAIN_LAST_MS;
    ask_again_in(b, b->again_ms);
}

static void on_time(struct timer *t)
{
    struct block_list *b = container_of(t, struct block_list, timer);
    if (!b->asked[0]) {
        ask(b);
        return;
    }
    log_warn(NULL, "block list %s: no answer; `causewayctl federation explain %s` may say why", b->name, b->service);
    failed(b);
}

static void ask_again_in(struct block_list *b, uint64_t ms)
{
    timer_start(&b->timer, b->s2s->shards[0].loop, ms, on_time);
}

static void begin_iq(struct builder *x, const struct block_list *b, struct arena *a, enum stanza_type type,
                     const char *id)
{
    build_begin(x, STANZA_IQ, type);
    build_from(x, jid_parse_text(a, arena_printf(a, "%s/" RESOURCE, b->local)));
    build_to(x, jid_parse_text(a, b->service));
    build_id(x, id);
    build_open(x, "pubsub", NS_PUBSUB);
}

static void send_iq(struct builder *x, const struct block_list *b)
{
    build_close(x);
    struct stanza *st = build_end(x);
    s2s_errand_send(b->s2s, st, (struct queue_id){0});
    stanza_unref(&st);
}

static void ask(struct block_list *b)
{
    struct builder x;
    struct arena a;
    char id[RANDOM_ID_LEN + 1];
    arena_init(&a);
    if (!exchange_is_local_domain(b->s2s->o.exchange, b->local)) {
        arena_fini(&a);
        return; /* whoever names it next asks (s2s_block_list_want) */
    }
    random_id(id);
    begin_iq(&x, b, &a, IQ_SET, id);
    build_open(&x, "subscribe", NULL);
    build_attr(&x, "node", b->item_node);
    build_attr(&x, "jid", arena_printf(&a, "%s/" RESOURCE, b->local));
    build_close(&x);
    send_iq(&x, b);
    random_id(b->asked);
    begin_iq(&x, b, &a, IQ_GET, b->asked);
    build_open(&x, "items", NULL);
    build_attr(&x, "node", b->item_node);
    build_close(&x);
    send_iq(&x, b);
    arena_fini(&a);
    ask_again_in(b, ANSWER_MS);
}

/* ---- being told ---- */

static const struct element *items_of(const struct block_list *b, const struct stanza *st, const char *name,
                                      const char *ns)
{
    const struct element *around = stanza_child(st, name, ns);
    for (const struct element *e = around ? around->first_child : NULL; e; e = e->next)
        if (text_eq(element_attr(e, "node"), b->item_node))
            return e;
    return NULL;
}

static void take_items(struct block_list *b, const struct stanza *st)
{
    const struct element *items = items_of(b, st, "pubsub", NS_PUBSUB);
    if (st->type != IQ_RESULT || !items) {
        log_warn(NULL, "block list %s: %s does not give it", b->name, b->service);
        failed(b);
        return;
    }
    b->asked[0] = '\0';
    b->again_ms = 0;
    ask_again_in(b, REFRESH_MS);
    forget_entries(b);
    for (const struct element *e = items->first_child; e; e = e->next)
        if (text_eq(e->name, "item"))
            add_entry(b, element_attr(e, "id"));
    publish(b);
}

static void take_event(struct block_list *b, const struct stanza *st)
{
    const struct element *items = items_of(b, st, "event", NS_PUBSUB_EVENT);
    if (!items)
        return;
    if (text_eq(items->name, "purge") || text_eq(items->name, "delete"))
        forget_entries(b);
    for (const struct element *e = items->first_child; e; e = e->next) {
        const char *id = element_attr(e, "id");
        if (text_eq(e->name, "item"))
            add_entry(b, id);
        else if (text_eq(e->name, "retract"))
            remove_entry(b, id);
    }
    if (!timer_is_running(&b->together))
        timer_start(&b->together, b->s2s->shards[0].loop, TOGETHER_MS, on_together);
}

static void take(struct s2s *s, const struct stanza *st)
{
    list_each(node, &s->block_lists) {
        struct block_list *b = list_entry(node, struct block_list, node);
        if (!text_eq(st->from->full, b->service))
            continue;
        if (st->kind == STANZA_IQ && b->asked[0] && text_eq(st->id, b->asked))
            take_items(b, st);
        else if (st->kind == STANZA_MESSAGE)
            take_event(b, st);
    }
}

struct told {
    struct command cmd;
    struct s2s *s2s;
    struct stanza *st;
};

static void run_told(struct command *cmd)
{
    struct told *t = container_of(cmd, struct told, cmd);
    if (!t->s2s->shards[0].stopping)
        take(t->s2s, t->st);
    stanza_unref(&t->st);
    mem_free(t);
}

bool s2s_block_list_take(struct s2s *s, struct stanza *st)
{
    bool is_news = stanza_is_answer(st) || st->kind == STANZA_MESSAGE;
    if (!is_news || st->to->local || !text_eq(st->to->resource, RESOURCE))
        return false;
    struct told *t = mem_new(struct told);
    *t = (struct told){.cmd.run = run_told, .s2s = s, .st = stanza_ref(st)};
    loop_post(s->shards[0].loop, &t->cmd);
    return true;
}

/* ---- life ---- */

static struct block_list *find(struct s2s *s, const char *name)
{
    list_each(node, &s->block_lists)
        if (text_eq(list_entry(node, struct block_list, node)->name, name))
            return list_entry(node, struct block_list, node);
    return NULL;
}

static void want(struct s2s *s, const char *local, const char *name)
{
    struct block_list *b = find(s, name);
    const char *slash = strchr(name, '/');
    if (!slash)
        return;
    if (b && timer_is_running(&b->timer) && exchange_is_local_domain(s->o.exchange, b->local))
        return;
    if (!b) {
        b = mem_new(struct block_list);
        b->s2s = s;
        arena_init(&b->arena);
        b->name = arena_dup(&b->arena, name);
        b->service = arena_dup_n(&b->arena, name, (size_t)(slash - name));
        b->item_node = arena_dup(&b->arena, slash + 1);
        list_append(&s->block_lists, &b->node);
    }
    b->local = arena_dup(&b->arena, local);
    ask(b);
}

struct wish {
    struct command cmd;
    struct s2s *s2s;
    char *name;
    char local[];
};

static void run_wish(struct command *cmd)
{
    struct wish *w = container_of(cmd, struct wish, cmd);
    if (!w->s2s->shards[0].stopping)
        want(w->s2s, w->local, w->name);
    mem_free(w->name);
    mem_free(w);
}

void s2s_block_list_want(struct s2s *s, const struct s2s_community *c)
{
    for (const char *const *name = c->block_lists; name && *name; name++) {
        size_t size = strlen(c->domain) + 1;
        struct wish *w = mem_alloc(sizeof *w + size);
        *w = (struct wish){.cmd.run = run_wish, .s2s = s, .name = mem_dup(*name)};
        memcpy(w->local, c->domain, size);
        loop_post(s->shards[0].loop, &w->cmd);
    }
}

void s2s_block_list_stop(struct s2s *s)
{
    list_each(node, &s->block_lists) {
        struct block_list *b = list_entry(node, struct block_list, node);
        timer_stop(&b->timer);
        timer_stop(&b->together);
    }
}

void s2s_block_list_fini(struct s2s *s)
{
    list_each(node, &s->block_lists) {
        struct block_list *b = list_entry(node, struct block_list, node);
        list_remove(&b->node);
        forget_entries(b);
        arena_fini(&b->arena);
        mem_free(b);
    }
}
