-- SPDX-License-Identifier: MIT
-- Devices of people and the durable outbox to them (contact-router). Why somebody must be reached is in
-- reach_events (0002_sessions.sql): planned here, then deleted there, in one transaction.

-- What a person has listed. n is the number that the person sees; it is not given out again while
-- others stand behind it. quiet: "22:00-07:00 Europe/London" or ''.
create table devices (
    account text not null,
    n bigint not null,
    kind text not null,
    address text not null,
    label text not null,
    lang text not null,
    verified_us bigint not null,
    full_text bigint not null,
    opted_out bigint not null,
    failures bigint not null,
    quiet text not null,
    created_us bigint not null,
    primary key (account, n)
);
create index devices_address on devices (kind, address);

-- A verification code that waits: only its salted hash.
create table device_codes (
    account text not null,
    n bigint not null,
    salt bytea not null,
    hash bytea not null,
    expires_us bigint not null,
    attempts bigint not null,
    primary key (account, n)
);

-- Codes that were sent, for their limits; rows go after a day.
create table device_codes_sent (
    account text not null,
    community text not null,
    prefix text not null,
    at_us bigint not null
);
create index device_codes_sent_at on device_codes_sent (at_us);

-- Addresses whose owners said STOP: no code goes there for 30 days.
create table device_refusals (
    kind text not null,
    address text not null,
    at_us bigint not null,
    primary key (kind, address)
);

-- A message on its way to a device: written before it is tried, changed by outbox.c alone. text is
-- erased a day after the end (a code's at once), the row goes after 30 days.
create table deliveries (
    ref text primary key,
    account text not null,
    n bigint not null,
    kind text not null,
    address text not null,
    community text not null,
    purpose text not null,
    peer text not null,
    peer_domain text not null,
    code text not null,
    provider text not null,
    state text not null,
    step bigint not null,
    urgent bigint not null,
    attempts bigint not null,
    due_us bigint not null,
    created_us bigint not null,
    told_us bigint not null,
    ended_us bigint not null,
    texts bigint not null,
    readable bigint not null,
    text text not null,
    provider_id text not null,
    reason text not null
);
create index deliveries_due on deliveries (due_us) where state = 'planned' or state = 'due';
create index deliveries_account on deliveries (account, created_us);
create index deliveries_community on deliveries (community, kind, created_us);
create index deliveries_address on deliveries (kind, address, told_us);
create index deliveries_provider on deliveries (provider, provider_id);
create index deliveries_ended on deliveries (ended_us) where ended_us > 0;
create index deliveries_sending on deliveries (account, n) where state = 'sending';

-- The messages that a delivery tells of (journal rows), for progress and for the steps of a plan.
create table delivery_messages (
    ref text not null,
    account text not null,
    seq bigint not null,
    primary key (ref, seq)
);
create index delivery_messages_seq on delivery_messages (account, seq);

-- What providers sent to us, once each; done: all that it caused is committed.
create table hooks_seen (
    provider text not null,
    id text not null,
    done bigint not null,
    at_us bigint not null,
    primary key (provider, id)
);
create index hooks_seen_at on hooks_seen (at_us);

-- A text without a code that several conversations could mean, until its sender chooses: lines of
-- "account peer".
create table held_answers (
    provider text not null,
    address text not null,
    text text not null,
    dedup text not null,
    choices text not null,
    at_us bigint not null,
    primary key (provider, address)
);
