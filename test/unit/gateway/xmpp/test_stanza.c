/* SPDX-License-Identifier: MIT */
/* Canonical bytes, the tree, envelopes over one payload, replies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

static const char *written(struct bytes *out, const struct stanza *st, const char *ns)
{
    bytes_clear(out);
    stanza_write(out, st, ns);
    assert_true(out->len <= stanza_size(st));
    return bytes_text(out);
}

static struct stanza *parsed(const char *xml)
{
    struct stanza *st = stanza_parse(xml, strlen(xml));
    if (!st)
        fail_msg("refused: %s", xml);
    return st;
}

static void canonical_table(void **state)
{
    (void)state;
    static const struct {
        const char *in, *ns, *out, *proves;
    } rows[] = {
        {"<message xmlns='jabber:client'/>", NS_CLIENT, "<message/>", "empty"},
        {"<message xmlns='jabber:server' to='A@b' type='chat' from='c'><body>x</body></message>",
         NS_CLIENT, "<message from='c' to='a@b' type='chat'><body>x</body></message>",
         "JIDs are prepared, the content namespace is neutral"},
        {"<message xmlns='jabber:client'><body>x</body></message>", NULL,
         "<message xmlns='jabber:client'><body>x</body></message>", "a document of its own"},
        {"<iq xmlns='jabber:client' type='get' id='1'><q xmlns='u:a'><i/><j xmlns='u:b'/></q></iq>",
         NS_SERVER, "<iq id='1' type='get'><q xmlns='u:a'><i/><j xmlns='u:b'/></q></iq>",
         "xmlns where it changes"},
        {"<x:iq xmlns:x='jabber:client' type='get'><y:q xmlns:y='u:a'><y:i/><x:j/></y:q></x:iq>",
         NS_CLIENT, "<iq type='get'><q xmlns='u:a'><i/><j xmlns='jabber:client'/></q></iq>",
         "prefixes go; content below a foreign element says so"},
        {"<message xmlns='jabber:client'><a xmlns=''/></message>", NS_CLIENT,
         "<message><a xmlns=''/></message>", "no namespace"},
        {"<message xmlns='jabber:client' xml:lang='de'><body xml:lang='en'>a</body></message>",
         NS_CLIENT, "<message xml:lang='de'><body xml:lang='en'>a</body></message>", "languages"},
        {"<message xmlns='jabber:client'><a p:b='1' xmlns:p='u:p&amp;' c='2'/></message>",
         NS_CLIENT, "<message><a xmlns:n0='u:p&amp;' n0:b='1' c='2'/></message>",
         "foreign attributes"},
        {"<message xmlns='jabber:client'><body a='&lt;&#10;&quot;&apos;'>&amp;&lt;\"'&#13;\n"
         "<![CDATA[<]]></body></message>",
         NS_CLIENT,
         "<message><body a='&lt;&#10;&quot;&apos;'>&amp;&lt;\"'&#13;\n&lt;</body></message>",
         "escapes"},
        {"<message xmlns='jabber:client' id=\"'&lt;\" odd='1'/>", NS_CLIENT,
         "<message id='&apos;&lt;' odd='1'/>",
         "envelope escapes; other attributes of the root stay"},
        {"<stream:features xmlns:stream='http://etherx.jabber.org/streams'><a xmlns='u:a'/>"
         "</stream:features>",
         NS_CLIENT, "<stream:features><a xmlns='u:a'/></stream:features>",
         "prefix that the header declares"},
        {"<db:result xmlns:db='jabber:server:dialback' from='a' to='b' type='error' xmlns="
         "'jabber:server'><error/></db:result>",
         NS_SERVER, "<db:result from='a' to='b' type='error'><error/></db:result>",
         "dialback with its prefix"},
        {"<r xmlns='urn:xmpp:sm:3'/>", NS_CLIENT, "<r xmlns='urn:xmpp:sm:3'/>", "a nonza"},
        {"<presence xmlns='jabber:client' type='unavailable'>a<b/>c</presence>", NS_CLIENT,
         "<presence type='unavailable'>a<b/>c</presence>", "mixed content keeps its order"},
    };
    struct bytes out = BYTES_EMPTY;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stanza *st = parsed(rows[i].in);
        if (strcmp(written(&out, st, rows[i].ns), rows[i].out) != 0)
            fail_msg("%s: %s", rows[i].proves, out.data);
        written(&out, st, NULL);
        struct stanza *again = parsed(out.data);
        struct bytes second = BYTES_EMPTY;
        assert_string_equal(written(&second, again, NULL), out.data);
        bytes_fini(&second);
        stanza_unref(&again);
        stanza_unref(&st);
    }
    bytes_fini(&out);
}

static void refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "<",
        "x",
        "<message xmlns='jabber:client'>",
        "<a/><b/>",
        "<a/>x",
        "<a/><",
        "<a></b>",
        "<!DOCTYPE a><a/>",
        "<a><!-- --></a>",
        "<a>&b;</a>",
        "<?x?><a/>",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (stanza_parse(rows[i], strlen(rows[i])))
            fail_msg("taken: %s", rows[i]);
}

static void types_table(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        enum stanza_kind kind;
        enum stanza_type type;
    } rows[] = {
        {"<message xmlns='jabber:client'/>", STANZA_MESSAGE, MESSAGE_NORMAL},
        {"<message xmlns='jabber:client' type='nonsense'/>", STANZA_MESSAGE, MESSAGE_NORMAL},
        {"<message xmlns='jabber:client' type='error'/>", STANZA_MESSAGE, MESSAGE_ERROR},
        {"<presence xmlns='jabber:client'/>", STANZA_PRESENCE, PRESENCE_AVAILABLE},
        {"<presence xmlns='jabber:client' type='chat'/>", STANZA_PRESENCE, STANZA_TYPE_UNKNOWN},
        {"<presence xmlns='jabber:client' type='subscribed'/>", STANZA_PRESENCE,
         PRESENCE_SUBSCRIBED},
        {"<iq xmlns='jabber:client'/>", STANZA_IQ, STANZA_TYPE_UNKNOWN},
        {"<iq xmlns='jabber:client' type='set'/>", STANZA_IQ, IQ_SET},
        {"<iq xmlns='u:x' type='set'/>", STANZA_NONZA, STANZA_TYPE_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stanza *st = parsed(rows[i].in);
        assert_int_equal(st->kind, rows[i].kind);
        assert_int_equal(st->type, rows[i].type);
        stanza_unref(&st);
    }
}

static void tree(void **state)
{
    (void)state;
    struct stanza *st = parsed(
        "<message xmlns='jabber:client' from='a@@b' to='c@d/e' xml:lang='de'><subject>s</subject>"
        "<body xml:lang='en'>hello <x xmlns='u:x' k='v'>in</x>there</body><body>hallo</body>"
        "<y xmlns='u:x'/></message>");
    assert_null(st->from);
    assert_true(st->from_malformed);
    assert_false(st->to_malformed);
    assert_string_equal(st->to->resource, "e");
    const struct element *body = stanza_child(st, "body", NULL);
    assert_string_equal(body->text, "hello there");
    assert_string_equal(element_attr_ns(body, NS_XML, "lang"), "en");
    assert_null(element_attr(body, "lang"));
    const struct element *x = element_child(body, "x", "u:x");
    assert_string_equal(element_attr(x, "k"), "v");
    assert_string_equal(x->text, "in");
    assert_true(span_eq_text(x->xml, "<x xmlns='u:x' k='v'>in</x>"));
    assert_string_equal(stanza_body(st), "hallo");
    assert_true(element_is(element_next(body, "y", "u:x"), "y", "u:x"));
    assert_null(stanza_child(st, "y", NULL));
    assert_string_equal(stanza_first(st)->text, "s");
    stanza_unref(&st);
    assert_null(st);
}

static void readdress(void **state)
{
    (void)state;
    struct bytes out = BYTES_EMPTY;
    struct arena a;
    arena_init(&a);
    struct stanza *st = parsed("<message xmlns='jabber:client' from='a@b' to='c@d' id='1' "
                               "type='chat'><body>x</body></message>");
    struct stanza *two = stanza_readdress(st, st->from, jid_parse_text(&a, "c@d/r"), SPAN("<s/>"));
    assert_ptr_equal(two->payload, st->payload);
    stanza_unref(&st); /* the payload lives on in the second envelope */
    struct stanza *three = stanza_readdress(two, NULL, two->to, SPAN("<t/>"));
    assert_string_equal(written(&out, two, NS_CLIENT),
                        "<message from='a@b' to='c@d/r' id='1' type='chat'><body>x</body><s/>"
                        "</message>");
    stanza_unref(&two);
    assert_string_equal(written(&out, three, NS_CLIENT),
                        "<message to='c@d/r' id='1' type='chat'><body>x</body><s/><t/></message>");
    stanza_unref(&three);
    arena_fini(&a);
    bytes_fini(&out);
}

