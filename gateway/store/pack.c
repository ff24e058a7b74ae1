/* SPDX-License-Identifier: MIT */
/* See pack.h. */
#include "gateway/store/pack.h"

#include <string.h>

#include "gateway/store/journal_internal.h"
#include "gateway/store/varint.h"

void pack_fini(struct pack *p)
{
    bytes_fini(&p->entries);
    *p = (struct pack){0};
}

void pack_clear(struct pack *p)
{
    p->key = p->last_seq = 0;
    bytes_clear(&p->entries);
}

/* -- writing -- */

enum {
    FIELDS = 9,
    OVERHEAD_MOST = FIELDS * VARINT_MOST,
};

bool pack_takes(const struct index_entry *entry, struct span xml)
{
    return (entry->archive[0] || entry->archive[1]) && xml.len + OVERHEAD_MOST <= PACK_BYTES;
}

static void put_entry(struct bytes *out, uint64_t before, int64_t kept_us, const struct index_entry *entry,
                      struct span xml)
{
    const uint64_t fields[FIELDS] = {
        entry->seq - before,
        varint_zigzag((uint64_t)kept_us - (uint64_t)entry->first_us),
        (uint64_t)entry->archive[0],
        (uint64_t)entry->peer[0],
        (uint64_t)entry->archive[1],
        (uint64_t)entry->peer[1],
        (uint64_t)entry->queue[0],
        (uint64_t)entry->queue[1],
        xml.len,
    };
    char text[OVERHEAD_MOST], *at = text;
    for (unsigned i = 0; i < FIELDS; i++)
        at = varint_put(at, fields[i]);
    bytes_append(out, text, (size_t)(at - text));
    bytes_append(out, xml.data, xml.len);
}

bool pack_add(struct store_tx *tx, struct pack *p, const struct index_entry *entry, struct span xml,
              struct error *e)
{
    if (p->entries.len + OVERHEAD_MOST + xml.len > PACK_BYTES && !pack_write(tx, p, e))
        return false;
    if (!p->key)
        p->key = p->last_seq = entry->seq;
    put_entry(&p->entries, p->last_seq, tx->now_us, entry, xml);
    p->last_seq = entry->seq;
    tx->conn->writes++; /* a job that fails behind this one did change something */
    return true;
}

bool pack_write(struct store_tx *tx, struct pack *p, struct error *e)
{
    if (!p->key)
        return true;
    struct span entries = bytes_span(&p->entries);
    bool ok = store_exec(tx, e, "insert into packs (seq, kept_us, entries) values ($1, $2, $3)", "iib",
                         (int64_t)p->key, tx->now_us, &entries);
    pack_clear(p);
    return ok;
}

/* -- reading -- */

bool pack_next(struct pack_walk *w, struct index_entry *entry, struct span *xml)
{
    uint64_t fields[FIELDS];
    if (!w->left.len)
        return false;
    for (unsigned i = 0; i < FIELDS; i++)
        if (!varint_take(&w->left, &fields[i]))
            return !(w->is_broken = true);
    if (fields[8] > w->left.len || fields[0] > INT64_MAX - w->seq)
        return !(w->is_broken = true);
    w->seq += fields[0];
    *entry = (struct index_entry){
        .seq = w->seq,
        .first_us = (int64_t)((uint64_t)w->kept_us - varint_unzigzag(fields[1])),
        .archive = {(int64_t)fields[2], (int64_t)fields[4]},
        .peer = {(int64_t)fields[3], (int64_t)fields[5]},
        .queue = {(int64_t)fields[6], (int64_t)fields[7]},
    };
    *xml = (struct span){w->left.data, fields[8]};
    w->left.data += xml->len;
    w->left.len -= xml->len;
    return true;
}

struct pack_walk pack_walk_of(struct store_rows *r)
{
    return (struct pack_walk){
        .left = store_blob(r, 2), .seq = (uint64_t)store_int(r, 0), .kept_us = store_int(r, 1)};
}

