/* SPDX-License-Identifier: MIT */
/* A line about rules, carried out (device_commands.c brings it, and the answer back). */
#ifndef CAUSEWAY_CONTACT_ROUTER_RULE_COMMANDS_H
#define CAUSEWAY_CONTACT_ROUTER_RULE_COMMANDS_H

#include "contact-router/device_store.h"
#include "contact-router/rule_line.h"
#include "gateway/base/bytes.h"
#include "gateway/xmpp/stanza.h"

struct rule_commands {
    const char *account, *zone_dir;
    const struct rule_line *line;
    const struct device_list *devices; /* the person's */
    struct arena *arena;
    struct bytes *reply;               /* to the person; appended */
    enum stanza_error refused;         /* STANZA_OK: it was done */
};

/* Inside a transaction. false: *e; then nothing is said. */
MUST_USE bool rule_commands_do(struct rule_commands *c, struct store_tx *tx, struct error *e);

#endif
