/* SPDX-License-Identifier: MIT */
/* Decided here: what of a mail is its text (the first part of plain text that is no attachment, else the first of
 * HTML), what a machine wrote (RFC 3834, and what else machines say of themselves), and what a report means (RFC 3464:
 * the worst that it says of any recipient). */
#include "contact-router/mail_read.h"

#include <gmime/gmime.h>
#include <string.h>

#include "contact-router/mail_answer.h"
#include "contact-router/mail_html.h"
#include "contact-router/mail_quote.h"
#include "gateway/base/text.h"
#include "gateway/base/utf8.h"

enum { DEPTH_MAX = 20, REPORT_MAX = 32 * 1024 };

struct reading {
    GMimeTextPart *plain, *html; /* borrowed of the mail; NULL: none yet */
    GMimeObject *report;         /* message/delivery-status */
    unsigned attachments;
};

void mail_read_init(void)
{
    g_mime_init();
}

/* -- parts -- */

static bool has_type(GMimeObject *part, const char *type, const char *subtype)
{
    return g_mime_content_type_is_type(g_mime_object_get_content_type(part), type, subtype);
}

static void look_at_leaf(struct reading *r, GMimeObject *part)
{
    const char *disposition = g_mime_object_get_disposition(part);
    bool attached = disposition && text_eq_nocase(disposition, GMIME_DISPOSITION_ATTACHMENT);
    if (has_type(part, "message", "delivery-status"))
        r->report = r->report ? r->report : part;
    else if (!attached && GMIME_IS_TEXT_PART(part) && has_type(part, "text", "plain") && !r->plain)
        r->plain = GMIME_TEXT_PART(part);
    else if (!attached && GMIME_IS_TEXT_PART(part) && has_type(part, "text", "html") && !r->html)
        r->html = GMIME_TEXT_PART(part);
    else if (attached || !has_type(part, "text", "*"))
        r->attachments += !has_type(part, "application", "pgp-signature") &&
                          !has_type(part, "application", "pkcs7-signature");
}

static void look_at(struct reading *r, GMimeObject *part, unsigned depth)
{
    if (!part || depth > DEPTH_MAX)
        return;
    if (!GMIME_IS_MULTIPART(part)) {
        look_at_leaf(r, part);
        return;
    }
    int count = g_mime_multipart_get_count(GMIME_MULTIPART(part));
    for (int i = 0; i < count; i++)
        look_at(r, g_mime_multipart_get_part(GMIME_MULTIPART(part), i), depth + 1);
}

/* -- text -- */

static const char *parameter(GMimeTextPart *part, const char *name)
{
    const char *v = g_mime_object_get_content_type_parameter(GMIME_OBJECT(part), name);
    return v ? v : "";
}

/* Valid UTF-8 without control characters but ends of lines and tabs. */
static void put_clean(const char *text, struct bytes *out)
{
    gchar *valid = g_utf8_make_valid(text, -1);
    for (const char *c = valid; *c; c++)
        if (*c != '\r' && *c != 127)
            bytes_append_char(out, (unsigned char)*c < ' ' && *c != '\n' && *c != '\t' ? ' ' : *c);
    g_free(valid);
}

static void read_text(const struct reading *r, struct bytes *out)
{
    struct bytes clean = BYTES_EMPTY, lines = BYTES_EMPTY;
    GMimeTextPart *part = r->plain ? r->plain : r->html;
    char *text = part ? g_mime_text_part_get_text(part) : NULL;
    if (text)
        put_clean(text, &clean);
    if (!r->plain)
        mail_html_text(bytes_span(&clean), &lines);
    else if (text_eq_nocase(parameter(part, "format"), "flowed"))
        mail_quote_unflow(bytes_span(&clean), text_eq_nocase(parameter(part, "delsp"), "yes"), &lines);
    else
        bytes_append(&lines, clean.data, clean.len);
    mail_quote_strip(bytes_span(&lines), out);
    g_free(text);
    bytes_fini(&clean);
    bytes_fini(&lines);
}

/* -- reports -- */

static void content_of(GMimeObject *part, struct bytes *out)
{
    GMimeStream *s = g_mime_stream_mem_new();
    if (GMIME_IS_PART(part)) {
        GMimeDataWrapper *content = g_mime_part_get_content(GMIME_PART(part));
        if (content)
            g_mime_data_wrapper_write_to_stream(content, s);
    } else {
        g_mime_object_write_to_stream(part, NULL, s);
    }
    GByteArray *bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(s));
    bytes_append(out, bytes->data, bytes->len < REPORT_MAX ? bytes->len : REPORT_MAX);
    g_object_unref(s);
}

