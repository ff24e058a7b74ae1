/* SPDX-License-Identifier: MIT */
/* Texts for people. English for now: a device's language comes with translations. */
#include "contact-router/delivery_text.h"

#include <string.h>

#include "contact-router/mail_quote.h"
#include "contact-router/sms_text.h"
#include "gateway/base/utf8.h"

static bool shows(const struct delivery_text *t)
{
    return t->full_text && t->row->readable && *t->row->text;
}

static void notice(const struct delivery_text *t, struct bytes *out)
{
    const struct outbox_row *r = t->row;
    if (r->purpose == OUTBOX_PURPOSE_REQUEST)
        bytes_printf(out, "%s, whom you do not know, asks to talk with you", r->peer);
    else if (r->texts > 1)
        bytes_printf(out, "%s wrote to you (%lld messages)", r->peer, (long long)r->texts);
    else
        bytes_printf(out, "%s wrote to you%s", r->peer, r->readable ? "" : " (encrypted)");
}

static void sms_message(const struct delivery_text *t, struct bytes *out)
{
    const struct outbox_row *r = t->row;
    struct bytes text = BYTES_EMPTY, tail = BYTES_EMPTY;
    if (t->answerable)
        bytes_printf(&tail, "\nAnswer: %s your text", r->code);
    if (shows(t)) {
        bytes_printf(&text, "%s %s: %s", r->code, r->peer, r->text);
    } else {
        bytes_printf(&text, "%s ", r->code);
        notice(t, &text);
        bytes_printf(&text, ". Log in to %s to read", r->community);
    }
    struct bytes whole = BYTES_EMPTY, hint = BYTES_EMPTY;
    bytes_append(&whole, text.data, text.len);
    bytes_append_text(&whole, bytes_text(&tail));
    bool short_enough = !t->characters_max || utf8_count(whole.data, whole.len) <= t->characters_max;
    bytes_printf(&hint, "... (more when you log in)%s", bytes_text(&tail));
    if (short_enough && sms_text_measure(whole.data, whole.len).segments <= t->segments_max)
        bytes_append(out, whole.data, whole.len);
    else
        sms_text_cut(out, text.data, text.len, t->segments_max, t->characters_max, hint.data);
    bytes_fini(&text);
    bytes_fini(&tail);
    bytes_fini(&whole);
    bytes_fini(&hint);
}

void delivery_text_sms(const struct delivery_text *t, struct bytes *out)
{
    const struct outbox_row *r = t->row;
    switch (r->purpose) {
    case OUTBOX_PURPOSE_MESSAGE:
    case OUTBOX_PURPOSE_REQUEST:
        sms_message(t, out);
        return;
    case OUTBOX_PURPOSE_CODE:
        bytes_printf(out, "%s is your code for %s. If you did not ask for it, ignore this%s.", r->text, r->community,
                     r->kind == DEVICE_SMS ? "; STOP ends such messages" : "");
        return;
    case OUTBOX_PURPOSE_TEST:
        bytes_printf(out, "This is the test that you asked %s for. Messages to you can arrive here.", r->community);
        return;
    case OUTBOX_PURPOSE_REPLY:
        sms_text_fit(out, r->text, strlen(r->text), t->segments_max, "...");
        return;
    case OUTBOX_PURPOSE_COUNT:
        break;
    }
}

static void mail_message(const struct delivery_text *t, struct bytes *subject, struct bytes *body)
{
    const struct outbox_row *r = t->row;
    notice(t, subject);
    if (t->answerable)
        bytes_append_text(body, MAIL_QUOTE_LINE "\n\n");
    if (shows(t)) {
        bytes_printf(body, "%s wrote to you:\n\n%s\n\n", r->peer, r->text);
    } else {
        notice(t, body);
        bytes_printf(body, ".\nLog in to %s to read and to answer.\n\n", r->community);
    }
    if (*r->code)
        bytes_printf(body, "Conversation: %s (with %s)\n", r->code, r->peer);
    if (t->answerable)
        bytes_append_text(body, "You can answer this mail.\n");
    else if (r->purpose == OUTBOX_PURPOSE_MESSAGE)
        bytes_printf(body,
                     "Answers to this mail are not read. Log in to %s, or, from a phone that you listed there, text:\n"
                     "%s and what you want to say\n",
                     r->community, r->code);
    else
        bytes_append_text(body, "Answers to this mail are not read.\n");
}

void delivery_text_mail(const struct delivery_text *t, struct bytes *subject, struct bytes *body)
{
    const struct outbox_row *r = t->row;
    switch (r->purpose) {
    case OUTBOX_PURPOSE_MESSAGE:
    case OUTBOX_PURPOSE_REQUEST:
        mail_message(t, subject, body);
        break;
    case OUTBOX_PURPOSE_CODE:
        bytes_printf(subject, "Your code for %s", r->community);
        bytes_printf(body, "%s is your code.\n\nSomebody, we hope you, listed this address at %s to be reached by.\n"
                           "To prove that it is yours, write the code to %s from your account within 15 minutes.\n"
                           "If it was not you, do nothing: without the code, nothing will be sent here.\n",
                     r->text, r->community, r->community);
        break;
    case OUTBOX_PURPOSE_TEST:
        bytes_printf(subject, "Test from %s", r->community);
        bytes_printf(body, "This is the test that you asked %s for. Messages to you can arrive here.\n", r->community);
        break;
    case OUTBOX_PURPOSE_REPLY:
        bytes_printf(subject, "From %s", r->community);
        bytes_printf(body, "%s\n", r->text);
        break;
    case OUTBOX_PURPOSE_COUNT:
        break;
    }
    bytes_printf(body, "\n-- \nSent by %s to %s for %s\n", r->community, r->address, r->account);
}
