-- name: begin
-- Give a read model its checkpoint; one that has read nothing yet takes the log as it finds it.
insert into checkpoints as known (site, projection, stream_created) values ($1, $2, $3)
on conflict (site, projection) do update set stream_created = excluded.stream_created where known.seq = 0

-- name: checkpoint
-- How far a read model has come, and in which log.
select stream_created, seq, commit_id from checkpoints where site = $1 and projection = $2

-- name: held
-- How far a read model has come, and nobody moves it until this transaction ends.
select stream_created, seq, commit_id from checkpoints where site = $1 and projection = $2 for update

-- name: place
-- Where a read model stands that was built beside the live one.
insert into checkpoints (site, projection, stream_created, seq, commit_id) values ($1, $2, $3, $4, $5)
on conflict (site, projection) do update set
    stream_created = excluded.stream_created,
    seq = excluded.seq,
    commit_id = excluded.commit_id,
    updated_at = now()

-- name: any_begun
-- Whether any of the read models $2 has read anything.
select exists (select from checkpoints where site = $1 and projection = any($2::text[]) and seq > 0)
