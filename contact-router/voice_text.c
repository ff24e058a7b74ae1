/* SPDX-License-Identifier: MIT */
/* Sentences with {p} who writes, {c} the community, {t} the text, {n} how many, {k} a code's digits. Whatever is put in
 * is cleaned for speech, and so is the whole. */
#include "contact-router/voice_text.h"

#include <stdio.h>
#include <string.h>

#include "contact-router/speech_text.h"
#include "gateway/base/text.h"

struct sentences {
    const char *lang;
    const char *at, *dot, *link; /* how "@", "." and a web address are said */
    const char *hello;           /* begins each call */
    const char *message, *goes_on; /* the text itself; it was cut */
    const char *notice, *notices, *sealed, *unspeakable; /* instead of it: of one, of several; encrypted; no words */
    const char *request, *code, *test;
    const char *keys_message, *keys_request, *keys_other; /* which key does what, behind these */
    const char *machine;                                  /* to an answering machine */
    const char *heard, *cannot, *accepted, *declined, *passed, *stopped, *failed, *over; /* behind a key */
    const char *written_heard, *written_cannot; /* to who wrote: what key 2 and 3 answer */
};

static const struct sentences languages[] = {
    {
        .lang = "en",
        .at = "at",
        .dot = "dot",
        .link = "a web address",
        .hello = "Hello. This is {c}.",
        .message = "{p} wrote to you: {t}.",
        .goes_on = "The message goes on. Log in to read the rest.",
        .notice = "{p} wrote to you. Log in to read it.",
        .notices = "{p} wrote to you {n} times. Log in to read it.",
        .sealed = "{p} wrote to you. It is encrypted. Log in to read it.",
        .unspeakable = "{p} wrote to you something that cannot be spoken. Log in to read it.",
        .request = "{p}, whom you do not know, asks to talk with you.",
        .code = "Your code is {k}. Once more: {k}.",
        .test = "This is the test that you asked for.",
        .keys_message = "Press 1 to hear this again. Press 2 to answer that you heard it. Press 3 to "
                        "answer that you cannot talk now. Press 4 to pass it on to your next device. "
                        "Press 9 for no more calls.",
        .keys_request = "Press 1 to hear this again. Press 2 to accept. Press 3 to decline. Press 9 for "
                        "no more calls.",
        .keys_other = "Press 1 to hear this again. Press 9 for no more calls.",
        .machine = "Hello. This is {c}. Something waits for you. Log in to read it. Good bye.",
        .heard = "Thank you. {p} is told that you heard it. Good bye.",
        .cannot = "Thank you. {p} is told that you cannot talk now. Good bye.",
        .accepted = "{p} may write to you now. Good bye.",
        .declined = "You have declined. Good bye.",
        .passed = "Your next device is tried. Good bye.",
        .stopped = "There will be no more calls from here. Good bye.",
        .failed = "That did not work just now. Please press the key again.",
        .over = "This does not wait for you any more. Good bye.",
        .written_heard = "I have heard your message.",
        .written_cannot = "I cannot talk now.",
    },
    {
        .lang = "de",
        .at = "ät",
        .dot = "Punkt",
        .link = "eine Internetadresse",
        .hello = "Guten Tag. Hier ist {c}.",
        .message = "{p} schreibt Ihnen: {t}.",
        .goes_on = "Die Nachricht geht weiter. Melden Sie sich an, um den Rest zu lesen.",
        .notice = "{p} hat Ihnen geschrieben. Melden Sie sich an, um es zu lesen.",
        .notices = "{p} hat Ihnen {n} mal geschrieben. Melden Sie sich an, um es zu lesen.",
        .sealed = "{p} hat Ihnen geschrieben. Es ist verschlüsselt. Melden Sie sich an, um es zu lesen.",
        .unspeakable = "{p} hat Ihnen etwas geschrieben, das sich nicht vorlesen lässt. Melden Sie sich "
                       "an, um es zu lesen.",
        .request = "{p}, den Sie nicht kennen, möchte mit Ihnen sprechen.",
        .code = "Ihr Code ist {k}. Noch einmal: {k}.",
        .test = "Das ist der Test, um den Sie gebeten haben.",
        .keys_message = "Drücken Sie 1, um es noch einmal zu hören. 2, um zu antworten, dass Sie es "
                        "gehört haben. 3, um zu antworten, dass Sie gerade nicht sprechen können. 4, um "
                        "es an Ihr nächstes Gerät weiterzugeben. 9, um keine Anrufe mehr zu bekommen.",
        .keys_request = "Drücken Sie 1, um es noch einmal zu hören. 2, um anzunehmen. 3, um abzulehnen. "
                        "9, um keine Anrufe mehr zu bekommen.",
        .keys_other = "Drücken Sie 1, um es noch einmal zu hören. 9, um keine Anrufe mehr zu bekommen.",
        .machine = "Guten Tag. Hier ist {c}. Etwas wartet auf Sie. Melden Sie sich an, um es zu lesen. "
                   "Auf Wiederhören.",
        .heard = "Danke. {p} erfährt, dass Sie es gehört haben. Auf Wiederhören.",
        .cannot = "Danke. {p} erfährt, dass Sie gerade nicht sprechen können. Auf Wiederhören.",
        .accepted = "{p} darf Ihnen nun schreiben. Auf Wiederhören.",
        .declined = "Sie haben abgelehnt. Auf Wiederhören.",
        .passed = "Ihr nächstes Gerät wird versucht. Auf Wiederhören.",
        .stopped = "Von hier kommen keine Anrufe mehr. Auf Wiederhören.",
        .failed = "Das ging gerade nicht. Bitte drücken Sie die Taste noch einmal.",
        .over = "Das wartet nicht mehr auf Sie. Auf Wiederhören.",
        .written_heard = "Ich habe Ihre Nachricht gehört.",
        .written_cannot = "Ich kann gerade nicht sprechen.",
    },
    {
        .lang = "fr",
        .at = "arobase",
        .dot = "point",
        .link = "une adresse internet",
        .hello = "Bonjour. Ici {c}.",
        .message = "{p} vous écrit: {t}.",
        .goes_on = "Le message continue. Connectez-vous pour lire la suite.",
        .notice = "{p} vous a écrit. Connectez-vous pour le lire.",
        .notices = "{p} vous a écrit {n} fois. Connectez-vous pour le lire.",
        .sealed = "{p} vous a écrit. C'est chiffré. Connectez-vous pour le lire.",
        .unspeakable = "{p} vous a écrit quelque chose qui ne peut pas être lu à voix haute. "
                       "Connectez-vous pour le lire.",
        .request = "{p}, que vous ne connaissez pas, demande à vous parler.",
        .code = "Votre code est {k}. Encore une fois: {k}.",
        .test = "Voici le test que vous avez demandé.",
        .keys_message = "Appuyez sur 1 pour réécouter. Sur 2 pour répondre que vous l'avez entendu. Sur 3 "
                        "pour répondre que vous ne pouvez pas parler maintenant. Sur 4 pour passer à "
                        "votre appareil suivant. Sur 9 pour ne plus recevoir d'appels.",
        .keys_request = "Appuyez sur 1 pour réécouter. Sur 2 pour accepter. Sur 3 pour refuser. Sur 9 "
                        "pour ne plus recevoir d'appels.",
        .keys_other = "Appuyez sur 1 pour réécouter. Sur 9 pour ne plus recevoir d'appels.",
        .machine = "Bonjour. Ici {c}. Quelque chose vous attend. Connectez-vous pour le lire. Au revoir.",
        .heard = "Merci. {p} apprend que vous l'avez entendu. Au revoir.",
        .cannot = "Merci. {p} apprend que vous ne pouvez pas parler maintenant. Au revoir.",
        .accepted = "{p} peut maintenant vous écrire. Au revoir.",
        .declined = "Vous avez refusé. Au revoir.",
        .passed = "Votre appareil suivant est essayé. Au revoir.",
        .stopped = "Il n'y aura plus d'appels d'ici. Au revoir.",
        .failed = "Cela n'a pas marché. Appuyez encore une fois sur la touche.",
        .over = "Cela ne vous attend plus. Au revoir.",
        .written_heard = "J'ai entendu votre message.",
        .written_cannot = "Je ne peux pas parler maintenant.",
    },
    {
        .lang = "es",
        .at = "arroba",
        .dot = "punto",
        .link = "una dirección de internet",
        .hello = "Hola. Aquí {c}.",
        .message = "{p} le escribe: {t}.",
        .goes_on = "El mensaje continúa. Conéctese para leer el resto.",
        .notice = "{p} le ha escrito. Conéctese para leerlo.",
        .notices = "{p} le ha escrito {n} veces. Conéctese para leerlo.",
        .sealed = "{p} le ha escrito. Está cifrado. Conéctese para leerlo.",
        .unspeakable = "{p} le ha escrito algo que no se puede leer en voz alta. Conéctese para leerlo.",
        .request = "{p}, a quien usted no conoce, pide hablar con usted.",
        .code = "Su código es {k}. Otra vez: {k}.",
        .test = "Esta es la prueba que usted pidió.",
        .keys_message = "Pulse 1 para oírlo otra vez. Pulse 2 para responder que lo ha oído. Pulse 3 para "
                        "responder que ahora no puede hablar. Pulse 4 para pasarlo a su siguiente "
                        "aparato. Pulse 9 para no recibir más llamadas.",
        .keys_request = "Pulse 1 para oírlo otra vez. Pulse 2 para aceptar. Pulse 3 para rechazar. Pulse "
                        "9 para no recibir más llamadas.",
        .keys_other = "Pulse 1 para oírlo otra vez. Pulse 9 para no recibir más llamadas.",
        .machine = "Hola. Aquí {c}. Algo le espera. Conéctese para leerlo. Adiós.",
        .heard = "Gracias. {p} sabrá que lo ha oído. Adiós.",
        .cannot = "Gracias. {p} sabrá que ahora no puede hablar. Adiós.",
        .accepted = "{p} ya puede escribirle. Adiós.",
        .declined = "Ha rechazado. Adiós.",
        .passed = "Se prueba su siguiente aparato. Adiós.",
        .stopped = "No habrá más llamadas desde aquí. Adiós.",
        .failed = "No ha funcionado. Pulse la tecla otra vez.",
        .over = "Esto ya no le espera. Adiós.",
        .written_heard = "He oído su mensaje.",
        .written_cannot = "Ahora no puedo hablar.",
    },
};

