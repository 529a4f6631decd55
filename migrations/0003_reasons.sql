-- Reasons that were still prose are codes with their parameters too. The text of each stays beside them, in English; what was
-- written before has the code `text`. Views are made anew where they name new columns.

drop view v_status;
drop view v_left_alone;

alter table left_alone add column why_code text;              -- the word of why
alter table daemon add column spool_problem_code text;        -- the word of spool_problem ...
alter table daemon add column spool_problem_with text;        -- ... and its parameters, a JSON object
alter table daemon add column config_problem_code text;
alter table daemon add column config_problem_with text;
alter table daemon add column key_refused_code text;

-- The longest that the wait of `backoff_until` may last, in milliseconds: whatever clock wrote it, it ends by then.
alter table account add column backoff_ms integer;
-- The service's earliest possible time when the call was signed: no task of it is older.
alter table submissions add column earliest_at integer;

create view v_status as
select
    case when coalesce(a.stopped_why, a.paused_why) is not null and d.health = 'running' then 'paused' else d.health end as health,
    coalesce('by ' || a.stopped_by || ': ' || a.stopped_why || '; `prefetchd resume` ends it', a.paused_why) as paused_why,
    d.waiting_for,
    strftime('%Y-%m-%dT%H:%M:%fZ', d.waiting_until / 1000.0, 'unixepoch') as waiting_until,
    d.spool_problem,
    d.config_problem,
    d.pid,
    strftime('%Y-%m-%dT%H:%M:%fZ', d.started_at / 1000.0, 'unixepoch') as started_at,
    t.pending, t.leased, t.submitted, t.complete, t.failed, t.expired, t.cancelled, t.held,
    (select coalesce(sum(pending), 0) from hosts where standing in ('refused', 'offline')) as parked,
    (select count(*) from urls where suspect > 0) as suspected,
    (select count(*) from submissions where state = 0 and doubt_since is not null and lane = 1) as in_doubt,
    (select coalesce(sum(double_urls), 0) from submissions where double_urls > 0 and lane = 1) as possible_doubles,
    d.http_problem,
    strftime('%Y-%m-%dT%H:%M:%fZ', a.paused_since / 1000.0, 'unixepoch') as paused_since,
    t.pending_urgent, t.pending_high, t.pending_normal, t.pending_low,
    (select count(*) from files where phase in (0, 1, 3) and phase = 0) as files_reading,
    d.time_proved,
    d.service_ahead_ms,
    d.key_source, d.key_generation, d.key_refused,
    t.unconfirmed,
    (select coalesce(sum(max(min(k.urls, s.urls - k.complete - k.failed), 0)), 0)
     from tracks as k indexed by tracks_accepted join submissions as s using (submission_id)
     where k.look_at is not null and s.lane = 1
       and k.accepted_at > unixepoch('now') * 1000
           - iif((select value from facts where lane = 1 and fact = 'tasks_readable') = 'false', 1800000, 7200000))
    + (select coalesce(sum(urls), 0) from submissions where state = 0 and lane = 1) as in_flight,
    (select max(json_extract(value, '$.fits'), 1) from facts where lane = 1 and fact = 'in_flight_size') as in_flight_limit,
    iif(a.stopped_why is not null, 'stopped', iif(a.paused_why is null, null, coalesce(a.paused_code, 'text'))) as paused_code,
    iif(d.waiting_for is null, null, coalesce(d.waiting_code, 'text')) as waiting_code,
    iif(d.spool_problem is null, null, coalesce(d.spool_problem_code, 'text')) as spool_problem_code,
    iif(d.config_problem is null, null, coalesce(d.config_problem_code, 'text')) as config_problem_code,
    iif(d.key_refused is null, null, coalesce(d.key_refused_code, 'text')) as key_refused_code
from daemon as d, account as a,
    (select sum(pending) filter (where priority = 0) as pending_urgent, sum(pending) filter (where priority = 1) as pending_high,
            sum(pending) filter (where priority = 2) as pending_normal, sum(pending) filter (where priority = 3) as pending_low,
            sum(pending) as pending, sum(leased) as leased, sum(submitted) as submitted, sum(complete) as complete,
            sum(failed) as failed, sum(expired) as expired, sum(cancelled) as cancelled, sum(held) as held,
            sum(unconfirmed) as unconfirmed
     from tally where lane = 1) as t
where a.lane = 1;

create view v_left_alone as
select name, why, strftime('%Y-%m-%dT%H:%M:%fZ', since / 1000.0, 'unixepoch') as since,
    coalesce(why_code, 'text') as why_code
from left_alone;

-- A call in doubt counts on both days even if the service had seen it: that proves nothing about when it is performed.
drop view v_budget;
create view v_budget as
select
    day,
    strftime('%Y-%m-%dT%H:%M:%fZ', ends_at / 1000.0, 'unixepoch') as day_ends_at,
    requests_limit,
    requests_used,
    unbooked,
    isolations,
    urls_limit,
    urls_used,
    (select value from facts as k where k.lane = budget_days.lane and k.fact = 'unit') as unit,
    quota,
    remain,
    drift,
    strftime('%Y-%m-%dT%H:%M:%fZ', observed_at / 1000.0, 'unixepoch') as observed_at,
    exhausted_why,
    unsure,
    (select count(*) from submissions as s indexed by submissions_sent
     where s.lane = budget_days.lane and s.opened_at >= budget_days.starts_at - 86400000 and s.opened_at < budget_days.ends_at
       and s.day < budget_days.day and s.cost > 0
       and (s.late = 1 or (s.state in (0, 4) and s.signed_at + 960000 > budget_days.starts_at))
    ) as requests_late,
    (select iif(value = 'true', 1, 0) from facts as k where k.lane = budget_days.lane and k.fact = 'refusals_cost') as refusals_cost
from budget_days
where lane = 1;
