/* SPDX-License-Identifier: MIT */
/* Consent, performed: what the pure machine decided is saved in one transaction with what becomes of
 * the messages that waited (delivered into "u:", or taken out to go back), and people are told after
 * the commit. A crash between commit and telling is made good at load: told and prompted are rows. */
#include <stddef.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/exchange/blocklist.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/message.h"
#include "gateway/exchange/session_internal.h"
#include "gateway/exchange/session_text.h"

/* ---- the open request ---- */

static int64_t ttl_us(const struct person *p)
{
    uint64_t s = p->community->request_ttl_s ? p->community->request_ttl_s : SESSION_TTL_S;
    return (int64_t)s * 1000000;
}

void session_consent_open(struct person *p, struct session *s, const struct stanza *msg, bool prompt)
{
    struct arena a;
    arena_init(&a);
    s->expires_us = session_now_us(p) + ttl_us(p);
    s->told = false;
    s->prompted = !prompt; /* nothing to do is done */
    s->openly = false;
    if (!s->number)
        s->number = session_next_number(p);
    session_set_text(&s->asker, msg->from->full);
    session_set_text(&s->asked, msg->to ? msg->to->full : p->jid->bare);
    session_set_text(&s->lang, msg->lang);
    session_set_text(&s->excerpt, session_text_excerpt(&a, msg));
    p->sessions->open++;
    arena_fini(&a);
}

void session_consent_close(struct person *p, struct session *s)
{
    if (s->expires_us)
        p->sessions->open--;
    session_sweep_held(p->x, s->peer, -(int)s->held);
    s->expires_us = 0;
    s->held = 0;
    s->told = s->prompted = true;
    session_set_text(&s->asker, NULL);
    session_set_text(&s->asked, NULL);
    session_set_text(&s->excerpt, NULL);
}

/* ---- a decision ---- */

struct moved {
    uint64_t seq;
    int64_t first_us;
    struct stanza *st;
};

/* One decision on its way to the store. */
struct change {
    struct store_job job;
    struct arena arena;
    struct person *p;   /* counted in p->jobs */
    const char *callee, *held_queue;
    const char *to_queue; /* "u:BARE", or where what goes back waits */
    const char *archive_owner; /* NULL: no archive */
    struct consent_row row;
    bool was_blocked;
    bool drop;          /* no row any more */
    unsigned effects;
    struct event *delivery; /* keeps the place in the lane of what is let in; NULL: nothing is */
    bool reaches;       /* there is no link: what is delivered makes events */
    struct session_event event; /* row and code of all of them */
    bool has_event;
    struct moved *moved; /* by the transaction; a rerun fills it anew */
    unsigned moved_count, moved_cap;
    void (*done)(void *user, const struct error *e);
    void *user;
};

static void forget_moved(struct change *c)
{
    for (unsigned i = 0; i < c->moved_count; i++)
        stanza_unref(&c->moved[i].st);
    c->moved_count = 0;
}

static void on_moved(void *user, uint64_t seq, int64_t first_us, struct stanza *st)
{
    struct change *c = user;
    if (c->moved_count == c->moved_cap) {
        c->moved_cap = c->moved_cap ? c->moved_cap * 2 : 8;
        c->moved = mem_grow(c->moved, c->moved_cap * sizeof *c->moved);
    }
    c->moved[c->moved_count++] = (struct moved){seq, first_us, stanza_ref(st)};
}

/* A device is told of what an accepted request let in, as of any message. */
static bool put_events(struct store_tx *tx, struct change *c, struct error *e)
{
    for (unsigned i = 0; c->reaches && i < c->moved_count; i++) {
        struct stanza *st = c->moved[i].st;
        struct session_event se = c->event;
        se.ev.text = session_text_is_sealed(st) ? NULL : stanza_body(st);
        se.ev.urgency = session_text_urgency(st);
        if (!session_reach_put(tx, c->callee, &se, c->moved[i].seq, store_now_us(tx), e))
            return false;
        c->has_event = true;
    }
    return true;
}

static bool is_archived(const struct stanza *st)
{
    return message_weigh(st).archive;
}

