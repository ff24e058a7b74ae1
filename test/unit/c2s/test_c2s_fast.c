/* SPDX-License-Identifier: MIT */
/* XEP-0484: tokens are given, shown, replaced, taken back; shown wrongly, again, too late, or by somebody else. The
 * exchange is scripted; TLS and store are real. */
#include "gateway/store/clients.h"
#include "test/unit/c2s/client_scram.h"
#include "test/unit/c2s/scripted_world.h"

#define AGENT_A "d4565fa7-4d72-4749-b3d3-740edbf87770"
#define AGENT_B "d4565fa7-4d72-4749-b3d3-740edbf87771"
#define AGENT(id) "<user-agent id='" id "'><software>Test</software><device>Lab</device></user-agent>"
#define FAST "xmlns='urn:xmpp:fast:0'"
#define WISH(mechanism) "<request-token " FAST " mechanism='" mechanism "'/>"
#define PLAIN_ROSE(more) /* romeo, rose */                                                                     \
    "<authenticate " SASL2 " mechanism='PLAIN'><initial-response>AHJvbWVvAHJvc2U=</initial-response>" more "</authenticate>"

static int setup_brief(void **state)
{
    return setup_timed(state, TOGETHER, (struct c2s_limits){0}, (struct c2s_times){.token_ms = 1});
}

static void ask(struct client *c, struct world *w, const char *request)
{
    client_secure_stage(c, w);
    client_send(c, request);
    client_expect(c, "<success");
    client_expect(c, "</success>");
}

static void take_token(struct client *c, char token[64])
{
    assert_non_null(strstr(c->got, "<token " FAST " expiry='"));
    client_attr(c, "token", token, 64);
}

/* A token of that mechanism by the password. */
static void get_token(struct world *w, const char *request, char token[64])
{
    struct client c;

    ask(&c, w, request);
    take_token(&c, token);
    client_close(&c);
}

/* What is bound to; NULL: nothing. */
static const char *binding_of(const char *mechanism)
{
    return strstr(mechanism, "EXPR") ? "tls-exporter" : strstr(mechanism, "ENDP") ? "tls-server-end-point" : NULL;
}

static void put_mac(struct client *c, const char *mechanism, const char *token, const char *who, struct bytes *out)
{
    unsigned char mac[SCRAM_KEY_MAX];
    struct bytes text = BYTES_EMPTY;

    bytes_append_text(&text, who);
    if (binding_of(mechanism))
        client_binding(c, binding_of(mechanism), &text);
    scram_hmac(SCRAM_SHA256, token, strlen(token), bytes_span(&text), mac);
    bytes_append(out, mac, 32);
    bytes_fini(&text);
}

static void send_token(struct client *c, const char *user, const char *mechanism, const char *token, const char *more)
{
    struct bytes raw = BYTES_EMPTY, b64 = BYTES_EMPTY, all = BYTES_EMPTY;

    bytes_append(&raw, user, strlen(user) + 1);
    put_mac(c, mechanism, token, "Initiator", &raw);
    base64_encode(&b64, raw.data, raw.len);
    bytes_printf(&all, "<authenticate " SASL2 " mechanism='%s'><initial-response>%s</initial-response>%s</authenticate>", mechanism,
                 bytes_text(&b64), more);
    client_send(c, bytes_text(&all));
    bytes_fini(&raw);
    bytes_fini(&b64);
    bytes_fini(&all);
}

/* A connection that shows the token; the answer's first part is awaited. */
static void show(struct client *c, struct world *w, const char *mechanism, const char *token, const char *more, const char *want)
{
    client_secure_stage(c, w);
    send_token(c, "romeo", mechanism, token, more);
    client_expect(c, want);
    if (strcmp(want, "<success") == 0)
        client_expect(c, "</success>");
}

#define SHOWN(id) AGENT(id) "<fast " FAST "/>"
#define COUNTED(id, n) AGENT(id) "<fast " FAST " count='" n "'/>"

