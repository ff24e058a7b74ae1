/* SPDX-License-Identifier: MIT */
/* Messaging sessions of one person: loading, admission, and what a keep carries. Consent and reach are
 * performed in session_consent.c and session_reach.c.
 *
 * Invariant: memory is changed when a write is asked, and writes run in the order in which they are
 * asked, so what is in memory is what the store will say when all that was asked is committed. */
#include "gateway/exchange/session.h"

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/exchange/blocklist.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/message.h"
#include "gateway/exchange/session_internal.h"
#include "gateway/exchange/session_text.h"
#include "gateway/xmpp/bare.h"
#include "gateway/xmpp/ns.h"

/* ---- one peer ---- */

void session_set_text(char **at, const char *text)
{
    char *old = *at; /* `text` may be the old one */
    *at = text ? mem_dup(text) : NULL;
    mem_free(old);
}

static void free_session(struct session *s)
{
    mem_free(s->peer);
    mem_free(s->asker);
    mem_free(s->asked);
    mem_free(s->excerpt);
    mem_free(s->lang);
    mem_free(s);
}

static struct session *find(struct sessions *ss, const char *peer)
{
    if (ss->recent && text_eq(ss->recent->peer, peer))
        return ss->recent;
    struct session *s = map_get(&ss->peers, peer);
    if (s)
        ss->recent = s;
    return s;
}

static struct session *of_sessions(struct sessions *ss, const char *peer)
{
    struct session *s = find(ss, peer);
    if (s)
        return s;
    s = mem_new(struct session);
    s->peer = mem_dup(peer);
    map_put(&ss->peers, s->peer, s);
    return s;
}

struct session *session_find(struct person *p, const char *peer)
{
    return find(p->sessions, peer);
}

struct session *session_of(struct person *p, const char *peer)
{
    return of_sessions(p->sessions, peer);
}

/* One above the highest: an old prompt that is answered late must not hit somebody else. */
unsigned session_next_number(struct person *p)
{
    unsigned highest = 0;
    struct session *s;
    for (size_t i = 0; (s = map_next(&p->sessions->peers, &i));)
        if (s->number > highest)
            highest = s->number;
    return highest + 1;
}

static unsigned code_number(const struct session *s)
{
    uint32_t n = 0;
    return s->code[0] && text_to_u32(s->code + 1, &n) ? n : 0;
}

const char *session_code(struct person *p, struct session *s)
{
    if (s->code[0])
        return s->code;
    unsigned highest = 0;
    struct session *other;
    for (size_t i = 0; (other = map_next(&p->sessions->peers, &i));)
        if (code_number(other) > highest)
            highest = code_number(other);
    char letter = s->peer[0] >= 'a' && s->peer[0] <= 'z' ? s->peer[0] : 'x';
    snprintf(s->code, sizeof s->code, "%c%u", letter, highest + 1);
    return s->code;
}

unsigned session_held_max(const struct person *p)
{
    return p->community->held_max ? p->community->held_max : SESSION_HELD_MAX;
}

int64_t session_now_us(const struct person *p)
{
    return clock_unix_us(loop_clock(p->loop));
}

struct consent_row session_consent_row(const struct person *p, const struct session *s, struct arena *a)
{
    return (struct consent_row){
        .peer = arena_dup(a, s->peer),
        .state = s->consent,
        .number = s->number,
        .held = s->held,
        .told = s->told,
        .prompted = s->prompted,
        .openly = s->openly,
        .nobody = p->state == PERSON_NOBODY,
        .expires_us = s->expires_us,
        .changed_us = session_now_us(p),
        .asker = arena_dup_or_null(a, s->asker),
        .asked = arena_dup_or_null(a, s->asked),
        .lang = arena_dup_or_null(a, s->lang),
        .excerpt = arena_dup_or_null(a, s->excerpt),
    };
}

struct session_row session_reach_row(const struct person *p, const struct session *s, struct arena *a)
{
    return (struct session_row){
        .peer = arena_dup(a, s->peer),
        .code = arena_dup(a, s->code),
        .reach = s->reach,
        .encrypted = s->sealed,
        .lang = arena_dup_or_null(a, s->lang),
        .changed_us = session_now_us(p),
    };
}

