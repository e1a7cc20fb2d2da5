-- migrate:up
-- Tables that grow without end are kept by the month in which their case was accepted. They are emptied here and made
-- again from the log by `dispatch project`, in the background; `dispatch rebuild` does it faster.

-- The partition of `parent` for the month of `moment` in UTC (`<parent>_YYYY_MM`), made beside it unless it is there.
-- It is attached rather than created in place: so nobody who reads or writes waits. There is no default partition:
-- rows that had gone there would be in the way of their own month.
create function ensure_month(parent regclass, moment timestamptz) returns void language plpgsql as $$
declare
    first timestamptz := date_trunc('month', moment, 'UTC');
    month text;
    schema text;
begin
    select relname || to_char(first at time zone 'UTC', '_YYYY_MM'), relnamespace::regnamespace
    into month, schema from pg_class where oid = parent;
    perform pg_advisory_xact_lock(parent::oid::bigint);
    if to_regclass(schema || '.' || quote_ident(month)) is not null then
        return;
    end if;
    execute format('create table %s.%I (like %s including all)', schema, month, parent);
    execute format(
        'alter table %s attach partition %s.%I for values from (%L) to (%L)',
        parent, schema, month, first, date_add(first, interval '1 month', 'UTC')
    );
end
$$;

drop table timeline;
create table timeline (
    site text not null,
    case_id text not null,
    accepted_at timestamptz not null,
    seq bigint not null,
    index integer not null,
    at timestamptz not null,
    type text not null,
    data jsonb not null,
    primary key (site, case_id, seq, index, accepted_at)
) partition by range (accepted_at);

drop table calls;
create table calls (
    site text not null,
    case_id text not null,
    accepted_at timestamptz not null,
    step integer not null,
    responder text not null,
    channel text not null,
    reasons jsonb not null,
    called_at timestamptz not null,
    outcome text,
    reason text,
    attempts integer not null,
    at timestamptz,
    unknown_at timestamptz,
    failed_at timestamptz,
    sent_at timestamptz,
    delivered_at timestamptz,
    seen_at timestamptz,
    answer text,
    eta_minutes integer,
    answered_at timestamptz,
    primary key (site, case_id, step, responder, channel, accepted_at)
) partition by range (accepted_at);

drop table latency;
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
    primary key (site, case_id, accepted_at)
) partition by range (accepted_at);

create index latency_newest on latency (site, accepted_at desc, case_id desc);

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
    primary key (site, case_id, responder, accepted_at)
) partition by range (accepted_at);

create index responses_by_responder on responses (site, responder, accepted_at desc);

delete from checkpoints where projection in ('timeline', 'calls', 'latency', 'responses');

-- migrate:down
drop table timeline;
create table timeline (
    site text not null,
    case_id text not null,
    seq bigint not null,
    index integer not null,
    at timestamptz not null,
    type text not null,
    data jsonb not null,
    primary key (site, case_id, seq, index)
);

drop table calls;
create table calls (
    site text not null,
    case_id text not null,
    step integer not null,
    responder text not null,
    channel text not null,
    reasons jsonb not null,
    called_at timestamptz not null,
    outcome text,
    reason text,
    attempts integer not null,
    at timestamptz,
    unknown_at timestamptz,
    failed_at timestamptz,
    sent_at timestamptz,
    delivered_at timestamptz,
    seen_at timestamptz,
    answer text,
    eta_minutes integer,
    answered_at timestamptz,
    primary key (site, case_id, step, responder, channel)
);

drop table latency;
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
    primary key (site, case_id, responder)
);

create index responses_by_responder on responses (site, responder, accepted_at desc);

drop function ensure_month(regclass, timestamptz);
delete from checkpoints where projection in ('timeline', 'calls', 'latency', 'responses');
