/* SPDX-License-Identifier: MIT */
/* What there is to choose from; gateway/compose.c lists what a gateway offers. */
#ifndef CAUSEWAY_SERVICES_SERVICES_H
#define CAUSEWAY_SERVICES_SERVICES_H

#include "gateway/exchange/service.h"

extern const struct service disco_service;           /* XEP-0030 */
extern const struct service ping_service;            /* XEP-0199 */
extern const struct service version_service;         /* XEP-0092 */
extern const struct service time_service;            /* XEP-0202 */
extern const struct service archive_service;         /* XEP-0313 */
extern const struct service blocking_service;        /* XEP-0191 */
extern const struct service carbons_service;         /* XEP-0280 */
extern const struct service private_storage_service; /* XEP-0049 */
extern const struct service last_activity_service;   /* XEP-0012 */
extern const struct service registration_service;    /* XEP-0077 */
extern const struct service contact_request_service; /* contact_request.h */

#endif