/* ---- loading ---- */

struct load {
    struct sessions_load l;
    struct person *p;
    char *callee;
    void (*on_loaded)(struct person *p, struct sessions *s);
};

static void fill_consent(struct sessions *ss, const struct consent_row *row)
{
    if (!consent_state_known(row->state)) {
        log_error(NULL, "%s: consent of %s is in the unknown state %lld: ignored", ss->p->jid->bare, row->peer,
                  (long long)row->state);
        return;
    }
    struct session *s = of_sessions(ss, row->peer);
    s->consent = (enum consent_state)row->state;
    s->number = (unsigned)row->number;
    s->held = (unsigned)row->held;
    s->told = row->told != 0;
    s->prompted = row->prompted != 0;
    s->openly = row->openly != 0;
    s->expires_us = row->expires_us;
    session_set_text(&s->asker, row->asker);
    session_set_text(&s->asked, row->asked);
    session_set_text(&s->lang, row->lang);
    session_set_text(&s->excerpt, row->excerpt);
    ss->open += s->expires_us != 0;
}

static void fill_session(struct sessions *ss, const struct session_row *row)
{
    struct session *s = of_sessions(ss, row->peer);
    s->reach = reach_state_known(row->reach) ? (enum reach_state)row->reach : REACH_STATE_LINKED;
    s->sealed = row->encrypted != 0;
    (void)text_copy(s->code, sizeof s->code, row->code);
    if (row->lang)
        session_set_text(&s->lang, row->lang);
}

static void on_load(struct store_job *job, const struct error *e)
{
    struct load *load = container_of(job, struct load, l.job);
    struct person *p = load->p;
    struct sessions *ss = NULL;
    if (e->code == ERROR_NONE) {
        ss = mem_new(struct sessions);
        ss->p = p;
        ss->prefs = load->l.prefs;
        blocklist_fill(ss, load->l.blocked, load->l.blocked_count);
        for (unsigned i = 0; i < load->l.consent_count; i++)
            fill_consent(ss, &load->l.consents[i]);
        for (unsigned i = 0; i < load->l.session_count; i++)
            fill_session(ss, &load->l.sessions[i]);
    } else {
        log_error(NULL, "%s: sessions could not be read: %s", load->callee, e->text);
    }
    void (*on_loaded)(struct person *, struct sessions *) = load->on_loaded;
    arena_fini(&load->l.arena);
    mem_free(load->callee);
    mem_free(load);
    on_loaded(p, ss);
}

void session_load(struct person *p, void (*on_loaded)(struct person *p, struct sessions *s))
{
    struct store *store = exchange_store(p->x);
    struct load *load = mem_new(struct load);
    load->p = p;
    load->callee = mem_dup(p->jid->bare);
    load->on_loaded = on_loaded;
    arena_init(&load->l.arena);
    load->l.callee = load->callee;
    load->l.job.reply_on = p->loop;
    load->l.job.done = on_load;
    load->l.job.must_see = store_ticket(store);
    sessions_load(store, &load->l);
}

void session_unload(struct sessions **ssp)
{
    struct sessions *ss = *ssp;
    *ssp = NULL;
    if (!ss)
        return;
    struct session *s;
    for (size_t i = 0; (s = map_next(&ss->peers, &i));)
        free_session(s);
    map_fini(&ss->peers);
    blocklist_fini(ss);
    mem_free(ss);
}

void session_ready(struct person *p)
{
    struct session *s;
    for (size_t i = 0; (s = map_next(&p->sessions->peers, &i));)
        if (s->expires_us && (!s->told || !s->prompted))
            session_consent_tell(p, s, !s->told, !s->prompted);
}

/* ---- admission ---- */

static bool is_stranger(struct person *p, const struct jid *from, const struct session *s)
{
    if (text_eq(from->domain, p->jid->domain) || exchange_is_attached(p->x, from->domain) ||
        (!from->local && exchange_is_local_domain(p->x, from->domain)))
        return false;
    if (p->state == PERSON_NOBODY)
        return true;
    if (s && (s->consent == CONSENT_ACCEPTED || s->iq_until_ms > loop_now_ms(p->loop)))
        return false;
    return !person_knows(p, from) && !person_directed_to(p, from);
}

