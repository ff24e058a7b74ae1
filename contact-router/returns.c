/* SPDX-License-Identifier: MIT */
/* A text from a device goes into a conversation. Whose it is: the number it came from, the number it went to,
 * and a code, within 72 hours of what we sent. A caller's number can be forged: accept, decline and block want
 * the code. */
#include "contact-router/returns.h"

#include <stdio.h>
#include <string.h>

#include "contact-router/answer_text.h"
#include "contact-router/device_store.h"
#include "contact-router/outbox_query.h"
#include "contact-router/returns_status.h"
#include "contact-router/returns_store.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/bare.h"

#define WINDOW_US ((int64_t)72 * 3600 * 1000000)
#define MAIL_WINDOW_US ((int64_t)14 * 24 * 3600 * 1000000) /* mail is answered after the holidays */
#define HOUR_US ((int64_t)3600 * 1000000)
#define AGAIN_US ((int64_t)10 * 60 * 1000000) /* the same words without an id are the same text so long */
enum { MAILS_AN_HOUR = 10, REPLIES_A_DAY = 5, CHOICES_MAX = 9, HELD_MAX = 2000 };

enum returns_action { ACTION_NONE, ACTION_ANSWER, ACTION_AGAIN /* was done before */ };

struct returning {
    struct store_job job;
    struct command cmd;      /* the exchange's answer, on our loop */
    struct returns_request q;
    struct arena arena;
    const char *dedup, *key; /* key: provider and dedup, in r->answering while under way */
    bool has_id;             /* dedup is the provider's word, not what was written */
    /* out of the transaction */
    enum returns_action action;
    struct reach_answer answer;
    const char *held_key;    /* an answer that was held: its row goes when it is done */
    const char *news_for_log;
    const char *refusal;     /* why it is not taken, for who wrote it; NULL: it is, or nobody can be told */
    bool sends;
    struct error error;
};

const char *returns_source(const struct returns_request *q)
{
    return q->provider ? q->provider->provider->name : "mail";
}

static struct returning *begin(const struct returns_request *q,
                               bool (*run)(struct store_tx *tx, struct store_job *job, struct error *e),
                               void (*done)(struct store_job *job, const struct error *e))
{
    struct returning *g = mem_new(struct returning);
    arena_init(&g->arena);
    g->q = *q;
    g->q.ref = arena_dup_or_null(&g->arena, q->ref);
    g->job = (struct store_job){ .reply_on = q->r->loop, .run = run, .done = done };
    q->r->jobs++;
    return g;
}

static void end(struct returning *g, const struct error *e)
{
    g->q.r->jobs--;
    if (g->key)
        map_remove(&g->q.r->answering, g->key);
    if (g->news_for_log)
        log_info(NULL, "%s: %s", returns_source(&g->q), g->news_for_log);
    if (g->sends)
        worker_kick(g->q.r);
    struct error told = *e;
    if (e->code == ERROR_NONE && g->refusal && !g->q.provider)
        error_set(&told, ERROR_DENIED, "%s", g->refusal);
    g->q.done(g->q.user, &told);
    arena_fini(&g->arena);
    mem_free(g);
}

/* -- a text: whose, and to whom? -- */

struct texting {
    struct returning *g;
    struct store_tx *tx;
    struct answer_text said;
    const char *from, *via; /* via: the word of the device's kind */
    int64_t first_us;       /* when this text came first */
    struct device_list devices; /* verified ones with that number, of communities that write from this one */
    struct outbox_conversation talks[CHOICES_MAX];
    unsigned talk_count;
};

static const char *number(struct arena *a, const char *text)
{
    const char *as = text ? device_phone(a, text) : NULL;
    return as || !text ? as : device_phone(a, arena_printf(a, "+%s", text));
}