static bool move_held(struct store_tx *tx, struct change *c, struct error *e)
{
    return journal_move(tx,
                        &(struct journal_move){.from = c->held_queue,
                                               .to = c->to_queue,
                                               .archive_owner = c->archive_owner,
                                               .archive_peer = c->row.peer,
                                               .is_archived = is_archived,
                                               .each = on_moved,
                                               .user = c},
                        e);
}

static bool run_change(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct change *c = container_of(job, struct change, job);
    forget_moved(c);
    c->has_event = false;
    if (c->to_queue && !move_held(tx, c, e))
        return false;
    if ((c->effects & CONSENT_DELIVER_HELD) && !put_events(tx, c, e))
        return false;
    return c->drop ? sessions_drop_consent(tx, c->callee, c->row.peer, e)
                   : sessions_put_consent(tx, c->callee, &c->row, e);
}

static void perform_change(struct change *c)
{
    struct person *p = c->p;
    if (c->effects & CONSENT_BOUNCE_HELD)
        for (unsigned i = 0; i < c->moved_count; i++)
            session_bounce_send(p->x, c->to_queue, c->moved[i].st, c->moved[i].seq);
    if (c->has_event)
        session_reach_wake(p);
    bool blocked = c->row.state == CONSENT_BLOCKED;
    if (blocked != c->was_blocked)
        blocklist_changed(p, c->row.peer, blocked);
}

static void on_changed(struct store_job *job, const struct error *e)
{
    struct change *c = container_of(job, struct change, job);
    struct person *p = c->p;
    if (e->code == ERROR_NONE) {
        perform_change(c);
    } else {
        log_error(NULL, "%s: what was decided about %s was not kept: %s", c->callee, c->row.peer, e->text);
        p->stale = true; /* what is in memory holds no more */
    }
    if (c->done)
        c->done(c->user, e);
    if (c->delivery)
        event_ready(c->delivery);
    forget_moved(c);
    mem_free(c->moved);
    arena_fini(&c->arena);
    mem_free(c);
    p->jobs--;
    person_idle(p);
}

static struct change *new_change(struct person *p, struct session *s)
{
    struct change *c = mem_new(struct change);
    arena_init(&c->arena);
    c->p = p;
    c->callee = arena_dup(&c->arena, p->jid->bare);
    c->held_queue = arena_printf(&c->arena, "h:%s %s", p->jid->bare, s->peer);
    c->job.reply_on = p->loop;
    c->job.run = run_change;
    c->job.done = on_changed;
    p->jobs++;
    return c;
}

/* What was held goes through while nobody is linked: devices hear of it. */
static void change_reaches(struct person *p, struct session *s, struct change *c, unsigned was_held)
{
    if (!(c->effects & CONSENT_DELIVER_HELD) || !was_held || person_is_linked(p) || !exchange_reach(p->x))
        return;
    c->reaches = true;
    session_reach_prepare(p, s, NULL, REACH_MESSAGE, &c->arena, &c->event);
}

void session_consent_apply(struct person *p, struct session *s, enum consent_event event, bool openly,
                           void (*done)(void *user, const struct error *e), void *user)
{
    bool declined = event == CONSENT_DECLINE_EVENT;
    struct consent_facts f = {
        .held = s->held, .held_max = session_held_max(p), .openly = declined ? openly : s->openly};
    struct consent_outcome o = consent_step(s->consent, event, &f);
    log_debug(NULL, "%s: consent of %s: %s -> %s", p->jid->bare, s->peer, consent_state_name(s->consent),
              consent_state_name(o.next));
    struct change *c = new_change(p, s);
    unsigned was_held = s->held;
    c->effects = o.effects;
    if (o.effects & CONSENT_DELIVER_HELD) {
        c->to_queue = arena_dup(&c->arena, p->queue);
        c->archive_owner = p->community->archive ? c->callee : NULL;
    } else if (o.effects & CONSENT_BOUNCE_HELD) {
        c->to_queue = session_bounce_queue(&c->arena, o.error, c->callee, s->peer);
    }
    c->done = done;
    c->user = user;
    c->was_blocked = s->consent == CONSENT_BLOCKED;
    s->consent = o.next;
    if (declined)
        s->openly = openly;
    if (!s->number && o.next != CONSENT_NONE && event == CONSENT_BLOCK_EVENT)
        s->number = session_next_number(p);
    if (o.effects & (CONSENT_DELIVER_HELD | CONSENT_BOUNCE_HELD))
        session_consent_close(p, s);
    c->drop = s->consent == CONSENT_NONE || (p->state == PERSON_NOBODY && !s->expires_us);
    if (c->drop) {
        s->consent = CONSENT_NONE;
        s->number = 0;
    }
    c->row = session_consent_row(p, s, &c->arena);
    change_reaches(p, s, c, was_held);
    if (o.effects & CONSENT_DELIVER_HELD)
        c->delivery = person_pending_moving(p);
    store_write(exchange_store(p->x), &c->job);
}

