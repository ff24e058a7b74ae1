/* SPDX-License-Identifier: MIT */
/* What messages weigh, and the ids that are taken out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/base/bytes.h"
#include "gateway/exchange/message.h"
#include "gateway/xmpp/ns.h"

#define HINT(name) "<" name " xmlns='urn:xmpp:hints'/>"
#define COMPOSING  "<composing xmlns='http://jabber.org/protocol/chatstates'/>"

static struct stanza *message(const char *type, const char *children)
{
    struct bytes xml = BYTES_EMPTY;
    bytes_printf(&xml, "<message xmlns='jabber:client' from='a@a' to='b@b' type='%s'>%s</message>",
                 type, children);
    struct stanza *st = stanza_parse(xml.data, xml.len);
    assert_non_null(st);
    bytes_fini(&xml);
    return st;
}

/* clang-format off */
static const struct row {
    const char *proves, *type, *children;
    bool keep, archive, says, state;
} rows[] = {
    {"a body", "chat", "<body>x</body>", 1, 1, 1, 0},
    {"normal is a conversation too", "normal", "<body>x</body>", 1, 1, 1, 0},
    {"a body with a state", "chat", "<body>x</body>" COMPOSING, 1, 1, 1, 0},
    {"a state alone is passed on and forgotten", "chat", COMPOSING, 0, 0, 0, 1},
    {"a state in a thread", "chat", COMPOSING "<thread>t</thread>", 0, 0, 0, 1},
    {"real-time text is passed on and forgotten", "chat", "<rtt xmlns='urn:xmpp:rtt:0' seq='1'><t>Hel</t></rtt>", 0, 0, 0, 1},
    {"so is its beginning and end", "chat", "<rtt xmlns='urn:xmpp:rtt:0' event='init'/>", 0, 0, 0, 1},
    {"what was typed in the end is kept", "chat", "<body>Hello</body><rtt xmlns='urn:xmpp:rtt:0' event='cancel'/>", 1, 1, 1, 0},
    {"groupchat belongs to the room", "groupchat", "<body>x</body>", 0, 0, 0, 0},
    {"a headline is news, not mail", "headline", "<body>x</body>", 0, 0, 0, 0},
    {"an error", "error", "<body>x</body>", 0, 0, 0, 0},
    {"no-store: waits for the recipient, not archived", "chat", "<body>x</body>" HINT("no-store"), 1, 0, 1, 0},
    {"no-permanent-store", "chat", "<body>x</body>" HINT("no-permanent-store"), 1, 0, 1, 0},
    {"encrypted, named by 0380", "chat", "<encryption xmlns='urn:xmpp:eme:0' namespace='x'/><x xmlns='y'/>", 1, 1, 1, 0},
    {"OMEMO", "chat", "<encrypted xmlns='eu.siacs.conversations.axolotl'/>", 1, 1, 1, 0},
    {"a receipt is kept, and is no speech", "chat", "<received xmlns='urn:xmpp:receipts' id='1'/>", 1, 1, 0, 1},
    {"a marker too", "chat", "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", 1, 1, 0, 1},
    {"a marker that is not to be stored", "chat",
     "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>" HINT("no-store"), 0, 0, 0, 1},
    {"a state that is to be stored", "chat", COMPOSING HINT("store"), 1, 1, 0, 1},
    {"what we do not know may matter", "chat", "<reactions xmlns='urn:xmpp:reactions:0' id='1'/>", 1, 1, 0, 0},
    {"direct invitation", "normal", "<x xmlns='jabber:x:conference' jid='r@c'/>", 1, 1, 1, 0},
    {"mediated invitation", "normal", "<x xmlns='http://jabber.org/protocol/muc#user'><invite to='b@b'/></x>", 1, 1, 1, 0},
    {"a subject", "normal", "<subject>s</subject>", 1, 1, 0, 0},
    {"store and no-store: it waits, and is not archived", "chat", COMPOSING HINT("store") HINT("no-store"), 1, 0, 0, 1},
    {"no-permanent-store of what only accompanies", "chat",
     "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>" HINT("no-permanent-store"), 1, 0, 0, 1},
    {"no-copy says nothing about keeping", "chat", "<body>x</body>" HINT("no-copy"), 1, 1, 1, 0},
    {"a hint alone", "chat", HINT("no-copy"), 0, 0, 0, 0},
    {"store alone", "normal", HINT("store"), 1, 1, 0, 0},
    {"a hint of the future", "chat", "<body>x</body>" HINT("no-delay"), 1, 1, 1, 0},
    {"a hint in another namespace is none", "chat", "<body>x</body><no-store xmlns='urn:example'/>", 1, 1, 1, 0},
    {"a hint inside something is none", "chat", "<body>x</body><x xmlns='urn:example'>" HINT("no-store") "</x>", 1, 1, 1, 0},
    {"news that are to be stored", "headline", "<body>x</body>" HINT("store"), 1, 1, 0, 0},
    {"news with both", "headline", "<body>x</body>" HINT("store") HINT("no-store"), 0, 0, 0, 0},
    {"news, for the moment", "headline", "<body>x</body>" HINT("store") HINT("no-permanent-store"), 1, 0, 0, 0},
    {"a hint in an error is what it answers had", "error", "<body>x</body>" HINT("store"), 0, 0, 0, 0},
    {"a room keeps its own", "groupchat", "<body>x</body>" HINT("store"), 0, 0, 0, 0},
    {"nothing", "chat", "", 0, 0, 0, 0},
};
/* clang-format on */

static void weights(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *r = &rows[i];
        struct stanza *st = message(r->type, r->children);
        struct message_weight w = message_weigh(st);
        if (w.keep != r->keep || w.archive != r->archive || w.says != r->says ||
            message_is_state(st) != r->state)
            fail_msg("%s: keep %d archive %d says %d state %d", r->proves, w.keep, w.archive,
                     w.says, message_is_state(st));
        stanza_unref(&st);
    }
}

static void ids(void **state)
{
    (void)state;
    struct stanza *st =
        message("chat", "<stanza-id xmlns='urn:xmpp:sid:0' by='b@b' id='1'/><body>x</body>"
                        "<stanza-id xmlns='urn:xmpp:sid:0' by='B@b' id='3'/>"
                        "<stanza-id xmlns='urn:xmpp:sid:0' by='room@c' id='2'/>");
    struct stanza *clean = message_strip(st, "b@b"), *same = message_strip(clean, "b@b");
    assert_ptr_equal(clean, same);
    const struct element *left = stanza_child(clean, "stanza-id", NS_SID);
    assert_string_equal(element_attr(left, "by"), "room@c");
    assert_null(element_next(left, "stanza-id", NS_SID));
    assert_string_equal(stanza_body(clean), "x");
    stanza_unref(&st);
    stanza_unref(&clean);
    stanza_unref(&same);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(weights), cmocka_unit_test(ids)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
