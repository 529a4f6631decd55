-- Lanes: purging files (2) and directories (3) beside prefetching (1). Whatever is stored of a lane already has its number; rows of the
-- queue get it here, in front of the index that claims walk. Views are made anew where they name new columns.
-- Times are milliseconds since 1970-01-01T00:00:00Z in tables and RFC 3339 text in views.

drop view v_wishes;
drop view v_submissions;
drop view v_urls;
drop view url_rows;
drop view v_files;

-- What a row asks for. Columns are added, not tables rebuilt: no row is written, however many there are.
alter table urls add column lane integer not null default 1;
-- 1: the purge of a line whose url is prefetched after it. Its file counts it in the columns `purge_...`.
alter table urls add column first_step integer not null default 0;
-- The purge that must be complete before this is sent; null when nothing is waited for. The row has parked = 2 then (1: its host may
-- not be sent), or is held because the purge ended otherwise.
alter table urls add column after_id integer;
-- 1: the parameter `Force` of the call that purges it; a call has one for all its urls.
alter table urls add column purge_force integer not null default 0;

drop index urls_ready;
create index urls_ready on urls (lane, priority, deadline is null, deadline, url_id)
    where state = 0 and wait_until is null and parked = 0 and suspect = 0;
-- Of rows that wait, or are held because of it: one that has ended waits for nothing.
create index urls_after on urls (after_id) where after_id is not null and state in (0, 6);

-- What a file's lines ask for unless they say it themselves: 1 prefetch, 2 purge, 3 purge-directory, 4 purge+prefetch.
alter table files add column action integer not null default 1;
alter table files add column purge_force integer not null default 0;
-- Where the purges of lines of purge+prefetch are; the other counters count their prefetches.
alter table files add column purge_pending integer not null default 0;
alter table files add column purge_leased integer not null default 0;
alter table files add column purge_submitted integer not null default 0;
alter table files add column purge_complete integer not null default 0;
alter table files add column purge_failed integer not null default 0;
alter table files add column purge_expired integer not null default 0;
alter table files add column purge_cancelled integer not null default 0;
alter table files add column purge_held integer not null default 0;
alter table files add column purge_unconfirmed integer not null default 0;
-- As in urls.
alter table wishes add column first_step integer not null default 0;
-- 1: it wants its url purged first.
alter table wishes add column after_purge integer not null default 0;

-- Every lane has its counters and its account. An operator's pause applies to all of them.
insert into tally (lane, priority) values (2, 0), (2, 1), (2, 2), (2, 3), (3, 0), (3, 1), (3, 2), (3, 3);
insert into account (lane, stopped_why, stopped_by, stopped_at)
    select l.value, stopped_why, stopped_by, stopped_at from account, json_each('[2, 3]') as l where lane = 1;

-- What the submitter waits for in the lanes beside prefetching, whose wait is in `daemon` (module status).
create table lane_waits (
    lane           integer primary key,
    waiting_for    text,
    waiting_until  integer,
    waiting_code   text,
    waiting_with   text                            -- the parameters of waiting_code, a JSON object
) strict;
insert into lane_waits (lane) values (2), (3);

-- Nothing may point nowhere after that: else all of this is undone.
create table broken (references_without_parent integer not null check (references_without_parent = 0)) strict;
insert into broken select count(*) from pragma_foreign_key_check;
drop table broken;

delete from sqlite_stat1 where idx = 'urls_ready';
insert into sqlite_stat1 (tbl, idx, stat) values
    ('urls', 'urls_ready', '4000000 2000000 1000000 1000000 10 1'),
    ('urls', 'urls_after', '100000 1');
analyze sqlite_schema;

