/* SPDX-License-Identifier: MIT */
/* The words. A notice says the same to everybody who may not know more: nothing in it depends on the
 * callee but the address that the asker wrote to. */
#include "gateway/exchange/session_text.h"

#include <string.h>

#include "gateway/base/bytes.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

#define NS_QUICK_RESPONSE "urn:xmpp:tmp:quick-response"
#define NS_SHIM "http://jabber.org/protocol/shim"

enum { EXCERPT_LINES = 3, EXCERPT_BYTES = 240 };

/* ---- reading ---- */

bool session_text_is_machine(const struct stanza *msg)
{
    for (const struct element *e = stanza_first(msg); e; e = e->next)
        if (text_eq(e->ns, NS_CONTACT))
            return true;
    return false;
}

bool session_text_is_delayed(const struct stanza *msg)
{
    return stanza_child(msg, "delay", NS_DELAY) || stanza_child(msg, "x", "jabber:x:delay");
}

bool session_text_is_sealed(const struct stanza *msg)
{
    return stanza_child(msg, "encryption", NS_EME) || !stanza_body(msg);
}

const char *session_text_urgency(const struct stanza *msg)
{
    static const char *const known[] = {"low", "medium", "high", "emergency"};
    const struct element *headers = stanza_child(msg, "headers", NS_SHIM);
    for (const struct element *h = headers ? headers->first_child : NULL; h; h = h->next)
        if (element_is(h, "header", NS_SHIM) && text_eq_nocase(element_attr(h, "name"), "Urgency"))
            for (size_t i = 0; i < sizeof known / sizeof *known; i++)
                if (text_eq_nocase(h->text, known[i]))
                    return known[i];
    return NULL;
}

/* The room of an invitation, direct (XEP-0249) or mediated (XEP-0045 7.8.2); NULL: none. */
static const char *invited_to(const struct stanza *msg)
{
    const struct element *direct = stanza_child(msg, "x", NS_CONFERENCE);
    if (direct)
        return element_attr(direct, "jid");
    const struct element *user = stanza_child(msg, "x", NS_MUC_USER);
    if (user && element_child(user, "invite", NS_MUC_USER) && msg->from)
        return msg->from->bare;
    return NULL;
}

/* Cuts at a whole character: a continuation byte is 10xxxxxx. */
static size_t whole_characters(const char *text, size_t len)
{
    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    return len;
}

const char *session_text_excerpt(struct arena *a, const struct stanza *msg)
{
    const char *room = invited_to(msg);
    if (room)
        return arena_printf(a, "(an invitation to the room %s)", room);
    if (session_text_is_sealed(msg))
        return "(an encrypted message: you can read it when you have accepted)";
    const char *body = stanza_body(msg);
    size_t end = 0, lines = 1;
    while (body[end] && end < EXCERPT_BYTES && lines <= EXCERPT_LINES)
        if (body[end++] == '\n')
            lines++;
    bool cut = body[end] != '\0';
    end = whole_characters(body, end);
    while (end > 0 && (body[end - 1] == '\n' || body[end - 1] == '\r'))
        end--;
    return arena_printf(a, "%.*s%s", (int)end, body, cut ? " ..." : "");
}

/* ---- languages ---- */

static const char *const codes[] = {
#define SESSION_TEXT_CODE(name, code) code,
    SESSION_TEXT_LANGUAGES(SESSION_TEXT_CODE)
#undef SESSION_TEXT_CODE
};

struct words {
    const char *waits;
    const char *told_sms, *told_mail, *told_call, *told_other;
    const char *untold[3]; /* by enum session_untold */
};

