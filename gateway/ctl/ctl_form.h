/* SPDX-License-Identifier: MIT */
/* Flags of the command line into the forms of a command's stages. */
#ifndef CAUSEWAY_CTL_FORM_H
#define CAUSEWAY_CTL_FORM_H

#include <stdbool.h>
#include <strophe.h>

#include "gateway/base/arena.h"
#include "gateway/base/error.h"

enum { CTL_FLAGS_MAX = 256 };

/* --name value, or --name-file path */
struct ctl_flag {
    const char *name; /* "": that of the first field that is asked for */
    const char *value;
    bool used;
};

struct ctl_flags {
    struct ctl_flag v[CTL_FLAGS_MAX];
    unsigned count;
    bool may_ask; /* for passwords, on the terminal */
};

/* What stands behind the command. false: *e says what is wrong. */
MUST_USE bool ctl_form_flags(struct ctl_flags *f, int argc, char **argv, struct error *e);
/* A value for the first field, before the others. */
void ctl_form_first(struct ctl_flags *f, const char *value);
/* <x type='submit'/> for that form, values in this order: flags, what the form proposes; a password that no flag
 * gives is asked for. The caller's count. NULL: *e says which field is missing or may not be given so. */
MUST_USE xmpp_stanza_t *ctl_form_fill(xmpp_ctx_t *ctx, struct arena *a, struct ctl_flags *f, xmpp_stanza_t *form,
                                      struct error *e);
/* A flag that no form had a field for; NULL: none. */
const char *ctl_form_unused(const struct ctl_flags *f);

#endif