create view v_files as
select
    file_id, name, label,
    case priority when 0 then 'urgent' when 1 then 'high' when 2 then 'normal' else 'low' end as priority,
    case phase when 2 then 'done' when 4 then 'rejected' else 'reading' end as progress,
    rejected_why,
    strftime('%Y-%m-%dT%H:%M:%fZ', dropped_at / 1000.0, 'unixepoch') as dropped_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', read_at / 1000.0, 'unixepoch') as read_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', finished_at / 1000.0, 'unixepoch') as finished_at,
    lines, queued, merged, fresh, refused,
    pending, leased, submitted, complete, failed, expired, cancelled, held,
    (select min(seconds) from (select seconds, sum(urls) over (order by seconds) as so_far, sum(urls) over () as urls
                               from file_warm as w where w.file_id = files.file_id)
     where so_far * 2 >= urls) as warm_seconds_median,
    (select min(seconds) from (select seconds, sum(urls) over (order by seconds) as so_far, sum(urls) over () as urls
                               from file_warm as w where w.file_id = files.file_id)
     where so_far * 20 >= urls * 19) as warm_seconds_p95,
    unconfirmed,
    (select coalesce(sum(w.lines), 0) from file_warnings as w where w.file_id = files.file_id) as warnings,
    rejected_code, encoding,
    merged_pending, merged_leased, merged_submitted, merged_complete, merged_failed, merged_expired, merged_cancelled,
    merged_held, merged_unconfirmed,
    case action when 1 then 'prefetch' when 2 then 'purge' when 3 then 'purge-directory' else 'purge+prefetch' end as action,
    purge_pending, purge_leased, purge_submitted, purge_complete, purge_failed, purge_expired, purge_cancelled, purge_held,
    purge_unconfirmed
from files;

-- What is in v_urls of a url in whatever state; for v_urls alone.
create view url_rows as
select
    u.url_id, u.url, h.host, f.name as file, u.line,
    coalesce(u.label, f.label) as label,
    case u.priority when 0 then 'urgent' when 1 then 'high' when 2 then 'normal' else 'low' end as priority,
    u.state as url_state, u.suspect, u.parked, u.wait_until, u.reason, h.why as host_why, u.attempts,
    iif(u.reason is null, null, coalesce(u.reason_code, 'text')) as reason_code,
    iif(h.why is null, null, coalesce(h.why_code, 'text')) as host_code,
    strftime('%Y-%m-%dT%H:%M:%fZ', u.not_before / 1000.0, 'unixepoch') as not_before,
    strftime('%Y-%m-%dT%H:%M:%fZ', u.deadline / 1000.0, 'unixepoch') as deadline,
    strftime('%Y-%m-%dT%H:%M:%fZ', f.dropped_at / 1000.0, 'unixepoch') as queued_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', u.ended_at / 1000.0, 'unixepoch') as ended_at,
    u.submission_id, f.file_id,
    u.lane, u.after_id,
    case u.lane when 1 then 'prefetch' when 2 then 'purge' else 'purge-directory' end as action
from urls as u
join files as f on f.file_id = u.file_id and u.url_id >= f.url_from and u.url_id <= f.url_to
join hosts as h on h.host_id = u.host_id and u.url_id >= h.url_from and u.url_id <= h.url_to;

-- A select for each way into each state, so that a query for one state walks that state's index alone.
create view v_urls as
select
    url_id, url, host, file, line, label, priority, 'pending' as state, reason as reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, ended_at, submission_id, null as task_ids, file_id,
    reason_code,
    action, after_id as purge_url_id
from url_rows
where url_state = 0 and wait_until is null and parked = 0 and suspect = 0
union all
select
    url_id, url, host, file, line, label, priority, 'pending' as state, cast(iif(parked = 1, host_why, reason) as text) as reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, ended_at, submission_id, null as task_ids, file_id,
    cast(iif(parked = 1, host_code, reason_code) as text) as reason_code,
    action, after_id as purge_url_id
from url_rows
where url_state = 0 and wait_until is not null and suspect <> 2
union all
select
    url_id, url, host, file, line, label, priority, 'pending' as state, host_why as reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, ended_at, submission_id, null as task_ids, file_id,
    host_code as reason_code,
    action, after_id as purge_url_id
