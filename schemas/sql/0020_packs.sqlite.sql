-- SPDX-License-Identifier: MIT
-- Messages of the journal that an archive holds, several a row (gateway/store/pack.h): a row a message
-- costs the writer more than the message. `seq` is not above the first of them, `kept_us` that of all.
-- What no archive holds has a row of its own in `journal`, because it goes when it was served; so have
-- rows from before this migration. For SQLite alone, as 0001 says of the journal.
create table packs (
    seq     integer primary key,
    kept_us bigint not null,
    entries bytea not null
);
