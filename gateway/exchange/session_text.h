/* SPDX-License-Identifier: MIT */
/* PURE: what people are told about a messaging session, in words that an ordinary client shows, with
 * <contact xmlns='urn:causeway:contact:1'/> for machines. Every stanza made here but the
 * receipt (which has no body) carries it, so none makes a request, a notice or a wake anywhere. */
#ifndef CAUSEWAY_EXCHANGE_SESSION_TEXT_H
#define CAUSEWAY_EXCHANGE_SESSION_TEXT_H

#include "gateway/base/arena.h"
#include "gateway/xmpp/stanza.h"

/* The languages that people are told things in. */
#define SESSION_TEXT_LANGUAGES(L) L(EN, "en") L(DE, "de") L(FR, "fr") L(ES, "es") L(NL, "nl") L(IT, "it") L(PT, "pt")
enum session_text_language {
#define SESSION_TEXT_ENUM(name, code) SESSION_TEXT_##name,
    SESSION_TEXT_LANGUAGES(SESSION_TEXT_ENUM)
#undef SESSION_TEXT_ENUM
};
enum session_text_language session_text_language_of(const char *lang); /* the nearest; NULL: not said */
const char *session_text_language_code(enum session_text_language l);

/* May it make a request, a wake or a device delivery at all? Not what carries urn:causeway:contact:1,
 * is delayed (XEP-0203, XEP-0091), or is of type error. */
bool session_text_is_machine(const struct stanza *msg); /* carries urn:causeway:contact:1 */
bool session_text_is_delayed(const struct stanza *msg);

/* Can nobody but the recipient's client read it (XEP-0380, or no body at all)? */
bool session_text_is_sealed(const struct stanza *msg);
/* XEP-0131 Urgency: "low", "medium", "high", "emergency"; NULL: not said. In the stanza. */
const char *session_text_urgency(const struct stanza *msg);
/* First lines of what a message says, for the prompt: at most three lines and 240 bytes. */
const char *session_text_excerpt(struct arena *a, const struct stanza *msg);

/* The asker's notice that the message waits, in the language nearest to `lang`. */
struct stanza *session_text_waits(const struct jid *asked, const struct jid *asker, const char *lang);
/* To who wrote, if they may know: no device was told, and why not. */
enum session_untold {
    SESSION_UNTOLD_ENOUGH, /* they, or their community, have caused enough for now */
    SESSION_UNTOLD_SPENT,  /* a budget is spent */
    SESSION_UNTOLD_FAILED, /* each device refused, or did not answer */
};
struct stanza *session_text_untold(const struct jid *callee, const struct jid *peer, const char *lang,
                                   enum session_untold why);
/* To somebody who may know: "told by text message". `device` as contact-router names it. */
struct stanza *session_text_told(const struct jid *callee, const struct jid *peer, const char *lang,
                                 const char *device);

struct session_prompt {
    const struct jid *domain, *callee;
    const char *peer;     /* bare JID of the asker */
    unsigned number;
    const char *excerpt;  /* NULL: none */
};
/* The callee's prompt: chat from the domain, with quick responses (XEP-0439). */
struct stanza *session_text_prompt(const struct session_prompt *p);

/* A line from the domain to somebody who wrote it one. */
struct stanza *session_text_reply(const struct jid *domain, const struct jid *to, const char *text);
/* What the callee answered by a device; `dedup` becomes the id. */
struct stanza *session_text_answer(const struct jid *callee, const struct jid *peer, const char *text,
                                   const char *via, const char *dedup, bool was_sealed);
/* XEP-0184: the device has it. */
struct stanza *session_text_receipt(const struct jid *callee, const struct jid *to, const char *id);

#endif
