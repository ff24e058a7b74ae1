-- SPDX-License-Identifier: MIT
-- XEP-0198: streams of terminals that can be resumed, so that a restart does not end them
-- (gateway/store/streams.h). handled, serial and done are written with the messages that they count.
create table streams (
    token text not null primary key,
    account text not null,
    resource text not null,
    handled bigint not null,
    serial bigint not null,
    done bigint not null,
    acked bigint not null,
    outs bytea not null,
    presence bytea not null,
    flags bigint not null,
    saved_us bigint not null
);
create index streams_resource on streams (account, resource);
