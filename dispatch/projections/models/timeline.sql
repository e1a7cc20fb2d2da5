-- name: write
-- One row per event: one that is there already stays as it is.
with moved as (
    update checkpoints set seq = $5, commit_id = $6, updated_at = now()
    where site = $1 and projection = $2 and stream_created = $3 and seq >= $4 and seq < $5
    returning 1
), written as (
    insert into timeline (
        site, case_id, accepted_at, seq, index, at, type, data
    )
    select
        site, case_id, accepted_at, seq, index, at, type, data
    from json_populate_recordset(null::timeline, $7::json)
    where exists (select from moved)
    on conflict do nothing
)
select count(*) from moved

-- name: clear
-- Forget a site, before its log is read again from the start.
delete from timeline where site = $1
