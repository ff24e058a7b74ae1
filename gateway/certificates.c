/* SPDX-License-Identifier: MIT */
/* Folders are watched (inotify), not files: certbot and its like replace a file or a link by another, which a
 * watch on the old one would not see. Whatever happens there, each file's stamp is compared, links followed, so an
 * event need not be understood. A certificate and its key come one after the other: a short wait lets both
 * arrive, and a pair that does not fit yet is read again with the next event. Files are read on libuv's pool. */
#include "gateway/certificates.h"

#include <string.h>
#include <sys/stat.h>
#include <uv.h>

#include "gateway/base/arena.h"
#include "gateway/base/list.h"
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

struct folder {
    struct list node;
    uv_fs_event_t event;
    struct certificates *all;
    char *path;
    unsigned pair_files; /* that lie in it */
    bool is_open;
};

struct certificates_pair {
    struct list node;
    struct arena arena;
    const char *domain;
    const char *files[FILE_COUNT];   /* those of people (client_ca, client_crl) may be NULL */
    struct stamp stamps[FILE_COUNT]; /* of what was read last; zero: nothing could be */
    struct folder *folders[FILE_COUNT];
    bool was_read;                   /* in the round that ended last */
    bool is_leaving;                 /* when nothing is being read */
    struct error error;
};