static const struct sentences *sentences_of(const char *lang)
{
    const char *ours = speech_text_lang(lang);
    for (size_t i = 0; i < sizeof languages / sizeof *languages; i++)
        if (text_eq(languages[i].lang, ours))
            return &languages[i];
    return &languages[0];
}

/* romeo@montague.example: romeo at montague dot example. */
static void append_address(struct bytes *out, const char *address, const struct sentences *w)
{
    enum { ADDRESS_MAX = 100 };
    struct bytes plain = BYTES_EMPTY;
    for (; *address; address++) {
        if (*address == '@')
            bytes_printf(&plain, " %s ", w->at);
        else if (*address == '.')
            bytes_printf(&plain, " %s ", w->dot);
        else
            bytes_append_char(&plain, *address == '_' ? ' ' : *address);
    }
    speech_text_clean(out, bytes_text(&plain), plain.len, ADDRESS_MAX, w->link);
    bytes_fini(&plain);
}

static void append_digits(struct bytes *out, const char *digits)
{
    for (const char *d = digits; *d; d++)
        if (*d >= '0' && *d <= '9')
            bytes_printf(out, "%s%c", d == digits ? "" : ", ", *d);
}

static void append_name(struct bytes *out, char name, const struct outbox_row *r, const char *text,
                        const struct sentences *w)
{
    if (name == 'p')
        append_address(out, r->peer, w);
    else if (name == 'c')
        append_address(out, r->community, w);
    else if (name == 't')
        bytes_append_text(out, text);
    else if (name == 'k')
        append_digits(out, r->text);
    else
        bytes_printf(out, "%lld", (long long)r->texts);
}

