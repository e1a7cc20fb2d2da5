-- part: these_cases
-- The cases in question: of a site, and where it is given of an area, a kind, a group, with a responder on them.
    site = $1
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

-- part: calls
-- All calls, or those of an area.
        select * from responses where $2::text is null or areas @> array[$2]

-- part: calls_of_few
-- Those of an area that has few of the cases: these are found first, by the index of `latency`, and each looked for in its
-- own month: `between` says so to Postgres without making it think that hardly any will be found.
        select responses.* from latency join responses using (site, case_id)
        where latency.areas @> array[$2]
            and latency.accepted_at >= $5
            and latency.accepted_at < $6
            and responses.accepted_at between latency.accepted_at and latency.accepted_at

-- part: work_by_key
-- The calls in question, by `$9`.
    select key, calls.*
    from (
        -- here: calls
    ) as calls
    cross join lateral (
        select case $9::text
            when 'responder' then responder
            when 'group' then coalesce(group_id, '')
            else coalesce(areas[1], '')
        end as key
    ) as by_what
    where site = $1
        and accepted_at >= $5
        and accepted_at < $6
        and not drill
        and not left_out
        and ($3::text is null or kind = $3)
        and ($4::text is null or group_id = $4)
        and ($7::text is null or responder = $7)
        and ($8::boolean is null or coalesce(role not in ('group_leader', 'member', 'asked'), false) = $8)

-- name: response
-- How fast help came, by `$9`: cases, verdicts of each of the four steps, percentiles. See docs/LATENCY.md.
-- Whatever has no verdict here is missed: so only the few cases that never came to a step are judged one by one. With
-- `$15` those of groups alone whose hash is even (0) or odd (1): the two halves are counted side by side. `undecided` are
-- open cases whose target is not over yet.
with found as (
    select
        case $9::text
            when 'total' then ''
            when 'kind' then kind
            when 'target' then coalesce(target_seconds::text, '')
            when 'group' then coalesce(group_id, '')
            when 'area' then coalesce(
                areas[coalesce(array_position(areas, $2), cardinality(areas) + 1) - 1], $2, ''
            )
            else date_trunc($9, accepted_at at time zone $10)::date::text
        end as key,
        resolution,
        cancelled_at,
        imported,
        target_seconds,
        accepted_to_answered as answered,
        accepted_to_under_way as under_way,
        accepted_to_on_scene as on_scene,
        accepted_to_closed as closed,
        coalesce(accepted_to_closed, extract(epoch from $8 - accepted_at)::float8) as watched,
        coalesce(resolution = 'false_alarm', not imported) as excused
    from latency
    where not drill
        and ($15::integer is null or hashtext(coalesce(group_id, '')) & 1 = $15)
        and -- here: these_cases
), counted as (
    select
        key,
        count(*) as cases,
        count(*) filter (where closed is null and not imported) as open,
        count(cancelled_at) as cancelled,
        count(*) filter (where resolution = 'false_alarm') as false_alarms,
        count(*) filter (where answered between 0 and $11) as answered_within,
        count(*) filter (where answered < 0) as answered_backwards,
        count(*) filter (where answered is null and step_verdict(null, $11, watched, excused) = 'not_due')
            as answered_not_due,
        count(*) filter (where answered >= 0) as answered_count,
        percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by answered) filter (where answered >= 0)
            as answered_percentiles,
        count(*) filter (where under_way between 0 and $12) as under_way_within,
        count(*) filter (where under_way < 0) as under_way_backwards,
        count(*) filter (where under_way is null and step_verdict(null, $12, watched, excused) = 'not_due')
            as under_way_not_due,
        count(*) filter (where under_way >= 0) as under_way_count,
        percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by under_way) filter (where under_way >= 0)
            as under_way_percentiles,
        count(*) filter (where on_scene between 0 and target_seconds) as on_scene_within,
        count(*) filter (where on_scene < 0 and target_seconds is not null) as on_scene_backwards,
        count(*) filter (where on_scene is null and step_verdict(null, target_seconds, watched, excused) = 'not_due')
            as on_scene_not_due,
        count(*) filter (where target_seconds is null) as on_scene_no_target,
        count(*) filter (where on_scene >= 0) as on_scene_count,
        percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by on_scene) filter (where on_scene >= 0)
            as on_scene_percentiles,
        count(*) filter (where closed between 0 and $13) as closed_within,
        count(*) filter (where closed < 0) as closed_backwards,
        count(*) filter (where closed is null and not imported and step_verdict(null, $13, watched, excused) = 'not_due')
            as closed_not_due,
        count(*) filter (where closed is null and imported) as closed_unknown,
        count(*) filter (where closed >= 0) as closed_count,
        percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by closed) filter (where closed >= 0)
            as closed_percentiles,
        count(*) filter (where closed is null and watched < target_seconds) as undecided
    from found
    group by key
    order by cases desc, key
    limit $14
)
select
    key,
    cases,
    open,
    cancelled,
    false_alarms,
    answered_within,
    cases - answered_backwards - answered_not_due - answered_within as answered_missed,
    answered_not_due,
    0 as answered_unknown,
    answered_backwards,
    0 as answered_no_target,
    answered_within::float8 / nullif(cases - answered_backwards - answered_not_due, 0) as answered_share,
    answered_count,
    answered_percentiles[1] as answered_p50,
    answered_percentiles[2] as answered_p90,
    answered_percentiles[3] as answered_p95,
    answered_percentiles[4] as answered_p99,
    under_way_within,
    cases - under_way_backwards - under_way_not_due - under_way_within as under_way_missed,
    under_way_not_due,
    0 as under_way_unknown,
    under_way_backwards,
    0 as under_way_no_target,
    under_way_within::float8 / nullif(cases - under_way_backwards - under_way_not_due, 0) as under_way_share,
    under_way_count,
    under_way_percentiles[1] as under_way_p50,
    under_way_percentiles[2] as under_way_p90,
    under_way_percentiles[3] as under_way_p95,
    under_way_percentiles[4] as under_way_p99,
    on_scene_within,
    cases - on_scene_backwards - on_scene_not_due - on_scene_no_target - on_scene_within as on_scene_missed,
    on_scene_not_due,
    0 as on_scene_unknown,
    on_scene_backwards,
    on_scene_no_target,
    on_scene_within::float8 / nullif(cases - on_scene_backwards - on_scene_not_due - on_scene_no_target, 0) as on_scene_share,
    on_scene_count,
    on_scene_percentiles[1] as on_scene_p50,
    on_scene_percentiles[2] as on_scene_p90,
    on_scene_percentiles[3] as on_scene_p95,
    on_scene_percentiles[4] as on_scene_p99,
    closed_within,
    cases - closed_backwards - closed_not_due - closed_unknown - closed_within as closed_missed,
    closed_not_due,
    closed_unknown,
    closed_backwards,
    0 as closed_no_target,
    closed_within::float8 / nullif(cases - closed_backwards - closed_not_due - closed_unknown, 0) as closed_share,
    closed_count,
    closed_percentiles[1] as closed_p50,
    closed_percentiles[2] as closed_p90,
    closed_percentiles[3] as closed_p95,
    closed_percentiles[4] as closed_p99,
    undecided
