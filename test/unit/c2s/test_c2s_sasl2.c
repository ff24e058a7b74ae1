/* SPDX-License-Identifier: MIT */
/* Logging in by XEP-0388, with binding by XEP-0386 and resumption by XEP-0198 inside of it. The exchange is
 * scripted; the rest is real. */
#include "test/unit/c2s/scripted_world.h"
#include "test/unit/c2s/client_scram.h"

#define AGENT "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'><software>Test</software></user-agent>"
#define BIND2 "xmlns='urn:xmpp:bind:0'"
#define PLAIN_ROSE "<initial-response>AHJvbWVvAHJvc2U=</initial-response>"   /* romeo, rose */
#define PLAIN_THORN "<initial-response>AHJvbWVvAHRob3Ju</initial-response>" /* romeo, thorn */
#define LOGIN(more) "<authenticate " SASL2 " mechanism='PLAIN'>" PLAIN_ROSE more "</authenticate>"
#define BIND_TAG(more) "<bind " BIND2 "><tag>Test</tag>" more "</bind>"

static const struct spelling spelt_sasl2 = {
    "<authenticate " SASL2 " mechanism='", "'><initial-response>", "</initial-response></authenticate>",
    "</additional-data>", "<additional-data", "<response " SASL2 ">", "</response>",
};

/* Everything of one answer, from <success on, is in c->got. */
static void log_in(struct client *c, struct world *w, const char *request)
{
    client_secure_stage(c, w);
    client_send(c, request);
    client_expect(c, "<success");
    client_expect(c, "</success>");
}

static void expect_got(struct client *c, const char *text)
{
    if (!strstr(c->got, text))
        fail_msg("awaited: %s\ncame: %s", text, c->got);
}

static void expect_got_not(struct client *c, const char *text)
{
    if (strstr(c->got, text))
        fail_msg("not awaited: %s\ncame: %s", text, c->got);
}

static void features(void **state)
{
    struct fixture *f = *state;
    struct client c;

    client_plain_stage(&c, &f->w);
    expect_got_not(&c, "urn:xmpp:sasl:2"); /* never before TLS */
    client_close(&c);
    client_secure_stage(&c, &f->w);
    expect_got(&c, "<authentication " SASL2 "><mechanism>SCRAM-SHA-512-PLUS</mechanism>");
    expect_got(&c, "<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-512</upgrade>");
    expect_got(&c, "<inline><bind " BIND2 "><inline><feature var='urn:xmpp:carbons:2'/><feature var='urn:xmpp:csi:0'/>"
                   "<feature var='urn:xmpp:sm:3'/></inline></bind><sm " SM "/><fast xmlns='urn:xmpp:fast:0'><mechanism>HT-SHA-256-EXPR</mechanism>"
                   "<mechanism>HT-SHA-256-ENDP</mechanism><mechanism>HT-SHA-256-NONE</mechanism></fast></inline></authentication>");
    expect_got(&c, "<channel-binding type='tls-exporter'/>");
    expect_got(&c, "<mechanisms " SASL ">");
    client_close(&c);
}

/* Nothing inline: features follow without a restart, and the client binds as of old. */
static void without_bind(void **state)
{
    struct fixture *f = *state;
    struct client c;

    log_in(&c, &f->w, LOGIN(AGENT));
    expect_got(&c, "<authorization-identifier>romeo@montague.example</authorization-identifier></success>");
    client_expect(&c, "<stream:features><bind");
    client_expect(&c, "</stream:features>");
    client_bind(&c, "orchard");
    expect_got(&c, "romeo@montague.example/orchard");
    client_close(&c);
}

/* XEP-0386: bound, counted, copied and inactive in one answer; then the stream is as any other. */
static void all_at_once(void **state)
{
    struct fixture *f = *state;
    struct client c;
    char token[64];

    log_in(&c, &f->w, LOGIN(AGENT BIND_TAG("<enable xmlns='urn:xmpp:carbons:2'/><enable " SM " resume='true'/>"
                                           "<inactive xmlns='urn:xmpp:csi:0'/>")));
    expect_got(&c, "<authorization-identifier>romeo@montague.example/Test/");
    expect_got(&c, "<bound " BIND2 "><enabled " SM " id='");
    expect_got_not(&c, "d4565fa7");
    client_attr(&c, "id", token, sizeof(token));
    client_expect(&c, "<stream:features>");
    client_expect(&c, "</stream:features>");
    expect_got_not(&c, "<bind");
    expect_got_not(&c, "<sm"); /* what is on is not offered: a stock client would ask again */
    assert_true(f->x.resources[0]->bound && f->x.resources[0]->carbons);
    assert_int_equal(f->x.resources[0]->state, LINK_INACTIVE);
    client_send(&c, "<message id='m1' to='juliet@capulet.example'><body>.</body></message><r " SM "/>");
    client_expect(&c, "<a " SM " h='1'/>");
    client_close(&c);
}

