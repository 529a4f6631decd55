-- Evidence (what is known of the time, of tasks, of the service's queue and of keys) and wishes (what each file wants of a url).
-- Views are made anew at the end, since they name new columns.
-- Times are milliseconds since 1970-01-01T00:00:00Z in tables and RFC 3339 text in views.

drop view v_orders;
drop view v_checks;
drop view v_hosts;
drop view v_tasks;
drop view v_submissions;
drop view v_urls;
drop view url_rows;
drop view v_files;
drop view v_budget;
drop view v_status;

-- The owner of a dropped file: those of before belong to nobody.
alter table files add column owner_uid integer;

-- What this daemon knows of the service's time: whether an answer bears it out, and what the service's clock is ahead of this
-- machine's, in milliseconds.
alter table daemon add column time_proved integer not null default 0;
alter table daemon add column service_ahead_ms integer;

-- Files of the spool. Under which name one is stored is looked up when another of that name comes, or when it grows in done/.
-- A file may be written to after its end was read: what it was then is kept.
alter table files add column changed_at integer; -- its time of change when its end was read
-- What has lain in incoming/ for an hour and is left alone; at most a hundred rows.
create table left_alone (
    name   text    primary key,
    why    text    not null,
    since  integer not null                        -- when it was last changed
) strict, without rowid;
create index files_stored on files (stored_name);
insert into sqlite_stat1 (tbl, idx, stat) values ('files', 'files_stored', '1000000 1');

-- Keys: which one is in use (1 at the start, one more whenever another takes its place), where it was found, and what the service
-- says if it refuses it.
alter table daemon add column key_source text;
alter table daemon add column key_generation integer;
alter table daemon add column key_refused text;

-- A url that was accepted, and of which the service never told how it ended: state 7 of urls.
alter table files add column unconfirmed integer not null default 0;
create index urls_unconfirmed on urls (file_id) where state = 7;
-- What is given up by its age, when nobody was told.
create index tracks_accepted on tracks (accepted_at) where look_at is not null;
insert into sqlite_stat1 (tbl, idx, stat) values
    ('urls', 'urls_unconfirmed', '100000 1000'),
    ('tracks', 'tracks_accepted', '500 1');
analyze sqlite_schema;

-- Reasons are codes from here on; what was counted before by sentences has the code `text`.
alter table file_refusals add column code text not null default 'text';
alter table files add column rejected_code text;              -- the word of rejected_why
alter table files add column rejected_zh text;                -- rejected_why in Chinese
alter table files add column encoding text;                   -- how its bytes mean text; null while all of them are ASCII

-- How often its reading was begun since its mark moved: at the daemon's start, how often that died of it.
alter table files add column starts integer not null default 0;

-- What is odd about a file that was taken: a few rows a file, whatever it says.
create table file_warnings (
    file_id  integer not null references files,
    code     text    not null,
    found    text    not null,                     -- the piece of the line that shows it; empty where there is none
    line     integer not null,                     -- the first line of which it is true; 0: of the file
    lines    integer not null,                     -- of how many lines it is true
    primary key (file_id, code, found)
) strict, without rowid;

-- What each line wants of a url that several lines named. The first merge writes what the line that came first wants, too; a url that one
-- line named has no row here. While a url waits it goes by the strongest of its live wishes.
create table wishes (
    url_id      integer not null,                  -- of urls
    file_id     integer not null,
    line        integer not null,
    kind        integer not null,                  -- 0 came first: the row of urls is its; 1 merged; 2 fresh: the url had completed lately, nothing is wanted
    priority    integer not null,
    not_before  integer,                           -- it counts from then on
    deadline    integer,
    force       integer not null,
    label       text,                              -- where it differs from its file's
    state       integer not null default 0,        -- 0 as its url; 4 expired, 5 cancelled: ended on its own
    ended_at    integer,                           -- when it ended on its own
    -- what time will do to it while its url waits
    starts_at   integer,                           -- when it begins to count; null once it does
    ends_at     integer,                           -- when it expires
    primary key (url_id, file_id, line)
) strict, without rowid;
create index wishes_file on wishes (file_id);
create index wishes_label on wishes (label) where label is not null;
create index wishes_starts on wishes (starts_at) where starts_at is not null;
create index wishes_ends on wishes (ends_at) where ends_at is not null;

-- Where the wishes of a file's merged lines stand. Lines that were merged before are in `merged` alone.
alter table files add column merged_pending integer not null default 0;
alter table files add column merged_leased integer not null default 0;
alter table files add column merged_submitted integer not null default 0;
alter table files add column merged_complete integer not null default 0;
alter table files add column merged_failed integer not null default 0;
alter table files add column merged_expired integer not null default 0;
alter table files add column merged_cancelled integer not null default 0;
alter table files add column merged_held integer not null default 0;
alter table files add column merged_unconfirmed integer not null default 0;

-- A file has finished when its urls and its merged lines have ended.
drop index files_finishing;
create index files_finishing on files (file_id)
    where phase in (2, 4) and finished_at is null and pending + leased + submitted + held = 0
      and merged_pending + merged_leased + merged_submitted + merged_held = 0;
drop index files_sent;
create index files_sent on files (file_id)
    where phase in (2, 4) and finished_at is null and pending + leased + held = 0
      and merged_pending + merged_leased + merged_held = 0;
insert into sqlite_stat1 (tbl, idx, stat) values
    ('files', 'files_finishing', '100 1'),
    ('files', 'files_sent', '100 1'),
    ('wishes', 'wishes', '1000000 2 1 1'),
    ('wishes', 'wishes_file', '1000000 1000 1 1 1'),
    ('wishes', 'wishes_label', '10000 1000 1 1 1'),
    ('wishes', 'wishes_starts', '10000 10 1 1 1'),
    ('wishes', 'wishes_ends', '10000 10 1 1 1');
analyze sqlite_schema;

-- Reasons are codes with their parameters, a JSON object, from here on; English stands beside them for the views. What was written
-- before has no code, and views say `text`: its rows are not touched.
alter table urls add column reason_code text;
alter table urls add column reason_with text;
alter table hosts add column why_code text;
alter table hosts add column why_with text;
alter table cases add column why_code text;
alter table cases add column why_with text;
alter table daemon add column waiting_code text;
alter table daemon add column waiting_with text;

-- Lanes: what there was one of is there once for each operation, which has a number: 1 is prefetching, the only one so far. The tables
-- are built anew, since their keys change, with foreign keys off: dropping a table that others name would empty those.
-- The lane of url_keys is in its key: the hash of a url is another one in each lane.

-- One budget day of a lane and its meter. The greatest day is the day that is charged: it never goes back.
create table budget_days_new (
    lane            integer not null,
    day             text    not null,              -- date at the offset of day_starts, e.g. 2026-11-23
    starts_at       integer not null,
    ends_at         integer not null,
    requests_limit  integer not null,
    requests_used   integer not null default 0,
    urls_limit      integer,                       -- null: not limited here
    urls_used       integer not null default 0,    -- urls of accepted submissions and of those whose end is unknown
    unbooked        integer not null default 0,    -- of requests_used: charged, but by no submission that this database knows
    unsure          integer not null default 0,    -- 1: this database is older than the marker in the spool
    exhausted_why   text,                          -- the service's code, when it said that the day's quota is used up
    refused_urls    integer,                       -- a batch of so many was refused for the day's quota
    -- the service's last word on the day's quota, and what was charged here when it was said
    quota           integer,
    remain          integer,
    observed_at     integer,
    seen_requests   integer,
    seen_urls       integer,
    isolations      integer not null default 0,    -- requests spent on finding what was wrong in refused batches
    drift           integer,                       -- spent by others, in the unit of the quota; null while that is unknown
    -- 1: it was charged before it had begun, by a clock that was wrong, and what it cost was counted on the day that it truly was
    folded          integer not null default 0,
    primary key (lane, day)
) strict, without rowid;
insert into budget_days_new (lane, day, starts_at, ends_at, requests_limit, requests_used, urls_limit, urls_used, unbooked, unsure,
                             exhausted_why, refused_urls, quota, remain, observed_at, seen_requests, seen_urls, isolations, drift)
    select 1, day, starts_at, ends_at, requests_limit, requests_used, urls_limit, urls_used, unbooked, unsure,
           exhausted_why, refused_urls, quota, remain, observed_at, seen_requests, seen_urls, isolations, drift
    from budget_days;
drop table budget_days;
alter table budget_days_new rename to budget_days;

-- The account book: one call of a lane's operation. The cost is committed before the call leaves.
create table submissions_new (
    submission_id  integer primary key,
    lane           integer not null,
    day            text    not null,
    nonce          text    not null unique,
    state          integer not null default 0,     -- 0 open (urls leased), 1 accepted, 2 deferred, 3 refused, 4 in doubt, given up
    signed_at      integer not null,               -- the timestamp in the call; a copy carries the same
    sent_at        integer not null,               -- when the last copy was sent
    sends          integer not null default 1,     -- copies sent, all with the same nonce: the service performs one at most
    -- while it is open and no answer came
    doubt_since    integer,
    arrived        integer not null default 0,     -- 1: the service has seen the nonce
    absent_at      integer,                        -- when the service last answered that it lists no such task
    next_at        integer,                        -- when the next step towards its end is due
    double_urls    integer not null default 0,     -- urls sent anew although this submission may have been accepted
    outcome        text,                           -- the word for it, e.g. accepted, throttled
    urls           integer not null,
    suspects       integer not null default 0,     -- of urls: carried to find what an earlier batch was refused for
    cost           integer not null,               -- requests charged; 0 once given back
    opened_at      integer not null,
    closed_at      integer,
    ended_at       integer,                        -- when its tasks had all ended; null while they run
    http_status    integer,
    code           text,
    message        text,
    request_id     text,
    -- 1: it may have been performed after the reset of the day that was charged, so that it counts on the next one, too
    late           integer not null default 0,
    request_sha256 text,                           -- of the signed form, in hex: a copy must match it; null for those of before: none goes
    set_aside      text,                           -- tasks that listed urls of it while it was in doubt, and did not fit it
    foreign key (lane, day) references budget_days (lane, day)
) strict;
insert into submissions_new (submission_id, lane, day, nonce, state, signed_at, sent_at, sends, doubt_since, arrived, absent_at, next_at,
                             double_urls, outcome, urls, suspects, cost, opened_at, closed_at, ended_at, http_status, code, message,
                             request_id)
    select submission_id, 1, day, nonce, state, signed_at, sent_at, sends, doubt_since, arrived, absent_at, next_at,
           double_urls, outcome, urls, suspects, cost, opened_at, closed_at, ended_at, http_status, code, message,
           request_id
    from submissions;
drop table submissions;
alter table submissions_new rename to submissions;

create index submissions_open on submissions (submission_id) where state = 0;
create index submissions_sent on submissions (opened_at);
create index submissions_ended on submissions (ended_at, submission_id) where ended_at is not null;
create index submissions_double on submissions (double_urls) where double_urls > 0;
create index submissions_running on submissions (submission_id) where state = 1 and ended_at is null;
create index submissions_opened on submissions (strftime('%Y-%m-%dT%H:%M:%fZ', opened_at / 1000.0, 'unixepoch'));

-- How many urls of a lane are in which state, by priority.
create table tally_new (
    lane         integer not null,
    priority     integer not null,
    pending      integer not null default 0,
    leased       integer not null default 0,
    submitted    integer not null default 0,
    complete     integer not null default 0,
    failed       integer not null default 0,
    expired      integer not null default 0,
    cancelled    integer not null default 0,
    held         integer not null default 0,
    unconfirmed  integer not null default 0,
    primary key (lane, priority)
) strict, without rowid;
insert into tally_new (lane, priority, pending, leased, submitted, complete, failed, expired, cancelled, held)
    select 1, priority, pending, leased, submitted, complete, failed, expired, cancelled, held from tally;
drop table tally;
alter table tally_new rename to tally;

-- What has been learned of the account in a lane: backoff and pause survive a restart.
create table account_new (
    lane               integer primary key,
    backoff_until      integer,
    backoff_failures   integer not null default 0,
    backoff_why        text,
    backoff_code       text,
    backoff_with       text,
    paused_why         text,
    paused_code        text,                       -- without parameters
    paused_since       integer,
    probe_at           integer,                    -- when a free call will try whether the pause is over
    probes             integer not null default 0,
    -- the operator's pause, beside those above: the same in all lanes
    stopped_why        text,
    stopped_by         text,
    stopped_at         integer,
    paused_told        integer not null default 0, -- 1: somebody was told, and not yet that it is over
    drift_said_day     text,                       -- drift is logged once a day
    urgent_said_day    text,                       -- that the budget ran out with urgent urls waiting, too
    good_urls          real    not null default 0, -- accepted lately, and ...
    bad_urls           real    not null default 0  -- ... refused by the service alone: how many urls are bad
) strict;
insert into account_new (lane, backoff_until, backoff_failures, backoff_why, paused_why, paused_since, probe_at, probes, stopped_why,
                         stopped_by, stopped_at, paused_told, drift_said_day, urgent_said_day, good_urls, bad_urls)
    select 1, backoff_until, backoff_failures, backoff_why, paused_why, paused_since, probe_at, probes, stopped_why,
           stopped_by, stopped_at, paused_told, drift_said_day, urgent_said_day, good_urls, bad_urls
    from account;
drop table account;
alter table account_new rename to account;

-- What the service taught of a lane, each with the time at which it was observed. The program keeps the list of their names.
create table facts_new (
    lane         integer not null,
    fact         text    not null,
    value        text    not null,
    observed_at  integer not null,
    primary key (lane, fact)
) strict, without rowid;
insert into facts_new select 1, fact, value, observed_at from facts;
drop table facts;
alter table facts_new rename to facts;

-- Nothing may point nowhere after that: else all of this is undone.
create table broken (references_without_parent integer not null check (references_without_parent = 0)) strict;
insert into broken select count(*) from pragma_foreign_key_check;
drop table broken;

insert into sqlite_stat1 (tbl, idx, stat) values
    ('submissions', 'submissions_open', '1 1'),
    ('submissions', 'submissions_double', '100 1'),
    ('submissions', 'submissions_running', '500 1'),
    ('submissions', 'submissions_ended', '5000 1 1'),
    ('submissions', 'submissions_opened', '20000 1'),
    ('submissions', null, '20000');
analyze sqlite_schema;

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
    iif(d.waiting_for is null, null, coalesce(d.waiting_code, 'text')) as waiting_code
from daemon as d, account as a,
    (select sum(pending) filter (where priority = 0) as pending_urgent, sum(pending) filter (where priority = 1) as pending_high,
            sum(pending) filter (where priority = 2) as pending_normal, sum(pending) filter (where priority = 3) as pending_low,
            sum(pending) as pending, sum(leased) as leased, sum(submitted) as submitted, sum(complete) as complete,
            sum(failed) as failed, sum(expired) as expired, sum(cancelled) as cancelled, sum(held) as held,
            sum(unconfirmed) as unconfirmed
     from tally where lane = 1) as t
where a.lane = 1;

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
       and (s.late = 1 or (s.state in (0, 4) and s.arrived = 0 and s.signed_at + 960000 > budget_days.starts_at))
    ) as requests_late,
    (select iif(value = 'true', 1, 0) from facts as k where k.lane = budget_days.lane and k.fact = 'refusals_cost') as refusals_cost