bool pack_say_broken(struct store_rows *r, struct error *e)
{
    return error_set(e, ERROR_IO, "pack %lld of the journal does not hold what a pack holds",
                     (long long)store_int(r, 0));
}

bool pack_row(struct store_tx *tx, uint64_t seq, struct store_rows **out, struct error *e)
{
    *out = store_query(tx, e, "select seq, kept_us, entries from packs where seq <= $1 order by seq desc limit 1",
                       "i", (int64_t)seq);
    if (!*out)
        return false;
    if (!store_next(*out, e))
        *out = NULL;
    return e->code == ERROR_NONE;
}

bool pack_newest(struct store_tx *tx, uint64_t *seq, int64_t *kept_us, struct error *e)
{
    struct store_rows *r;
    struct index_entry entry;
    struct span xml;
    *seq = 0;
    *kept_us = 0;
    if (!pack_row(tx, INT64_MAX, &r, e) || !r)
        return e->code == ERROR_NONE;
    struct pack_walk w = pack_walk_of(r);
    *kept_us = w.kept_us;
    while (pack_next(&w, &entry, &xml))
        *seq = entry.seq;
    if (w.is_broken)
        pack_say_broken(r, e);
    store_end(r);
    return e->code == ERROR_NONE;
}

/* -- forgetting -- */

/* The same without the owner's archive at `seq`, and without that message if no archive is left;
 * *was: what became of it. */
static bool rewrite(struct pack_walk w, uint64_t seq, int64_t owner, struct pack *out, struct index_entry *was,
                    struct bytes *was_xml)
{
    struct index_entry entry;
    struct span xml;
    out->last_seq = out->key;
    while (pack_next(&w, &entry, &xml)) {
        if (entry.seq == seq) {
            for (unsigned i = 0; i < 2; i++)
                if (entry.archive[i] == owner)
                    entry.archive[i] = entry.peer[i] = 0;
            *was = entry;
            bytes_append(was_xml, xml.data, xml.len);
            if (!entry.archive[0] && !entry.archive[1])
                continue;
        }
        put_entry(&out->entries, out->last_seq, w.kept_us, &entry, xml);
        out->last_seq = entry.seq;
    }
    return !w.is_broken;
}

static bool replace(struct store_tx *tx, const struct pack *p, struct error *e)
{
    struct span entries = bytes_span(&p->entries);
    return entries.len ? store_exec(tx, e, "update packs set entries = $1 where seq = $2", "bi", &entries,
                                    (int64_t)p->key)
                       : store_exec(tx, e, "delete from packs where seq = $1", "i", (int64_t)p->key);
}

static bool forget_packed(struct store_tx *tx, struct store_rows *r, int64_t owner, uint64_t seq, bool *found,
                          struct pack *rest, struct bytes *xml, struct error *e)
{
    struct index_entry was = {0};
    struct pack_walk w = pack_walk_of(r);
    int64_t kept_us = w.kept_us;
    rest->key = w.seq;
    bool ok = rewrite(w, seq, owner, rest, &was, xml) || pack_say_broken(r, e);
    store_end(r);
    *found = was.seq != 0;
    if (!ok || !*found)
        return ok;
    if (!replace(tx, rest, e))
        return false;
    return was.archive[0] || was.archive[1] ||
           (journal_insert_row(tx, &was, kept_us, bytes_span(xml), e) && indexer_drop_unreferenced(tx, seq, e));
}

bool pack_forget(struct store_tx *tx, int64_t owner, uint64_t seq, bool *found, struct error *e)
{
    struct store_rows *r;
    *found = false;
    if (!pack_row(tx, seq, &r, e) || !r)
        return e->code == ERROR_NONE;
    struct pack rest = {0};
    struct bytes xml = BYTES_EMPTY;
    bool ok = forget_packed(tx, r, owner, seq, found, &rest, &xml, e);
    pack_fini(&rest);
    bytes_fini(&xml);
    return ok;
}
