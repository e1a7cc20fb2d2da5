-- migrate:up
-- Whether an older system had the case: it is over, closed or not; see docs/LATENCY.md. What such a case says of who
-- was reached is no proof. Both tables are read again from the log.
alter table latency add column imported boolean not null default false;

delete from checkpoints where projection in ('latency', 'reachability');
truncate latency, reachability;

-- migrate:down
delete from checkpoints where projection in ('latency', 'reachability');
truncate latency, reachability;
alter table latency drop column imported;
