/* SPDX-License-Identifier: MIT */
/* The words, and the stanza. It is not archived (XEP-0334) and not copied: it is of no use later. */
#include "gateway/exchange/delayed.h"

#include <string.h>

#include "gateway/base/bytes.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/exchange/session_text.h"
#include "gateway/xmpp/datetime.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

/* By SESSION_TEXT_LANGUAGES; {T} to whom, {U} until when. */
static const char *const words[] = {
    [SESSION_TEXT_EN] =
        "[Your message to {T} has not arrived yet: the server there cannot be reached. It is tried until {U} "
        "UTC; if that fails, you get an error.]",
    [SESSION_TEXT_DE] =
        "[Ihre Nachricht an {T} ist noch nicht angekommen: Der Server dort ist nicht erreichbar. Bis {U} UTC "
        "wird es weiter versucht; danach bekämen Sie eine Fehlermeldung.]",
    [SESSION_TEXT_FR] =
        "[Votre message à {T} n'est pas encore arrivé : son serveur est injoignable. De nouveaux essais sont "
        "faits jusqu'au {U} UTC ; en cas d'échec vous recevrez une erreur.]",
    [SESSION_TEXT_ES] =
        "[Su mensaje para {T} aún no ha llegado: no se puede contactar con su servidor. Se intentará hasta "
        "{U} UTC; si falla, recibirá un error.]",
    [SESSION_TEXT_NL] =
        "[Uw bericht aan {T} is nog niet aangekomen: de server daar is niet bereikbaar. Het wordt tot {U} UTC"
        " geprobeerd; lukt dat niet, dan krijgt u een foutmelding.]",
    [SESSION_TEXT_IT] =
        "[Il tuo messaggio a {T} non è ancora arrivato: il suo server non è raggiungibile. Si proverà fino al"
        " {U} UTC; se non riesce, riceverai un errore.]",
    [SESSION_TEXT_PT] =
        "[A sua mensagem para {T} ainda não chegou: o servidor de destino não está acessível. Será tentado "
        "até {U} UTC; se falhar, receberá um erro.]",
};

static void append_words(struct bytes *out, const char *text, const char *to, const char *until)
{
    for (const char *brace; (brace = strchr(text, '{')); text = brace + 3) {
        bytes_append(out, text, (size_t)(brace - text));
        bytes_append_text(out, brace[1] == 'T' ? to : until);
    }
    bytes_append_text(out, text);
}

/* To the minute, for people. */
static void minute(char out[DATETIME_MAX], int64_t unix_us)
{
    datetime_write_second(out, unix_us);
    out[10] = ' ';
    out[16] = '\0';
}

static void add_delayed(struct builder *b, const struct stanza *msg, int64_t since_us, int64_t until_us)
{
    char since[DATETIME_MAX], until[DATETIME_MAX];
    datetime_write(since, since_us);
    datetime_write_second(until, until_us);
    build_open(b, "delayed", NS_QUEUE);
    build_attr(b, "to", msg->to->full);
    build_attr(b, "id", msg->id);
    build_attr(b, "since", since);
    build_attr(b, "until", until);
    build_close(b);
}

struct stanza *delayed_notice(const struct stanza *msg, int64_t since_us, int64_t until_us)
{
    struct builder b;
    struct bytes text = BYTES_EMPTY;
    struct arena a;
    char id[RANDOM_ID_LEN + 1], until[DATETIME_MAX];
    enum session_text_language lang = session_text_language_of(msg->lang);
    arena_init(&a);
    random_id(id);
    minute(until, until_us);
    append_words(&text, words[lang], msg->to->bare, until);
    build_begin(&b, STANZA_MESSAGE, MESSAGE_CHAT);
    build_from(&b, jid_to_domain(&a, msg->from));
    build_to(&b, jid_to_bare(&a, msg->from));
    build_id(&b, id);
    build_lang(&b, session_text_language_code(lang));
    build_leaf(&b, "body", NULL, bytes_text(&text));
    add_delayed(&b, msg, since_us, until_us);
    build_leaf(&b, "no-copy", NS_HINTS, NULL);
    build_leaf(&b, "no-permanent-store", NS_HINTS, NULL);
    bytes_fini(&text);
    arena_fini(&a);
    return build_end(&b);
}