/* A text of ours to that number, bounded so that two machines do not talk for ever. */
static bool say(struct texting *t, const char *text, struct error *e)
{
    const struct device *d = &t->devices.v[0];
    const struct contact_router_community *c = contact_router_community(t->g->q.r, bare_domain(d->account));
    struct budget_use use;
    int64_t replies;
    if (!outbox_query_count_day(t->tx, d->account, t->from, OUTBOX_PURPOSE_REPLY, &replies, e) ||
        !outbox_query_use(t->tx, &(struct outbox_spender){ d->account, c->domain, "", "" }, &use, e))
        return false;
    if (replies >= REPLIES_A_DAY || budget_sms(&use, c->sms_per_day, 0) != BUDGET_FITS) {
        t->g->news_for_log = "a text was not answered: enough answers, or no budget";
        return true;
    }
    struct outbox_row row = {
        .d = {.state = OUTBOX_PLANNED, .due_us = store_now_us(t->tx)},
        .account = d->account,
        .kind = DEVICE_SMS,
        .address = t->from,
        .community = c->domain,
        .purpose = OUTBOX_PURPOSE_REPLY,
        .peer = "",
        .peer_domain = "",
        .code = "",
        .provider = t->g->q.provider->provider->name,
        .urgent = true,
        .texts = 1,
        .readable = true,
        .text = text,
    };
    t->g->sends = true;
    return outbox_store_insert(t->tx, &row, 0, &t->g->arena, e);
}

static void give(struct texting *t, const char *account, const char *peer, enum answer_verb verb, const char *text,
                 const char *dedup)
{
    static const enum reach_verb verbs[] = { REACH_SAY, REACH_ACCEPT, REACH_DECLINE, REACH_BLOCK };
    struct arena *a = &t->g->arena;
    t->g->action = ACTION_ANSWER;
    t->g->answer = (struct reach_answer){
        .callee = arena_dup(a, account),
        .peer = arena_dup(a, peer),
        .verb = verbs[verb],
        .via = t->via,
        .text = verb == ANSWER_SAY ? arena_dup(a, text) : NULL,
        .dedup = t->g->has_id
                     ? arena_printf(a, "%s/%s", returns_source(&t->g->q), dedup)
                     : arena_printf(a, "%s/%s/%lld", returns_source(&t->g->q), dedup, (long long)t->first_us),
    };
}

/* The account's conversation of the code that was said; account NULL: there is none. */
static bool find_by_code(struct texting *t, const char *account, struct outbox_conversation *out, struct error *e)
{
    struct outbox_code code = { account, t->said.code, store_now_us(t->tx) - WINDOW_US };
    return outbox_query_by_code(t->tx, &code, &t->g->arena, out, e);
}

static bool by_code(struct texting *t, bool *found, struct error *e)
{
    struct outbox_conversation hits[2];
    unsigned count = 0;
    for (unsigned i = 0; i < t->devices.count && count < 2; i++) {
        if (!find_by_code(t, t->devices.v[i].account, &hits[count], e))
            return false;
        count += hits[count].account != NULL;
    }
    *found = count > 0;
    if (count == 2)
        return say(t, arena_printf(&t->g->arena, "%s means two conversations here. Log in to answer.", t->said.code),
                   e);
    if (count == 1 && !*t->said.rest)
        return say(
            t, arena_printf(&t->g->arena, "Write %s and what you want to say to %s.", t->said.code, hits[0].peer), e);
    if (count == 1)
        give(t, hits[0].account, hits[0].peer, t->said.verb, t->said.rest, t->g->dedup);
    return true;
}

/* "1" after we asked: what was held goes where line 1 says. */
static bool by_choice(struct texting *t, bool *found, struct error *e)
{
    struct returns_held held;
    const char *provider = t->g->q.provider->provider->name;
    *found = false;
    if (!t->said.number)
        return true;
    if (!returns_store_held(t->tx, provider, t->from, store_now_us(t->tx) - WINDOW_US, &t->g->arena, &held, e))
        return false;
    const char *line = held.choices;
    for (unsigned i = 1; line && i < t->said.number; i++) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    const char *blank = line ? strchr(line, ' ') : NULL;
    if (!blank)
        return true;
    *found = true;
    give(t, arena_dup_n(&t->g->arena, line, (size_t)(blank - line)),
         arena_dup_n(&t->g->arena, blank + 1, strcspn(blank + 1, "\n")), ANSWER_SAY, held.text, held.dedup);
    t->g->held_key = t->from;
    return true;
}

/* What waits for the choice: what waited, and this text, unless it was meant as the choice or came twice. NULL: too
 * much. */
static const char *waiting_text(struct texting *t, const struct returns_held *held)
{
    size_t had = held->text ? strlen(held->text) : 0, more = strlen(t->said.text);
    if (!had)
        return t->said.text;
    if (t->said.number || (had >= more && text_eq(held->text + had - more, t->said.text)))
        return held->text;
    return had + more > HELD_MAX ? NULL : arena_printf(&t->g->arena, "%s\n%s", held->text, t->said.text);
}

