/* SPDX-License-Identifier: MIT */
/* Words for failures: what the layers below say becomes a reason, and a reason an advice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "s2s/s2s_reason.h"

static void of_dial(void **state)
{
    static const struct {
        enum error_code code;
        const char *text;
        enum s2s_reason reason;
    } rows[] = {
        {ERROR_DENIED, "connecting to h port 1: s2s may not connect to 10.0.0.1", S2S_WHY_EGRESS},
        {ERROR_NOT_FOUND, "connecting to h port 1: the name does not exist", S2S_WHY_NO_ADDRESS},
        {ERROR_TEMPORARY, "connecting to h port 1: 192.0.2.1: Connection refused", S2S_WHY_PORT_CLOSED},
        {ERROR_TEMPORARY, "connecting to h port 1: 192.0.2.1: No route to host", S2S_WHY_UNREACHABLE},
        {ERROR_TEMPORARY, "connecting to h port 1: 2001:db8::1: Network is unreachable", S2S_WHY_UNREACHABLE},
        {ERROR_TEMPORARY, "connecting to h port 1: 192.0.2.1: Connection timed out", S2S_WHY_HOST_SILENT},
        {ERROR_TIMEOUT, "connecting to h port 1: not connected in 20000 ms", S2S_WHY_HOST_SILENT},
        {ERROR_TEMPORARY, "connecting to h port 1: SERVFAIL", S2S_WHY_DNS_SILENT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error e = ERROR_INIT;
        error_set(&e, rows[i].code, "%s", rows[i].text);
        assert_string_equal(s2s_reason_name(s2s_reason_of_dial(&e)), s2s_reason_name(rows[i].reason));
    }
}

static void of_end(void **state)
{
    static const struct {
        struct stream_end end;
        enum s2s_reason reason;
    } rows[] = {
        {{.received = STREAM_HOST_UNKNOWN}, S2S_WHY_NOT_SERVED_THERE},
        {{.received = STREAM_HOST_GONE}, S2S_WHY_NOT_SERVED_THERE},
        {{.received = STREAM_POLICY_VIOLATION}, S2S_WHY_THEIR_POLICY},
        {{.received = STREAM_NOT_AUTHORIZED}, S2S_WHY_AUTH_REFUSED},
        {{.received = STREAM_SYSTEM_SHUTDOWN}, S2S_WHY_SHUT_DOWN},
        {{.received = STREAM_UNDEFINED_CONDITION}, S2S_WHY_PEER_ERROR},
        /* our answer to an error of the peer is not the reason */
        {{.sent = STREAM_UNDEFINED_CONDITION, .received = STREAM_HOST_UNKNOWN}, S2S_WHY_NOT_SERVED_THERE},
        {{.sent = STREAM_CONNECTION_TIMEOUT}, S2S_WHY_NO_ANSWER},
        {{.sent = STREAM_HOST_UNKNOWN}, S2S_WHY_NOT_SERVED_HERE},
        {{.sent = STREAM_NOT_WELL_FORMED}, S2S_WHY_OUR_ERROR},
        {{.wire = WIRE_END_TLS, .text = "TLS handshake: tlsv1 alert unknown ca"}, S2S_WHY_OUR_CERTIFICATE},
        {{.wire = WIRE_END_TLS, .text = "TLS: sslv3 alert certificate unknown"}, S2S_WHY_OUR_CERTIFICATE},
        {{.wire = WIRE_END_TLS, .text = "TLS handshake: no shared cipher"}, S2S_WHY_TLS_FAILED},
        {{.wire = WIRE_END_EOF}, S2S_WHY_CUT},
        {{.wire = WIRE_END_CLOSED, .orderly = true}, S2S_WHY_NONE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(s2s_reason_name(s2s_reason_of_end(&rows[i].end)), s2s_reason_name(rows[i].reason));
}

static void of_dialback(void **state)
{
    static const struct {
        const char *condition;
        enum s2s_reason reason;
    } rows[] = {
        {NULL, S2S_WHY_OUR_KEY_REFUSED}, /* type='invalid' */
        {"remote-connection-failed", S2S_WHY_CANNOT_CALL_BACK},
        {"remote-server-not-found", S2S_WHY_CANNOT_CALL_BACK},
        {"remote-server-timeout", S2S_WHY_CANNOT_CALL_BACK},
        {"item-not-found", S2S_WHY_NOT_SERVED_THERE},
        {"policy-violation", S2S_WHY_THEIR_POLICY},
        {"forbidden", S2S_WHY_THEIR_POLICY},
        {"not-authorized", S2S_WHY_AUTH_REFUSED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(s2s_reason_name(s2s_reason_of_dialback(rows[i].condition)),
                            s2s_reason_name(rows[i].reason));
}

/* Every reason has something to do, in words that name both sides where they belong. */
static void advice(void **state)
{
    static const struct {
        const char *name, *advice;
    } all[] = {
#define ROW(name, word, advice) {word, advice},
        S2S_REASONS(ROW)
#undef ROW
    };
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct bytes b = BYTES_EMPTY;
        assert_string_equal(s2s_reason_name((enum s2s_reason)i), all[i].name);
        s2s_reason_advice((enum s2s_reason)i, "a.test", "b.test", &b);
        assert_int_equal(b.len == 0, i == S2S_WHY_NONE);
        assert_null(b.len ? strstr(bytes_text(&b), "{L}") : NULL);
        assert_null(b.len ? strstr(bytes_text(&b), "{R}") : NULL);
        bytes_fini(&b);
    }
    struct bytes b = BYTES_EMPTY;
    s2s_reason_advice(S2S_WHY_NO_TLS, "a.test", "b.test", &b);
    assert_string_equal(bytes_text(&b), "b.test offers no encryption. Whoever runs it has to set up TLS; or allow it here: "
                                        "remote \"b.test\" { tls = \"optional\" }.");
    bytes_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_dial),
        cmocka_unit_test(of_end),
        cmocka_unit_test(of_dialback),
        cmocka_unit_test(advice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
