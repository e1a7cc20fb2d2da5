-- migrate:up
-- One row per case: when each step of help was first reached, and the seconds between. See docs/LATENCY.md.
create table latency (
    site text not null,
    case_id text not null,
    household text not null,
    areas text[] not null,
    kind text not null,
    silent boolean not null,
    drill boolean not null,
    pressed_at timestamptz not null,
    accepted_at timestamptz not null,
    called_at timestamptz,
    delivered_at timestamptz,
    answered_at timestamptz,
    going_at timestamptz,
    on_scene_at timestamptz,
    resolved_at timestamptz,
    cancelled_at timestamptz,
    pressed_to_accepted float8 generated always as (extract(epoch from accepted_at - pressed_at)::float8) stored,
    accepted_to_called float8 generated always as (extract(epoch from called_at - accepted_at)::float8) stored,
    called_to_delivered float8 generated always as (extract(epoch from delivered_at - called_at)::float8) stored,
    delivered_to_answered float8 generated always as (extract(epoch from answered_at - delivered_at)::float8) stored,
    answered_to_going float8 generated always as (extract(epoch from going_at - answered_at)::float8) stored,
    going_to_on_scene float8 generated always as (extract(epoch from on_scene_at - going_at)::float8) stored,
    on_scene_to_resolved float8 generated always as (extract(epoch from resolved_at - on_scene_at)::float8) stored,
    accepted_to_answered float8 generated always as (extract(epoch from answered_at - accepted_at)::float8) stored,
    accepted_to_on_scene float8 generated always as (extract(epoch from on_scene_at - accepted_at)::float8) stored,
    accepted_to_resolved float8 generated always as (extract(epoch from resolved_at - accepted_at)::float8) stored,
    backwards boolean not null generated always as (
        coalesce(accepted_at < pressed_at, false)
        or coalesce(called_at < accepted_at, false)
        or coalesce(delivered_at < called_at, false)
        or coalesce(answered_at < delivered_at, false)
        or coalesce(going_at < answered_at, false)
        or coalesce(on_scene_at < going_at, false)
        or coalesce(resolved_at < on_scene_at, false)
    ) stored,
    primary key (site, case_id)
);

create index latency_newest on latency (site, accepted_at desc, case_id desc);

-- migrate:down
drop table latency;
