/* SPDX-License-Identifier: MIT */
/* The way to devices in a world: a contact-router whose provider of text messages and mail server are
 * played here. http_call, mail_send and http_answer stand here in place of the libraries' functions, so
 * nothing leaves the process; what is sent is kept until the test takes it. */
#ifndef CAUSEWAY_TEST_DEVICES_H
#define CAUSEWAY_TEST_DEVICES_H

#include <stdbool.h>

#include "gateway/exchange/reach.h"
#include "gateway/net/loop.h"

struct world_devices;

/* What a world does with them. */
struct world_devices_life {
    struct world_devices *(*create)(struct exchange *x, struct store *s, struct loop *l, const char *domain, unsigned texts_a_day);
    struct contact_router *(*router)(struct world_devices *d);
    void (*destroy)(struct world_devices **d); /* after the store was closed */
};

/* What a provider or mail server says to what it is asked from now on. */
enum devices_mood {
    DEVICES_ACCEPTS,
    DEVICES_FAILS,   /* for now: 503, 451 */
    DEVICES_REFUSES, /* for good: no such number (21211), no such mailbox (550) */
    DEVICES_SILENT,  /* takes the request and never answers */
};

/* Numbers under +44 may be written to, texts_a_day in all. */
extern const struct world_devices_life devices_played; /* for world_gateway */

void devices_provider(struct world_devices *d, enum devices_mood m);
void devices_mail_server(struct world_devices *d, enum devices_mood m);

/* What was accepted and not taken yet, the oldest first. `to` NULL: anybody's. NULL: nothing. Borrowed. */
const char *devices_look_text(struct world_devices *d, const char *to);
const char *devices_look_mail(struct world_devices *d, const char *to);
void devices_take_text(struct world_devices *d, const char *to);
void devices_take_mail(struct world_devices *d, const char *to);
/* Requests that the provider and the mail server had since the last question. */
unsigned devices_tries(struct world_devices *d);

/* Webhooks; the HTTP status when it has settled (devices_answer). */
void devices_text_arrives(struct world_devices *d, const char *from, const char *text, bool forged);
/* The provider says what became of the last text that went to `to`: "delivered", "undelivered". false: none went there. */
bool devices_status(struct world_devices *d, const char *to, const char *state);
int devices_answer(const struct world_devices *d);

#endif
