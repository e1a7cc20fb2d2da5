-- migrate:up
-- Which transaction was the last to change the latency of a case of long ago. What was counted of months that are over may
-- be kept for as long as this is the same (`dispatch/projections/remembered.py`); changes of newer cases are not noted.
create table old_changes (
    one boolean primary key default true check (one),
    stamp xid8 not null default pg_current_xact_id()
);
insert into old_changes default values;

create function note_old_change() returns trigger language plpgsql as $$
begin
    update public.old_changes set stamp = pg_current_xact_id() where stamp <> pg_current_xact_id();
    return null;
end
$$;

create trigger note_old_change after insert or update on latency
for each row when (new.accepted_at < now() - interval '35 days') execute function note_old_change();
create trigger note_old_deletion after delete on latency
for each row when (old.accepted_at < now() - interval '35 days') execute function note_old_change();
create trigger note_emptying after truncate on latency
for each statement execute function note_old_change();

-- migrate:down
drop trigger note_old_change on latency;
drop trigger note_old_deletion on latency;
drop trigger note_emptying on latency;
drop function note_old_change();
drop table old_changes;
