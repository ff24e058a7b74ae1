-- SPDX-License-Identifier: MIT
-- XEP-0191: what a person has blocked beyond people (gateway/store/blocks.h): whole domains, and single
-- resources. Who blocks a person's bare JID says so in consent, so that it is said once.
create table blocks (
    owner text not null,
    jid text not null,
    primary key (owner, jid)
);