static void builder(void **state)
{
    (void)state;
    struct builder b;
    struct bytes out = BYTES_EMPTY;
    build_begin(&b, STANZA_MESSAGE, MESSAGE_CHAT);
    build_id(&b, "i'd");
    build_leaf(&b, "body", NULL,
               "a\x01"
               "b\xff<\xef\xbf\xbf");
    build_open(&b, "x", "u:x");
    build_attr(&b, "absent", NULL);
    build_attr(&b, "k", "1\n2");
    build_leaf(&b, "y", NULL, "");
    build_close(&b);
    struct stanza *st = build_end(&b);
    assert_string_equal(written(&out, st, NS_CLIENT),
                        "<message id='i&apos;d' type='chat'><body>a\xef\xbf\xbd"
                        "b\xef\xbf\xbd&lt;"
                        "\xef\xbf\xbd</body><x xmlns='u:x' k='1&#10;2'><y/></x></message>");
    assert_string_equal(stanza_body(st), "a\xef\xbf\xbd"
                                         "b\xef\xbf\xbd<\xef\xbf\xbd");
    stanza_unref(&st);
    build_begin_nonza(&b, "features", NS_STREAM);
    build_leaf(&b, "starttls", NS_TLS, NULL);
    build_open(&b, "mechanisms", NS_SASL);
    build_leaf(&b, "mechanism", NULL, "PLAIN");
    build_close(&b);
    st = build_end(&b);
    assert_string_equal(written(&out, st, NS_CLIENT),
                        "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
                        "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN"
                        "</mechanism></mechanisms></stream:features>");
    stanza_unref(&st);
    build_begin(&b, STANZA_IQ, IQ_SET);
    build_open(&b, "x", "u:x");
    build_abort(&b);
    bytes_fini(&out);
}