bool session_is_stranger(struct person *p, const struct jid *from)
{
    return is_stranger(p, from, session_find(p, from->bare));
}

static enum strangers_policy policy_of(const struct person *p)
{
    int64_t own = p->sessions->prefs.strangers;
    return own == STRANGERS_ASK || own == STRANGERS_DELIVER || own == STRANGERS_REFUSE
               ? (enum strangers_policy)own
               : p->community->strangers;
}

static enum session_verdict refuse(enum stanza_error with, enum stanza_error *why)
{
    *why = with;
    return SESSION_REFUSE;
}

static bool may_open(struct person *p, const char *domain)
{
    unsigned count = 0;
    struct session *s;
    if (p->sessions->open < SESSION_DOMAIN_REQUESTS_MAX)
        return true;
    for (size_t i = 0; (s = map_next(&p->sessions->peers, &i));)
        count += s->expires_us && text_eq(bare_domain(s->peer), domain);
    return p->sessions->open < SESSION_REQUESTS_MAX && count < SESSION_DOMAIN_REQUESTS_MAX;
}

/* A request: may it be held? Limits are the same whether there is such an account or not. */
static enum session_verdict admit_request(struct person *p, const struct jid *from, const struct session *s,
                                          enum stanza_error *why)
{
    struct consent_facts f = {
        .held = s ? s->held : 0, .held_max = session_held_max(p), .openly = s && s->openly};
    struct consent_outcome o = consent_step(s ? s->consent : CONSENT_NONE, CONSENT_MESSAGE_EVENT, &f);
    if (o.effects & CONSENT_REFUSE)
        return refuse(o.error, why);
    if (o.effects & CONSENT_PASS)
        return SESSION_DELIVER;
    if ((o.effects & CONSENT_OPEN) && !may_open(p, from->domain))
        return refuse(STANZA_RESOURCE_CONSTRAINT, why);
    if (!session_sweep_room(p->x, from->domain))
        return refuse(STANZA_RESOURCE_CONSTRAINT, why);
    return SESSION_HOLD;
}

static enum session_verdict admit_stranger(struct person *p, const struct stanza *msg, const struct session *s,
                                           enum stanza_error *why)
{
    enum strangers_policy policy = policy_of(p);
    if (policy == STRANGERS_DELIVER)
        return p->state == PERSON_NOBODY ? refuse(STANZA_SERVICE_UNAVAILABLE, why) : SESSION_DELIVER;
    if (msg->type == MESSAGE_HEADLINE || stanza_child(msg, "event", NS_PUBSUB_EVENT))
        return refuse(STANZA_SERVICE_UNAVAILABLE, why);
    if (session_text_is_machine(msg) || !message_weigh(msg).says)
        return SESSION_DROP;
    if (policy == STRANGERS_REFUSE || session_text_is_delayed(msg))
        return refuse(STANZA_SERVICE_UNAVAILABLE, why);
    return admit_request(p, msg->from, s, why);
}

enum session_verdict session_admit(struct person *p, const struct stanza *msg, enum stanza_error *why)
{
    *why = STANZA_OK;
    if (!msg->from || jid_eq_bare(msg->from, p->jid))
        return SESSION_DELIVER;
    const struct session *s = session_find(p, msg->from->bare);
    if (session_blocks(p, msg->from))
        return refuse(STANZA_SERVICE_UNAVAILABLE, why);
    bool stranger = is_stranger(p, msg->from, s);
    /* RFC 6121 8.5.1, for those who are not asked to wait. */
    if (p->state == PERSON_NOBODY && (!stranger || msg->type == MESSAGE_GROUPCHAT))
        return refuse(STANZA_SERVICE_UNAVAILABLE, why);
    if (!stranger || msg->type == MESSAGE_GROUPCHAT)
        return SESSION_DELIVER;
    enum session_verdict v = admit_stranger(p, msg, s, why);
    if (v == SESSION_DROP)
        log_debug(NULL, "%s: nothing to ask about in a message of %s: dropped", p->jid->bare, msg->from->bare);
    return v;
}

