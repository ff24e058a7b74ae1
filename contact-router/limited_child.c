/* SPDX-License-Identifier: MIT */
/* posix_spawn with closefrom, because libuv's spawn knows neither limits nor the descriptors of other
 * libraries. The limits are set from outside while the child waits for its input: it has read nothing of
 * it before. Its end is a descriptor (pidfd), so that nobody's SIGCHLD is touched. */
#include "contact-router/limited_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/net/timer.h"

struct limited_child {
    struct limited_child_options o; /* without what was borrowed */
    char program[64]; /* for errors */
    pid_t pid;        /* 0: reaped */
    int pidfd;
    uv_pipe_t output;
    uv_poll_t end;
    struct timer limit;
    unsigned handles; /* open or closing */
    bool ended, eof, closed, too_slow;
    int status;
    uint64_t cpu_us;
    char buffer[32768];
};

/* -- the way down -- */

static void on_closed(uv_handle_t *h)
{
    struct limited_child *c = h->data;
    if (--c->handles)
        return;
    close(c->pidfd);
    mem_free(c);
}

static void reap(struct limited_child *c)
{
    struct rusage used;
    if (!c->pid)
        return;
    while (wait4(c->pid, &c->status, 0, &used) < 0 && errno == EINTR)
        ;
    c->pid = 0;
    c->cpu_us = (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
                (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

/* From here on only the handles remain. */
static void shut(struct limited_child *c)
{
    c->closed = true;
    timer_stop(&c->limit);
    uv_close((uv_handle_t *)&c->output, on_closed);
    uv_close((uv_handle_t *)&c->end, on_closed);
}

void limited_child_kill(struct limited_child *c)
{
    if (c->pid)
        kill(c->pid, SIGKILL);
    reap(c); /* what was killed is gone at once */
    shut(c);
}

static void finish(struct limited_child *c)
{
    struct error e = ERROR_INIT;
    if (!c->ended || !c->eof)
        return;
    if (c->too_slow)
        error_set(&e, ERROR_TIMEOUT, "%s did not end within %d s", c->program, LIMITED_CHILD_TIME_MS / 1000);
    else if (WIFSIGNALED(c->status))
        error_set(&e, ERROR_LIMIT, "%s was ended by signal %d", c->program, WTERMSIG(c->status));
    else if (WEXITSTATUS(c->status))
        error_set(&e, ERROR_TEMPORARY, "%s ended with status %d", c->program, WEXITSTATUS(c->status));
    struct limited_child_options o = c->o;
    uint64_t cpu_us = c->cpu_us;
    shut(c);
    o.on_end(o.user, &e, cpu_us);
}

static void on_ended(uv_poll_t *poll, int status, int events)
{
    struct limited_child *c = poll->data;
    (void)status, (void)events;
    uv_poll_stop(poll);
    reap(c);
    c->ended = true;
    finish(c);
}

static void on_limit(struct timer *t)
{
    struct limited_child *c = container_of(t, struct limited_child, limit);
    c->too_slow = true;
    c->eof = true; /* whoever else holds the other end does not matter */
    uv_read_stop((uv_stream_t *)&c->output);
    if (c->pid)
        kill(c->pid, SIGKILL);
    finish(c);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct limited_child *c = h->data;
    (void)suggested;
    *buf = uv_buf_init(c->buffer, sizeof c->buffer);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct limited_child *c = s->data;
    if (n > 0) {
        c->o.on_output(c->o.user, (struct span){ buf->base, (size_t)n });
    } else if (n < 0) {
        uv_read_stop(s);
        c->eof = true;
        finish(c);
    }
}

/* -- the way up -- */

static void limit(pid_t pid, __rlimit_resource_t what, rlim_t value)
{
    struct rlimit l = { value, value };
    (void)prlimit(pid, what, &l, NULL); /* fails only when it has ended already */
}

static void set_limits(pid_t pid, unsigned memory_mb)
{
    limit(pid, RLIMIT_CPU, LIMITED_CHILD_CPU_S);
    if (memory_mb) {
        limit(pid, RLIMIT_AS, (rlim_t)memory_mb << 20);
        limit(pid, RLIMIT_DATA, (rlim_t)memory_mb << 20);
    }
    limit(pid, RLIMIT_FSIZE, 0);
    limit(pid, RLIMIT_CORE, 0);
    limit(pid, RLIMIT_NOFILE, LIMITED_CHILD_FILES);
    (void)setpriority(PRIO_PROCESS, (id_t)pid, 5); /* messages go first */
}

static bool spawn(const struct limited_child_options *o, int in, int out, pid_t *pid, struct error *e)
{
    const char *environment[] = { "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=/nonexistent", NULL };
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    /* Stays ignored: a file that may not grow is an error for the child (PulseAudio, linked in for nothing, tries and
     * goes on without), as it is for our own store, and not death. */
    signal(SIGXFSZ, SIG_IGN);
    sigdelset(&all, SIGXFSZ);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in, 0);
    posix_spawn_file_actions_adddup2(&files, out, 1);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
    posix_spawn_file_actions_addchdir_np(&files, "/");
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    int rc = posix_spawn(pid, o->argv[0], &files, &attr, (char *const *)o->argv, (char *const *)environment);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return rc == 0 || error_set(e, ERROR_NOT_FOUND, "%s cannot be started: %s", o->argv[0], strerror(rc));
}

/* The pipe's buffer takes it as a whole, so writing never waits. */
static bool make_room(int fd, size_t len, struct error *e)
{
    enum { ALWAYS_THERE = 4096 };
    return len <= ALWAYS_THERE || fcntl(fd, F_SETPIPE_SZ, (int)len) >= (int)len ||
           error_set(e, ERROR_TEMPORARY, "no pipe of %zu bytes: %s", len, strerror(errno));
}

static void write_input(int fd, struct span input)
{
    ssize_t n = write(fd, input.data, input.len);
    CHECK(n == (ssize_t)input.len || n < 0); /* < 0: it has ended; its status says why */
}

static void watch(struct limited_child *c, int output)
{
    uv_loop_t *l = loop_uv(c->o.loop);
    CHECK(uv_pipe_init(l, &c->output, 0) == 0 && uv_pipe_open(&c->output, output) == 0);
    CHECK(uv_poll_init(l, &c->end, c->pidfd) == 0);
    c->output.data = c->end.data = c;
    c->handles = 2;
    uv_read_start((uv_stream_t *)&c->output, on_alloc, on_read);
    uv_poll_start(&c->end, UV_READABLE, on_ended);
    timer_start(&c->limit, c->o.loop, LIMITED_CHILD_TIME_MS, on_limit);
}

struct limited_child *limited_child_start(const struct limited_child_options *o, struct error *e)
{
    int in[2], out[2];
    pid_t pid;
    CHECK(o->input.len <= LIMITED_CHILD_INPUT_MAX);
    if (pipe2(in, O_CLOEXEC) != 0) {
        error_set(e, ERROR_TEMPORARY, "no pipe: %s", strerror(errno));
        return NULL;
    }
    struct limited_child *c = NULL;
    if (pipe2(out, O_CLOEXEC) != 0) {
        error_set(e, ERROR_TEMPORARY, "no pipe: %s", strerror(errno));
        goto close_in;
    }
    if (!make_room(in[1], o->input.len, e) || !spawn(o, in[0], out[1], &pid, e)) {
        close(out[0]);
        goto close_out;
    }
    int pidfd = pidfd_open(pid, 0);
    if (pidfd < 0) {
        error_set(e, ERROR_TEMPORARY, "no descriptor for a child: %s", strerror(errno));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        close(out[0]);
        goto close_out;
    }
    c = mem_new(struct limited_child);
    c->o = *o;
    c->o.argv = NULL;
    c->o.input = (struct span){NULL, 0};
    text_copy(c->program, sizeof c->program, o->argv[0]);
    c->pid = pid;
    c->pidfd = pidfd;
    set_limits(pid, o->memory_mb);
    write_input(in[1], o->input);
    watch(c, out[0]);
close_out:
    close(out[1]);
close_in:
    close(in[0]);
    close(in[1]);
    return c;
}
