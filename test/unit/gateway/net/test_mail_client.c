/* SPDX-License-Identifier: MIT */
/* Mail against a scripted SMTP server on our own wires: acceptance, refusals, doubt, TLS, time-outs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/base/text.h"
#include "gateway/net/listener.h"
#include "gateway/net/mail_client.h"
#include "gateway/net/wire.h"
#include "test/unit/gateway/net/net_world.h"
#include "test/unit/gateway/net/pki.h"

static const struct dns_row rows[] = {
    {"mail.example", "A 127.0.0.1"},  {"other.example", "A 127.0.0.1"},
    {"inside.example", "A 10.0.0.1"}, {"silent.example", "SILENT"},
    {NULL, NULL},
};

/* What the server says; NULL: the usual. "" : nothing. "CLOSE": it hangs up. */
struct script {
    const char *greeting, *ehlo, *mail, *rcpt, *data, *end, *quit;
    bool offers_tls, direct_tls;
};

struct test {
    struct net_world w;
    struct pki pki;
    struct tls_store *tls;
    struct listener *listener;
    struct mail_client *client;
    struct script script;
    struct wire *wire; /* the last connection */
    struct bytes line, heard, message;
    bool in_data, secure, upgrading;
    unsigned connections;
    /* the last answer */
    unsigned done;
    struct mail_response answer;
};

/* --- the scripted server --- */

static void reply(struct test *t, const char *scripted, const char *usual)
{
    const char *text = scripted ? scripted : usual;
    if (text_eq(text, "CLOSE")) {
        wire_abort(t->wire);
        return;
    }
    wire_write(t->wire, text, strlen(text));
    if (*text)
        wire_write(t->wire, "\r\n", 2);
}

static void greet(struct test *t)
{
    reply(t, t->script.greeting, "220 mail.example ESMTP");
}

static void say_features(struct test *t)
{
    if (t->script.ehlo)
        reply(t, t->script.ehlo, NULL);
    else if (t->script.offers_tls && !t->secure)
        reply(t, NULL, "250-mail.example\r\n250 STARTTLS");
    else
        reply(t, NULL, "250-mail.example\r\n250 AUTH PLAIN");
}

static void command_line(struct test *t, const char *line)
{
    bytes_printf(&t->heard, "%s|", line);
    if (text_starts_with(line, "EHLO"))
        say_features(t);
    else if (text_starts_with(line, "STARTTLS")) {
        reply(t, NULL, "220 go on");
        t->upgrading = true;
    } else if (text_eq(line, "AUTH PLAIN"))
        reply(t, NULL, "334 ");
    else if (text_eq(line, "AGd3AHNlY3JldA==")) /* NUL gw NUL secret */
        reply(t, NULL, "235 welcome");
    else if (text_starts_with(line, "MAIL"))
        reply(t, t->script.mail, "250 ok");
    else if (text_starts_with(line, "RCPT"))
        reply(t, t->script.rcpt, "250 ok");
    else if (text_starts_with(line, "DATA")) {
        t->in_data = !t->script.data;
        reply(t, t->script.data, "354 go on");
    } else if (text_starts_with(line, "QUIT"))
        reply(t, t->script.quit, "221 bye");
    else
        reply(t, NULL, "502 what?");
}

static void take_line(struct test *t, const char *line)
{
    if (!t->in_data) {
        command_line(t, line);
    } else if (text_eq(line, ".")) {
        t->in_data = false;
        reply(t, t->script.end, "250 taken");
    } else {
        bytes_printf(&t->message, "%s\n", line);
    }
}

static void on_bytes(void *user, const char *data, size_t len)
{
    struct test *t = user;
    for (size_t i = 0; i < len && t->wire; i++) {
        if (data[i] != '\n') {
            bytes_append(&t->line, &data[i], 1);
            continue;
        }
        assert_true(t->line.len > 0 && t->line.data[t->line.len - 1] == '\r');
        t->line.data[--t->line.len] = '\0';
        struct bytes line = t->line;
        t->line = BYTES_EMPTY;
        take_line(t, bytes_text(&line));
        bytes_fini(&line);
        if (t->upgrading) {
            t->upgrading = false;
            wire_accept_tls(t->wire, t->tls, NULL, false, TLS_ALPN_NONE);
            return;
        }
    }
}