struct certificates {
    struct loop *loop;
    struct tls_store *tls;
    struct list pairs;    /* as long as something is read nothing comes or goes */
    struct list joining;  /* pairs that wait for that */
    struct list folders;  /* each once */
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
static bool read_pair(struct tls_store *tls, struct certificates_pair *p)
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

static struct certificates_pair *pair_of(struct list *node)
{
    return list_entry(node, struct certificates_pair, node);
}

static void on_work(uv_work_t *w)
{
    struct certificates *s = container_of(w, struct certificates, work);
    list_each(node, &s->pairs)
        (void)read_pair(s->tls, pair_of(node)); /* told by tell() */
}

static void tell(const struct certificates *s, const struct certificates_pair *p)
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
static void come_and_go(struct certificates *s);

static void on_worked(uv_work_t *w, int status)
{
    struct certificates *s = container_of(w, struct certificates, work);
    (void)status; /* it is never cancelled */
    s->is_reading = false;
    list_each(node, &s->pairs)
        if (pair_of(node)->was_read && !pair_of(node)->is_leaving)
            tell(s, pair_of(node));
    come_and_go(s);
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
    struct folder *f = event->data;
    (void)name, (void)events, (void)status; /* an error too is a reason to look */
    timer_start(&f->all->soon, f->all->loop, TOGETHER_MS, on_soon);
}

void certificates_look(struct certificates *s)
{
    if (!s->on_stopped)
        begin_reading(s);
}

/* ---- folders ---- */

static void folder_open(struct folder *f)
{
    struct certificates *s = f->all;
    uv_fs_event_init(loop_uv(s->loop), &f->event);
    f->event.data = f;
    f->is_open = true;
    s->handles++;
    int rc = uv_fs_event_start(&f->event, on_change, f->path, 0);
    if (rc != 0)
        log_warn(NULL, "%s: %s; a certificate that is replaced there is not noticed, send SIGHUP then", f->path,
                 uv_strerror(rc));
}

static void folder_free(struct folder *f)
{
    mem_free(f->path);
    mem_free(f);
}

static void check_stopped(struct certificates *s)
{
    if (s->on_stopped && !s->is_reading && s->handles == 0)
        s->on_stopped(s->user);
}

static void on_closed(uv_handle_t *h)
{
    struct folder *f = h->data;
    struct certificates *s = f->all;
    s->handles--;
    folder_free(f);
    check_stopped(s);
}

/* Out of the list; it is freed, now or once its handle is closed. */
static void folder_leave(struct folder *f)
{
    list_remove(&f->node);
    if (f->is_open)
        uv_close((uv_handle_t *)&f->event, on_closed);
    else
        folder_free(f);
}

static struct folder *folder_enter(struct certificates *s, const char *file)
{
    const char *slash = strrchr(file, '/');
    char *path = !slash ? mem_dup(".") : slash == file ? mem_dup("/") : mem_dup_n(file, (size_t)(slash - file));
    struct folder *f = NULL;
    list_each(node, &s->folders)
        if (text_eq(list_entry(node, struct folder, node)->path, path))
            f = list_entry(node, struct folder, node);
    if (f) {
        mem_free(path);
    } else {
        f = mem_new(struct folder);
        f->all = s;
        f->path = path;
        list_append(&s->folders, &f->node);
        if (s->is_watching)
            folder_open(f);
    }
    f->pair_files++;
    return f;
}

/* ---- pairs come and go ---- */

static void pair_free(struct certificates_pair *p)
{
    list_remove(&p->node);
    arena_fini(&p->arena);
    mem_free(p);
}

struct certificates_pair *certificates_read(struct tls_store *tls, const struct config_community *cc, struct error *e)
{
    struct certificates_pair *p = mem_new(struct certificates_pair);
    arena_init_sized(&p->arena, 256);
    p->domain = arena_dup(&p->arena, cc->exchange.domain);
    const char *const files[FILE_COUNT] = {cc->certificate, cc->key, cc->client_ca, cc->client_crl};
    for (int i = 0; i < FILE_COUNT; i++)
        p->files[i] = arena_dup_or_null(&p->arena, files[i]);
    if (read_pair(tls, p))
        return p;
    error_set(e, p->error.code, "certificate of %s: %s", p->domain, p->error.text);
    pair_free(p);
    return NULL;
}

void certificates_give_back(struct certificates_pair **p)
{
    if (*p)
        pair_free(*p);
    *p = NULL;
}

static void join(struct certificates *s, struct certificates_pair *p)
{
    list_remove(&p->node);
    list_append(&s->pairs, &p->node);
    for (int i = 0; i < FILE_COUNT; i++)
        p->folders[i] = p->files[i] ? folder_enter(s, p->files[i]) : NULL;
}

static bool is_of(struct list *pairs, const char *domain)
{
    list_each(node, pairs)
        if (text_eq(pair_of(node)->domain, domain) && !pair_of(node)->is_leaving)
            return true;
    return false;
}

static void leave(struct certificates *s, struct certificates_pair *p)
{
    if (!is_of(&s->pairs, p->domain) && !is_of(&s->joining, p->domain))
        tls_store_remove(s->tls, p->domain); /* it may just have been read once more */
    for (int i = 0; i < FILE_COUNT; i++)
        if (p->folders[i] && --p->folders[i]->pair_files == 0)
            folder_leave(p->folders[i]);
    pair_free(p);
}

/* Who leaves goes first: its domain may be there again. */
static void come_and_go(struct certificates *s)
{
    if (s->is_reading)
        return;
    list_each(node, &s->pairs)
        if (pair_of(node)->is_leaving)
            leave(s, pair_of(node));
    list_each(node, &s->joining)
        join(s, pair_of(node));
}

void certificates_add(struct certificates *s, struct certificates_pair *p)
{
    list_append(&s->joining, &p->node);
    come_and_go(s);
}

void certificates_remove(struct certificates *s, const char *domain)
{
    list_each(node, &s->pairs)
        if (text_eq(pair_of(node)->domain, domain))
            pair_of(node)->is_leaving = true;
    tls_store_remove(s->tls, domain);
    come_and_go(s);
}

/* ---- beginning and end ---- */

void certificates_watch(struct certificates *s)
{
    s->is_watching = true;
    list_each(node, &s->folders)
        folder_open(list_entry(node, struct folder, node));
}

struct certificates_pair *certificates_read_component(struct tls_store *tls, const struct config_component *cc,
                                                      struct error *e)
{
    const struct config_community as = {
        .exchange.domain = cc->exchange.domain, .certificate = cc->certificate, .key = cc->key};
    return certificates_read(tls, &as, e);
}

static bool add_read(struct certificates *s, struct certificates_pair *p)
{
    if (p)
        certificates_add(s, p);
    return p != NULL;
}

struct certificates *certificates_create(struct loop *l, const struct config *c, struct tls_store *tls, struct error *e)
{
    struct certificates *s = mem_new(struct certificates);
    s->loop = l;
    s->tls = tls;
    list_init(&s->pairs);
    list_init(&s->joining);
    list_init(&s->folders);
    bool good = true;
    for (unsigned i = 0; good && i < c->community_count; i++)
        good = add_read(s, certificates_read(tls, &c->communities[i], e));
    for (unsigned i = 0; good && i < c->component_count; i++)
        if (c->components[i].certificate)
            good = add_read(s, certificates_read_component(tls, &c->components[i], e));
    if (!good)
        certificates_destroy(&s);
    return s;
}

static void on_stop(struct timer *t)
{
    struct certificates *s = container_of(t, struct certificates, soon);
    finish_stopping(s);
}

static void finish_stopping(struct certificates *s)
{
    list_each(node, &s->folders)
        folder_leave(list_entry(node, struct folder, node));
    check_stopped(s);
}

void certificates_stop(struct certificates *s, void (*on_stopped)(void *user), void *user)
{
    CHECK(s->is_watching && !s->on_stopped);
    s->on_stopped = on_stopped;
    s->user = user;
    timer_stop(&s->soon);
    if (!s->is_reading)
        timer_start(&s->soon, s->loop, 0, on_stop);
}

void certificates_destroy(struct certificates **sp)
{
    struct certificates *s = *sp;
    *sp = NULL;
    if (!s)
        return;
    CHECK(s->handles == 0 && !s->is_reading);
    list_each(node, &s->folders)
        folder_leave(list_entry(node, struct folder, node));
    list_each(node, &s->pairs)
        pair_free(pair_of(node));
    list_each(node, &s->joining)
        pair_free(pair_of(node));
    mem_free(s);
}
