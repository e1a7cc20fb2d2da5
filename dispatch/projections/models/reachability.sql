-- name: write
-- One row per person and case: the latest proof is kept, in whatever order they come.
insert into reachability (
    site, responder, case_id, proven_at
)
select
    site, responder, case_id, proven_at
from json_populate_recordset(null::reachability, $1::json)
on conflict (site, responder, case_id) do update set
    proven_at = greatest(reachability.proven_at, excluded.proven_at)

-- name: clear
-- Forget a site, before its log is read again from the start.
delete from reachability where site = $1
