/* SPDX-License-Identifier: MIT */
/* One policy under all transports: what is offered before and after a login, and that the login, binding, stream management
 * and client state go the same way over each. Only STARTTLS and channel binding tell them apart. */
#include "test/unit/c2s/scripted_world.h"

#define SASL2   "xmlns='urn:xmpp:sasl:2'"
#define BIND2   "xmlns='urn:xmpp:bind:0'"
#define CLIENT  "xmlns='jabber:client'"
#define FRAMING "xmlns='urn:ietf:params:xml:ns:xmpp-framing'"
#define BOSH    "xmlns='http://jabber.org/protocol/httpbind'"
#define XBOSH   "xmlns:xmpp='urn:xmpp:xbosh'"
#define PLAIN   "AHJvbWVvAHJvc2U=" /* romeo, rose */

enum transport { STARTTLS, DIRECT_TLS, WSS, WS_PROXIED, BOSH_TLS, BOSH_PROXIED, TRANSPORTS };

static const char *const names[TRANSPORTS] = {"STARTTLS",  "direct TLS", "WebSocket", "WebSocket behind a proxy",
                                              "BOSH",      "BOSH behind a proxy"};
static const unsigned doors[TRANSPORTS] = {0, 1, 2, 3, 2, 3};

struct way {
    struct client c;
    enum transport t;
    unsigned rid;
    char sid[64];
};

static bool is_bosh(const struct way *w)
{
    return w->t >= BOSH_TLS;
}

static void post(struct way *w, const char *attrs, const char *xml)
{
    struct bytes body = BYTES_EMPTY, all = BYTES_EMPTY;

    bytes_printf(&body, "<body rid='%u' %s " XBOSH " " BOSH ">%s</body>", ++w->rid, attrs, xml);
    bytes_printf(&all, "POST /bosh HTTP/1.1\r\nHost: montague.example\r\nContent-Length: %zu\r\n\r\n%s", body.len, bytes_text(&body));
    client_send_bytes(&w->c, all.data, all.len);
    bytes_fini(&body);
    bytes_fini(&all);
}

static void say(struct way *w, const char *xml)
{
    if (is_bosh(w))
        post(w, w->sid, xml);
    else
        client_send(&w->c, xml);
}

static void hear(struct way *w, const char *needle)
{
    client_expect(&w->c, needle);
}

/* To the first features, or those behind a restart. */
static void open_stream(struct way *w, bool again)
{
    if (w->t <= DIRECT_TLS)
        client_send(&w->c, HEADER("montague.example"));
    else if (!is_bosh(w))
        client_send(&w->c, "<open " FRAMING " to='montague.example' version='1.0'/>");
    else if (again)
        post(w, w->sid, "");
    else
        post(w, "to='montague.example' wait='60' hold='1' ver='1.6' xmpp:version='1.0'", "");
    hear(w, "</stream:features>");
}

