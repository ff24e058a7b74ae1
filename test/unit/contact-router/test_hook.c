/* SPDX-License-Identifier: MIT */
/* contact-router/hook.c: signatures as providers make them, and everything that must not pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <cmocka.h>
#include <openssl/evp.h>

#include "contact-router/hook.h"
#include "contact-router/signature.h"
#include "gateway/base/base64.h"
#include "test/unit/contact-router/provider_given.h"

static const char profiles[] = CAUSEWAY_SOURCE_DIR "/schemas/provider";

static struct provider *make(const char *profile, const struct contact_router_pair *secrets)
{
    struct error e = ERROR_INIT;
    struct provider *p = provider_create(&(struct contact_router_provider){ .name = "p", .profile = profile,
        .secrets = secrets }, profiles, &e);
    if (!p)
        fail_msg("%s", e.text);
    return p;
}

static const struct contact_router_pair twilio[] = {
    { "account_sid", "AC1" }, { "key_sid", "SK1" }, { "key_secret", "s" }, { "auth_token", "12345" }, { NULL, NULL }
};
/* The example of the provider's own documentation, with its token 12345. */
#define CALL "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212"

struct row {
    const char *why, *kind, *url, *target, *method, *body;
    struct headers headers;
    enum error_code code;
};

static const struct row rows[] = {
    { "the documented vector", "voice", "https://mycompany.com", "/myapp.php?foo=1&bar=2", "POST", CALL,
      { { "X-Twilio-Signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=" } }, ERROR_NONE },
    { "the same, the port said on our side", "voice", "https://mycompany.com:443", "/myapp.php?foo=1&bar=2", "POST", CALL,
      { { "X-Twilio-Signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=" } }, ERROR_NONE },
    { "http is not https", "voice", "http://mycompany.com", "/myapp.php?foo=1&bar=2", "POST", CALL,
      { { "X-Twilio-Signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=" } }, ERROR_DENIED },
    { "a field was changed", "voice", "https://mycompany.com", "/myapp.php?foo=1&bar=2", "POST", CALL "4",
      { { "X-Twilio-Signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=" } }, ERROR_DENIED },
    { "the address was changed", "voice", "https://mycompany.com", "/myapp.php?foo=1&bar=3", "POST", CALL,
      { { "X-Twilio-Signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=" } }, ERROR_DENIED },
    { "no signature", "voice", "https://mycompany.com", "/myapp.php?foo=1&bar=2", "POST", CALL, { { NULL } }, ERROR_DENIED },
    { "an empty one", "voice", "https://mycompany.com", "/myapp.php?foo=1&bar=2", "POST", CALL,
      { { "X-Twilio-Signature", "" } }, ERROR_DENIED },
    { "not base64", "voice", "https://mycompany.com", "/myapp.php?foo=1&bar=2", "POST", CALL,
      { { "X-Twilio-Signature", "!" } }, ERROR_DENIED },
    { "another method", "voice", "https://mycompany.com", "/myapp.php?foo=1&bar=2", "GET", CALL,
      { { "X-Twilio-Signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=" } }, ERROR_DENIED },
    { "broken escapes are not signed text", "voice", "https://mycompany.com", "/x", "POST", "a=%zz",
      { { "X-Twilio-Signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=" } }, ERROR_DENIED },
    { "no such hook", "pager", "https://mycompany.com", "/x", "POST", "", { { NULL } }, ERROR_NOT_FOUND },
};

static void test_rows(void **state)
{
    (void)state;
    struct provider *p = make("twilio", twilio);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a;
        arena_init(&a);
        struct error e = ERROR_INIT;
        struct hook_event ev;
        struct hook_request r = { .method = rows[i].method, .target = rows[i].target, .public_url = rows[i].url,
                                  .body = span_of(rows[i].body), .header = header, .user = &rows[i].headers };
        bool ok = hook_read(p, rows[i].kind, &r, &a, &ev, &e);
        if (ok != (rows[i].code == ERROR_NONE) || (!ok && e.code != rows[i].code))
            fail_msg("%s: %s", rows[i].why, e.text);
        if (ok)
            assert_string_equal(ev.id, "CA1234567890ABCDE");
        arena_fini(&a);
    }
    provider_destroy(&p);
}

static const char *b64(struct arena *a, const struct bytes *raw)
{
    struct bytes out = BYTES_EMPTY;
    base64_encode(&out, raw->data, raw->len);
    const char *text = arena_dup(a, out.data);
    bytes_fini(&out);
    return text;
}

/* Status words, and duplicates of a field that count once. */
static void test_fields(void **state)
{
    (void)state;
    struct provider *p = make("twilio", twilio);
    struct arena a;
    arena_init(&a);
    struct bytes mac = BYTES_EMPTY;
    const char *over = "https://gw.example/hook/p/statusErrorCode30003MessageSidSM1MessageStatusundelivered";
    signature_hmac(PROFILE_HMAC_SHA1, SPAN("12345"), span_of(over), &mac);
    struct headers h = { { "x-twilio-signature", b64(&a, &mac), "I-Twilio-Idempotency-Token", "tok" } };
    struct hook_request r = { .method = "POST", .target = "/hook/p/status", .public_url = "https://gw.example",
        .body = SPAN("MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30003&MessageSid=SM1"), .header = header, .user = &h };
    struct hook_event ev;
    struct error e = ERROR_INIT;
    assert_true(hook_read(p, "status", &r, &a, &ev, &e));
    assert_int_equal(ev.state, PROFILE_STATE_FAILED);
    assert_string_equal(ev.id, "SM1");
    assert_string_equal(ev.error_code, "30003");
    assert_string_equal(ev.dedup, "tok");
    assert_string_equal(ev.hook->suffix, "");
    bytes_fini(&mac);
    arena_fini(&a);
    provider_destroy(&p);
}

