/* SPDX-License-Identifier: MIT */
/* contact-router/provider_request.c: each shipped profile's request to the byte, as a rendering of the same files in
 * another language (Python's urllib, json, hmac; openssl's command for the token) made it. Then what is signed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "contact-router/provider_request.h"
#include "contact-router/sigv4.h"
#include "gateway/base/base64.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "test/unit/contact-router/provider_given.h"

static const char profiles[] = CAUSEWAY_SOURCE_DIR "/schemas/provider";

/* Made for this test; it opens nothing. */
static const char ec_pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgSUSNFvQmqFgs5Vpv\n"
    "mm/1xDI9adz20OqDe0PwvY+locWhRANCAAQYou0TL5eUQoP3kTe/mGaQ4b8VMZfk\n"
    "gqNLqKB6qWrFkpvhB8+lfUkYhUcDraRa3D5j9v1NNswRonu5mpGLPnkC\n"
    "-----END PRIVATE KEY-----\n";

/* Every secret NAME is "s-NAME", except private keys. */
static struct provider *make(const char *profile)
{
    struct error e = ERROR_INIT;
    struct arena a;
    char path[512];
    arena_init(&a);
    snprintf(path, sizeof path, "%s/%s.conf", profiles, profile);
    struct profile *f = profile_load(path, &e);
    if (!f)
        fail_msg("%s", e.text);
    struct contact_router_pair secrets[PROFILE_NAMES_MAX + 1] = { { NULL, NULL } };
    for (unsigned i = 0; i < f->secret_count; i++)
        secrets[i] = (struct contact_router_pair){ f->secrets[i].name, text_eq(f->secrets[i].name, "private_key") ? GIVEN_RSA_PEM
                                                       : arena_printf(&a, "s-%s", f->secrets[i].name) };
    struct provider *p = provider_create(&(struct contact_router_provider){ .name = "p", .profile = profile, .secrets = secrets,
                                         .from = "+441632960000", .allow_http = true }, profiles, &e);
    if (!p)
        fail_msg("%s", e.text);
    profile_destroy(&f);
    arena_fini(&a);
    return p;
}

#define HOOK(kind) "https://gw.example/hook/p/" kind "/abcdefghijklmnopqrstuv/1893800000/tok"

static struct provider_message message(enum profile_kind kind)
{
    return (struct provider_message){ .kind = kind, .to = "+447700900123", .from = "+441632960000",
        .text = "r7 romeo@montague.example: \"soft & 1+1\" <\xc3\xa9>\nend", .subject = "romeo@montague.example",
        .ref = "abcdefghijklmnopqrstuv", .lang = "en", .hook_status = HOOK("status"), .hook_inbound = HOOK("inbound"),
        .hook_voice = HOOK("voice"), .priority = 5, .ttl_s = 14400, .now_us = 1893456000000000 };
}

struct row {
    const char *profile;
    enum profile_kind kind;
    const char *method, *url, *headers[6], *body;
};