static bool ask(struct texting *t, struct error *e)
{
    struct bytes choices = BYTES_EMPTY, question = BYTES_EMPTY;
    struct returns_held held;
    const char *provider = t->g->q.provider->provider->name;
    if (!returns_store_held(t->tx, provider, t->from, store_now_us(t->tx) - WINDOW_US, &t->g->arena, &held, e))
        return false;
    const char *text = waiting_text(t, &held);
    bytes_append_text(&question, text ? "To whom?" : "That is too much: it was not kept. To whom is what came before?");
    for (unsigned i = 0; i < t->talk_count; i++) {
        bytes_printf(&choices, "%s %s\n", t->talks[i].account, t->talks[i].peer);
        bytes_printf(&question, " %u %s", i + 1, t->talks[i].peer);
    }
    bytes_append_text(&question, ". Answer with the number.");
    bool ok = returns_store_hold(t->tx, provider, t->from, text ? text : held.text,
                                 held.dedup ? held.dedup : t->g->dedup, bytes_text(&choices), e) &&
              say(t, arena_dup(&t->g->arena, question.data), e);
    bytes_fini(&choices);
    bytes_fini(&question);
    return ok;
}

static bool without_code(struct texting *t, struct error *e)
{
    bool one_owner = true;
    for (unsigned i = 1; i < t->devices.count; i++)
        one_owner = one_owner && text_eq(t->devices.v[i].account, t->devices.v[0].account);
    if (!t->talk_count)
        return say(t, "Nobody has written to you here lately. Log in to write to somebody.", e);
    const char *example = t->talks[0].code;
    if (t->said.verb != ANSWER_SAY)
        return say(t,
                   arena_printf(&t->g->arena, "Write the code of the conversation first, for instance: %s %s", example,
                                t->said.text),
                   e);
    if (!one_owner)
        return say(
            t,
            arena_printf(&t->g->arena, "Begin with the code of the conversation, for instance: %s your text", example),
            e);
    if (t->talk_count > 1)
        return ask(t, e);
    give(t, t->talks[0].account, t->talks[0].peer, ANSWER_SAY, t->said.text, t->g->dedup);
    return true;
}

/* Only people whose community writes from this number, and who did not say STOP. */
static void keep_ours(struct texting *t)
{
    const struct provider *p = t->g->q.provider->provider;
    unsigned kept = 0;
    for (unsigned i = 0; i < t->devices.count; i++) {
        const struct device *d = &t->devices.v[i];
        const char *domain = bare_domain(d->account);
        if (!d->opted_out && provider_serves(p, domain) && contact_router_community(t->g->q.r, domain))
            t->devices.v[kept++] = *d;
    }
    t->devices.count = kept;
    unsigned talks = 0;
    for (unsigned i = 0; i < t->talk_count; i++)
        for (unsigned d = 0; d < kept; d++)
            if (text_eq(t->devices.v[d].account, t->talks[i].account)) {
                t->talks[talks++] = t->talks[i];
                break;
            }
    t->talk_count = talks;
}

static bool find_place(struct texting *t, struct error *e)
{
    struct outbox_conversations told = {.kind = DEVICE_SMS,
                                        .address = t->from,
                                        .since_us = store_now_us(t->tx) - WINDOW_US,
                                        .v = t->talks,
                                        .max = CHOICES_MAX};
    bool found = false;
    if (!device_store_by_address(t->tx, DEVICE_SMS, t->from, &t->g->arena, &t->devices, e) ||
        !outbox_query_conversations(t->tx, &told, &t->g->arena, e))
        return false;
    t->talk_count = told.count;
    keep_ours(t);
    if (!t->devices.count) {
        t->g->news_for_log = "a text from a number that nobody listed";
        return true;
    }
    if (t->said.word == ANSWER_HELP)
        return say(t,
                   "Answer with the code that a message began with, and your text: r7 hello. STOP ends these messages, "
                   "START begins them again.",
                   e);
    if (!*t->said.text)
        return true;
    if (t->said.code && !by_code(t, &found, e))
        return false;
    if (!found && !by_choice(t, &found, e))
        return false;
    return found || without_code(t, e);
}

/* -- an answer to one delivery: its address, or the provider, says to which -- */

