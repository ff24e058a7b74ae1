/* SPDX-License-Identifier: MIT */
/* The callee's view of contact requests: what an account writes to its own domain ("accept 3",
 * "requests", "devices", "help") is answered by the domain. */
#ifndef CAUSEWAY_SERVICES_CONTACT_REQUEST_H
#define CAUSEWAY_SERVICES_CONTACT_REQUEST_H

#include "gateway/exchange/service.h"

extern const struct service contact_request_service;

#endif
