/* SPDX-License-Identifier: MIT */
/* Attached services (XEP-0114). Decided here: who may attach (one at a time, who knows the secret), and what a
 * service may say: stanzas from its own domain, to anybody.
 *
 * A second one with the right secret is refused (conflict): two of them would turn each other out for ever, and
 * who started the second sees why. But the first is asked whether it lives, for a connection that is dead in the
 * middle holds nobody up. A service that leaves a ping unanswered and never answered any is taken to know none:
 * what is written to it counts as taken, for there is nothing else to go by. */
#include "s2s/s2s_component.h"

#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/component_key.h"
#include "gateway/xmpp/ns.h"
#include "s2s/s2s_component_way.h"
#include "s2s/s2s_intake.h"
#include "s2s/s2s_internal.h"

enum {
    HEADER_TIMEOUT_MS = 30000,
    HANDSHAKE_MS = 30000,
    ALIVE_MS = 20000, /* what the first has to answer in, when a second one comes */
    LOOK_MS = 60000,  /* how often it is seen whether something has waited too long */
    ANSWERS_MAX_BYTES = 16 * 1024 * 1024, /* that a service has not read; then it is cut */
};

/* clang-format off */
#define GUEST_STATES(S) /* name may be followed by                                            */ \
    S(STRANGER, TO(TRUSTED) | TO(CLOSING) | TO(ENDED)) /* header and handshake are awaited    */ \
    S(TRUSTED,  TO(CLOSING) | TO(ENDED))               /* it is its component's               */ \
    S(CLOSING,  TO(ENDED))                             /* we have ended it                    */ \
    S(ENDED,    0)                                     /* what it brought waits to be settled */
/* clang-format on */

#define TO(name) (1u << GUEST_##name)
enum guest_state {
#define S(name, next) GUEST_##name,
    GUEST_STATES(S)
#undef S
};
static const unsigned may_follow[] = {
#define S(name, next) next,
    GUEST_STATES(S)
#undef S
};
#undef TO

struct component {
    struct s2s_component_side side; /* first: its ways know it by that */
    struct s2s_components *all;
    char *domain, *secret; /* owned */
    struct guest *guest;   /* TRUSTED; NULL: it is not there */
    struct map ways;       /* domain of the sender -> struct s2s_component_way; owned */
    bool has_answered;     /* a ping, on the stream that is there */
    bool is_leaving;       /* removed; freed when nobody holds it */
    struct list node;      /* while it is leaving */
};

/* A connection. */
struct guest {
    enum guest_state state;
    struct list node;
    struct s2s_components *all;
    struct component *c; /* whose header it sent; NULL: none yet, or it was removed */
    struct listener *door;
    struct sockaddr_storage peer;
    struct stream *stream; /* NULL: ENDED */
    char id[RANDOM_ID_LEN + 1];
    struct s2s_intake intake;
    struct timer timer; /* STRANGER: for the handshake; TRUSTED: it is asked whether it lives */
    char question[RANDOM_ID_LEN + 1]; /* id of that ping; "": none was sent */
};

struct s2s_components {
    struct s2s_shard *shard;
    struct map by_domain; /* struct component; owned */
    struct list leaving;  /* of struct component */
    struct list guests;
    struct listener **doors; /* one an address of the options; NULL: closed */
    struct timer look;
    bool stopping;
};

static void enter(struct guest *g, enum guest_state next)
{
    CHECK(may_follow[g->state] & 1u << next);
    g->state = next;
    timer_stop(&g->timer);
    if (next == GUEST_CLOSING || next == GUEST_ENDED)
        s2s_intake_stop(&g->intake);
}

static void each_way(struct component *c, void (*act)(struct s2s_component_way *w))
{
    struct s2s_component_way *w;
    for (size_t i = 0; (w = map_next(&c->ways, &i));)
        act(w);
}

/* ---- the end of a connection ---- */

/* From here on nothing is sent; what was and is not confirmed waits for the next one. */
static void detach(struct component *c, bool faulted)
{
    struct s2s_component_way *w;
    c->guest = NULL;
    c->side.stream = NULL;
    for (size_t i = 0; (w = map_next(&c->ways, &i));)
        s2s_component_way_interrupt(w, faulted);
}

static void guest_close(struct guest *g, enum stream_error e, const char *text)
{
    if (g->state == GUEST_CLOSING || g->state == GUEST_ENDED)
        return;
    if (e != STREAM_OK)
        log_warn(stream_log(g->stream), "%s: %s", stream_error_name(e), text);
    if (g->state == GUEST_TRUSTED && g->c)
        detach(g->c, false);
    enter(g, GUEST_CLOSING);
    stream_close(g->stream, e, text);
}