from budget_days
where lane = 1;

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
    merged_held, merged_unconfirmed
from files;

-- What stands in v_urls of a url in whatever state; for v_urls alone.
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
    u.submission_id, f.file_id
from urls as u
join files as f on f.file_id = u.file_id and u.url_id >= f.url_from and u.url_id <= f.url_to
join hosts as h on h.host_id = u.host_id and u.url_id >= h.url_from and u.url_id <= h.url_to;

-- A select for each way into each state, so that a query for one state walks that state's index alone.
create view v_urls as
select
    url_id, url, host, file, line, label, priority, 'pending' as state, reason as reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, ended_at, submission_id, null as task_ids, file_id,
    reason_code
from url_rows
where url_state = 0 and wait_until is null and parked = 0 and suspect = 0
union all
select
    url_id, url, host, file, line, label, priority, 'pending' as state, cast(iif(parked = 1, host_why, reason) as text) as reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, ended_at, submission_id, null as task_ids, file_id,
    cast(iif(parked = 1, host_code, reason_code) as text) as reason_code
from url_rows
where url_state = 0 and wait_until is not null and suspect <> 2
union all
select
    url_id, url, host, file, line, label, priority, 'pending' as state, host_why as reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, ended_at, submission_id, null as task_ids, file_id,
    host_code as reason_code
