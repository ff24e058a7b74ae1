/* SPDX-License-Identifier: MIT */
/* A client of a server under test that speaks in lines: what it says, what it hears, until when. */
#ifndef CAUSEWAY_TEST_LINE_CLIENT_H
#define CAUSEWAY_TEST_LINE_CLIENT_H

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/unit/gateway/net/net_world.h"

struct line_client {
    int fd; /* -1: none */
    char got[8192];
    size_t got_len;
    bool eof;
};

static inline void line_client_close(struct line_client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

/* Anew, and what was heard before is forgotten. */
static inline void line_client_connect(struct line_client *c, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, "127.0.0.1", &in.sin_addr);
    line_client_close(c);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&in, sizeof in), 0);
    c->got_len = 0;
    c->got[0] = '\0';
    c->eof = false;
}

static inline void line_client_say(struct line_client *c, const char *text)
{
    assert_int_equal(send(c->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* false: nothing has come. */
static inline bool line_client_hear(struct line_client *c)
{
    ssize_t n = recv(c->fd, c->got + c->got_len, sizeof c->got - 1 - c->got_len, MSG_DONTWAIT);
    if (n > 0)
        c->got_len += (size_t)n;
    c->got[c->got_len] = '\0';
    c->eof = c->eof || n == 0 || (n < 0 && errno != EAGAIN);
    return n != 0;
}

/* Until that was heard; the server may have closed. */
static inline void line_client_wait_for(struct line_client *c, struct net_world *w, const char *text)
{
    net_world_until(w, (line_client_hear(c) && strstr(c->got, text)) || c->eof);
    if (!strstr(c->got, text))
        fail_msg("wanted %s, got %s", text, c->got);
}

static inline void line_client_wait_eof(struct line_client *c, struct net_world *w)
{
    net_world_until(w, !line_client_hear(c) || c->eof);
}

#endif