static bool same_address(struct arena *a, const struct outbox_row *row, const char *from)
{
    const char *as = NULL;
    if (row->kind == DEVICE_SMS || row->kind == DEVICE_VOICE)
        as = number(a, from);
    else if (row->kind == DEVICE_EMAIL)
        return text_eq_nocase(from, row->address);
    else if (row->kind == DEVICE_PAGER) /* NUMBER@CARRIER is NUMBER, where only that was listed */
        as = device_pager(a, strchr(row->address, '@') ? from : arena_dup_n(a, from, strcspn(from, "@")));
    const char *want = row->address;
    return as && text_eq(as + (*as == '+'), want + (*want == '+'));
}

/* What was said, to whom: to who caused the delivery, unless it begins with the code of another conversation. */
static bool answer_delivery(struct texting *t, const struct outbox_row *row, struct error *e)
{
    struct outbox_conversation other = { 0 };
    bool own = t->said.code && text_eq(t->said.code, row->code);
    if (t->said.code && !own && !find_by_code(t, row->account, &other, e))
        return false;
    bool found = other.account != NULL, coded = own || found;
    const char *text = coded ? t->said.rest : t->said.text;
    t->via = device_kind_word(row->kind);
    if (*text || t->said.verb != ANSWER_SAY)
        give(t, row->account, found ? other.peer : row->peer, !t->said.code || coded ? t->said.verb : ANSWER_SAY, text,
             t->g->dedup);
    return true;
}

static void refuse(struct returning *g, const char *why)
{
    g->news_for_log = g->refusal = why;
}

/* Mail can run in a circle between machines that do not say that they are. */
static bool is_flood(struct texting *t, const char *ref, bool *is, struct error *e)
{
    int64_t seen = 0;
    if (!t->g->q.provider && !returns_store_count(t->tx, "mail", ref, store_now_us(t->tx) - HOUR_US, &seen, e))
        return false;
    *is = seen > MAILS_AN_HOUR;
    return true;
}

/* *found: the answer says which delivery it is to, and is dealt with. */
static bool by_ref(struct texting *t, bool *found, struct error *e)
{
    struct returning *g = t->g;
    const char *ref = g->q.ref ? g->q.ref : g->q.event->ref, *from = g->q.event->from;
    struct outbox_row row;
    bool listed;
    *found = ref && *ref;
    if (!*found)
        return true;
    if (!returns_status_delivery(t->tx, &g->q, &g->arena, &row, e))
        return false;
    bool talk = row.d.ref && (row.purpose == OUTBOX_PURPOSE_MESSAGE || row.purpose == OUTBOX_PURPOSE_REQUEST);
    int64_t window_us = row.kind == DEVICE_EMAIL ? MAIL_WINDOW_US : WINDOW_US;
    bool too_many;
    if (!row.d.ref || row.d.created_us < store_now_us(t->tx) - window_us)
        refuse(g, "an answer to what was not sent lately");
    else if (from && !(!*from && g->q.provider) && !same_address(&g->arena, &row, from))
        refuse(g, "an answer from another device than the one that was asked");
    else if (t->said.word == ANSWER_STOP || t->said.word == ANSWER_START)
        return device_store_refuse(t->tx, row.kind, row.address, t->said.word == ANSWER_STOP, e);
    else if (!device_store_is_listed(t->tx, row.account, row.kind, row.address, &g->arena, &listed, e) ||
             !is_flood(t, ref, &too_many, e))
        return false;
    else if (!listed || !talk)
        refuse(g, "an answer from a device that is not listed, or to what is no message");
    else if (too_many)
        refuse(g, "too many answers to one message within an hour");
    else
        return answer_delivery(t, &row, e);
    return true;
}

static bool to_us(const struct returning *g, struct arena *a)
{
    const char *ours = number(a, g->q.provider->provider->from), *to = number(a, g->q.event->to);
    return !ours || !to || text_eq(ours, to);
}

