-- migrate:up
-- One row per person: when they were last proven to be reached. See docs/LATENCY.md.
create table reachability (
    site text not null,
    responder text not null,
    proven_at timestamptz not null,
    primary key (site, responder)
);

-- migrate:down
drop table reachability;
