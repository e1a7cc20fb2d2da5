-- migrate:up
-- One row per case, step, responder and channel: what was owed and what came of it.
create table calls (
    site text not null,
    case_id text not null,
    step integer not null,
    responder text not null,
    channel text not null,
    reasons jsonb not null,
    called_at timestamptz not null,
    outcome text,
    reason text,
    attempts integer not null,
    at timestamptz,
    unknown_at timestamptz,
    failed_at timestamptz,
    sent_at timestamptz,
    delivered_at timestamptz,
    seen_at timestamptz,
    answer text,
    eta_minutes integer,
    answered_at timestamptz,
    primary key (site, case_id, step, responder, channel)
);

-- migrate:down
drop table calls;
