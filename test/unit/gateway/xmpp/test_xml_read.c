/* SPDX-License-Identifier: MIT */
/* The reader: events however the bytes are split, refusals, limits, and parsers that come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/xml_frame.h"
#include "gateway/xmpp/xml_read.h"

#define HEADER                                                                                     \
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='" NS_STREAM           \
    "' to='capulet.example' version='1.0'>"
#define HEADER_ODD "<s:stream xmlns='jabber:client' xmlns:s='" NS_STREAM "' xmlns:o='u:o'>"
#define HEADER_S2S                                                                                 \
    "<stream:stream xmlns='jabber:server' xmlns:stream='" NS_STREAM                                \
    "' xmlns:db='jabber:server:dialback' from='a' to='b'>"

/* What the reader tells, as one line: H(to) <xml> X E(condition). */
static void take_all(struct xml_reader *r, struct bytes *out)
{
    struct xml_event ev;
    for (;;) {
        xml_reader_next(r, &ev);
        switch (ev.kind) {
        case XML_NONE:
            return;
        case XML_HEADER:
            bytes_printf(out, "H(%s,%s)", ev.header.content_ns, ev.header.to ? ev.header.to : "-");
            break;
        case XML_STANZA:
            stanza_write(out, ev.stanza, NS_CLIENT);
            stanza_unref(&ev.stanza);
            break;
        case XML_CLOSE:
            bytes_append_text(out, "X");
            break;
        case XML_ERROR:
            assert_true(ev.text[0] != '\0');
            bytes_printf(out, "E(%s)", stream_error_name(ev.error));
            return;
        }
    }
}

static void run(struct xml_pool *pool, const char *in, size_t step, struct xml_limits limits,
                struct bytes *out)
{
    struct xml_reader *r = xml_reader_create(pool, limits);
    size_t len = strlen(in);
    for (size_t at = 0; at < len; at += step) {
        char *piece =
            strndup(in + at, step); /* of its exact size, so that ASan sees reads behind */
        bool failed = out->len && strstr(out->data, "E(");
        xml_reader_feed(r, piece, strlen(piece));
        if (!failed)
            take_all(r, out);
        free(piece);
    }
    xml_reader_destroy(&r);
    assert_int_equal(xml_pool_lent(pool), 0);
}

static const struct {
    const char *in, *out, *proves;
} rows[] = {
    {HEADER, "H(jabber:client,capulet.example)", "the header alone"},
    {"\n " HEADER "<presence/> \n<message><body>a&amp;b</body></message>",
     "H(jabber:client,capulet.example)<presence/><message><body>a&amp;b</body></message>",
     "white space before the header and between stanzas"},
    {HEADER "<iq type='get' id=\"a>b\"><q xmlns='u:q'/></iq></stream:stream>junk",
     "H(jabber:client,capulet.example)<iq id='a&gt;b' type='get'><q xmlns='u:q'/></iq>X",
     "the end of the stream, and what comes behind it is nobody's"},
    {HEADER "<message><body>\xc3\xa4\xf0\x9f\x98\x80\r\n&#x20ac;<![CDATA[<>]]></body></message>",
     "H(jabber:client,capulet.example)<message><body>\xc3\xa4\xf0\x9f\x98\x80\n\xe2\x82\xac&lt;&gt;"
     "</body></message>",
     "characters of several bytes, line ends, references, CDATA"},
    {HEADER_ODD "<o:x/><presence/></s:stream>", "H(jabber:client,-)<x xmlns='u:o'/><presence/>X",
     "a prefix from the header works in every stanza"},
    {HEADER_S2S "<db:result from='a' to='b'>k</db:result><message to='x@b'/>",
     "H(jabber:server,b)<db:result from='a' to='b'>k</db:result><message to='x@b'/>", "dialback"},
    {HEADER_S2S "<message xmlns='jabber:client'/>", "H(jabber:server,b)<message/>",
     "the wrong content namespace"},
    {"<stream:stream xmlns='jabber:client' xmlns:stream='u:x'>", "E(invalid-namespace)",
     "not the namespace of streams"},
    {"<stream:features xmlns:stream='" NS_STREAM "'>", "E(bad-format)", "not a stream"},
    {"GET / HTTP/1.1\r\n\r\n", "E(not-well-formed)", "another protocol"},
    {"<?xml version='1.0' encoding='ISO-8859-1'?>", "E(unsupported-encoding)", "not UTF-8"},
    {"<!DOCTYPE x [<!ENTITY a 'b'>]>", "E(restricted-xml)", "a DTD (RFC 6120 11.1)"},
    {HEADER "<!-- c -->", "H(jabber:client,capulet.example)E(restricted-xml)", "a comment"},
    {HEADER "<presence><?pi x?></presence>", "H(jabber:client,capulet.example)E(restricted-xml)",
     "a processing instruction"},
    {HEADER "<message><body>&foo;</body></message>",
     "H(jabber:client,capulet.example)E(restricted-xml)", "an entity of its own"},
    {HEADER "<presence/><a></b>", "H(jabber:client,capulet.example)<presence/>E(not-well-formed)",
     "what was whole before the mistake is told"},
    {HEADER "<p:a/>", "H(jabber:client,capulet.example)E(not-well-formed)", "an unbound prefix"},
    {HEADER "<a b='1' b='2'/>", "H(jabber:client,capulet.example)E(not-well-formed)",
     "an attribute twice"},
    {HEADER "<message><body>\xff</body></message>",
     "H(jabber:client,capulet.example)E(not-well-formed)", "broken UTF-8"},
    {HEADER "text<presence/>", "H(jabber:client,capulet.example)E(bad-format)",
     "text between stanzas"},
    {HEADER "<![CDATA[]]><presence/>", "H(jabber:client,capulet.example)E(bad-format)",
     "CDATA between stanzas"},
    {HEADER "</stream:streem>", "H(jabber:client,capulet.example)E(not-well-formed)", "wrong end"},
};

