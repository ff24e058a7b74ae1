/* SPDX-License-Identifier: MIT */
/* Mail by libcurl. Decided here: when TLS must be there and prove the host, what counts as
 * accepted, refused and in doubt, and how a mail travels between two loops. A call belongs to the
 * owner's loop; its job does the work. A job's `call` is touched by the owner's loop only, its curl
 * handle by the mail thread only from the hand-over until it comes back. Invariant: a job is freed
 * on the owner's loop, after `back` has run and, when `stop` was sent, after that has come back
 * too. */
#include "gateway/net/mail_client.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/net/curl_resolve.h"
#include "gateway/net/endings.h"
#include "gateway/net/timer.h"

enum {
    DEFAULT_TIMEOUT_MS = 60000,
    REPLY_S = 60,     /* for each reply of the server; RFC 5321 4.5.3.2 would give minutes */
    LAST_REPLY_S = 2, /* when only QUIT remains: the mail thread waits for its reply */
    CODE_GO_ON = 354, /* the server awaits the data */
    CODE_DONE = 250,
};

struct mail_client {
    struct loop *loop;
    struct loop *thread;    /* the mail thread's; curl lives there */
    struct curl_pool *pool; /* the mail thread's */
    struct dns *dns;
    const struct egress *egress;
    char *ca_file;
    char *helo_path; /* "/NAME": curl greets with what stands in the URL's path */
    struct list calls;
    struct endings endings;
};

struct mail_job;

enum call_state {
    CALL_RESOLVING, /* the job's `resolve` runs */
    CALL_RUNNING,   /* the mail thread has the job */
    CALL_FINISHED,  /* in `endings`: on_done comes next */
};

struct mail_call {
    struct mail_client *client;
    struct list node;
    enum call_state state;
    struct timer timeout;
    uint64_t timeout_ms;
    struct mail_job *job;
    struct mail_response response;
    void (*on_done)(void *user, const struct mail_response *);
    void *user;
};

struct mail_job {
    struct mail_call *call; /* NULL: nobody waits any more */
    struct loop *owner;
    struct loop *thread;
    struct curl_pool *pool;
    struct command hand_over, stop, back, stopped;
    bool stop_sent;  /* the owner's */
    bool came_back;  /* the owner's */
    bool is_running; /* the mail thread's: the handle is in the pool */
    CURL *easy;
    CURLU *url;
    struct curl_slist *to;
    struct curl_resolve resolve; /* the owner's */
    struct curl_pool_guard guard;
    struct bytes message;
    size_t message_at;
    atomic_bool all_given; /* curl has taken the whole message */
    bool authenticates;
    bool timed_out; /* the owner's */
    char curl_text[CURL_ERROR_SIZE];
    char reply[160]; /* the server's last line */
    CURLcode result;
    long code;
};

/* --- the mail thread --- */

static bool is_final(const struct mail_job *j, const char *line)
{
    return line[0] == '4' || line[0] == '5' || atomic_load(&j->all_given);
}

static size_t on_read(char *out, size_t size, size_t count, void *user)
{
    struct mail_job *j = user;
    size_t room = size * count, left = j->message.len - j->message_at;
    size_t n = left < room ? left : room;
    if (n > 0)
        memcpy(out, j->message.data + j->message_at, n);
    j->message_at += n;
    if (j->message_at == j->message.len)
        atomic_store(&j->all_given, true);
    return n;
}

static size_t on_reply_line(char *data, size_t size, size_t count, void *user)
{
    struct mail_job *j = user;
    size_t len = size * count, n = len < sizeof j->reply ? len : sizeof j->reply - 1;
    if (len >= 3 && memcmp(data, "221", 3) == 0)
        return len; /* to QUIT, behind the reply that matters */
    if (len >= 3)
        CURL_POOL_SET(j->easy, CURLOPT_SERVER_RESPONSE_TIMEOUT,
                         is_final(j, data) ? (long)LAST_REPLY_S : (long)REPLY_S);
    memcpy(j->reply, data, n);
    while (n > 0 && strchr("\r\n ", j->reply[n - 1]))
        n--;
    j->reply[n] = '\0';
    return len;
}

static size_t on_content(char *data, size_t size, size_t count, void *user)
{
    (void)data;
    (void)user;
    return size * count; /* SMTP has none */
}

static void send_back(struct mail_job *j, CURLcode rc)
{
    j->is_running = false;
    j->result = rc;
    curl_easy_getinfo(j->easy, CURLINFO_RESPONSE_CODE, &j->code);
    loop_post(j->owner, &j->back);
}