static void on_secure(void *user, const struct tls_info *info)
{
    struct test *t = user;
    (void)info;
    t->secure = true;
    if (t->script.direct_tls)
        greet(t);
}

static void on_end(void *user, enum wire_end end, const struct error *e)
{
    struct test *t = user;
    (void)end;
    (void)e;
    t->wire = NULL;
}

static const struct wire_events events = {.on_bytes = on_bytes, .on_secure = on_secure, .on_end = on_end};

static void ignore_bytes(void *user, const char *data, size_t len)
{
    (void)user;
    (void)data;
    (void)len;
}

static void ignore_end(void *user, enum wire_end end, const struct error *e)
{
    (void)user;
    (void)end;
    (void)e;
}

/* A connection that a row before left behind. */
static const struct wire_events ignored = {.on_bytes = ignore_bytes, .on_end = ignore_end};

static void on_accept(void *user, uv_os_sock_t fd)
{
    struct test *t = user;
    if (t->wire) {
        wire_set_owner(t->wire, &ignored, NULL);
        wire_abort(t->wire);
    }
    t->connections++;
    t->secure = t->in_data = t->upgrading = false;
    bytes_clear(&t->line);
    t->wire = wire_open(t->w.loop, fd, &events, t);
    if (t->script.direct_tls)
        wire_accept_tls(t->wire, t->tls, NULL, false, TLS_ALPN_NONE);
    else
        greet(t);
    wire_resume(t->wire);
}

/* --- the world --- */

static struct mail_client *client(struct test *t, const struct egress *g)
{
    struct error e = ERROR_INIT;
    struct mail_client *c =
        mail_client_create(t->w.loop, t->w.dns, g, t->pki.ca_file, "causeway.example", &e);
    if (!c)
        fail_msg("%s", e.text);
    return c;
}

static int test_open(void **state)
{
    struct test *t = test_calloc(1, sizeof *t);
    struct error e = ERROR_INIT;
    net_world_open(&t->w, rows);
    pki_init(&t->pki);
    struct pki_files f = pki_issue(&t->pki, "mail.example", "DNS:mail.example", 30);
    t->tls = tls_store_create(t->pki.ca_file, &e);
    if (!t->tls || !tls_store_set(t->tls, "mail.example", f.chain, f.key, &e))
        fail_msg("%s", e.text);
    t->listener = listener_open(t->w.loop, "127.0.0.1", 0, 0, on_accept, t, &e);
    if (!t->listener)
        fail_msg("%s", e.text);
    t->client = client(t, t->w.egress);
    *state = t;
    return 0;
}

static int test_close(void **state)
{
    struct test *t = *state;
    mail_client_destroy(&t->client);
    if (t->wire)
        wire_abort(t->wire);
    listener_close(&t->listener);
    net_world_close(&t->w);
    tls_store_destroy(&t->tls);
    pki_fini(&t->pki);
    bytes_fini(&t->line);
    bytes_fini(&t->heard);
    bytes_fini(&t->message);
    test_free(t);
    return 0;
}

static void on_done(void *user, const struct mail_response *r)
{
    struct test *t = user;
    t->done++;
    t->answer = *r;
    assert_int_equal(r->accepted, r->error.code == ERROR_NONE);
    assert_false(r->accepted && r->sent);
}

static const char *url(struct test *t, const char *scheme, const char *host)
{
    static char out[128];
    snprintf(out, sizeof out, "%s://%s:%u", scheme, host, listener_port(t->listener));
    return out;
}

static const char message[] = "Subject: hello\r\n\r\n.dot first\r\n..two\r\nend\r\n";

static struct mail_request request(struct test *t)
{
    bytes_clear(&t->heard);
    bytes_clear(&t->message);
    return (struct mail_request){.url = url(t, "smtp", "mail.example"), .from = "gw@causeway.example",
                                 .to = "juliet@capulet.example",
                                 .message = {message, sizeof message - 1}};
}

