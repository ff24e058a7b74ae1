/* SPDX-License-Identifier: MIT */
/* contact-router/hook.c: webhooks of every shipped profile, signed by another implementation of each provider's
 * published algorithm (Python's hmac, openssl's command), and everything that must not pass for one of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <cmocka.h>

#include "contact-router/hook.h"
#include "gateway/base/text.h"
#include "test/unit/contact-router/provider_given.h"

static const char profiles[] = CAUSEWAY_SOURCE_DIR "/schemas/provider";
static const char public_key[] = "Ih/l9oWaGk/seQV8nTLI0/w1bhRLHaOw+QFu9vKYiNo=";
enum { NOW_S = 1893456000 };

/* Every secret NAME is PREFIX-NAME, except the keys that have a form. */
static struct provider *make(const char *profile, const char *prefix)
{
    struct error e = ERROR_INIT;
    struct arena a;
    arena_init(&a);
    struct profile *f = profile_load(arena_printf(&a, "%s/%s.conf", profiles, profile), &e);
    if (!f)
        fail_msg("%s", e.text);
    struct contact_router_pair secrets[PROFILE_NAMES_MAX + 1] = { { NULL, NULL } };
    for (unsigned i = 0; i < f->secret_count; i++) {
        const char *name = f->secrets[i].name;
        secrets[i].name = name;
        secrets[i].value = text_eq(name, "private_key") ? GIVEN_RSA_PEM
                           : text_eq(name, "public_key") && text_eq(prefix, "s") ? public_key
                                                                                 : arena_printf(&a, "%s-%s", prefix, name);
    }
    struct provider *p = provider_create(&(struct contact_router_provider){ .name = "p", .profile = profile, .secrets = secrets },
                                         profiles, &e);
    if (!p)
        fail_msg("%s", e.text);
    profile_destroy(&f);
    arena_fini(&a);
    return p;
}

struct event {
    enum profile_state state;
    const char *id, *ref, *from, *to, *text, *error_code, *digits, *dedup, *suffix;
};

struct row {
    const char *why, *profile, *kind, *method, *target, *body;
    struct headers headers;
    struct event want;
};

