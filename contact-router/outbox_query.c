/* SPDX-License-Identifier: MIT */
/* SQL of the outbox that only reads. */
#include "contact-router/outbox_query.h"

#include <string.h>

#include "contact-router/outbox.h"
#include "gateway/base/text.h"

#define SECOND ((int64_t)1000000)
#define DAY (86400 * SECOND)

#define DELIVERIES "select " OUTBOX_STORE_COLUMNS " from deliveries"
#define WAITS " (state = 'planned' or state = 'due')" /* as the index deliveries_due has it */
#define NAMES_PROVIDER " like '%|' || provider || '|%'"
#define CONVERSATIONS "select account, peer, code, community, readable from deliveries"

/* -- what waits -- */

bool outbox_query_due(struct store_tx *tx, const struct outbox_due *due, struct arena *a,
                      struct outbox_rows *out, struct error *e)
{
    static const char sql[] = DELIVERIES
        " where" WAITS
        " and due_us <= $1"
        " and $2 not" NAMES_PROVIDER
        " and not exists (select 1 from deliveries b where b.state = 'sending'"
        "  and b.account = deliveries.account and b.n = deliveries.n"
        "  and b.address = deliveries.address)"
        " order by due_us limit $3";
    struct store_rows *r =
        store_query(tx, e, sql, "iti", due->now_us, due->but_of, (int64_t)due->limit);
    return outbox_store_read(r, a, out, e);
}

bool outbox_query_not_of(struct store_tx *tx, const char *providers, struct arena *a,
                         struct outbox_rows *out, struct error *e)
{
    static const char sql[] = DELIVERIES
        " where" WAITS
        " and provider <> ''"
        " and $1 not" NAMES_PROVIDER
        " order by due_us";
    return outbox_store_read(store_query(tx, e, sql, "t", providers), a, out, e);
}

bool outbox_query_too_late(struct store_tx *tx, const struct outbox_too_late *late, struct arena *a,
                           struct outbox_rows *out, struct error *e)
{
    static const char sql[] = DELIVERIES
        " where" WAITS
        " and due_us < case when purpose = 'code' then $1 when kind = 'voice' then $2 else $3 end"
        " and $4" NAMES_PROVIDER
        " order by due_us limit $5";
    struct store_rows *r = store_query(tx, e, sql, "iiiti", late->codes_us, late->calls_us,
                                       late->others_us, late->providers, (int64_t)late->limit);
    return outbox_store_read(r, a, out, e);
}

bool outbox_query_next_due(struct store_tx *tx, int64_t now_us, int64_t *out, struct error *e)
{
    static const char sql[] =
        "select due_us from deliveries"
        " where" WAITS
        " and due_us > $1"
        " order by due_us limit 1";
    return store_number(store_query(tx, e, sql, "i", now_us), 0, out, e);
}

bool outbox_query_sending(struct store_tx *tx, struct arena *a, struct outbox_rows *out,
                          struct error *e)
{
    static const char sql[] = DELIVERIES " where state = 'sending'";
    return outbox_store_read(store_query(tx, e, sql, ""), a, out, e);
}

bool outbox_query_waiting(struct store_tx *tx, const struct outbox_about *about, struct arena *a,
                          struct outbox_rows *out, struct error *e)
{
    static const char sql[] = DELIVERIES
        " where account = $1"
        " and" WAITS
        " and ($2 = '' or peer = $3)"
        " and ($4 = 0 or n = $5)"
        " and ($6 > 0 or purpose = 'message' or purpose = 'request')";
    const char *peer = about->peer ? about->peer : "";
    struct store_rows *r = store_query(tx, e, sql, "tttiii", about->account, peer, peer, about->n,
                                       about->n, about->n);
    return outbox_store_read(r, a, out, e);
}

/* -- what there was -- */

bool outbox_query_newest(struct store_tx *tx, const struct outbox_page *page, struct arena *a,
                         struct outbox_rows *out, struct error *e)
{
    static const char sql[] = DELIVERIES
        " where community = $1"
        " and ($2 = '' or account = $3)"
        " and ($4 = '' or ref = $5)"
        " order by created_us desc, ref limit $6";
    const char *account = page->account ? page->account : "", *ref = page->ref ? page->ref : "";
    struct store_rows *r = store_query(tx, e, sql, "ttttti", page->community, account, account, ref,
                                       ref, (int64_t)page->limit);
    return outbox_store_read(r, a, out, e);
}