/* Whole, byte by byte, and in every other step: the same events, and no parser stays out. */
static void splits(void **state)
{
    (void)state;
    struct xml_pool *pool = xml_pool_create();
    struct bytes out = BYTES_EMPTY;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t step = 1; step < 40; step++) {
            bytes_clear(&out);
            run(pool, rows[i].in, step < 39 ? step : 4096, XML_LIMITS_DEFAULT, &out);
            if (strcmp(bytes_text(&out), rows[i].out) != 0)
                fail_msg("%s (by %zu): %s", rows[i].proves, step, bytes_text(&out));
        }
    }
    bytes_fini(&out);
    xml_pool_destroy(&pool);
}

static void repeat(struct bytes *b, const char *text, unsigned times)
{
    while (times--)
        bytes_append_text(b, text);
}

static void limits_table(void **state)
{
    (void)state;
    static const struct xml_limits small = {1000, 4, 4, 6};
    static const struct {
        const char *before, *repeated, *after;
        unsigned ok, bad;
        const char *proves;
    } limits[] = {
        {"<a>", "xxxxxxxxxx", "</a>", 98, 100, "bytes of a stanza"},
        {"<a>", "<b>", "", 3, 4, "depth"},
        {"<a", " %c='1'", "/>", 4, 5, "attributes"},
        {"<a", " xmlns:%c='u:x'", "/>", 4, 5, "declarations of namespaces"},
        {"<a>", "<b/>", "</a>", 6, 7, "children"},
        {"<a b='", "xxxxxxxxxx", "'/>", 98, 100, "bytes of an attribute"},
        {"<a>", "xxxxxxxxxx", "", 99, 101, "bytes of what never ends"},
    };
    struct xml_pool *pool = xml_pool_create();
    struct bytes in = BYTES_EMPTY, out = BYTES_EMPTY;
    for (size_t i = 0; i < 2 * sizeof limits / sizeof *limits; i++) {
        bool bad = i & 1;
        bytes_clear(&in);
        bytes_clear(&out);
        bytes_append_text(&in, HEADER);
        bytes_append_text(&in, limits[i / 2].before);
        for (unsigned n = 0; n < (bad ? limits[i / 2].bad : limits[i / 2].ok); n++) {
            const char *c = strchr(limits[i / 2].repeated, '%');
            if (c)
                bytes_printf(&in, "%.*s%c%s", (int)(c - limits[i / 2].repeated),
                             limits[i / 2].repeated, 'a' + (int)n, c + 2);
            else
                bytes_append_text(&in, limits[i / 2].repeated);
        }
        bytes_append_text(&in, limits[i / 2].after);
        run(pool, in.data, 100, small, &out);
        if ((strstr(out.data, "E(policy-violation)") != NULL) != bad)
            fail_msg("%s %d: %s", limits[i / 2].proves, bad, out.data);
    }
    bytes_fini(&in);
    bytes_fini(&out);
    xml_pool_destroy(&pool);
}

