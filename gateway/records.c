/* SPDX-License-Identifier: MIT */
/* RFC 6120 3.2.1 (SRV), XEP-0368 (SRV for direct TLS, which is tried first), XEP-0156 is not needed. */
#include "gateway/records.h"

#include <idn2.h>
#include <stddef.h>
#include <string.h>

const struct records_srv records_srv[RECORDS_SRV_COUNT] = {
    {"_xmpps-client._tcp", "", 5223, 0, "clients, by direct TLS"},
    {"_xmpp-client._tcp", "", 5222, 5, "clients, by STARTTLS"},
    {"_xmpps-server._tcp", "", 5270, 0, "other servers, by direct TLS"},
    {"_xmpp-server._tcp", "", 5269, 5, "other servers, by STARTTLS"},
    {"_xmpps-server._tcp", "rooms.", 5270, 0, "other servers, to rooms, by direct TLS"},
    {"_xmpp-server._tcp", "rooms.", 5269, 5, "other servers, to rooms, by STARTTLS"},
};

const char *const records_parts[] = {"rooms.", "upload.", NULL};

const char *records_ascii(struct arena *a, const char *domain)
{
    uint8_t *ascii = NULL;
    if (idn2_lookup_u8((const uint8_t *)domain, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
        return arena_dup(a, domain);
    const char *copy = arena_dup(a, (const char *)ascii);
    idn2_free(ascii);
    return copy;
}

void records_print(FILE *out, const char *domain, const char *host, const char *const *addresses)
{
    for (size_t i = 0; i < RECORDS_SRV_COUNT; i++)
        fprintf(out, "%s.%s%s. 3600 IN SRV %u 0 %u %s.\n", records_srv[i].service, records_srv[i].part, domain,
                records_srv[i].priority, records_srv[i].port, host);
    if (!addresses[0])
        fprintf(out, "%s. 3600 IN A this machine's public address\n", host);
    for (; *addresses; addresses++)
        fprintf(out, "%s. 3600 IN %s %s\n", host, strchr(*addresses, ':') ? "AAAA" : "A", *addresses);
    for (const char *const *part = records_parts; *part; part++)
        fprintf(out, "%s%s. 3600 IN CNAME %s.\n", *part, domain, host);
}
