-- SPDX-License-Identifier: MIT
-- Accounts whose passwords are in a directory outside (LDAP). accounts.disabled is 2 for one that the directory has no more: it may
-- log in again when the directory has it again, unlike one that an admin disabled (1).
alter table accounts add column of_directory bigint not null default 0;