from url_rows
where url_state = 0 and wait_until is null and parked = 1 and suspect <> 2
union all
select
    url_id, url, host, file, line, label, priority, 'pending' as state, reason as reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, ended_at, submission_id, null as task_ids, file_id,
    reason_code
from url_rows
where url_state = 0 and wait_until is null and parked = 0 and suspect > 0 and suspect = 1
union all
select
    url_id, url, host, file, line, label, priority, 'held' as state, reason as reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, ended_at, submission_id, null as task_ids, file_id,
    reason_code
from url_rows
where url_state = 0 and suspect > 0 and suspect = 2
union all
select
    url_id, url, host, file, line, label, priority, 'held' as state, reason as reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, ended_at, submission_id, null as task_ids, file_id,
    reason_code
from url_rows
where url_state = 6
union all
select
    url_id, url, host, file, line, label, priority, 'leased' as state, reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, u.ended_at, submission_id, null as task_ids, file_id,
    reason_code
from url_rows as u join submissions as s using (submission_id)
where url_state = 1 and s.state = 0
union all
select
    url_id, url, host, file, line, label, priority, 'submitted' as state, reason,
    attempts, not_before, deadline, queued_at, strftime('%Y-%m-%dT%H:%M:%fZ', s.closed_at / 1000.0, 'unixepoch') as submitted_at, u.ended_at, submission_id,
    (select group_concat(t.task_id, ',') from tasks as t where t.submission_id = s.submission_id) as task_ids, file_id,
    reason_code
