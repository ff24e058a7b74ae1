/* SPDX-License-Identifier: MIT */
/* Packs: messages of the journal that were committed together and that an archive holds, as many in a
 * row as fit into a page of the database, because a row a message costs the writer more than the
 * message itself. Internal to gateway/store.
 *
 * An entry is, in numbers of variable length (7 bits a byte, low first): its seq, as the difference to
 * the entry before (of the first: to the row's key); how much earlier than the commit it was first
 * said, in microseconds, zigzag; archive1, peer1, archive2, peer2, queue1, queue2; the length of its
 * text; and then the text, as stanza_write(.., NULL) wrote it.
 *
 * What is gathered is written before the transaction commits, and before anything in it reads rows.
 * Nothing is taken out of a pack but when an account is forgotten: what goes earlier has no archive,
 * and a row of its own. Store threads; a struct pack is the writer's. */
#ifndef CAUSEWAY_STORE_PACK_H
#define CAUSEWAY_STORE_PACK_H

#include "gateway/base/bytes.h"
#include "gateway/store/indexer.h"
#include "gateway/store/store.h"

enum { PACK_BYTES = 4000 }; /* with its key and time it stays inside a page of 4096 */

/* What is gathered in the open transaction. */
struct pack {
    uint64_t key, last_seq; /* of the first and the newest entry; key 0: nothing is gathered */
    struct bytes entries;
};

void pack_fini(struct pack *p);
void pack_clear(struct pack *p);
/* Is it for a pack? Otherwise it gets a row of its own. */
bool pack_takes(const struct index_entry *entry, struct span xml);
/* Puts it behind the others; writes these first when it does not fit beside them. */
MUST_USE bool pack_add(struct store_tx *tx, struct pack *p, const struct index_entry *entry, struct span xml,
                       struct error *e);
MUST_USE bool pack_write(struct store_tx *tx, struct pack *p, struct error *e);

/* Walks the entries of a row of packs, of the columns seq, kept_us, entries; false: no more, or
 * (is_broken) these are no entries. */
struct pack_walk {
    struct span left;
    uint64_t seq;    /* begin with the row's key */
    int64_t kept_us; /* the row's */
    bool is_broken;
};
struct pack_walk pack_walk_of(struct store_rows *r);
bool pack_next(struct pack_walk *w, struct index_entry *entry, struct span *xml);
/* Fills *e: this row does not hold what a pack holds. Returns false. */
bool pack_say_broken(struct store_rows *r, struct error *e);

/* The pack that may hold `seq`, its columns as pack_walk_of wants them; *out NULL: none does, otherwise
 * store_end is due. */
MUST_USE bool pack_row(struct store_tx *tx, uint64_t seq, struct store_rows **out, struct error *e);
/* Newest seq and time of all packs; 0: there is none. At open. */
MUST_USE bool pack_newest(struct store_tx *tx, uint64_t *seq, int64_t *kept_us, struct error *e);
/* `owner`'s archive no longer holds it; what no archive holds leaves the pack for a row of its own,
 * or altogether when no queue holds it either. *found false: it is in no pack. */
MUST_USE bool pack_forget(struct store_tx *tx, int64_t owner, uint64_t seq, bool *found, struct error *e);

#endif