static void on_transfer_done(void *user, CURLcode rc)
{
    send_back(user, rc);
}

static void run_hand_over(struct command *cmd)
{
    struct mail_job *j = container_of(cmd, struct mail_job, hand_over);
    j->is_running = true;
    curl_pool_start(j->pool, j->easy);
}

static void run_stop(struct command *cmd)
{
    struct mail_job *j = container_of(cmd, struct mail_job, stop);
    if (j->is_running) {
        curl_pool_cut(&j->guard); /* what was opened since the owner did the same */
        curl_pool_stop(j->pool, j->easy);
        send_back(j, CURLE_ABORTED_BY_CALLBACK);
    }
    loop_post(j->owner, &j->stopped);
}

/* --- jobs on the owner's loop --- */

static void job_free(struct mail_job *j)
{
    if (j->easy)
        curl_easy_cleanup(j->easy);
    curl_pool_guard_fini(&j->guard);
    curl_slist_free_all(j->to);
    curl_resolve_fini(&j->resolve);
    curl_url_cleanup(j->url);
    bytes_fini(&j->message);
    mem_free(j);
}

static void job_stop(struct mail_job *j)
{
    if (j->stop_sent)
        return;
    j->stop_sent = true;
    curl_pool_cut(&j->guard); /* curl may be blocking in it, and no dot must follow half a mail */
    loop_post(j->thread, &j->stop);
}

static enum error_code code_of(const struct mail_job *j)
{
    if (j->result == CURLE_COULDNT_CONNECT && j->guard.refused.code && !j->guard.opened)
        return ERROR_DENIED;
    if (j->result == CURLE_PEER_FAILED_VERIFICATION || j->result == CURLE_LOGIN_DENIED ||
        j->result == CURLE_USE_SSL_FAILED)
        return ERROR_DENIED;
    return j->code / 100 == 5 ? ERROR_DENIED : ERROR_TEMPORARY;
}

static void judge(struct mail_call *call, const struct mail_job *j)
{
    struct mail_response *r = &call->response;
    r->code = (int)j->code;
    r->accepted = j->result == CURLE_OK && j->code == CODE_DONE;
    r->sent = !r->accepted && j->code == CODE_GO_ON && atomic_load(&j->all_given);
    if (r->accepted)
        return;
    if (j->timed_out)
        error_set(&r->error, ERROR_TIMEOUT, "no acceptance in %llu ms; the server last said: %s",
                  (unsigned long long)call->timeout_ms, j->reply[0] ? j->reply : "nothing");
    else if (code_of(j) == ERROR_DENIED && j->guard.refused.code && !j->guard.opened)
        r->error = j->guard.refused;
    else
        error_set(&r->error, code_of(j), "%s; the server last said: %s",
                  j->curl_text[0] ? j->curl_text : curl_easy_strerror(j->result),
                  j->reply[0] ? j->reply : "nothing");
}

/* --- calls --- */

static void release(struct mail_call *call)
{
    timer_stop(&call->timeout);
    list_remove(&call->node);
    if (!call->job)
        return;
    curl_resolve_cancel(&call->job->resolve);
    call->job->call = NULL;
    if (call->state == CALL_RUNNING && !call->job->came_back)
        job_stop(call->job);
    else
        job_free(call->job);
    call->job = NULL;
}

static void finish(struct mail_call *call)
{
    release(call);
    call->state = CALL_FINISHED;
    endings_add(&call->client->endings, &call->node);
}

static void fail(struct mail_call *call, enum error_code code, const char *text)
{
    error_set(&call->response.error, code, "%s", text);
    finish(call);
}

static void run_back(struct command *cmd)
{
    struct mail_job *j = container_of(cmd, struct mail_job, back);
    struct mail_call *call = j->call;
    j->came_back = true;
    if (call)
        judge(call, j);
    if (call && j->stop_sent) { /* `stopped` is on its way and frees the job */
        j->call = NULL;
        call->job = NULL;
    }
    if (call)
        finish(call);
    else if (!j->stop_sent)
        job_free(j);
}

static void run_stopped(struct command *cmd)
{
    job_free(container_of(cmd, struct mail_job, stopped));
}

static void tell(struct list *node)
{
    struct mail_call *call = list_entry(node, struct mail_call, node);
    call->on_done(call->user, &call->response);
    mem_free(call);
}