static bool inbound_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct returning *g = container_of(job, struct returning, job);
    const struct hook_event *ev = g->q.event;
    struct texting *t = arena_new(&g->arena, struct texting);
    bool was_done, found;
    g->action = ACTION_NONE;
    g->held_key = g->news_for_log = g->refusal = NULL;
    g->sends = false;
    if (!returns_store_seen(tx, returns_source(&g->q), g->dedup, g->has_id ? 0 : store_now_us(tx) - AGAIN_US,
                            &was_done, &t->first_us, e))
        return false;
    t->g = g;
    t->tx = tx;
    t->via = device_kind_word(DEVICE_SMS);
    t->from = number(&g->arena, ev->from);
    answer_text_read(&g->arena, ev->text ? ev->text : "", &t->said);
    if (was_done && (g->has_id || t->said.word == ANSWER_NONE)) { /* a second STOP is obeyed in any case */
        g->action = ACTION_AGAIN;
        return true;
    }
    if (!by_ref(t, &found, e) || found)
        return e->code == ERROR_NONE;
    if (!t->from || !to_us(g, &g->arena)) {
        g->news_for_log = "a text from no number, or to a number that is not ours";
        return true;
    }
    if (t->said.word == ANSWER_STOP || t->said.word == ANSWER_START) {
        g->news_for_log = t->said.word == ANSWER_STOP ? "STOP is obeyed" : "START is obeyed";
        return device_store_refuse(tx, DEVICE_SMS, t->from, t->said.word == ANSWER_STOP, e);
    }
    return find_place(t, e);
}

/* -- into the conversation -- */

static bool mark_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct returning *g = container_of(job, struct returning, job);
    const char *provider = returns_source(&g->q);
    return returns_store_done(tx, provider, g->dedup, e) &&
           (!g->held_key || returns_store_unhold(tx, provider, g->held_key, e));
}

static void mark_done(struct store_job *job, const struct error *e)
{
    end(container_of(job, struct returning, job), e);
}

static void mark(struct returning *g)
{
    g->job = (struct store_job){ .reply_on = g->q.r->loop, .run = mark_run, .done = mark_done };
    store_write(g->q.r->store, &g->job);
}

static void answered(struct command *cmd)
{
    struct returning *g = container_of(cmd, struct returning, cmd);
    enum error_code code = g->error.code;
    if (code == ERROR_NONE)
        log_info(NULL, "an answer by %s went into a conversation of %s", g->answer.via, g->answer.callee);
    else
        log_warn(NULL, "an answer by %s of %s was not taken: %s", g->answer.via, g->answer.callee, g->error.text);
    if (code != ERROR_NONE)
        g->refusal = arena_dup(&g->arena, g->error.text);
    /* What can never be taken is done with; what may be taken later is asked for again. */
    if (code == ERROR_NONE || code == ERROR_DENIED || code == ERROR_INVALID || code == ERROR_NOT_FOUND)
        mark(g);
    else
        end(g, &g->error);
}

static void on_answered(void *user, const struct error *e)
{
    struct returning *g = user;
    g->error = *e;
    g->cmd.run = answered;
    loop_post(g->q.r->loop, &g->cmd);
}

static void inbound_done(struct store_job *job, const struct error *e)
{
    struct returning *g = container_of(job, struct returning, job);
    if (e->code != ERROR_NONE) {
        end(g, e);
    } else if (g->action == ACTION_ANSWER) {
        g->answer.done = on_answered;
        g->answer.user = g;
        exchange_reach_answer(g->q.r->exchange, &g->answer);
    } else if (g->action == ACTION_AGAIN) {
        g->news_for_log = "a text came again; it is not repeated";
        end(g, e);
    } else {
        mark(g);
    }
}

/* The provider's word for "the same again": a token of the try, else the message's id, else its text. */
static const char *dedup_of(struct arena *a, const char *in_address, const struct hook_event *ev, bool *has_id)
{
    const char *ref = in_address ? in_address : ev->ref;
    const char *id = ev->dedup && *ev->dedup ? ev->dedup : ev->id && *ev->id ? ev->id : NULL;
    *has_id = id != NULL;
    if (id)
        return arena_printf(a, "%.200s", id);
    return arena_printf(a, "%.40s/%.40s/%.120s", ref ? ref : "", ev->from ? ev->from : "", ev->text ? ev->text : "");
}

void returns_inbound(const struct returns_request *q)
{
    struct returning *g = begin(q, inbound_run, inbound_done);
    g->dedup = dedup_of(&g->arena, q->ref, q->event, &g->has_id);
    const char *key = arena_printf(&g->arena, "%s %s", returns_source(q), g->dedup);
    if (map_get(&q->r->answering, key)) {
        struct error busy = ERROR_INIT;
        error_set(&busy, ERROR_TEMPORARY, "the same is being answered");
        end(g, &busy);
        return;
    }
    g->key = key;
    map_put(&q->r->answering, key, g);
    store_write(q->r->store, &g->job);
}