/* A copy has the same bytes and the same tree, wherever it is put. */
static void copies(void **state)
{
    (void)state;
    static const char inner[] =
        "<q xmlns='u:q' a='1'>t<r>u</r>v<c xmlns='jabber:client'><d/></c></q>";
    struct bytes out = BYTES_EMPTY;
    bytes_printf(&out, "<iq xmlns='jabber:client' type='set'>%s</iq>", inner);
    struct stanza *st = parsed(out.data);
    struct builder b;
    build_begin(&b, STANZA_IQ, IQ_RESULT);
    build_open(&b, "w", "u:w");
    build_copy(&b, stanza_first(st));
    build_close(&b);
    struct stanza *copy = build_end(&b);
    stanza_unref(&st);
    const struct element *q = element_child(stanza_first(copy), "q", "u:q");
    assert_true(span_eq_text(q->xml, inner));
    assert_string_equal(q->text, "tv");
    const struct element *c = element_child(q, "c", NULL);
    assert_true(span_eq_text(c->xml, "<c xmlns='jabber:client'><d/></c>"));
    assert_true(span_eq_text(element_child(c, "d", NULL)->xml, "<d/>"));
    stanza_unref(&copy);
    bytes_fini(&out);
}

static void replies(void **state)
{
    (void)state;
    struct bytes out = BYTES_EMPTY;
    struct arena a;
    arena_init(&a);
    struct stanza *iq = parsed("<iq xmlns='jabber:client' from='a@b/c' to='d' id='7' type='get'>"
                               "<q xmlns='u:q'><r/></q></iq>");
    struct stanza *result = build_result(iq);
    assert_string_equal(written(&out, result, NS_CLIENT),
                        "<iq from='d' to='a@b/c' id='7' type='result'/>");
    assert_null(build_error(result, STANZA_BAD_REQUEST, NULL, NULL)); /* RFC 6120 8.3.1 */
    struct stanza *error =
        build_error(iq, STANZA_SERVICE_UNAVAILABLE, "no", jid_parse_text(&a, "d"));
    assert_string_equal(
        written(&out, error, NS_CLIENT),
        "<iq from='d' to='a@b/c' id='7' type='error'><q xmlns='u:q'><r/></q><error by='d' "
        "type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text "
        "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>no</text></error></iq>");
    assert_null(build_error(error, STANZA_BAD_REQUEST, NULL, NULL));
    stanza_unref(&error);
    stanza_unref(&result);
    stanza_unref(&iq);
    arena_fini(&a);
    bytes_fini(&out);
}

