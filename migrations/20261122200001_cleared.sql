-- migrate:up
-- When a responder was free again, as an older system has it; see docs/LATENCY.md.
alter table responses
    add column cleared_at timestamptz,
    add column on_scene_to_cleared float8 generated always as
        (extract(epoch from cleared_at - on_scene_at)::float8) stored;

delete from checkpoints where projection = 'responses';
truncate responses;

-- migrate:down
delete from checkpoints where projection = 'responses';
truncate responses;
alter table responses drop column on_scene_to_cleared, drop column cleared_at;
