/* SPDX-License-Identifier: MIT */
/* The address that a mail of ours comes from and is answered to: reply+TOKEN@capulet.example. The token holds the
 * delivery and proves that we gave it out. Letters may lose their case on the way, so it has none. Pure. */
#ifndef CAUSEWAY_CONTACT_ROUTER_MAIL_ADDRESS_H
#define CAUSEWAY_CONTACT_ROUTER_MAIL_ADDRESS_H

#include "gateway/base/random.h"
#include "gateway/store/secret.h"

enum { MAIL_ADDRESS_LOCAL_MAX = 11 }; /* RFC 5321 4.5.3.1.1 leaves no more beside the token */

/* `base`: reply@capulet.example. Appends. */
void mail_address_write(const unsigned char key[SECRET_LEN], const char *base, const char *ref, struct bytes *out);
/* Is that such an address? Its delivery. */
MUST_USE bool mail_address_read(const unsigned char key[SECRET_LEN], const char *base, const char *address,
                                char ref[RANDOM_ID_LEN + 1]);
/* Can it be a base? */
bool mail_address_is_base(const char *base);

#endif
