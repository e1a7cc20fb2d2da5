-- name: response
-- How fast help came, by `$8`: cases, verdicts of each of the four steps, percentiles. See docs/LATENCY.md.
with judged as (
    select
        case $8::text
            when 'total' then ''
            when 'kind' then kind
            when 'target' then coalesce(target_seconds::text, '')
            when 'group' then coalesce(group_id, '')
            when 'area' then coalesce(
                areas[coalesce(array_position(areas, $2), cardinality(areas) + 1) - 1], $2, ''
            )
            else to_char(date_trunc($8, accepted_at at time zone $9), 'YYYY-MM-DD')
        end as key,
        resolution,
        cancelled_at,
        accepted_to_closed as closed_seconds,
        accepted_to_answered as answered_seconds,
        accepted_to_under_way as under_way_seconds,
        accepted_to_on_scene as on_scene_seconds,
        step_verdict(accepted_to_answered, $10, watched, excused) as answered,
        step_verdict(accepted_to_under_way, $11, watched, excused) as under_way,
        step_verdict(accepted_to_on_scene, target_seconds, watched, excused) as on_scene,
        imported,
        case
            when imported and accepted_to_closed is null then 'unknown'
            else step_verdict(accepted_to_closed, $12, watched, excused)
        end as closed
    from latency, lateral (
        select
            coalesce(accepted_to_closed, extract(epoch from $7 - accepted_at)::float8) as watched,
            coalesce(resolution = 'false_alarm', not imported) as excused
    ) as ending
    where site = $1
        and not drill
        and ($2::text is null or areas @> array[$2])
        and ($3::text is null or kind = $3)
        and ($4::text is null or group_id = $4)
        and accepted_at >= $5
        and accepted_at < $6
        and ($14::text is null or case_id = any(array(
            select case_id from responses
            where site = $1
                and responder = $14
                and accepted_at >= $5
                and accepted_at < $6
                and not left_out
        )))
)
select
    key,
    count(*) as cases,
    count(*) filter (where closed_seconds is null and not imported) as open,
    count(cancelled_at) as cancelled,
    count(*) filter (where resolution = 'false_alarm') as false_alarms,
    count(*) filter (where answered = 'within') as answered_within,
    count(*) filter (where answered = 'missed') as answered_missed,
    count(*) filter (where answered = 'backwards') as answered_backwards,
    count(*) filter (where answered_seconds >= 0) as answered_count,
    percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by answered_seconds)
        filter (where answered_seconds >= 0) as answered_percentiles,
    count(*) filter (where under_way = 'within') as under_way_within,
    count(*) filter (where under_way = 'missed') as under_way_missed,
    count(*) filter (where under_way = 'backwards') as under_way_backwards,
    count(*) filter (where under_way_seconds >= 0) as under_way_count,
    percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by under_way_seconds)
        filter (where under_way_seconds >= 0) as under_way_percentiles,
    count(*) filter (where on_scene = 'within') as on_scene_within,
    count(*) filter (where on_scene = 'missed') as on_scene_missed,
    count(*) filter (where on_scene = 'backwards') as on_scene_backwards,
    count(*) filter (where on_scene = 'no_target') as on_scene_no_target,
    count(*) filter (where on_scene_seconds >= 0) as on_scene_count,
    percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by on_scene_seconds)
        filter (where on_scene_seconds >= 0) as on_scene_percentiles,
    count(*) filter (where closed = 'within') as closed_within,
    count(*) filter (where closed = 'missed') as closed_missed,
    count(*) filter (where closed = 'unknown') as closed_unknown,
    count(*) filter (where closed = 'backwards') as closed_backwards,
    count(*) filter (where closed_seconds >= 0) as closed_count,
    percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by closed_seconds)
        filter (where closed_seconds >= 0) as closed_percentiles
from judged
group by key
order by cases desc, key
limit $13

-- name: drills
-- How many drills there were, which no figure counts.
select count(*) as drills
from latency
where site = $1
    and drill
    and ($2::text is null or areas @> array[$2])
    and ($3::text is null or kind = $3)
    and ($4::text is null or group_id = $4)
    and accepted_at >= $5
    and accepted_at < $6
    and ($7::text is null or case_id = any(array(
        select case_id from responses
        where site = $1
            and responder = $7
            and accepted_at >= $5
            and accepted_at < $6
            and not left_out
    )))

-- name: workload
-- What those who were called did, by `$9`. Within an area (`$2`) its cases are found first, by the index of `latency`.
with found as (
    select responses.* from responses
    where $2::text is null
        and site = $1
        and accepted_at >= $7
        and accepted_at < $8
    union all
    select responses.* from latency join responses using (site, case_id)
    where $2::text is not null
        and site = $1
        and latency.areas @> array[$2]
        and latency.accepted_at >= $7
        and latency.accepted_at < $8
        and responses.accepted_at >= $7
        and responses.accepted_at < $8
)
select
    case $9::text
        when 'responder' then responder
        when 'group' then coalesce(group_id, '')
        else coalesce(areas[1], '')
    end as key,
    count(*) as called,
    count(called_at) as rung,
    count(delivered_at) as delivered,
    count(answered_at) as answered,
    count(going_at) as going,
    count(on_scene_at) as on_scene,
    count(*) filter (where answer = 'cannot') as cannot,
    count(*) filter (where called_to_answered between 0 and $10) as prompt,
    count(*) filter (where called_to_answered < 0) as answered_backwards,
    count(*) filter (where called_to_answered >= 0) as answered_count,
    percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by called_to_answered)
        filter (where called_to_answered >= 0) as answered_percentiles,
    count(*) filter (where called_to_on_scene < 0) as on_scene_backwards,
    count(*) filter (where called_to_on_scene >= 0) as on_scene_count,
    percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by called_to_on_scene)
        filter (where called_to_on_scene >= 0) as on_scene_percentiles
from found
where not drill
    and not left_out
    and ($3::text is null or kind = $3)
    and ($4::text is null or group_id = $4)
    and ($5::text is null or responder = $5)
    and ($6::boolean is null or coalesce(role not in ('group_leader', 'member'), false) = $6)
group by key
order by called desc, key
limit $11

-- name: hot_hours
-- How many cases there were in each hour of the week (1: Monday) where the clocks are those of `$6`.
select
    extract(isodow from accepted_at at time zone $6)::int as day,
    extract(hour from accepted_at at time zone $6)::int as hour,
    count(*) as cases
from latency
where site = $1
    and not drill
    and ($2::text is null or areas @> array[$2])
    and ($3::text is null or kind = $3)
    and accepted_at >= $4
    and accepted_at < $5
group by 1, 2
order by 1, 2

-- name: hot_areas
-- How many cases of each kind each area had, the most first.
select coalesce(areas[1], '') as area, kind, count(*) as cases
from latency
where site = $1
    and not drill
    and ($2::text is null or areas @> array[$2])
    and ($3::text is null or kind = $3)
    and accepted_at >= $4
    and accepted_at < $5
group by 1, 2
order by cases desc, area, kind
limit $6

-- name: hot_spots
-- In which area, kind and hour of the week cases come together, the most first.
select
    coalesce(areas[1], '') as area,
    kind,
    extract(isodow from accepted_at at time zone $6)::int as day,
    extract(hour from accepted_at at time zone $6)::int as hour,
    count(*) as cases
from latency
where site = $1
    and not drill
    and ($2::text is null or areas @> array[$2])
    and ($3::text is null or kind = $3)
    and accepted_at >= $4
    and accepted_at < $5
group by 1, 2, 3, 4
order by cases desc, area, kind, day, hour
limit $7