static void guest_free(struct guest *g)
{
    struct s2s_shard *sh = g->all->shard;
    timer_stop(&g->timer);
    list_remove(&g->node);
    mem_free(g);
    s2s_shard_check_stopped(sh);
}

static void on_empty(struct s2s_intake *in)
{
    struct guest *g = container_of(in, struct guest, intake);
    if (g->state == GUEST_ENDED)
        guest_free(g);
}

static void on_end(struct stream *st, const struct stream_end *end)
{
    struct guest *g = stream_user(st);
    log_info(stream_log(st), "ended: %s", end->text);
    if (g->state == GUEST_TRUSTED && g->c)
        detach(g->c, end->received != STREAM_OK);
    enter(g, GUEST_ENDED);
    g->stream = NULL;
    if (!g->all->stopping) /* else the doors are closed */
        listener_forget(g->door, (const struct sockaddr *)&g->peer);
    if (s2s_intake_is_empty(&g->intake))
        guest_free(g);
}

/* ---- header and handshake ---- */

static void on_no_handshake(struct timer *t)
{
    guest_close(container_of(t, struct guest, timer), STREAM_CONNECTION_TIMEOUT, "no handshake in time");
}

static void on_header(struct stream *st, const struct stream_header *h)
{
    struct guest *g = stream_user(st);
    struct arena a;
    arena_init(&a);
    const char *to = jid_parse_domain(&a, h->to);
    g->c = to ? map_get(&g->all->by_domain, to) : NULL;
    random_id(g->id);
    stream_send_header(st, g->c ? g->c->domain : NULL, NULL, g->id, NULL, NULL);
    log_ctx_set(stream_log(st), "component %s %s", stream_peer_text(st), g->c ? g->c->domain : "?");
    if (!g->c)
        guest_close(g, STREAM_HOST_UNKNOWN, "no component of that name is configured here");
    arena_fini(&a);
}

static void on_dead(struct timer *t)
{
    guest_close(container_of(t, struct guest, timer), STREAM_CONNECTION_TIMEOUT, "it was asked whether it lives");
}

static void ask_whether_it_lives(struct guest *g)
{
    if (timer_is_running(&g->timer))
        return;
    random_id(g->question);
    stream_send_text(g->stream, "<iq type='get' id='%s' from='%s' to='%s'><ping xmlns='" NS_PING "'/></iq>",
                     g->question, g->c->domain, g->c->domain);
    timer_start(&g->timer, g->all->shard->loop, ALIVE_MS, on_dead);
}

static void attach(struct guest *g)
{
    struct component *c = g->c;
    enter(g, GUEST_TRUSTED);
    c->guest = g;
    c->side.stream = g->stream;
    c->side.takes_no_pings = c->has_answered = false;
    stream_set_limits(g->stream, XML_LIMITS_DEFAULT);
    stream_send_text(g->stream, "<handshake/>");
    log_info(stream_log(g->stream), "attached");
    each_way(c, s2s_component_way_go_on);
}

static void on_handshake(struct guest *g, const char *key)
{
    if (!component_key_check(key, g->id, g->c->secret)) {
        guest_close(g, STREAM_NOT_AUTHORIZED, "the handshake is not of the secret that is configured here");
    } else if (g->c->guest) {
        ask_whether_it_lives(g->c->guest);
        guest_close(g, STREAM_CONFLICT, "this component is attached already");
    } else {
        attach(g);
    }
}

/* ---- what it says ---- */

/* The stream error for a stanza that may not be here; STREAM_OK: it may. */
static enum stream_error check(const struct guest *g, const struct stanza *st, const char **text)
{
    *text = "the handshake comes first";
    if (g->state != GUEST_TRUSTED)
        return STREAM_NOT_AUTHORIZED;
    *text = "every stanza of a component needs from and to";
    if (!st->from || !st->to)
        return STREAM_IMPROPER_ADDRESSING;
    *text = "from is not of the component's domain";
    return text_eq(st->from->domain, g->c->domain) ? STREAM_OK : STREAM_INVALID_FROM;
}

/* It answers the ping that one of its ways has asked, or ours. */
static bool answers_us(struct guest *g, const struct stanza *st)
{
    struct component *c = g->c;
    struct s2s_component_way *w;
    if (!stanza_is_answer(st) || !st->id || st->from->local)
        return false;
    if (g->question[0] && text_eq(st->id, g->question))
        return true;
    w = map_get(&c->ways, st->to->domain);
    bool answers = w && s2s_component_way_answer(w, st->id);
    c->has_answered = c->has_answered || answers;
    return answers;
}

