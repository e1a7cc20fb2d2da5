-- migrate:up
-- How far each read model has come in the log; moved by the statement that writes its rows.
create table checkpoints (
    site text not null,
    projection text not null,
    stream_created timestamptz not null,
    seq bigint not null default 0,
    commit_id text not null default '',
    updated_at timestamptz not null default now(),
    primary key (site, projection)
);

-- migrate:down
drop table checkpoints;