/* The same installation gets the same name, and so replaces what is left of its old stream; others get others. */
static void names(void **state)
{
    static const struct {
        const char *request, *begins;
        int same_as; /* an earlier row; -1: none */
        const char *proves;
    } rows[] = {
        {LOGIN(AGENT BIND_TAG("")), "Test/", -1, "tag and suffix"},
        {LOGIN(AGENT BIND_TAG("")), "Test/", 0, "the same installation"},
        {LOGIN("<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87771'/>" BIND_TAG("")), "Test/", -1, "another"},
        {LOGIN(BIND_TAG("")), "Test/", -1, "without an id"},
        {LOGIN(BIND_TAG("")), "Test/", -1, "without an id it is new each time"},
        {LOGIN(AGENT "<bind " BIND2 "/>"), "", -1, "no tag"},
        {LOGIN(AGENT "<bind " BIND2 "><tag>a&#x221a;b &lt;c&gt;</tag></bind>"), "a\xe2\x88\x9a"
                                                                               "b &lt;c&gt;/", -1, "as it is, escaped"},
        {LOGIN(AGENT "<bind " BIND2 "><tag>a&#xFFF9;b</tag></bind>"), "", 5, "a tag that no resource can carry is left out"},
    };
    struct fixture *f = *state;
    char found[sizeof(rows) / sizeof(*rows)][128];

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct client c;
        log_in(&c, &f->w, rows[i].request);
        const char *at = strstr(c.got, "romeo@montague.example/");
        assert_non_null(at);
        at += strlen("romeo@montague.example/");
        snprintf(found[i], sizeof(found[i]), "%.*s", (int)(strstr(at, "</authorization") - at), at);
        if (strncmp(found[i], rows[i].begins, strlen(rows[i].begins)) != 0 || strlen(found[i]) != strlen(rows[i].begins) + 12)
            fail_msg("%s: %s", rows[i].proves, found[i]);
        for (size_t j = 0; j < i; j++)
            if ((strcmp(found[i], found[j]) == 0) != ((int)j == rows[i].same_as))
                fail_msg("%s: %s and %s", rows[i].proves, found[i], found[j]);
        client_close(&c);
    }
}

/* SCRAM in this spelling too, bound to TLS, with XEP-0474 over this list. */
static void scram(void **state)
{
    struct fixture *f = *state;

    for (int h = SCRAM_SHA1; h < SCRAM_HASH_COUNT; h++) {
        struct client c;
        struct bytes data = BYTES_EMPTY;
        char from[16];
        snprintf(from, sizeof(from), "127.0.%d.1", h);
        client_secure_stage_from(&c, &f->w, from);
        client_binding(&c, "tls-exporter", &data);
        struct bound bound = {"tls-exporter", bytes_span(&data)};
        client_scram(&c, &spelt_sasl2, (enum scram_hash)h, "romeo", "thorn", bound, "<not-authorized");
        client_scram(&c, &spelt_sasl2, (enum scram_hash)h, "nobody", "rose", bound, "<not-authorized");
        data.data[0] ^= 1;
        client_scram(&c, &spelt_sasl2, (enum scram_hash)h, "romeo", "rose", bound, "<not-authorized");
        data.data[0] ^= 1;
        client_close(&c);
        snprintf(from, sizeof(from), "127.1.%d.1", h);
        client_secure_stage_from(&c, &f->w, from);
        bytes_clear(&data);
        client_binding(&c, "tls-exporter", &data);
        bound.data = bytes_span(&data);
        client_scram(&c, &spelt_sasl2, (enum scram_hash)h, "romeo", "rose", bound, "<additional-data");
        client_expect(&c, "</stream:features>");
        bytes_fini(&data);
        client_close(&c);
    }
}