/* Parsers are lent only while something is unfinished, and one serves all. */
static void lending(void **state)
{
    (void)state;
    enum { READERS = 20 };
    struct xml_pool *pool = xml_pool_create();
    struct xml_reader *r[READERS];
    struct xml_event ev;
    for (int i = 0; i < READERS; i++) {
        r[i] = xml_reader_create(pool, XML_LIMITS_DEFAULT);
        xml_reader_feed(r[i], HEADER, strlen(HEADER));
        assert_int_equal(xml_pool_lent(pool), 0);
        xml_reader_next(r[i], &ev);
        assert_int_equal(ev.kind, XML_HEADER);
    }
    for (int i = 0; i < READERS; i++) {
        char half[64];
        snprintf(half, sizeof half, "<message id='%d'><bo", i);
        xml_reader_feed(r[i], half, strlen(half));
        assert_int_equal(xml_reader_partial(r[i]), strlen(half));
    }
    assert_int_equal(xml_pool_lent(pool), READERS);
    for (int i = READERS - 1; i >= 0; i--) {
        char id[16];
        xml_reader_feed(r[i], "dy/></message>", 14);
        assert_int_equal(xml_pool_lent(pool), i);
        xml_reader_next(r[i], &ev);
        assert_int_equal(ev.kind, XML_STANZA);
        snprintf(id, sizeof id, "%d", i);
        assert_string_equal(ev.stanza->id, id);
        stanza_unref(&ev.stanza);
        assert_int_equal(xml_reader_partial(r[i]), 0);
        xml_reader_feed(r[i], " \n", 2);
        assert_int_equal(xml_pool_lent(pool), i);
    }
    for (int i = 0; i < READERS; i++)
        xml_reader_destroy(&r[i]);
    xml_pool_destroy(&pool);
}

/* A header with unusual declarations keeps its parser, others give it back. */
static void odd_headers(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t lent;
        const char *proves;
    } odd[] = {
        {HEADER, 0, "client"},
        {HEADER_S2S, 0, "server with dialback"},
        {"<stream:stream xmlns='jabber:server' xmlns:stream='" NS_STREAM "'>", 0, "server"},
        {"<stream:stream xmlns='jabber:component:accept' xmlns:stream='" NS_STREAM "'>", 0,
         "component"},
        {"<stream:stream xmlns='jabber:client' xmlns:stream='" NS_STREAM "' xmlns:xml='" NS_XML
         "'>",
         0, "the prefix that is always bound"},
        {HEADER_ODD, 1, "other prefixes"},
        {"<stream xmlns='" NS_STREAM "'>", 1, "no content namespace"},
        {"<stream:stream xmlns='u:x' xmlns:stream='" NS_STREAM "'>", 1, "an unknown one"},
    };
    struct xml_pool *pool = xml_pool_create();
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        struct xml_reader *r = xml_reader_create(pool, XML_LIMITS_DEFAULT);
        struct xml_event ev;
        for (int k = 0; k < 2; k++) {
            xml_reader_feed(r, k ? "<a/>" : odd[i].header, strlen(k ? "<a/>" : odd[i].header));
            if (xml_pool_lent(pool) != odd[i].lent)
                fail_msg("%s", odd[i].proves);
            xml_reader_next(r, &ev);
            assert_int_equal(ev.kind, k ? XML_STANZA : XML_HEADER);
        }
        assert_int_equal(ev.stanza->kind, STANZA_NONZA);
        stanza_unref(&ev.stanza);
        xml_reader_destroy(&r);
        assert_int_equal(xml_pool_lent(pool), 0);
    }
    xml_pool_destroy(&pool);
}

