/* SPDX-License-Identifier: MIT */
#include "gateway/net/lmtp_parse.h"

#include <string.h>
#include <strings.h>

#include "gateway/base/text.h"

/* LINE and its end; then within a mail: at a line's start, in it, behind a CR, behind a dot that began a line, behind
 * that dot and a CR. */
enum state { IN_LINE, LINE_CR, MAIL_START, MAIL_TEXT, MAIL_CR, MAIL_DOT, MAIL_DOT_CR };

void lmtp_parse_init(struct lmtp_parse *p, size_t max_bytes)
{
    *p = (struct lmtp_parse){.max_bytes = max_bytes};
}

void lmtp_parse_fini(struct lmtp_parse *p)
{
    bytes_fini(&p->data);
}

static void begin(struct lmtp_parse *p, enum state s)
{
    bytes_fini(&p->data);
    p->state = s;
    p->over = p->bad = p->too_big = false;
}

void lmtp_parse_expect_mail(struct lmtp_parse *p)
{
    begin(p, MAIL_START);
}

/* Returns true at the line's end. */
static bool line_byte(struct lmtp_parse *p, char c)
{
    bool after_cr = p->state == LINE_CR;
    if (after_cr && c == '\n') {
        p->state = IN_LINE;
        return true;
    }
    p->bad = p->bad || after_cr || c == '\n' || !c;
    p->state = c == '\r' ? LINE_CR : IN_LINE;
    if (c != '\r')
        bytes_append_char(&p->data, c);
    return false;
}

static void keep(struct lmtp_parse *p, const char *data, size_t len)
{
    if (p->data.len + len > p->max_bytes) {
        p->too_big = true;
        bytes_fini(&p->data);
    }
    if (!p->too_big)
        bytes_append(&p->data, data, len);
}

/* Returns true at the mail's end. A dot that begins a line was put there by the sender (RFC 5321 4.5.2). */
static bool mail_byte(struct lmtp_parse *p, char c)
{
    if (p->state == MAIL_START && c == '.') {
        p->state = MAIL_DOT;
        return false;
    }
    if (p->state == MAIL_DOT && c == '\r') {
        p->state = MAIL_DOT_CR;
        return false;
    }
    if (p->state == MAIL_DOT_CR) {
        if (c == '\n')
            return true;
        keep(p, "\r", 1);
        p->state = MAIL_CR;
    }
    keep(p, &c, 1);
    p->state = p->state == MAIL_CR && c == '\n' ? MAIL_START : c == '\r' ? MAIL_CR : MAIL_TEXT;
    return false;
}

/* Most of a mail is text without any CR. */
static size_t mail_run(struct lmtp_parse *p, const char *data, size_t len)
{
    const char *cr = memchr(data, '\r', len);
    size_t n = cr ? (size_t)(cr - data) : len;
    keep(p, data, n);
    return n;
}

size_t lmtp_parse_feed(struct lmtp_parse *p, const char *data, size_t len, enum lmtp_piece *piece)
{
    size_t at = 0;
    *piece = LMTP_PIECE_NONE;
    if (p->over) /* what was taken last has been looked at */
        begin(p, IN_LINE);
    for (; at < len; at++) {
        if (p->state == MAIL_TEXT) {
            at += mail_run(p, data + at, len - at);
            if (at == len)
                break;
        }
        if (p->state == IN_LINE || p->state == LINE_CR) {
            *piece = line_byte(p, data[at])          ? LMTP_PIECE_LINE
                     : p->data.len > LMTP_LINE_MAX ? LMTP_PIECE_LONG
                                                   : LMTP_PIECE_NONE;
        } else if (mail_byte(p, data[at])) {
            *piece = LMTP_PIECE_MAIL;
        }
        if (*piece != LMTP_PIECE_NONE) {
            p->over = true;
            return at + 1;
        }
    }
    return at;
}

enum lmtp_verb lmtp_parse_verb(const char *line, const char **rest)
{
    static const char *const words[] = {
#define V(name) #name,
        LMTP_VERBS(V)
#undef V
    };
    size_t len = strcspn(line, " \t");
    *rest = text_skip_blank(line + len);
    for (unsigned i = 0; i < LMTP_UNKNOWN; i++)
        if (len == strlen(words[i]) && strncasecmp(line, words[i], len) == 0)
            return (enum lmtp_verb)i;
    return LMTP_UNKNOWN;
}

bool lmtp_parse_path(const char *text, const char *keyword, char out[LMTP_PATH_MAX], const char **parameters)
{
    size_t n = strlen(keyword);
    if (strncasecmp(text, keyword, n) != 0)
        return false;
    text = text_skip_blank(text + n);
    const char *end = *text == '<' ? strchr(text, '>') : NULL;
    if (!end || text[1] == '@' || end - text - 1 >= LMTP_PATH_MAX || (end[1] && end[1] != ' '))
        return false;
    for (const char *c = text + 1; c < end; c++)
        if ((unsigned char)*c <= ' ' || *c == 127 || *c == '<')
            return false;
    memcpy(out, text + 1, (size_t)(end - text - 1));
    out[end - text - 1] = 0;
    *parameters = text_skip_blank(end + 1);
    return true;
}

bool lmtp_parse_parameter(const char **parameters, struct lmtp_parameter *out)
{
    const char *at = text_skip_blank(*parameters);
    size_t len = strcspn(at, " \t"), name = strcspn(at, "= \t"), value = name < len ? len - name - 1 : 0;
    if (!len)
        return false;
    *parameters = at + len;
    *out = (struct lmtp_parameter){"", ""};
    if (name < sizeof out->name && value < sizeof out->value) { /* else it is none that anybody knows */
        memcpy(out->name, at, name);
        memcpy(out->value, at + len - value, value);
    }
    return true;
}
