/* SPDX-License-Identifier: MIT */
/* How much of a text fits into text messages: GSM 03.38 (3GPP TS 23.038) with its extension table,
 * else UCS-2 (UTF-16 code units). One part holds 160 septets or 70 units; of several, each holds 153
 * or 67 (TS 23.040, concatenation with 8-bit reference). */
#ifndef CAUSEWAY_CONTACT_ROUTER_SMS_TEXT_H
#define CAUSEWAY_CONTACT_ROUTER_SMS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/base/bytes.h"

enum sms_alphabet { SMS_GSM, SMS_UCS2 };

struct sms_size {
    enum sms_alphabet alphabet;
    size_t units;      /* septets or UTF-16 units of the whole */
    unsigned segments; /* 0 for an empty text */
};

/* `text` is valid UTF-8. */
struct sms_size sms_text_measure(const char *text, size_t len);
/* Appends `text`, or as much of it as leaves room for `hint` at the end ("... more"), within
 * `segments`. Cuts between characters as people see them. true: it was cut. */
bool sms_text_fit(struct bytes *out, const char *text, size_t len, unsigned segments, const char *hint);
/* Always leaves room for `hint` and appends it: the text is cut to at most `characters` (0: no limit). */
void sms_text_cut(struct bytes *out, const char *text, size_t len, unsigned segments, size_t characters,
                  const char *hint);
/* Appends the text with what the GSM alphabet lacks replaced by what it has: curly quotes, dashes,
 * non-breaking spaces, the ellipsis, letters with marks; what has no likeness stays as it is. */
void sms_text_to_gsm(struct bytes *out, const char *text, size_t len);
/* Bytes of the first `max` characters as people see them (combining marks, variation selectors and
 * what a zero-width joiner joins count as one). */
size_t sms_text_graphemes(const char *text, size_t len, size_t max);
/* UTF-16BE in upper-case hexadecimal. */
void sms_text_ucs2_hex(struct bytes *out, const char *text, size_t len);

#endif
