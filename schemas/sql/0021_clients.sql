-- SPDX-License-Identifier: MIT
-- XEP-0484: clients (XEP-0388's user-agent) that hold tokens to log in by, and the tokens: of each client the one in use
-- and the one given out after it. A token is made of `seed` and a secret: what lies here alone opens nothing.
create table clients (
    bare     text not null,
    agent    text not null,
    software text not null,
    device   text not null,
    first_us bigint not null,
    seen_us  bigint not null,
    primary key (bare, agent)
);
create table client_tokens (
    bare       text not null,
    agent      text not null,
    fresh      bigint not null,
    mechanism  text not null,
    seed       bytea not null,
    issued_us  bigint not null,
    expires_us bigint not null,
    used_count bigint not null,
    primary key (bare, agent, fresh)
);
