/* SPDX-License-Identifier: MIT */
/* Datagrams of a local socket are not lost: a full queue makes the sender wait. A gateway that ends before it
 * read one has no links any more, and reads the store at its next start. */
#include "gateway/doorbell.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"

enum { SAID_BYTES = 4096 }; /* more than a bare JID and a letter can have */

struct doorbell {
    uv_poll_t poll;
    struct sockaddr_un at;
    int fd;
    void (*on_ring)(void *user, enum doorbell_news news, const char *bare);
    void *user;
};

static bool address_of(struct sockaddr_un *at, const char *store_path, struct error *e)
{
    *at = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(at->sun_path, sizeof at->sun_path, "%s.bell", store_path);
    return n < (int)sizeof at->sun_path ||
           error_set(e, ERROR_INVALID,
                     "store %s: the path is too long for a socket beside it (%s.bell; at most %zu bytes)", store_path,
                     store_path, sizeof at->sun_path - 1);
}

/* -- the gateway -- */

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct doorbell *d = poll->data;
    char said[SAID_BYTES + 1];
    ssize_t n;
    (void)status, (void)events;
    while ((n = recv(d->fd, said, SAID_BYTES, MSG_DONTWAIT)) >= 0) {
        said[n] = '\0';
        if (said[0] == DOORBELL_ACCOUNT || said[0] == DOORBELL_PASSWORD || said[0] == DOORBELL_CLIENT)
            d->on_ring(d->user, (enum doorbell_news)said[0], said + 1);
        else
            log_warn(NULL, "%s: rung by who knows not how", d->at.sun_path);
    }
    if (errno != EAGAIN && errno != EINTR)
        log_error(NULL, "%s: %s", d->at.sun_path, strerror(errno));
}

/* The mode of a socket's file is the socket's own when it is bound, so nobody else ever finds it open. */
static int bind_own(const struct sockaddr_un *at, struct error *e)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool removed = unlink(at->sun_path) == 0 || errno == ENOENT;
    if (fd >= 0 && removed && fchmod(fd, 0600) == 0 && bind(fd, (const struct sockaddr *)at, sizeof *at) == 0)
        return fd;
    error_set(e, ERROR_IO, "cannot make %s: %s", at->sun_path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

struct doorbell *doorbell_open(struct loop *l, const char *store_path,
                               void (*on_ring)(void *user, enum doorbell_news news, const char *bare), void *user,
                               struct error *e)
{
    struct doorbell *d = mem_new(struct doorbell);
    d->on_ring = on_ring;
    d->user = user;
    d->fd = address_of(&d->at, store_path, e) ? bind_own(&d->at, e) : -1;
    if (d->fd < 0) {
        mem_free(d);
        return NULL;
    }
    d->poll.data = d;
    CHECK(uv_poll_init(loop_uv(l), &d->poll, d->fd) == 0);
    CHECK(uv_poll_start(&d->poll, UV_READABLE, on_readable) == 0);
    return d;
}

static void on_closed(uv_handle_t *h)
{
    struct doorbell *d = h->data;
    close(d->fd);
    mem_free(d);
}

void doorbell_close(struct doorbell **dp)
{
    struct doorbell *d = *dp;
    *dp = NULL;
    if (!d)
        return;
    unlink(d->at.sun_path); /* not there: then nobody rings either */
    uv_close((uv_handle_t *)&d->poll, on_closed);
}

/* -- the tool -- */

bool doorbell_ring(const char *store_path, enum doorbell_news news, const char *bare, struct error *e)
{
    struct sockaddr_un at;
    char said[SAID_BYTES];
    int len = snprintf(said, sizeof said, "%c%s", news, bare);
    CHECK(len < (int)sizeof said);
    if (!address_of(&at, store_path, e))
        return false;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool held = fd >= 0 && sendto(fd, said, (size_t)len, MSG_NOSIGNAL, (struct sockaddr *)&at, sizeof at) >= 0;
    bool nobody_runs = !held && fd >= 0 && (errno == ENOENT || errno == ECONNREFUSED);
    if (!held && !nobody_runs)
        error_set(e, ERROR_IO, "%s: %s", at.sun_path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return held || nobody_runs;
}
