-- SPDX-License-Identifier: MIT
-- XEP-0377: what people say of whom they block, for the admins of their community (gateway/store/reports.h). n rises
-- with time. messages: archive ids of what is meant, "BY ID" each on a line. They outlive the account of who reported.
create table reports (
    n bigint not null primary key,
    community text not null,
    reporter text not null,
    jid text not null,
    reason text not null,
    words text not null,
    messages text not null,
    to_origin bigint not null,
    to_others bigint not null,
    at_us bigint not null
);
create index reports_community on reports (community, n);
create index reports_reporter on reports (reporter, n);
