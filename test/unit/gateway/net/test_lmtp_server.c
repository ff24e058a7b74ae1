/* SPDX-License-Identifier: MIT */
/* The LMTP server over real sockets: conversations, line by line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/base/text.h"
#include "gateway/net/lmtp_server.h"
#include "test/unit/gateway/net/line_client.h"

struct test {
    struct net_world w;
    struct lmtp_server *server;
    struct lmtp_mail *waiting; /* one to later@ */
    const struct lmtp_incoming *in;
    unsigned mails;
    struct line_client c;
};

static const char *refuse(void *user, const char *recipient)
{
    (void)user;
    return text_starts_with(recipient, "nobody@") ? "There is no nobody" : NULL;
}

static void on_mail(void *user, struct lmtp_mail *m, const struct lmtp_incoming *in)
{
    struct test *t = user;
    t->mails++;
    if (text_starts_with(in->recipients[0], "later@")) {
        t->waiting = m;
        t->in = in;
        return;
    }
    unsigned count = in->recipient_count;
    for (unsigned i = 0; i < count; i++) {
        char text[256];
        snprintf(text, sizeof text, "250 2.0.0 <%s> to <%s>: %.*s", in->sender, in->recipients[i],
                 in->message.len ? (int)strcspn(in->message.data, "\r") : 0, in->message.len ? in->message.data : "");
        lmtp_answer(m, i, text);
    }
}

static int test_open(void **state)
{
    static const struct dns_row none[] = {{NULL, NULL}};
    struct test *t = test_calloc(1, sizeof *t);
    struct error e = ERROR_INIT;
    net_world_open(&t->w, none);
    struct lmtp_server_options o = {.loop = t->w.loop, .address = "127.0.0.1", .name = "capulet.example",
                                    .max_bytes = 64, .refuse_recipient = refuse, .on_mail = on_mail, .user = t};
    t->server = lmtp_server_open(&o, &e);
    if (!t->server)
        fail_msg("%s", e.text);
    t->c.fd = -1;
    *state = t;
    return 0;
}

static int test_close(void **state)
{
    struct test *t = *state;
    lmtp_server_close(&t->server);
    line_client_close(&t->c);
    net_world_close(&t->w);
    test_free(t);
    return 0;
}

static void connect_client(struct test *t)
{
    line_client_connect(&t->c, lmtp_server_port(t->server));
}

static void say(struct test *t, const char *text)
{
    line_client_say(&t->c, text);
}

static void wait_for(struct test *t, const char *text)
{
    line_client_wait_for(&t->c, &t->w, text);
}

#define HELLO "LHLO mail.example\r\n"
#define GREETING                                                                                                       \
    "220 capulet.example LMTP\r\n250-capulet.example\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n" \
    "250-SMTPUTF8\r\n250 SIZE 64\r\n"
#define FROM "MAIL FROM:<a@mail.example>\r\n"

