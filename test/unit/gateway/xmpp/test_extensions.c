/* SPDX-License-Identifier: MIT */
/* Dates, counters, dialback keys, paging and forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/xmpp/datetime.h"
#include "gateway/xmpp/dialback_key.h"
#include "gateway/xmpp/form.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/rsm.h"
#include "gateway/xmpp/sm_count.h"
#include "gateway/xmpp/stream_error.h"

static void dates(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        int64_t us;
        const char *out; /* NULL: the same text */
        const char *proves;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0, NULL, "the epoch"},
        {"2002-09-10T23:08:25Z", INT64_C(1031699305000000), NULL, "XEP-0082's example"},
        {"2002-09-10T23:08:25.123Z", INT64_C(1031699305123000), NULL, "milliseconds"},
        {"2002-09-10T23:08:25.000001Z", INT64_C(1031699305000001), NULL, "microseconds"},
        {"2002-09-10T23:08:25.1234567Z", INT64_C(1031699305123456), "2002-09-10T23:08:25.123456Z",
         "more digits are dropped"},
        {"2002-09-10T17:08:25-06:00", INT64_C(1031699305000000), "2002-09-10T23:08:25Z", "a zone"},
        {"1969-12-31T23:59:59.5Z", -500000, "1969-12-31T23:59:59.500Z", "before the epoch"},
        {"2000-02-29T00:00:00Z", INT64_C(951782400000000), NULL, "a leap year"},
        {"9999-12-31T23:59:59Z", INT64_C(253402300799000000), NULL, "the last second"},
        {"0001-01-01T00:00:00Z", INT64_C(-62135596800000000), NULL, "the first"},
        {"2016-12-31T23:59:60Z", INT64_C(1483228799000000), "2016-12-31T23:59:59Z", "leap second"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t us;
        char out[DATETIME_MAX];
        if (!datetime_parse(rows[i].in, &us) || us != rows[i].us)
            fail_msg("%s: %lld", rows[i].proves, (long long)us);
        datetime_write(out, us);
        assert_string_equal(out, rows[i].out ? rows[i].out : rows[i].in);
    }
    static const char *const bad[] = {
        "",
        "2002-09-10",
        "2002-09-10T23:08:25",
        "2002-02-29T00:00:00Z",
        "2002-13-01T00:00:00Z",
        "2002-00-01T00:00:00Z",
        "2002-01-00T00:00:00Z",
        "2002-01-01T24:00:00Z",
        "2002-01-01T00:60:00Z",
        "2002-01-01T00:00:61Z",
        "2002-01-01T00:00:00.Z",
        "2002-01-01T00:00:00+1:00",
        "2002-01-01T00:00:00Zx",
        "2002-01-01 00:00:00Z",
        "02-01-01T00:00:00Z",
        "2002-01-01T00:00:00+24:00",
        "0000-01-01T00:00:00Z",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t us;
        if (datetime_parse(bad[i], &us))
            fail_msg("taken: %s", bad[i]);
    }
    char out[DATETIME_MAX];
    datetime_write(out, INT64_MAX);
    assert_string_equal(out, "9999-12-31T23:59:59.999999Z");
    datetime_write(out, INT64_MIN);
    assert_string_equal(out, "0001-01-01T00:00:00Z");
}

