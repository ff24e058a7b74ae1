-- SPDX-License-Identifier: MIT
-- XEP-0049: what clients leave with their account (gateway/store/private_xml.h). One row an element name and namespace;
-- xml: all elements of that name that were set together. bytes: of xml.
create table private_xml (
    owner text not null,
    ns text not null,
    name text not null,
    xml bytea not null,
    bytes bigint not null,
    changed_us bigint not null,
    primary key (owner, ns, name)
);
