/* SPDX-License-Identifier: MIT */
/* contact-router/profile.c, provider_request.c, provider_answer.c: mistakes with file and line, requests
 * as the provider's documentation has them, and what its answers mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "contact-router/provider_answer.h"
#include "contact-router/provider_request.h"

#define HEAD "[profile]\nname = x\nkinds = sms\nformat = 1\n[options]\napi = https://x.example\n[secrets]\nk = key\n"
#define CALL "[profile]\nname = x\nkinds = voice\nformat = 1\n[secrets]\nk = key\n[send.voice]\nurl = https://x.example\nok = http 200\n"
#define SAYS "[voice]\nask = <a>${audio_url}</a>\nend = <b/>\naudio.types = audio/wav\n"
#define KEYS "[hook.voice]\nverify.kind = token\n"
#define SEND "[send.sms]\nurl = ${opt.api}/m\nok = http 200\n"

static void test_mistakes(void **state)
{
    (void)state;
    static const struct { const char *why, *text, *error; } rows[] = {
        { "a good one", HEAD SEND, NULL },
        { "unknown key", HEAD SEND "colour = red\n", "f:12: unknown key `colour`" },
        { "unknown section", HEAD "[send.fax]\n", "f:9: [send.fax]: not among the `kinds`" },
        { "unknown section", HEAD "[extra]\n", "f:9: unknown section [extra]" },
        { "unknown name in a template", HEAD SEND "form.a = ${secret.other}\n", "f:12: there is no ${secret.other}" },
        { "a name of another place", HEAD SEND "form.a = ${form.sorted.kv}\n", "f:12: there is no ${form.sorted.kv}" },
        { "unknown filter", HEAD SEND "form.a = ${to|reverse}\n", "f:12: unknown filter `reverse`" },
        { "cut without a number", HEAD SEND "form.a = ${to|cut}\n", "f:12: filter `cut`" },
        { "template not closed", HEAD SEND "form.a = ${to\n", "f:12: `${` without `}`" },
        { "a token without a key", HEAD SEND "auth = jwt-rs256\n", "f:9: a JWT wants `jwt.key`" },
        { "one that ends at once", HEAD SEND "auth = jwt-es256\njwt.key = ${secret.k}\njwt.ttl = 0\n", "f:9: a JWT wants" },
        { "claims without a token", HEAD SEND "jwt.claim.a = b\n", "f:9: jwt.* goes with a JWT" },
        { "sigv4 without a key", HEAD SEND "auth = aws-sigv4 aws:x:sns\n", "f:12: auth is one of" },
        { "an algorithm of another kind", HEAD SEND "auth = jwt-hs256\n", "f:12: auth is one of" },
        { "a kind that nothing sends", "[profile]\nname = x\nkinds = sms voice\nformat = 1\n[options]\napi = https://x.example\n" SEND,
          "f:7: `kinds` lists voice, but there is no [send.voice]" },
        { "not a path in XML", HEAD SEND "id = xml a/b\n", "f:12: `a/b` is not a path" },
        { "nor this", HEAD SEND "id = xml /a@\n", "f:12: `/a@` is not a path" },
        { "auth without its values", HEAD SEND "auth = basic ${secret.k}\n", "f:12: auth is one of" },
        { "bad status", HEAD SEND "retry = http 9xx\n", "f:12: `9xx` is not an HTTP status" },
        { "bad pick", HEAD SEND "id = json sid\n", "f:12: `sid` is not a JSON pointer" },
        { "bad regular expression", HEAD SEND "ok.if = text ~ (\n", "f:12: `(` is not a POSIX" },
        { "an expression that would take all memory", HEAD SEND "ok.if = text ~ a+++++++++++++++++++++++++++++++++b\n",
          "f:12: `a+++" },
        { "expression without a group", HEAD SEND "id = text ~ abc\n", "f:12: the expression has no (group)" },
        { "twice", HEAD SEND "ok = http 201\n", "f:12: `ok` stands twice" },
        { "yes or no", HEAD SEND "safe_retry = maybe\n", "f:12: `maybe` is neither yes nor no" },
        { "no url", HEAD "[send.sms]\nok = http 200\n", "f:9: the section has no `url`" },
        { "no ok", HEAD "[send.sms]\nurl = ${opt.api}\n", "f:9: the section has no `ok`" },
        { "fields of another body", HEAD SEND "body = json\nform.a = b\n", "f:9: there are fields of another kind" },
        { "hook without proof", HEAD SEND "[hook.status]\nid = form X\n", "f:12: the section has no `verify.kind`" },
        { "hook without key", HEAD SEND "[hook.status]\nverify.kind = hmac-sha1\n", "f:12: a signature wants" },
        { "hook by a token without its key", HEAD SEND "[hook.status]\nverify.kind = jwt-hs256\n", "f:12: a JWT wants" },
        { "a claim without a token", HEAD SEND "[hook.status]\nverify.kind = token\nverify.claim.a = ${body.sha256}\n",
          "f:12: verify.claim.NAME goes" },
        { "a claim of what is not there", HEAD SEND "[hook.status]\nverify.claim.a = ${to}\n", "f:13: there is no ${to}" },
        { "events out of a form", HEAD SEND "[hook.status]\nverify.kind = token\neach = /a\n", "f:12: `each` goes with" },
        { "unknown verb", HEAD SEND "[hook.status]\nmethod = PATCH\n", "f:13: `PATCH` is none of: GET POST PUT any" },
        { "unknown signature", HEAD SEND "[hook.status]\nverify.kind = md5\n", "f:13: `md5` is none of: hmac-sha1" },
        { "unknown state", HEAD SEND "[hook.status]\nmap.happy = yes\n", "f:13: `happy` is not one of our states" },
        { "no section", "a = b\n", "f:1: `a` stands before any [section]" },
        { "not a line", HEAD "[options\n", "f:9: a section's name ends with ]" },
        { "nor this", HEAD SEND "hello\n", "f:12: expected `key = value`" },
        { "another format", "[profile]\nname = x\nformat = 2\n", "f:3: format `2` is not known" },
        { "a header's name with a colon", HEAD SEND "header.A:B = c\n", "f:12: `A:B` is not a field's name" },
        { "a call", CALL SAYS KEYS, NULL },
        { "a call that says nothing", CALL KEYS, "f:7: [send.voice] wants a [voice]" },
        { "no documents", CALL "[voice]\naudio.types = audio/wav\n" KEYS, "f:10: [voice] wants `ask` and `end`" },
        { "audio that is not made here", CALL "[voice]\nask = a\nend = b\naudio.types = audio/mpeg\n" KEYS, "f:10: the gateway speaks audio/wav" },
        { "at another rate", CALL SAYS "audio.rate = 16000\n" KEYS, "f:10: the gateway speaks audio/wav" },
        { "keys come nowhere", CALL SAYS, "f:10: [voice] wants a [hook.voice]" },
        { "mu-law", CALL SAYS "audio.coding = pcmu\n" KEYS, NULL },
        { "the first document in the request", CALL "form.doc = ${voice.document}\n" SAYS "answer = inline\n" KEYS, NULL },
        { "which has no place there", CALL SAYS "answer = inline\n" KEYS, "f:10: `answer = inline` and ${voice.document}" },
        { "or a place for what is fetched", CALL "form.doc = ${voice.document}\n" SAYS KEYS, "f:11: `answer = inline` and ${voice.document}" },
        { "in a text message", HEAD SEND "form.doc = ${voice.document}\n", "f:9: ${voice.document} is there in [send.voice] alone" },
        { "a secret in a document", CALL SAYS "say.end = ${secret.k}\n" KEYS, "f:14: there is no ${secret.k}" },
        { "a carriage return in an address", HEAD "[send.sms]\nurl = https://x.example/a\rb\nok = http 200\n",
          "f:10: there are control characters in the line" },
        { "lines of another system", "[profile]\r\nname = x\r\nkinds = sms\r\nformat = 1\r\n[send.sms]\r\nurl = https://x.example\r\nok = http 200\r\n", NULL },
        { "a control beyond ASCII", HEAD "[send.sms]\nurl = https://x.example/\xc2\x85\nok = http 200\n", "f:10: there are control characters" },
        { "an escape in a comment", HEAD "# \x1b[2J\n" SEND, "f:9: there are control characters" },
        { "a blank in an address", HEAD "[send.sms]\nurl = https://x.example/a b\nok = http 200\n", "f:9: the `url` holds what an address must not" },
        { "not text", HEAD "\xff\n", "f:1: not UTF-8 text" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error e = ERROR_INIT;
        struct profile *p = profile_parse("f", rows[i].text, strlen(rows[i].text), &e);
        if ((p != NULL) != !rows[i].error || (rows[i].error && strncmp(e.text, rows[i].error, strlen(rows[i].error)) != 0))
            fail_msg("%s: %s", rows[i].why, e.text);
        profile_destroy(&p);
    }
    struct error e = ERROR_INIT;
    assert_null(profile_load("/nowhere/x.conf", &e));
    assert_int_equal(e.code, ERROR_NOT_FOUND);
}

static const char profiles[] = CAUSEWAY_SOURCE_DIR "/schemas/provider";
static const char *const shipped[] = { "twilio", "signalwire", "telnyx", "plivo", "kannel", "jasmin", "ntfy", "gotify",
                                       "pagerduty", "vonage-sms", "vonage", "wctp", "webhook" };

static void test_shipped(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shipped / sizeof *shipped; i++) {
        char path[512];
        struct error e = ERROR_INIT;
        snprintf(path, sizeof path, "%s/%s.conf", profiles, shipped[i]);
        struct profile *p = profile_load(path, &e);
        if (!p)
            fail_msg("%s", e.text);
        assert_string_equal(p->name, shipped[i]);
        profile_destroy(&p);
    }
}

static struct provider *make(const char *profile, const struct contact_router_pair *options,
                             const struct contact_router_pair *secrets)
{
    struct error e = ERROR_INIT;
    struct provider *p = provider_create(&(struct contact_router_provider){ .name = "p", .profile = profile,
        .options = options, .secrets = secrets, .from = "+441632960000" }, profiles, &e);
    if (!p)
        fail_msg("%s", e.text);
    return p;
}

static const struct contact_router_pair twilio_secrets[] = {
    { "account_sid", "AC1" }, { "key_sid", "SK1" }, { "key_secret", "s3cret" }, { "auth_token", "12345" }, { NULL, NULL }
};

static struct provider_message message(void)
{
    return (struct provider_message){ .kind = PROFILE_SMS, .to = "+447700900123", .from = "+441632960000",
        .text = "r7 romeo: \"soft & 1+1\"\r\n\xc3\xa9", .subject = "s", .ref = "abcdefghijklmnopqrstuv",
        .hook_status = "https://gw.example/hook/p/status/r/1/t", .now_us = 1893456000000000 };
}

static void test_request(void **state)
{
    (void)state;
    struct provider *p = make("twilio", NULL, twilio_secrets);
    struct provider_message m = message();
    struct provider_request r = { 0 };
    struct error e = ERROR_INIT;
    arena_init(&r.arena);
    assert_true(provider_request_render(p, &m, &r, &e));
    assert_string_equal(r.method, "POST");
    assert_string_equal(r.url, "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json");
    assert_string_equal(r.headers[0], "Authorization: Basic U0sxOnMzY3JldA==");
    assert_string_equal(r.headers[1], "Content-Type: application/x-www-form-urlencoded");
    assert_null(r.headers[2]);
    assert_string_equal(r.body.data,
        "To=%2B447700900123&From=%2B441632960000&Body=r7+romeo%3A+%22soft+%26+1%2B1%22%0D%0A%C3%A9"
        "&StatusCallback=https%3A%2F%2Fgw.example%2Fhook%2Fp%2Fstatus%2Fr%2F1%2Ft");
    arena_fini(&r.arena);
    m.kind = PROFILE_PAGER;
    assert_false(provider_request_render(p, &m, &r, &e));
    provider_destroy(&p);
}

static void test_bodies(void **state)
{
    (void)state;
    static const struct contact_router_pair wctp[] = { { "sender", "me<" }, { "code", "1" }, { NULL, NULL } };
    static const struct contact_router_pair telnyx[] = { { "api_key", "KEY" }, { "account_sid", "a" }, { "public_key", "k" }, { NULL, NULL } };
    static const struct contact_router_pair vonage[] = { { "api_key", "K" }, { "api_secret", "S" }, { "signature_secret", "x" }, { NULL, NULL } };
    static const struct contact_router_pair ntfy[] = { { "token", "tk_1" }, { NULL, NULL } };
    static const struct contact_router_pair hook[] = { { "out_key", "k1" }, { "in_key", "k2" }, { NULL, NULL } };
    static const struct { const char *profile; const struct contact_router_pair *secrets; enum profile_kind kind; const char *header, *body; } rows[] = {
        { "telnyx", telnyx, PROFILE_SMS, "Authorization: Bearer KEY",
          "{\"from\":\"+441632960000\",\"to\":\"+447700900123\",\"text\":\"r7 romeo: \\\"soft & 1+1\\\"\\r\\n\\u00E9\",\"type\":\"SMS\","
          "\"webhook_url\":\"https://gw.example/hook/p/status/r/1/t\",\"use_profile_webhooks\":false}" },
        { "vonage-sms", vonage, PROFILE_SMS, "Content-Type: application/x-www-form-urlencoded",
          "api_key=K&api_secret=S&to=447700900123&from=441632960000&text=r7+romeo%3A+%22soft+%26+1%2B1%22%0D%0A%C3%A9&type=unicode"
          "&client-ref=abcdefghijklmnopqrstuv&callback=https%3A%2F%2Fgw.example%2Fhook%2Fp%2Fstatus%2Fr%2F1%2Ft" },
        { "ntfy", ntfy, PROFILE_PUSH, "Authorization: Bearer tk_1",
          "{\"topic\":\"+447700900123\",\"title\":\"s\",\"message\":\"r7 romeo: \\\"soft & 1+1\\\"\\r\\n\\u00E9\",\"priority\":3,"
          "\"tags\":[\"speech_balloon\"],\"actions\":[{\"action\":\"http\",\"label\":\"Acknowledge\",\"url\":\"\",\"method\":\"POST\","
          "\"body\":\"ack\",\"clear\":true}]}" },
        { "wctp", wctp, PROFILE_PAGER, "Content-Type: text/xml", NULL },
        { "webhook", hook, PROFILE_WEBHOOK, "Webhook-Id: abcdefghijklmnopqrstuv", NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct provider *p = make(rows[i].profile, NULL, rows[i].secrets);
        struct provider_message m = message();
        m.kind = rows[i].kind;
        struct provider_request r = { 0 };
        struct error e = ERROR_INIT;
        arena_init(&r.arena);
        if (!provider_request_render(p, &m, &r, &e))
            fail_msg("%s: %s", rows[i].profile, e.text);
        assert_string_equal(r.headers[0], rows[i].header);
        if (rows[i].body)
            assert_string_equal(r.body.data, rows[i].body);
        if (rows[i].kind == PROFILE_PAGER)
            assert_non_null(strstr(r.body.data, "senderID=\"me&lt;\""));
        arena_fini(&r.arena);
        provider_destroy(&p);
    }
}

static void test_refused_requests(void **state)
{
    (void)state;
    static const struct contact_router_pair bad_header[] = { { "token", "a\r\nX: y" }, { NULL, NULL } };
    static const struct contact_router_pair token[] = { { "token", "a" }, { NULL, NULL } };
    static const struct contact_router_pair plain[] = { { "base", "http://127.0.0.1:80" }, { NULL, NULL } };
    static const struct contact_router_pair spaced[] = { { "base", "https://a b" }, { NULL, NULL } };
    static const struct { const char *why; const struct contact_router_pair *options, *secrets; const char *error; } rows[] = {
        { "header injection", NULL, bad_header, "${secret.token} holds what a header must not" },
        { "plain http without allow_http", plain, token, "only https addresses" },
        { "not an address", spaced, token, "${opt.base} begins an address but is none" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct provider *p = make("ntfy", rows[i].options, rows[i].secrets);
        struct provider_message m = message();
        m.kind = PROFILE_PUSH;
        struct provider_request r = { 0 };
        struct error e = ERROR_INIT;
        arena_init(&r.arena);
        if (provider_request_render(p, &m, &r, &e) || !strstr(e.text, rows[i].error))
            fail_msg("%s: %s", rows[i].why, e.text);
        arena_fini(&r.arena);
        provider_destroy(&p);
    }
    struct error e = ERROR_INIT;
    struct contact_router_provider o = { .name = "p", .profile = "twilio", .secrets = token };
    assert_null(provider_create(&o, profiles, &e));
    assert_non_null(strstr(e.text, "no secret `token`"));
    o.secrets = twilio_secrets + 1;
    assert_null(provider_create(&o, profiles, &e));
    assert_non_null(strstr(e.text, "the secret `account_sid` is missing"));
    o.name = "P/..";
    assert_null(provider_create(&o, profiles, &e));
}

#define WCTP(inside) "<?xml version=\"1.0\"?><!DOCTYPE wctp-Operation SYSTEM \"http://dtd.wctp.org/wctp-dtd-v1r3.dtd\">" \
    "<wctp-Operation wctpVersion=\"wctp-dtd-v1r3\"><wctp-Confirmation>" inside "</wctp-Confirmation></wctp-Operation>"

static void test_answers(void **state)
{
    (void)state;
    static const struct { const char *why, *profile; int status; const char *body, *retry_after; enum provider_outcome outcome;
                          const char *id, *text; uint64_t retry_ms; bool bad, optout; } rows[] = {
        { "taken", "twilio", 201, "{\"sid\":\"SM1\"}", NULL, PROVIDER_OK, "SM1", "", 0, false, false },
        { "taken, without the id it promises: nobody knows", "twilio", 201, "{}", NULL, PROVIDER_UNKNOWN, "",
          "HTTP 201 with an answer of another shape", 0, false, false },
        { "the shape of another version", "twilio", 201, "{\"data\":{\"id\":\"SM1\"}}", NULL, PROVIDER_UNKNOWN, "",
          "HTTP 201 with an answer of another shape", 0, false, false },
        { "an id and nothing else was promised", "pagerduty", 202, "{\"status\":\"success\"}", NULL, PROVIDER_UNKNOWN, "",
          "HTTP 202 with an answer of another shape", 0, false, false },
        { "an accepting status with an error in it", "plivo", 202, "{\"error\":\"no credit\"}", NULL, PROVIDER_PERMANENT, "",
          "HTTP 202: no credit", 0, false, false },
        { "a redirect", "twilio", 302, "", NULL, PROVIDER_TEMPORARY, "", "HTTP 302: a redirect, which is not followed", 0, false, false },
        { "in a while, as a date", "twilio", 429, "{\"code\":20429}", "Tue, 01 Jan 2030 00:00:30 GMT", PROVIDER_TEMPORARY, "",
          "HTTP 429, code 20429", 30000, false, false },
        { "a date that is past", "twilio", 429, "{\"code\":20429}", "Mon, 31 Dec 2029 23:59:59 GMT", PROVIDER_TEMPORARY, "",
          "HTTP 429, code 20429", 0, false, false },
        { "no date", "twilio", 429, "{\"code\":20429}", "soon", PROVIDER_TEMPORARY, "", "HTTP 429, code 20429", 0, false, false },
        { "too many, in a while", "twilio", 429, "{\"code\":20429,\"message\":\"slow\"}", "7", PROVIDER_TEMPORARY, "",
          "HTTP 429, code 20429: slow", 7000, false, false },
        { "bad number", "twilio", 400, "{\"code\":21211,\"message\":\"bad To\"}", NULL, PROVIDER_PERMANENT, "",
          "HTTP 400, code 21211: bad To", 0, true, false },
        { "opted out", "twilio", 400, "{\"code\":21610}", NULL, PROVIDER_PERMANENT, "", "HTTP 400, code 21610", 0, true, true },
        { "wrong key is not the device's fault", "twilio", 401, "{\"code\":20003}", NULL, PROVIDER_PERMANENT, "",
          "HTTP 401, code 20003", 0, false, false },
        { "a proxy's page", "twilio", 502, "<html>", NULL, PROVIDER_TEMPORARY, "", "HTTP 502 with an answer that is not JSON", 0, false, false },
        { "a portal's page", "twilio", 200, "<html>", NULL, PROVIDER_TEMPORARY, "", "HTTP 200 with an answer that is not JSON", 0, false, false },
        { "an accepting status, and no JSON: nobody knows", "twilio", 201, "<html>", NULL, PROVIDER_UNKNOWN, "",
          "HTTP 201 with an answer that is not JSON", 0, false, false },
        { "no body at all", "twilio", 201, "", NULL, PROVIDER_UNKNOWN, "", "HTTP 201 with an answer that is not JSON", 0, false, false },
        { "refused with HTTP 200", "vonage-sms", 200, "{\"messages\":[{\"status\":\"1\",\"error-text\":\"throttled\"}]}", NULL,
          PROVIDER_TEMPORARY, "", "HTTP 200, code 1: throttled", 0, false, false },
        { "the same, for good", "vonage-sms", 200, "{\"messages\":[{\"status\":\"6\"}]}", NULL, PROVIDER_PERMANENT, "",
          "HTTP 200, code 6", 0, true, false },
        { "taken", "vonage-sms", 200, "{\"messages\":[{\"status\":\"0\",\"message-id\":\"m1\"}]}", NULL, PROVIDER_OK, "m1", "", 0, false, false },
        { "text answer", "jasmin", 200, "Success \"07033084-5cfd\"", NULL, PROVIDER_OK, "07033084-5cfd", "", 0, false, false },
        { "test on the text", "kannel", 202, "0: Accepted for delivery", NULL, PROVIDER_OK, "", "", 0, false, false },
        { "and its negative", "kannel", 202, "9: no", NULL, PROVIDER_UNKNOWN, "", "HTTP 202 with an answer of another shape", 0, false, false },
        { "refused by its status", "kannel", 403, "Authorization failed", NULL, PROVIDER_PERMANENT, "", "HTTP 403: Authorization failed",
          0, false, false },
        { "taken, in XML", "wctp", 200, WCTP("<wctp-Success successCode='200'>ok</wctp-Success>"), NULL, PROVIDER_OK, "", "", 0, false, false },
        { "taken with a remark", "wctp", 200, WCTP("<wctp-Success successCode=\"210\"/>"), NULL, PROVIDER_OK, "", "", 0, false, false },
        { "an error in XML", "wctp", 200, WCTP("<wctp-Failure errorCode=\"403\" errorText=\"no such &quot;pager&quot;\"/>"), NULL,
          PROVIDER_PERMANENT, "", "HTTP 200, code 403: no such \"pager\"", 0, true, false },
        { "a passing one", "wctp", 200, WCTP("<wctp-Failure errorCode='604'/>"), NULL, PROVIDER_TEMPORARY, "", "HTTP 200, code 604",
          0, false, false },
        { "success in a comment is none", "wctp", 200, WCTP("<!-- <wctp-Success successCode='200'/> -->"), NULL, PROVIDER_UNKNOWN, "",
          "HTTP 200 with an answer of another shape", 0, false, false },
        { "entities that grow", "wctp", 200, "<!DOCTYPE a [<!ENTITY b \"bbbb\">]><wctp-Operation/>", NULL, PROVIDER_UNKNOWN, "",
          "HTTP 200 with an answer that is not XML", 0, false, false },
        { "a portal in front of the carrier", "wctp", 503, "<html><p>later", NULL, PROVIDER_TEMPORARY, "",
          "HTTP 503 with an answer that is not XML", 0, false, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[512];
        struct error e = ERROR_INIT;
        snprintf(path, sizeof path, "%s/%s.conf", profiles, rows[i].profile);
        struct profile *p = profile_load(path, &e);
        assert_non_null(p);
        const struct profile_send *s = &p->send[p->send[PROFILE_SMS].present ? PROFILE_SMS : PROFILE_PAGER];
        struct provider_reply reply = { .status = rows[i].status, .body = span_of(rows[i].body), .retry_after = rows[i].retry_after,
                                        .now_us = 1893456000000000 };
        struct provider_answer a;
        provider_answer_judge(s, &reply, &a);
        if (a.outcome != rows[i].outcome || strcmp(a.id, rows[i].id) != 0 || strcmp(a.text, rows[i].text) != 0 ||
            a.retry_after_ms != rows[i].retry_ms || a.bad_address != rows[i].bad || a.optout != rows[i].optout)
            fail_msg("%s: %d `%s` `%s` %d %d", rows[i].why, a.outcome, a.id, a.text, a.bad_address, a.optout);
        profile_destroy(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_shipped),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_refused_requests),
        cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
