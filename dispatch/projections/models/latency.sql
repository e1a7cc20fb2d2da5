-- name: write
-- One row per case: the newest replaces what was there.
insert into latency (
    site, case_id, household, group_id, areas, target_seconds, kind, silent, drill, imported, pressed_at, accepted_at,
    called_at, delivered_at, answered_at, going_at, on_scene_at, resolved_at, cancelled_at, resolution
)
select
    site, case_id, household, group_id, areas, target_seconds, kind, silent, drill, imported, pressed_at, accepted_at,
    called_at, delivered_at, answered_at, going_at, on_scene_at, resolved_at, cancelled_at, resolution
from json_populate_recordset(null::latency, $1::json)
on conflict (site, case_id, accepted_at) do update set
    household = excluded.household,
    group_id = excluded.group_id,
    areas = excluded.areas,
    target_seconds = excluded.target_seconds,
    kind = excluded.kind,
    silent = excluded.silent,
    drill = excluded.drill,
    imported = excluded.imported,
    pressed_at = excluded.pressed_at,
    called_at = excluded.called_at,
    delivered_at = excluded.delivered_at,
    answered_at = excluded.answered_at,
    going_at = excluded.going_at,
    on_scene_at = excluded.on_scene_at,
    resolved_at = excluded.resolved_at,
    cancelled_at = excluded.cancelled_at,
    resolution = excluded.resolution

-- name: clear
-- Forget a site, before its log is read again from the start.
delete from latency where site = $1