from url_rows
where url_state = 0 and wait_until is null and parked = 1 and suspect <> 2
union all
select
    url_id, url, host, file, line, label, priority, 'pending' as state, cast(coalesce(reason, 'it waits until its purge is complete') as text) as reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, ended_at, submission_id, null as task_ids, file_id,
    cast(coalesce(reason_code, 'awaits_purge') as text) as reason_code,
    action, after_id as purge_url_id
from url_rows
where url_state = 0 and wait_until is null and parked = 2 and after_id is not null and url_state in (0, 6) and suspect <> 2
union all
select
    url_id, url, host, file, line, label, priority, 'pending' as state, reason as reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, ended_at, submission_id, null as task_ids, file_id,
    reason_code,
    action, after_id as purge_url_id
from url_rows
where url_state = 0 and wait_until is null and parked = 0 and suspect > 0 and suspect = 1
union all
select
    url_id, url, host, file, line, label, priority, 'held' as state, reason as reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, ended_at, submission_id, null as task_ids, file_id,
    reason_code,
    action, after_id as purge_url_id
from url_rows
where url_state = 0 and suspect > 0 and suspect = 2
union all
select
    url_id, url, host, file, line, label, priority, 'held' as state, reason as reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, ended_at, submission_id, null as task_ids, file_id,
    reason_code,
    action, after_id as purge_url_id
from url_rows
where url_state = 6
union all
select
    url_id, url, host, file, line, label, priority, 'leased' as state, reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, u.ended_at, submission_id, null as task_ids, file_id,
    reason_code,
    action, after_id as purge_url_id
from url_rows as u join submissions as s using (submission_id)
where url_state = 1 and s.state = 0
union all
select
    url_id, url, host, file, line, label, priority, 'submitted' as state, reason,
    attempts, not_before, deadline, queued_at, strftime('%Y-%m-%dT%H:%M:%fZ', s.closed_at / 1000.0, 'unixepoch') as submitted_at, u.ended_at, submission_id,
    (select group_concat(t.task_id, ',') from tasks as t where t.submission_id = s.submission_id) as task_ids, file_id,
    reason_code,
    action, after_id as purge_url_id
from url_rows as u join submissions as s using (submission_id)
where url_state = 1 and s.state = 1 and s.ended_at is null
union all
select
    url_id, url, host, file, line, label, priority, 'complete' as state, reason,
    attempts, not_before, deadline, queued_at, strftime('%Y-%m-%dT%H:%M:%fZ', s.closed_at / 1000.0, 'unixepoch') as submitted_at, strftime('%Y-%m-%dT%H:%M:%fZ', s.ended_at / 1000.0, 'unixepoch') as ended_at, submission_id,
    (select group_concat(t.task_id, ',') from tasks as t where t.submission_id = s.submission_id) as task_ids, file_id,
    reason_code,
    action, after_id as purge_url_id
from url_rows as u join submissions as s using (submission_id)
where url_state = 1 and s.state = 1 and s.ended_at is not null
union all
select
    url_id, url, host, file, line, label, priority, 'complete' as state, reason,
    attempts, not_before, deadline, queued_at, strftime('%Y-%m-%dT%H:%M:%fZ', s.closed_at / 1000.0, 'unixepoch') as submitted_at, u.ended_at, submission_id,
    (select group_concat(t.task_id, ',') from tasks as t where t.submission_id = s.submission_id) as task_ids, file_id,
    reason_code,
    action, after_id as purge_url_id
from url_rows as u left join submissions as s using (submission_id)
where url_state = 2
union all
select
    url_id, url, host, file, line, label, priority, 'failed' as state, reason,
    attempts, not_before, deadline, queued_at, iif(s.state = 1, strftime('%Y-%m-%dT%H:%M:%fZ', s.closed_at / 1000.0, 'unixepoch'), null) as submitted_at, u.ended_at, submission_id,
    iif(s.state = 1, (select group_concat(t.task_id, ',') from tasks as t where t.submission_id = s.submission_id), null) as task_ids, file_id,
    reason_code,
    action, after_id as purge_url_id
