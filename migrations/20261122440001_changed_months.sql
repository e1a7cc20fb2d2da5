-- migrate:up
-- Which transaction was the last to change a row of a month (a partition) and a site, of cases older than an hour. What was
-- counted of a period that is over may be kept for as long as these are the same (`dispatch/projections/remembered.py`).
-- Newer cases, which change all the time, cost nothing, and neither does a row that is written again as it was.
drop trigger note_old_change on latency;
drop trigger note_old_deletion on latency;
drop trigger note_emptying on latency;
drop function note_old_change();
drop table old_changes;

create table changed_months (
    month oid,
    site text,
    stamp xid8 not null,
    primary key (month, site)
);

create function note_changed_month() returns trigger language plpgsql as $$
begin
    insert into public.changed_months values (tg_relid, coalesce(new.site, old.site), pg_current_xact_id())
    on conflict (month, site) do update set stamp = excluded.stamp where changed_months.stamp <> excluded.stamp;
    return null;
end
$$;

create trigger note_new after insert on latency
for each row when (new.accepted_at < now() - interval '1 hour') execute function note_changed_month();
create trigger note_changed after update on latency
for each row when (new.accepted_at < now() - interval '1 hour' and old.* is distinct from new.*)
execute function note_changed_month();
create trigger note_gone after delete on latency
for each row when (old.accepted_at < now() - interval '1 hour') execute function note_changed_month();

create trigger note_new after insert on responses
for each row when (new.accepted_at < now() - interval '1 hour') execute function note_changed_month();
create trigger note_changed after update on responses
for each row when (new.accepted_at < now() - interval '1 hour' and old.* is distinct from new.*)
execute function note_changed_month();
create trigger note_gone after delete on responses
for each row when (old.accepted_at < now() - interval '1 hour') execute function note_changed_month();

-- migrate:down
drop trigger note_new on latency;
drop trigger note_changed on latency;
drop trigger note_gone on latency;
drop trigger note_new on responses;
drop trigger note_changed on responses;
drop trigger note_gone on responses;
drop function note_changed_month();
drop table changed_months;

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
