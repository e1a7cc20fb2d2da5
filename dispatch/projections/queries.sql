-- name: newest
-- A page of the board, open and closed, newest first, behind the case `before`.
select * from board
where site = $1
    and ($2::text is null or status = $2)
    and ($3::text is null or $3 = any(areas))
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
    and ($4::text is null or $4 = any(areas))
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

-- name: latency
-- The steps of each case and the seconds between them, newest first.
select * from latency
where site = $1
    and ($2::text is null or areas @> array[$2])
    and ($3::timestamptz is null or accepted_at >= $3)
    and ($4::timestamptz is null or accepted_at < $4)
order by accepted_at desc, case_id desc
limit $5

-- name: case_summary
-- Percentiles of each interval over real cases; what ran backwards is counted and left out.
select
    interval as name,
    count(*) filter (where seconds >= 0) as count,
    count(*) filter (where seconds < 0) as backwards,
    percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by seconds) filter (where seconds >= 0) as percentiles
from latency cross join lateral (values
    ('pressed_to_accepted', pressed_to_accepted),
    ('accepted_to_called', accepted_to_called),
    ('called_to_delivered', called_to_delivered),
    ('delivered_to_answered', delivered_to_answered),
    ('answered_to_going', answered_to_going),
    ('going_to_on_scene', going_to_on_scene),
    ('on_scene_to_resolved', on_scene_to_resolved),
    ('accepted_to_answered', accepted_to_answered),
    ('accepted_to_on_scene', accepted_to_on_scene),
    ('accepted_to_resolved', accepted_to_resolved)
) as intervals (interval, seconds)
where site = $1
    and not drill
    and ($2::text is null or areas @> array[$2])
    and ($3::timestamptz is null or accepted_at >= $3)
    and ($4::timestamptz is null or accepted_at < $4)
group by interval

-- name: response_summary
-- The same over the responders who were called.
select
    interval as name,
    count(*) filter (where seconds >= 0) as count,
    count(*) filter (where seconds < 0) as backwards,
    percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by seconds) filter (where seconds >= 0) as percentiles
from responses cross join lateral (values
    ('called_to_delivered', called_to_delivered),
    ('delivered_to_answered', delivered_to_answered),
    ('going_to_on_scene', going_to_on_scene),
    ('called_to_on_scene', called_to_on_scene)
) as intervals (interval, seconds)
where site = $1
    and not drill
    and ($2::text is null or areas @> array[$2])
    and ($3::timestamptz is null or accepted_at >= $3)
    and ($4::timestamptz is null or accepted_at < $4)
group by interval

-- name: counted
-- How many cases a summary is about, how many of them were false alarms, and how many drills were left out of it.
select
    count(*) filter (where not drill) as cases,
    count(*) filter (where not drill and resolution = 'false_alarm') as false_alarms,
    count(*) filter (where drill) as drills
from latency
where site = $1
    and ($2::text is null or areas @> array[$2])
    and ($3::timestamptz is null or accepted_at >= $3)
    and ($4::timestamptz is null or accepted_at < $4)

-- name: responses
-- The steps of each responder on a case.
select * from responses where site = $1 and case_id = $2 order by step, responder

-- name: proofs
-- When each of some people was last reached: their phone said so, or they answered. Drills prove it as well.
select responder, proven_at as at from reachability where site = $1 and responder = any($2::text[])

-- name: positions
-- How far each read model has come.
select projection, seq from checkpoints where site = $1
