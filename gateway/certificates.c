/* SPDX-License-Identifier: MIT */
/* Folders are watched (inotify), not files: certbot and its like replace a file or a link by another, which a
 * watch on the old one would not see. Whatever happens there, each file's stamp is compared, links followed, so an
 * event need not be understood. A certificate and its key come one after the other: a short wait lets both
 * arrive, and a pair that does not fit yet is read again with the next event. Files are read on libuv's pool. */
#include "gateway/certificates.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <uv.h>

#include "gateway/base/arena.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/config.h"
#include "gateway/net/loop.h"
#include "gateway/net/timer.h"
#include "gateway/net/tls.h"

enum { TOGETHER_MS = 500 };

struct stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

enum { FILE_CHAIN, FILE_KEY, FILE_CA, FILE_CRL, FILE_COUNT };

struct pair {
    const char *domain;
    const char *files[FILE_COUNT];   /* those of people (client_ca, client_crl) may be NULL */
    struct stamp stamps[FILE_COUNT]; /* of what was read last; zero: nothing could be */
    bool was_read;          /* in the round that ended last */
    struct error error;
};

struct folder {
    uv_fs_event_t event;
    const char *path;
};

struct certificates {
    struct arena arena;
    struct loop *loop;
    struct tls_store *tls;
    struct pair *pairs;
    unsigned pair_count;
    struct folder *folders; /* each once */
    unsigned folder_count;
    uv_signal_t hangup;
    struct timer soon;
    uv_work_t work;
    unsigned handles; /* open or closing */
    bool is_watching, is_reading, must_read_again;
    void (*on_stopped)(void *user); /* NULL: not stopping */
    void *user;
};

/* ---- reading ---- */

static struct stamp stamp_of(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return (struct stamp){0};
    return (struct stamp){.device = st.st_dev, .inode = st.st_ino, .size = st.st_size, .changed = st.st_mtim};
}

