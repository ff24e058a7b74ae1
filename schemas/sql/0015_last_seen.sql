-- SPDX-License-Identifier: MIT
-- XEP-0012: when the last link of a person went, and what it said then (gateway/store/seen.h). status: '' when nothing.
create table last_seen (
    account text not null primary key,
    at_us bigint not null,
    status text not null
);
