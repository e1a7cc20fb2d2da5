-- name: write
-- One row per case and responder: the newest replaces what was there.
insert into responses (
    site, case_id, responder, step, role, group_id, areas, kind, drill, left_out, accepted_at, called_at,
    delivered_at, answered_at, going_at, on_scene_at, cleared_at, answer
)
select
    site, case_id, responder, step, role, group_id, areas, kind, drill, left_out, accepted_at, called_at,
    delivered_at, answered_at, going_at, on_scene_at, cleared_at, answer
from json_populate_recordset(null::responses, $1::json)
on conflict (site, case_id, responder, accepted_at) do update set
    step = excluded.step,
    role = excluded.role,
    group_id = excluded.group_id,
    areas = excluded.areas,
    kind = excluded.kind,
    drill = excluded.drill,
    left_out = excluded.left_out,
    called_at = excluded.called_at,
    delivered_at = excluded.delivered_at,
    answered_at = excluded.answered_at,
    going_at = excluded.going_at,
    on_scene_at = excluded.on_scene_at,
    cleared_at = excluded.cleared_at,
    answer = excluded.answer

-- name: clear
-- Forget a site, before its log is read again from the start.
delete from responses where site = $1