from url_rows as u join submissions as s using (submission_id)
where url_state = 1 and s.state = 1 and s.ended_at is null
union all
select
    url_id, url, host, file, line, label, priority, 'complete' as state, reason,
    attempts, not_before, deadline, queued_at, strftime('%Y-%m-%dT%H:%M:%fZ', s.closed_at / 1000.0, 'unixepoch') as submitted_at, strftime('%Y-%m-%dT%H:%M:%fZ', s.ended_at / 1000.0, 'unixepoch') as ended_at, submission_id,
    (select group_concat(t.task_id, ',') from tasks as t where t.submission_id = s.submission_id) as task_ids, file_id,
    reason_code
from url_rows as u join submissions as s using (submission_id)
where url_state = 1 and s.state = 1 and s.ended_at is not null
union all
select
    url_id, url, host, file, line, label, priority, 'complete' as state, reason,
    attempts, not_before, deadline, queued_at, strftime('%Y-%m-%dT%H:%M:%fZ', s.closed_at / 1000.0, 'unixepoch') as submitted_at, u.ended_at, submission_id,
    (select group_concat(t.task_id, ',') from tasks as t where t.submission_id = s.submission_id) as task_ids, file_id,
    reason_code
from url_rows as u left join submissions as s using (submission_id)
where url_state = 2
union all
select
    url_id, url, host, file, line, label, priority, 'failed' as state, reason,
    attempts, not_before, deadline, queued_at, iif(s.state = 1, strftime('%Y-%m-%dT%H:%M:%fZ', s.closed_at / 1000.0, 'unixepoch'), null) as submitted_at, u.ended_at, submission_id,
    iif(s.state = 1, (select group_concat(t.task_id, ',') from tasks as t where t.submission_id = s.submission_id), null) as task_ids, file_id,
    reason_code
