-- name: write
-- One row per case: the newest replaces what was there.
insert into board (
    site, case_id, seq, household, areas, group_id, kind, status, is_open, silent, duress, drill,
    source, device, pressed_at, accepted_at, raised_at, last_pressed_at, presses, called,
    reached, coming, on_scene, cannot, nearest_eta_at, first_called_at, first_delivered_at,
    first_answered_at, first_going_at, first_on_scene_at, gaps, notes, closed_at, closed_by,
    resolution, closing_text
)
select
    site, case_id, seq, household, areas, group_id, kind, status, is_open, silent, duress, drill,
    source, device, pressed_at, accepted_at, raised_at, last_pressed_at, presses, called,
    reached, coming, on_scene, cannot, nearest_eta_at, first_called_at, first_delivered_at,
    first_answered_at, first_going_at, first_on_scene_at, gaps, notes, closed_at, closed_by,
    resolution, closing_text
from json_populate_recordset(null::board, $1::json)
on conflict (site, case_id) do update set
    seq = excluded.seq,
    household = excluded.household,
    areas = excluded.areas,
    group_id = excluded.group_id,
    kind = excluded.kind,
    status = excluded.status,
    is_open = excluded.is_open,
    silent = excluded.silent,
    duress = excluded.duress,
    drill = excluded.drill,
    source = excluded.source,
    device = excluded.device,
    pressed_at = excluded.pressed_at,
    accepted_at = excluded.accepted_at,
    raised_at = excluded.raised_at,
    last_pressed_at = excluded.last_pressed_at,
    presses = excluded.presses,
    called = excluded.called,
    reached = excluded.reached,
    coming = excluded.coming,
    on_scene = excluded.on_scene,
    cannot = excluded.cannot,
    nearest_eta_at = excluded.nearest_eta_at,
    first_called_at = excluded.first_called_at,
    first_delivered_at = excluded.first_delivered_at,
    first_answered_at = excluded.first_answered_at,
    first_going_at = excluded.first_going_at,
    first_on_scene_at = excluded.first_on_scene_at,
    gaps = excluded.gaps,
    notes = excluded.notes,
    closed_at = excluded.closed_at,
    closed_by = excluded.closed_by,
    resolution = excluded.resolution,
    closing_text = excluded.closing_text

-- name: clear
-- Forget a site, before its log is read again from the start.
delete from board where site = $1
