-- migrate:up
-- One row per person and case: when they were last proven to be reached by it. See docs/LATENCY.md.
create table reachability (
    site text not null,
    responder text not null,
    case_id text not null,
    proven_at timestamptz not null,
    primary key (site, responder, case_id)
);

-- migrate:down
drop table reachability;
