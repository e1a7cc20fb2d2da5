-- migrate:up
-- Whether duress was signalled on a case, or on one beside which the household pressed again: a list of cases that does not
-- say so invites a call back.
alter table board add column duress boolean not null default false;

update board set duress = true
from timeline
where timeline.site = board.site and timeline.case_id = board.case_id and (
    timeline.type = 'duress_signalled'
    or (timeline.type = 'household_stamped' and timeline.data ->> 'beside' is not null)
);

-- migrate:down
alter table board drop column duress;
