/* SPDX-License-Identifier: MIT */
/* Accounts made in-band (XEP-0077) behind an invitation (XEP-0445) or by anybody: what is answered to whom, what a token is
 * worth, how many may come, and that nobody learns who is here. The exchange is scripted; TLS and store are real. */
#include "c2s/c2s_quota.h"
#include "gateway/store/invitations.h"
#include "test/unit/c2s/scripted_world.h"

#define TOKEN "abcdefghijklmnopqrstuv"
#define REGISTER "xmlns='jabber:iq:register'"
#define GET "<iq type='get' id='g'><query " REGISTER "/></iq>"
#define SET(fields) "<iq type='set' id='s'><query " REGISTER ">" fields "</query></iq>"
#define NEW(name) SET("<username>" name "</username><password>secret</password>")
#define SHOW(token) "<iq type='set' id='p' to='montague.example'><preauth xmlns='urn:xmpp:pars:0' token='" token "'/></iq>"
#define SHOWN "id='p' type='result'"
#define DONE "id='s' type='result'"

static int setup_joining(void **state, struct community_joining j, struct c2s_times times, enum arrangement how)
{
    setup_timed(state, how, (struct c2s_limits){0}, times);
    struct fixture *f = *state;
    static const char *const admins[] = {"prince@montague.example", NULL};
    f->x.community = (struct community){.domain = "montague.example", .joining = j, .admins = admins};
    return 0;
}

static int setup_invited(void **state)
{
    return setup_joining(state, (struct community_joining){JOIN_INVITED, .accounts_per_hour = 100, .accounts_per_network = 10},
                         (struct c2s_times){0}, TOGETHER);
}

static int setup_invited_threaded(void **state)
{
    return setup_joining(state, (struct community_joining){JOIN_INVITED, .accounts_per_hour = 100, .accounts_per_network = 10},
                         (struct c2s_times){0}, THREADED);
}

static int setup_open(void **state)
{
    return setup_joining(state, (struct community_joining){JOIN_ANYBODY, .accounts_per_hour = 4, .accounts_per_network = 2},
                         (struct c2s_times){0}, TOGETHER);
}

static bool make_run(struct store_tx *tx, void *user, struct error *e)
{
    struct invitation i = *(struct invitation *)user;
    i.domain = i.domain ? i.domain : "montague.example";
    i.uses_left = i.uses_left ? i.uses_left : 1;
    i.account = !i.contact;
    i.expires_us = store_now_us(tx) + 3600 * 1000000ll;
    return invitations_make(tx, &i, TOKEN, 0, e);
}

static void invite(struct fixture *f, struct invitation i)
{
    struct error e = ERROR_INIT;
    if (!store_write_wait(f->w.store, make_run, &i, &e))
        fail_msg("%s", e.text);
}

static void ask(struct client *c, const char *what, const char *want)
{
    client_send(c, what);
    client_expect(c, want);
    client_expect(c, strstr(want, "result") && !strstr(what, "type='get'") ? "/>" : "</iq>");
}

/* From the token to a login, on one stream; and what the exchange is told. */
static void by_invitation(void **state)
{
    struct fixture *f = *state;
    struct client c;

    invite(f, (struct invitation){.inviter = "romeo@montague.example", .introduces = true});
    client_secure_stage(&c, &f->w);
    assert_non_null(strstr(c.got, "<register xmlns='urn:xmpp:ibr-token:0'/>"));
    assert_non_null(strstr(c.got, "<register xmlns='http://jabber.org/features/iq-register'/>"));
    ask(&c, SHOW(TOKEN), SHOWN);
    ask(&c, GET, "<instructions>");
    assert_non_null(strstr(c.got, "<username/><password/>"));
    ask(&c, NEW("Benvolio"), DONE);
    assert_string_equal(f->x.changed, "benvolio@montague.example ");
    assert_string_equal(f->x.introduced, "romeo@montague.example benvolio@montague.example; ");
    assert_false(world_has_logged(&f->w, "secret"));
    assert_false(world_has_logged(&f->w, TOKEN));
    ask(&c, NEW("balthasar"), "<not-allowed"); /* the token is spent, and this stream is a stranger's again */
    ask(&c, SHOW(TOKEN), "<item-not-found");
    client_auth_plain(&c, "", "benvolio", "secret");
    client_expect(&c, "<success");
    client_close(&c);
}