static void begin(struct way *w, struct world *world, enum transport t)
{
    *w = (struct way){.t = t};
    client_open(&w->c, world, doors[t]);
    if (t == STARTTLS) {
        open_stream(w, false);
        client_send(&w->c, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        hear(w, "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    }
    if (t != WS_PROXIED && t != BOSH_PROXIED)
        client_secure(&w->c, t == DIRECT_TLS ? "\x0bxmpp-client" : NULL);
    if (t == WSS || t == WS_PROXIED) {
        client_send(&w->c, "GET /ws HTTP/1.1\r\nHost: montague.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Protocol: xmpp\r\n\r\n");
        hear(w, "\r\n\r\n");
        w->c.framed = true;
    }
    open_stream(w, false);
    if (is_bosh(w)) {
        char sid[40];
        client_attr(&w->c, "sid", sid, sizeof(sid));
        snprintf(w->sid, sizeof(w->sid), "sid='%s'", sid);
    }
}

static void check(const struct way *w, const char *feature, bool offered)
{
    if ((strstr(w->c.got, feature) != NULL) != offered)
        fail_msg("%s: %s should%s be in %s", names[w->t], feature, offered ? "" : " not", w->c.got);
}

static void restart_old_way(struct way *w)
{
    char attrs[128];

    say(w, "<auth " SASL " mechanism='PLAIN'>" PLAIN "</auth>");
    hear(w, "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    if (is_bosh(w)) {
        snprintf(attrs, sizeof(attrs), "%.60s xmpp:restart='true'", w->sid);
        post(w, attrs, "");
        hear(w, "</stream:features>");
    } else {
        open_stream(w, true);
    }
}

/* ---- what is offered ---- */

static void features(void **state)
{
    struct fixture *f = *state;
    static const unsigned all = (1u << TRANSPORTS) - 1, bindable = 1u << STARTTLS | 1u << DIRECT_TLS | 1u << WSS;
    const struct {
        const char *feature;
        unsigned before, after; /* bits of transports */
    } rows[] = {
        {"<starttls ", 0, 0},
        {"<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>", all, 0},
        {"<authentication " SASL2 ">", all, 0},
        {"<mechanism>SCRAM-SHA-512</mechanism>", all, 0},
        {"<mechanism>SCRAM-SHA-1</mechanism>", all, 0},
        {"<mechanism>PLAIN</mechanism>", all, 0},
        {"<mechanism>SCRAM-SHA-512-PLUS</mechanism>", bindable, 0},
        {"<mechanism>SCRAM-SHA-1-PLUS</mechanism>", bindable, 0},
        {"<sasl-channel-binding ", bindable, 0},
        {"<mechanism>HT-SHA-256-EXPR</mechanism>", bindable, 0},
        {"<mechanism>HT-SHA-256-NONE</mechanism>", all, 0},
        {"<fast xmlns='urn:xmpp:fast:0'>", all, 0},
        {"<bind " BIND2 ">", all, 0},
        {"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>", 0, all},
        {"<sm " SM "/>", all, all}, /* before: inside of what XEP-0388 may hold */
        {"<csi xmlns='urn:xmpp:csi:0'/>", 0, all},
        {"<ver xmlns='urn:xmpp:features:rosterver'/>", 0, all},
        {"<sub xmlns='urn:xmpp:features:pre-approval'/>", 0, all},
        {"<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>10240</max-bytes>", all, 0},
        {"<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>262144</max-bytes>", 0, all},
    };

    for (int t = 0; t < TRANSPORTS; t++) {
        struct way w;
        begin(&w, &f->w, (enum transport)t);
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
            check(&w, rows[i].feature, rows[i].before & (1u << t));
        restart_old_way(&w);
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
            check(&w, rows[i].feature, rows[i].after & (1u << t));
        client_close(&w.c);
    }
}

/* ---- what is done ---- */

/* Bound in the login's own answer, managed, quiet for a client that nobody looks at; cut, and resumed over the next transport. */
static void logins(void **state)
{
    struct fixture *f = *state;
    char token[64] = "", xml[600];

    for (int t = 0; t <= TRANSPORTS; t++) {
        struct way w;
        begin(&w, &f->w, (enum transport)(t % TRANSPORTS));
        bool resumes = *token;
        if (resumes) {
            snprintf(xml, sizeof(xml), "<authenticate " SASL2 " mechanism='PLAIN'><initial-response>" PLAIN "</initial-response>"
                                       "<resume " SM " previd='%s' h='0'/></authenticate>", token);
            say(&w, xml);
            hear(&w, "<resumed " SM " previd='");
        } else {
            say(&w, "<authenticate " SASL2 " mechanism='PLAIN'><initial-response>" PLAIN "</initial-response>"
                    "<bind " BIND2 "><tag>t</tag><enable " SM " resume='true'/><inactive xmlns='urn:xmpp:csi:0'/></bind></authenticate>");
            hear(&w, "<enabled ");
            hear(&w, "/>");
            client_attr(&w.c, "id", token, sizeof(token));
        }
        hear(&w, "</success>");
        if (!resumes)
            hear(&w, "</stream:features>");
        say(&w, "<r " SM "/>");
        hear(&w, "<a " SM " h='0'/>");
        client_close(&w.c);
        if (is_bosh(&w)) /* whose end nobody hears of */
            world_advance(&f->w, 62000);
        else
            world_settle_down(&f->w);
    }
}

/* A client that comes back resumes its TLS, over each transport that has TLS of ours and in both versions; it may then
 * say nothing before the handshake is over (early data), which could be said again by somebody else. */
static void tls_again(void **state)
{
    struct fixture *f = *state;

    for (int t = 0; t < TRANSPORTS; t++) {
        for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
            if (t == WS_PROXIED || t == BOSH_PROXIED)
                continue;
            f->w.tls_max = version;
            for (int i = 0; i < 2; i++) {
                struct way w;
                begin(&w, &f->w, (enum transport)t);
                if (SSL_version(w.c.ssl) != version || SSL_session_reused(w.c.ssl) != i)
                    fail_msg("%s, %s: resumed: %d", names[t], SSL_get_version(w.c.ssl), SSL_session_reused(w.c.ssl));
                restart_old_way(&w);
                SSL_SESSION_free(f->w.resumed);
                f->w.resumed = i ? NULL : SSL_get1_session(w.c.ssl);
                if (f->w.resumed)
                    assert_int_equal(SSL_SESSION_get_max_early_data(f->w.resumed), 0);
                SSL_set_shutdown(w.c.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* or the session is spoilt */
                client_close(&w.c);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {BOTH(features), BOTH(logins), BOTH(tls_again)};
    return cmocka_run_group_tests_name("c2s_transports", tests, NULL, NULL);
}