/* XEP-0198 section 10.2: resumed instead of bound, and no features; or told why not, and bound. */
static void resumption(void **state)
{
    struct fixture *f = *state;
    struct client c, d;
    char token[64], request[1024];

    log_in(&c, &f->w, LOGIN(AGENT BIND_TAG("<enable " SM " resume='true'/>")));
    client_attr(&c, "id", token, sizeof(token));
    client_expect(&c, "</stream:features>");
    script_deliver(&f->x, 0, "<message xmlns='jabber:client' id='d1'><body>.</body></message>", 0);
    client_expect(&c, "id='d1'");
    client_close(&c);
    snprintf(request, sizeof(request), LOGIN("<resume " SM " previd='%s' h='0'/>" AGENT BIND_TAG("")), token);
    log_in(&d, &f->w, request);
    expect_got(&d, "<authorization-identifier>romeo@montague.example/Test/");
    expect_got(&d, "<resumed " SM " previd='");
    expect_got_not(&d, "<bound");
    client_expect(&d, "id='d1'"); /* what it had not counted comes again, next */
    expect_got_not(&d, "<stream:features");
    assert_int_equal(f->x.resource_count, 1);
    client_close(&d);
    snprintf(request, sizeof(request), LOGIN("<resume " SM " previd='unknown' h='0'/>" AGENT BIND_TAG("<enable " SM "/>")));
    log_in(&d, &f->w, request);
    expect_got(&d, "<item-not-found");
    expect_got(&d, "<bound " BIND2 "><enabled " SM "/></bound>");
    client_expect(&d, "</stream:features>");
    assert_int_equal(f->x.resource_count, 2);
    client_close(&d);
    log_in(&d, &f->w, LOGIN("<resume " SM " previd='unknown' h='0'/>"));
    expect_got(&d, "<item-not-found");
    client_expect(&d, "<stream:features><bind");
    client_close(&d);
    log_in(&d, &f->w, LOGIN("<resume " SM " h='many'/>"));
    expect_got(&d, "<bad-request");
    client_close(&d);
}

/* Logged in so, and resumed by an element of its own behind it, as XEP-0198 had it before. */
static void resumed_after_login(void **state)
{
    struct fixture *f = *state;
    struct client c, d;
    char token[64], request[256];

    client_managed_stage(&c, &f->w, token);
    client_close(&c);
    log_in(&d, &f->w, LOGIN(AGENT));
    client_expect(&d, "</stream:features>");
    snprintf(request, sizeof(request), "<resume " SM " previd='%s' h='0'/>", token);
    client_send(&d, request);
    client_expect(&d, "/>");
    expect_got(&d, "<resumed " SM " previd='");
    expect_got_not(&d, "<authorization-identifier");
    assert_int_equal(f->x.resource_count, 1);
    client_close(&d);
}

/* A resource that cannot be had: logged in all the same, and free to bind as of old. */
static void bind_refused(void **state)
{
    struct fixture *f = *state;
    struct client c;

    f->x.refuse_bind = STANZA_RESOURCE_CONSTRAINT;
    log_in(&c, &f->w, LOGIN(BIND_TAG("<enable " SM "/>")));
    expect_got_not(&c, "<bound");
    client_expect(&c, "<stream:features><bind");
    client_expect(&c, "</stream:features>");
    client_bind(&c, "orchard");
    client_close(&c);
}