static const struct row rows[] = {
        { "twilio", PROFILE_SMS, "POST",
          "https://api.twilio.com/2010-04-01/Accounts/s-account_sid/Messages.json",
          { "Authorization: Basic cy1rZXlfc2lkOnMta2V5X3NlY3JldA==",
            "Content-Type: application/x-www-form-urlencoded" },
          "To=%2B447700900123&From=%2B441632960000&Body=r7+romeo%40montague.example%3A+%22soft+%26+1%2B1%22+%3C%C3%"
          "A9%3E%0Aend&StatusCallback=https%3A%2F%2Fgw.example%2Fhook%2Fp%2Fstatus%2Fabcdefghijklmnopqrstuv%2F18938"
          "00000%2Ftok&ValidityPeriod=14400" },
        { "twilio", PROFILE_VOICE, "POST",
          "https://api.twilio.com/2010-04-01/Accounts/s-account_sid/Calls.json",
          { "Authorization: Basic cy1rZXlfc2lkOnMta2V5X3NlY3JldA==",
            "Content-Type: application/x-www-form-urlencoded" },
          "To=%2B447700900123&From=%2B441632960000&Url=https%3A%2F%2Fgw.example%2Fhook%2Fp%2Fvoice%2Fabcdefghijklmn"
          "opqrstuv%2F1893800000%2Ftok&Method=POST&Timeout=30&MachineDetection=Enable&StatusCallback=https%3A%2F%2F"
          "gw.example%2Fhook%2Fp%2Fstatus%2Fabcdefghijklmnopqrstuv%2F1893800000%2Ftok&StatusCallbackEvent=initiated"
          "&StatusCallbackEvent=ringing&StatusCallbackEvent=answered&StatusCallbackEvent=completed" },
        { "signalwire", PROFILE_SMS, "POST",
          "https://EXAMPLE.signalwire.com/api/laml/2010-04-01/Accounts/s-account_sid/Messages.json",
          { "Authorization: Basic cy1rZXlfc2lkOnMta2V5X3NlY3JldA==",
            "Content-Type: application/x-www-form-urlencoded" },
          "To=%2B447700900123&From=%2B441632960000&Body=r7+romeo%40montague.example%3A+%22soft+%26+1%2B1%22+%3C%C3%"
          "A9%3E%0Aend&StatusCallback=https%3A%2F%2Fgw.example%2Fhook%2Fp%2Fstatus%2Fabcdefghijklmnopqrstuv%2F18938"
          "00000%2Ftok&ValidityPeriod=14400" },
        { "signalwire", PROFILE_VOICE, "POST",
          "https://EXAMPLE.signalwire.com/api/laml/2010-04-01/Accounts/s-account_sid/Calls.json",
          { "Authorization: Basic cy1rZXlfc2lkOnMta2V5X3NlY3JldA==",
            "Content-Type: application/x-www-form-urlencoded" },
          "To=%2B447700900123&From=%2B441632960000&Url=https%3A%2F%2Fgw.example%2Fhook%2Fp%2Fvoice%2Fabcdefghijklmn"
          "opqrstuv%2F1893800000%2Ftok&Method=POST&Timeout=30&MachineDetection=Enable&StatusCallback=https%3A%2F%2F"
          "gw.example%2Fhook%2Fp%2Fstatus%2Fabcdefghijklmnopqrstuv%2F1893800000%2Ftok&StatusCallbackEvent=initiated"
          "&StatusCallbackEvent=ringing&StatusCallbackEvent=answered&StatusCallbackEvent=completed" },
        { "telnyx", PROFILE_SMS, "POST",
          "https://api.telnyx.com/v2/messages",
          { "Authorization: Bearer s-api_key",
            "Content-Type: application/json" },
          "{\"from\":\"+441632960000\",\"to\":\"+447700900123\",\"text\":\"r7 romeo@montague.example: \\\"soft & 1+"
          "1\\\" <\\u00E9>\\nend\",\"type\":\"SMS\",\"webhook_url\":\"https://gw.example/hook/p/status/abcdefghijkl"
          "mnopqrstuv/1893800000/tok\",\"use_profile_webhooks\":false}" },
        { "telnyx", PROFILE_VOICE, "POST",
          "https://api.telnyx.com/v2/texml/Accounts/s-account_sid/Calls",
          { "Authorization: Bearer s-api_key",
            "Content-Type: application/json" },
          "{\"ApplicationSid\":\"\",\"To\":\"+447700900123\",\"From\":\"+441632960000\",\"Url\":\"https://gw.exampl"
          "e/hook/p/voice/abcdefghijklmnopqrstuv/1893800000/tok\",\"UrlMethod\":\"POST\",\"Timeout\":30,\"StatusCal"
          "lback\":\"https://gw.example/hook/p/status/abcdefghijklmnopqrstuv/1893800000/tok\",\"StatusCallbackEvent"
          "\":\"initiated ringing answered completed\",\"MachineDetection\":\"Enable\"}" },
        { "plivo", PROFILE_SMS, "POST",
          "https://api.plivo.com/v1/Account/s-auth_id/Message/",
          { "Authorization: Basic cy1hdXRoX2lkOnMtYXV0aF90b2tlbg==",
            "Content-Type: application/json" },
          "{\"src\":\"441632960000\",\"dst\":\"447700900123\",\"text\":\"r7 romeo@montague.example: \\\"soft & 1+1"
          "\\\" <\\u00E9>\\nend\",\"type\":\"sms\",\"url\":\"https://gw.example/hook/p/status/abcdefghijklmnopqrstu"
          "v/1893800000/tok\",\"method\":\"POST\"}" },
        { "plivo", PROFILE_VOICE, "POST",
          "https://api.plivo.com/v1/Account/s-auth_id/Call/",
          { "Authorization: Basic cy1hdXRoX2lkOnMtYXV0aF90b2tlbg==",
            "Content-Type: application/json" },
          "{\"from\":\"441632960000\",\"to\":\"447700900123\",\"answer_url\":\"https://gw.example/hook/p/voice/abcd"
          "efghijklmnopqrstuv/1893800000/tok\",\"answer_method\":\"POST\",\"hangup_url\":\"https://gw.example/hook/"
          "p/status/abcdefghijklmnopqrstuv/1893800000/tok\",\"hangup_method\":\"POST\",\"ring_timeout\":30,\"machin"
          "e_detection\":\"true\"}" },
        { "vonage", PROFILE_SMS, "POST",
          "https://api.nexmo.com/v1/messages",
          { "Authorization: Bearer eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJhcHBsaWNhdGlvbl9pZCI6InMtYXBwbGljY"
              "XRpb25faWQiLCJpYXQiOjE4OTM0NTYwMDAsImV4cCI6MTg5MzQ1NjkwMCwianRpIjoiakg1TElObkxXMUtkUlE4aUo1aTZNd"
              "yJ9.YdbDM2LidgnVz7hpIx5PPfeUsfm0VNE43z4C93DrwiWaNbrfNL8A5XJJkWXiBzcZQXGuTEphzXx1gKHTDeuddZWGMN5n"
              "bzFu2XA-uy0H1IR58w8ueZzJVqg8CLqXckYwMxudqEaA0zQYTFl8M39_XHy0cB_u0i6ybVy14_KyDeyzDN1buASdxIofgidY"
              "ql5aGJxS1R_AWQFz4KsvrOte6JX1YGXvTJUa1SXrRnD8Ebrej9iWnowtSH6G3I2FSkiKBxH3y2DpaEBIWcwjHRGK5gJ0Ux1y"
              "HkJWW5oi8aJIbzzEoAxMzAxXpdfRWHOkgYnS2AnF6_Zp70KYQC94s1tftA",
            "Content-Type: application/json" },
          "{\"channel\":\"sms\",\"message_type\":\"text\",\"to\":\"447700900123\",\"from\":\"441632960000\",\"text"
          "\":\"r7 romeo@montague.example: \\\"soft & 1+1\\\" <\\u00E9>\\nend\",\"client_ref\":\"abcdefghijklmnopqr"
          "stuv\",\"webhook_url\":\"https://gw.example/hook/p/status/abcdefghijklmnopqrstuv/1893800000/tok\",\"webh"
          "ook_version\":\"v1\",\"ttl\":14400}" },
        { "vonage", PROFILE_VOICE, "POST",
          "https://api.nexmo.com/v1/calls",
          { "Authorization: Bearer eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJhcHBsaWNhdGlvbl9pZCI6InMtYXBwbGljY"
              "XRpb25faWQiLCJpYXQiOjE4OTM0NTYwMDAsImV4cCI6MTg5MzQ1NjkwMCwianRpIjoiakg1TElObkxXMUtkUlE4aUo1aTZNd"
              "yJ9.YdbDM2LidgnVz7hpIx5PPfeUsfm0VNE43z4C93DrwiWaNbrfNL8A5XJJkWXiBzcZQXGuTEphzXx1gKHTDeuddZWGMN5n"
              "bzFu2XA-uy0H1IR58w8ueZzJVqg8CLqXckYwMxudqEaA0zQYTFl8M39_XHy0cB_u0i6ybVy14_KyDeyzDN1buASdxIofgidY"
              "ql5aGJxS1R_AWQFz4KsvrOte6JX1YGXvTJUa1SXrRnD8Ebrej9iWnowtSH6G3I2FSkiKBxH3y2DpaEBIWcwjHRGK5gJ0Ux1y"
              "HkJWW5oi8aJIbzzEoAxMzAxXpdfRWHOkgYnS2AnF6_Zp70KYQC94s1tftA",
            "Content-Type: application/json" },
          "{\"to\":[{\"type\":\"phone\",\"number\":\"447700900123\"}],\"from\":{\"type\":\"phone\",\"number\":\"441"
          "632960000\"},\"answer_url\":[\"https://gw.example/hook/p/voice/abcdefghijklmnopqrstuv/1893800000/tok\"],"
          "\"answer_method\":\"POST\",\"event_url\":[\"https://gw.example/hook/p/status/abcdefghijklmnopqrstuv/1893"
          "800000/tok\"],\"event_method\":\"POST\",\"machine_detection\":\"continue\",\"ringing_timer\":30}" },
        { "vonage-sms", PROFILE_SMS, "POST",
          "https://rest.nexmo.com/sms/json",
          { "Content-Type: application/x-www-form-urlencoded" },
          "api_key=s-api_key&api_secret=s-api_secret&to=447700900123&from=441632960000&text=r7+romeo%40montague.exa"
          "mple%3A+%22soft+%26+1%2B1%22+%3C%C3%A9%3E%0Aend&type=unicode&client-ref=abcdefghijklmnopqrstuv&callback="
          "https%3A%2F%2Fgw.example%2Fhook%2Fp%2Fstatus%2Fabcdefghijklmnopqrstuv%2F1893800000%2Ftok" },
        { "kannel", PROFILE_SMS, "GET",
          "http://127.0.0.1:13013/cgi-bin/sendsms?username=s-username&password=s-password&from=%2B441632960000&to=%"
          "2B447700900123&coding=0&charset=UTF-8&text=r7%20romeo%40montague.example%3A%20%22soft%20%26%201%2B1%22%2"
          "0%3C%C3%A9%3E%0Aend&dlr-mask=31&dlr-url=https%3A%2F%2Fgw.example%2Fhook%2Fp%2Fstatus%2Fabcdefghijklmnopq"
          "rstuv%2F1893800000%2Ftok%3Fst%3D%25d%26smscid%3D%25F%26reply%3D%25A",
          {  },
          "" },
        { "jasmin", PROFILE_SMS, "POST",
          "http://127.0.0.1:1401/send",
          { "Content-Type: application/x-www-form-urlencoded" },
          "username=s-username&password=s-password&to=%2B447700900123&from=%2B441632960000&coding=8&hex-content=007"
          "2003700200072006F006D0065006F0040006D006F006E00740061006700750065002E006500780061006D0070006C0065003A002"
          "000220073006F006600740020002600200031002B003100220020003C00E9003E000A0065006E0064&dlr=yes&dlr-url=https%"
          "3A%2F%2Fgw.example%2Fhook%2Fp%2Fstatus%2Fabcdefghijklmnopqrstuv%2F1893800000%2Ftok&dlr-level=3&dlr-metho"
          "d=POST" },
        { "wctp", PROFILE_PAGER, "POST",
          "https://wctp.example/wctp",
          { "Content-Type: text/xml" },
          "<?xml version=\"1.0\"?><!DOCTYPE wctp-Operation SYSTEM \"http://dtd.wctp.org/wctp-dtd-v1r3.dtd\"><wctp-O"
          "peration wctpVersion=\"wctp-dtd-v1r3\"><wctp-SubmitRequest><wctp-SubmitHeader submitTimestamp=\"2030-01-"
          "01T00:00:00\"><wctp-Originator senderID=\"s-sender\" securityCode=\"s-code\"/><wctp-MessageControl messa"
          "geID=\"abcdefghijklmnopqrstuv\" allowResponse=\"true\" notifyWhenQueued=\"true\" notifyWhenDelivered=\"t"
          "rue\" notifyWhenRead=\"true\" deliveryPriority=\"HIGH\"/><wctp-Recipient recipientID=\"447700900123\"/><"
          "/wctp-SubmitHeader><wctp-Payload><wctp-Alphanumeric>r7 romeo@montague.example: &quot;soft &amp; 1+1&quot"
          "; &lt;\xc3\xa9&gt;&#10;end</wctp-Alphanumeric></wctp-Payload></wctp-SubmitRequest></wctp-Operation>" },
        { "pagerduty", PROFILE_PAGER, "POST",
          "https://events.pagerduty.com/v2/enqueue",
          { "Content-Type: application/json" },
          "{\"routing_key\":\"s-routing_key\",\"event_action\":\"trigger\",\"dedup_key\":\"abcdefghijklmnopqrstuv\""
          ",\"payload\":{\"summary\":\"r7 romeo@montague.example: \\\"soft & 1+1\\\" <\\u00E9>\\nend\",\"source\":"
          "\"+441632960000\",\"severity\":\"critical\"},\"links\":[{\"href\":\"https://gw.example/hook/p/inbound/ab"
          "cdefghijklmnopqrstuv/1893800000/tok\"}]}" },
        { "ntfy", PROFILE_PUSH, "POST",
          "https://ntfy.example/",
          { "Authorization: Bearer s-token",
            "Content-Type: application/json" },
          "{\"topic\":\"+447700900123\",\"title\":\"romeo@montague.example\",\"message\":\"r7 romeo@montague.exampl"
          "e: \\\"soft & 1+1\\\" <\\u00E9>\\nend\",\"priority\":5,\"tags\":[\"speech_balloon\"],\"actions\":[{\"act"
          "ion\":\"http\",\"label\":\"Acknowledge\",\"url\":\"https://gw.example/hook/p/inbound/abcdefghijklmnopqrs"
          "tuv/1893800000/tok\",\"method\":\"POST\",\"body\":\"ack\",\"clear\":true}]}" },
        { "gotify", PROFILE_PUSH, "POST",
          "https://gotify.example/message",
          { "X-Gotify-Key: s-app_token",
            "Content-Type: application/json" },
          "{\"title\":\"romeo@montague.example\",\"message\":\"r7 romeo@montague.example: \\\"soft & 1+1\\\" <\\u00"
          "E9>\\nend\",\"priority\":10,\"extras\":{\"client::display\":{\"contentType\":\"text/plain\"},\"client::n"
          "otification\":{\"click\":{\"url\":\"https://gw.example/hook/p/inbound/abcdefghijklmnopqrstuv/1893800000/"
          "tok\"}}}}" },
        { "webhook", PROFILE_WEBHOOK, "POST",
          "https://example.net/hook",
          { "Webhook-Id: abcdefghijklmnopqrstuv",
            "Webhook-Timestamp: 1893456000",
            "Webhook-Signature: v1,XQGFdwYinjP+edgOR+HLAFHwNUUw0Zx0UfFhymPSZB0=",
            "Content-Type: application/json" },
          "{\"id\":\"abcdefghijklmnopqrstuv\",\"to\":\"+447700900123\",\"from\":\"+441632960000\",\"text\":\"r7 rom"
          "eo@montague.example: \\\"soft & 1+1\\\" <\\u00E9>\\nend\",\"reply_url\":\"https://gw.example/hook/p/inbo"
          "und/abcdefghijklmnopqrstuv/1893800000/tok\"}" },
};