static const struct words languages[] = {
    [SESSION_TEXT_EN] =
    {"[Your message waits until the recipient accepts it.]",
     "[The recipient was told by text message.]",
     "[The recipient was told by e-mail.]",
     "[The recipient was told by telephone.]",
     "[The recipient was told by a device.]",
     {"[No device was told of this message: for now there were enough. It can be read after the next log-on.]",
      "[No device was told of this message: the budget for that is spent. It can be read after the next log-on.]",
      "[No device could be reached with this message. It can be read after the next log-on.]"}},
    [SESSION_TEXT_DE] =
    {"[Ihre Nachricht wartet, bis sie angenommen wird.]",
     "[Die angeschriebene Person wurde per SMS benachrichtigt.]",
     "[Die angeschriebene Person wurde per E-Mail benachrichtigt.]",
     "[Die angeschriebene Person wurde per Telefon benachrichtigt.]",
     "[Die angeschriebene Person wurde über ein Gerät benachrichtigt.]",
     {"[Von dieser Nachricht wurde kein Gerät benachrichtigt: Fürs Erste waren es genug. Nach der nächsten Anmeldung "
      "ist sie zu lesen.]",
      "[Von dieser Nachricht wurde kein Gerät benachrichtigt: Das Budget dafür ist verbraucht. Nach der nächsten "
      "Anmeldung ist sie zu lesen.]",
      "[Mit dieser Nachricht war kein Gerät zu erreichen. Nach der nächsten Anmeldung ist sie zu lesen.]"}},
    [SESSION_TEXT_FR] =
    {"[Votre message attend d'être accepté par le destinataire.]",
     "[Le destinataire a été prévenu par SMS.]",
     "[Le destinataire a été prévenu par e-mail.]",
     "[Le destinataire a été prévenu par téléphone.]",
     "[Le destinataire a été prévenu par un appareil.]",
     {"[Aucun appareil n'a été prévenu de ce message : il y en a eu assez pour l'instant. Il sera lisible à la "
      "prochaine connexion.]",
      "[Aucun appareil n'a été prévenu de ce message : le budget prévu est épuisé. Il sera lisible à la prochaine "
      "connexion.]",
      "[Aucun appareil n'a pu être joint pour ce message. Il sera lisible à la prochaine connexion.]"}},
    [SESSION_TEXT_ES] =
    {"[Su mensaje espera a que el destinatario lo acepte.]",
     "[Se ha avisado al destinatario por SMS.]",
     "[Se ha avisado al destinatario por correo electrónico.]",
     "[Se ha avisado al destinatario por teléfono.]",
     "[Se ha avisado al destinatario por un dispositivo.]",
     {"[No se avisó a ningún dispositivo de este mensaje: por ahora hubo bastantes. Podrá leerse en la próxima "
      "conexión.]",
      "[No se avisó a ningún dispositivo de este mensaje: el presupuesto se ha agotado. Podrá leerse en la próxima "
      "conexión.]",
      "[Ningún dispositivo pudo ser avisado de este mensaje. Podrá leerse en la próxima conexión.]"}},
    [SESSION_TEXT_NL] =
    {"[Uw bericht wacht tot de ontvanger het accepteert.]",
     "[De ontvanger is per sms ingelicht.]",
     "[De ontvanger is per e-mail ingelicht.]",
     "[De ontvanger is per telefoon ingelicht.]",
     "[De ontvanger is via een apparaat ingelicht.]",
     {"[Geen apparaat is over dit bericht ingelicht: voorlopig waren het er genoeg. Het is te lezen na de volgende "
      "aanmelding.]",
      "[Geen apparaat is over dit bericht ingelicht: het budget daarvoor is op. Het is te lezen na de volgende "
      "aanmelding.]",
      "[Met dit bericht was geen apparaat te bereiken. Het is te lezen na de volgende aanmelding.]"}},
    [SESSION_TEXT_IT] =
    {"[Il tuo messaggio attende che il destinatario lo accetti.]",
     "[Il destinatario è stato avvisato via SMS.]",
     "[Il destinatario è stato avvisato via e-mail.]",
     "[Il destinatario è stato avvisato per telefono.]",
     "[Il destinatario è stato avvisato su un dispositivo.]",
     {"[Nessun dispositivo è stato avvisato di questo messaggio: per ora sono bastati. Si potrà leggere al prossimo "
      "accesso.]",
      "[Nessun dispositivo è stato avvisato di questo messaggio: il budget è esaurito. Si potrà leggere al prossimo "
      "accesso.]",
      "[Nessun dispositivo è stato raggiungibile per questo messaggio. Si potrà leggere al prossimo accesso.]"}},
    [SESSION_TEXT_PT] =
    {"[A sua mensagem espera que o destinatário a aceite.]",
     "[O destinatário foi avisado por SMS.]",
     "[O destinatário foi avisado por e-mail.]",
     "[O destinatário foi avisado por telefone.]",
     "[O destinatário foi avisado por um dispositivo.]",
     {"[Nenhum dispositivo foi avisado desta mensagem: por agora já foram bastantes. Poderá ser lida na próxima "
      "ligação.]",
      "[Nenhum dispositivo foi avisado desta mensagem: o orçamento está esgotado. Poderá ser lida na próxima ligação.]",
      "[Não foi possível avisar nenhum dispositivo desta mensagem. Poderá ser lida na próxima ligação.]"}},
};