/* What is wrong has a name; the stream stays for another try, or closes. */
static void bad_input(void **state)
{
    static const struct {
        const char *send, *want, *proves;
        bool closes;
    } rows[] = {
        {"<authenticate " SASL2 "/>", "<invalid-mechanism xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", "no mechanism", false},
        {"<authenticate " SASL2 " mechanism='X-NONE'/>", "<invalid-mechanism", "one that was not offered", false},
        {"<authenticate " SASL2 " mechanism='PLAIN'><initial-response>*</initial-response></authenticate>",
         "<incorrect-encoding", "not base64", false},
        {"<authenticate " SASL2 " mechanism='PLAIN'><initial-response/></authenticate>", "<malformed-request", "an empty one",
         false},
        {LOGIN(PLAIN_ROSE), "<malformed-request", "two initial responses", false},
        {LOGIN("<bind " BIND2 "/><bind " BIND2 "/>"), "<malformed-request", "two binds", false},
        {LOGIN("<resume " SM "/><resume " SM "/>"), "<malformed-request", "two resumptions", false},
        {LOGIN(AGENT AGENT), "<malformed-request", "two clients", false},
        {LOGIN("<user-agent id='romeo'/>"), "<malformed-request", "an id that is no UUID", false},
        {LOGIN("<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770-and-more'/>"), "<malformed-request", "more than one", false},
        {LOGIN("<jump xmlns='urn:example:unknown'/>" AGENT), "<success", "what is not known is passed over", false},
        {"<response " SASL2 "/>", "<malformed-request", "nothing was begun", false},
        {"<abort " SASL2 "/>", "<aborted", "nothing to give up", false},
        {"<authenticate " SASL2 " mechanism='SCRAM-SHA-1'/><abort " SASL2 "/>", "<aborted", "given up", false},
        {"<authenticate " SASL2 " mechanism='SCRAM-SHA-1'/><authenticate " SASL2 " mechanism='SCRAM-SHA-1'/>",
         "<policy-violation", "two at a time", true},
        {"<authenticate " SASL2 " mechanism='SCRAM-SHA-1'/><auth " SASL " mechanism='SCRAM-SHA-1'/>", "<policy-violation",
         "the other spelling meanwhile", true},
        {"<auth " SASL " mechanism='SCRAM-SHA-1'/><authenticate " SASL2 " mechanism='SCRAM-SHA-1'/>", "<policy-violation",
         "and the other way round", true},
        {"<authenticate " SASL2 " mechanism='SCRAM-SHA-1'/><response " SASL "/>", "<policy-violation", "answered in the other", true},
        {"<authenticate " SASL2 " mechanism='SCRAM-SHA-1'/><presence/>", "<not-authorized", "a stanza meanwhile", true},
        {LOGIN("") "<authenticate " SASL2 " mechanism='PLAIN'/>", "<unsupported-stanza-type", "again after success", true},
        {LOGIN(BIND_TAG("")) "<authenticate " SASL2 " mechanism='PLAIN'/>", "<unsupported-stanza-type", "and after binding", true},
        {LOGIN("") "<auth " SASL " mechanism='PLAIN'/>", "<unsupported-stanza-type", "the other spelling after success", true},
        {"<next " SASL2 " task='X'/>", "<unsupported-stanza-type", "a task of which nobody spoke", true},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct client c;
        print_message("  %s\n", rows[i].proves);
        client_secure_stage(&c, &f->w);
        client_send(&c, rows[i].send);
        client_expect(&c, rows[i].want);
        if (rows[i].closes) {
            client_expect_end(&c);
        } else if (strcmp(rows[i].want, "<success") != 0) { /* nothing has changed: it may try again */
            client_send(&c, LOGIN(""));
            client_expect(&c, "<success");
        }
        client_close(&c);
    }
    assert_int_equal(f->x.resource_count, 1); /* the one that was to be bound */
}

