-- name: newest
-- A page of the board, open and closed, newest first, behind the case `before`.
select * from board
where site = $1
    and ($2::text is null or status = $2)
    and ($3::text is null or areas @> array[$3])
    and ($4::text is null or kind = $4)
    and ($5::text is null or (raised_at, case_id) < (select raised_at, case_id from board where site = $1 and case_id = $5))
order by raised_at desc, case_id desc
limit $6

-- name: newest_by_state
-- A page of the cases that are open, or that are over, newest first, behind the case `before`.
select * from board
where site = $1
    and is_open = $2
    and ($3::text is null or status = $3)
    and ($4::text is null or areas @> array[$4])
    and ($5::text is null or kind = $5)
    and ($6::text is null or (raised_at, case_id) < (select raised_at, case_id from board where site = $1 and case_id = $6))
order by raised_at desc, case_id desc
limit $7

-- name: open_cases
-- The ids of the open cases, and the log's sequence up to which that is known.
select
    coalesce((select array_agg(case_id order by raised_at) from board where site = $1 and is_open), '{}') as ids,
    coalesce((select seq from checkpoints where site = $1 and projection = 'board'), 0) as seq

-- name: timeline
-- What happened on a case, oldest first.
select seq, index, at, type, data from timeline where site = $1 and case_id = $2 order by seq, index

-- name: calls
-- Each call of a case with its outcome, in the order of the steps.
select * from calls where site = $1 and case_id = $2 order by step, responder, channel

-- part: these_cases
-- The cases in question: of a site, and where it is given of an area and in a period.
    site = $1
        and ($2::text is null or areas @> array[$2])
        and ($3::timestamptz is null or accepted_at >= $3)
        and ($4::timestamptz is null or accepted_at < $4)

-- part: calls
-- All calls, or those of an area.
        select * from responses where $2::text is null or areas @> array[$2]

-- part: calls_of_few
-- Those of an area that has few of the cases: these come first, as in `reports.sql`.
        select responses.*
        from (select case_id, accepted_at as at from latency where -- here: these_cases
        ) as found
        join responses using (case_id)
        where responses.accepted_at between at and at

-- name: latency
-- The steps of each case and the seconds between them, newest first.
select * from latency
where -- here: these_cases
order by accepted_at desc, case_id desc
limit $5

-- name: case_summary
-- Percentiles of each interval over real cases; what ran backwards is counted and left out. Side by side: one reading.
with sums as (
    select
        count(*) filter (where pressed_to_accepted >= 0) as count_1,
        count(*) filter (where pressed_to_accepted < 0) as backwards_1,
        percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by pressed_to_accepted)
            filter (where pressed_to_accepted >= 0) as percentiles_1,
        count(*) filter (where accepted_to_called >= 0) as count_2,
        count(*) filter (where accepted_to_called < 0) as backwards_2,
        percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by accepted_to_called)
            filter (where accepted_to_called >= 0) as percentiles_2,
        count(*) filter (where called_to_delivered >= 0) as count_3,
        count(*) filter (where called_to_delivered < 0) as backwards_3,
        percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by called_to_delivered)
            filter (where called_to_delivered >= 0) as percentiles_3,
        count(*) filter (where delivered_to_answered >= 0) as count_4,
        count(*) filter (where delivered_to_answered < 0) as backwards_4,
        percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by delivered_to_answered)
            filter (where delivered_to_answered >= 0) as percentiles_4,
        count(*) filter (where answered_to_going >= 0) as count_5,
        count(*) filter (where answered_to_going < 0) as backwards_5,
        percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by answered_to_going)
            filter (where answered_to_going >= 0) as percentiles_5,
        count(*) filter (where going_to_on_scene >= 0) as count_6,
        count(*) filter (where going_to_on_scene < 0) as backwards_6,
        percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by going_to_on_scene)
            filter (where going_to_on_scene >= 0) as percentiles_6,
        count(*) filter (where on_scene_to_resolved >= 0) as count_7,
        count(*) filter (where on_scene_to_resolved < 0) as backwards_7,
        percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by on_scene_to_resolved)
            filter (where on_scene_to_resolved >= 0) as percentiles_7,
        count(*) filter (where accepted_to_answered >= 0) as count_8,
        count(*) filter (where accepted_to_answered < 0) as backwards_8,
        percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by accepted_to_answered)
            filter (where accepted_to_answered >= 0) as percentiles_8,
        count(*) filter (where accepted_to_on_scene >= 0) as count_9,
        count(*) filter (where accepted_to_on_scene < 0) as backwards_9,
        percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by accepted_to_on_scene)
            filter (where accepted_to_on_scene >= 0) as percentiles_9,
        count(*) filter (where accepted_to_resolved >= 0) as count_10,
        count(*) filter (where accepted_to_resolved < 0) as backwards_10,
        percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by accepted_to_resolved)
            filter (where accepted_to_resolved >= 0) as percentiles_10
    from latency
    where not drill
        and -- here: these_cases
)
select name, count, backwards, percentiles
from sums cross join lateral (values
    ('pressed_to_accepted', count_1, backwards_1, percentiles_1),
    ('accepted_to_called', count_2, backwards_2, percentiles_2),
    ('called_to_delivered', count_3, backwards_3, percentiles_3),
    ('delivered_to_answered', count_4, backwards_4, percentiles_4),
    ('answered_to_going', count_5, backwards_5, percentiles_5),
    ('going_to_on_scene', count_6, backwards_6, percentiles_6),
    ('on_scene_to_resolved', count_7, backwards_7, percentiles_7),
    ('accepted_to_answered', count_8, backwards_8, percentiles_8),
    ('accepted_to_on_scene', count_9, backwards_9, percentiles_9),
    ('accepted_to_resolved', count_10, backwards_10, percentiles_10)
) as intervals (name, count, backwards, percentiles)

