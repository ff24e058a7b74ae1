/* SPDX-License-Identifier: MIT */
/* SQL of the outbox: keeping and changing deliveries. Questions about them: outbox_query.c. */
#include "contact-router/outbox_store.h"

#include <string.h>

#include "gateway/base/text.h"

#define SECOND ((int64_t)1000000)
#define DAY (86400 * SECOND)

static const char *const purposes[] = {
#define P(name, word) word,
    OUTBOX_PURPOSES(P)
#undef P
};

const char *outbox_store_purpose(enum outbox_purpose p)
{
    return purposes[p];
}

static bool read_row(struct store_rows *r, struct arena *a, struct outbox_row *row)
{
    unsigned p = 0;
    while (p < OUTBOX_PURPOSE_COUNT && !text_eq(purposes[p], store_text(r, 6)))
        p++;
    *row = (struct outbox_row){
        .d = {.ref = arena_dup(a, store_text(r, 0)),
              .attempts = (unsigned)store_int(r, 14),
              .due_us = store_int(r, 15),
              .created_us = store_int(r, 16)},
        .account = arena_dup(a, store_text(r, 1)),
        .n = store_int(r, 2),
        .address = arena_dup(a, store_text(r, 4)),
        .community = arena_dup(a, store_text(r, 5)),
        .purpose = (enum outbox_purpose)p,
        .peer = arena_dup(a, store_text(r, 7)),
        .peer_domain = arena_dup(a, store_text(r, 8)),
        .code = arena_dup(a, store_text(r, 9)),
        .provider = arena_dup(a, store_text(r, 10)),
        .step = store_int(r, 12),
        .urgent = store_int(r, 13) != 0,
        .told_us = store_int(r, 17),
        .ended_us = store_int(r, 18),
        .texts = store_int(r, 19),
        .readable = store_int(r, 20) != 0,
        .text = arena_dup(a, store_text(r, 21)),
        .provider_id = arena_dup(a, store_text(r, 22)),
        .reason = arena_dup(a, store_text(r, 23)),
    };
    return p < OUTBOX_PURPOSE_COUNT && device_kind_parse(store_text(r, 3), &row->kind) &&
           outbox_state_parse(store_text(r, 11), &row->d.state);
}

bool outbox_store_read(struct store_rows *r, struct arena *a, struct outbox_rows *out, struct error *e)
{
    unsigned cap = 0;
    *out = (struct outbox_rows){ 0 };
    while (r && store_next(r, e)) {
        if (out->count == cap) {
            struct outbox_row *more = arena_alloc(a, (cap = cap ? 2 * cap : 8) * sizeof *more);
            if (out->count)
                memcpy(more, out->v, out->count * sizeof *more);
            out->v = more;
        }
        if (read_row(r, a, &out->v[out->count]))
            out->count++;
        else
            out->damaged = out->v[out->count].d.ref;
    }
    return r && e->code == ERROR_NONE;
}

static bool add_seq(struct store_tx *tx, const char *account, const char *ref, uint64_t seq,
                    struct error *e)
{
    static const char sql[] =
        "insert into delivery_messages (ref, account, seq) values ($1, $2, $3)"
        " on conflict (ref, seq) do nothing";
    return !seq || store_exec(tx, e, sql, "tti", ref, account, (int64_t)seq);
}

static bool insert_row(struct store_tx *tx, const struct outbox_row *row, struct error *e)
{
    static const char sql[] =
        "insert into deliveries (" OUTBOX_STORE_COLUMNS ")"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,"
        " $19, $20, $21, $22, $23, $24)";
    return store_exec(tx, e, sql, "ttitttt" "ttttt" "iiiiii" "iiittt", row->d.ref, row->account,
                      row->n, device_kind_word(row->kind), row->address, row->community,
                      outbox_store_purpose(row->purpose), row->peer, row->peer_domain, row->code,
                      row->provider, outbox_state_name(row->d.state), row->step,
                      (int64_t)row->urgent, (int64_t)row->d.attempts, row->d.due_us,
                      row->d.created_us, (int64_t)0, (int64_t)0, row->texts,
                      (int64_t)row->readable, row->text, "", "");
}

bool outbox_store_insert(struct store_tx *tx, struct outbox_row *row, uint64_t seq, struct arena *a,
                         struct error *e)
{
    if (!row->d.ref) {
        char ref[RANDOM_ID_LEN + 1];
        random_id(ref);
        row->d.ref = arena_dup(a, ref);
    }
    row->d.created_us = store_now_us(tx);
    return insert_row(tx, row, e) && add_seq(tx, row->account, row->d.ref, seq, e);
}