from url_rows as u left join submissions as s using (submission_id)
where url_state = 3
union all
select
    url_id, url, host, file, line, label, priority, 'expired' as state, reason as reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, ended_at, submission_id, null as task_ids, file_id,
    reason_code,
    action, after_id as purge_url_id
from url_rows
where url_state = 4
union all
select
    url_id, url, host, file, line, label, priority, 'cancelled' as state, reason as reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, ended_at, submission_id, null as task_ids, file_id,
    reason_code,
    action, after_id as purge_url_id
from url_rows
where url_state = 5
union all
select
    url_id, url, host, file, line, label, priority, 'unconfirmed' as state, reason,
    attempts, not_before, deadline, queued_at, strftime('%Y-%m-%dT%H:%M:%fZ', s.closed_at / 1000.0, 'unixepoch') as submitted_at, u.ended_at, submission_id,
    (select group_concat(t.task_id, ',') from tasks as t where t.submission_id = s.submission_id) as task_ids, file_id,
    reason_code,
    action, after_id as purge_url_id
from url_rows as u left join submissions as s using (submission_id)
where url_state = 7;

create view v_submissions as
select
    submission_id, day, nonce,
    strftime('%Y-%m-%dT%H:%M:%fZ', opened_at / 1000.0, 'unixepoch') as opened_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', closed_at / 1000.0, 'unixepoch') as closed_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', ended_at / 1000.0, 'unixepoch') as ended_at,
    urls, suspects, cost,
    coalesce(outcome, case when doubt_since is null then 'open' else 'in_doubt' end) as outcome,
    sends, double_urls,
    http_status, code, message, request_id,
    (select group_concat(t.task_id, ',') from tasks as t where t.submission_id = s.submission_id) as task_ids,
    set_aside,
    case lane when 1 then 'prefetch' when 2 then 'purge' else 'purge-directory' end as action
from submissions as s;

-- A row a line whose url several lines want: the one that came first, those that were merged, and those that were fresh.
create view v_wishes as
select
    w.url_id, u.url, f.name as file, w.line, coalesce(w.label, f.label) as label,
    case w.priority when 0 then 'urgent' when 1 then 'high' when 2 then 'normal' else 'low' end as priority,
    case when w.state = 4 then 'expired' when w.state = 5 then 'cancelled'
         when u.state = 0 then iif(u.suspect = 2, 'held', 'pending')
         when u.state = 1 then case when s.state = 0 then 'leased' when s.ended_at is null then 'submitted' else 'complete' end
         when u.state = 2 then 'complete' when u.state = 3 then 'failed' when u.state = 4 then 'expired'
         when u.state = 5 then 'cancelled' when u.state = 6 then 'held' else 'unconfirmed' end as state,
    case w.kind when 0 then 'first' when 1 then 'merged' else 'fresh' end as came,
    strftime('%Y-%m-%dT%H:%M:%fZ', w.not_before / 1000.0, 'unixepoch') as not_before,
    strftime('%Y-%m-%dT%H:%M:%fZ', w.deadline / 1000.0, 'unixepoch') as deadline,
    w.force,
    strftime('%Y-%m-%dT%H:%M:%fZ', f.dropped_at / 1000.0, 'unixepoch') as queued_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(w.ended_at, u.ended_at, s.ended_at) / 1000.0, 'unixepoch') as ended_at,
    u.submission_id, w.file_id,
    case u.lane when 1 then 'prefetch' when 2 then 'purge' else 'purge-directory' end as action
from wishes as w
join files as f on f.file_id = w.file_id
join urls as u on u.url_id = w.url_id
left join submissions as s on s.submission_id = u.submission_id;

