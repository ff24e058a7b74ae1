/* SPDX-License-Identifier: MIT */
/* Pages of an archive (XEP-0313, paged by XEP-0059) and the ids that name its rows.
 *
 * An archive is paged by seq, which is given out at the commit: nothing ever appears behind a
 * client's cursor. Rows are filtered by the time at which they were first said; as that is never
 * later than the commit, a start time is also a bound on seq, found by bisection; an end time is not
 * (a held message enters late). One index (owner, seq) serves all of it; `with` filters its rows. */
#include <string.h>

#include "gateway/store/journal_internal.h"

enum { COUNT_MOST = 2000 }; /* beyond, a total is not worth its price */

/* -- ids -- */

static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";

static uint32_t key_word(const unsigned char *key, unsigned i)
{
    return (uint32_t)key[4 * i] | (uint32_t)key[4 * i + 1] << 8 | (uint32_t)key[4 * i + 2] << 16 |
           (uint32_t)key[4 * i + 3] << 24;
}

/* XTEA, 32 rounds: a 64-bit block cipher, because an id must be a bijection of 64 bits. It hides how
 * rows are numbered; nobody's safety rests on it. */
static uint64_t encipher(const unsigned char *bytes, uint64_t block)
{
    const uint32_t key[4] = {key_word(bytes, 0), key_word(bytes, 1), key_word(bytes, 2), key_word(bytes, 3)};
    uint32_t v0 = (uint32_t)(block >> 32), v1 = (uint32_t)block, sum = 0;
    for (unsigned i = 0; i < 32; i++) {
        v0 += (((v1 << 4) ^ (v1 >> 5)) + v1) ^ (sum + key[sum & 3]);
        sum += 0x9e3779b9;
        v1 += (((v0 << 4) ^ (v0 >> 5)) + v0) ^ (sum + key[sum >> 11 & 3]);
    }
    return (uint64_t)v0 << 32 | v1;
}

static uint64_t decipher(const unsigned char *bytes, uint64_t block)
{
    const uint32_t key[4] = {key_word(bytes, 0), key_word(bytes, 1), key_word(bytes, 2), key_word(bytes, 3)};
    uint32_t v0 = (uint32_t)(block >> 32), v1 = (uint32_t)block, sum = 0x9e3779b9u * 32;
    for (unsigned i = 0; i < 32; i++) {
        v1 -= (((v0 << 4) ^ (v0 >> 5)) + v0) ^ (sum + key[sum >> 11 & 3]);
        sum -= 0x9e3779b9;
        v0 -= (((v1 << 4) ^ (v1 >> 5)) + v1) ^ (sum + key[sum & 3]);
    }
    return (uint64_t)v0 << 32 | v1;
}

void archive_id(const struct store *s, uint64_t seq, char out[ARCHIVE_ID_LEN + 1])
{
    uint64_t block = encipher(s->archive_key, seq);
    for (unsigned i = ARCHIVE_ID_LEN; i-- > 0; block >>= 5)
        out[i] = digits[block & 31];
    out[ARCHIVE_ID_LEN] = '\0';
}

bool archive_id_parse(const struct store *s, const char *id, uint64_t *seq)
{
    uint64_t block = 0;
    if (strlen(id) != ARCHIVE_ID_LEN)
        return false;
    for (unsigned i = 0; i < ARCHIVE_ID_LEN; i++) {
        const char *digit = memchr(digits, id[i], sizeof digits - 1);
        if (!digit || (i == 0 && digit - digits > 15)) /* 13 digits hold 65 bits */
            return false;
        block = block << 5 | (uint64_t)(digit - digits);
    }
    *seq = decipher(s->archive_key, block);
    return *seq > 0 && *seq <= INT64_MAX;
}

/* -- pages -- */

struct filter {
    int64_t owner, peer; /* peer 0: anybody */
    int64_t start_us, end_us;
    int64_t above; /* rows of seq > above: what start_us is worth */
};

static bool flush_owner(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct archive_page *p = container_of(job, struct archive_page, job);
    int64_t id;
    return names_find(tx, &journal_of(tx)->names, p->owner, &id, e) && (!id || journal_flush(tx, id, e));
}

/* One number, or `otherwise` when there is no row. */
static bool read_int(struct store_rows *r, int64_t otherwise, int64_t *out, struct error *e)
{
    *out = otherwise;
    if (!r)
        return false;
    if (store_next(r, e)) {
        *out = store_int(r, 0);
        store_end(r);
    }
    return e->code == ERROR_NONE;
}

/* A seq such that everything up to it was committed before start_us. */
static bool seq_before(struct store_tx *tx, int64_t start_us, int64_t *above, struct error *e)
{
    int64_t low = 0, high;
    *above = 0;
    if (!read_int(store_query(tx, e, "select seq from journal order by seq desc limit 1", ""), 0, &high, e))
        return false;
    while (low < high) { /* all up to low are before; high may not be */
        int64_t mid = low + (high - low) / 2 + 1, kept;
        if (!read_int(store_query(tx, e,
                                  "select kept_us from journal where seq >= $1 order by seq limit 1", "i", mid),
                      INT64_MAX, &kept, e))
            return false;
        if (kept < start_us)
            low = mid;
        else
            high = mid - 1;
    }
    *above = low;
    return true;
}

