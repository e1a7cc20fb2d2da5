-- name: state
-- What time it is, and each month (a partition, named `2026_11` here) of cases or calls from $2 to $3, with what changes
-- whenever a row of an older case in it does. `watched`: where that would be noted. Without a month, one row that has none.
select now() as at, pg_postmaster_start_time() as started, months.*
from (select) as always
left join (
    select
        month.oid::bigint as month,
        month.relfilenode::bigint as filenode,
        changed_months.stamp::text as stamp,
        right(month.relname, 7) as name,
        3 = (
            select count(*) from pg_trigger
            where tgrelid = month.oid and tgfoid = to_regproc('note_changed_month') and tgenabled = 'O'
        ) as watched
    from pg_inherits
    join pg_class as month on month.oid = inhrelid
    left join changed_months on changed_months.month = month.oid and changed_months.site = $1
    where inhparent in (to_regclass('latency'), to_regclass('responses'))
        and right(month.relname, 7) between $2 and $3
) as months on true
order by months.month
