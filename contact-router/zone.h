/* SPDX-License-Identifier: MIT */
/* How far a time zone is from UTC at a given time, from the machine's zone files (TZif, RFC 8536).
 * localtime() cannot be used: it knows one zone a process. */
#ifndef CAUSEWAY_CONTACT_ROUTER_ZONE_H
#define CAUSEWAY_CONTACT_ROUTER_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZONE_UTC "UTC" /* needs no file */

/* `dir` NULL: /usr/share/zoneinfo. false: there is no such zone (*offset_s is 0). Reads the file. */
bool zone_offset(const char *dir, const char *name, int64_t unix_s, int *offset_s);
/* The same of a file's bytes. false: not a TZif file. */
bool zone_read(const unsigned char *data, size_t len, int64_t unix_s, int *offset_s);

/* The file of a zone (mem_free); NULL: there is none. */
unsigned char *zone_load(const char *dir, const char *name, size_t *len);

#endif