/* Each mechanism: given, then it opens a bound stream in one round trip, and the server proves itself too. */
static void tokens(void **state)
{
    static const char *const mechanisms[] = {"HT-SHA-256-EXPR", "HT-SHA-256-ENDP", "HT-SHA-256-NONE"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(mechanisms) / sizeof(*mechanisms); i++) {
        struct client c;
        struct bytes request = BYTES_EMPTY, mac = BYTES_EMPTY, b64 = BYTES_EMPTY;
        char token[64], again[64];
        bytes_printf(&request, PLAIN_ROSE(AGENT(AGENT_A) "<request-token " FAST " mechanism='%s'/>"), mechanisms[i]);
        get_token(&f->w, bytes_text(&request), token);
        get_token(&f->w, bytes_text(&request), again);
        assert_string_not_equal(token, again);
        show(&c, &f->w, mechanisms[i], again, SHOWN(AGENT_A) "<bind xmlns='urn:xmpp:bind:0'><tag>T</tag></bind>", "<success");
        assert_non_null(strstr(c.got, "<bound"));
        assert_null(strstr(c.got, "<token")); /* it is young */
        put_mac(&c, mechanisms[i], again, "Responder", &mac);
        base64_encode(&b64, mac.data, mac.len);
        assert_non_null(strstr(c.got, bytes_text(&b64)));
        client_close(&c);
        show(&c, &f->w, mechanisms[i], again, SHOWN(AGENT_A), "<success"); /* and again */
        client_close(&c);
        show(&c, &f->w, mechanisms[i], token, SHOWN(AGENT_A), "<not-authorized"); /* a newer one was given */
        client_close(&c);
        bytes_fini(&request);
        bytes_fini(&mac);
        bytes_fini(&b64);
    }
}

/* A token is of one account, one installation, one mechanism, one channel. */
static void tokens_are_bound(void **state)
{
    struct fixture *f = *state;
    struct client c;
    char bound[64], loose[64];

    get_token(&f->w, PLAIN_ROSE(AGENT(AGENT_A) WISH("HT-SHA-256-EXPR")), bound);
    get_token(&f->w, PLAIN_ROSE(AGENT(AGENT_B) WISH("HT-SHA-256-NONE")), loose);
    const struct {
        const char *user, *mechanism, *token, *more, *want, *proves;
    } rows[] = {
        {"romeo", "HT-SHA-256-NONE", bound, SHOWN(AGENT_A), "<not-authorized", "without the binding that it was given for"},
        {"romeo", "HT-SHA-256-EXPR", bound, SHOWN(AGENT_B), "<not-authorized", "by another installation"},
        {"mercutio", "HT-SHA-256-EXPR", bound, SHOWN(AGENT_A), "<not-authorized", "as somebody else"},
        {"nobody", "HT-SHA-256-EXPR", bound, SHOWN(AGENT_A), "<not-authorized", "as nobody"},
        {"romeo", "HT-SHA-256-EXPR", "made-up", SHOWN(AGENT_A), "<not-authorized", "one that was never given"},
        {"romeo", "HT-SHA-256-EXPR", bound, AGENT(AGENT_A), "<invalid-mechanism", "without <fast/>"},
        {"romeo", "HT-SHA-256-EXPR", bound, "<fast " FAST "/>", "<malformed-request", "without an installation"},
        {"romeo", "HT-SHA-256-EXPR", bound, COUNTED(AGENT_A, "0"), "<malformed-request", "a count that is none"},
        {"romeo", "HT-SHA-256-EXPR", bound, COUNTED(AGENT_A, "-1"), "<malformed-request", "a count below"},
        {"romeo", "HT-SHA-256-EXPR", bound, SHOWN(AGENT_A) "<fast " FAST "/>", "<malformed-request", "twice"},
        {"romeo", "HT-SHA-256-EXPR", bound, SHOWN(AGENT_A) WISH("PLAIN"), "<malformed-request", "a token for a password's mechanism"},
        {"romeo", "HT-SHA-256-EXPR", bound, SHOWN(AGENT_A) WISH("X"), "<malformed-request", "for none that there is"},
        {"romeo", "HT-SHA-256-EXPR", bound, SHOWN(AGENT_A), "<success", "as it was given"},
        {"ROMEO", "HT-SHA-256-NONE", loose, SHOWN(AGENT_B), "<success", "each installation has its own"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char from[16];
        print_message("  %s\n", rows[i].proves);
        snprintf(from, sizeof(from), "127.%zu.0.1", i + 1);
        client_secure_stage_from(&c, &f->w, from);
        send_token(&c, rows[i].user, rows[i].mechanism, rows[i].token, rows[i].more);
        client_expect(&c, rows[i].want);
        client_close(&c);
    }
    client_secure_stage(&c, &f->w); /* what is no HT message */
    client_send(&c, "<authenticate " SASL2 " mechanism='HT-SHA-256-NONE'><initial-response>AHJvbWVvAHJvc2U=</initial-response>"
                    SHOWN(AGENT_A) "</authenticate>");
    client_expect(&c, "<malformed-request");
    client_send(&c, "<auth " SASL " mechanism='HT-SHA-256-NONE'>AHJvbWVvAHJvc2U=</auth>"); /* only XEP-0388 has tokens */
    client_expect(&c, "<invalid-mechanism");
    client_close(&c);
}

/* Counts rise; what was shown before is a replay, whoever shows it. */
static void counts(void **state)
{
    static const struct {
        const char *more, *want, *proves;
    } rows[] = {
        {COUNTED(AGENT_A, "3"), "<success", "the first"},
        {COUNTED(AGENT_A, "3"), "<not-authorized", "replayed"},
        {COUNTED(AGENT_A, "2"), "<not-authorized", "an older one"},
        {COUNTED(AGENT_A, "4"), "<success", "the next"},
        {SHOWN(AGENT_A), "<success", "none: it did not come as early data"},
        {COUNTED(AGENT_A, "4"), "<not-authorized", "replayed after that"},
    };
    struct fixture *f = *state;
    struct client c;
    char token[64];

    get_token(&f->w, PLAIN_ROSE(AGENT(AGENT_A) WISH("HT-SHA-256-EXPR")), token);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        print_message("  %s\n", rows[i].proves);
        show(&c, &f->w, "HT-SHA-256-EXPR", token, rows[i].more, rows[i].want);
        client_close(&c);
    }
}