static const struct row rows[] = {
    { "a text arrived", "twilio", "status", "POST", "/hook/p/status/r/1/t",
      "MessageSid=SM1&MessageStatus=delivered&To=%2B447700900123&From=%2B441632960000",
      { { "X-Twilio-Signature", "0UNbAGS9PwxM8OrDEjfjpSSeOk4=", "I-Twilio-Idempotency-Token", "tok-1" } },
      { .state = PROFILE_STATE_DELIVERED, .id = "SM1", .suffix = "" } },
    { "a text did not", "twilio", "status", "POST", "/hook/p/status/r/1/t",
      "MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30003",
      { { "X-Twilio-Signature", "kzY/3PLXBSELzs3utMU7v0qYdRw=", "I-Twilio-Idempotency-Token", "tok-1" } },
      { .state = PROFILE_STATE_FAILED, .id = "SM1", .error_code = "30003", .suffix = "" } },
    { "a call was not answered", "twilio", "status", "POST", "/hook/p/status/r/1/t",
      "CallSid=CA1&CallStatus=no-answer",
      { { "X-Twilio-Signature", "CY4HoPqCJf1oQm+EWUDIiuFEjgM=", "I-Twilio-Idempotency-Token", "tok-1" } },
      { .state = PROFILE_STATE_NOANSWER, .id = "CA1", .suffix = "voice" } },
    { "a key", "twilio", "voice", "POST", "/hook/p/voice/r/1/t",
      "CallSid=CA1&Digits=1&AnsweredBy=human",
      { { "X-Twilio-Signature", "0wo4mYsURfSnL+r0fzXvKcB5QTI=", "I-Twilio-Idempotency-Token", "tok-1" } },
      { .state = PROFILE_STATE_UNKNOWN, .id = "CA1", .digits = "1", .suffix = "" } },
    { "a text comes", "twilio", "inbound", "POST", "/hook/p/inbound?a=b",
      "MessageSid=SM2&From=%2B447700900123&To=%2B441632960000&Body=r7+yes+%26+no+%2B+%E2%82%AC&NumMedia=0",
      { { "X-Twilio-Signature", "+mFqgbSW2Pob7e+70Svt6WKhkf8=", "I-Twilio-Idempotency-Token", "tok-1" } },
      { .state = PROFILE_STATE_UNKNOWN, .id = "SM2", .from = "+447700900123", .to = "+441632960000", .text = "r7 yes & no + \xe2\x82\xac", .dedup = "tok-1", .suffix = "" } },
    { "a text arrived", "signalwire", "status", "POST", "/hook/p/status/r/1/t",
      "MessageSid=SM1&MessageStatus=delivered&To=%2B447700900123&From=%2B441632960000",
      { { "X-SignalWire-Signature", "0UNbAGS9PwxM8OrDEjfjpSSeOk4=", "I-Twilio-Idempotency-Token", "tok-1" } },
      { .state = PROFILE_STATE_DELIVERED, .id = "SM1", .suffix = "" } },
    { "a text did not", "signalwire", "status", "POST", "/hook/p/status/r/1/t",
      "MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30003",
      { { "X-SignalWire-Signature", "kzY/3PLXBSELzs3utMU7v0qYdRw=", "I-Twilio-Idempotency-Token", "tok-1" } },
      { .state = PROFILE_STATE_FAILED, .id = "SM1", .error_code = "30003", .suffix = "" } },
    { "a call was not answered", "signalwire", "status", "POST", "/hook/p/status/r/1/t",
      "CallSid=CA1&CallStatus=no-answer",
      { { "X-SignalWire-Signature", "CY4HoPqCJf1oQm+EWUDIiuFEjgM=", "I-Twilio-Idempotency-Token", "tok-1" } },
      { .state = PROFILE_STATE_NOANSWER, .id = "CA1", .suffix = "voice" } },
    { "a key", "signalwire", "voice", "POST", "/hook/p/voice/r/1/t",
      "CallSid=CA1&Digits=1&AnsweredBy=human",
      { { "X-SignalWire-Signature", "0wo4mYsURfSnL+r0fzXvKcB5QTI=", "I-Twilio-Idempotency-Token", "tok-1" } },
      { .state = PROFILE_STATE_UNKNOWN, .id = "CA1", .digits = "1", .suffix = "" } },
    { "a text comes", "signalwire", "inbound", "POST", "/hook/p/inbound?a=b",
      "MessageSid=SM2&From=%2B447700900123&To=%2B441632960000&Body=r7+yes+%26+no+%2B+%E2%82%AC&NumMedia=0",
      { { "X-SignalWire-Signature", "+mFqgbSW2Pob7e+70Svt6WKhkf8=", "I-Twilio-Idempotency-Token", "tok-1" } },
      { .state = PROFILE_STATE_UNKNOWN, .id = "SM2", .from = "+447700900123", .to = "+441632960000", .text = "r7 yes & no + \xe2\x82\xac", .dedup = "tok-1", .suffix = "" } },
    { "a text did not arrive", "telnyx", "status", "POST", "/hook/p/status",
      "{\"data\":{\"event_type\":\"message.finalized\",\"id\":\"e1\",\"payload\":{\"id\":\"m1\",\"to\":[{\""
      "status\":\"delivery_failed\"}],\"errors\":[{\"code\":\"40001\",\"title\":\"Not routable\"}]}}}",
      { { "telnyx-timestamp", "1893456000", "telnyx-signature-ed25519", "cFgodremjxqTWLiIChCOoY0BskQRTjJXUAyUFDWiHubzSz8dhW7b0egpGKfm3NdmirzYLiRMmWDlSpeyr8slDQ==" } },
      { .state = PROFILE_STATE_FAILED, .id = "m1", .error_code = "40001", .dedup = "e1", .suffix = "" } },
    { "a text comes", "telnyx", "inbound", "POST", "/hook/p/inbound",
      "{\"data\":{\"event_type\":\"message.received\",\"id\":\"e2\",\"payload\":{\"id\":\"m2\",\"text\":\"r"
      "7 hi\",\"from\":{\"phone_number\":\"+447700900123\"},\"to\":[{\"phone_number\":\"+441632960000\"}]}}"
      "}",
      { { "telnyx-timestamp", "1893456000", "telnyx-signature-ed25519", "JtwRub9L5U/B1EAqE0/FtydiWghlTezBz9IC9ohuENN6S4Fww1jX7/AANSnchaY8nVqQr/RXr01ByDh6lPrPAQ==" } },
      { .state = PROFILE_STATE_UNKNOWN, .id = "m2", .from = "+447700900123", .to = "+441632960000", .text = "r7 hi", .dedup = "e2", .suffix = "" } },
    { "a call found it busy", "telnyx", "status", "POST", "/hook/p/status",
      "CallSid=v1&CallStatus=busy",
      { { "telnyx-timestamp", "1893456000", "telnyx-signature-ed25519", "e5ELYbJtzxuqYmMFkeEY3YYqnsoM41+LihrhkDAjU222unv84r7VH95FkLPwZRYzyAPHUTiezaHBKCksuvp7CA==" } },
      { .state = PROFILE_STATE_BUSY, .id = "v1", .suffix = "voice" } },
    { "a key", "telnyx", "voice", "POST", "/hook/p/voice",
      "CallSid=v1&Digits=1&AnsweredBy=human",
      { { "telnyx-timestamp", "1893456000", "telnyx-signature-ed25519", "rIhMw+LEMmEXkNW15IlA5pbiOnFWV9Yot/ILO3kVUoYOm+r9EMk2/zitf6mDwf6b7A5o0A8q8Vgf//z9uJuqDQ==" } },
      { .state = PROFILE_STATE_UNKNOWN, .id = "v1", .digits = "1", .suffix = "" } },
    { "a text did not arrive", "plivo", "status", "POST", "/hook/p/status/r/1/t",
      "MessageUUID=u1&Status=undelivered&ErrorCode=40",
      { { "X-Plivo-Signature-V3", "AAAA,p75+5hZm+C1NumlrM3I0r/jLTbF1CVKSGKusx3C7Mbw=", "X-Plivo-Signature-V3-Nonce", "n0nce" } },
      { .state = PROFILE_STATE_FAILED, .id = "u1", .error_code = "40", .suffix = "" } },
    { "a text comes, the query out of order", "plivo", "inbound", "POST", "/hook/p/inbound?b=2&a=1",
      "MessageUUID=u2&From=447700900123&To=441632960000&Text=r7+hi",
      { { "X-Plivo-Signature-V3", "AAAA,marncku91AlLvvH+Pcm7wqxvuKFhy0hcpYLL8aa3zxU=", "X-Plivo-Signature-V3-Nonce", "n0nce" } },
      { .state = PROFILE_STATE_UNKNOWN, .id = "u2", .from = "447700900123", .to = "441632960000", .text = "r7 hi", .dedup = "u2", .suffix = "" } },
    { "a call was not answered", "plivo", "status", "POST", "/hook/p/status/r/1/t",
      "CallUUID=c1&CallStatus=timeout",
      { { "X-Plivo-Signature-V3", "AAAA,OnW4KHB8LiP/loRwVswHXmpnRFdQEZwS/0OzFyVFoto=", "X-Plivo-Signature-V3-Nonce", "n0nce" } },
      { .state = PROFILE_STATE_NOANSWER, .id = "c1", .suffix = "voice" } },
    { "a key", "plivo", "voice", "POST", "/hook/p/voice/r/1/t",
      "CallUUID=c1&Digits=3",
      { { "X-Plivo-Signature-V3", "AAAA,SJsrWp6m2D3S4hFnsGmE5TKhyEhWcJ4kazMNo6BZjBc=", "X-Plivo-Signature-V3-Nonce", "n0nce" } },
      { .state = PROFILE_STATE_UNKNOWN, .id = "c1", .digits = "3", .suffix = "" } },
    { "a text was rejected", "vonage", "status", "POST", "/hook/p/status",
      "{\"message_uuid\":\"u1\",\"status\":\"rejected\",\"client_ref\":\"abcdefghijklmnopqrstuv\",\"error\""
      ":{\"type\":\"1240\",\"title\":\"Invalid number\"}}",
      { { "Authorization", "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJWb25hZ2UiLCJwYXlsb2FkX2hhc2giOiIyMm"
        "Q1YTdlZGZmYTEwODA4YzBhOTZiN2U3MDBhYzU0Mzc3YWFkNzhkYTYyMWJjZjEzNzRjM2NmYTdmYTk1OTU4IiwiaWF0"
        "IjoxODkzNDU2MDAwLCJqdGkiOiJqMSIsImFwaV9rZXkiOiJLIn0.Xe_xdt6R8PZFHM8a2Kwnen6Ii7anc-zTCNqNFR"
        "siyKU" } },
      { .state = PROFILE_STATE_REJECTED, .id = "u1", .ref = "abcdefghijklmnopqrstuv", .error_code = "1240", .suffix = "" } },
    { "a call was not answered", "vonage", "status", "POST", "/hook/p/status",
      "{\"uuid\":\"c1\",\"status\":\"unanswered\"}",
      { { "Authorization", "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJWb25hZ2UiLCJwYXlsb2FkX2hhc2giOiI0Yj"
        "I1YzMxMTNjZWViYTVjMjNkYjk4YWI2OTllZmRhYmViZTU5N2VhYjU4NmE0YzViODQyOWE4OTBlMTA3MWY0IiwiaWF0"
        "IjoxODkzNDU2MDAwLCJqdGkiOiJqMSIsImFwaV9rZXkiOiJLIn0.aZnR-0I_v0SC8oh1Q5LxOBe6HHv0Y5HVmIzQDJ"
        "QcqCk" } },
      { .state = PROFILE_STATE_NOANSWER, .id = "c1", .suffix = "voice" } },
    { "a text comes", "vonage", "inbound", "POST", "/hook/p/inbound",
      "{\"message_type\":\"text\",\"message_uuid\":\"u2\",\"from\":\"447700900123\",\"to\":\"441632960000\""
      ",\"text\":\"r7 hi\"}",
      { { "Authorization", "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJWb25hZ2UiLCJwYXlsb2FkX2hhc2giOiIzYm"
        "EwZDZmYWI2ZDU4ODU3N2E1Y2E0NTg4NjQzNzFiNjQ2YjA5MjdkN2NkNzY3MjFmMGFiNDlmYmU5YzhiNGU5IiwiaWF0"
        "IjoxODkzNDU2MDAwLCJqdGkiOiJqMSIsImFwaV9rZXkiOiJLIn0.qFYuxIdBLStuRzIFz4n6q8QAiYQvCfWMHcObnO"
        "fBsxE" } },
      { .state = PROFILE_STATE_UNKNOWN, .id = "u2", .from = "447700900123", .to = "441632960000", .text = "r7 hi", .dedup = "u2", .suffix = "" } },
    { "a key", "vonage", "voice", "POST", "/hook/p/voice",
      "{\"uuid\":\"c1\",\"dtmf\":{\"digits\":\"2\"}}",
      { { "Authorization", "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJWb25hZ2UiLCJwYXlsb2FkX2hhc2giOiIyYT"
        "BiYzdjNTM5YTI3MDU3MWMwOGVhMzI5NTA2MTQyNDk5ZWMyZmJiZWRmOWJlMmZmOWJhYjFhZDZhM2M3ZjBiIiwiaWF0"
        "IjoxODkzNDU2MDAwLCJqdGkiOiJqMSIsImFwaV9rZXkiOiJLIn0.uTkw9WsTt36zQY7zjaRE9ZZSi6VCC5juWpTQKV"
        "gghwI" } },
      { .state = PROFILE_STATE_UNKNOWN, .id = "c1", .digits = "2", .suffix = "" } },
    { "a text is too late", "vonage-sms", "status", "POST", "/hook/p/status",
      "messageId=m1&status=expired&err-code=4&client-ref=abcdefghijklmnopqrstuv&timestamp=1893456000&sig=4d"
      "b37a22541de363a554755211dff5e5c3a02e93aa3e3ee1bf3935686d0a4aa5",
      { { NULL } },
      { .state = PROFILE_STATE_EXPIRED, .id = "m1", .ref = "abcdefghijklmnopqrstuv", .error_code = "4", .suffix = "" } },
    { "a text comes, in the query", "vonage-sms", "inbound", "GET", "/hook/p/inbound?msisdn=447700900123&to=441632960000&messageId=m2&text=r7+a%3Db%26c&timestamp=1893456"
      "000&sig=d892809d5b398f4b09d4911fb4c377c24d039b134f6de2d2dc32342497865481",
      "",
      { { NULL } },
      { .state = PROFILE_STATE_UNKNOWN, .id = "m2", .from = "447700900123", .to = "441632960000", .text = "r7 a=b&c", .dedup = "m2", .suffix = "" } },
    { "an answer", "webhook", "inbound", "POST", "/hook/p/inbound",
      "{\"id\":\"abcdefghijklmnopqrstuv\",\"text\":\"ack\"}",
      { { "Webhook-Id", "w1", "Webhook-Timestamp", "1893456000", "Webhook-Signature", "v1,Pe+Z0fr8sW6xJdXaUJsaPDR+nY0TTmD8A0nGh/psjxc=" } },
      { .state = PROFILE_STATE_UNKNOWN, .ref = "abcdefghijklmnopqrstuv", .text = "ack", .dedup = "w1", .suffix = "" } },
    { "a receipt", "kannel", "status", "GET", "/hook/p/status/r/1/t?st=8&smscid=f1&reply=ACK%2F",
      "",
      { { NULL } },
      { .state = PROFILE_STATE_SENT, .id = "f1", .suffix = "" } },
    { "a refusal", "kannel", "status", "GET", "/hook/p/status/r/1/t?st=16&smscid=f1&reply=NACK%2F11",
      "",
      { { NULL } },
      { .state = PROFILE_STATE_REJECTED, .id = "f1", .suffix = "" } },
    { "a text comes", "kannel", "inbound", "GET", "/hook/p/inbound/t?from=%2B447700900123&to=%2B441632960000&text=r7+hi&id=i1",
      "",
      { { NULL } },
      { .state = PROFILE_STATE_UNKNOWN, .id = "i1", .from = "+447700900123", .to = "+441632960000", .text = "r7 hi", .dedup = "i1", .suffix = "" } },
    { "a receipt", "jasmin", "status", "POST", "/hook/p/status/r/1/t",
      "id=j1&message_status=DELIVRD&level=2",
      { { NULL } },
      { .state = PROFILE_STATE_DELIVERED, .id = "j1", .suffix = "" } },
    { "a text comes", "jasmin", "inbound", "POST", "/hook/p/inbound/t",
      "id=j2&from=447700900123&to=441632960000&content=r7+hi",
      { { NULL } },
      { .state = PROFILE_STATE_UNKNOWN, .id = "j2", .from = "447700900123", .to = "441632960000", .text = "r7 hi", .dedup = "j2", .suffix = "" } },
    { "the button", "ntfy", "inbound", "POST", "/hook/p/inbound/r/1/t",
      "ack",
      { { NULL } },
      { .state = PROFILE_STATE_UNKNOWN, .text = "ack", .suffix = "" } },
    { "a pager answers", "wctp", "inbound", "POST", "/hook/p/inbound/t",
      "<?xml version=\"1.0\"?><!DOCTYPE wctp-Operation SYSTEM \"http://dtd.wctp.org/wctp-dtd-v1r3.dtd\"><wc"
      "tp-Operation wctpVersion=\"wctp-dtd-v1r3\"><wctp-MessageReply><wctp-ResponseHeader responseToMessage"
      "ID=\"abcdefghijklmnopqrstuv\"><wctp-Originator senderID=\"4155551212\"/><wctp-MessageControl message"
      "ID=\"x1\"/><wctp-Recipient recipientID=\"gw\"/></wctp-ResponseHeader><wctp-Payload><wctp-Alphanumeri"
      "c>on &amp; off</wctp-Alphanumeric></wctp-Payload></wctp-MessageReply></wctp-Operation>",
      { { NULL } },
      { .state = PROFILE_STATE_UNKNOWN, .id = "x1", .ref = "abcdefghijklmnopqrstuv", .from = "4155551212", .text = "on & off", .suffix = "" } },
    { "a page is queued", "wctp", "inbound", "POST", "/hook/p/inbound/t",
      "<?xml version=\"1.0\"?><!DOCTYPE wctp-Operation SYSTEM \"http://dtd.wctp.org/wctp-dtd-v1r3.dtd\"><wc"
      "tp-Operation wctpVersion=\"wctp-dtd-v1r3\"><wctp-StatusInfo><wctp-ResponseHeader responseToMessageID"
      "=\"abcdefghijklmnopqrstuv\"><wctp-Originator senderID=\"4155551212\"/><wctp-MessageControl messageID"
      "=\"x1\"/><wctp-Recipient recipientID=\"gw\"/></wctp-ResponseHeader><wctp-Notification type=\"QUEUED"
      "\"/></wctp-StatusInfo></wctp-Operation>",
      { { NULL } },
      { .state = PROFILE_STATE_ACCEPTED, .ref = "abcdefghijklmnopqrstuv", .suffix = "" } },
    { "a page is delivered", "wctp", "inbound", "POST", "/hook/p/inbound/t",
      "<?xml version=\"1.0\"?><!DOCTYPE wctp-Operation SYSTEM \"http://dtd.wctp.org/wctp-dtd-v1r3.dtd\"><wc"
      "tp-Operation wctpVersion=\"wctp-dtd-v1r3\"><wctp-StatusInfo><wctp-ResponseHeader responseToMessageID"
      "=\"abcdefghijklmnopqrstuv\"><wctp-Originator senderID=\"4155551212\"/><wctp-MessageControl messageID"
      "=\"x1\"/><wctp-Recipient recipientID=\"gw\"/></wctp-ResponseHeader><wctp-Notification type=\"DELIVER"
      "ED\"/></wctp-StatusInfo></wctp-Operation>",
      { { NULL } },
      { .state = PROFILE_STATE_DELIVERED, .ref = "abcdefghijklmnopqrstuv", .suffix = "" } },
    { "a page is read", "wctp", "inbound", "POST", "/hook/p/inbound/t",
      "<?xml version=\"1.0\"?><!DOCTYPE wctp-Operation SYSTEM \"http://dtd.wctp.org/wctp-dtd-v1r3.dtd\"><wc"
      "tp-Operation wctpVersion=\"wctp-dtd-v1r3\"><wctp-StatusInfo><wctp-ResponseHeader responseToMessageID"
      "=\"abcdefghijklmnopqrstuv\"><wctp-Originator senderID=\"4155551212\"/><wctp-MessageControl messageID"
      "=\"x1\"/><wctp-Recipient recipientID=\"gw\"/></wctp-ResponseHeader><wctp-Notification type=\"READ\"/"
      "></wctp-StatusInfo></wctp-Operation>",
      { { NULL } },
      { .state = PROFILE_STATE_READ, .ref = "abcdefghijklmnopqrstuv", .suffix = "" } },
    { "a page failed", "wctp", "inbound", "POST", "/hook/p/inbound/t",
      "<?xml version=\"1.0\"?><!DOCTYPE wctp-Operation SYSTEM \"http://dtd.wctp.org/wctp-dtd-v1r3.dtd\"><wc"
      "tp-Operation wctpVersion=\"wctp-dtd-v1r3\"><wctp-StatusInfo><wctp-ResponseHeader responseToMessageID"
      "=\"abcdefghijklmnopqrstuv\"><wctp-Originator senderID=\"4155551212\"/><wctp-MessageControl messageID"
      "=\"x1\"/><wctp-Recipient recipientID=\"gw\"/></wctp-ResponseHeader><wctp-Failure errorCode=\"500\" e"
      "rrorText=\"timed out\"/></wctp-StatusInfo></wctp-Operation>",
      { { NULL } },
      { .state = PROFILE_STATE_FAILED, .ref = "abcdefghijklmnopqrstuv", .error_code = "500", .suffix = "failure" } },
};