void session_consent_expire(struct person *p)
{
    int64_t now = session_now_us(p);
    struct session *s;
    for (size_t i = 0; (s = map_next(&p->sessions->peers, &i));)
        if (s->expires_us && s->expires_us <= now)
            session_consent_apply(p, s, CONSENT_EXPIRY_EVENT, false, NULL, NULL);
}

/* ---- telling ---- */

struct save {
    struct store_job job;
    struct arena arena;
    struct person *p; /* counted in p->jobs since it was told */
    const char *callee, *peer;
    struct consent_row row;
};

static bool run_save(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct save *sv = container_of(job, struct save, job);
    return sessions_put_consent(tx, sv->callee, &sv->row, e);
}

static void end_save(struct save *sv)
{
    struct person *p = sv->p;
    arena_fini(&sv->arena);
    mem_free(sv);
    p->jobs--;
    person_idle(p);
}

static void on_saved(struct store_job *job, const struct error *e)
{
    struct save *sv = container_of(job, struct save, job);
    if (e->code != ERROR_NONE)
        log_error(NULL, "%s: not noted that %s was told: %s", sv->callee, sv->peer, e->text);
    end_save(sv);
}

/* In the order of the inbox, so behind the prompt's own write: a crash in between tells once more. */
static void save_told(struct person *p, void *user)
{
    struct save *sv = user;
    struct session *s = session_find(p, sv->peer);
    if (!s || !s->expires_us) { /* answered meanwhile */
        end_save(sv);
        return;
    }
    sv->row = session_consent_row(p, s, &sv->arena);
    store_write(exchange_store(p->x), &sv->job);
}

static struct save *new_save(struct person *p, const struct session *s)
{
    struct save *sv = mem_new(struct save);
    arena_init(&sv->arena);
    sv->p = p;
    sv->callee = arena_dup(&sv->arena, p->jid->bare);
    sv->peer = arena_dup(&sv->arena, s->peer);
    sv->job.reply_on = p->loop;
    sv->job.run = run_save;
    sv->job.done = on_saved;
    p->jobs++;
    return sv;
}

static void tell_asker(struct person *p, const struct session *s)
{
    struct arena a;
    arena_init(&a);
    const struct jid *asked = s->asked ? jid_parse_text(&a, s->asked) : p->jid;
    const struct jid *asker = jid_parse_text(&a, s->asker ? s->asker : s->peer);
    if (asked && asker) {
        struct stanza *st = session_text_waits(asked, asker, s->lang);
        exchange_answer(p->x, st);
    }
    arena_fini(&a);
}

static void prompt_callee(struct person *p, const struct session *s)
{
    struct arena a;
    arena_init(&a);
    struct session_prompt prompt = {
        .domain = jid_to_domain(&a, p->jid),
        .callee = p->jid,
        .peer = s->peer,
        .number = s->number,
        .excerpt = s->excerpt,
    };
    struct stanza *st = session_text_prompt(&prompt);
    person_deliver_own(p, st, prompt.domain->bare);
    stanza_unref(&st);
    arena_fini(&a);
}

void session_consent_tell(struct person *p, struct session *s, bool asker, bool callee)
{
    if (!s->expires_us) /* answered meanwhile */
        return;
    if (asker)
        tell_asker(p, s);
    if (callee && p->state == PERSON_READY)
        prompt_callee(p, s);
    s->told |= asker;
    s->prompted |= callee;
    person_visit(p->x, p->jid->bare, save_told, new_save(p, s));
}
