/* SPDX-License-Identifier: MIT */
/* A refusal that another try could mend keeps the form open. */
#include "gateway/admin/my_line.h"

static void on_reply(void *user, enum stanza_error refused, const char *text)
{
    struct adhoc_call *c = user;
    if (refused == STANZA_NOT_ACCEPTABLE) {
        adhoc_reject(c, "%s", text); /* what was written: another try may do */
    } else if (refused != STANZA_OK) {
        adhoc_refuse(c, refused, "%s", text);
    } else {
        adhoc_note(c, "%s", text);
        adhoc_finish(c);
    }
}

void my_line_say(struct adhoc_call *c, const char *line)
{
    struct reach *r = exchange_reach(adhoc_exchange(c));
    if (!r)
        adhoc_refuse(c, STANZA_FEATURE_NOT_IMPLEMENTED, "devices are not available here");
    else if (!r->ops->command(r, adhoc_asker(c), line, on_reply, c))
        adhoc_reject(c, "that cannot be right; \"help\", written to %s, shows how", adhoc_domain(c));
}

bool my_line_is_word(struct adhoc_call *c, const char *var)
{
    for (const char *at = adhoc_text(c, var); *at; at++)
        if ((unsigned char)*at <= ' ') {
            adhoc_reject(c, "%s: without blanks", var);
            return false;
        }
    return true;
}
