-- migrate:up
-- One row per event of a case, in the order of the log.
create table timeline (
    site text not null,
    case_id text not null,
    seq bigint not null,
    index integer not null,
    at timestamptz not null,
    type text not null,
    data jsonb not null,
    primary key (site, case_id, seq, index)
);

-- migrate:down
drop table timeline;