/* RFC 4647 lookup, as far as we have languages: "de-CH" finds "de". */
enum session_text_language session_text_language_of(const char *lang)
{
    for (size_t i = 0; lang && i < sizeof codes / sizeof *codes; i++) {
        char primary[3];
        (void)text_copy(primary, sizeof primary, lang);
        bool ends = strlen(lang) == 2 || (strlen(lang) > 2 && lang[2] == '-');
        if (ends && text_eq_nocase(primary, codes[i]))
            return (enum session_text_language)i;
    }
    return SESSION_TEXT_EN;
}

const char *session_text_language_code(enum session_text_language l)
{
    return codes[l];
}

static const struct words *words_of(const char *lang)
{
    return &languages[session_text_language_of(lang)];
}

static const char *told_by(const struct words *w, const char *device)
{
    if (text_eq(device, "text message"))
        return w->told_sms;
    if (text_eq(device, "e-mail"))
        return w->told_mail;
    if (text_eq(device, "phone call"))
        return w->told_call;
    return w->told_other;
}

/* ---- making ---- */

static void begin(struct builder *b, const struct jid *from, const struct jid *to)
{
    char id[RANDOM_ID_LEN + 1];
    random_id(id);
    build_begin(b, STANZA_MESSAGE, MESSAGE_CHAT);
    build_from(b, from);
    build_to(b, to);
    build_id(b, id);
}

static void add_contact(struct builder *b, const char *state)
{
    build_open(b, "contact", NS_CONTACT);
    build_attr(b, "state", state);
    build_close(b);
}

static struct stanza *notice(const struct jid *from, const struct jid *to, const char *lang,
                             const char *body, const char *state)
{
    struct builder b;
    begin(&b, from, to);
    build_lang(&b, session_text_language_code(session_text_language_of(lang)));
    build_leaf(&b, "body", NULL, body);
    add_contact(&b, state);
    build_leaf(&b, "no-copy", NS_HINTS, NULL);
    build_leaf(&b, "no-permanent-store", NS_HINTS, NULL);
    return build_end(&b);
}

struct stanza *session_text_waits(const struct jid *asked, const struct jid *asker, const char *lang)
{
    const struct words *w = words_of(lang);
    return notice(asked, asker, lang, w->waits, "waiting");
}

struct stanza *session_text_told(const struct jid *callee, const struct jid *peer, const char *lang,
                                 const char *device)
{
    const struct words *w = words_of(lang);
    return notice(callee, peer, lang, told_by(w, device), "routed");
}

struct stanza *session_text_untold(const struct jid *callee, const struct jid *peer, const char *lang,
                                   enum session_untold why)
{
    const struct words *w = words_of(lang);
    return notice(callee, peer, lang, w->untold[why], "untold");
}

