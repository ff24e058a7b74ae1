/* SPDX-License-Identifier: MIT */
/* The parts of an examination. */
#ifndef CAUSEWAY_DOCTOR_INTERNAL_H
#define CAUSEWAY_DOCTOR_INTERNAL_H

#include "gateway/doctor.h"

enum doctor_grade {
    DOCTOR_GOOD,
    DOCTOR_NOTE,  /* works, or is not needed yet; worth knowing */
    DOCTOR_WRONG,
};

struct doctor {
    const struct config *c;
    FILE *out;
    struct arena arena;
    unsigned wrong, notes;
    bool is_running; /* a door of ours answers on this machine */
};

/* `next`: what to do; NULL only with DOCTOR_GOOD. */
void doctor_say(struct doctor *d, enum doctor_grade grade, const char *next, const char *fmt, ...) PRINTF_LIKE(4, 5);

void doctor_certificates(struct doctor *d);
/* SRV and addresses, as records.h lists them; then what answers there. Sets nothing. */
void doctor_dns(struct doctor *d);
/* The listeners on this machine. Sets is_running. */
void doctor_ports(struct doctor *d);

/* Each server of each community's directory. */
void doctor_directories(struct doctor *d);

#endif