bool outbox_query_seqs(struct store_tx *tx, const char *ref, struct arena *a, uint64_t **seqs,
                       unsigned *count, struct error *e)
{
    static const char sql[] = "select seq from delivery_messages where ref = $1 order by seq";
    unsigned cap = 0;
    *count = 0;
    *seqs = NULL;
    struct store_rows *r = store_query(tx, e, sql, "t", ref);
    while (r && store_next(r, e)) {
        if (*count == cap) {
            uint64_t *more = arena_alloc(a, (cap = cap ? 2 * cap : 8) * sizeof *more);
            if (*count)
                memcpy(more, *seqs, *count * sizeof *more);
            *seqs = more;
        }
        (*seqs)[(*count)++] = (uint64_t)store_int(r, 0);
    }
    return r && e->code == ERROR_NONE;
}

bool outbox_query_hopes(struct store_tx *tx, const char *account, uint64_t seq, int64_t step,
                        struct outbox_hopes *out, struct error *e)
{
    static const char sql[] =
        "select d.step, d.state from delivery_messages m join deliveries d on d.ref = m.ref"
        " where m.account = $1 and m.seq = $2"
        " and d.state <> 'failed' and d.state <> 'dead' and d.state <> 'cancelled'";
    *out = (struct outbox_hopes){ 0 };
    struct store_rows *r = store_query(tx, e, sql, "ti", account, (int64_t)seq);
    while (r && store_next(r, e)) {
        bool unknown = text_eq(store_text(r, 1), outbox_state_name(OUTBOX_IN_DOUBT));
        out->in_doubt += unknown;
        out->all += !unknown;
        out->in_step += !unknown && store_int(r, 0) == step;
    }
    return r && e->code == ERROR_NONE;
}

/* -- budgets: what was made and not withdrawn -- */

/* Of one kind of device, to this peer and to its domain. */
struct windows {
    struct budget_counts by_peer, by_domain;
};

static bool count_windows(struct store_tx *tx, const struct outbox_spender *who,
                          enum device_kind kind, struct windows *out, struct error *e)
{
    static const char sql[] =
        "select created_us, peer from deliveries"
        " where account = $1 and created_us > $2 and peer_domain = $3"
        " and (kind = $4 or kind = $5)"
        " and purpose = 'message' and state <> 'cancelled'";
    int64_t now = store_now_us(tx);
    enum device_kind same = kind == DEVICE_SMS ? DEVICE_PAGER : kind; /* they have one budget */
    *out = (struct windows){ 0 };
    struct store_rows *r =
        store_query(tx, e, sql, "tittt", who->account, now - budget_window_us(BUDGET_3_HOURS),
                    who->peer_domain, device_kind_word(kind), device_kind_word(same));
    while (r && store_next(r, e))
        for (unsigned w = 0; w < BUDGET_WINDOWS; w++)
            if (store_int(r, 0) > now - budget_window_us((enum budget_window)w)) {
                out->by_domain.in[w]++;
                out->by_peer.in[w] += text_eq(store_text(r, 1), who->peer);
            }
    return r && e->code == ERROR_NONE;
}

static bool count_today(struct store_tx *tx, const char *sql, const char *whose, unsigned *out,
                        struct error *e)
{
    int64_t n;
    bool ok =
        store_number(store_query(tx, e, sql, "ti", whose, store_now_us(tx) - DAY), 0, &n, e);
    *out = (unsigned)n;
    return ok;
}

static bool use_today(struct store_tx *tx, const struct outbox_spender *who, struct budget_use *out,
                      struct error *e)
{
    static const char calls[] =
        "select count(*) from deliveries"
        " where community = $1 and kind = 'voice' and created_us > $2 and state <> 'cancelled'";
    static const char texts[] =
        "select count(*) from deliveries"
        " where community = $1 and (kind = 'sms' or kind = 'pager') and created_us > $2"
        " and state <> 'cancelled'";
    static const char strangers[] =
        "select count(*) from deliveries"
        " where account = $1 and created_us > $2 and purpose = 'request' and state <> 'cancelled'";
    return count_today(tx, calls, who->community, &out->calls_today, e) &&
           count_today(tx, texts, who->community, &out->sms_today, e) &&
           count_today(tx, strangers, who->account, &out->stranger_mails_today, e);
}

bool outbox_query_use(struct store_tx *tx, const struct outbox_spender *who, struct budget_use *out,
                      struct error *e)
{
    struct windows sms, mail, calls;
    if (!count_windows(tx, who, DEVICE_SMS, &sms, e) ||
        !count_windows(tx, who, DEVICE_EMAIL, &mail, e) ||
        !count_windows(tx, who, DEVICE_VOICE, &calls, e))
        return false;
    *out = (struct budget_use){
        .sms_by_contact = sms.by_peer,     .sms_by_domain = sms.by_domain,
        .mail_by_contact = mail.by_peer,   .mail_by_domain = mail.by_domain,
        .calls_by_contact = calls.by_peer, .calls_by_domain = calls.by_domain,
    };
    return use_today(tx, who, out, e);
}

