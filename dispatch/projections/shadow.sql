-- name: make
-- Statements that make tables like the live ones $2 in the schema $1 beside them, without their indexes. Autovacuum
-- lets them alone until the switch: what it does to a table that is being filled is to be done again.
select format(
    'create table %I.%I (like public.%I including defaults including generated including identity'
    ' including constraints including storage including compression including statistics)%s',
    $1::text, live.relname, live.relname,
    case
        when live.relkind = 'p' then ' partition by ' || pg_get_partkeydef(live.oid)
        else ' with (autovacuum_enabled = false)'
    end
)
from pg_class as live
where live.oid = any($2::text[]::regclass[])

-- name: index
-- Statements that give the tables in the schema $1 the keys and indexes of the live ones $2, under the same names: a
-- list for each table and month, the largest first. Those with `after` come when all others are done: a table takes
-- what its months have, and the planner is told what is in it. As that is told of columns, autovacuum looks closer later:
-- to Postgres nobody has looked at the whole table (`resetcounter` in src/backend/commands/analyze.c).
select after, array_agg(statement order by place) as statements
from pg_class as live
cross join lateral (select format('%I.%I', $1::text, live.relname)::regclass as root) as made
cross join lateral (select root as relid union select relid from pg_partition_tree(root)) as tree
join pg_class as beside on beside.oid = tree.relid
cross join lateral (
    select beside.relkind = 'p' as after, 1 as place, format(
        'alter table %s add %s%s',
        relid::regclass,
        case when relid = root then format('constraint %I ', con.conname) end,
        pg_get_constraintdef(con.oid)
    ) as statement
    from pg_constraint as con
    where con.conrelid = live.oid and con.contype in ('p', 'u', 'x')
    union all
    select beside.relkind = 'p', 2, format(
        'create %sindex %s on %s %s',
        case when i.indisunique then 'unique ' end,
        case when relid = root then quote_ident(index.relname) end,
        relid::regclass,
        substring(pg_get_indexdef(i.indexrelid) from ' (USING .*)$')
    )
    from pg_index as i join pg_class as index on index.oid = i.indexrelid
    where i.indrelid = live.oid and not exists (select from pg_constraint where conindid = i.indexrelid)
    union all
    select true, 3, format('analyze %s (%s)', root, string_agg(quote_ident(attname), ', '))
    from pg_attribute
    where relid = root and attrelid = root and attnum > 0 and not attisdropped and atttypid <> 'jsonb'::regtype
    having count(*) > 0
) as statements
where live.oid = any($2::text[]::regclass[])
group by relid, after
order by after, pg_relation_size(relid) desc

-- name: compare
-- For each of the tables $2 a query that counts the rows of a site that differ from those in the schema $1, and one
-- that shows some of them.
select
    live.relname as name,
    format('select count(*) from %s', joined.text) as count,
    format('select to_jsonb(l.*) as live, to_jsonb(s.*) as rebuilt from %s limit $2', joined.text) as examples
from pg_class as live
cross join lateral (
    select string_agg(quote_ident(attname), ', ' order by attnum) as columns
    from pg_attribute join pg_index on attrelid = indrelid and attnum = any(indkey)
    where indrelid = live.oid and indisprimary
) as key
cross join lateral (
    select format(
        '(select * from public.%1$I where site = $1) as l'
        ' full join (select * from %2$I.%1$I where site = $1) as s using (%3$s) where row(l.*) is distinct from row(s.*)',
        live.relname, $1::text, key.columns
    ) as text
) as joined
where live.oid = any($2::text[]::regclass[])
order by live.relname

-- name: hold
-- Statements that keep everybody from writing into the tables $1 until the transaction ends; they can be read.
select format('lock table %s in share row exclusive mode', name::regclass) from unnest($1::text[]) as names (name)

-- name: months
-- Statements that make every month in the schema $1 that the live tables $2 have: their runner takes it to be there.
select format(
    'select public.ensure_month(%L::regclass, %L)',
    format('%I.%I', $1::text, live.relname),
    make_timestamptz(substr(right(month.relname, 7), 1, 4)::integer, right(month.relname, 2)::integer, 15, 0, 0, 0)
)
from pg_class as live
join pg_inherits on inhparent = live.oid join pg_class as month on month.oid = inhrelid
where live.oid = any($2::text[]::regclass[]) and live.relkind = 'p'

-- name: carry
-- Statements that take the rows of other sites than $3 along from the live tables $2 into the schema $1.
select format(
    'insert into %I.%I (%s) select %s from public.%I where site <> %L',
    $1::text, live.relname, filled.columns, filled.columns, live.relname, $3::text
)
from pg_class as live
cross join lateral (
    select string_agg(quote_ident(attname), ', ' order by attnum) as columns
    from pg_attribute
    where attrelid = live.oid and attnum > 0 and not attisdropped and attgenerated = ''
) as filled
where live.oid = any($2::text[]::regclass[])

-- name: switch
-- Statements that put the tables of the schema $1 in the place of the live ones $2: who may read those may read these,
-- and what is done when those change is done when these do.
select statement from (
    select 1 as place, format('drop table public.%I', live.relname) as statement
    from pg_class as live
    where live.oid = any($2::text[]::regclass[])
    union all
    select 2, format(
        case when beside.relkind = 'r' then 'alter table %1$I.%2$I reset (autovacuum_enabled);' else '' end
        || 'alter table %1$I.%2$I set schema public',
        $1::text, beside.relname
    )
    from unnest($2::text[]) as names (name)
    cross join lateral (select format('%I.%I', $1::text, split_part(name, '.', 2))::regclass as root) as made
    cross join lateral (select root as relid union select relid from pg_partition_tree(root)) as tree
    join pg_class as beside on beside.oid = tree.relid
    union all
    select 3, format(
        'grant %s on public.%I to %s%s', given.privilege_type, live.relname,
        case when given.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(given.grantee)) end,
        case when given.is_grantable then ' with grant option' else '' end
    )
    from pg_class as live cross join lateral aclexplode(live.relacl) as given
    where live.oid = any($2::text[]::regclass[]) and given.grantee <> live.relowner
    union all
    select 4, pg_get_triggerdef(noted.oid)
    from pg_trigger as noted
    where noted.tgrelid = any($2::text[]::regclass[]) and not noted.tgisinternal
) as statements
order by place

-- name: alone
-- Whether nobody else rebuilds the site $1; so it stays until this connection is closed.
select pg_try_advisory_lock(hashtext('dispatch rebuild'), hashtext($1))

-- name: by_itself
-- Wait until nobody else changes the read model $2 of the site $1 behind its runner's back, until the transaction ends.
select pg_advisory_xact_lock(hashtext('dispatch read model ' || $2), hashtext($1))