bool session_blocks(struct person *p, const struct jid *peer)
{
    if (jid_eq_bare(peer, p->jid) || (!peer->local && text_eq(peer->domain, p->jid->domain)))
        return false; /* oneself, and one's own server: nobody else could undo it */
    const struct session *s = session_find(p, peer->bare);
    return (s && s->consent == CONSENT_BLOCKED) || blocklist_matches(p->sessions, peer);
}

/* ---- keeping ---- */

/* What a keep carries of the session. In the keep's arena. */
struct note {
    const char *callee;
    struct session *s;
    enum consent_state before; /* of a request that this message opened */
    enum reach_state reach_before;
    bool opened, prompts;
    bool may_reach;
    bool has_event;
    struct consent_row consent; /* peer NULL: nothing to put */
    struct session_event event;
};

static bool put_note(struct store_tx *tx, struct keep *k, struct error *e)
{
    struct note *n = k->also_user;
    if (n->consent.peer && !sessions_put_consent(tx, n->callee, &n->consent, e))
        return false;
    return !n->has_event || session_reach_put(tx, n->callee, &n->event, k->seq, k->kept_us, e);
}

static void note_event(struct person *p, struct note *n, const struct stanza *msg, enum reach_kind kind,
                       struct arena *a)
{
    n->may_reach = session_reach_may(p, msg);
    n->reach_before = n->s->reach;
    if (!n->may_reach || person_is_linked(p))
        return;
    n->has_event = true;
    session_reach_prepare(p, n->s, msg, kind, a, &n->event);
}

static void prepare_hold(struct person *p, struct note *n, struct keep *k, struct arena *a)
{
    struct session *s = n->s;
    struct consent_facts f = {.held = s->held, .held_max = session_held_max(p), .openly = s->openly};
    struct consent_outcome o = consent_step(s->consent, CONSENT_MESSAGE_EVENT, &f);
    CHECK(o.effects & CONSENT_HOLD); /* session_admit said so */
    n->before = s->consent;
    n->opened = (o.effects & CONSENT_OPEN) != 0;
    n->prompts = (o.effects & CONSENT_PROMPT) != 0 && p->state == PERSON_READY;
    s->consent = o.next;
    if (n->opened)
        session_consent_open(p, s, k->stanza, n->prompts);
    s->held++;
    session_sweep_held(p->x, s->peer, 1);
    k->queue[0] = arena_printf(a, "h:%s %s", p->jid->bare, s->peer);
    k->archive[0] = k->peer[0] = NULL;
    n->consent = session_consent_row(p, s, a);
    if (n->prompts)
        note_event(p, n, k->stanza, REACH_REQUEST, a);
}

static void prepare_deliver(struct person *p, struct note *n, struct keep *k, struct arena *a)
{
    struct session *s = n->s;
    if (s->held) /* known by another way than an answer: what waits goes first */
        session_consent_apply(p, s, CONSENT_SUBSCRIPTION_EVENT, false, NULL, NULL);
    s->sealed = session_text_is_sealed(k->stanza);
    if (k->stanza->lang)
        session_set_text(&s->lang, k->stanza->lang);
    note_event(p, n, k->stanza, REACH_MESSAGE, a);
}

void session_prepare_keep(struct person *p, enum session_verdict v, struct keep *k, struct arena *a)
{
    const struct stanza *msg = k->stanza;
    if (!msg->from || jid_eq_bare(msg->from, p->jid))
        return;
    if (v != SESSION_HOLD && (session_text_is_machine(msg) || !message_weigh(msg).says))
        return;
    struct note *n = arena_new(a, struct note);
    n->callee = arena_dup(a, p->jid->bare);
    n->s = session_of(p, msg->from->bare);
    if (v == SESSION_HOLD)
        prepare_hold(p, n, k, a);
    else
        prepare_deliver(p, n, k, a);
    k->also = put_note;
    k->also_user = n;
}

void session_kept(struct person *p, enum session_verdict v, struct keep *k, bool delivered)
{
    struct note *n = k->also_user;
    k->also_user = NULL;
    if (!n)
        return;
    if (n->has_event) {
        n->s->reached_seq = k->seq;
        session_reach_wake(p);
    } else if (n->may_reach && !delivered && !person_is_linked(p)) { /* the link went meanwhile */
        session_reach_late(p, n->s, k->stanza, v == SESSION_HOLD ? REACH_REQUEST : REACH_MESSAGE, k->seq);
    }
    if (n->opened)
        session_consent_tell(p, n->s, true, n->prompts);
}