/* What is wrong with a wish, and that none of it spends the token. */
static void wishes(void **state)
{
    struct fixture *f = *state;
    char longest[3000];
    struct bytes b = BYTES_EMPTY;
    static const struct {
        const char *what, *send, *want;
    } cases[] = {
        {"no fields", SET(""), "<not-acceptable"},
        {"no name", SET("<password>p</password>"), "<not-acceptable"},
        {"no password", SET("<username>paris</username>"), "<not-acceptable"},
        {"an empty name", SET("<username/><password>p</password>"), "<not-acceptable"},
        {"an empty password", SET("<username>paris</username><password/>"), "<not-acceptable"},
        {"a field that was not asked for", SET("<username>paris</username><password>p</password><email>a@b</email>"), "<bad-request"},
        {"a name twice", SET("<username>a</username><username>b</username><password>p</password>"), "<bad-request"},
        {"a form, which was not offered", SET("<x xmlns='jabber:x:data' type='submit'/>"), "<bad-request"},
        {"something inside a field", SET("<username>paris<b/></username><password>p</password>"), "<bad-request"},
        {"a name that cannot be", NEW("pa@ris"), "<jid-malformed"},
        {"a name with a blank", NEW("pa ris"), "<jid-malformed"},
        {"a whole address", NEW("paris/home"), "<jid-malformed"},
        {"a password that SASLprep refuses", SET("<username>paris</username><password>a&#x20DD;&#xE001;</password>"), "<not-acceptable"},
        {"a name of the operator", NEW("Postmaster"), "<not-acceptable"},
        {"the name of an admin who has no account yet", NEW("Prince"), "<not-acceptable"},
        {"taken, which only the invited learn", NEW("romeo"), "<conflict"},
        {"to remove what is not there", SET("<remove/>"), "<unexpected-request"},
        {"to remove and more", SET("<remove/><username>a</username>"), "<bad-request"},
    };
    struct client c;

    invite(f, (struct invitation){0});
    client_secure_stage(&c, &f->w);
    ask(&c, SHOW(TOKEN), SHOWN);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        print_message("  %s\n", cases[i].what);
        ask(&c, cases[i].send, cases[i].want);
        assert_null(strstr(c.got, "<password>")); /* it does not come back */
    }
    memset(longest, 'a', sizeof(longest));
    longest[1024] = '\0';
    bytes_printf(&b, SET("<username>paris</username><password>%s</password>"), longest);
    ask(&c, bytes_text(&b), "<not-acceptable");
    bytes_clear(&b);
    bytes_printf(&b, SET("<username>%s</username><password>p</password>"), longest);
    ask(&c, bytes_text(&b), "<jid-malformed");
    ask(&c, NEW("paris"), DONE);
    assert_string_equal(f->x.introduced, "");
    bytes_fini(&b);
    client_close(&c);
}

/* Without a token that holds, the same answer whatever is asked for. */
static void strangers(void **state)
{
    struct fixture *f = *state;
    static const char *const asked[] = {GET, NEW("romeo"), NEW("nobody"), SET("")};
    struct client c;

    client_secure_stage(&c, &f->w);
    for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
        ask(&c, asked[i], "<not-allowed");
    }
    client_close(&c);
    assert_string_equal(f->x.changed, "");
}

static void tokens(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *what;
        struct invitation i;
    } cases[] = {
        {"of another community", {.domain = "capulet.example"}},
        {"of a contact, without an account", {.contact = true, .inviter = "romeo@montague.example"}},
        {"of an inviter who is not there", {.inviter = "gone@montague.example"}},
        {"of an inviter who may not log in", {.inviter = "tybalt@montague.example"}},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct client c;
        char from[32];
        print_message("  %s\n", cases[i].what);
        snprintf(from, sizeof(from), "127.0.%zu.1", i + 1);
        invite(f, cases[i].i);
        client_secure_stage_from(&c, &f->w, from);
        ask(&c, SHOW(TOKEN), "<item-not-found");
        ask(&c, NEW("paris"), "<not-allowed");
        client_close(&c);
        teardown(state);
        setup_invited(state);
        f = *state;
    }
}

/* One name, reserved: it is told, and no other will do; a name of the operator is that name's. */
static void reserved(void **state)
{
    struct fixture *f = *state;
    struct client c;

    invite(f, (struct invitation){.name = "postmaster"});
    client_secure_stage(&c, &f->w);
    ask(&c, SHOW(TOKEN), SHOWN);
    ask(&c, GET, "<username>postmaster</username>");
    ask(&c, NEW("paris"), "<not-acceptable");
    ask(&c, NEW("postmaster"), DONE);
    client_close(&c);
}

