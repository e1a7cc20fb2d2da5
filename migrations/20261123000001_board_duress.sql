-- migrate:up
-- Whether the one who pressed is under duress: a list of cases that does not say so invites a call back.
alter table board add column duress boolean not null default false;

update board set duress = true
from timeline
where timeline.site = board.site and timeline.case_id = board.case_id and timeline.type = 'duress_signalled';

-- migrate:down
alter table board drop column duress;