void session_keep_failed(struct person *p, enum session_verdict v, struct keep *k)
{
    struct note *n = k->also_user;
    k->also_user = NULL;
    if (!n)
        return;
    struct session *s = n->s;
    if (n->has_event)
        s->reach = n->reach_before;
    if (v != SESSION_HOLD || s->held == 0) /* answered meanwhile */
        return;
    s->held--;
    session_sweep_held(p->x, s->peer, -1);
    if (s->held == 0 && s->expires_us) {
        if (n->opened)
            s->consent = n->before;
        session_consent_close(p, s);
    }
}

void session_returned(struct person *p, const struct stanza *msg, uint64_t seq)
{
    struct session *s = msg->from ? session_find(p, msg->from->bare) : NULL;
    if (!s || seq <= s->reached_seq || p->state != PERSON_READY || person_is_linked(p) ||
        !session_reach_may(p, msg))
        return;
    session_reach_late(p, s, (struct stanza *)msg, REACH_MESSAGE, seq);
}

/* ---- what the person does ---- */

static void wrote_message(struct person *p, const struct jid *peer, const struct stanza *st)
{
    bool says = message_weigh(st).says;
    if (st->type == MESSAGE_ERROR || (!says && !stanza_body(st)))
        return;
    struct session *s = session_of(p, peer->bare);
    s->sealed = session_text_is_sealed(st);
    if (s->consent != CONSENT_ACCEPTED)
        session_consent_apply(p, s, CONSENT_WROTE_EVENT, false, NULL, NULL);
}

static void wrote_presence(struct person *p, const struct jid *peer, const struct stanza *st)
{
    struct session *s;
    switch (st->type) {
    case PRESENCE_SUBSCRIBE:
    case PRESENCE_SUBSCRIBED:
        s = session_of(p, peer->bare);
        if (s->consent != CONSENT_ACCEPTED)
            session_consent_apply(p, s, CONSENT_SUBSCRIPTION_EVENT, false, NULL, NULL);
        break;
    case PRESENCE_AVAILABLE: /* while it is in force, person_directed_to says so */
        s = session_find(p, peer->bare);
        if (s && s->held)
            session_consent_apply(p, s, CONSENT_WROTE_EVENT, false, NULL, NULL);
        break;
    default: /* the stanza's types are no states */
        break;
    }
}

/* Clients ask this of whoever sends them a presence, unasked by their people, and the answer is an iq:
 * it must not open the door to a stranger who knocks with a presence. */
static bool asks_by_itself(const struct stanza *iq)
{
    static const char *const about[] = {
        NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PING, NS_VERSION, NS_TIME, NS_VCARD, NS_LAST,
        "urn:ietf:params:xml:ns:vcard-4.0", "urn:xmpp:bob", "http://jabber.org/protocol/pubsub",
    };
    const struct element *e = stanza_first(iq);
    for (size_t i = 0; e && i < sizeof about / sizeof *about; i++)
        if (text_eq(e->ns, about[i]))
            return true;
    return false;
}

/* Until the answer has had its time, the peer is no stranger; nothing of that outlives the process. */
static void wrote_iq(struct person *p, const struct jid *peer)
{
    struct session *s = p->sessions->peers.count < SESSION_PEERS_MAX ? session_of(p, peer->bare)
                                                                     : session_find(p, peer->bare);
    if (s)
        s->iq_until_ms = loop_now_ms(p->loop) + SESSION_IQ_WAIT_MS;
}

void session_wrote_to(struct person *p, const struct jid *peer, const struct stanza *st)
{
    if (text_eq(peer->domain, p->jid->domain) || p->state != PERSON_READY)
        return;
    if (st->kind == STANZA_MESSAGE)
        wrote_message(p, peer, st);
    else if (st->kind == STANZA_PRESENCE)
        wrote_presence(p, peer, st);
    else if ((st->type == IQ_GET || st->type == IQ_SET) && !asks_by_itself(st))
        wrote_iq(p, peer);
}

void session_link_changed(struct person *p, bool linked)
{
    if (linked && p->state == PERSON_READY)
        session_reach_linked(p);
}