/* A wrong one is told later each time, and the fourth ends the stream. */
static void guesses(void **state)
{
    struct fixture *f = *state;
    struct client c;

    client_secure_stage(&c, &f->w);
    ask(&c, SHOW("x"), "<item-not-found");
    ask(&c, SHOW(""), "<item-not-found");
    client_send(&c, SHOW("y"));
    world_settle_down(&f->w);
    client_expect_not(&c, "item-not-found");
    world_advance(&f->w, 1000);
    client_expect(&c, "<item-not-found");
    client_send(&c, SHOW("z"));
    world_settle_down(&f->w);
    client_expect_not(&c, "<item-not-found");
    world_advance(&f->w, 2000);
    client_expect(&c, "<item-not-found");
    client_expect(&c, "<policy-violation");
    client_close(&c);
    /* whoever leaves while an outcome waits */
    client_secure_stage(&c, &f->w);
    client_send(&c, SHOW("y"));
    world_settle_down(&f->w);
    client_close(&c);
    world_settle_down(&f->w);
}

/* Anybody may come, two an hour from a network, four from everywhere; a name that is taken costs as much as an account. */
static void open_to_all(void **state)
{
    struct fixture *f = *state;
    struct client c;

    client_secure_stage_from(&c, &f->w, "127.0.1.1");
    ask(&c, GET, "<instructions>");
    ask(&c, NEW("admin"), "<not-acceptable");
    ask(&c, NEW("paris"), DONE);
    ask(&c, NEW("romeo"), "<conflict");
    ask(&c, NEW("helena"), "<resource-constraint");
    ask(&c, NEW("romeo"), "<resource-constraint");
    client_close(&c);
    client_secure_stage_from(&c, &f->w, "127.0.2.1");
    ask(&c, NEW("helena"), DONE);
    ask(&c, SET("<username>a</username><password>&#xE001;</password>"), "<not-acceptable"); /* costs nothing */
    ask(&c, NEW("rosaline"), DONE);
    client_close(&c);
    client_secure_stage_from(&c, &f->w, "127.0.3.1");
    ask(&c, NEW("livia"), "<resource-constraint");
    client_close(&c);
    world_advance(&f->w, C2S_QUOTA_MS);
    client_secure_stage_from(&c, &f->w, "127.0.1.1");
    ask(&c, NEW("livia"), DONE);
    client_close(&c);
}

/* Where nobody may: the error that XEP-0077 names, and no feature; before TLS, and for anything else, as ever. */
static void closed(void **state)
{
    struct fixture *f = *state;
    struct client c;

    f->x.community.joining.who = JOIN_NOBODY;
    client_secure_stage(&c, &f->w);
    assert_null(strstr(c.got, "<register"));
    ask(&c, GET, "<service-unavailable");
    ask(&c, SHOW(TOKEN), "<service-unavailable");
    client_send(&c, "<iq type='get' id='g' to='capulet.example'><query " REGISTER "/></iq>");
    client_expect(&c, "<not-authorized");
    client_close(&c);
    client_plain_stage(&c, &f->w);
    assert_null(strstr(c.got, "<register"));
    client_send(&c, GET);
    client_expect(&c, "<not-authorized");
    client_close(&c);
}

/* The client goes while its keys are made or the account is written. */
static void leaves(void **state)
{
    struct fixture *f = *state;

    f->x.community.joining.accounts_per_hour = f->x.community.joining.accounts_per_network = 100;
    for (int turns = 0; turns < 12; turns++) {
        struct client c;
        struct bytes b = BYTES_EMPTY;
        client_secure_stage(&c, &f->w);
        bytes_printf(&b, NEW("paris%d"), turns);
        client_send(&c, bytes_text(&b));
        for (int i = 0; i < turns; i++)
            world_turn(&f->w);
        client_close(&c);
        bytes_fini(&b);
    }
    world_settle_down(&f->w);
}

/* ---- the page ---- */

enum { WSS = 2, WS = 3 };

static void get_page(struct fixture *f, struct client *c, unsigned listener, const char *request)
{
    client_open(c, &f->w, listener);
    if (listener == WSS)
        client_secure(c, NULL);
    client_send(c, request);
    client_expect(c, "\r\n\r\n");
}

#define PAGE(method, path, host) method " /invite/" path " HTTP/1.1\r\nHost: " host "\r\nConnection: close\r\n\r\n"