static bool age_run(struct store_tx *tx, void *user, struct error *e)
{
    return store_exec(tx, e, "update client_tokens set issued_us = issued_us - $1", "i", *(int64_t *)user);
}

/* A token of two days is replaced; the old one holds until the new one was shown, and then no more. */
static void rotation(void **state)
{
    struct fixture *f = *state;
    struct error e = ERROR_INIT;
    int64_t two_days_us = INT64_C(2) * 24 * 3600 * 1000000;
    struct client c;
    char first[64], lost[64], second[64];

    get_token(&f->w, PLAIN_ROSE(AGENT(AGENT_A) WISH("HT-SHA-256-EXPR")), first);
    show(&c, &f->w, "HT-SHA-256-EXPR", first, SHOWN(AGENT_A), "<success");
    client_close(&c);
    assert_true(store_write_wait(f->w.store, age_run, &two_days_us, &e));
    show(&c, &f->w, "HT-SHA-256-EXPR", first, SHOWN(AGENT_A), "<success");
    take_token(&c, lost); /* its client never saw it, say */
    client_close(&c);
    show(&c, &f->w, "HT-SHA-256-EXPR", first, SHOWN(AGENT_A), "<success");
    take_token(&c, second);
    client_close(&c);
    show(&c, &f->w, "HT-SHA-256-EXPR", lost, SHOWN(AGENT_A), "<not-authorized");
    client_close(&c);
    show(&c, &f->w, "HT-SHA-256-EXPR", second, SHOWN(AGENT_A), "<success");
    client_close(&c);
    show(&c, &f->w, "HT-SHA-256-EXPR", first, SHOWN(AGENT_A), "<not-authorized");
    client_close(&c);
}

static void expiry(void **state)
{
    struct fixture *f = *state;
    struct client c;
    char token[64];

    get_token(&f->w, PLAIN_ROSE(AGENT(AGENT_A) WISH("HT-SHA-256-EXPR")), token);
    show(&c, &f->w, "HT-SHA-256-EXPR", token, SHOWN(AGENT_A), "<credentials-expired");
    client_send(&c, PLAIN_ROSE("")); /* and the same stream is open to the password */
    client_expect(&c, "<success");
    client_close(&c);
}

/* The client logs itself out, and only itself. */
static void invalidated(void **state)
{
    struct fixture *f = *state;
    struct client c;
    char a[64], b[64], next[64];

    get_token(&f->w, PLAIN_ROSE(AGENT(AGENT_A) WISH("HT-SHA-256-EXPR")), a);
    get_token(&f->w, PLAIN_ROSE(AGENT(AGENT_B) WISH("HT-SHA-256-EXPR")), b);
    show(&c, &f->w, "HT-SHA-256-EXPR", a, AGENT(AGENT_A) "<fast " FAST " invalidate='true'/>", "<success");
    assert_null(strstr(c.got, "<token"));
    client_close(&c);
    show(&c, &f->w, "HT-SHA-256-EXPR", a, SHOWN(AGENT_A), "<not-authorized");
    client_close(&c);
    show(&c, &f->w, "HT-SHA-256-EXPR", b, AGENT(AGENT_B) "<fast " FAST " invalidate='1'/>" WISH("HT-SHA-256-NONE"), "<success");
    take_token(&c, next); /* asked for in the same breath */
    client_close(&c);
    show(&c, &f->w, "HT-SHA-256-NONE", next, SHOWN(AGENT_B), "<success");
    client_close(&c);
}

static bool forget_run(struct store_tx *tx, void *user, struct error *e)
{
    return clients_forget(tx, "romeo@montague.example", user, e);
}

static void note_row(void *user, const struct client_row *row)
{
    bytes_printf(user, "%s %s %s;", row->agent, row->software, row->device);
}

static bool list_run(struct store_tx *tx, void *user, struct error *e)
{
    bytes_clear(user);
    return clients_each(tx, "romeo@montague.example", note_row, user, e);
}