/* -- what a device was told -- */

bool outbox_query_told(struct store_tx *tx, const struct outbox_about *about, struct arena *a,
                       struct outbox_told *out, struct error *e)
{
    static const char sql[] =
        "select ref, state, due_us, told_us, step from deliveries"
        " where account = $1 and n = $2 and peer = $3 and purpose = 'message' and created_us > $4";
    *out = (struct outbox_told){ 0 };
    struct store_rows *r = store_query(tx, e, sql, "titi", about->account, about->n, about->peer,
                                       store_now_us(tx) - 3 * DAY);
    while (r && store_next(r, e)) {
        bool waits = text_eq(store_text(r, 1), outbox_state_name(OUTBOX_PLANNED));
        if (store_int(r, 3) > out->last_told_us)
            out->last_told_us = store_int(r, 3);
        if (waits && (!out->pending_ref || store_int(r, 2) < out->pending_due_us)) {
            out->pending_ref = arena_dup(a, store_text(r, 0));
            out->pending_due_us = store_int(r, 2);
            out->pending_step = store_int(r, 4);
        }
    }
    return r && e->code == ERROR_NONE;
}

bool outbox_query_count_day(struct store_tx *tx, const char *account, const char *address,
                            enum outbox_purpose p, int64_t *out, struct error *e)
{
    static const char sql[] =
        "select count(*) from deliveries"
        " where account = $1 and ($2 = '' or address = $3) and purpose = $4 and created_us > $5";
    const char *to = address ? address : "";
    return store_number(store_query(tx, e, sql, "tttti", account, to, to, outbox_store_purpose(p),
                                    store_now_us(tx) - DAY),
                        0, out, e);
}

bool outbox_query_calling(struct store_tx *tx, const char *address, int64_t since_us, bool *out,
                          struct error *e)
{
    static const char sql[] =
        "select count(*) from deliveries"
        " where kind = 'voice' and address = $1 and told_us > $2 and state = 'sent'";
    int64_t count;
    bool ok = store_number(store_query(tx, e, sql, "ti", address, since_us), 0, &count, e);
    *out = ok && count > 0;
    return ok;
}

/* -- whose conversation an answer is -- */

static struct outbox_conversation conversation_of(struct store_rows *r, struct arena *a)
{
    return (struct outbox_conversation){
        .account = arena_dup(a, store_text(r, 0)),
        .peer = arena_dup(a, store_text(r, 1)),
        .code = arena_dup(a, store_text(r, 2)),
        .community = arena_dup(a, store_text(r, 3)),
        .readable = store_int(r, 4) != 0,
    };
}

static bool is_listed(const struct outbox_conversations *q, const char *account, const char *peer)
{
    for (unsigned i = 0; i < q->count; i++)
        if (text_eq(q->v[i].account, account) && text_eq(q->v[i].peer, peer))
            return true;
    return false;
}

bool outbox_query_conversations(struct store_tx *tx, struct outbox_conversations *q,
                                struct arena *a, struct error *e)
{
    static const char sql[] = CONVERSATIONS
        " where kind = $1 and address = $2 and told_us > $3 and purpose = 'message'"
        " order by told_us desc";
    q->count = 0;
    struct store_rows *r =
        store_query(tx, e, sql, "tti", device_kind_word(q->kind), q->address, q->since_us);
    while (r && store_next(r, e))
        if (q->count < q->max && !is_listed(q, store_text(r, 0), store_text(r, 1)))
            q->v[q->count++] = conversation_of(r, a);
    return r && e->code == ERROR_NONE;
}

bool outbox_query_by_code(struct store_tx *tx, const struct outbox_code *code, struct arena *a,
                          struct outbox_conversation *out, struct error *e)
{
    static const char sql[] = CONVERSATIONS
        " where account = $1 and code = $2 and told_us > $3"
        " and (purpose = 'message' or purpose = 'request')"
        " order by told_us desc limit 1";
    *out = (struct outbox_conversation){ 0 };
    struct store_rows *r =
        store_query(tx, e, sql, "tti", code->account, code->code, code->since_us);
    while (r && store_next(r, e))
        *out = conversation_of(r, a);
    return r && e->code == ERROR_NONE;
}
