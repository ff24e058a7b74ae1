/* SPDX-License-Identifier: MIT */
/* contact-router/jwt.c: what a token must say, and each way in which a token lies. With hook.c: claims over the
 * address, an optional signature, lists of events, XML that is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "contact-router/hook.h"
#include "contact-router/jwt.h"
#include "contact-router/signature.h"
#include "gateway/base/base64.h"
#include "gateway/base/text.h"

enum { NOW_S = 1893456000 };

static const char *token(struct arena *a, const char *header, const char *claims, const char *key)
{
    struct bytes t = BYTES_EMPTY, mac = BYTES_EMPTY;
    base64_encode_url(&t, header, strlen(header));
    bytes_append_char(&t, '.');
    base64_encode_url(&t, claims, strlen(claims));
    signature_hmac(PROFILE_HMAC_SHA256, span_of(key), bytes_span(&t), &mac);
    bytes_append_char(&t, '.');
    base64_encode_url(&t, mac.data, mac.len);
    const char *text = arena_dup(a, t.data);
    bytes_fini(&t);
    bytes_fini(&mac);
    return text;
}

#define HS "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

static void test_tokens(void **state)
{
    (void)state;
    static const struct { const char *why, *header, *claims, *key; unsigned tolerance; const char *error; } rows[] = {
        { "good", HS, "{\"iat\":1893456000}", "k", 300, NULL },
        { "a fraction of a second", HS, "{\"iat\":1893456000.5}", "k", 300, NULL },
        { "no time, and none is asked for", HS, "{}", "k", 0, NULL },
        { "another key", HS, "{\"iat\":1893456000}", "x", 300, "the token's signature does not fit" },
        { "alg none", "{\"alg\":\"none\"}", "{\"iat\":1893456000}", "k", 300, "the token is not signed by HS256" },
        { "alg None", "{\"alg\":\"None\"}", "{\"iat\":1893456000}", "k", 300, "the token is not signed by HS256" },
        { "an algorithm with public keys", "{\"alg\":\"RS256\"}", "{\"iat\":1893456000}", "k", 300, "the token is not signed by HS256" },
        { "no algorithm", "{}", "{\"iat\":1893456000}", "k", 300, "the token is not signed by HS256" },
        { "two algorithms", "{\"alg\":\"HS256\",\"alg\":\"none\"}", "{}", "k", 0, "the token is not signed by HS256" },
        { "what it insists that we understand", "{\"alg\":\"HS256\",\"crit\":[\"b64\"]}", "{}", "k", 0, "the token is not signed by HS256" },
        { "no iat", HS, "{}", "k", 300, "the token does not say when it was made" },
        { "old", HS, "{\"iat\":1893455699}", "k", 300, "the token was made 301 s off" },
        { "from the future", HS, "{\"iat\":1893456301}", "k", 300, "the token was made -301 s off" },
        { "iat is text", HS, "{\"iat\":\"1893456000\"}", "k", 300, "the token's iat, nbf or exp is not a time" },
        { "over", HS, "{\"iat\":1893456000,\"exp\":1893456000}", "k", 300, "the token's time is over" },
        { "for later", HS, "{\"nbf\":1893456100}", "k", 0, "the token is for later" },
        { "claims are a list", HS, "[1]", "k", 0, "the token's claims are not a JSON object" },
        { "no key was set", HS, "{}", "", 0, "the token's signature does not fit" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a;
        arena_init(&a);
        struct error e = ERROR_INIT;
        json_t *claims = jwt_open_hs256(token(&a, rows[i].header, rows[i].claims, rows[i].key), text_eq(rows[i].key, "") ? SPAN("") : SPAN("k"),
                                        NOW_S, rows[i].tolerance, &e);
        if ((claims != NULL) != !rows[i].error || (rows[i].error && strncmp(e.text, rows[i].error, strlen(rows[i].error)) != 0))
            fail_msg("%s: %s", rows[i].why, e.text);
        json_decref(claims);
        arena_fini(&a);
    }
    static const char *const broken[] = { "", ".", "..", "a.b", "a.b.c", "a.b.c.d", "eyJhbGciOiJIUzI1NiJ9..", "\xff.\xff.\xff" };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct error e = ERROR_INIT;
        assert_null(jwt_open_hs256(broken[i], SPAN("k"), NOW_S, 0, &e));
        assert_int_equal(e.code, ERROR_DENIED);
    }
}

/* ---- in a hook ---- */

struct headers { const char *v[4]; };

static const char *header(const void *user, const char *name)
{
    const struct headers *h = user;
    for (unsigned i = 0; i < 4 && h->v[i]; i += 2)
        if (strcasecmp(h->v[i], name) == 0)
            return h->v[i + 1];
    return NULL;
}

