-- name: write
-- One row per case, group and whether of officers: the newest replaces what was there.
with moved as (
    update checkpoints set seq = $5, commit_id = $6, updated_at = now()
    where site = $1 and projection = $2 and stream_created = $3 and seq >= $4 and seq < $5
    returning 1
), written as (
    insert into work (
        site, case_id, group_id, officers, areas, kind, drill, accepted_at, called, rung, delivered, answered, going,
        on_scene, cannot, called_to_answered, called_to_on_scene, called_to_delivered, delivered_to_answered,
        going_to_on_scene, responders
    )
    select
        site, case_id, group_id, officers, areas, kind, drill, accepted_at, called, rung, delivered, answered, going,
        on_scene, cannot, called_to_answered, called_to_on_scene, called_to_delivered, delivered_to_answered,
        going_to_on_scene, responders
    from json_populate_recordset(null::work, $7::json)
    where exists (select from moved)
    on conflict (site, case_id, group_id, officers, accepted_at) do update set
        areas = excluded.areas,
        kind = excluded.kind,
        drill = excluded.drill,
        called = excluded.called,
        rung = excluded.rung,
        delivered = excluded.delivered,
        answered = excluded.answered,
        going = excluded.going,
        on_scene = excluded.on_scene,
        cannot = excluded.cannot,
        called_to_answered = excluded.called_to_answered,
        called_to_on_scene = excluded.called_to_on_scene,
        called_to_delivered = excluded.called_to_delivered,
        delivered_to_answered = excluded.delivered_to_answered,
        going_to_on_scene = excluded.going_to_on_scene,
        responders = excluded.responders
)
select count(*) from moved

-- name: clear
-- Forget a site, before its log is read again from the start.
delete from work where site = $1
