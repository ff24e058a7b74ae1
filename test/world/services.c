/* SPDX-License-Identifier: MIT */
/* What the gateways of a test world offer. */
#include "test/world/world.h"

#include <stddef.h>

const struct service *const world_services[] = {NULL};
