-- name: write
-- One row per call and channel: the first time of each outcome is kept, the rest is replaced.
insert into calls (
    site, case_id, accepted_at, step, responder, channel, reasons, called_at, outcome, reason, attempts, at,
    unknown_at, failed_at, sent_at, delivered_at, seen_at, answer, eta_minutes, answered_at
)
select
    site, case_id, accepted_at, step, responder, channel, reasons, called_at, outcome, reason, attempts, at,
    unknown_at, failed_at, sent_at, delivered_at, seen_at, answer, eta_minutes, answered_at
from json_populate_recordset(null::calls, $1::json)
on conflict (site, case_id, step, responder, channel, accepted_at) do update set
    reasons = excluded.reasons,
    called_at = excluded.called_at,
    outcome = excluded.outcome,
    reason = excluded.reason,
    attempts = excluded.attempts,
    at = excluded.at,
    unknown_at = least(calls.unknown_at, excluded.unknown_at),
    failed_at = least(calls.failed_at, excluded.failed_at),
    sent_at = least(calls.sent_at, excluded.sent_at),
    delivered_at = least(calls.delivered_at, excluded.delivered_at),
    seen_at = least(calls.seen_at, excluded.seen_at),
    answer = excluded.answer,
    eta_minutes = excluded.eta_minutes,
    answered_at = excluded.answered_at

-- name: clear
-- Forget a site, before its log is read again from the start.
delete from calls where site = $1
