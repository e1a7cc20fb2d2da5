-- migrate:up
-- What a case asked of each group, as whose leader or members people were called, and of the others: one row for each of
-- these and case, so that reports on the work of a month read two rows of a case instead of thirteen. `group_id` is ''
-- where nobody was called as of a group. The seconds are each responder's own, of those who came to the step: see
-- docs/LATENCY.md. Who was left out is not in it. What has a fixed length stands first.
create table work (
    accepted_at timestamptz not null,
    called integer not null,
    rung integer not null,
    delivered integer not null,
    answered integer not null,
    going integer not null,
    on_scene integer not null,
    cannot integer not null,
    drill boolean not null,
    officers boolean not null,
    site text not null,
    group_id text not null,
    areas text[] not null,
    kind text not null,
    called_to_answered float8[] not null,
    called_to_on_scene float8[] not null,
    called_to_delivered float8[] not null,
    delivered_to_answered float8[] not null,
    going_to_on_scene float8[] not null,
    responders text[] not null,
    case_id text not null,
    primary key (site, case_id, group_id, officers, accepted_at)
) partition by range (accepted_at);

create index work_newest on work (site, accepted_at);
create index work_of_area on work using gin (areas);

-- migrate:down
drop table work;
delete from checkpoints where projection = 'work';
