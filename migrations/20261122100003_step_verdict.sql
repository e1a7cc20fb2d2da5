-- migrate:up
-- Whether a step of a case was reached within `target` seconds: `within`, `missed`, `not_due`, `backwards`, `no_target`.
-- `seconds` is when it was reached, null for never; `watched` how long the case was, or has been, open; `excused` whether
-- nobody need have come any more when it ended (it was called off, a false alarm, or it is not over). See docs/LATENCY.md.
create function step_verdict(seconds float8, target float8, watched float8, excused boolean) returns text
language sql immutable parallel safe
return case
    when target is null then 'no_target'
    when seconds < 0 then 'backwards'
    when seconds <= target then 'within'
    when seconds is null and excused and watched < target then 'not_due'
    else 'missed'
end;

-- migrate:down
drop function step_verdict;
