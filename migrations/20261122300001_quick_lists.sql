-- migrate:up
-- A page of the board of an area, a status or a kind that is rare in it reads no more than a page of a common one.
create index board_of_area on board using gin (areas);
create index board_newest_by_status on board (site, status, raised_at desc, case_id desc);
create index board_newest_by_kind on board (site, kind, raised_at desc, case_id desc);

-- migrate:down
drop index board_of_area;
drop index board_newest_by_status;
drop index board_newest_by_kind;
