/* SPDX-License-Identifier: MIT */
/* The DNS records that a community needs: setup prints them, doctor asks for them. One list for both. */
#ifndef CAUSEWAY_RECORDS_H
#define CAUSEWAY_RECORDS_H

#include <stdint.h>
#include <stdio.h>

#include "gateway/base/arena.h"

enum { RECORDS_SRV_COUNT = 6 };

struct records_srv {
    const char *service;   /* "_xmpp-client._tcp" */
    const char *part;      /* "", or in front of the domain: "rooms." */
    uint16_t port, priority;
    const char *who;       /* for people: who finds us by it */
};
/* The domain in A-labels (RFC 5890), in the arena; as it is where it has none. */
const char *records_ascii(struct arena *a, const char *domain);

/* Both kinds, for clients and for servers; and for the parts that have names of their own. */
extern const struct records_srv records_srv[RECORDS_SRV_COUNT];

/* Names that the certificate should have beside the domain: rooms and upload have names of their own. */
extern const char *const records_parts[]; /* "rooms.", "upload."; ends with NULL */

/* As lines of a zone file. `addresses` ends with NULL; empty: a line says what is missing. */
void records_print(FILE *out, const char *domain, const char *host, const char *const *addresses);

#endif