static void test_ed25519(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    static const unsigned char seed[32] = { 1, 2, 3 };
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
    unsigned char pub[32], sig[64];
    size_t pub_len = 32, sig_len = 64;
    EVP_PKEY_get_raw_public_key(key, pub, &pub_len);
    const char *body = "{\"data\":{\"event_type\":\"message.received\",\"id\":\"e1\",\"payload\":{\"id\":\"m1\",\"text\":\"r7 hi\","
                       "\"from\":{\"phone_number\":\"+447700900123\"},\"to\":[{\"phone_number\":\"+441632960000\"}]}}}";
    const char *signed_text = arena_printf(&a, "1893456000|%s", body);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_DigestSignInit(ctx, NULL, NULL, NULL, key);
    EVP_DigestSign(ctx, sig, &sig_len, (const unsigned char *)signed_text, strlen(signed_text));
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    struct bytes raw = { (char *)sig, 64, 64 }, rawpub = { (char *)pub, 32, 32 };
    const struct contact_router_pair secrets[] = { { "api_key", "K" }, { "account_sid", "a" }, { "public_key", b64(&a, &rawpub) }, { NULL, NULL } };
    struct provider *p = make("telnyx", secrets);
    static const struct { const char *why; int64_t now_s; const char *event; bool ok, wanted; } cases[] = {
        { "signed and fresh", 1893456010, "inbound", true, true },
        { "replayed later", 1893456400, "inbound", false, false },
        { "from the future", 1893455000, "inbound", false, false },
        { "verified, but not for this hook", 1893456010, "status", true, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct headers h = { { "telnyx-timestamp", "1893456000", "telnyx-signature-ed25519", b64(&a, &raw) } };
        struct hook_request r = { .method = "POST", .target = "/h", .public_url = "https://g", .body = span_of(body),
                                  .header = header, .user = &h, .now_us = cases[i].now_s * 1000000 };
        struct hook_event ev;
        struct error e = ERROR_INIT;
        bool ok = hook_read(p, cases[i].event, &r, &a, &ev, &e);
        if (ok != cases[i].ok || (ok && (ev.hook != NULL) != cases[i].wanted))
            fail_msg("%s: %s", cases[i].why, e.text);
        if (ok && cases[i].wanted)
            assert_string_equal(ev.text, "r7 hi");
    }
    provider_destroy(&p);
    arena_fini(&a);
}

/* The two other canonical strings, against values worked out by hand. */
static void test_canonical(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    static const struct contact_router_pair plivo[] = { { "auth_id", "i" }, { "auth_token", "t" }, { NULL, NULL } };
    static const struct contact_router_pair vonage[] = { { "api_key", "K" }, { "api_secret", "S" }, { "signature_secret", "x" }, { NULL, NULL } };
    struct bytes mac = BYTES_EMPTY, hex = BYTES_EMPTY;
    struct hook_event ev;
    struct error e = ERROR_INIT;
    signature_hmac(PROFILE_HMAC_SHA256, SPAN("t"), SPAN("https://g/h?a=1&b=2.MessageUUIDm1Statussent.n1"), &mac);
    struct headers h = { { "X-Plivo-Signature-V3", arena_printf(&a, "AAAA,%s", b64(&a, &mac)), "X-Plivo-Signature-V3-Nonce", "n1" } };
    struct hook_request r = { .method = "POST", .target = "/h?b=2&a=1", .public_url = "https://g",
                              .body = SPAN("Status=sent&MessageUUID=m1"), .header = header, .user = &h };
    struct provider *p = make("plivo", plivo);
    if (!hook_read(p, "status", &r, &a, &ev, &e))
        fail_msg("%s", e.text);
    assert_int_equal(ev.state, PROFILE_STATE_SENT);
    provider_destroy(&p);

    bytes_clear(&mac);
    signature_hmac(PROFILE_HMAC_SHA256, SPAN("x"), SPAN("&client-ref=r_1&messageId=m1&status=delivered&timestamp=1893456000"), &mac);
    base64_hex(&hex, mac.data, mac.len);
    struct hook_request g = { .method = "GET", .public_url = "https://g", .header = header, .user = &h, .now_us = 1893456001000000,
        .target = arena_printf(&a, "/h?messageId=m1&client-ref=r%%3D1&status=delivered&timestamp=1893456000&sig=%s", hex.data) };
    p = make("vonage-sms", vonage);
    if (!hook_read(p, "status", &g, &a, &ev, &e))
        fail_msg("%s", e.text);
    assert_int_equal(ev.state, PROFILE_STATE_DELIVERED);
    assert_string_equal(ev.ref, "r=1");
    provider_destroy(&p);
    bytes_fini(&mac);
    bytes_fini(&hex);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_ed25519),
        cmocka_unit_test(test_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
