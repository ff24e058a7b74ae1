/* SPDX-License-Identifier: MIT */
/* Held messages that go back. The decision and the move of its messages into a queue of their own are one
 * transaction; the errors follow. What a crash left in such a queue goes back at the next start: an
 * error in doubt is sent once more (with the same id) rather than not at all. */
#include <stddef.h>
#include <string.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/session_internal.h"

enum { WINDOW = 100 };

const char *session_bounce_queue(struct arena *a, enum stanza_error error, const char *callee, const char *peer)
{
    return arena_printf(a, "b:%s %s %s", stanza_error_name(error), callee, peer);
}

/* The same words for all, so that they tell no more than the error does. */
static const char *reason_of(enum stanza_error error)
{
    if (error == STANZA_RECIPIENT_UNAVAILABLE)
        return "The message was not accepted in time.";
    if (error == STANZA_FORBIDDEN)
        return "The recipient declined.";
    return NULL;
}

void session_bounce_send(struct exchange *x, const char *queue, struct stanza *st, uint64_t seq)
{
    char name[64];
    (void)text_copy(name, sizeof name, queue + strlen("b:"));
    name[strcspn(name, " ")] = '\0';
    enum stanza_error error = stanza_error_parse(name);
    exchange_refuse(x, st, error, reason_of(error));
    journal_done(exchange_store(x), queue, seq);
}

/* ---- after a crash ---- */

struct session_bounce {
    struct exchange *x;
    struct loop *loop;
    struct queue_names names;
    struct queue_read read;
    unsigned at; /* the queue that is read */
};

static void read_next(struct session_bounce *b, uint64_t after);

static void on_rows(struct store_job *job, const struct error *e)
{
    struct session_bounce *b = container_of(job, struct session_bounce, read.job);
    uint64_t last = 0;
    if (e->code != ERROR_NONE)
        log_error(NULL, "%s was not read: %s", b->read.queue, e->text);
    for (unsigned i = 0; e->code == ERROR_NONE && i < b->read.count; i++) {
        last = b->read.rows[i].seq;
        session_bounce_send(b->x, b->read.queue, b->read.rows[i].stanza, last);
    }
    bool more = e->code == ERROR_NONE && b->read.more;
    queue_read_fini(&b->read);
    if (!more)
        b->at++;
    read_next(b, more ? last : 0);
}

static void read_next(struct session_bounce *b, uint64_t after)
{
    if (b->at >= b->names.count)
        return;
    b->read = (struct queue_read){.queue = b->names.names[b->at], .after = after, .limit = WINDOW};
    b->read.job.reply_on = b->loop;
    b->read.job.done = on_rows;
    arena_init(&b->read.arena);
    journal_read_queue(exchange_store(b->x), &b->read);
}

static void on_names(struct store_job *job, const struct error *e)
{
    struct session_bounce *b = container_of(job, struct session_bounce, names.job);
    if (e->code == ERROR_NONE)
        read_next(b, 0);
    else
        log_error(NULL, "messages that go back were not found: %s", e->text);
}

struct session_bounce *session_bounce_resume(struct exchange *x, struct loop *l)
{
    struct session_bounce *b = mem_new(struct session_bounce);
    b->x = x;
    b->loop = l;
    arena_init(&b->names.arena);
    b->names.prefix = "b:";
    b->names.job.reply_on = l;
    b->names.job.done = on_names;
    journal_queue_names(exchange_store(x), &b->names);
    return b;
}

void session_bounce_destroy(struct session_bounce **bp)
{
    struct session_bounce *b = *bp;
    *bp = NULL;
    if (!b)
        return;
    arena_fini(&b->names.arena);
    mem_free(b);
}
