/* SPDX-License-Identifier: MIT */
/* RFC 5322 (format), 2047 (encoded words), 2045 6.7 (quoted-printable), 3834 (Auto-Submitted). Nothing
 * that comes from a person reaches a header except through encoded_words or check. */
#include "contact-router/mail_text.h"

#include <string.h>
#include <time.h>

#include "gateway/base/base64.h"
#include "gateway/base/utf8.h"

/* Addresses and ids: visible ASCII without what would end or open something. */
static bool check(const char *what, const char *value, struct error *e)
{
    for (const char *c = value; *c; c++)
        if (*c <= 32 || *c > 126 || strchr("<>\"(),;:\\[]", *c))
            return error_set(e, ERROR_INVALID, "%s `%.60s` cannot stand in a mail's header", what, value);
    return *value || error_set(e, ERROR_INVALID, "%s is empty", what);
}

static bool is_plain(const char *text)
{
    size_t len = strlen(text);
    for (const char *c = text; *c; c++)
        if (*c < 32 || *c > 126)
            return false;
    return len <= 60 && !strstr(text, "=?");
}

/* Words of at most 75 characters, each on a line of its own; characters are never parted. */
static void encoded_words(struct bytes *out, const char *text)
{
    enum { RAW_MAX = 42 };
    if (is_plain(text)) {
        bytes_append_text(out, text);
        return;
    }
    size_t len = strlen(text);
    if (len > 600)
        len = utf8_cut(text, len, 600);
    for (size_t at = 0; at < len;) {
        size_t n = utf8_cut(text + at, len - at, RAW_MAX);
        if (!n)
            n = len - at < RAW_MAX ? len - at : RAW_MAX;
        bytes_append_text(out, at ? "\r\n =?UTF-8?B?" : "=?UTF-8?B?");
        base64_encode(out, text + at, n);
        bytes_append_text(out, "?=");
        at += n;
    }
}

static void quoted_printable(struct bytes *out, const char *text)
{
    size_t column = 0;
    for (const char *c = text; *c; c++) {
        unsigned char ch = (unsigned char)*c;
        if (ch == '\n' || (ch == '\r' && c[1] == '\n')) {
            bytes_append_text(out, "\r\n");
            c += ch == '\r';
            column = 0;
            continue;
        }
        bool last = !c[1] || c[1] == '\n' || (c[1] == '\r' && c[2] == '\n');
        bool blank = ch == ' ' || ch == '\t';
        bool plain = (ch > 32 && ch < 127 && ch != '=') || (blank && !last);
        size_t width = plain ? 1 : 3;
        if (column + width > (last ? 76u : 75u)) {
            bytes_append_text(out, "=\r\n");
            column = 0;
        }
        if (plain)
            bytes_append_char(out, (char)ch);
        else
            bytes_printf(out, "=%02X", ch);
        column += width;
    }
    if (column)
        bytes_append_text(out, "\r\n");
}

static void date(struct bytes *out, int64_t now_us)
{
    static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t s = (time_t)(now_us / 1000000);
    struct tm tm;
    gmtime_r(&s, &tm);
    bytes_printf(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
                 tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

bool mail_text_compose(const struct mail_text *m, struct bytes *out, struct error *e)
{
    if (!check("sender", m->from, e) || !check("recipient", m->to, e) || !check("Message-ID", m->message_id, e) ||
        (m->reply_to && !check("Reply-To", m->reply_to, e)) || (m->thread && !check("References", m->thread, e)))
        return false;
    if (!utf8_valid(m->body, strlen(m->body)) || !utf8_valid(m->subject, strlen(m->subject)))
        return error_set(e, ERROR_INVALID, "the text of the mail is not UTF-8");
    bytes_append_text(out, "From: ");
    if (m->from_name) {
        if (is_plain(m->from_name) && !strpbrk(m->from_name, "\"\\"))
            bytes_printf(out, "\"%s\"", m->from_name);
        else
            encoded_words(out, m->from_name);
        bytes_append_text(out, "\r\n ");
    }
    bytes_printf(out, "<%s>\r\nTo: <%s>\r\nSubject: ", m->from, m->to);
    encoded_words(out, m->subject);
    bytes_append_text(out, "\r\n");
    date(out, m->now_us);
    bytes_printf(out, "Message-ID: <%s>\r\n", m->message_id);
    if (m->thread)
        bytes_printf(out, "In-Reply-To: <%s>\r\nReferences: <%s>\r\n", m->thread, m->thread);
    if (m->reply_to)
        bytes_printf(out, "Reply-To: <%s>\r\n", m->reply_to);
    bytes_append_text(out, "Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\n"
                           "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n"
                           "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
    quoted_printable(out, m->body);
    return true;
}