static void expect(const struct row *row, const char *what, const char *got, const char *want)
{
    if (strcmp(got, want) != 0)
        fail_msg("%s, %s: the %s is\n%s\nnot\n%s", row->profile, profile_kind_name(row->kind), what, got, want);
}

/* Twice: a second try at the same time is the same request, to the byte. */
static void test_shipped(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * (sizeof rows / sizeof *rows); i++) {
        const struct row *row = &rows[i / 2];
        struct provider *p = make(row->profile);
        struct provider_message m = message(row->kind);
        struct provider_request r = { 0 };
        struct error e = ERROR_INIT;
        arena_init(&r.arena);
        if (!provider_request_render(p, &m, &r, &e))
            fail_msg("%s: %s", row->profile, e.text);
        expect(row, "method", r.method, row->method);
        expect(row, "address", r.url, row->url);
        for (unsigned h = 0; h < 6 && (row->headers[h] || h < r.header_count); h++)
            expect(row, "header", h < r.header_count ? r.headers[h] : "(none)", row->headers[h] ? row->headers[h] : "(none)");
        expect(row, "body", arena_dup_n(&r.arena, r.body.data, r.body.len), row->body);
        arena_fini(&r.arena);
        provider_destroy(&p);
    }
}

/* Each shipped profile has a row for each [send] section it has. */
static void test_none_is_left_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct provider *p = make(rows[i].profile);
        for (unsigned k = 0; k < PROFILE_KINDS; k++) {
            bool there = false;
            for (size_t j = 0; j < sizeof rows / sizeof *rows; j++)
                there = there || (text_eq(rows[j].profile, rows[i].profile) && rows[j].kind == k);
            if (there != p->profile->send[k].present)
                fail_msg("%s: [send.%s]", rows[i].profile, profile_kind_name((enum profile_kind)k));
        }
        provider_destroy(&p);
    }
}

