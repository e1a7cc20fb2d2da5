-- name: few
-- Whether at most a quarter of the newest hundred cases of a period lie in the area.
select count(*) filter (where areas @> array[$2]) * 4 <= count(*) as few
from (
    select areas from latency
    where site = $1
        and ($3::timestamptz is null or accepted_at >= $3)
        and ($4::timestamptz is null or accepted_at < $4)
    order by accepted_at desc, case_id desc
    limit 100
) as newest