/* After STARTTLS and SASL a new header comes; what was pipelined is counted. */
static void restart(void **state)
{
    (void)state;
    struct xml_pool *pool = xml_pool_create();
    struct bytes out = BYTES_EMPTY;
    struct xml_reader *r = xml_reader_create(pool, XML_LIMITS_BEFORE_AUTH);
    xml_reader_feed(r, HEADER "<a/>", strlen(HEADER "<a/>"));
    take_all(r, &out);
    assert_int_equal(xml_reader_restart(r), 0);
    xml_reader_feed(r, HEADER "<a/><b/><c", strlen(HEADER "<a/><b/><c"));
    assert_int_equal(xml_reader_restart(r), 4);
    bytes_clear(&out);
    xml_reader_feed(r, HEADER_S2S "<a/>", strlen(HEADER_S2S "<a/>"));
    take_all(r, &out);
    assert_string_equal(bytes_text(&out), "H(jabber:server,b)<a/>");
    xml_reader_feed(r, "<", 1);
    assert_int_equal(xml_reader_restart(r), 1);
    xml_reader_destroy(&r);
    assert_int_equal(xml_pool_lent(pool), 0);
    bytes_fini(&out);
    xml_pool_destroy(&pool);
}

/* A tag with many '>' in its attributes, byte by byte, costs a bounded number of looks. */
static void large_attribute_in_small_pieces(void **state)
{
    (void)state;
    struct xml_pool *pool = xml_pool_create();
    struct xml_reader *r = xml_reader_create(pool, XML_LIMITS_DEFAULT);
    struct bytes in = BYTES_EMPTY, out = BYTES_EMPTY;
    bytes_append_text(&in, HEADER "<a b='");
    repeat(&in, ">>>>>>>>>>", 20000);
    bytes_append_text(&in, "'/>");
    repeat(&in, "<presence/>", 20000); /* deferral ends when much more has come */
    for (size_t at = 0; at < in.len; at += 10)
        xml_reader_feed(r, in.data + at, in.len - at < 10 ? in.len - at : 10);
    take_all(r, &out);
    assert_non_null(strstr(out.data, "<presence/>"));
    xml_reader_destroy(&r);
    bytes_fini(&in);
    bytes_fini(&out);
    xml_pool_destroy(&pool);
}

/* Distinct names are kept by expat for its life; the budget ends that. */
static void memory_budget(void **state)
{
    (void)state;
    struct xml_pool *pool = xml_pool_create();
    struct bytes in = BYTES_EMPTY, out = BYTES_EMPTY;
    struct xml_limits limits = {1000, 8, 64, 64};
    bytes_append_text(&in, HEADER_ODD);
    for (int i = 0; i < 20000; i++)
        bytes_printf(&in, "<a%d b%d='1'/>", i, i);
    run(pool, in.data, 1000, limits, &out);
    assert_non_null(strstr(out.data, "E(policy-violation)"));
    bytes_fini(&in);
    bytes_fini(&out);
    xml_pool_destroy(&pool);
}

