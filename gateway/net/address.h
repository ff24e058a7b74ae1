/* SPDX-License-Identifier: MIT */
/* Numeric addresses of IPv4 and IPv6. Pure. */
#ifndef CAUSEWAY_NET_ADDRESS_H
#define CAUSEWAY_NET_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "gateway/base/check.h"

/* "192.0.2.1" or "2001:db8::1", without brackets. false: it is neither, and `out` is of no family. */
MUST_USE bool address_parse(struct sockaddr_storage *out, const char *text, uint16_t port);
/* What socket calls want to know beside the address. */
socklen_t address_len(const struct sockaddr *a);
uint16_t address_port(const struct sockaddr_storage *a);
/* The same family and address; the port does not matter. */
bool address_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b);
bool address_is_any(const struct sockaddr_storage *a); /* 0.0.0.0 or :: */

#endif
