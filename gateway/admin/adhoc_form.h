/* SPDX-License-Identifier: MIT */
/* PURE: the forms of a command's stages, out and in (XEP-0004, XEP-0122). What comes in is checked
 * strictly: each field is one of the form's, stands once, and holds what its type allows. */
#ifndef CAUSEWAY_ADMIN_ADHOC_FORM_H
#define CAUSEWAY_ADMIN_ADHOC_FORM_H

#include "gateway/admin/adhoc.h"
#include "gateway/base/error.h"

struct adhoc_value {
    const char *var;
    const char **values;
    unsigned count;
    struct adhoc_value *next;
};

/* What a stage's show added to it. */
struct adhoc_offer {
    const char *var, *label, *value;
    struct adhoc_offer *next; /* in order */
};

struct adhoc_offers {
    struct adhoc_offer *first, *last;
};

const struct adhoc_value *adhoc_form_find(const struct adhoc_value *values, const char *var); /* NULL: none */

/* The form of a stage into what is open; `presets`: values for its fields; later ones win. */
void adhoc_form_write(struct builder *b, const char *form_type, const struct adhoc_stage *stage,
                      const struct adhoc_offers *offers, const struct adhoc_value *presets);

/* Reads <x type='submit'/> inside `command`; what was found is put before *values, in `a`. NULL in
 * `command`'s form gives the same as an empty one. false: *e says which field is wrong. */
MUST_USE bool adhoc_form_read(struct arena *a, const struct element *command, const char *form_type,
                              const struct adhoc_stage *stage, const struct adhoc_offers *offers,
                              struct adhoc_value **values, struct error *e);

#endif
