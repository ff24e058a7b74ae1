-- SPDX-License-Identifier: MIT
-- To whom the resource of a stream has shown itself by directed presence (RFC 6121 4.6), so that they learn after a restart that it
-- has gone (gateway/store/streams.h).
alter table streams add column directed bytea not null default '';