static void on_nonza(struct guest *g, const struct stanza *st)
{
    const struct element *root = st->payload->root;
    if (element_is(root, "handshake", NS_COMPONENT) || element_is(root, "handshake", NULL)) {
        if (g->state == GUEST_STRANGER)
            on_handshake(g, root->text);
        else
            guest_close(g, STREAM_POLICY_VIOLATION, "a second handshake");
    } else if (element_is(root, "error", NS_STREAM)) {
        log_info(stream_log(g->stream), "it reports a stream error");
    } else {
        guest_close(g, STREAM_UNSUPPORTED_STANZA_TYPE, "that element is not understood here");
    }
}

static void on_stanza(struct stream *stream, struct stanza *st)
{
    struct guest *g = stream_user(stream);
    const char *text;
    enum stream_error e;
    if (g->state == GUEST_TRUSTED)
        timer_stop(&g->timer); /* it lives */
    if (st->kind == STANZA_NONZA)
        on_nonza(g, st);
    else if ((e = check(g, st, &text)) != STREAM_OK)
        guest_close(g, e, text);
    else if (!answers_us(g, st))
        s2s_intake_take(&g->intake, st, NULL);
    stanza_unref(&st);
}

static void on_drained(struct stream *st)
{
    struct guest *g = stream_user(st);
    if (g->state == GUEST_TRUSTED)
        each_way(g->c, s2s_component_way_go_on);
}

static const struct stream_policy policy = {
    .content_ns = NS_COMPONENT,
    .receiving = true,
    .on_header = on_header,
    .on_stanza = on_stanza,
    .on_drained = on_drained,
    .on_end = on_end,
};

/* ---- doors ---- */

struct door {
    struct s2s_components *all;
    unsigned index;
};

static void on_accept(void *user, uv_os_sock_t fd)
{
    static const struct wire_events none = {0};
    struct door *d = user;
    struct s2s_components *k = d->all;
    struct guest *g = mem_new(struct guest);
    struct wire *w = wire_open(k->shard->loop, fd, &none, NULL);
    g->all = k;
    g->door = k->doors[d->index];
    g->peer = listener_peer(g->door);
    list_append(&k->guests, &g->node);
    g->stream = stream_open(w, &policy, g, XML_LIMITS_BEFORE_AUTH, HEADER_TIMEOUT_MS);
    s2s_intake_init(&g->intake, k->shard, g->stream, on_empty);
    log_ctx_set(stream_log(g->stream), "component %s", stream_peer_text(g->stream));
    timer_start(&g->timer, k->shard->loop, HANDSHAKE_MS, on_no_handshake);
}

static void close_doors(struct s2s_components *k)
{
    const struct s2s_options *o = &k->shard->s2s->o;
    for (unsigned i = 0; k->doors && i < o->component_listener_count; i++)
        listener_close(&k->doors[i]);
}

static bool open_doors(struct s2s_components *k, struct error *e)
{
    struct s2s *s = k->shard->s2s;
    if (!k->doors)
        k->doors = arena_alloc(&s->arena, (s->o.component_listener_count + 1) * sizeof *k->doors);
    for (unsigned i = 0; i < s->o.component_listener_count; i++) {
        const struct s2s_listener *l = &s->o.component_listeners[i];
        struct door *d = arena_new(&s->arena, struct door);
        *d = (struct door){k, i};
        if (k->doors[i])
            continue;
        k->doors[i] = listener_open(k->shard->loop, l->address, l->port, s->o.per_address_max, on_accept, d, e);
        if (!k->doors[i]) {
            close_doors(k);
            return error_wrap(e, "components");
        }
    }
    return true;
}

/* ---- components ---- */

static void component_free(struct component *c)
{
    struct s2s_component_way *w;
    list_remove(&c->node);
    for (size_t i = 0; (w = map_next(&c->ways, &i));)
        s2s_component_way_destroy(&w);
    map_fini(&c->ways);
    s2s_attempts_fini(&c->side.away);
    mem_wipe(c->secret, strlen(c->secret));
    mem_free(c->secret);
    mem_free(c->domain);
    mem_free(c);
}

static bool is_read(const struct component *c)
{
    const struct s2s_component_way *w;
    for (size_t i = 0; (w = map_next(&c->ways, &i));)
        if (s2s_component_way_is_read(w))
            return true;
    return false;
}

/* Ways that nobody needs leave; true: the walk must begin again. */
static bool drop_one(struct component *c)
{
    struct s2s_component_way *w;
    for (size_t i = 0; (w = map_next(&c->ways, &i));)
        if (s2s_component_way_is_done(w)) {
            map_remove(&c->ways, s2s_component_way_from(w));
            s2s_component_way_destroy(&w);
            return true;
        }
    return false;
}

static void on_look(struct timer *t)
{
    struct s2s_components *k = container_of(t, struct s2s_components, look);
    struct component *c;
    list_each(node, &k->leaving)
        if (!is_read(list_entry(node, struct component, node)))
            component_free(list_entry(node, struct component, node));
    for (size_t i = 0; (c = map_next(&k->by_domain, &i));) {
        each_way(c, s2s_component_way_look);
        while (drop_one(c))
            ;
    }
    timer_start(&k->look, k->shard->loop, LOOK_MS, on_look);
}

