-- migrate:up
-- One row per case and responder called: when each step was first reached. See docs/LATENCY.md.
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
    primary key (site, case_id, responder)
);

create index responses_by_responder on responses (site, responder, accepted_at desc);

-- migrate:down
drop table responses;
