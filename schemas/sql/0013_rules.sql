-- SPDX-License-Identifier: MIT
-- Rules of people: whose messages are told by which devices, when (contact-router/rule.h). n: 1, 2, ... without a gap; the
-- first that fits decides. rule: as contact-router/rule_text.h writes it.
create table rules (
    account text not null,
    n bigint not null,
    rule text not null,
    changed_us bigint not null,
    primary key (account, n)
);