-- A row a lane and day; a lane that has rows in the queue and no day yet has one without a day.
create view v_lanes as
select
    case a.lane when 1 then 'prefetch' when 2 then 'purge' else 'purge-directory' end as action,
    day,
    strftime('%Y-%m-%dT%H:%M:%fZ', ends_at / 1000.0, 'unixepoch') as day_ends_at,
    nullif(requests_limit, 4294967295) as requests_limit,
    requests_used,
    unbooked,
    isolations,
    urls_limit,
    urls_used,
    case d.lane when 1 then (select value from facts as k where k.lane = 1 and k.fact = 'unit') when 2 then 'urls' else 'directories' end as unit,
    quota,
    remain,
    drift,
    strftime('%Y-%m-%dT%H:%M:%fZ', observed_at / 1000.0, 'unixepoch') as observed_at,
    exhausted_why,
    unsure,
    (select count(*) from submissions as s indexed by submissions_sent
     where s.lane = d.lane and s.opened_at >= d.starts_at - 86400000 and s.opened_at < d.ends_at
       and s.day < d.day and s.cost > 0
       and (s.late = 1 or (s.state in (0, 4) and s.signed_at + 960000 > d.starts_at))
    ) as requests_late,
    (select iif(value = 'true', 1, 0) from facts as k where k.lane = d.lane and k.fact = 'refusals_cost') as refusals_cost,
    t.pending,
    t.leased,
    t.held,
    iif(a.stopped_why is not null, 'stopped', iif(a.paused_why is null, null, coalesce(a.paused_code, 'text'))) as paused_code,
    coalesce('by ' || a.stopped_by || ': ' || a.stopped_why || '; `prefetchd resume` ends it', a.paused_why) as paused_why,
    iif(w.waiting_for is null, null, coalesce(w.waiting_code, 'text')) as waiting_code,
    w.waiting_for,
    strftime('%Y-%m-%dT%H:%M:%fZ', w.waiting_until / 1000.0, 'unixepoch') as waiting_until
from account as a
join (select lane, sum(pending) as pending, sum(leased) as leased, sum(held) as held,
             sum(pending + leased + submitted + complete + failed + expired + cancelled + held + unconfirmed) as urls
      from tally group by lane) as t on t.lane = a.lane
left join budget_days as d on d.lane = a.lane
left join (select lane, waiting_for, waiting_until, waiting_code from lane_waits
           union all select 1, waiting_for, waiting_until, waiting_code from daemon) as w on w.lane = a.lane
where d.day is not null or t.urls > 0;

-- Orders of members of the group come as files in the spool's orders/: under which name, and what tells the file from a later one of
-- that name. done_at is null while an order is being carried out, and for those of before.
drop view v_orders;
alter table orders add column done_at integer;
alter table orders add column dropped_as text;
alter table orders add column dropped_mark text;
alter table orders add column refused text;
alter table orders add column refused_code text;
alter table orders add column refused_with text;
create unique index orders_dropped on orders (dropped_as, dropped_mark) where dropped_as is not null;
create view v_orders as
select
    order_id,
    strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') as at,
    who, command, what, rows,
    strftime('%Y-%m-%dT%H:%M:%fZ', done_at / 1000.0, 'unixepoch') as done_at,
    dropped_as, refused, refused_code
from orders;

-- What each robot of [[notify.robot]] was told: the last notice, and how that went. A new one begins with what happens from then on.
create table robots (
    name        text    primary key,
    told        integer not null,                  -- the last notice that it heard, or that it is not to hear
    tried_at    integer,
    failures    integer not null default 0,        -- in a row
    too_fast    integer not null default 0,        -- 1: the last message came too soon after others
    failed_why  text
) strict, without rowid;
create view v_robots as
select
    name,
    strftime('%Y-%m-%dT%H:%M:%fZ', tried_at / 1000.0, 'unixepoch') as tried_at,
    failures, failed_why,
    (select count(*) from notices where notice_id > told) as notices_waiting
from robots;
