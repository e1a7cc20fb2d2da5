-- name: write
-- One row per person and case: the latest proof is kept, in whatever order they come.
with moved as (
    update checkpoints set seq = $5, commit_id = $6, updated_at = now()
    where site = $1 and projection = $2 and stream_created = $3 and seq >= $4 and seq < $5
    returning 1
), written as (
    insert into reachability (
        site, responder, case_id, proven_at
    )
    select
        site, responder, case_id, proven_at
    from json_populate_recordset(null::reachability, $7::json)
    where exists (select from moved)
    on conflict (site, responder, case_id) do update set
        proven_at = greatest(reachability.proven_at, excluded.proven_at)
)
select count(*) from moved

-- name: clear
-- Forget a site, before its log is read again from the start.
delete from reachability where site = $1
