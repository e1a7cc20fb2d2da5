-- name: define
-- A statement that makes the `write` $2 of the read model $1 a function of this connection.
select format(
    'create or replace function pg_temp.%I(text, text, timestamptz, bigint, bigint, text, json)'
    ' returns setof bigint language plpgsql as %L',
    'write_' || $1::text, 'begin return query ' || $2::text || '; end'
)

-- name: all_of_them
-- A statement that calls those functions for the read models $1, in their order. Its parameters: site, creation time of
-- the stream, new sequence, id of its commit, and for each read model where its checkpoint must be, and its rows.
select 'select ' || string_agg(
    format(
        '(select pg_temp.%I($1, %L, $2, $%s, $3, $4, $%s))', 'write_' || name, name, 3 + 2 * place, 4 + 2 * place
    ), ', ' order by place
)
from unnest($1::text[]) with ordinality as named (name, place)