/* What an error returns is bounded. */
static void large_payload_is_not_returned(void **state)
{
    (void)state;
    struct builder b;
    char text[9000];
    memset(text, 'x', sizeof text);
    build_begin(&b, STANZA_MESSAGE, MESSAGE_CHAT);
    build_leaf(&b, "subject", NULL, "s");
    build_open(&b, "body", NULL);
    build_text_n(&b, text, sizeof text);
    build_close(&b);
    struct stanza *st = build_end(&b);
    struct stanza *error = build_error(st, STANZA_NOT_ALLOWED, NULL, NULL);
    assert_true(error->payload->xml.len < 1000);
    assert_non_null(stanza_child(error, "subject", NULL));
    stanza_unref(&error);
    stanza_unref(&st);
}

/* One payload, in the message and in what forwards it; it outlives the message. */
static void forward(void **state)
{
    (void)state;
    struct bytes out = BYTES_EMPTY;
    struct arena a;
    arena_init(&a);
    struct stanza *st = parsed("<message xmlns='jabber:client' from='a@b/c' to='d@e' type='chat' id=\"1'\" xml:lang='de'>"
                               "<body>.</body><x xmlns='u:x'/></message>");
    struct stanza *with = stanza_readdress(st, st->from, st->to, SPAN("<y xmlns='u:y'/>"));
    const char *bytes = st->payload->xml.data;
    struct stanza *all = stanza_forward(with, "received", NS_CARBONS, jid_parse_text(&a, "d@e"));
    struct stanza *one = stanza_readdress(all, all->from, jid_parse_text(&a, "d@e/f"), (struct span){0});
    stanza_unref(&all);
    stanza_unref(&with);
    stanza_unref(&st);
    assert_ptr_equal(one->payload->inner->xml.data, bytes);
    assert_string_equal(
        written(&out, one, NS_CLIENT),
        "<message from='d@e' to='d@e/f' type='chat'><received xmlns='urn:xmpp:carbons:2'><forwarded "
        "xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='a@b/c' to='d@e' id='1&apos;' type='chat' "
        "xml:lang='de'><body>.</body><x xmlns='u:x'/><y xmlns='u:y'/></message></forwarded></received></message>");
    const struct element *e = stanza_child(one, "received", NS_CARBONS);
    e = element_child(element_child(e, "forwarded", NS_FORWARD), "message", NS_CLIENT);
    assert_string_equal(element_attr(e, "id"), "1'");
    assert_string_equal(element_child(e, "body", NULL)->text, ".");
    assert_string_equal(e->text, "");
    stanza_unref(&one);
    arena_fini(&a);
    bytes_fini(&out);
}

static void errors(void **state)
{
    (void)state;
    assert_string_equal(stanza_error_name(STANZA_ITEM_NOT_FOUND), "item-not-found");
    assert_string_equal(stanza_error_type(STANZA_ITEM_NOT_FOUND), "cancel");
    assert_null(stanza_error_name(STANZA_OK));
    assert_int_equal(stanza_error_parse("item-not-found"), STANZA_ITEM_NOT_FOUND);
    assert_int_equal(stanza_error_parse("what"), STANZA_UNDEFINED_CONDITION);
    assert_int_equal(stanza_error_parse(NULL), STANZA_UNDEFINED_CONDITION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_table),
        cmocka_unit_test(refused),
        cmocka_unit_test(types_table),
        cmocka_unit_test(tree),
        cmocka_unit_test(readdress),
        cmocka_unit_test(builder),
        cmocka_unit_test(copies),
        cmocka_unit_test(replies),
        cmocka_unit_test(large_payload_is_not_returned),
        cmocka_unit_test(forward),
        cmocka_unit_test(errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
