/* SPDX-License-Identifier: MIT */
/* One small write when the last resource of a person goes. Who was cut off by a crash of the gateway was
 * last seen before that. */
#include "gateway/exchange/last_seen.h"

#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/exchange/person.h"
#include "gateway/store/seen.h"

struct note {
    struct store_job job;
    struct arena arena;
    const char *account, *status;
};

static bool run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    const struct note *n = container_of(job, struct note, job);
    return seen_put(tx, n->account, n->status, e);
}

static void discard(struct store_job *job)
{
    struct note *n = container_of(job, struct note, job);
    arena_fini(&n->arena);
    mem_free(n);
}

void last_seen_note(struct person *p, const struct stanza *presence)
{
    if (p->state != PERSON_READY || p->barred || person_is_available(p))
        return;
    struct note *n = mem_new(struct note);
    const struct element *status = stanza_child(presence, "status", NULL);
    arena_init(&n->arena);
    n->account = arena_dup(&n->arena, p->jid->bare);
    n->status = status ? arena_dup(&n->arena, status->text) : NULL;
    n->job.run = run;
    n->job.bytes = sizeof *n + (n->status ? strlen(n->status) : 0); /* who comes and goes without end is slowed down */
    n->job.discard = discard;
    store_write(exchange_store(p->x), &n->job);
}