from url_rows as u left join submissions as s using (submission_id)
where url_state = 3
union all
select
    url_id, url, host, file, line, label, priority, 'expired' as state, reason as reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, ended_at, submission_id, null as task_ids, file_id,
    reason_code
from url_rows
where url_state = 4
union all
select
    url_id, url, host, file, line, label, priority, 'cancelled' as state, reason as reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, ended_at, submission_id, null as task_ids, file_id,
    reason_code
from url_rows
where url_state = 5
union all
select
    url_id, url, host, file, line, label, priority, 'unconfirmed' as state, reason,
    attempts, not_before, deadline, queued_at, strftime('%Y-%m-%dT%H:%M:%fZ', s.closed_at / 1000.0, 'unixepoch') as submitted_at, u.ended_at, submission_id,
    (select group_concat(t.task_id, ',') from tasks as t where t.submission_id = s.submission_id) as task_ids, file_id,
    reason_code
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
    set_aside
from submissions as s;

create view v_tasks as
select
    task_id, submission_id, status,
    case when listed > 0 then ((complete + failed) * 100 / listed) || '%' end as progress,
    complete, failed, listed,
    strftime('%Y-%m-%dT%H:%M:%fZ', checked_at / 1000.0, 'unixepoch') as checked_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', ended_at / 1000.0, 'unixepoch') as ended_at
from tasks;

create view v_hosts as
select
    host, standing, why,
    strftime('%Y-%m-%dT%H:%M:%fZ', since / 1000.0, 'unixepoch') as since,
    pending,
    iif(why is null, null, coalesce(why_code, 'text')) as why_code
from hosts;

create view v_checks as
select
    c.url_id, u.url, h.host, f.name as file, u.line, u.submission_id,
    c.warmth, c.http_status, c.evidence, c.tries,
    strftime('%Y-%m-%dT%H:%M:%fZ', c.due_at / 1000.0, 'unixepoch') as due_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', c.asked_at / 1000.0, 'unixepoch') as asked_at
from warmth_checks as c
join urls as u on u.url_id = c.url_id
join files as f on f.file_id = u.file_id
join hosts as h on h.host_id = u.host_id;
create view v_orders as
select
    order_id,
    strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') as at,
    who, command, what, rows
from orders;

create view v_left_alone as
select name, why, strftime('%Y-%m-%dT%H:%M:%fZ', since / 1000.0, 'unixepoch') as since
from left_alone;

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
    u.submission_id, w.file_id
from wishes as w
join files as f on f.file_id = w.file_id
join urls as u on u.url_id = w.url_id
left join submissions as s on s.submission_id = u.submission_id;
