-- SPDX-License-Identifier: MIT
-- Messaging sessions: who has let whom in, and how far reaching somebody has got (gateway/store/sessions.h).

-- One row a pair, apart from archive and roster: it holds until it is revoked. While a request waits,
-- expires_us says when it ends, and the messages are in the queue "h:CALLEE PEER".
create table consent (
    callee text not null,
    peer text not null,
    state bigint not null,
    number bigint not null,
    held bigint not null,
    told bigint not null,
    prompted bigint not null,
    openly bigint not null,
    nobody bigint not null,
    expires_us bigint not null,
    changed_us bigint not null,
    asker text,
    asked text,
    lang text,
    excerpt text,
    primary key (callee, peer)
);

-- The sweep looks for requests whose time is over; most rows wait for nothing and are not in it.
create index consent_waits on consent (expires_us) where expires_us > 0;

-- The conversation: the code that text messages show, and where reaching the callee stands.
create table session (
    callee text not null,
    peer text not null,
    code text not null,
    reach bigint not null,
    encrypted bigint not null,
    lang text,
    changed_us bigint not null,
    primary key (callee, peer)
);

create table session_prefs (
    callee text primary key,
    strangers bigint not null,
    tell bigint not null
);

-- Why somebody must be reached: written with the message, read and deleted by contact-router. The id
-- comes from a counter of its own, so that it rises with commits and is never used again.
create table reach_events (
    id bigint primary key,
    kind bigint not null,
    callee text not null,
    peer text not null,
    code text not null,
    seq bigint not null,
    text text,
    urgency text,
    at_us bigint not null
);
create unique index reach_events_seq on reach_events (callee, seq);
create table reach_event_count (last bigint not null);
insert into reach_event_count (last) values (0);

-- Receipts (XEP-0184) that are owed when a device confirms row seq.
create table session_receipt (
    callee text not null,
    seq bigint not null,
    recipient text not null,
    id text not null,
    at_us bigint not null,
    primary key (callee, seq)
);
