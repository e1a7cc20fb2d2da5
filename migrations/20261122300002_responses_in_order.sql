-- migrate:up
-- What every report asks of a row stands first in it, and what has a fixed length before what has not: Postgres goes
-- through a row from its beginning, and a month has hundreds of thousands. Nothing else changes. The table is made
-- again from the log.
drop table responses;
create table responses (
    accepted_at timestamptz not null,
    step integer not null,
    drill boolean not null,
    left_out boolean not null default false,
    backwards boolean not null generated always as (
        coalesce(delivered_at < called_at, false)
        or coalesce(answered_at < delivered_at, false)
        or coalesce(on_scene_at < going_at, false)
        or coalesce(on_scene_at < called_at, false)
    ) stored,
    site text not null,
    responder text not null,
    group_id text,
    areas text[] not null,
    kind text not null,
    role text,
    called_to_answered float8 generated always as (extract(epoch from answered_at - called_at)::float8) stored,
    called_to_on_scene float8 generated always as (extract(epoch from on_scene_at - called_at)::float8) stored,
    called_at timestamptz,
    delivered_at timestamptz,
    answered_at timestamptz,
    going_at timestamptz,
    on_scene_at timestamptz,
    answer text,
    called_to_delivered float8 generated always as (extract(epoch from delivered_at - called_at)::float8) stored,
    delivered_to_answered float8 generated always as (extract(epoch from answered_at - delivered_at)::float8) stored,
    going_to_on_scene float8 generated always as (extract(epoch from on_scene_at - going_at)::float8) stored,
    on_scene_to_cleared float8 generated always as (extract(epoch from cleared_at - on_scene_at)::float8) stored,
    cleared_at timestamptz,
    case_id text not null,
    primary key (site, case_id, responder, accepted_at)
) partition by range (accepted_at);

create index responses_by_responder on responses (site, responder, accepted_at desc);
create index responses_newest on responses (site, accepted_at);

delete from checkpoints where projection = 'responses';

-- migrate:down
drop table responses;
create table responses (
    site text not null,
    case_id text not null,
    responder text not null,
    step integer not null,
    areas text[] not null,
    kind text not null,
    drill boolean not null,
    accepted_at timestamptz not null,
    called_at timestamptz,
    delivered_at timestamptz,
    answered_at timestamptz,
    going_at timestamptz,
    on_scene_at timestamptz,
    called_to_delivered float8 generated always as (extract(epoch from delivered_at - called_at)::float8) stored,
    delivered_to_answered float8 generated always as (extract(epoch from answered_at - delivered_at)::float8) stored,
    going_to_on_scene float8 generated always as (extract(epoch from on_scene_at - going_at)::float8) stored,
    called_to_on_scene float8 generated always as (extract(epoch from on_scene_at - called_at)::float8) stored,
    backwards boolean not null generated always as (
        coalesce(delivered_at < called_at, false)
        or coalesce(answered_at < delivered_at, false)
        or coalesce(on_scene_at < going_at, false)
        or coalesce(on_scene_at < called_at, false)
    ) stored,
    role text,
    group_id text,
    left_out boolean not null default false,
    answer text,
    called_to_answered float8 generated always as (extract(epoch from answered_at - called_at)::float8) stored,
    cleared_at timestamptz,
    on_scene_to_cleared float8 generated always as
        (extract(epoch from cleared_at - on_scene_at)::float8) stored,
    primary key (site, case_id, responder, accepted_at)
) partition by range (accepted_at);

create index responses_by_responder on responses (site, responder, accepted_at desc);
create index responses_newest on responses (site, accepted_at);

delete from checkpoints where projection = 'responses';
