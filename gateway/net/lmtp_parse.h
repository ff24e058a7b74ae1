/* SPDX-License-Identifier: MIT */
/* What comes over LMTP, taken apart: command lines, and the mail behind DATA (RFC 2033; RFC 5321 2.3.8, 4.1.1, 4.5.2).
 * Pure. A line ends with CRLF and with nothing else, and a mail with CRLF.CRLF and nothing else: whoever sees another
 * end where we see none could smuggle a mail into a mail. */
#ifndef CAUSEWAY_NET_LMTP_PARSE_H
#define CAUSEWAY_NET_LMTP_PARSE_H

#include "gateway/base/bytes.h"
#include "gateway/base/check.h"

enum { LMTP_LINE_MAX = 2048, LMTP_PATH_MAX = 256 /* RFC 5321 4.5.3.1.3, with the closing NUL */ };

enum lmtp_piece {
    LMTP_PIECE_NONE, /* more is needed */
    LMTP_PIECE_LINE, /* data, without CRLF */
    LMTP_PIECE_MAIL, /* data, unless too_big */
    LMTP_PIECE_LONG, /* a line of more than LMTP_LINE_MAX bytes: this is not LMTP any more */
};

struct lmtp_parse {
    struct bytes data; /* of the line, or of the mail */
    size_t max_bytes;  /* of a mail */
    unsigned state;
    bool over;         /* a piece is whole; the next byte begins another */
    bool too_big;      /* the mail is larger, and was dropped */
    bool bad;          /* the line holds NUL, a bare CR or a bare LF */
};

void lmtp_parse_init(struct lmtp_parse *p, size_t max_bytes);
void lmtp_parse_fini(struct lmtp_parse *p);
/* Takes one piece at most; returns the bytes taken. */
size_t lmtp_parse_feed(struct lmtp_parse *p, const char *data, size_t len, enum lmtp_piece *piece);
/* What follows is the mail: after the answer to DATA. */
void lmtp_parse_expect_mail(struct lmtp_parse *p);

#define LMTP_VERBS(V) V(LHLO) V(MAIL) V(RCPT) V(DATA) V(RSET) V(NOOP) V(QUIT) V(VRFY) V(HELO) V(EHLO)
enum lmtp_verb {
#define V(name) LMTP_##name,
    LMTP_VERBS(V)
#undef V
    LMTP_UNKNOWN
};
/* *rest: what stands behind the verb, without blanks before it. */
enum lmtp_verb lmtp_parse_verb(const char *line, const char **rest);
/* "FROM:<romeo@montague.example> SIZE=12": `keyword` is "FROM:" or "TO:". The address without brackets ("": <>) and the
 * parameters behind it. false: it is none, or has a source route. */
MUST_USE bool lmtp_parse_path(const char *text, const char *keyword, char out[LMTP_PATH_MAX], const char **parameters);
/* The next of the parameters: its name and value ("": none). false: there are no more. */
struct lmtp_parameter { char name[32], value[256]; };
bool lmtp_parse_parameter(const char **parameters, struct lmtp_parameter *out);

#endif
