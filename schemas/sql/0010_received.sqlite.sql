-- SPDX-License-Identifier: MIT
-- What another community has numbered and we have taken, until it says that it will not come again
-- (urn:causeway:queue:1, gateway/store/received.h). For SQLite alone because of `without rowid`.

-- One row a pair "REMOTE LOCAL"; pair is the number of the name "r:REMOTE LOCAL". Everything up to
-- (settled_us, settled_seq) was settled, whatever rows say. used_us: rows that nobody used for a month go.
create table received_pairs (
    pair        bigint not null primary key,
    epoch       bigint not null,
    settled_us  bigint not null,
    settled_seq bigint not null,
    used_us     bigint not null
) without rowid;
create index received_pairs_used on received_pairs (used_us);

-- Written in the transaction of what became of the message.
create table received (
    pair  bigint not null,
    at_us bigint not null,
    seq   bigint not null,
    primary key (pair, at_us, seq)
) without rowid;
