/* SPDX-License-Identifier: MIT */
/* See abuse_report.h. Sizes are cut rather than refused: the block matters more than the words, and a client
 * cannot mend them. Reports in other namespaces are none; the block holds without. */
#include "gateway/services/abuse_report.h"

#include <string.h>

#include "gateway/base/text.h"
#include "gateway/base/utf8.h"
#include "gateway/xmpp/ns.h"

enum { ID_BYTES = 1024 };

/* The words in the language of the request, or the first. */
static const char *words_of(const struct element *report, const char *lang)
{
    const struct element *first = element_child(report, "text", NS_REPORTING);
    for (const struct element *e = first; e; e = element_next(e, "text", NS_REPORTING)) {
        const char *own = element_attr_ns(e, NS_XML, "lang");
        if (lang && own && text_eq(own, lang))
            return e->text;
    }
    return first ? first->text : "";
}

static enum stanza_error read_messages(struct report *out, const struct element *report, struct arena *a)
{
    struct bytes list = BYTES_EMPTY;
    unsigned n = 0;
    bool ok = true;
    for (const struct element *e = element_child(report, "stanza-id", NS_SID); e && ok;
         e = element_next(e, "stanza-id", NS_SID)) {
        const char *by = element_attr(e, "by"), *id = element_attr(e, "id");
        ok = by && *by && id && *id;
        if (ok && n < ABUSE_REPORT_MESSAGES && strlen(by) + strlen(id) <= ID_BYTES) {
            bytes_printf(&list, "%s%s %s", n ? "\n" : "", by, id);
            n++;
        }
    }
    out->messages = arena_dup_n(a, bytes_text(&list), list.len);
    bytes_fini(&list);
    return ok ? STANZA_OK : STANZA_BAD_REQUEST;
}

enum stanza_error abuse_report_read(struct report *out, bool *found, const struct element *item, const char *lang,
                                    struct arena *a)
{
    const struct element *e = element_child(item, "report", NS_REPORTING);
    *found = e != NULL;
    if (!e)
        return STANZA_OK;
    const char *reason = element_attr(e, "reason");
    if (!reason || !*reason || strlen(reason) > ABUSE_REPORT_REASON_BYTES || element_next(e, "report", NS_REPORTING))
        return STANZA_BAD_REQUEST;
    const char *words = words_of(e, lang);
    *out = (struct report){
        .reason = arena_dup(a, reason),
        .words = arena_dup_n(a, words, utf8_cut(words, strlen(words), ABUSE_REPORT_WORDS_BYTES)),
        .to_origin = element_child(e, "report-origin", NS_REPORTING) != NULL,
        .to_others = element_child(e, "third-party", NS_REPORTING) != NULL,
    };
    return read_messages(out, e, a);
}
