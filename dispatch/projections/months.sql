-- name: keys
-- Which of the tables $1 are kept by month, and by the month of which column.
select named.name, attname as column
from unnest($1::text[]) as named (name)
join pg_partitioned_table on partrelid = to_regclass(named.name)
join pg_attribute on attrelid = partrelid and attnum = partattrs[0]
where partstrat = 'r'

-- name: ensure
-- Make the partition of a table for the month of a moment, unless it is there.
select public.ensure_month($1::text::regclass, $2)

-- name: spare
-- Statements that keep autovacuum from the months of a table.
select format('alter table %s set (autovacuum_enabled = false)', relid)
from pg_partition_tree($1::text::regclass)
where isleaf
