-- migrate:up
-- What reports ask of a case and of each responder. Both tables are read again from the log, so that old cases have it.
alter table latency
    add column group_id text,
    add column target_seconds integer,
    add column resolution text,
    add column accepted_to_under_way float8 generated always as
        (extract(epoch from least(going_at, on_scene_at) - accepted_at)::float8) stored,
    add column accepted_to_closed float8 generated always as
        (extract(epoch from coalesce(resolved_at, cancelled_at) - accepted_at)::float8) stored;

create index latency_of_area on latency using gin (areas);

alter table responses
    add column role text,
    add column group_id text,
    add column left_out boolean not null default false,
    add column answer text,
    add column called_to_answered float8 generated always as (extract(epoch from answered_at - called_at)::float8) stored;

create index responses_newest on responses (site, accepted_at);

delete from checkpoints where projection in ('latency', 'responses');
truncate latency, responses;

-- migrate:down
delete from checkpoints where projection in ('latency', 'responses');
truncate latency, responses;
alter table latency
    drop column group_id,
    drop column target_seconds,
    drop column resolution,
    drop column accepted_to_under_way,
    drop column accepted_to_closed;
drop index latency_of_area;
drop index responses_newest;
alter table responses
    drop column role,
    drop column group_id,
    drop column left_out,
    drop column answer,
    drop column called_to_answered;