/* The mail thread knows whether the data has gone out; its word is awaited. */
static void on_timeout(struct timer *t)
{
    struct mail_call *call = container_of(t, struct mail_call, timeout);
    if (call->state == CALL_RUNNING) {
        call->job->timed_out = true;
        job_stop(call->job);
        return;
    }
    fail(call, ERROR_TIMEOUT, "the name of the mail server was not resolved in time");
}

/* --- the beginning of a call --- */

static bool is_address(const char *text)
{
    for (const char *p = text; *p; p++) {
        if ((unsigned char)*p <= ' ' || *p == 0x7f || strchr("<>,;\"", *p))
            return false;
    }
    return strlen(text) <= 254;
}

static bool take_url(struct mail_job *j, const struct mail_client *c, const char *url, bool *tls,
                     struct error *e)
{
    char *scheme = NULL;
    j->url = curl_url();
    CURLUcode rc = curl_url_set(j->url, CURLUPART_URL, url, CURLU_DISALLOW_USER);
    if (rc == CURLUE_OK)
        rc = curl_url_get(j->url, CURLUPART_SCHEME, &scheme, 0);
    if (rc == CURLUE_OK)
        rc = curl_url_set(j->url, CURLUPART_PATH, c->helo_path, 0);
    *tls = text_eq(scheme, "smtps");
    bool ok = *tls || text_eq(scheme, "smtp");
    curl_free(scheme);
    if (rc != CURLUE_OK)
        return error_set(e, ERROR_INVALID, "mail server \"%.100s\": %s", url,
                         curl_url_strerror(rc));
    return ok || error_set(e, ERROR_INVALID, "mail server \"%.100s\": neither smtp nor smtps", url);
}

static void set_security(struct mail_job *j, const struct mail_request *r, bool direct_tls)
{
    bool prove = r->require_tls || r->username || direct_tls;
    CURL_POOL_SET(j->easy, CURLOPT_USE_SSL, (long)(prove ? CURLUSESSL_ALL : CURLUSESSL_TRY));
    CURL_POOL_SET(j->easy, CURLOPT_SSL_VERIFYPEER, prove ? 1L : 0L);
    CURL_POOL_SET(j->easy, CURLOPT_SSL_VERIFYHOST, prove ? 2L : 0L);
    if (r->username) {
        CURL_POOL_SET(j->easy, CURLOPT_USERNAME, r->username);
        CURL_POOL_SET(j->easy, CURLOPT_PASSWORD, r->password ? r->password : "");
    }
}

static void set_transfer(struct mail_job *j, const struct mail_request *r)
{
    j->to = curl_slist_append(NULL, r->to);
    bytes_append(&j->message, r->message.data, r->message.len);
    CURL_POOL_SET(j->easy, CURLOPT_CURLU, j->url);
    CURL_POOL_SET(j->easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    CURL_POOL_SET(j->easy, CURLOPT_MAIL_FROM, r->from);
    CURL_POOL_SET(j->easy, CURLOPT_MAIL_RCPT, j->to);
    CURL_POOL_SET(j->easy, CURLOPT_UPLOAD, 1L);
    CURL_POOL_SET(j->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->message.len);
    CURL_POOL_SET(j->easy, CURLOPT_READFUNCTION, on_read);
    CURL_POOL_SET(j->easy, CURLOPT_READDATA, j);
    CURL_POOL_SET(j->easy, CURLOPT_HEADERFUNCTION, on_reply_line);
    CURL_POOL_SET(j->easy, CURLOPT_HEADERDATA, j);
    CURL_POOL_SET(j->easy, CURLOPT_WRITEFUNCTION, on_content);
    CURL_POOL_SET(j->easy, CURLOPT_ERRORBUFFER, j->curl_text);
    CURL_POOL_SET(j->easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)REPLY_S);
    /* A kept connection would be closed by whatever handle comes by, with its patience and not
     * ours. */
    CURL_POOL_SET(j->easy, CURLOPT_FRESH_CONNECT, 1L);
    CURL_POOL_SET(j->easy, CURLOPT_FORBID_REUSE, 1L);
}

static bool prepare(struct mail_call *call, const struct mail_request *r)
{
    struct mail_client *c = call->client;
    struct mail_job *j = call->job;
    struct error *e = &call->response.error;
    bool direct_tls;
    if (!*r->to || !is_address(r->to) || !is_address(r->from))
        return error_set(e, ERROR_INVALID, "not a mail address: \"%.80s\"",
                         *r->to && is_address(r->to) ? r->from : r->to);
    if (!take_url(j, c, r->url, &direct_tls, e))
        return false;
    j->easy = curl_easy_init();
    CHECK(j->easy);
    curl_pool_prepare(j->easy, &j->guard, c->ca_file);
    set_security(j, r, direct_tls);
    set_transfer(j, r);
    return true;
}

