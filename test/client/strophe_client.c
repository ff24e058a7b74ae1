/* SPDX-License-Identifier: MIT */
/* A stock XMPP client library, driven by lines: what it is told on standard input goes out, what arrives
 * is printed, a line a stanza (line feeds as &#10;). Nothing here knows of Causeway.
 *
 *     CLIENT_PASSWORD=... strophe-client JID HOST PORT CA_FILE
 *     < <message .../>        a stanza, on one line      < quit
 *     > connected FULL_JID    > stanza XML               > disconnected REASON
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <strophe.h>

enum { LINE_MAX_BYTES = 1 << 20, POLL_MS = 200 };

struct client {
    xmpp_ctx_t *ctx;
    xmpp_conn_t *conn;
    bool connected, over;
    int fd;
    char last_log[256];
    size_t in_len;
    char in[LINE_MAX_BYTES];
};

static struct client *the_client; /* libstrophe's sockopt callback has no user pointer */

static void keep_last_line(void *user, xmpp_log_level_t level, const char *area, const char *text)
{
    struct client *c = user;
    if (level >= XMPP_LEVEL_WARN)
        snprintf(c->last_log, sizeof c->last_log, "%s: %s", area, text);
    if (getenv("CLIENT_DEBUG"))
        fprintf(stderr, "%s: %s\n", area, text);
}

static int note_socket(xmpp_conn_t *conn, void *socket)
{
    (void)conn;
    the_client->fd = *(int *)socket;
    return 0;
}

static int on_stanza(xmpp_conn_t *conn, xmpp_stanza_t *stanza, void *user)
{
    (void)conn;
    struct client *c = user;
    char *text;
    size_t len;
    if (xmpp_stanza_to_text(stanza, &text, &len) != XMPP_EOK)
        return 1;
    fputs("stanza ", stdout);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n')
            fputs("&#10;", stdout);
        else
            putchar(text[i]);
    }
    putchar('\n');
    fflush(stdout);
    xmpp_free(c->ctx, text);
    return 1;
}

static void on_connection(xmpp_conn_t *conn, xmpp_conn_event_t event, int error, xmpp_stream_error_t *stream_error,
                          void *user)
{
    struct client *c = user;
    if (event == XMPP_CONN_CONNECT) {
        c->connected = true;
        xmpp_handler_add(conn, on_stanza, NULL, NULL, NULL, c);
        printf("connected %s\n", xmpp_conn_get_bound_jid(conn));
    } else {
        c->over = true;
        printf("disconnected %d %s %s\n", error, stream_error && stream_error->text ? stream_error->text : "-", c->last_log);
    }
    fflush(stdout);
}

static void obey(struct client *c, char *line)
{
    if (strcmp(line, "quit") == 0)
        xmpp_disconnect(c->conn);
    else if (line[0] == '<')
        xmpp_send_raw(c->conn, line, strlen(line));
}

static void read_orders(struct client *c)
{
    ssize_t n = read(STDIN_FILENO, c->in + c->in_len, sizeof c->in - c->in_len - 1);
    if (n == 0) {
        xmpp_disconnect(c->conn);
        return;
    }
    if (n < 0)
        return;
    c->in_len += (size_t)n;
    c->in[c->in_len] = '\0';
    char *start = c->in, *end;
    while ((end = strchr(start, '\n'))) {
        *end = '\0';
        obey(c, start);
        start = end + 1;
    }
    c->in_len -= (size_t)(start - c->in);
    memmove(c->in, start, c->in_len);
}

static void wait_for_something(struct client *c)
{
    struct pollfd fds[2] = {{.fd = c->fd, .events = POLLIN}, {.fd = c->connected ? STDIN_FILENO : -1, .events = POLLIN}};
    if (c->fd < 0 || !c->connected) { /* while it connects, its own select is what waits */
        xmpp_run_once(c->ctx, 20);
        return;
    }
    poll(fds, 2, POLL_MS);
    if (fds[1].revents)
        read_orders(c);
    xmpp_run_once(c->ctx, 0);
}

int main(int argc, char **argv)
{
    const char *password = getenv("CLIENT_PASSWORD");
    if (argc != 5 || !password) {
        fputs("usage: CLIENT_PASSWORD=... strophe-client JID HOST PORT CA_FILE\n", stderr);
        return 2;
    }
    static struct client client = {.fd = -1};
    struct client *c = &client;
    the_client = c;
    signal(SIGPIPE, SIG_IGN);
    fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
    xmpp_initialize();
    xmpp_log_t log = {keep_last_line, c};
    c->ctx = xmpp_ctx_new(NULL, &log);
    c->conn = xmpp_conn_new(c->ctx);
    xmpp_conn_set_jid(c->conn, argv[1]);
    xmpp_conn_set_pass(c->conn, password);
    xmpp_conn_set_cafile(c->conn, argv[4]);
    xmpp_conn_set_flags(c->conn, XMPP_CONN_FLAG_MANDATORY_TLS);
    xmpp_conn_set_sockopt_callback(c->conn, note_socket);
    if (xmpp_connect_client(c->conn, argv[2], (unsigned short)strtoul(argv[3], NULL, 10), on_connection, c) != XMPP_EOK) {
        puts("disconnected 0 - cannot connect");
        return 1;
    }
    while (!c->over)
        wait_for_something(c);
    xmpp_conn_release(c->conn);
    xmpp_ctx_free(c->ctx);
    xmpp_shutdown();
    return 0;
}