/* XEP-0388 section 2.1: the header's 'from' is of the domain that it asks for, or the login ends there. */
static void from_elsewhere(void **state)
{
    struct fixture *f = *state;
    struct client c;

    for (int own = 0; own < 2; own++) {
        client_plain_stage(&c, &f->w);
        client_send(&c, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        client_expect(&c, "<proceed");
        client_expect(&c, ">");
        client_secure(&c, NULL);
        client_send(&c, own ? "<stream:stream from='romeo@montague.example' to='montague.example' version='1.0' "
                              "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
                            : "<stream:stream from='romeo@capulet.example' to='montague.example' version='1.0' "
                              "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>");
        client_expect(&c, "</stream:features>");
        client_send(&c, LOGIN(""));
        client_expect(&c, own ? "<success" : "<invalid-from");
        client_close(&c);
    }
}

static void before_tls(void **state)
{
    struct fixture *f = *state;
    struct client c;

    client_plain_stage(&c, &f->w);
    client_send(&c, LOGIN(""));
    client_expect(&c, "<failure " SASL2 "><encryption-required xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    client_close(&c);
}

static void too_big(void **state)
{
    struct fixture *f = *state;
    struct client c;
    char pad[11000];

    client_secure_stage(&c, &f->w);
    memset(pad, 'x', sizeof(pad) - 1);
    pad[sizeof(pad) - 1] = '\0';
    client_send(&c, "<authenticate " SASL2 " mechanism='PLAIN'><initial-response>");
    client_send(&c, pad);
    client_expect(&c, "<policy-violation");
    client_close(&c);
}

/* The brake and the count of failures know no spelling: guesses in one slow the other down. */
static void one_policy(void **state)
{
    struct fixture *f = *state;
    struct client c;

    for (int i = 0; i < 2; i++) {
        client_secure_stage(&c, &f->w);
        if (i) {
            client_auth_plain(&c, "", "romeo", "thorn");
            client_expect(&c, "<not-authorized");
        } else {
            client_send(&c, "<authenticate " SASL2 " mechanism='PLAIN'>" PLAIN_THORN BIND_TAG("") "</authenticate>");
            client_expect(&c, "<not-authorized");
        }
        client_close(&c);
    }
    client_secure_stage(&c, &f->w);
    client_send(&c, LOGIN(BIND_TAG("")));
    world_until_logged(&f->w, "the outcome is told after");
    client_expect_not(&c, "<success");
    world_advance(&f->w, 1100);
    client_expect(&c, "<bound");
    client_close(&c);
    client_secure_stage_from(&c, &f->w, "127.0.9.1");
    for (int i = 0; i < 4; i++)
        client_send(&c, "<authenticate " SASL2 " mechanism='X-NONE'/>");
    client_expect(&c, "<policy-violation");
    client_close(&c);
    assert_int_equal(f->x.resource_count, 1); /* a failed login binds nothing */
}

#define UPGR(hash) "<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-" hash "</upgrade>"
#define PLAIN_ABRAM(more)                                                                                   \
    "<authenticate " SASL2 " mechanism='PLAIN'><initial-response>AGFicmFtAHRodW1i</initial-response>" more "</authenticate>"

#define ASKING(more)                                                                                        \
    {                                                                                                       \
        "<authenticate " SASL2 " mechanism='", "'>" more "<initial-response>", "</initial-response></authenticate>", \
            "</additional-data>", "<additional-data", "<response " SASL2 ">", "</response>",                \
    }

/* By SCRAM (the password does not pass); he has keys of SHA-1 alone. */
static void begin_abram(struct client *c, struct world *w, const struct spelling *asking)
{
    client_secure_stage(c, w);
    client_scram(c, asking, SCRAM_SHA1, "abram", "thumb", (struct bound){0}, "<additional-data");
}

/* Answers one task by the password, as a client does. */
static void do_task(struct client *c, enum scram_hash hash, const char *password)
{
    struct bytes salt = BYTES_EMPTY, b64 = BYTES_EMPTY;
    unsigned char salted[SCRAM_KEY_MAX];
    char text[256];

    snprintf(text, sizeof(text), "<tasks><task>UPGR-%s</task></tasks></continue>", sasl_hash_name(hash));
    client_expect(c, text);
    snprintf(text, sizeof(text), "<next " SASL2 " task='UPGR-%s'/>", sasl_hash_name(hash));
    client_send(c, text);
    client_expect(c, "<task-data " SASL2 "><salt xmlns='urn:xmpp:scram-upgrade:0' iterations='10000'>");
    client_expect(c, "</salt></task-data>");
    assert_true(base64_decode(&salt, c->got, strcspn(c->got, "<")));
    assert_true(scram_salted(hash, password, (const unsigned char *)salt.data, salt.len, 10000, salted));
    base64_encode(&b64, salted, scram_hash_len(hash));
    client_send(c, "<task-data " SASL2 "><hash xmlns='urn:xmpp:scram-upgrade:0'>");
    client_send(c, bytes_text(&b64));
    client_send(c, "</hash></task-data>");
    bytes_fini(&salt);
    bytes_fini(&b64);
}

/* XEP-0480: keys that the account lacks are made at a login, and serve the next; then nothing is asked any more. */
static void upgrade(void **state)
{
    struct fixture *f = *state;
    static const struct spelling both = ASKING(UPGR("256") UPGR("512") BIND_TAG(""));
    struct client c;

    begin_abram(&c, &f->w, &both);
    do_task(&c, SCRAM_SHA256, "thumb");
    do_task(&c, SCRAM_SHA512, "thumb");
    client_expect(&c, "<success");
    client_expect(&c, "<bound");
    client_close(&c);
    for (int h = SCRAM_SHA256; h <= SCRAM_SHA512; h++) {
        client_secure_stage(&c, &f->w);
        client_scram(&c, &spelt_sasl2, (enum scram_hash)h, "abram", "thumb", (struct bound){0}, "<additional-data");
        client_close(&c);
    }
    log_in(&c, &f->w, PLAIN_ABRAM(UPGR("256") UPGR("512")));
    client_close(&c);
    log_in(&c, &f->w, PLAIN_ABRAM("")); /* nor where nobody asks for it */
    client_close(&c);
}

/* By fewer rounds than new ones: made anew. The server's proof goes out with the task, not with success. */
static void upgrade_of_few_rounds(void **state)
{
    struct fixture *f = *state;
    struct client c;
    static const struct spelling asking = ASKING(UPGR("512"));

    client_secure_stage(&c, &f->w);
    client_scram(&c, &asking, SCRAM_SHA1, "romeo", "rose", (struct bound){0}, "<additional-data");
    do_task(&c, SCRAM_SHA512, "rose");
    client_expect(&c, "</success>");
    expect_got_not(&c, "<additional-data");
    client_close(&c);
    client_secure_stage(&c, &f->w);
    client_scram(&c, &asking, SCRAM_SHA512, "romeo", "rose", (struct bound){0}, "<additional-data");
    client_expect(&c, "</success>"); /* nothing more to do */
    client_close(&c);
}

/* And no other account lacks keys of SHA-512, so that it is announced when he has them. */
static bool keep_sha256_alone(struct store_tx *tx, void *user, struct error *e)
{
    (void)user;
    return account_delete(tx, "abram@montague.example", e) &&
           store_exec(tx, e, "delete from account_keys where bare = 'romeo@montague.example' and mechanism <> 'SCRAM-SHA-256'", "");
}

/* The only keys that the account had are made anew, others join them, and a token is given for the same password. */
static void upgrade_and_token(void **state)
{
    static const struct spelling asking =
        ASKING(AGENT UPGR("256") UPGR("512") "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>");
    struct fixture *f = *state;
    struct error e = ERROR_INIT;
    struct client c;

    assert_true(store_write_wait(f->w.store, keep_sha256_alone, NULL, &e));
    client_secure_stage(&c, &f->w);
    client_scram(&c, &asking, SCRAM_SHA256, "romeo", "rose", (struct bound){0}, "<additional-data");
    do_task(&c, SCRAM_SHA256, "rose");
    do_task(&c, SCRAM_SHA512, "rose");
    client_expect(&c, "<success");
    client_expect(&c, "<token");
    client_close(&c);
    for (int h = SCRAM_SHA256; h <= SCRAM_SHA512; h++) {
        client_secure_stage(&c, &f->w);
        client_scram(&c, &spelt_sasl2, (enum scram_hash)h, "romeo", "rose", (struct bound){0}, "<additional-data");
        client_close(&c);
    }
}

/* Tasks out of order, of another name, with what is no hash: the login fails by name and the keys stay as they were. */
static void upgrade_bad_input(void **state)
{
    static const struct {
        const char *send, *want, *proves;
    } rows[] = {
        {"<next " SASL2 "/>", "<malformed-request", "no task"},
        {"<next " SASL2 " task='UPGR-SCRAM-SHA-256'/>", "<malformed-request", "another task"},
        {"<task-data " SASL2 "/>", "<malformed-request", "data before it was begun"},
        {"<next " SASL2 " task='UPGR-SCRAM-SHA-512'/><next " SASL2 " task='UPGR-SCRAM-SHA-512'/>", "<malformed-request", "twice"},
        {"<next " SASL2 " task='UPGR-SCRAM-SHA-512'/><task-data " SASL2 "/>", "<malformed-request", "no hash"},
        {"<next " SASL2 " task='UPGR-SCRAM-SHA-512'/><task-data " SASL2
         "><hash xmlns='urn:xmpp:scram-upgrade:0'>AAAA</hash></task-data>", "<malformed-request", "too short"},
        {"<next " SASL2 " task='UPGR-SCRAM-SHA-512'/><task-data " SASL2
         "><hash xmlns='urn:xmpp:scram-upgrade:0'>*</hash></task-data>", "<malformed-request", "not base64"},
        {"<abort " SASL2 "/>", "<aborted", "given up"},
        {"<response " SASL2 "/>", "<malformed-request", "an answer to nothing"},
        {"<authenticate " SASL2 " mechanism='PLAIN'/>", "<policy-violation", "XEP-0388: again after <continue/>"},
    };
    static const struct spelling asking = ASKING(UPGR("512") BIND_TAG(""));
    struct fixture *f = *state;
    struct client c;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        print_message("  %s\n", rows[i].proves);
        begin_abram(&c, &f->w, &asking);
        client_expect(&c, "</continue>");
        client_send(&c, rows[i].send);
        client_expect(&c, rows[i].want);
        client_expect_not(&c, "<success");
        client_close(&c);
    }
    client_secure_stage(&c, &f->w);
    client_scram(&c, &spelt_sasl2, SCRAM_SHA512, "abram", "thumb", (struct bound){0}, "<not-authorized");
    client_close(&c);
    assert_int_equal(f->x.resource_count, 0);
}

/* A new password while the task is done: the keys of the old one are not kept. */
static void upgrade_overtaken(void **state)
{
    static const struct spelling asking = ASKING(UPGR("512"));
    struct fixture *f = *state;
    struct client c;

    begin_abram(&c, &f->w, &asking);
    world_add_account(&f->w, (struct world_account){.bare = "abram@montague.example", .password = "sword", .only_sha1 = true});
    do_task(&c, SCRAM_SHA512, "thumb");
    client_expect(&c, "<success");
    client_close(&c);
    client_secure_stage(&c, &f->w);
    client_scram(&c, &spelt_sasl2, SCRAM_SHA512, "abram", "thumb", (struct bound){0}, "<not-authorized");
    client_scram(&c, &spelt_sasl2, SCRAM_SHA1, "abram", "sword", (struct bound){0}, "<additional-data");
    client_close(&c);
}

/* Whoever leaves while its resource is being bound leaves nothing behind. */
static void leaves_meanwhile(void **state)
{
    struct fixture *f = *state;
    struct c2s_counts n;

    for (int turns = 0; turns < 12; turns++) {
        struct client c;
        client_secure_stage(&c, &f->w);
        client_send(&c, LOGIN(AGENT BIND_TAG("<enable " SM "/>")));
        for (int i = 0; i < turns; i++)
            loop_turn(f->w.loop);
        client_close(&c);
    }
    c2s_count(f->w.c2s, &n);
    for (int i = 0; i < PATIENCE_TURNS && (n.connections || n.links); i++) {
        world_turn(&f->w);
        c2s_count(f->w.c2s, &n);
    }
    assert_int_equal(n.connections, 0);
    assert_int_equal(n.links, 0);
}

/* The time for logging in is over before it is bound inactive: what is left hibernates, and is not taken for a client
 * that is there. */
static void bound_too_late(void **state)
{
    struct fixture *f = *state;
    struct client c;

    f->x.holds_bind = true;
    client_secure_stage(&c, &f->w);
    client_send(&c, LOGIN(BIND_TAG("<enable " SM " resume='true'/><inactive xmlns='urn:xmpp:csi:0'/>")));
    for (int i = 0; i < PATIENCE_TURNS && !f->x.resource_count; i++)
        world_turn(&f->w);
    assert_int_equal(f->x.resource_count, 1);
    world_advance(&f->w, 61000);
    client_expect(&c, "<connection-timeout");
    script_answer(&f->x, 0);
    world_settle_down(&f->w);
    assert_true(f->x.resources[0]->bound);
    assert_int_equal(f->x.resources[0]->state, LINK_HIBERNATING);
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(features),
        BOTH(without_bind),
        BOTH(all_at_once),
        BOTH(names),
        BOTH(scram),
        BOTH(resumption),
        BOTH(resumed_after_login),
        BOTH(bind_refused),
        BOTH(bad_input),
        BOTH(from_elsewhere),
        BOTH(before_tls),
        BOTH(too_big),
        BOTH(one_policy),
        BOTH(upgrade),
        BOTH(upgrade_of_few_rounds),
        BOTH(upgrade_and_token),
        BOTH(upgrade_bad_input),
        BOTH(upgrade_overtaken),
        BOTH(leaves_meanwhile),
        BOTH(bound_too_late),
    };
    return cmocka_run_group_tests_name("c2s_sasl2", tests, NULL, NULL);
}