static void send_mail(struct test *t, const struct mail_request *r)
{
    unsigned before = t->done;
    mail_send(t->client, r, on_done, t);
    assert_int_equal(t->done, before);
    net_world_until(&t->w, t->done > before);
    assert_int_equal(t->done, before + 1);
}

static void accepted(void **state)
{
    struct test *t = *state;
    struct mail_request r = request(t);
    send_mail(t, &r);
    if (!t->answer.accepted)
        fail_msg("%s", t->answer.error.text);
    assert_int_equal(t->answer.code, 250);
    assert_non_null(strstr(bytes_text(&t->heard), "EHLO causeway.example|MAIL FROM:<gw@causeway.example>"));
    assert_non_null(strstr(bytes_text(&t->heard), "|RCPT TO:<juliet@capulet.example>|DATA|"));
    /* RFC 5321 4.5.2: dots at the beginning of a line are doubled */
    assert_string_equal(bytes_text(&t->message), "Subject: hello\n\n..dot first\n...two\nend\n");
    r = request(t);
    r.from = ""; /* a bounce */
    send_mail(t, &r);
    assert_true(t->answer.accepted);
    assert_non_null(strstr(bytes_text(&t->heard), "MAIL FROM:<>"));
    assert_non_null(strstr(bytes_text(&t->heard), "DATA|QUIT|")); /* RFC 5321 4.1.1.10 */
}