static const struct row *failing;

static void expect(const char *what, const char *got, const char *want)
{
    if (got ? !want || strcmp(got, want) != 0 : want != NULL)
        fail_msg("%s, %s: %s is `%s`, not `%s`", failing->profile, failing->why, what, got ? got : "NULL", want ? want : "NULL");
}

static bool read_row(const struct row *row, const struct provider *p, int64_t now_s, struct arena *a, struct hook_event *ev,
                     struct error *e)
{
    struct hook_request r = { .method = row->method, .target = row->target, .public_url = "https://gw.example",
                              .body = span_of(row->body), .header = header, .user = &row->headers, .now_us = now_s * 1000000 };
    failing = row;
    return hook_read(p, row->kind, &r, a, ev, e);
}

static void test_genuine(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        struct provider *p = make(row->profile, "s");
        struct arena a;
        struct hook_event ev;
        struct error e = ERROR_INIT;
        arena_init(&a);
        if (!read_row(row, p, NOW_S + 20, &a, &ev, &e) || !ev.hook)
            fail_msg("%s, %s: %s", row->profile, row->why, e.text);
        expect("the section", ev.hook->suffix, row->want.suffix);
        expect("the state", profile_state_name(ev.state), profile_state_name(row->want.state));
        expect("id", ev.id, row->want.id);
        expect("ref", ev.ref, row->want.ref);
        expect("from", ev.from, row->want.from);
        expect("text", ev.text, row->want.text);
        expect("digits", ev.digits, row->want.digits);
        if (row->want.to)
            expect("to", ev.to, row->want.to);
        if (row->want.dedup)
            expect("dedup", ev.dedup, row->want.dedup);
        if (row->want.error_code)
            expect("error_code", ev.error_code, row->want.error_code);
        assert_null(ev.next);
        arena_fini(&a);
        provider_destroy(&p);
    }
}