static void counters(void **state)
{
    (void)state;
    static const struct {
        uint32_t acked, sent, h, newly;
        bool ok;
        const char *proves;
    } rows[] = {
        {0, 0, 0, 0, true, "nothing happened"},
        {0, 5, 3, 3, true, "some"},
        {3, 5, 5, 2, true, "the rest"},
        {3, 5, 3, 0, true, "the same again"},
        {0, 5, 6, 0, false, "more than was sent"},
        {3, 5, 2, 0, false, "taken back"},
        {UINT32_MAX - 1, 2, 1, 3, true, "over the end of 32 bits (XEP-0198 4)"},
        {UINT32_MAX, UINT32_MAX, 0, 0, false, "one too many at the end"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t newly = 99;
        if (sm_count_ack(rows[i].acked, rows[i].sent, rows[i].h, &newly) != rows[i].ok ||
            newly != rows[i].newly)
            fail_msg("%s", rows[i].proves);
    }
    assert_true(sm_count_reached(UINT32_MAX, 3));
    assert_false(sm_count_reached(3, UINT32_MAX));
}

static void dialback_keys(void **state)
{
    (void)state;
    static const char secret[] = "s3cr3tf0rd14lb4ck"; /* XEP-0185's example */
    const struct dialback_names names = {"xmpp.example.com", "example.org", "D60000229F"};
    char key[DIALBACK_KEY_LEN + 1];
    dialback_key_make(key, secret, sizeof secret - 1, &names);
    assert_string_equal(key, "37c69b1cf07a3f67c04a5ef5902fa5114f2c76fe4a2686482ba5b89323075643");
    assert_true(dialback_key_check(key, secret, sizeof secret - 1, &names));
    key[0] ^= 1;
    assert_false(dialback_key_check(key, secret, sizeof secret - 1, &names));
    assert_false(dialback_key_check("", secret, sizeof secret - 1, &names));
    assert_false(dialback_key_check(NULL, secret, sizeof secret - 1, &names));
}

static struct stanza *iq_with(const char *inner)
{
    struct bytes b = BYTES_EMPTY;
    bytes_printf(&b, "<iq xmlns='jabber:client' type='set'><q xmlns='u:q'>%s</q></iq>", inner);
    struct stanza *st = stanza_parse(b.data, b.len);
    assert_non_null(st);
    bytes_fini(&b);
    return st;
}

static void paging(void **state)
{
    (void)state;
#define SET(inner) "<set xmlns='http://jabber.org/protocol/rsm'>" inner "</set>"
    static const struct {
        const char *in;
        enum stanza_error error;
        struct rsm_query want;
        const char *proves;
    } rows[] = {
        {"", STANZA_OK, {0}, "absent"},
        {SET(""), STANZA_OK, {.present = true}, "empty"},
        {SET("<max>10</max><after>a</after>"),
         STANZA_OK,
         {.present = true, .has_max = true, .max = 10, .after = "a"},
         "forwards"},
        {SET("<max>10</max><before/>"),
         STANZA_OK,
         {.present = true, .has_max = true, .max = 10, .before = ""},
         "the last page"},
        {SET("<max>0</max>"), STANZA_OK, {.present = true, .has_max = true}, "only the count"},
        {SET("<index>7</index><max>1</max>"),
         STANZA_OK,
         {.present = true, .has_max = true, .max = 1, .has_index = true, .index = 7},
         "by index"},
        {SET("<max>-1</max>"), STANZA_BAD_REQUEST, {0}, "negative"},
        {SET("<max/>"), STANZA_BAD_REQUEST, {0}, "no number"},
        {SET("<index>7</index><after>a</after>"), STANZA_BAD_REQUEST, {0}, "both"},
    };
#undef SET
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stanza *st = iq_with(rows[i].in);
        struct rsm_query q;
        const struct rsm_query *want = &rows[i].want;
        assert_int_equal(rsm_parse(&q, stanza_first(st)), rows[i].error);
        if (rows[i].error == STANZA_OK &&
            (q.present != want->present || q.has_max != want->has_max || q.max != want->max ||
             q.has_index != want->has_index || q.index != want->index ||
             !span_eq(span_of(q.after), span_of(want->after)) ||
             !span_eq(span_of(q.before), span_of(want->before)) || !q.before != !want->before))
            fail_msg("%s", rows[i].proves);
        stanza_unref(&st);
    }
    struct builder b;
    build_begin(&b, STANZA_IQ, IQ_RESULT);
    rsm_write(&b, &(struct rsm_page){
                      .first = "a", .last = "b", .has_index = true, .has_count = true, .count = 9});
    rsm_write(&b, &(struct rsm_page){.has_count = true});
    struct stanza *st = build_end(&b);
    assert_true(span_eq_text(
        st->payload->xml,
        "<set xmlns='http://jabber.org/protocol/rsm'><first index='0'>a</first><last>b</last>"
        "<count>9</count></set><set "
        "xmlns='http://jabber.org/protocol/rsm'><count>0</count></set>"));
    stanza_unref(&st);
}

