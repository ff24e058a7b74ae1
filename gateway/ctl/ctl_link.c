/* SPDX-License-Identifier: MIT */
/* See ctl_link.h. libstrophe tells of a refused login only in its log, so the log is read for it. */
#include "gateway/ctl/ctl_link.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "gateway/base/clock.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"

enum { TURN_MS = 50 };

struct ctl_link {
    struct ctl_link_options o;
    xmpp_ctx_t *ctx;
    xmpp_conn_t *conn;
    xmpp_log_t log;
    bool connected, over, refused;
    char last_log[200], stream_error[200];
    unsigned asked; /* the newest question's number */
    xmpp_stanza_t *answer; /* counted; NULL: none yet */
};

static void on_log(void *user, xmpp_log_level_t level, const char *area, const char *text)
{
    struct ctl_link *l = user;
    if (l->o.debug)
        fprintf(stderr, "%s: %s\n", area, text);
    if (strstr(text, "auth failed"))
        l->refused = true;
    if (level >= XMPP_LEVEL_WARN)
        snprintf(l->last_log, sizeof l->last_log, "%s", text);
}

static int on_iq(xmpp_conn_t *conn, xmpp_stanza_t *st, void *user)
{
    (void)conn;
    struct ctl_link *l = user;
    char id[32];
    snprintf(id, sizeof id, "ctl-%u", l->asked);
    const char *type = xmpp_stanza_get_type(st);
    if (!l->answer && text_eq(xmpp_stanza_get_id(st), id) && (text_eq(type, "result") || text_eq(type, "error")))
        l->answer = xmpp_stanza_clone(st);
    return 1;
}

static void on_connection(xmpp_conn_t *conn, xmpp_conn_event_t event, int error, xmpp_stream_error_t *stream_error,
                          void *user)
{
    struct ctl_link *l = user;
    (void)error;
    if (event == XMPP_CONN_CONNECT) {
        l->connected = true;
        xmpp_handler_add(conn, on_iq, NULL, "iq", NULL, l);
        return;
    }
    l->over = true;
    if (stream_error)
        snprintf(l->stream_error, sizeof l->stream_error, "%s",
                 stream_error->text ? stream_error->text : "the server ended the stream");
}

static const char *why(const struct ctl_link *l)
{
    return l->stream_error[0] ? l->stream_error : l->last_log[0] ? l->last_log : "the connection ended";
}

/* Turns until `until` is set; false: the time is over, or the connection is. */
static bool wait_until(struct ctl_link *l, const bool *flag, xmpp_stanza_t *const *answer)
{
    uint64_t end = clock_mono_ms(clock_real()) + (uint64_t)l->o.timeout_s * 1000;
    while (!(flag && *flag) && !(answer && *answer)) {
        if (l->over || clock_mono_ms(clock_real()) >= end)
            return false;
        xmpp_run_once(l->ctx, TURN_MS);
    }
    return true;
}

struct ctl_link *ctl_link_open(const struct ctl_link_options *o, struct error *e)
{
    struct ctl_link *l = mem_new(struct ctl_link);
    l->o = *o;
    l->log = (xmpp_log_t){on_log, l};
    xmpp_initialize();
    l->ctx = xmpp_ctx_new(NULL, &l->log);
    l->conn = xmpp_conn_new(l->ctx);
    xmpp_conn_set_jid(l->conn, o->jid);
    xmpp_conn_set_pass(l->conn, o->password);
    if (o->ca_file)
        xmpp_conn_set_cafile(l->conn, o->ca_file);
    long flags = XMPP_CONN_FLAG_DISABLE_SM |
                 (o->direct_tls ? (long)XMPP_CONN_FLAG_LEGACY_SSL : (long)XMPP_CONN_FLAG_MANDATORY_TLS);
    xmpp_conn_set_flags(l->conn, flags);
    bool begun = xmpp_connect_client(l->conn, o->host, o->port, on_connection, l) == XMPP_EOK;
    if (begun && wait_until(l, &l->connected, NULL))
        return l;
    if (l->refused)
        error_set(e, ERROR_DENIED, "%s cannot log in: the name or the password was refused", o->jid);
    else
        error_set(e, ERROR_TEMPORARY, "%s cannot log in: %s", o->jid, begun && !l->over ? "no answer in time" : why(l));
    ctl_link_close(&l);
    return NULL;
}

void ctl_link_close(struct ctl_link **lp)
{
    struct ctl_link *l = *lp;
    if (!l)
        return;
    *lp = NULL;
    if (l->answer)
        xmpp_stanza_release(l->answer);
    if (l->connected && !l->over) {
        xmpp_disconnect(l->conn);
        (void)wait_until(l, &l->over, NULL);
    }
    xmpp_conn_release(l->conn);
    xmpp_ctx_free(l->ctx);
    xmpp_shutdown();
    mem_free(l);
}

xmpp_ctx_t *ctl_link_ctx(struct ctl_link *l)
{
    return l->ctx;
}

xmpp_stanza_t *ctl_link_ask(struct ctl_link *l, const char *type, const char *to, xmpp_stanza_t *payload,
                            struct error *e)
{
    char id[32];
    if (l->answer)
        xmpp_stanza_release(l->answer);
    l->answer = NULL;
    snprintf(id, sizeof id, "ctl-%u", ++l->asked);
    xmpp_stanza_t *iq = xmpp_iq_new(l->ctx, type, id);
    xmpp_stanza_set_to(iq, to);
    xmpp_stanza_add_child(iq, payload);
    xmpp_stanza_release(payload);
    xmpp_send(l->conn, iq);
    xmpp_stanza_release(iq);
    if (!wait_until(l, NULL, &l->answer))
        error_set(e, ERROR_TEMPORARY, "%s", l->over ? why(l) : "no answer in time");
    return l->answer;
}
