-- SPDX-License-Identifier: MIT
-- Invitations (XEP-0379, 0401, 0445). `hash` is SHA-256 of the token: who reads this table can redeem nothing. inviter '':
-- somebody at the machine made it. name '': whoever is invited chooses one. A spent one stays for a while, to be listed.
create table invitations (
    hash       bytea not null primary key,
    id         text not null,
    domain     text not null,
    inviter    text not null,
    name       text not null,
    contact    bigint not null,
    account    bigint not null,
    introduces bigint not null,
    made_us    bigint not null,
    expires_us bigint not null,
    uses_left  bigint not null,
    used_by    text not null
);
create index invitations_by_domain on invitations (domain, inviter, made_us);

-- An account was made by an invitation and has its inviter among its contacts; the inviter's own roster, which is in memory
-- while it is used, has not been told yet.
create table introductions (
    inviter text not null,
    invited text not null,
    primary key (inviter, invited)
);
