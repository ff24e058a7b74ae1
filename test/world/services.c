/* SPDX-License-Identifier: MIT */
/* What the gateways of a test world offer. */
#include "test/world/world.h"

#include <stddef.h>

#include "gateway/admin/admin.h"
#include "gateway/services/services.h"

const struct service *const world_services[] = {
    &adhoc_service, &client_access_service,           &disco_service,           &ping_service, &version_service, &time_service, &archive_service,
    &blocking_service,        &carbons_service,
    &private_storage_service, &last_activity_service,
    &registration_service,    &contact_request_service, NULL,
};

const struct adhoc_command *const world_commands[] = {my_devices, my_rules, my_requests, admin_invitations, my_clients, admin_accounts, admin_clients, admin_admins,
                                                       admin_tables, NULL};