static void refused_and_doubtful(void **state)
{
    struct test *t = *state;
    static const struct {
        struct script script;
        int code;
        bool sent;
        enum error_code error;
        const char *text, *proves;
    } table[] = {
        {{.mail = "451 later"}, 451, false, ERROR_TEMPORARY, "451 later", "sender put off"},
        {{.rcpt = "550 nobody here"}, 550, false, ERROR_DENIED, "550 nobody", "no such mailbox"},
        {{.rcpt = "450 greylisted"}, 450, false, ERROR_TEMPORARY, "greylisted", "grey-listing"},
        {{.data = "554 no"}, 554, false, ERROR_DENIED, "554 no", "no data wanted"},
        {{.end = "554 spam"}, 554, false, ERROR_DENIED, "554 spam", "refused behind the data"},
        {{.end = "452 full"}, 452, false, ERROR_TEMPORARY, "452 full", "put off behind the data"},
        {{.end = "CLOSE"}, 354, true, ERROR_TEMPORARY, "354", "cut behind the data: in doubt"},
        {{.data = "CLOSE"}, 250, false, ERROR_TEMPORARY, "250", "cut before the data: not sent"},
        {{.greeting = "554 go away"}, 554, false, ERROR_DENIED, "554 go", "refused at the door"},
        {{.greeting = "CLOSE"}, 0, false, ERROR_TEMPORARY, "nothing", "no greeting"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct mail_request r = request(t);
        mail_client_destroy(&t->client); /* no connection is kept from one row to the next */
        t->client = client(t, t->w.egress);
        t->script = table[i].script;
        send_mail(t, &r);
        const struct mail_response *a = &t->answer;
        if (a->accepted || a->code != table[i].code || a->sent != table[i].sent ||
            a->error.code != table[i].error || !strstr(a->error.text, table[i].text))
            fail_msg("%s: code %d, sent %d, error %d %s", table[i].proves, a->code, a->sent,
                     a->error.code, a->error.text);
    }
}

static void security(void **state)
{
    struct test *t = *state;
    static const struct {
        struct script script;
        const char *scheme, *host, *username;
        bool require_tls, accepted, secure;
        const char *proves;
    } table[] = {
        {{.offers_tls = true}, "smtp", "mail.example", NULL, false, true, true, "TLS when offered"},
        {{.offers_tls = true}, "smtp", "other.example", NULL, false, true, true,
         "unproved TLS is better than none when nothing is demanded"},
        {{.offers_tls = true}, "smtp", "mail.example", NULL, true, true, true, "demanded and proved"},
        {{.offers_tls = true}, "smtp", "other.example", NULL, true, false, false, "demanded, other name"},
        {{0}, "smtp", "mail.example", NULL, true, false, false, "demanded and not offered"},
        {{.offers_tls = true}, "smtp", "mail.example", "gw", false, true, true, "password under TLS"},
        {{0}, "smtp", "mail.example", "gw", false, false, false, "no password in the clear"},
        {{.offers_tls = true}, "smtp", "other.example", "gw", false, false, false,
         "no password to somebody else"},
        {{.direct_tls = true}, "smtps", "mail.example", NULL, false, true, true, "direct TLS"},
        {{.direct_tls = true}, "smtps", "other.example", NULL, false, false, false,
         "direct TLS, other name"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct mail_request r = request(t);
        mail_client_destroy(&t->client);
        t->client = client(t, t->w.egress);
        t->script = table[i].script;
        r.url = url(t, table[i].scheme, table[i].host);
        r.username = table[i].username;
        r.password = "secret";
        r.require_tls = table[i].require_tls;
        send_mail(t, &r);
        if (t->answer.accepted != table[i].accepted)
            fail_msg("%s: %s %s", table[i].proves, t->answer.error.text, bytes_text(&t->heard));
        if (table[i].accepted)
            assert_int_equal(t->secure, table[i].secure);
        else
            assert_int_equal(t->answer.error.code, ERROR_DENIED);
        bool authenticated = strstr(bytes_text(&t->heard), "AUTH PLAIN") != NULL;
        assert_int_equal(authenticated, table[i].username && table[i].accepted);
    }
}

static void wrong_requests(void **state)
{
    struct test *t = *state;
    static const struct {
        const char *url, *from, *to;
        enum error_code error;
        const char *proves;
    } table[] = {
        {NULL, "a@b", "c@d>\r\nRCPT TO:<e@f", ERROR_INVALID, "no second recipient"},
        {NULL, "a@b\r\nDATA", "c@d", ERROR_INVALID, "no second command"},
        {NULL, "a@b", "", ERROR_INVALID, "nobody"},
        {NULL, "a@b", "c@d,e@f", ERROR_INVALID, "a list"},
        {"http://mail.example", "a@b", "c@d", ERROR_INVALID, "not SMTP"},
        {"mail.example", "a@b", "c@d", ERROR_INVALID, "no scheme"},
        {"smtp://u:p@mail.example", "a@b", "c@d", ERROR_INVALID, "password in the URL"},
        {"smtp://inside.example", "a@b", "c@d", ERROR_DENIED, "a name that points inside"},
        {"smtp://absent.example", "a@b", "c@d", ERROR_NOT_FOUND, "no such name"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct mail_request r = request(t);
        if (table[i].url)
            r.url = table[i].url;
        r.from = table[i].from;
        r.to = table[i].to;
        send_mail(t, &r);
        if (t->answer.error.code != table[i].error || t->answer.sent)
            fail_msg("%s: %d %s", table[i].proves, t->answer.error.code, t->answer.error.text);
    }
    assert_int_equal(t->connections, 0);
    struct error e = ERROR_INIT;
    assert_null(mail_client_create(t->w.loop, t->w.dns, t->w.egress, "/nonexistent.pem", "x", &e));
    assert_int_equal(e.code, ERROR_INVALID);
}

static void default_guard(void **state)
{
    struct test *t = *state;
    struct egress *none = egress_create();
    mail_client_destroy(&t->client);
    t->client = client(t, none);
    struct mail_request r = request(t);
    send_mail(t, &r);
    assert_int_equal(t->answer.error.code, ERROR_DENIED);
    r.url = url(t, "smtp", "127.0.0.1");
    send_mail(t, &r);
    assert_int_equal(t->answer.error.code, ERROR_DENIED);
    assert_non_null(strstr(t->answer.error.text, "loopback"));
    assert_int_equal(t->connections, 0);
    mail_client_destroy(&t->client);
    egress_destroy(&none);
}

/* Our clock ends a mail; whether it is in doubt depends on how far it got. */
static void timeouts(void **state)
{
    struct test *t = *state;
    t->script = (struct script){.end = ""};
    struct mail_request r = request(t);
    mail_send(t->client, &r, on_done, t);
    net_world_until(&t->w, strstr(bytes_text(&t->message), "end\n") && !t->in_data);
    clock_fake_advance(&t->w.clock, 61000);
    net_world_until(&t->w, t->done == 1);
    assert_int_equal(t->answer.error.code, ERROR_TIMEOUT);
    assert_true(t->answer.sent);

    t->script = (struct script){.mail = ""};
    r = request(t);
    mail_send(t->client, &r, on_done, t);
    net_world_until(&t->w, strstr(bytes_text(&t->heard), "MAIL"));
    clock_fake_advance(&t->w.clock, 61000);
    net_world_until(&t->w, t->done == 2);
    assert_int_equal(t->answer.error.code, ERROR_TIMEOUT);
    assert_false(t->answer.sent);

    r = request(t);
    r.url = "smtp://silent.example";
    r.timeout_ms = 1000;
    mail_send(t->client, &r, on_done, t);
    clock_fake_advance(&t->w.clock, 1100);
    net_world_until(&t->w, t->done == 3);
    assert_int_equal(t->answer.error.code, ERROR_TIMEOUT);
}

static void cancel_and_destroy(void **state)
{
    struct test *t = *state;
    struct mail_request r = request(t);
    mail_cancel(mail_send(t->client, &r, on_done, t)); /* while the name is resolved */
    t->script = (struct script){.mail = ""};
    struct mail_call *call = mail_send(t->client, &r, on_done, t);
    net_world_until(&t->w, strstr(bytes_text(&t->heard), "MAIL"));
    mail_cancel(call); /* while the mail thread has it */
    net_world_until(&t->w, !t->wire);
    assert_int_equal(t->done, 0);

    t->script = (struct script){.end = ""};
    r = request(t);
    mail_send(t->client, &r, on_done, t);
    net_world_until(&t->w, strstr(bytes_text(&t->message), "end\n") && !t->in_data);
    mail_client_destroy(&t->client);
    assert_int_equal(t->done, 1);
    assert_int_equal(t->answer.error.code, ERROR_CANCELLED);
    assert_true(t->answer.sent);
}

/* A mail that is called off half way is not ended with a dot: curl would do that. */
static void half_a_mail_is_not_sent(void **state)
{
    struct test *t = *state;
    struct bytes big = BYTES_EMPTY;
    bytes_append_text(&big, "Subject: big\r\n\r\n");
    for (int i = 0; i < 400000; i++)
        bytes_append_text(&big, "0123456789012345678\r\n");
    struct mail_request r = request(t);
    r.message = bytes_span(&big);
    struct mail_call *call = mail_send(t->client, &r, on_done, t);
    net_world_until(&t->w, t->in_data && t->message.len > 0);
    mail_cancel(call);
    net_world_until(&t->w, !t->wire);
    assert_true(t->in_data); /* the dot never came */
    assert_int_equal(t->done, 0);
    bytes_fini(&big);
}

/* A server that is silent at QUIT, or hangs up: the mail is accepted all the same, soon. */
static void rude_at_quit(void **state)
{
    struct test *t = *state;
    static const char *const manners[] = {"CLOSE", ""};
    for (size_t i = 0; i < 2; i++) {
        t->script = (struct script){.quit = manners[i]};
        struct mail_request r = request(t);
        uint64_t before = clock_mono_ms(clock_real());
        send_mail(t, &r);
        assert_true(t->answer.accepted);
        assert_true(clock_mono_ms(clock_real()) - before < 10000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(accepted, test_open, test_close),
        cmocka_unit_test_setup_teardown(refused_and_doubtful, test_open, test_close),
        cmocka_unit_test_setup_teardown(security, test_open, test_close),
        cmocka_unit_test_setup_teardown(wrong_requests, test_open, test_close),
        cmocka_unit_test_setup_teardown(default_guard, test_open, test_close),
        cmocka_unit_test_setup_teardown(timeouts, test_open, test_close),
        cmocka_unit_test_setup_teardown(cancel_and_destroy, test_open, test_close),
        cmocka_unit_test_setup_teardown(half_a_mail_is_not_sent, test_open, test_close),
        cmocka_unit_test_setup_teardown(rude_at_quit, test_open, test_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
