-- SPDX-License-Identifier: MIT
-- A row of the archive is a run: seq, peer and first_us are its newest message, `older` (null: none)
-- the ones before it (gateway/store/archive_run.h). Rows from before this migration are runs of one.
alter table archive add column older bytea;