/* Kinds that a profile lists without a section of their own. */
static void test_borrowed_sections(void **state)
{
    (void)state;
    static const struct { const char *profile; enum profile_kind kind, as; } cases[] = {
        { "kannel", PROFILE_PAGER, PROFILE_SMS }, { "ntfy", PROFILE_PAGER, PROFILE_PUSH }, { "gotify", PROFILE_PAGER, PROFILE_PUSH },
        { "webhook", PROFILE_PAGER, PROFILE_WEBHOOK }, { "webhook", PROFILE_PUSH, PROFILE_WEBHOOK },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct provider *p = make(cases[i].profile);
        assert_ptr_equal(profile_send_of(p->profile, cases[i].kind), &p->profile->send[cases[i].as]);
        assert_null(profile_send_of(p->profile, PROFILE_VOICE));
        provider_destroy(&p);
    }
}

/* What is left out when there is nothing to say, and stands empty where the key does not say so. */
static void test_empty_values(void **state)
{
    (void)state;
    static const struct { const char *profile; enum profile_kind kind; const char *absent, *present; } cases[] = {
        { "twilio", PROFILE_SMS, "ValidityPeriod", "StatusCallback=" }, { "twilio", PROFILE_SMS, "MessagingServiceSid", "To=" },
        { "gotify", PROFILE_PUSH, "click", "client::display" }, { "pagerduty", PROFILE_PAGER, "links", "dedup_key" },
        { "vonage", PROFILE_SMS, "ttl", "\"webhook_url\":\"\"" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct provider *p = make(cases[i].profile);
        struct provider_message m = message(cases[i].kind);
        m.hook_status = m.hook_inbound = m.hook_voice = NULL;
        m.ttl_s = 0;
        struct provider_request r = { 0 };
        struct error e = ERROR_INIT;
        arena_init(&r.arena);
        assert_true(provider_request_render(p, &m, &r, &e));
        const char *body = arena_dup_n(&r.arena, r.body.data, r.body.len);
        if (strstr(body, cases[i].absent) || !strstr(body, cases[i].present))
            fail_msg("%s: %s", cases[i].profile, body);
        arena_fini(&r.arena);
        provider_destroy(&p);
    }
}

/* ---- what is signed ---- */

#define HEAD "[profile]\nname = x\nkinds = sms\nformat = 1\n[options]\nregion = us-east-1\n[secrets]\nk = key\n" \
    "[send.sms]\nok = http 200\n"

/* A provider of a text; the profile takes a file, so one is made. */
static struct provider *make_of(const char *text, const char *secret, struct error *e)
{
    char path[] = "/tmp/profile-test-XXXXXX.conf";
    int fd = mkstemps(path, 5);
    assert_true(fd >= 0);
    FILE *f = fdopen(fd, "w");
    fputs(text, f);
    fclose(f);
    struct contact_router_pair secrets[] = { { "k", secret }, { NULL, NULL } };
    struct provider *p = provider_create(&(struct contact_router_provider){ .name = "p", .profile = path, .secrets = secrets,
                                         .allow_http = true }, profiles, e);
    unlink(path);
    return p;
}

static bool es256_holds(const char *over, size_t len, const struct bytes *sig)
{
    BIO *in = BIO_new_mem_buf(ec_pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
    BIO_free(in);
    ECDSA_SIG *s = ECDSA_SIG_new();
    ECDSA_SIG_set0(s, BN_bin2bn((unsigned char *)sig->data, 32, NULL), BN_bin2bn((unsigned char *)sig->data + 32, 32, NULL));
    unsigned char *der = NULL;
    int der_len = i2d_ECDSA_SIG(s, &der);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestVerify(ctx, der, (size_t)der_len, (const unsigned char *)over, len) == 1;
    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);
    ECDSA_SIG_free(s);
    EVP_PKEY_free(key);
    return ok;
}

/* ES256 draws a number each time, so the signature is verified. */
static void test_es256(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    struct provider *p = make_of(HEAD "url = https://x.example\nauth = jwt-es256\njwt.key = ${secret.k}\njwt.ttl = 60\n"
                                      "jwt.claim.sub = ${to}\njwt.claim.aud? = ${lang}\n", ec_pem, &e);
    if (!p)
        fail_msg("%s", e.text);
    struct provider_message m = message(PROFILE_SMS);
    m.lang = NULL;
    struct provider_request r = { 0 };
    arena_init(&r.arena);
    assert_true(provider_request_render(p, &m, &r, &e));
    const char *token = r.headers[0] + strlen("Authorization: Bearer "), *last = strrchr(token, '.');
    struct bytes raw = BYTES_EMPTY, sig = BYTES_EMPTY;
    assert_true(base64_decode_url(&raw, token, strcspn(token, ".")));
    assert_string_equal(raw.data, "{\"alg\":\"ES256\",\"typ\":\"JWT\"}");
    bytes_clear(&raw);
    const char *second = strchr(token, '.') + 1;
    assert_true(base64_decode_url(&raw, second, (size_t)(last - second)));
    assert_string_equal(raw.data, "{\"sub\":\"+447700900123\",\"iat\":1893456000,\"exp\":1893456060,\"jti\":\"jH5LINnLW1KdRQ8iJ5i6Mw\"}");
    assert_true(base64_decode_url(&sig, last + 1, strlen(last + 1)));
    assert_int_equal(sig.len, 64);
    assert_true(es256_holds(token, (size_t)(last - token), &sig));
    bytes_fini(&raw);
    bytes_fini(&sig);
    arena_fini(&r.arena);
    provider_destroy(&p);
}

/* A key that cannot sign keeps the provider off, by name. */
static void test_keys(void **state)
{
    (void)state;
#define RS HEAD "url = https://x.example\nauth = jwt-rs256\njwt.key = ${secret.k}\n"
#define ES HEAD "url = https://x.example\nauth = jwt-es256\njwt.key = ${secret.k}\n"
    static const struct { const char *why, *profile, *key, *error; } cases[] = {
        { "RSA for RS256", RS, GIVEN_RSA_PEM, NULL },
        { "P-256 for ES256", ES, ec_pem, NULL },
        { "the one for the other", RS, ec_pem, "provider p: [send.sms] jwt.key: not a private key in PEM without a password, RSA" },
        { "and back", ES, GIVEN_RSA_PEM, "provider p: [send.sms] jwt.key: not a private key in PEM without a password, on the curve P-256" },
        { "no key", RS, "hello", "provider p: [send.sms] jwt.key: not a private key" },
        { "half a key", RS, "-----BEGIN PRIVATE KEY-----\nMIIE\n", "provider p: [send.sms] jwt.key: not a private key" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error e = ERROR_INIT;
        struct provider *p = make_of(cases[i].profile, cases[i].key, &e);
        if ((p != NULL) != !cases[i].error || (cases[i].error && strncmp(e.text, cases[i].error, strlen(cases[i].error)) != 0))
            fail_msg("%s: %s", cases[i].why, e.text);
        provider_destroy(&p);
    }
}

/* The published test suite of Signature Version 4. */
static void test_sigv4(void **state)
{
    (void)state;
#define AUTH(headers, sig) "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=" headers \
    ", Signature=" sig
    static const struct { const char *why, *method, *url, *type, *body, *want; } cases[] = {
        { "get-vanilla", "GET", "https://example.amazonaws.com/", NULL, "",
          AUTH("host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31") },
        { "get-vanilla-query-order-key-case", "GET", "https://example.amazonaws.com:443/?Param2=value2&Param1=value1", NULL, "",
          AUTH("host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500") },
        { "post-x-www-form-urlencoded", "POST", "https://example.amazonaws.com/", "application/x-www-form-urlencoded", "Param1=value1",
          AUTH("content-type;host;x-amz-date", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a") },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a;
        arena_init(&a);
        struct error e = ERROR_INIT;
        const char *date, *authorization;
        struct sigv4_request q = { .method = cases[i].method, .url = cases[i].url, .content_type = cases[i].type,
            .body = span_of(cases[i].body), .key_id = "AKIDEXAMPLE", .key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            .region = "us-east-1", .service = "service", .now_s = 1440938160 };
        assert_true(sigv4_sign(&q, &a, &date, &authorization, &e));
        assert_string_equal(date, "20150830T123600Z");
        if (strcmp(authorization, cases[i].want) != 0)
            fail_msg("%s: %s", cases[i].why, authorization);
        arena_fini(&a);
    }
}

static void test_sigv4_profile(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    struct provider *p = make_of(HEAD "url = https://sns.${opt.region}.example/\nauth = aws-sigv4 aws:${opt.region}:sns AKID ${secret.k}\n"
                                      "body = form\nform.Action = Publish\nform.PhoneNumber = ${to}\nform.Message = ${text}\n", "key", &e);
    struct provider_message m = message(PROFILE_SMS);
    struct provider_request r = { 0 };
    arena_init(&r.arena);
    if (!p || !provider_request_render(p, &m, &r, &e))
        fail_msg("%s", e.text);
    assert_string_equal(r.headers[1], "X-Amz-Date: 20300101T000000Z");
    assert_int_equal(strncmp(r.headers[2], "Authorization: AWS4-HMAC-SHA256 Credential=AKID/20300101/us-east-1/sns/aws4_request, "
                             "SignedHeaders=content-type;host;x-amz-date, Signature=", 136), 0);
    arena_fini(&r.arena);
    provider_destroy(&p);
    p = make_of(HEAD "url = https://sns.example/\nauth = aws-sigv4 other:eu:sns AKID ${secret.k}\n", "key", &e);
    r = (struct provider_request){ 0 };
    arena_init(&r.arena);
    assert_false(provider_request_render(p, &m, &r, &e));
    assert_non_null(strstr(e.text, "`other:eu:sns` is not aws:REGION:SERVICE"));
    arena_fini(&r.arena);
    provider_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shipped),       cmocka_unit_test(test_none_is_left_out), cmocka_unit_test(test_borrowed_sections),
        cmocka_unit_test(test_empty_values),  cmocka_unit_test(test_es256),            cmocka_unit_test(test_keys),
        cmocka_unit_test(test_sigv4),         cmocka_unit_test(test_sigv4_profile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