static void append(struct bytes *out, const char *sentence, const struct outbox_row *r, const char *text,
                   const struct sentences *w)
{
    if (out->len)
        bytes_append_char(out, ' ');
    for (const char *at = sentence; *at; at++) {
        if (*at == '{' && at[1] && at[2] == '}') {
            append_name(out, at[1], r, text, w);
            at += 2;
        } else {
            bytes_append_char(out, *at);
        }
    }
}

static void say_text(const struct voice_text *t, const struct sentences *w, struct bytes *out)
{
    const struct outbox_row *r = t->row;
    struct bytes clean = BYTES_EMPTY;
    bool cut = speech_text_clean(&clean, r->text, strlen(r->text), VOICE_TEXT_MAX, w->link);
    if (clean.len && !t->brief) {
        while (clean.len && strchr(".", clean.data[clean.len - 1]))
            clean.data[--clean.len] = 0;
        append(out, w->message, r, bytes_text(&clean), w);
        if (cut)
            append(out, w->goes_on, r, "", w);
    } else {
        append(out, w->unspeakable, r, "", w);
    }
    bytes_fini(&clean);
}

static void say_message(const struct voice_text *t, const struct sentences *w, struct bytes *out)
{
    const struct outbox_row *r = t->row;
    append(out, w->hello, r, "", w);
    switch (r->purpose) {
    case OUTBOX_PURPOSE_MESSAGE:
        if (!r->readable)
            append(out, w->sealed, r, "", w);
        else if (t->full_text && *r->text)
            say_text(t, w, out);
        else
            append(out, r->texts > 1 ? w->notices : w->notice, r, "", w);
        append(out, w->keys_message, r, "", w);
        return;
    case OUTBOX_PURPOSE_REQUEST:
        append(out, w->request, r, "", w);
        append(out, w->keys_request, r, "", w);
        return;
    case OUTBOX_PURPOSE_CODE:
        append(out, *r->text ? w->code : w->over, r, "", w);
        break;
    case OUTBOX_PURPOSE_TEST:
        append(out, w->test, r, "", w);
        break;
    case OUTBOX_PURPOSE_REPLY:
    case OUTBOX_PURPOSE_COUNT:
        break; /* no call answers a call */
    }
    append(out, w->keys_other, r, "", w);
}

void voice_text_say(const struct voice_text *t, struct bytes *out)
{
    const struct sentences *w = sentences_of(t->lang);
    const char *line = NULL;
    switch (t->line) {
    case VOICE_MESSAGE:
        say_message(t, w, out);
        return;
    case VOICE_MACHINE: line = w->machine; break;
    case VOICE_HEARD: line = w->heard; break;
    case VOICE_CANNOT: line = w->cannot; break;
    case VOICE_ACCEPTED: line = w->accepted; break;
    case VOICE_DECLINED: line = w->declined; break;
    case VOICE_PASSED: line = w->passed; break;
    case VOICE_STOPPED: line = w->stopped; break;
    case VOICE_FAILED: line = w->failed; break;
    case VOICE_OVER: line = w->over; break;
    case VOICE_LINE_COUNT: return;
    }
    append(out, line, t->row, "", w);
}

const char *voice_text_written(const char *lang, enum voice_line line)
{
    const struct sentences *w = sentences_of(lang);
    return line == VOICE_CANNOT ? w->written_cannot : w->written_heard;
}