/* The value of a field, "" when the line is another. */
static const char *field(const char *line, const char *name)
{
    size_t n = strlen(name);
    return g_ascii_strncasecmp(line, name, n) == 0 && line[n] == ':' ? text_skip_blank(line + n + 1) : "";
}

static void take_action(const char *word, enum mail_answer_kind *kind)
{
    if (!*word)
        return;
    if (g_ascii_strncasecmp(word, "failed", 6) == 0)
        *kind = MAIL_ANSWER_FAILED;
    else if (*kind != MAIL_ANSWER_FAILED && g_ascii_strncasecmp(word, "delayed", 7) == 0)
        *kind = MAIL_ANSWER_DELAYED;
    else if (*kind == MAIL_ANSWER_UNKNOWN) /* delivered, relayed, expanded: it is no fault */
        *kind = g_ascii_strncasecmp(word, "delivered", 9) == 0 ? MAIL_ANSWER_DELIVERED : MAIL_ANSWER_UNKNOWN;
}

/* Fields of all recipients: there is one, because each mail of ours goes to one. */
static void read_report(GMimeObject *part, struct mail_answer *m, struct arena *a)
{
    struct bytes text = BYTES_EMPTY, clean = BYTES_EMPTY;
    content_of(part, &text);
    bytes_append_char(&text, 0);
    put_clean(text.data, &clean);
    m->kind = MAIL_ANSWER_UNKNOWN;
    for (char *line = clean.data; line && *line;) {
        char *end = strchr(line, '\n'), *next = end ? end + 1 : NULL;
        if (end)
            *end = 0;
        take_action(field(line, "Action"), &m->kind);
        if (*field(line, "Status"))
            m->status = arena_dup(a, field(line, "Status"));
        if (*field(line, "Diagnostic-Code"))
            m->reason = arena_dup(a, field(line, "Diagnostic-Code"));
        line = next;
    }
    bytes_fini(&text);
    bytes_fini(&clean);
}

/* -- the whole -- */

static const char *header(GMimeMessage *m, const char *name)
{
    const char *v = g_mime_object_get_header(GMIME_OBJECT(m), name);
    return v ? v : "";
}

static bool is_automatic(GMimeMessage *m)
{
    static const char *const precedences[] = {"bulk", "list", "junk", "auto_reply"};
    static const char *const machines[] = {"X-Autoreply", "X-Autorespond", "List-Id"};
    const char *submitted = header(m, "Auto-Submitted");
    if (*submitted && g_ascii_strncasecmp(submitted, "no", 2) != 0)
        return true;
    for (unsigned i = 0; i < 4; i++)
        if (text_eq_nocase(header(m, "Precedence"), precedences[i]))
            return true;
    for (unsigned i = 0; i < 3; i++)
        if (*header(m, machines[i]))
            return true;
    return false;
}

static const char *from_of(GMimeMessage *m)
{
    InternetAddressList *from = g_mime_message_get_from(m);
    InternetAddress *first = from && internet_address_list_length(from) > 0
                                 ? internet_address_list_get_address(from, 0)
                                 : NULL;
    const char *address = first && INTERNET_ADDRESS_IS_MAILBOX(first)
                              ? internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(first))
                              : NULL;
    return address && utf8_valid(address, strlen(address)) ? address : "";
}

static void describe(GMimeMessage *msg, struct bytes *out)
{
    struct reading r = {NULL, NULL, NULL, 0};
    struct bytes text = BYTES_EMPTY;
    struct arena a;
    arena_init(&a);
    look_at(&r, g_mime_message_get_mime_part(msg), 0);
    const char *id = g_mime_message_get_message_id(msg);
    struct mail_answer m = {.kind = is_automatic(msg) ? MAIL_ANSWER_AUTOMATIC : MAIL_ANSWER_WORDS,
                            .from = from_of(msg),
                            .id = id && utf8_valid(id, strlen(id)) ? id : "",
                            .status = "",
                            .reason = "",
                            .attachments = r.attachments,
                            .text = ""};
    if (r.report) {
        read_report(r.report, &m, &a);
    } else if (m.kind == MAIL_ANSWER_WORDS) {
        read_text(&r, &text);
        m.text = bytes_text(&text);
    }
    mail_answer_write(&m, out);
    bytes_fini(&text);
    arena_fini(&a);
}

bool mail_read(struct span mail, struct bytes *out)
{
    GMimeStream *s = g_mime_stream_mem_new_with_buffer(mail.data, mail.len);
    GMimeParser *parser = g_mime_parser_new_with_stream(s);
    GMimeMessage *msg = g_mime_parser_construct_message(parser, NULL);
    if (msg) {
        describe(msg, out);
        g_object_unref(msg);
    }
    g_object_unref(parser);
    g_object_unref(s);
    return msg != NULL;
}