static void on_silence(struct s2s_component_side *side)
{
    struct component *c = container_of(side, struct component, side);
    if (!c->guest)
        return;
    if (c->has_answered) {
        guest_close(c->guest, STREAM_CONNECTION_TIMEOUT, "no answer to a ping");
        return;
    }
    log_warn(stream_log(c->guest->stream),
             "it answers no pings (XEP-0199), so nobody can tell what it has: what is written to it counts as taken");
    side->takes_no_pings = true;
    each_way(c, s2s_component_way_confirm);
}

bool s2s_components_add(struct s2s_components *k, const char *domain, const char *secret, struct error *e)
{
    if (!open_doors(k, e))
        return false;
    struct component *c = mem_new(struct component);
    c->all = k;
    c->domain = mem_dup(domain);
    c->secret = mem_dup(secret);
    c->side.shard = k->shard;
    c->side.on_silence = on_silence;
    s2s_attempts_failed(&c->side.away, S2S_TIMEOUT, "that service is not there at the moment");
    CHECK(!map_put(&k->by_domain, c->domain, c));
    if (!timer_is_running(&k->look))
        timer_start(&k->look, k->shard->loop, LOOK_MS, on_look);
    return true;
}

void s2s_components_remove(struct s2s_components *k, const char *domain)
{
    struct component *c = map_remove(&k->by_domain, domain);
    if (!c)
        return;
    each_way(c, s2s_component_way_stop);
    list_each(node, &k->guests) {
        struct guest *g = list_entry(node, struct guest, node);
        if (g->c != c)
            continue;
        guest_close(g, STREAM_HOST_GONE, "that component is not served here any more");
        g->c = NULL;
    }
    list_append(&k->leaving, &c->node);
}

/* ---- what is for them ---- */

static struct s2s_component_way *way_of(struct s2s_components *k, const char *from, const char *domain)
{
    struct component *c = map_get(&k->by_domain, domain);
    struct s2s_component_way *w = c ? map_get(&c->ways, from) : NULL;
    if (!c || w)
        return w;
    w = s2s_component_way_create(&c->side, from, domain);
    map_put(&c->ways, s2s_component_way_from(w), w);
    return w;
}

bool s2s_components_send(struct s2s_components *k, const char *from, const char *domain, struct stanza *st,
                         struct queue_id id)
{
    struct s2s_component_way *w = way_of(k, from, domain);
    struct component *c = map_get(&k->by_domain, domain);
    if (!w)
        return false;
    s2s_component_way_send(w, st, id);
    if (c->guest && stream_queued(c->side.stream) > ANSWERS_MAX_BYTES)
        guest_close(c->guest, STREAM_RESOURCE_CONSTRAINT, "it does not read what it is sent");
    return true;
}

void s2s_components_wake(struct s2s_components *k, const char *from, const char *domain)
{
    struct s2s_component_way *w = way_of(k, from, domain);
    if (w)
        s2s_component_way_wake(w);
}

void s2s_components_gate_open(struct s2s_components *k)
{
    list_each(node, &k->guests)
        s2s_intake_gate_open(&list_entry(node, struct guest, node)->intake);
}

/* ---- beginning and end ---- */

struct s2s_components *s2s_components_create(struct s2s_shard *sh)
{
    struct s2s_components *k = mem_new(struct s2s_components);
    k->shard = sh;
    list_init(&k->guests);
    list_init(&k->leaving);
    return k;
}

void s2s_components_stop(struct s2s_components *k)
{
    struct component *c;
    k->stopping = true;
    timer_stop(&k->look);
    close_doors(k);
    for (size_t i = 0; (c = map_next(&k->by_domain, &i));)
        each_way(c, s2s_component_way_stop);
}

void s2s_components_close(struct s2s_components *k)
{
    list_each(node, &k->guests)
        guest_close(list_entry(node, struct guest, node), STREAM_SYSTEM_SHUTDOWN, "the server is shutting down");
}

bool s2s_components_are_still(const struct s2s_components *k)
{
    return list_is_empty(&k->guests);
}

void s2s_components_destroy(struct s2s_components **kp)
{
    struct s2s_components *k = *kp;
    struct component *c;
    *kp = NULL;
    if (!k)
        return;
    CHECK(list_is_empty(&k->guests));
    timer_stop(&k->look);
    close_doors(k);
    list_each(node, &k->leaving)
        component_free(list_entry(node, struct component, node));
    for (size_t i = 0; (c = map_next(&k->by_domain, &i));)
        component_free(c);
    map_fini(&k->by_domain);
    mem_free(k);
}