from counted
order by cases desc, key

-- name: drills
-- How many drills there were, which no figure counts.
select count(*) as drills
from latency
where drill
    and -- here: these_cases

-- name: called
-- How many were called, by `$9`; what belongs to nobody is not one of them.
select count(*) as called
from (
    select key from (
        -- here: work_by_key
    ) as work
    where key <> ''
    group by key
) as each_of_them

-- name: most_called
-- The `$10` who were called most, by `$9`; with `$11` also what belongs to nobody.
select key
from (
    -- here: work_by_key
) as work
where $11::boolean or key <> ''
group by key
order by count(*) desc, key
limit $10

-- name: workload
-- What the `$10` who were called most did when they were called, by `$9`; with `$11` also what belongs to nobody; with `$12`
-- of those with these keys alone. Their seconds are gathered as they come: to sort the calls of all by key takes longer.
select
    key,
    called,
    rung,
    delivered,
    answered,
    going,
    on_scene,
    cannot,
    prompt,
    answered_backwards,
    coalesce(cardinality(answered_in), 0) as answered_count,
    answered_percentiles[1] as answered_p50,
    answered_percentiles[2] as answered_p90,
    answered_percentiles[3] as answered_p95,
    answered_percentiles[4] as answered_p99,
    on_scene_backwards,
    coalesce(cardinality(on_scene_in), 0) as on_scene_count,
    on_scene_percentiles[1] as on_scene_p50,
    on_scene_percentiles[2] as on_scene_p90,
    on_scene_percentiles[3] as on_scene_p95,
    on_scene_percentiles[4] as on_scene_p99
from (
    select
        key,
        count(*) as called,
        count(called_at) as rung,
        count(delivered_at) as delivered,
        count(answered_at) as answered,
        count(going_at) as going,
        count(on_scene_at) as on_scene,
        count(*) filter (where answer = 'cannot') as cannot,
        count(*) filter (where called_to_answered between 0 and $13) as prompt,
        count(*) filter (where called_to_answered < 0) as answered_backwards,
        array_agg(called_to_answered) filter (where called_to_answered >= 0) as answered_in,
        count(*) filter (where called_to_on_scene < 0) as on_scene_backwards,
        array_agg(called_to_on_scene) filter (where called_to_on_scene >= 0) as on_scene_in
    from (
        -- here: work_by_key
    ) as work
    where ($11::boolean or key <> '')
        and ($12::text[] is null or key = any($12))
    group by key
    order by called desc, key
    limit $10
) as most
cross join lateral (
    select
        percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by answered_after) as answered_percentiles,
        percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by on_scene_after) as on_scene_percentiles
    from (select unnest(answered_in) as answered_after, unnest(on_scene_in) as on_scene_after) as each_of_them
) as percentiles
order by called desc, key

-- name: hot_spots
-- How many cases there were: in each hour of the week (1: Monday) where the clocks are those of `$8`; of each kind in
-- each area; and of both. The most first, and of the last two at most `$9`.
with counted as (
    select
        case grouping(day, area) when 1 then 'hours' when 2 then 'areas' else 'spots' end as what,
        day, hour, area, kind, count(*) as cases
    from latency
    cross join lateral (select accepted_at at time zone $8 as at) as there
    cross join lateral (
        select
            extract(isodow from at)::int as day,
            extract(hour from at)::int as hour,
            coalesce(areas[1], '') as area
    ) as spot
    where not drill
        and -- here: these_cases
    group by grouping sets ((day, hour), (area, kind), (day, hour, area, kind))
)
select wanted.what, day, hour, area, kind, cases
from (values ('hours', 168), ('areas', $9), ('spots', $9)) as wanted (what, most)
cross join lateral (
    select * from counted
    where counted.what = wanted.what
    order by cases desc, area, kind, day, hour
    limit most
) as those
order by wanted.what, cases desc, area, kind, day, hour