bool outbox_store_join(struct store_tx *tx, const char *account, const char *ref, const char *text,
                       bool readable, uint64_t seq, struct error *e)
{
    enum { JOINED_MAX = 8000 };
    static const char sql[] =
        "update deliveries set texts = texts + 1,"
        " readable = case when $1 = 0 then 0 else readable end,"
        " text = case when $2 = '' or length(text) > $3 then text"
        "  when text = '' then $4 else text || $5 || $6 end"
        " where ref = $7";
    return store_exec(tx, e, sql, "ititttt", (int64_t)readable, text, (int64_t)JOINED_MAX, text,
                      "\n", text, ref) &&
           add_seq(tx, account, ref, seq, e);
}

static bool get_one(struct store_rows *r, struct arena *a, struct outbox_row *row, struct error *e)
{
    struct outbox_rows rows;
    *row = (struct outbox_row){ 0 };
    if (!outbox_store_read(r, a, &rows, e))
        return false;
    if (rows.count)
        *row = rows.v[0];
    return true;
}

bool outbox_store_get(struct store_tx *tx, const char *ref, struct arena *a, struct outbox_row *row,
                      struct error *e)
{
    static const char sql[] = "select " OUTBOX_STORE_COLUMNS " from deliveries where ref = $1";
    return get_one(store_query(tx, e, sql, "t", ref), a, row, e);
}

bool outbox_store_by_provider_id(struct store_tx *tx, const char *provider, const char *id,
                                 struct arena *a, struct outbox_row *row, struct error *e)
{
    static const char sql[] =
        "select " OUTBOX_STORE_COLUMNS " from deliveries where provider = $1 and provider_id = $2";
    return get_one(store_query(tx, e, sql, "tt", provider, id), a, row, e);
}

/* A call that was asked for is not over: its code is still to be spoken. */
static bool is_calling(const struct outbox_row *row)
{
    return row->kind == DEVICE_VOICE &&
           (row->d.state == OUTBOX_SENT || row->d.state == OUTBOX_IN_DOUBT);
}

bool outbox_store_update(struct store_tx *tx, const struct outbox_row *row, struct error *e)
{
    static const char sql[] =
        "update deliveries set state = $1, attempts = $2, due_us = $3, told_us = $4, ended_us = $5,"
        " provider_id = $6, reason = $7, text = case when $8 = 1 then '' else text end,"
        " created_us = $9 where ref = $10";
    bool erase = row->purpose == OUTBOX_PURPOSE_CODE && outbox_is_ended(row->d.state) &&
                 !is_calling(row);
    return store_exec(tx, e, sql, "tiiiittiit", outbox_state_name(row->d.state),
                      (int64_t)row->d.attempts, row->d.due_us, row->told_us, row->ended_us,
                      row->provider_id, row->reason, (int64_t)erase, row->d.created_us,
                      row->d.ref);
}

bool outbox_store_hand_over(struct store_tx *tx, const char *ref, const char *provider,
                            struct error *e)
{
    static const char sql[] = "update deliveries set provider = $1 where ref = $2";
    return store_exec(tx, e, sql, "tt", provider, ref);
}

bool outbox_store_bury(struct store_tx *tx, const char *ref, struct error *e)
{
    static const char sql[] =
        "update deliveries set state = $1, ended_us = $2, reason = 'it cannot be read'"
        " where ref = $3";
    return store_exec(tx, e, sql, "tit", outbox_state_name(OUTBOX_DEAD), store_now_us(tx), ref);
}

bool outbox_store_hurry(struct store_tx *tx, const char *account, uint64_t seq, int64_t step,
                        struct error *e)
{
    static const char sql[] =
        "update deliveries set due_us = $1 where state = 'planned' and step = $2 and due_us > $3"
        " and ref in (select ref from delivery_messages where account = $4 and seq = $5)";
    int64_t now = store_now_us(tx);
    return store_exec(tx, e, sql, "iiiti", now, step + 1, now, account, (int64_t)seq);
}

bool outbox_store_sweep(struct store_tx *tx, struct error *e)
{
    static const char texts[] =
        "update deliveries set text = '' where ended_us > 0 and ended_us < $1 and text <> ''";
    static const char messages[] =
        "delete from delivery_messages"
        " where ref in (select ref from deliveries where ended_us > 0 and ended_us < $1)";
    static const char rows[] = "delete from deliveries where ended_us > 0 and ended_us < $1";
    static const char hooks[] = "delete from hooks_seen where at_us < $1";
    static const char answers[] = "delete from held_answers where at_us < $1";
    int64_t now = store_now_us(tx), month_ago = now - 30 * DAY;
    return store_exec(tx, e, texts, "i", now - DAY) &&
           store_exec(tx, e, messages, "i", month_ago) && store_exec(tx, e, rows, "i", month_ago) &&
           store_exec(tx, e, hooks, "i", month_ago) &&
           store_exec(tx, e, answers, "i", now - 3 * DAY);
}
