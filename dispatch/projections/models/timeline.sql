-- name: write
-- One row per event: one that is there already stays as it is.
insert into timeline (
    site, case_id, accepted_at, seq, index, at, type, data
)
select
    site, case_id, accepted_at, seq, index, at, type, data
from json_populate_recordset(null::timeline, $1::json)
on conflict do nothing

-- name: clear
-- Forget a site, before its log is read again from the start.
delete from timeline where site = $1