static void denied(const struct row *row, const struct provider *p, int64_t now_s, const char *how)
{
    struct arena a;
    struct hook_event ev;
    struct error e = ERROR_INIT;
    arena_init(&a);
    if (read_row(row, p, now_s, &a, &ev, &e) || e.code != ERROR_DENIED)
        fail_msg("%s, %s: taken although %s (%s)", row->profile, row->why, how, e.text);
    arena_fini(&a);
}

/* The same requests, each changed in one place. Where nothing is signed, the address is all that proves it. */
static void test_forged(void **state)
{
    (void)state;
    unsigned signed_rows = 0, dated = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct provider *p = make(rows[i].profile, "s"), *other = make(rows[i].profile, "t");
        if (hook_needs_token(p, rows[i].kind)) {
            provider_destroy(&p);
            provider_destroy(&other);
            continue;
        }
        signed_rows++;
        struct arena a;
        arena_init(&a);
        denied(&rows[i], other, NOW_S, "another key signed it");
        struct row changed = rows[i];
        changed.body = arena_printf(&a, "%s%s", rows[i].body, *rows[i].body == '{' ? " " : "&x=1");
        if (!*rows[i].body)
            changed.target = arena_printf(&a, "%s&x=1", rows[i].target);
        denied(&changed, p, NOW_S, "a field was added");
        changed = rows[i];
        if (changed.headers.v[0]) {
            changed.headers = (struct headers){ { NULL } };
            denied(&changed, p, NOW_S, "there is no signature");
        }
        bool has_time = text_eq(rows[i].profile, "telnyx") || text_starts_with(rows[i].profile, "vonage") || text_eq(rows[i].profile, "webhook");
        dated += has_time;
        if (has_time) {
            denied(&rows[i], p, NOW_S + 301, "it is a replay");
            denied(&rows[i], p, NOW_S - 301, "it comes from the future");
        }
        changed = rows[i];
        changed.method = "PUT";
        if (!text_eq(rows[i].profile, "vonage-sms")) /* its profile takes any */
            denied(&changed, p, NOW_S, "the method is another");
        arena_fini(&a);
        provider_destroy(&p);
        provider_destroy(&other);
    }
    assert_true(signed_rows >= 20 && dated >= 9);
}