static void add_quick_response(struct builder *b, const char *verb, unsigned number, const char *label)
{
    struct bytes value = BYTES_EMPTY;
    bytes_printf(&value, "%s %u", verb, number);
    build_open(b, "response", NS_QUICK_RESPONSE);
    build_attr(b, "value", bytes_text(&value));
    build_attr(b, "label", label);
    build_close(b);
    bytes_fini(&value);
}

/* Each line of what a stranger wrote is marked as theirs: it cannot pass for our own words. */
static void add_quoted(struct bytes *out, const char *text)
{
    bytes_append_text(out, "> ");
    for (; *text; text++) {
        if (*text != '\r')
            bytes_append_char(out, *text);
        if (*text == '\n')
            bytes_append_text(out, "> ");
    }
    bytes_append_char(out, '\n');
}

static void prompt_body(struct bytes *out, const struct session_prompt *p)
{
    bytes_printf(out, "%s would like to write to you", p->peer);
    if (p->excerpt) {
        bytes_append_text(out, ":\n");
        add_quoted(out, p->excerpt);
    } else {
        bytes_append_text(out, ".\n");
    }
    bytes_printf(out,
                 "Answer \"accept %u\" to let them in, \"decline %u\" to say nothing, or \"block %u\" to hear "
                 "no more of them. Writing to %s also accepts.",
                 p->number, p->number, p->number, p->peer);
}

struct stanza *session_text_prompt(const struct session_prompt *p)
{
    struct builder b;
    struct bytes text = BYTES_EMPTY;
    begin(&b, p->domain, p->callee);
    prompt_body(&text, p);
    build_leaf(&b, "body", NULL, bytes_text(&text));
    bytes_clear(&text);
    bytes_printf(&text, "%u", p->number);
    build_open(&b, "contact", NS_CONTACT);
    build_attr(&b, "state", "asked");
    build_attr(&b, "peer", p->peer);
    build_attr(&b, "number", bytes_text(&text));
    build_close(&b);
    bytes_fini(&text);
    add_quick_response(&b, "accept", p->number, "Accept");
    add_quick_response(&b, "decline", p->number, "Decline");
    add_quick_response(&b, "block", p->number, "Block");
    return build_end(&b);
}

struct stanza *session_text_reply(const struct jid *domain, const struct jid *to, const char *text)
{
    struct builder b;
    begin(&b, domain, to);
    build_leaf(&b, "body", NULL, text);
    add_contact(&b, "reply");
    return build_end(&b);
}

struct stanza *session_text_answer(const struct jid *callee, const struct jid *peer, const char *text,
                                   const char *via, const char *dedup, bool was_sealed)
{
    struct builder b;
    struct bytes body = BYTES_EMPTY;
    if (was_sealed)
        bytes_append_text(&body, text_eq(via, "email")  ? "[by e-mail, not encrypted] "
                                 : text_eq(via, "pager") ? "[by pager, not encrypted] "
                                 : text_eq(via, "voice") ? "[by telephone, not encrypted] "
                                                        : "[by text message, not encrypted] ");
    bytes_append_text(&body, text ? text : "");
    begin(&b, callee, peer);
    if (dedup)
        build_id(&b, dedup);
    build_leaf(&b, "body", NULL, bytes_text(&body));
    build_open(&b, "contact", NS_CONTACT);
    build_attr(&b, "state", "answer");
    build_attr(&b, "via", via);
    build_close(&b);
    bytes_fini(&body);
    return build_end(&b);
}

struct stanza *session_text_receipt(const struct jid *callee, const struct jid *to, const char *id)
{
    struct builder b;
    begin(&b, callee, to);
    build_open(&b, "received", NS_RECEIPTS);
    build_attr(&b, "id", id);
    build_close(&b);
    build_leaf(&b, "store", NS_HINTS, NULL);
    return build_end(&b);
}
