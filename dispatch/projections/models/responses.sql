-- name: write
-- One row per case and responder: the first time of each step is kept, the rest is replaced.
with moved as (
    update checkpoints set seq = $5, commit_id = $6, updated_at = now()
    where site = $1 and projection = $2 and stream_created = $3 and seq >= $4 and seq < $5
    returning 1
), written as (
    insert into responses (
        site, case_id, responder, step, areas, kind, drill, accepted_at, called_at, delivered_at,
        answered_at, going_at, on_scene_at
    )
    select
        site, case_id, responder, step, areas, kind, drill, accepted_at, called_at, delivered_at,
        answered_at, going_at, on_scene_at
    from json_populate_recordset(null::responses, $7::json)
    where exists (select from moved)
    on conflict (site, case_id, responder, accepted_at) do update set
        step = excluded.step,
        areas = excluded.areas,
        kind = excluded.kind,
        drill = excluded.drill,
        called_at = least(responses.called_at, excluded.called_at),
        delivered_at = least(responses.delivered_at, excluded.delivered_at),
        answered_at = least(responses.answered_at, excluded.answered_at),
        going_at = least(responses.going_at, excluded.going_at),
        on_scene_at = least(responses.on_scene_at, excluded.on_scene_at)
)
select count(*) from moved

-- name: clear
-- Forget a site, before its log is read again from the start.
delete from responses where site = $1
