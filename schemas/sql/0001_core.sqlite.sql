-- The core of the store: accounts, rosters, the journal and what refers to it.
-- For SQLite alone, because two things have no common spelling: a key that is the row's own number
-- (integer primary key) and a table that lies in its key's order (without rowid). 0001_core.pg.sql
-- will say the same for PostgreSQL. Times are microseconds since 1970; 0 in a reference means none.

-- Bare JIDs and names of queues, once each: rows of the journal carry numbers.
create table names (
    id   integer primary key,
    name text not null unique
);

-- Every kept message, in the order of commits, payload once. No index but seq: this is what the
-- acknowledging path writes. first_us 0: the same as kept_us.
create table journal (
    seq      integer primary key,
    kept_us  bigint not null,
    first_us bigint not null,
    archive1 bigint not null,
    peer1    bigint not null,
    archive2 bigint not null,
    peer2    bigint not null,
    queue1   bigint not null,
    queue2   bigint not null,
    stanza   bytea not null
);

-- What was served, one row a group: pairs of 8 + 8 bytes (queue, seq), little endian. A row goes when
-- the indexer has worked it in.
create table done_log (
    id    integer primary key,
    pairs bytea not null
);

-- One row: how far the indexer is, and what must never be given out again although its row is gone.
create table journal_state (
    one      bigint primary key,
    indexed  bigint not null,
    last_seq bigint not null,
    last_us  bigint not null
);
insert into journal_state (one, indexed, last_seq, last_us) values (1, 0, 0, 0);

-- Made from the journal by the indexer.
create table archive (
    owner    bigint not null,
    seq      bigint not null,
    peer     bigint not null,
    first_us bigint not null,
    primary key (owner, seq)
) without rowid;

create table queue (
    queue bigint not null,
    seq   bigint not null,
    primary key (queue, seq)
) without rowid;

create table accounts (
    bare       text not null primary key,
    domain     text not null,
    is_admin   bigint not null,
    disabled   bigint not null,
    created_us bigint not null
) without rowid;

-- SCRAM keys (RFC 5802): never a password.
create table account_keys (
    bare       text not null,
    mechanism  text not null,
    iterations bigint not null,
    salt       bytea not null,
    stored_key bytea not null,
    server_key bytea not null,
    primary key (bare, mechanism)
) without rowid;

-- RFC 6121 section 2. removed 1: a tombstone for clients with an older version (2.6).
create table rosters (
    owner     text not null,
    contact   text not null,
    name      text,
    groups    text not null,
    state     bigint not null,
    approved  bigint not null,
    in_roster bigint not null,
    request   bytea,
    version   bigint not null,
    removed   bigint not null,
    primary key (owner, contact)
) without rowid;

-- The newest version of each roster, and the one below which tombstones are forgotten.
create table roster_heads (
    owner   text not null primary key,
    version bigint not null,
    floor   bigint not null
) without rowid;

create table secrets (
    name  text not null primary key,
    value bytea not null
) without rowid;