/* Whole messages (RFC 7395), separated by '|'. */
static void messages(void **state)
{
    (void)state;
#define FRAMING " xmlns='" NS_FRAMING "'"
#define OPENED  "<open" FRAMING " to='capulet.example' version='1.0'/>|"
    static const struct {
        const char *in, *out, *proves;
    } cases[] = {
        {OPENED "<iq xmlns='jabber:client'/>|<close" FRAMING "/>", "H(jabber:client,capulet.example)<iq/>X", "a stream"},
        {"<?xml version='1.0'?>" OPENED, "H(jabber:client,capulet.example)", "a declaration, as any document may have"},
        {OPENED " |\n<iq xmlns='jabber:client'/>\n|", "H(jabber:client,capulet.example)<iq/>", "white space is nothing"},
        {OPENED "<c:iq xmlns:c='jabber:client'/>", "H(jabber:client,capulet.example)<iq/>", "a prefix of its own"},
        {OPENED "<iq/>", "H(jabber:client,capulet.example)<iq xmlns=''/>", "without its namespace it is no stanza"},
        {OPENED "<stream:error/>", "H(jabber:client,capulet.example)E(not-well-formed)", "the header's prefixes are not there"},
        {HEADER, "E(bad-format)", "a header as over TCP"},
        {"<iq xmlns='jabber:client'/>", "E(bad-format)", "no <open/> first"},
        {OPENED OPENED, "H(jabber:client,capulet.example)E(bad-format)", "<open/> twice"},
        {OPENED "<a/><b/>", "H(jabber:client,capulet.example)E(not-well-formed)", "two in one"},
        {OPENED "<a/>x", "H(jabber:client,capulet.example)E(not-well-formed)", "text behind it"},
        {OPENED "<a", "H(jabber:client,capulet.example)E(bad-format)", "half a tag"},
        {OPENED "<a>|</a>", "H(jabber:client,capulet.example)E(bad-format)", "an element over two messages"},
        {OPENED "<!DOCTYPE a><a/>", "H(jabber:client,capulet.example)E(restricted-xml)", "a DTD"},
        {OPENED "<a><b><b><b><b><b><b><b><b/></b></b></b></b></b></b></b></a>",
         "H(jabber:client,capulet.example)E(policy-violation)", "the same depth as over TCP"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct xml_pool *pool = xml_pool_create();
        struct xml_reader *r = xml_reader_create(pool, XML_LIMITS_BEFORE_AUTH);
        struct bytes out = BYTES_EMPTY;
        for (const char *at = cases[i].in; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
            xml_reader_message(r, at, strcspn(at, "|"));
        assert_int_equal(xml_reader_partial(r), 0);
        take_all(r, &out);
        if (strcmp(bytes_text(&out), cases[i].out) != 0)
            fail_msg("%s: %s", cases[i].proves, bytes_text(&out));
        bytes_fini(&out);
        xml_reader_destroy(&r);
        xml_pool_destroy(&pool);
    }
}

/* What a stream sends in one go, as messages. */
static void frames(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"<r xmlns='urn:xmpp:sm:3'/>", "<r xmlns='urn:xmpp:sm:3'/>|"},
        {"<a h='1' xmlns='u:a'/><iq id='xmlns='><b x='>'>1 &gt; 2</b></iq>",
         "<a h='1' xmlns='u:a'/>|<iq xmlns='jabber:client' id='xmlns='><b x='>'>1 &gt; 2</b></iq>|"},
        {"<stream:features><a xmlns='u:a'><a/></a></stream:features>",
         "<stream:features xmlns:stream='" NS_STREAM "'><a xmlns='u:a'><a/></a></stream:features>|"},
        {"<stream:features/>", "<stream:features xmlns:stream='" NS_STREAM "'/>|"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes out = BYTES_EMPTY;
        struct span rest = span_of(cases[i].in);
        while (xml_frame_next(&out, &rest))
            bytes_append_char(&out, '|');
        assert_string_equal(bytes_text(&out), cases[i].out);
        bytes_fini(&out);
    }
}

/* One read of the smallest stanzas there are: few are made before somebody takes them, each of a small block, and what
 * comes meanwhile follows in order. */
static void ahead(void **state)
{
    static const char *const shapes[] = {"<iq/>", "<iq></iq>", "<a:iq xmlns:a='jabber:client'></a:iq>",
                                         "<name-of-an-element-that-is-too-long-to-be-looked-for></name-of-an-element-that-is-too-long-to-be-looked-for>"};
    struct xml_pool *pool = xml_pool_create();
    (void)state;

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct bytes all = BYTES_EMPTY;
        struct xml_event ev;
        unsigned made = 0, came = 0, left;
        for (; all.len < 65536; made++)
            bytes_append_text(&all, shapes[i]);
        for (int taken = 0; taken < 2; taken++) {
            struct xml_reader *r = xml_reader_create(pool, XML_LIMITS_DEFAULT);
            xml_reader_feed(r, HEADER, strlen(HEADER));
            xml_reader_next(r, &ev);
            assert_int_equal(ev.kind, XML_HEADER);
            xml_reader_feed(r, all.data, all.len);
            xml_reader_feed(r, "<last/>", 7);
            if (!taken) {
                left = (unsigned)xml_reader_restart(r);
                if (left > 4096 / strlen(shapes[i]) + 2)
                    fail_msg("%s: %u were made of %u", shapes[i], left, made);
            }
            while (taken && (xml_reader_next(r, &ev), ev.kind == XML_STANZA)) {
                came++;
                if (i == 0)
                    assert_true(ev.stanza->arena.total_bytes < 1024);
                assert_true((came > made) == (strcmp(ev.stanza->payload->root->name, "last") == 0));
                stanza_unref(&ev.stanza);
            }
            xml_reader_destroy(&r);
        }
        assert_int_equal(came, made + 1);
        bytes_fini(&all);
    }
    assert_int_equal(xml_pool_lent(pool), 0);
    xml_pool_destroy(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits),        cmocka_unit_test(limits_table),
        cmocka_unit_test(lending),       cmocka_unit_test(restart),
        cmocka_unit_test(odd_headers),   cmocka_unit_test(large_attribute_in_small_pieces),
        cmocka_unit_test(memory_budget), cmocka_unit_test(messages),
        cmocka_unit_test(frames),        cmocka_unit_test(ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
