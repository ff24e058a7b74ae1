/* SPDX-License-Identifier: MIT */
/* Devices, codes and refusals as rows (schemas/sql/0003_devices.sql). Everything is inside a
 * transaction; what is read lives in the arena that is given. */
#ifndef CAUSEWAY_CONTACT_ROUTER_DEVICE_STORE_H
#define CAUSEWAY_CONTACT_ROUTER_DEVICE_STORE_H

#include "contact-router/budget.h"
#include "contact-router/device.h"
#include "gateway/store/store.h"

enum { DEVICE_LIST_MAX = 16, DEVICE_CODE_LEN = 6 };

struct device_list { struct device v[DEVICE_LIST_MAX]; unsigned count; };

/* The person's device `n`; NULL: none, or it has another address by now (`address` NULL: whichever). */
const struct device *device_list_find(const struct device_list *list, int64_t n, const char *address);

/* With those that cannot be read (device.damaged): they count as not verified. */
MUST_USE bool device_store_list(struct store_tx *tx, const char *account, struct arena *a, struct device_list *out,
                                struct error *e);
/* Verified devices with that address, whosever they are; at most DEVICE_LIST_MAX. */
MUST_USE bool device_store_by_address(struct store_tx *tx, enum device_kind kind, const char *address, struct arena *a,
                                      struct device_list *out, struct error *e);
/* Has that account such a device, verified and not told STOP? */
MUST_USE bool device_store_is_listed(struct store_tx *tx, const char *account, enum device_kind kind,
                                     const char *address, struct arena *a, bool *out, struct error *e);
/* Inserts, or changes all but kind and address. */
MUST_USE bool device_store_put(struct store_tx *tx, const struct device *d, struct error *e);
MUST_USE bool device_store_remove(struct store_tx *tx, const char *account, int64_t n, struct error *e);
/* A refusal (+1), or success (0: forgets them). */
MUST_USE bool device_store_count_failure(struct store_tx *tx, const char *account, int64_t n, bool failed,
                                         struct error *e);

/* The owner of the address said STOP (or START): every device with it, and codes for 30 days. */
MUST_USE bool device_store_refuse(struct store_tx *tx, enum device_kind kind, const char *address, bool stop,
                                  struct error *e);
MUST_USE bool device_store_is_refused(struct store_tx *tx, enum device_kind kind, const char *address, bool *out,
                                      struct error *e);

MUST_USE bool device_store_codes_used(struct store_tx *tx, const char *account, const char *community,
                                      const char *prefix, struct budget_codes *out, struct error *e);
/* Draws a code for device n, keeps its hash for 15 minutes, counts it. */
MUST_USE bool device_store_code_new(struct store_tx *tx, const char *account, int64_t n, const char *community,
                                    const char *prefix, char code[DEVICE_CODE_LEN + 1], struct error *e);
/* *n: the device it proves; 0: none (then each waiting code of the account counts an attempt). */
MUST_USE bool device_store_code_try(struct store_tx *tx, const char *account, const char *code, int64_t *n,
                                    struct error *e);

/* Old rows, and those of accounts that are gone. */
MUST_USE bool device_store_sweep(struct store_tx *tx, struct error *e);

#endif