-- part: these_calls
-- Those of the responders who were called in the period, but for those who were left out.
    site = $1
        and ($3::timestamptz is null or accepted_at >= $3)
        and ($4::timestamptz is null or accepted_at < $4)
        and not drill
        and not left_out

-- name: answering_summary
-- The same over the responders: until they answered.
with sums as (
    select
        count(*) filter (where called_to_delivered >= 0) as count_1,
        count(*) filter (where called_to_delivered < 0) as backwards_1,
        percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by called_to_delivered)
            filter (where called_to_delivered >= 0) as percentiles_1,
        count(*) filter (where delivered_to_answered >= 0) as count_2,
        count(*) filter (where delivered_to_answered < 0) as backwards_2,
        percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by delivered_to_answered)
            filter (where delivered_to_answered >= 0) as percentiles_2
    from (
        -- here: calls
    ) as calls
    where -- here: these_calls
)
select name, count, backwards, percentiles
from sums cross join lateral (values
    ('called_to_delivered', count_1, backwards_1, percentiles_1),
    ('delivered_to_answered', count_2, backwards_2, percentiles_2)
) as intervals (name, count, backwards, percentiles)

-- name: coming_summary
-- And of those who came. Apart from the one above, to be counted beside it: a month's calls are many.
with sums as (
    select
        count(*) filter (where going_to_on_scene >= 0) as count_1,
        count(*) filter (where going_to_on_scene < 0) as backwards_1,
        percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by going_to_on_scene)
            filter (where going_to_on_scene >= 0) as percentiles_1,
        count(*) filter (where called_to_on_scene >= 0) as count_2,
        count(*) filter (where called_to_on_scene < 0) as backwards_2,
        percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by called_to_on_scene)
            filter (where called_to_on_scene >= 0) as percentiles_2
    from (
        -- here: calls
    ) as calls
    where -- here: these_calls
)
select name, count, backwards, percentiles
from sums cross join lateral (values
    ('going_to_on_scene', count_1, backwards_1, percentiles_1),
    ('called_to_on_scene', count_2, backwards_2, percentiles_2)
) as intervals (name, count, backwards, percentiles)

-- name: counted
-- How many cases a summary is about, how many of them were false alarms, and how many drills were left out of it.
select
    count(*) filter (where not drill) as cases,
    count(*) filter (where not drill and resolution = 'false_alarm') as false_alarms,
    count(*) filter (where drill) as drills
from latency
where -- here: these_cases

-- name: responses
-- The steps of each responder on a case.
select * from responses where site = $1 and case_id = $2 order by step, responder

-- name: proofs
-- When each of some people was last reached: their phone said so, or they answered. Drills prove it as well.
select responder, max(proven_at) as at from reachability
where site = $1 and responder = any($2::text[]) group by responder

-- name: positions
-- How far each read model has come.
select projection, seq from checkpoints where site = $1
