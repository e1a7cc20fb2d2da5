-- name: one
-- A statement that makes the `write` $2 of the read model $1 a function of this connection.
select format(
    'create or replace function pg_temp.%I(json) returns void language plpgsql as %L',
    'write_' || $1::text, 'begin ' || $2::text || '; end'
)

-- name: all_of_them
-- A statement that makes a function of this connection which moves the checkpoints of the read models $1 and stores
-- their rows with those functions. In their order: where each checkpoint must be at least, and its rows or null.
select format(
    $make$
        create or replace function pg_temp.store(
            of_site text, log_made timestamptz, places bigint[], new_seq bigint, new_commit text, bodies json[]
        ) returns void language plpgsql as $store$
        declare
            moved bigint;
        begin
            update checkpoints set seq = new_seq, commit_id = new_commit, updated_at = now()
            from unnest(%L::text[], places) as known (name, place)
            where site = of_site and projection = name and stream_created = log_made and seq >= place and seq < new_seq;
            get diagnostics moved = row_count;
            if moved < cardinality(places) then
                raise serialization_failure using message = 'a checkpoint is elsewhere';
            end if;
            %s
        end
        $store$
    $make$,
    $1::text[],
    string_agg(
        format('if bodies[%s] is not null then perform pg_temp.%I(bodies[%s]); end if;', place, 'write_' || name, place),
        ' ' order by place
    )
)
from unnest($1::text[]) with ordinality as named (name, place)

-- name: store
-- Store the rows $6 of the read models and move their checkpoints, from $3 at least to the commit $5 at $4; or do neither.
select pg_temp.store($1, $2, $3, $4, $5, $6::json[])
