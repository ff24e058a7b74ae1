/* SPDX-License-Identifier: MIT */
/* sd_notify(3) and its watchdog. The socket is opened for each word: there are three in a life, and the
 * watchdog's few a minute. */
#include "gateway/manager.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"

void manager_tell(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!path || (path[0] != '/' && path[0] != '@') || !text_copy(to.sun_path, sizeof to.sun_path, path))
        return;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (path[0] == '@') /* Linux: a name without a file */
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    /* Who waited for READY alone may be gone when we stop: no news. */
    if (sendto(fd, state, strlen(state), 0, (struct sockaddr *)&to, len) < 0 && !text_eq(state, "STOPPING=1"))
        log_warn(NULL, "cannot tell the service manager %s", state);
    close(fd);
}

static void on_due(struct timer *t)
{
    struct manager_watch *w = container_of(t, struct manager_watch, timer);
    manager_tell("WATCHDOG=1");
    timer_start(&w->timer, w->loop, w->every_ms, on_due);
}

void manager_watch_start(struct manager_watch *w, struct loop *l)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    uint64_t limit_us = 0, watched = 0;
    *w = (struct manager_watch){.loop = l};
    if (!usec || !text_to_u64(usec, &limit_us) || limit_us < 2000)
        return;
    if (pid && (!text_to_u64(pid, &watched) || watched != (uint64_t)getpid()))
        return;
    w->every_ms = limit_us / 2000;
    timer_start(&w->timer, l, w->every_ms, on_due);
}

void manager_watch_stop(struct manager_watch *w)
{
    if (w->every_ms)
        timer_stop(&w->timer);
}
