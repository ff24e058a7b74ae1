/* SPDX-License-Identifier: MIT */
/* Contact requests of the one who asks: who waits, and accept, decline, block, forget. The same decisions as
 * by lines to the domain (gateway/exchange/session_command.c). */
#include "gateway/admin/admin.h"
#include "gateway/admin/session_table.h"
#include "gateway/base/text.h"
#include "gateway/exchange/session.h"
#include "gateway/xmpp/datetime.h"
#include "gateway/xmpp/ns.h"

#define NODE(name) NS_CONTACT "#" name

/* ---- listing ---- */

static const struct listing_column columns[] = {
    {"number", "Number"}, {"peer", "Who"}, {"state", "State"}, {"messages", "Messages"},
    {"says", "First words"}, {"until", "Waits until"}, {NULL, NULL},
};

static void list_requests(struct person *p, void *user)
{
    struct adhoc_call *c = user;
    struct session_request *found = NULL;
    struct arena *a = adhoc_arena(c);
    unsigned count = p ? session_requests(p, a, &found) : 0;
    adhoc_columns(c, columns);
    for (unsigned i = 0; i < count; i++) {
        const struct session_request *r = &found[i];
        char until[DATETIME_MAX] = "";
        if (r->expires_us)
            datetime_write(until, r->expires_us);
        adhoc_row(c, (const char *[]){r->number ? arena_printf(a, "%u", r->number) : NULL, r->peer,
                                      consent_state_name(r->state), arena_printf(a, "%u", r->held), r->excerpt, until});
    }
    if (!count)
        adhoc_note(c, "Nobody is waiting for your answer, and you have decided about nobody.");
    adhoc_finish(c);
}

static void run_list(struct adhoc_call *c)
{
    exchange_with_person(adhoc_exchange(c), adhoc_asker(c)->bare, list_requests, c);
}

/* ---- deciding ---- */

static enum consent_event event_of(const struct adhoc_call *c)
{
    const char *what = adhoc_text(c, "decision");
    return text_eq(what, "accept")   ? CONSENT_ACCEPT_EVENT
           : text_eq(what, "block")  ? CONSENT_BLOCK_EVENT
           : text_eq(what, "forget") ? CONSENT_REVOKE_EVENT
                                     : CONSENT_DECLINE_EVENT;
}

static void on_decided(void *user, const struct error *e)
{
    struct adhoc_call *c = user;
    if (e->code != ERROR_NONE) {
        adhoc_refuse(c, STANZA_RESOURCE_CONSTRAINT, "that could not be saved; try again later");
        return;
    }
    const char *what = adhoc_text(c, "decision");
    adhoc_note(c, "%s: %s", adhoc_text(c, "peer"), *what ? what : "block");
    adhoc_finish(c);
}

static void decide(struct person *p, void *user)
{
    struct adhoc_call *c = user;
    const struct jid *peer = jid_parse_text(adhoc_arena(c), adhoc_text(c, "peer"));
    bool openly = text_eq(adhoc_text(c, "decision"), "decline-openly");
    if (!p || !session_decide(p, peer, event_of(c), openly, on_decided, c))
        adhoc_refuse(c, STANZA_ITEM_NOT_FOUND, "there is nothing of %s to decide", peer->bare);
}

static void run_decide(struct adhoc_call *c)
{
    exchange_with_person(adhoc_exchange(c), adhoc_asker(c)->bare, decide, c);
}

static void offer_requests(struct person *p, void *user)
{
    struct adhoc_call *c = user;
    struct session_request *found = NULL;
    unsigned count = p ? session_requests(p, adhoc_arena(c), &found) : 0;
    for (unsigned i = 0; i < count; i++)
        adhoc_offer(c, "peer",
                    arena_printf(adhoc_arena(c), "%s (%s)", found[i].peer, consent_state_name(found[i].state)),
                    found[i].peer);
    adhoc_ask_offered(c, "peer", "Nobody is waiting for your answer, and you have decided about nobody.");
}

static void show_requests(struct adhoc_call *c)
{
    exchange_with_person(adhoc_exchange(c), adhoc_asker(c)->bare, offer_requests, c);
}

static void block(struct person *p, void *user)
{
    struct adhoc_call *c = user;
    const struct jid *peer = jid_parse_text(adhoc_arena(c), adhoc_text(c, "peer"));
    if (!p || !session_decide(p, peer, CONSENT_BLOCK_EVENT, false, on_decided, c))
        adhoc_refuse(c, STANZA_NOT_ALLOWED, "%s cannot be blocked", peer->bare);
}

static void run_block(struct adhoc_call *c)
{
    exchange_with_person(adhoc_exchange(c), adhoc_asker(c)->bare, block, c);
}

/* ---- conversations ---- */

static void run_sessions(struct adhoc_call *c)
{
    session_table_show(c, adhoc_asker(c)->bare);
}

/* ---- the table ---- */

static const struct form_option decisions[] = {
    {"Let them in; what they wrote arrives", "accept"},
    {"Decline, and say nothing", "decline"},
    {"Decline, and tell them so", "decline-openly"},
    {"Block", "block"},
    {"Take back what was decided", "forget"},
    {NULL, NULL},
};
static const struct adhoc_field decide_fields[] = {
    {.type = FORM_LIST_SINGLE, .var = "peer", .label = "Who", .required = true, .max_bytes = 3071},
    {.type = FORM_LIST_SINGLE,
     .var = "decision",
     .label = "Your answer",
     .value = "accept",
     .required = true,
     .options = decisions},
    {0},
};
static const struct adhoc_field block_fields[] = {
    {.type = FORM_JID_SINGLE, .var = "peer", .label = "Whom", .required = true},
    {0},
};
static const struct adhoc_stage decide_stages[] = {
    {.title = "Answer a contact request", .fields = decide_fields, .show = show_requests}};
static const struct adhoc_stage block_stages[] = {{.title = "Block somebody", .fields = block_fields}};

const struct adhoc_command my_requests[] = {
    {.node = NODE("requests"), .name = "Contact requests", .who = ADHOC_PERSON, .run = run_list},
    {.node = NODE("conversations"), .name = "My conversations", .who = ADHOC_PERSON, .run = run_sessions},
    {.node = NODE("answer"), .name = "Answer a contact request", .who = ADHOC_PERSON,
     .stages = decide_stages, .stage_count = 1, .run = run_decide},
    {.node = NODE("block"), .name = "Block somebody", .who = ADHOC_PERSON,
     .stages = block_stages, .stage_count = 1, .run = run_block},
    {0},
};