static void forms_read(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    struct stanza *st = iq_with(
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>u:f"
        "</value></field><field type='fixed'><value>read me</value></field><field var='many'>"
        "<value>1</value><value>2</value></field><field var='none'/><field var='yes'><value>true"
        "</value></field></x>");
    const struct form *f = form_parse(&a, stanza_first(st));
    assert_non_null(f);
    assert_int_equal(f->kind, FORM_KIND_SUBMIT);
    assert_string_equal(f->form_type, "u:f");
    assert_int_equal(f->count, 4);
    assert_int_equal(form_find(f, "many")->count, 2);
    assert_string_equal(form_find(f, "many")->values[1], "2");
    assert_int_equal(form_find(f, "none")->count, 0);
    assert_null(form_text(f, "none"));
    assert_null(form_find(f, "absent"));
    assert_true(form_bool(f, "yes", false));
    assert_true(form_bool(f, "absent", true));
    assert_false(form_bool(f, "many", true) == false);
    stanza_unref(&st);
    static const char *const bad[] = {
        "",
        "<x xmlns='jabber:x:data'/>",
        "<x xmlns='jabber:x:data' type='what'/>",
        "<x xmlns='jabber:x:data' type='submit'><field/></x>",
        "<x type='submit'/>",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        st = iq_with(bad[i]);
        if (form_parse(&a, stanza_first(st)))
            fail_msg("taken: %s", bad[i]);
        stanza_unref(&st);
    }
    arena_fini(&a);
}

static void forms_written(void **state)
{
    (void)state;
    struct builder b;
    build_begin(&b, STANZA_IQ, IQ_RESULT);
    form_open(&b, FORM_KIND_FORM, "u:f", "T", NULL);
    form_add(&b, &(struct form_field){
                     .type = FORM_TEXT_MULTI, .var = "m", .value = "a\nb", .required = true});
    form_add_list(&b, &(struct form_field){.type = FORM_LIST_SINGLE, .var = "l", .label = "L"},
                  (const struct form_option[]){{"One", "1"}, {NULL, NULL}});
    form_open_item(&b);
    form_add(&b, &(struct form_field){.var = "c", .value = "x\ny", .bare = true});
    build_close(&b);
    build_close(&b);
    struct stanza *st = build_end(&b);
    struct bytes xml = BYTES_EMPTY;
    bytes_append(&xml, st->payload->xml.data, st->payload->xml.len);
    assert_string_equal(
        xml.data,
        "<x xmlns='jabber:x:data' type='form'><title>T</title><field type='hidden' var='FORM_TYPE'>"
        "<value>u:f</value></field><field type='text-multi' var='m'><required/><value>a</value>"
        "<value>b</value></field><field type='list-single' var='l' label='L'><option label='One'>"
        "<value>1</value></option></field><item><field var='c'><value>x\ny</value></field></item>"
        "</x>");
    bytes_fini(&xml);
    stanza_unref(&st);
}

static void stream_errors(void **state)
{
    (void)state;
    assert_string_equal(stream_error_name(STREAM_POLICY_VIOLATION), "policy-violation");
    assert_null(stream_error_name(STREAM_OK));
    assert_int_equal(stream_error_parse("host-unknown"), STREAM_HOST_UNKNOWN);
    assert_int_equal(stream_error_parse("what"), STREAM_UNDEFINED_CONDITION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates),         cmocka_unit_test(counters),
        cmocka_unit_test(dialback_keys), cmocka_unit_test(paging),
        cmocka_unit_test(forms_read),    cmocka_unit_test(forms_written),
        cmocka_unit_test(stream_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