static void expect_lets_nothing_out(const struct client *c)
{
    static const char *const lines[] = {"Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'", "Referrer-Policy: no-referrer\r\n",
                                        "X-Robots-Tag: noindex", "Cache-Control: no-store\r\n"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
        assert_non_null(strstr(c->got, lines[i]));
    assert_null(strstr(c->got, "Set-Cookie"));
}

/* The page of one that holds says it all, escaped; to look at it spends nothing. */
static void page(void **state)
{
    struct fixture *f = *state;
    struct client c;

    invite(f, (struct invitation){.contact = true, .inviter = "o'hara&<i>@montague.example"});
    get_page(f, &c, WS, PAGE("GET", TOKEN, "montague.example"));
    assert_non_null(strstr(c.got, " 404 ")); /* its inviter is no account */
    client_close(&c);
    world_add_account(&f->w, (struct world_account){.bare = "o'hara&<i>@montague.example", .password = "x"});
    for (unsigned listener = WSS; listener <= WS; listener++) {
        get_page(f, &c, listener, PAGE("GET", TOKEN "?x=y", "montague.example"));
        assert_non_null(strstr(c.got, "HTTP/1.1 200 "));
        expect_lets_nothing_out(&c);
        client_expect(&c, "</html>");
        assert_non_null(strstr(c.got, "<h1>o&apos;hara&amp;&lt;i&gt;@montague.example invites you"));
        assert_non_null(strstr(c.got, "href=\"xmpp:o%27hara%26%3Ci%3E@montague.example?roster;preauth=" TOKEN "\""));
        assert_null(strstr(c.got, "<script"));
        assert_null(strstr(c.got, "<i>"));
        client_close(&c);
    }
    get_page(f, &c, WS, PAGE("HEAD", TOKEN, "montague.example"));
    assert_non_null(strstr(c.got, "HTTP/1.1 200 "));
    client_close(&c);
    get_page(f, &c, WS, PAGE("POST", TOKEN, "montague.example"));
    assert_non_null(strstr(c.got, "HTTP/1.1 405 "));
    client_close(&c);
}

/* Whatever does not hold has one page, to the byte. */
static void no_page(void **state)
{
    struct fixture *f = *state;
    static const char *const requests[] = {
        PAGE("GET", "", "montague.example"),
        PAGE("GET", "short", "montague.example"),
        PAGE("GET", "ABCDEFGHIJKLMNOPQRSTUV", "montague.example"),
        PAGE("GET", "abcdefghijklmnopqrstu%76", "montague.example"),
        PAGE("GET", "%3Cscript%3Ealert(1)//", "montague.example"),
        PAGE("GET", TOKEN "x", "montague.example"),
        PAGE("GET", TOKEN "/", "montague.example"),
        PAGE("GET", TOKEN, "montague.example"), /* of another community */
    };
    char first[4096] = "";

    invite(f, (struct invitation){.domain = "capulet.example"});
    for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
        struct client c;
        get_page(f, &c, WS, requests[i]);
        assert_non_null(strstr(c.got, "HTTP/1.1 404 "));
        expect_lets_nothing_out(&c);
        client_expect(&c, "</html>");
        if (!i)
            snprintf(first, sizeof(first), "%s", c.got);
        assert_string_equal(c.got, first);
        client_close(&c);
    }
}

/* An account's: with the name that it is for; where nobody may come any more, there is nothing. */
static void account_page(void **state)
{
    struct fixture *f = *state;
    struct client c;

    invite(f, (struct invitation){.name = "rosaline"});
    get_page(f, &c, WS, PAGE("GET", TOKEN, "montague.example"));
    client_expect(&c, "</html>");
    assert_non_null(strstr(c.got, "href=\"xmpp:rosaline@montague.example?register;preauth=" TOKEN "\""));
    assert_non_null(strstr(c.got, "<h1>You are invited to montague.example</h1>"));
    client_close(&c);
    f->x.community.joining.who = JOIN_NOBODY;
    get_page(f, &c, WS, PAGE("GET", TOKEN, "montague.example"));
    assert_non_null(strstr(c.got, "HTTP/1.1 404 "));
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(by_invitation, setup_invited, teardown),
        cmocka_unit_test_setup_teardown(by_invitation, setup_invited_threaded, teardown),
        cmocka_unit_test_setup_teardown(wishes, setup_invited, teardown),
        cmocka_unit_test_setup_teardown(strangers, setup_invited, teardown),
        cmocka_unit_test_setup_teardown(tokens, setup_invited, teardown),
        cmocka_unit_test_setup_teardown(reserved, setup_invited, teardown),
        cmocka_unit_test_setup_teardown(guesses, setup_invited, teardown),
        cmocka_unit_test_setup_teardown(open_to_all, setup_open, teardown),
        cmocka_unit_test_setup_teardown(closed, setup_invited, teardown),
        cmocka_unit_test_setup_teardown(page, setup_invited, teardown),
        cmocka_unit_test_setup_teardown(page, setup_invited_threaded, teardown),
        cmocka_unit_test_setup_teardown(no_page, setup_invited, teardown),
        cmocka_unit_test_setup_teardown(account_page, setup_invited, teardown),
        cmocka_unit_test_setup_teardown(leaves, setup_open, teardown),
    };
    return cmocka_run_group_tests_name("c2s_register", tests, NULL, NULL);
}