/* These profiles have no hooks; the others are all above. */
static void test_none(void **state)
{
    (void)state;
    static const char *const without[] = { "gotify", "pagerduty" };
    for (size_t i = 0; i < 2; i++) {
        struct provider *p = make(without[i], "s");
        struct row row = { "no hook", without[i], "inbound", "POST", "/hook/p/inbound", "", { { NULL } }, { 0 } };
        struct arena a;
        struct hook_event ev;
        struct error e = ERROR_INIT;
        arena_init(&a);
        assert_false(read_row(&row, p, NOW_S, &a, &ev, &e));
        assert_int_equal(e.code, ERROR_NOT_FOUND);
        arena_fini(&a);
        provider_destroy(&p);
    }
}

/* The 13 profiles that are shipped. */
static void test_no_profile_is_left_out(void **state)
{
    (void)state;
    static const char *const shipped[] = { "twilio", "signalwire", "telnyx", "plivo", "vonage", "vonage-sms", "kannel", "jasmin",
                                           "ntfy", "wctp", "webhook" };
    for (size_t s = 0; s < sizeof shipped / sizeof *shipped; s++) {
        struct provider *p = make(shipped[s], "s");
        for (unsigned h = 0; h < p->profile->hook_count; h++) {
            const struct profile_hook *hook = &p->profile->hooks[h];
            bool there = false;
            for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
                there = there || (text_eq(rows[i].profile, shipped[s]) && text_eq(rows[i].want.suffix, hook->suffix) &&
                                  text_eq(rows[i].kind, hook->address ? "inbound" : hook->kind));
            if (!there)
                fail_msg("%s: no row for [hook.%s%s%s]", shipped[s], hook->kind, *hook->suffix ? "." : "", hook->suffix);
        }
        provider_destroy(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_genuine),
        cmocka_unit_test(test_forged),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_no_profile_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