static bool is_in_archive(struct store_tx *tx, int64_t owner, uint64_t seq, bool *unknown, struct error *e)
{
    int64_t found;
    if (!read_int(store_query(tx, e, "select 1 from archive where owner = $1 and seq = $2", "ii", owner,
                              (int64_t)seq),
                  0, &found, e))
        return false;
    *unknown = !found;
    return true;
}

/* Rows of the filter in front of `below`; -1: more than is worth counting. */
static bool count_rows(struct store_tx *tx, const struct filter *f, int64_t below, int64_t *count, struct error *e)
{
    if (!read_int(store_query(tx, e,
                              "select count(*) from (select 1 from archive where owner = $1 and seq > $2"
                              " and seq < $3 and ($4 = 0 or peer = $4) and first_us >= $5 and first_us <= $6"
                              " limit $7) as some",
                              "iiiiiii", f->owner, f->above, below, f->peer, f->start_us, f->end_us,
                              (int64_t)COUNT_MOST + 1),
                  0, count, e))
        return false;
    if (*count > COUNT_MOST)
        *count = -1;
    return true;
}

#define PAGE_QUERY(order)                                                                          \
    "select a.seq, a.first_us, j.stanza from archive a cross join journal j where j.seq = a.seq"   \
    " and a.owner = $1 and a.seq > $2 and a.seq < $3 and ($4 = 0 or a.peer = $4)"                  \
    " and a.first_us >= $5 and a.first_us <= $6 order by a.seq " order " limit $7"

static bool read_page(struct store_tx *tx, struct archive_page *p, const struct filter *f, struct error *e)
{
    int64_t above = (int64_t)p->after > f->above ? (int64_t)p->after : f->above;
    int64_t below = p->before ? (int64_t)p->before : INT64_MAX;
    int64_t limit = (int64_t)p->max + 1;
    p->rows = arena_alloc(&p->arena, p->max * sizeof *p->rows);
    struct store_rows *r =
        p->last_page ? store_query(tx, e, PAGE_QUERY("desc"), "iiiiiii", f->owner, above, below, f->peer,
                                   f->start_us, f->end_us, limit)
                     : store_query(tx, e, PAGE_QUERY("asc"), "iiiiiii", f->owner, above, below, f->peer,
                                   f->start_us, f->end_us, limit);
    p->complete = true;
    while (r && store_next(r, e)) {
        if (p->count == p->max) {
            p->complete = false;
            store_end(r);
            break;
        }
        struct span xml = store_blob(r, 2);
        p->rows[p->count++] = (struct archive_row){
            .seq = (uint64_t)store_int(r, 0),
            .kept_us = store_int(r, 1),
            .xml = {arena_dup_n(&p->arena, xml.data, xml.len), xml.len},
        };
    }
    for (unsigned i = 0; p->last_page && i < p->count / 2; i++) {
        struct archive_row swap = p->rows[i];
        p->rows[i] = p->rows[p->count - 1 - i];
        p->rows[p->count - 1 - i] = swap;
    }
    return r && e->code == ERROR_NONE;
}

static bool find_filter(struct store_tx *tx, struct archive_page *p, struct filter *f, bool *is_empty,
                        struct error *e)
{
    f->start_us = p->start_us ? p->start_us : INT64_MIN;
    f->end_us = p->end_us ? p->end_us : INT64_MAX;
    if (!names_lookup(tx, p->owner, &f->owner, e) || (p->with && !names_lookup(tx, p->with, &f->peer, e)))
        return false;
    *is_empty = !f->owner || (p->with && !f->peer);
    return true;
}

static bool query_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct archive_page *p = container_of(job, struct archive_page, job);
    struct filter f = {0};
    bool is_empty;
    p->count = 0;
    p->total = p->first_index = -1;
    p->complete = true;
    p->after_unknown = p->before_unknown = false;
    if (!find_filter(tx, p, &f, &is_empty, e) ||
        (p->after && !is_in_archive(tx, f.owner, p->after, &p->after_unknown, e)) ||
        (p->before && !is_in_archive(tx, f.owner, p->before, &p->before_unknown, e)))
        return false;
    if (is_empty)
        p->total = 0;
    if (is_empty || p->after_unknown || p->before_unknown)
        return true;
    if (p->start_us && !seq_before(tx, p->start_us, &f.above, e))
        return false;
    if (!count_rows(tx, &f, INT64_MAX, &p->total, e) || (p->max && !read_page(tx, p, &f, e)))
        return false;
    if (p->total < 0 || p->count == 0 || p->last_page) /* an index makes slixmpp 1.8 stop paging backwards */
        return true;
    return count_rows(tx, &f, (int64_t)p->rows[0].seq, &p->first_index, e);
}

void archive_query(struct store *s, struct archive_page *p)
{
    p->job.flush = flush_owner;
    p->job.run = query_run;
    store_read(s, &p->job);
}