static void on_resolved(struct curl_resolve *r, const struct error *e)
{
    struct mail_job *j = container_of(r, struct mail_job, resolve);
    struct mail_call *call = j->call;
    if (e->code != ERROR_NONE) {
        fail(call, e->code, e->text);
        return;
    }
    call->state = CALL_RUNNING;
    loop_post(j->thread, &j->hand_over);
}

static void start(struct mail_call *call)
{
    struct mail_job *j = call->job;
    timer_start(&call->timeout, call->client->loop, call->timeout_ms, on_timeout);
    j->resolve = (struct curl_resolve){.easy = j->easy,
                                       .url = j->url,
                                       .guard = &j->guard,
                                       .what = "the mail server's URL",
                                       .on_done = on_resolved};
    curl_resolve_start(&j->resolve, call->client->dns);
}

static struct mail_job *job_create(struct mail_call *call)
{
    struct mail_client *c = call->client;
    struct mail_job *j = mem_new(struct mail_job);
    j->call = call;
    j->owner = c->loop;
    j->thread = c->thread;
    j->pool = c->pool;
    j->hand_over.run = run_hand_over;
    j->stop.run = run_stop;
    j->back.run = run_back;
    j->stopped.run = run_stopped;
    j->guard = (struct curl_pool_guard){.pool = c->pool,
                                        .egress = c->egress,
                                        .purpose = EGRESS_MAIL,
                                        .user = j,
                                        .can_be_cut = true};
    return j;
}

/* --- outside --- */

struct mail_client *mail_client_create(struct loop *l, struct dns *d, const struct egress *g,
                                       const char *ca_file, const char *helo_name, struct error *e)
{
    loop_check(l);
    if (ca_file && access(ca_file, R_OK) != 0) {
        error_set(e, ERROR_INVALID, "trust anchors %s cannot be read", ca_file);
        return NULL;
    }
    struct bytes path = BYTES_EMPTY;
    bytes_printf(&path, "/%s", helo_name);
    struct mail_client *c = mem_new(struct mail_client);
    c->loop = l;
    c->dns = d;
    c->egress = g;
    c->ca_file = ca_file ? mem_dup(ca_file) : NULL;
    c->helo_path = bytes_take(&path);
    list_init(&c->calls);
    endings_init(&c->endings, l, tell);
    c->thread = loop_create("mail", clock_real());
    c->pool = curl_pool_create(c->thread, on_transfer_done);
    loop_start_thread(c->thread);
    return c;
}

struct closing {
    struct command command;
    struct mail_client *client;
};

static void run_closing(struct command *cmd)
{
    struct mail_client *c = container_of(cmd, struct closing, command)->client;
    curl_pool_destroy(&c->pool);
    loop_stop(c->thread);
}

void mail_client_destroy(struct mail_client **cp)
{
    struct mail_client *c = *cp;
    if (!c)
        return;
    loop_check(c->loop);
    struct list *node;
    while ((node = list_first(&c->calls))) {
        struct mail_call *call = list_entry(node, struct mail_call, node);
        call->response.sent = call->job && atomic_load(&call->job->all_given);
        fail(call, ERROR_CANCELLED, "the mail client is closed");
    }
    endings_fini(&c->endings);
    CHECK(list_is_empty(&c->calls)); /* nobody sends while it is destroyed */
    struct closing closing = {.command.run = run_closing, .client = c};
    loop_post(c->thread, &closing.command);
    loop_join(c->thread);
    loop_destroy(&c->thread);
    mem_free(c->ca_file);
    mem_free(c->helo_path);
    mem_free(c);
    *cp = NULL;
}

struct mail_call *mail_send(struct mail_client *c, const struct mail_request *r,
                            void (*on_done)(void *user, const struct mail_response *), void *user)
{
    loop_check(c->loop);
    struct mail_call *call = mem_new(struct mail_call);
    call->client = c;
    call->timeout_ms = r->timeout_ms ? r->timeout_ms : DEFAULT_TIMEOUT_MS;
    call->on_done = on_done;
    call->user = user;
    call->job = job_create(call);
    list_append(&c->calls, &call->node);
    if (prepare(call, r))
        start(call);
    else
        finish(call);
    return call;
}

void mail_cancel(struct mail_call *call)
{
    loop_check(call->client->loop);
    release(call);
    mem_free(call);
}
