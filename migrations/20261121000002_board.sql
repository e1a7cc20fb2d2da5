-- migrate:up
-- One row per case, as it is now. Ids only: names, phones and addresses are in the roster.
create table board (
    site text not null,
    case_id text not null,
    seq bigint not null,
    household text not null,
    areas text[] not null,
    group_id text,
    kind text not null,
    status text not null,
    is_open boolean not null,
    silent boolean not null,
    drill boolean not null,
    source text not null,
    device text not null,
    pressed_at timestamptz not null,
    accepted_at timestamptz not null,
    raised_at timestamptz not null,
    last_pressed_at timestamptz not null,
    presses integer not null,
    called integer not null,
    reached integer not null,
    coming integer not null,
    on_scene integer not null,
    cannot integer not null,
    nearest_eta_at timestamptz,
    first_called_at timestamptz,
    first_delivered_at timestamptz,
    first_answered_at timestamptz,
    first_going_at timestamptz,
    first_on_scene_at timestamptz,
    gaps integer not null,
    notes integer not null,
    closed_at timestamptz,
    closed_by text,
    resolution text,
    closing_text text,
    primary key (site, case_id)
);

create index board_newest on board (site, raised_at desc, case_id desc);
create index board_newest_by_state on board (site, is_open, raised_at desc, case_id desc);

-- migrate:down
drop table board;