/* One installation is revoked from outside; a new password revokes all. */
static void revoked(void **state)
{
    struct fixture *f = *state;
    struct error e = ERROR_INIT;
    struct bytes seen = BYTES_EMPTY;
    struct client c;
    char a[64], b[64];

    get_token(&f->w, PLAIN_ROSE(AGENT(AGENT_A) WISH("HT-SHA-256-EXPR")), a);
    get_token(&f->w, PLAIN_ROSE(AGENT(AGENT_B) WISH("HT-SHA-256-EXPR")), b);
    assert_true(store_write_wait(f->w.store, list_run, &seen, &e));
    assert_non_null(strstr(bytes_text(&seen), AGENT_A " Test Lab;"));
    assert_true(store_write_wait(f->w.store, forget_run, (void *)AGENT_A, &e));
    show(&c, &f->w, "HT-SHA-256-EXPR", a, SHOWN(AGENT_A), "<not-authorized");
    client_close(&c);
    show(&c, &f->w, "HT-SHA-256-EXPR", b, SHOWN(AGENT_B), "<success");
    client_close(&c);
    assert_true(store_write_wait(f->w.store, list_run, &seen, &e));
    assert_string_equal(bytes_text(&seen), AGENT_B " Test Lab;");
    world_add_account(&f->w, (struct world_account){.bare = "romeo@montague.example", .password = "thorn"});
    show(&c, &f->w, "HT-SHA-256-EXPR", b, SHOWN(AGENT_B), "<not-authorized");
    client_close(&c);
    bytes_fini(&seen);
}

/* Guessers of passwords do not make a token wait. */
static void beside_passwords(void **state)
{
    struct fixture *f = *state;
    struct client c;
    char token[64];

    get_token(&f->w, PLAIN_ROSE(AGENT(AGENT_A) WISH("HT-SHA-256-EXPR")), token);
    for (int i = 0; i < 2; i++) {
        client_secure_stage(&c, &f->w);
        client_auth_plain(&c, "", "romeo", "thorn");
        client_expect(&c, "<not-authorized");
        client_close(&c);
    }
    show(&c, &f->w, "HT-SHA-256-EXPR", token, SHOWN(AGENT_A), "<success");
    assert_false(world_has_logged(&f->w, "the outcome is told after"));
    client_close(&c);
    show(&c, &f->w, "HT-SHA-256-EXPR", token, SHOWN(AGENT_A) "<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-512</upgrade>",
         "<success"); /* a token makes no keys */
    client_close(&c);
}

/* Header, token and the first stanza in one flight with the end of the handshake, before anything has come (the reach
 * that FAST is for): by direct TLS the client is bound one round trip after TLS. */
static void pipelined(void **state)
{
    struct fixture *f = *state;

    for (unsigned direct = 0; direct < 2; direct++) {
        struct client c;
        char token[64];
        get_token(&f->w, PLAIN_ROSE(AGENT(AGENT_A) WISH("HT-SHA-256-EXPR")), token);
        f->x.revocations = 5;
        if (direct) {
            client_open(&c, &f->w, 1);
        } else {
            client_plain_stage(&c, &f->w);
            client_send(&c, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
            client_expect(&c, "<proceed");
            client_expect(&c, ">");
        }
        client_secure(&c, direct ? "\x0bxmpp-client" : NULL);
        BIO *gather = BIO_new(BIO_f_buffer()); /* what is said goes out at once, and nothing before it */
        BIO_set_write_buffer_size(gather, 65536);
        SSL_set0_wbio(c.ssl, BIO_push(gather, BIO_new_socket(c.fd, BIO_NOCLOSE)));
        client_send(&c, HEADER("montague.example"));
        send_token(&c, "romeo", "HT-SHA-256-EXPR", token, SHOWN(AGENT_A) "<bind xmlns='urn:xmpp:bind:0'/>");
        client_send(&c, "<presence/>");
        assert_int_equal(SSL_pending(c.ssl), 0);
        assert_int_equal(BIO_flush(gather), 1);
        client_expect(&c, "<success");
        client_expect(&c, "<bound");
        for (int i = 0; i < PATIENCE_TURNS && f->x.in_count < direct + 1; i++)
            world_turn(&f->w);
        assert_int_equal(f->x.in_count, direct + 1);
        assert_int_equal(f->x.resources[direct]->proved, 5); /* as of the moment that the account was read */
        client_close(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(tokens),
        BOTH(tokens_are_bound),
        BOTH(counts),
        BOTH(rotation),
        cmocka_unit_test_setup_teardown(expiry, setup_brief, teardown),
        BOTH(invalidated),
        BOTH(revoked),
        BOTH(beside_passwords),
        BOTH(pipelined),
    };
    return cmocka_run_group_tests_name("c2s_fast", tests, NULL, NULL);
}