static bool stamp_eq(const struct stamp *a, const struct stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* The stamps are from before the reading: what changes meanwhile is another change. */
static bool read_pair(struct tls_store *tls, struct pair *p)
{
    struct stamp now[FILE_COUNT] = {{0}};
    p->was_read = false;
    for (int i = 0; i < FILE_COUNT; i++) {
        if (p->files[i])
            now[i] = stamp_of(p->files[i]);
        p->was_read = p->was_read || !stamp_eq(&now[i], &p->stamps[i]);
    }
    error_clear(&p->error);
    if (!p->was_read)
        return true;
    memcpy(p->stamps, now, sizeof now);
    return tls_store_set(tls, p->domain, p->files[FILE_CHAIN], p->files[FILE_KEY], &p->error) &&
           (!p->files[FILE_CA] ||
            tls_store_set_people(tls, p->domain, p->files[FILE_CA], p->files[FILE_CRL], &p->error));
}

/* ---- reading anew, off the loop ---- */

static void on_work(uv_work_t *w)
{
    struct certificates *s = container_of(w, struct certificates, work);
    for (unsigned i = 0; i < s->pair_count; i++)
        (void)read_pair(s->tls, &s->pairs[i]); /* told by tell() */
}

static void tell(const struct certificates *s, const struct pair *p)
{
    if (p->error.code != ERROR_NONE)
        log_error(NULL, "certificate of %s: %s; the one before stays", p->domain, p->error.text);
    else if (!tls_certificate_covers(s->tls, p->domain))
        log_warn(NULL, "certificate of %s: read anew from %s, but it is not for that name", p->domain,
                 p->files[FILE_CHAIN]);
    else
        log_info(NULL, "certificate of %s: read anew from %s", p->domain, p->files[FILE_CHAIN]);
}

static void finish_stopping(struct certificates *s);

static void begin_reading(struct certificates *s);

static void on_worked(uv_work_t *w, int status)
{
    struct certificates *s = container_of(w, struct certificates, work);
    (void)status; /* it is never cancelled */
    s->is_reading = false;
    for (unsigned i = 0; i < s->pair_count; i++)
        if (s->pairs[i].was_read)
            tell(s, &s->pairs[i]);
    if (s->on_stopped)
        finish_stopping(s);
    else if (s->must_read_again)
        begin_reading(s);
}

static void begin_reading(struct certificates *s)
{
    s->must_read_again = s->is_reading;
    if (s->is_reading)
        return;
    s->is_reading = true;
    CHECK(uv_queue_work(loop_uv(s->loop), &s->work, on_work, on_worked) == 0);
}

/* ---- what has them read ---- */

static void on_soon(struct timer *t)
{
    begin_reading(container_of(t, struct certificates, soon));
}

static void on_change(uv_fs_event_t *event, const char *name, int events, int status)
{
    struct certificates *s = event->data;
    (void)name, (void)events, (void)status; /* an error too is a reason to look */
    timer_start(&s->soon, s->loop, TOGETHER_MS, on_soon);
}

static void on_hangup(uv_signal_t *handle, int number)
{
    (void)number;
    log_info(NULL, "SIGHUP: certificates are looked at");
    begin_reading(handle->data);
}

static void watch_folder(struct certificates *s, struct folder *f)
{
    uv_fs_event_init(loop_uv(s->loop), &f->event);
    f->event.data = s;
    s->handles++;
    int rc = uv_fs_event_start(&f->event, on_change, f->path, 0);
    if (rc != 0)
        log_warn(NULL, "%s: %s; a certificate that is replaced there is not noticed, send SIGHUP then", f->path,
                 uv_strerror(rc));
}

void certificates_watch(struct certificates *s)
{
    s->is_watching = true;
    for (unsigned i = 0; i < s->folder_count; i++)
        watch_folder(s, &s->folders[i]);
    CHECK(uv_signal_init(loop_uv(s->loop), &s->hangup) == 0);
    s->hangup.data = s;
    s->handles++;
    CHECK(uv_signal_start(&s->hangup, on_hangup, SIGHUP) == 0);
}

/* ---- beginning and end ---- */

static void add_folder(struct certificates *s, const char *file)
{
    const char *slash = strrchr(file, '/');
    const char *path = !slash ? "." : slash == file ? "/" : arena_dup_n(&s->arena, file, (size_t)(slash - file));
    for (unsigned i = 0; i < s->folder_count; i++)
        if (text_eq(s->folders[i].path, path))
            return;
    s->folders[s->folder_count++].path = path;
}

static void list_pairs(struct certificates *s, const struct config *c)
{
    s->pairs = arena_alloc(&s->arena, c->community_count * sizeof *s->pairs);
    s->folders = arena_alloc(&s->arena, FILE_COUNT * c->community_count * sizeof *s->folders);
    memset(s->pairs, 0, c->community_count * sizeof *s->pairs);
    memset(s->folders, 0, FILE_COUNT * c->community_count * sizeof *s->folders);
    for (unsigned i = 0; i < c->community_count; i++) {
        const struct config_community *cc = &c->communities[i];
        struct pair *p = &s->pairs[s->pair_count++];
        *p = (struct pair){.domain = cc->exchange.domain,
                           .files = {cc->certificate, cc->key, cc->client_ca, cc->client_crl}};
        for (int f = 0; f < FILE_COUNT; f++)
            if (p->files[f])
                add_folder(s, p->files[f]);
    }
}

struct certificates *certificates_create(struct loop *l, const struct config *c, struct tls_store *tls, struct error *e)
{
    struct certificates *s = mem_new(struct certificates);
    arena_init(&s->arena);
    s->loop = l;
    s->tls = tls;
    list_pairs(s, c);
    for (unsigned i = 0; i < s->pair_count; i++) {
        struct pair *p = &s->pairs[i];
        if (!read_pair(tls, p)) {
            error_set(e, p->error.code, "community \"%s\": %s", p->domain, p->error.text);
            certificates_destroy(&s);
            return NULL;
        }
    }
    return s;
}

static void on_closed(uv_handle_t *h)
{
    struct certificates *s = h->data;
    if (--s->handles == 0)
        s->on_stopped(s->user);
}

static void finish_stopping(struct certificates *s)
{
    uv_close((uv_handle_t *)&s->hangup, on_closed);
    for (unsigned i = 0; i < s->folder_count; i++)
        uv_close((uv_handle_t *)&s->folders[i].event, on_closed);
}

void certificates_stop(struct certificates *s, void (*on_stopped)(void *user), void *user)
{
    CHECK(s->is_watching && !s->on_stopped);
    s->on_stopped = on_stopped;
    s->user = user;
    timer_stop(&s->soon);
    if (!s->is_reading)
        finish_stopping(s);
}

void certificates_destroy(struct certificates **sp)
{
    struct certificates *s = *sp;
    *sp = NULL;
    if (!s)
        return;
    CHECK(s->handles == 0 && !s->is_reading);
    arena_fini(&s->arena);
    mem_free(s);
}
