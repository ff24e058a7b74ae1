/* SPDX-License-Identifier: MIT */
/* libuv's uv_fs_poll looks at a file's stamp, on its pool: that sees a file that is replaced, a link that is
 * changed and a file system over the network, and a list may be some seconds late. Reading is on the pool too. */
#include "gateway/deny_lists.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "gateway/base/bytes.h"
#include "gateway/base/list.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/config.h"
#include "gateway/net/loop.h"
#include "s2s/s2s_deny_list.h"

enum { LOOK_MS = 5000, BYTES_MAX = 64 * 1024 * 1024, WRONG_TOLD = 5 };

struct file {
    struct list node;
    struct deny_lists *of;
    char *path;
    uv_fs_poll_t poll;
    uv_work_t work;
    bool is_reading, must_read_again;
    /* what was read */
    struct s2s_deny_list *list; /* NULL: nothing could be */
    unsigned wrong[WRONG_TOLD], wrong_count;
    struct error error;
};

struct deny_lists {
    struct loop *loop;
    struct s2s *s2s;
    struct list files;
    bool is_watching;
    unsigned open; /* handles, and readings */
    void (*on_stopped)(void *user); /* NULL: not stopping */
    void *user;
    struct command stop;
};

/* ---- reading, on the pool ---- */

static void on_wrong(void *user, unsigned line)
{
    struct file *f = user;
    if (f->wrong_count < WRONG_TOLD)
        f->wrong[f->wrong_count] = line;
    f->wrong_count++;
}

static bool read_all(struct file *f, struct bytes *out)
{
    char part[16384];
    size_t n;
    FILE *in = fopen(f->path, "re");
    if (!in)
        return error_set(&f->error, ERROR_IO, "%s: %s", f->path, strerror(errno));
    while (out->len < BYTES_MAX && (n = fread(part, 1, sizeof part, in)) > 0)
        bytes_append(out, part, n);
    bool ok = !ferror(in) && feof(in);
    if (!ok)
        error_set(&f->error, ERROR_IO, "%s: it cannot be read, or has more than %d bytes", f->path, BYTES_MAX);
    fclose(in);
    return ok;
}

static void on_work(uv_work_t *w)
{
    struct file *f = container_of(w, struct file, work);
    struct bytes b = BYTES_EMPTY;
    f->wrong_count = 0;
    error_clear(&f->error);
    if (read_all(f, &b))
        f->list = s2s_deny_list_read(f->path, b.data, b.len, on_wrong, f);
    bytes_fini(&b);
}

/* ---- on the loop ---- */

static void check_stopped(struct deny_lists *d)
{
    if (d->on_stopped && d->open == 0)
        d->on_stopped(d->user);
}

static void tell(const struct file *f)
{
    if (!f->list) {
        log_error(NULL, "%s; the list before stays", f->error.text);
        return;
    }
    for (unsigned i = 0; i < f->wrong_count && i < WRONG_TOLD; i++)
        log_warn(NULL, "%s:%u: neither a domain nor an address of somebody; the line is left out", f->path,
                 f->wrong[i]);
    if (f->wrong_count > WRONG_TOLD)
        log_warn(NULL, "%s: %u lines are left out", f->path, f->wrong_count);
    log_info(NULL, "%s: a list of %zu is read", f->path, s2s_deny_list_count(f->list));
}

static void begin_reading(struct file *f);

static void on_worked(uv_work_t *w, int status)
{
    struct file *f = container_of(w, struct file, work);
    struct deny_lists *d = f->of;
    (void)status; /* it is never cancelled */
    f->is_reading = false;
    d->open--;
    if (!d->on_stopped) {
        tell(f);
        if (f->list)
            s2s_set_deny_list(d->s2s, f->list);
    }
    s2s_deny_list_unref(&f->list);
    if (f->must_read_again && !d->on_stopped)
        begin_reading(f);
    check_stopped(d);
}

static void begin_reading(struct file *f)
{
    f->must_read_again = f->is_reading;
    if (f->is_reading)
        return;
    f->is_reading = true;
    f->of->open++;
    CHECK(uv_queue_work(loop_uv(f->of->loop), &f->work, on_work, on_worked) == 0);
}

static void on_change(uv_fs_poll_t *poll, int status, const uv_stat_t *before, const uv_stat_t *now)
{
    (void)status, (void)before, (void)now; /* that it is gone is told by the reading */
    begin_reading(poll->data);
}

static void watch(struct file *f)
{
    CHECK(uv_fs_poll_init(loop_uv(f->of->loop), &f->poll) == 0);
    f->poll.data = f;
    f->of->open++;
    CHECK(uv_fs_poll_start(&f->poll, on_change, f->path, LOOK_MS) == 0);
    begin_reading(f);
}

/* ---- beginning and end ---- */

static bool has(const struct deny_lists *d, const char *path)
{
    list_each(node, &d->files)
        if (strcmp(list_entry(node, struct file, node)->path, path) == 0)
            return true;
    return false;
}

void deny_lists_add(struct deny_lists *d, const struct config_community *cc)
{
    for (const char *const *path = cc->federation.deny_lists; path && *path; path++) {
        if (has(d, *path))
            continue;
        struct file *f = mem_new(struct file);
        f->of = d;
        f->path = mem_dup(*path);
        list_append(&d->files, &f->node);
        if (d->is_watching)
            watch(f);
    }
}

struct deny_lists *deny_lists_create(struct loop *l, struct s2s *s2s, const struct config *c)
{
    struct deny_lists *d = mem_new(struct deny_lists);
    d->loop = l;
    d->s2s = s2s;
    list_init(&d->files);
    for (unsigned i = 0; i < c->community_count; i++)
        deny_lists_add(d, &c->communities[i]);
    return d;
}

void deny_lists_watch(struct deny_lists *d)
{
    d->is_watching = true;
    d->open++; /* so that on_stopped comes later, also without a file */
    list_each(node, &d->files)
        watch(list_entry(node, struct file, node));
}

static void on_closed(uv_handle_t *h)
{
    struct file *f = h->data;
    f->of->open--;
    check_stopped(f->of);
}

static void run_stop(struct command *cmd)
{
    struct deny_lists *d = container_of(cmd, struct deny_lists, stop);
    d->open--;
    check_stopped(d);
}

void deny_lists_stop(struct deny_lists *d, void (*on_stopped)(void *user), void *user)
{
    CHECK(d->is_watching && !d->on_stopped);
    d->on_stopped = on_stopped;
    d->user = user;
    list_each(node, &d->files)
        uv_close((uv_handle_t *)&list_entry(node, struct file, node)->poll, on_closed);
    d->stop.run = run_stop;
    loop_post(d->loop, &d->stop);
}

void deny_lists_destroy(struct deny_lists **dp)
{
    struct deny_lists *d = *dp;
    *dp = NULL;
    if (!d)
        return;
    list_each(node, &d->files) {
        struct file *f = list_entry(node, struct file, node);
        list_remove(&f->node);
        mem_free(f->path);
        mem_free(f);
    }
    mem_free(d);
}