static struct provider *make(const char *hooks)
{
    struct error e = ERROR_INIT;
    char path[] = "/tmp/profile-test-XXXXXX.conf";
    int fd = mkstemps(path, 5);
    assert_true(fd >= 0);
    FILE *f = fdopen(fd, "w");
    fprintf(f, "[profile]\nname = x\nkinds = sms\nformat = 1\n[secrets]\nk = key\n[send.sms]\nurl = https://x.example\nok = http 200\n%s", hooks);
    fclose(f);
    struct contact_router_pair secrets[] = { { "k", "k" }, { NULL, NULL } };
    struct provider *p = provider_create(&(struct contact_router_provider){ .name = "p", .profile = path, .secrets = secrets }, ".", &e);
    unlink(path);
    if (!p)
        fail_msg("%s", e.text);
    return p;
}

static bool ask(const struct provider *p, const char *target, const char *body, const struct headers *h, struct arena *a,
                struct hook_event *ev, struct error *e)
{
    struct hook_request r = { .method = "POST", .target = target, .public_url = "https://gw.example", .body = span_of(body),
                              .header = header, .user = h, .now_us = (int64_t)NOW_S * 1000000 };
    return hook_read(p, "inbound", &r, a, ev, e);
}

/* A provider that puts sums of the address and of the body into its token. */
static void test_claims(void **state)
{
    (void)state;
    struct provider *p = make("[hook.inbound]\nmethod = POST\nbody = json\nverify.kind = jwt-hs256\nverify.header = X-Jwt\n"
                              "verify.key = ${secret.k}\nverify.claim.url_hash = ${url.sha256}\nverify.claim.payload_hash = ${body.sha256}\n"
                              "text = json /t\n");
    struct bytes url = BYTES_EMPTY, body = BYTES_EMPTY, hex_url = BYTES_EMPTY, hex_body = BYTES_EMPTY;
    signature_sha256(SPAN("https://gw.example:443/hook/p/inbound"), &url); /* with its port said */
    signature_sha256(SPAN("{\"t\":\"hi\"}"), &body);
    base64_hex(&hex_url, url.data, url.len);
    base64_hex(&hex_body, body.data, body.len);
    static const struct { const char *why, *target, *body, *claims; const char *error; } rows[] = {
        { "both fit", "/hook/p/inbound", "{\"t\":\"hi\"}", "{\"url_hash\":\"%s\",\"payload_hash\":\"%s\"}", NULL },
        { "another address", "/hook/p/inbound?x=1", "{\"t\":\"hi\"}", "{\"url_hash\":\"%s\",\"payload_hash\":\"%s\"}", "the token's url_hash does not fit" },
        { "another body", "/hook/p/inbound", "{\"t\":\"ho\"}", "{\"url_hash\":\"%s\",\"payload_hash\":\"%s\"}", "the token's payload_hash does not fit" },
        { "one is left out", "/hook/p/inbound", "{\"t\":\"hi\"}", "{\"url_hash\":\"%s\",\"other\":\"%s\"}", "the token's payload_hash does not fit" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a;
        arena_init(&a);
        struct error e = ERROR_INIT;
        struct hook_event ev;
        char claims[300];
        const char *first = strstr(rows[i].claims, "%s"), *second = strstr(first + 2, "%s");
        snprintf(claims, sizeof claims, "%.*s%s%.*s%s%s", (int)(first - rows[i].claims), rows[i].claims, hex_url.data,
                 (int)(second - first - 2), first + 2, hex_body.data, second + 2);
        struct headers h = { { "X-Jwt", token(&a, HS, claims, "k") } };
        bool ok = ask(p, rows[i].target, rows[i].body, &h, &a, &ev, &e);
        if (ok != !rows[i].error || (rows[i].error && strcmp(e.text, rows[i].error) != 0))
            fail_msg("%s: %s", rows[i].why, e.text);
        if (ok)
            assert_string_equal(ev.text, "hi");
        arena_fini(&a);
    }
    bytes_fini(&url);
    bytes_fini(&body);
    bytes_fini(&hex_url);
    bytes_fini(&hex_body);
    provider_destroy(&p);
}

static void test_optional(void **state)
{
    (void)state;
    struct provider *p = make("[hook.inbound]\nbody = text\nverify.kind = hmac-sha256\nverify.header = X-Sig\nverify.over = ${body}\n"
                              "verify.key = ${secret.k}\nverify.optional = yes\ntext = text\n");
    assert_true(hook_needs_token(p, "inbound"));
    struct arena a;
    arena_init(&a);
    struct hook_event ev;
    struct error e = ERROR_INIT;
    assert_true(ask(p, "/h", "hi", &(struct headers){ { NULL } }, &a, &ev, &e));
    assert_string_equal(ev.text, "hi");
    struct headers wrong = { { "X-Sig", "00" } };
    assert_false(ask(p, "/h", "hi", &wrong, &a, &ev, &e));
    assert_int_equal(e.code, ERROR_DENIED);
    arena_fini(&a);
    provider_destroy(&p);
}

static void test_lists(void **state)
{
    (void)state;
    struct provider *p = make("[hook.inbound]\nbody = json\nverify.kind = token\neach = /events\nwhen = json /type == sms\nid = json /id\n"
                              "text = json /text\n[hook.inbound.2]\nbody = json\nverify.kind = token\neach = /\nid = json /n\n");
    static const struct { const char *why, *body, *ids, *error; } rows[] = {
        { "two, and one of another kind", "{\"events\":[{\"type\":\"sms\",\"id\":\"a\",\"text\":\"x\"},{\"type\":\"mms\",\"id\":\"b\"},"
          "{\"type\":\"sms\",\"id\":\"c\"}]}", "ac", NULL },
        { "an empty list", "{\"events\":[]}", "", NULL },
        { "the whole is the list", "[{\"n\":1},{\"n\":2},{\"x\":3}]", "12", NULL },
        { "no list", "{\"events\":{}}", "", "there is no list of events at `" },
        { "not JSON", "[{", "", "the body is not JSON" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a;
        arena_init(&a);
        struct hook_event ev;
        struct error e = ERROR_INIT;
        char ids[16] = "";
        bool ok = ask(p, "/h", rows[i].body, &(struct headers){ { NULL } }, &a, &ev, &e);
        for (const struct hook_event *at = ok && ev.hook ? &ev : NULL; at; at = at->next)
            strncat(ids, at->id, 1);
        if (ok != !rows[i].error || strcmp(ids, rows[i].ids) != 0 || (rows[i].error && strncmp(e.text, rows[i].error, strlen(rows[i].error)) != 0))
            fail_msg("%s: %d `%s` %s", rows[i].why, ok, ids, e.text);
        arena_fini(&a);
    }
    struct bytes many = BYTES_EMPTY;
    bytes_append_text(&many, "{\"events\":[0");
    for (int i = 0; i < HOOK_EVENTS_MAX; i++)
        bytes_append_text(&many, ",0");
    bytes_append_text(&many, "]}");
    struct arena a;
    arena_init(&a);
    struct hook_event ev;
    struct error e = ERROR_INIT;
    assert_false(ask(p, "/h", many.data, &(struct headers){ { NULL } }, &a, &ev, &e));
    assert_int_equal(e.code, ERROR_INVALID);
    arena_fini(&a);
    bytes_fini(&many);
    provider_destroy(&p);
}

static void test_xml(void **state)
{
    (void)state;
    struct provider *p = make("[hook.inbound]\nbody = xml\nverify.kind = token\nid = xml /m@id\ntext = xml /m/t\n");
    static const struct { const char *why, *body, *text, *error; } rows[] = {
        { "text and entities", "<m id='1'><t>a &lt; b &#65;</t></m>", "a < b A", NULL },
        { "the first of its name", "<m id='1'><t>x</t><t>y</t></m>", "x", NULL },
        { "its own text only", "<m id='1'><t>x<b>no</b>y</t></m>", "xy", NULL },
        { "deeper is not it", "<m id='1'><u><t>x</t></u></m>", NULL, NULL },
        { "CDATA", "<m id='1'><t><![CDATA[<x>]]></t></m>", "<x>", NULL },
        { "half", "<m id='1'><t>x</t>", NULL, "the body is not XML" },
        { "an entity of its own", "<!DOCTYPE m [<!ENTITY x 'y'>]><m id='1'><t>&x;</t></m>", NULL, "the body is not XML" },
        { "nothing", "", NULL, "the body is not XML" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a;
        arena_init(&a);
        struct hook_event ev;
        struct error e = ERROR_INIT;
        bool ok = ask(p, "/h", rows[i].body, &(struct headers){ { NULL } }, &a, &ev, &e);
        if (ok != !rows[i].error || (rows[i].error && strcmp(e.text, rows[i].error) != 0) || (ok && !text_eq(ev.id, "1")) ||
            (ok && (ev.text ? !text_eq(ev.text, rows[i].text) : rows[i].text != NULL)))
            fail_msg("%s: %s `%s`", rows[i].why, e.text, ev.text ? ev.text : "NULL");
        arena_fini(&a);
    }
    provider_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens), cmocka_unit_test(test_claims), cmocka_unit_test(test_optional),
        cmocka_unit_test(test_lists),  cmocka_unit_test(test_xml),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