static void conversations(void **state)
{
    struct test *t = *state;
    static const struct {
        const char *say, *hear, *proves;
    } table[] = {
        {FROM "RCPT TO:<x@c.example>\r\nRCPT TO:<nobody@c.example>\r\nRCPT TO:<y@c.example>\r\nDATA\r\nhello\r\n.\r\n",
         "250 2.1.0 Sender taken\r\n250 2.1.5 Recipient taken\r\n550 5.1.1 There is no nobody\r\n250 2.1.5 Recipient "
         "taken\r\n354 Go on; end with a dot alone\r\n250 2.0.0 <a@mail.example> to <x@c.example>: hello\r\n250 2.0.0 "
         "<a@mail.example> to <y@c.example>: hello\r\n",
         "an answer for each recipient that was taken, in their order, all of it pipelined"},
        {"MAIL FROM:<> SIZE=10\r\nRCPT TO:<x@c.example>\r\nDATA\r\nhi\r\n.\r\n", "250 2.0.0 <> to <x@c.example>: hi\r\n",
         "no sender"},
        {FROM "RCPT TO:<nobody@c.example>\r\nDATA\r\n", "503 5.5.1 No recipients\r\n", "no recipient left"},
        {"MAIL FROM:<a> SIZE=65\r\n", "552 5.3.4 The mail is too big\r\n", "said to be too big"},
        {FROM "RCPT TO:<x@c.example>\r\nDATA\r\n0123456789012345678901234567890123456789012345678901234567890123456789\r\n"
              ".\r\nNOOP\r\n",
         "552 5.3.4 The mail is too big\r\n250 2.0.0 OK\r\n", "is too big; and it goes on"},
        {"RCPT TO:<x@c.example>\r\n", "503 5.5.1 MAIL comes first\r\n", "order"},
        {"EHLO mail.example\r\n", "500 5.5.1 This is LMTP: LHLO\r\n", "RFC 2033 4.1"},
        {FROM "RSET\r\n" FROM FROM, "250 2.1.0 Sender taken\r\n250 2.0.0 Forgotten\r\n250 2.1.0 Sender taken\r\n503 5.5.1 "
                                   "There is a mail already\r\n", "RSET"},
        {"MAIL FROM:<a> FROB=1\r\n", "555 5.5.4 ", "a parameter that nobody knows"},
        {"VRFY a\r\nFROB\r\nDATA x\r\nQUIT\r\n",
         "252 2.1.5 Try it\r\n500 5.5.1 That is no command\r\n501 5.5.4 DATA stands alone\r\n221 2.0.0 Good bye\r\n",
         "the others"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        connect_client(t);
        say(t, HELLO);
        wait_for(t, GREETING);
        say(t, table[i].say);
        wait_for(t, table[i].hear);
    }
}

static void without_hello(void **state)
{
    struct test *t = *state;
    connect_client(t);
    say(t, FROM);
    wait_for(t, "503 5.5.1 LHLO comes first\r\n");
    for (int i = 0; i < 19; i++)
        say(t, "FROB\r\n");
    wait_for(t, "421 4.7.0 Too many mistakes\r\n");
    line_client_wait_eof(&t->c, &t->w);
}

static void begin_later(struct test *t)
{
    connect_client(t);
    say(t, HELLO FROM "RCPT TO:<later@c.example>\r\nRCPT TO:<x@c.example>\r\nDATA\r\nhello\r\n.\r\nNOOP\r\n");
    net_world_until(&t->w, t->waiting);
}

/* Nothing is answered for what stands behind a mail before the mail is. */
static void answered_later(void **state)
{
    struct test *t = *state;
    begin_later(t);
    lmtp_answer(t->waiting, 1, "451 4.3.0 Not now");
    net_world_until(&t->w, line_client_hear(&t->c) && strstr(t->c.got, "354 "));
    assert_null(strstr(t->c.got, "451"));
    lmtp_answer(t->waiting, 0, "250 2.0.0 Taken");
    wait_for(t, "250 2.0.0 Taken\r\n451 4.3.0 Not now\r\n250 2.0.0 OK\r\n");
}

/* Whoever has to answer may do so when the peer, or the server, is gone. */
static void left_alone(void **state)
{
    struct test *t = *state;
    for (int server = 0; server < 2; server++) {
        t->waiting = NULL;
        begin_later(t);
        line_client_close(&t->c);
        if (server)
            lmtp_server_close(&t->server);
        else
            net_world_until(&t->w, !loop_turn(t->w.loop)); /* the end of the connection is seen */
        assert_int_equal(t->in->message.len, 7);
        lmtp_answer(t->waiting, 0, "250 2.0.0 Taken");
        lmtp_answer(t->waiting, 1, "250 2.0.0 Taken");
    }
}

static void silence(void **state)
{
    struct test *t = *state;
    connect_client(t);
    wait_for(t, "220 ");
    clock_fake_advance(&t->w.clock, 6 * 60 * 1000);
    wait_for(t, "421 4.4.2 Nothing came for too long\r\n");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, test_open, test_close)
    const struct CMUnitTest tests[] = {T(conversations), T(without_hello), T(answered_later), T(left_alone), T(silence)};
    return cmocka_run_group_tests_name("lmtp_server", tests, NULL, NULL);
}
