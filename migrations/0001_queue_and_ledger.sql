-- The first schema: files, hosts and urls (module queue), submissions and their cost (module ledger),
-- and what the daemon last said of itself (module status).
--
-- Tables are private to the program; the views at the end are public and documented in README.md beside
-- this file. Times are milliseconds since 1970-01-01T00:00:00Z in tables and RFC 3339 text in views.

-- One dropped file. Its counters are changed in the transaction that changes its urls, never by scanning.
create table files (
    file_id        integer primary key,
    name           text    not null,               -- as dropped, odd bytes percent-encoded
    stored_name    text    not null,               -- in work/, then in done/ or rejected/
    phase          integer not null,               -- 0 reading, 1 read (being moved to done/), 2 done, 3 refused (being moved to rejected/), 4 rejected
    rejected_why   text,
    label          text,
    priority       integer not null default 2,     -- 0 urgent, 1 high, 2 normal, 3 low
    not_before     integer,
    deadline       integer,
    force          integer not null default 0,
    bytes          integer,
    sha256         text,                           -- of the file as dropped, in hex
    dropped_at     integer not null,               -- when the daemon claimed it
    read_at        integer,                        -- when its last line was queued
    finished_at    integer,                        -- when the last of its urls had ended
    -- reading resumes here after a crash
    read_bytes     integer not null default 0,     -- committed bytes of the file
    refused_bytes  integer not null default 0,     -- committed bytes of the report of refused lines
    -- what became of its lines
    lines          integer not null default 0,     -- lines that are neither blank, comment nor directive
    queued         integer not null default 0,
    merged         integer not null default 0,
    fresh          integer not null default 0,
    refused        integer not null default 0,
    -- where its queued urls are now
    pending        integer not null default 0,
    leased         integer not null default 0,
    submitted      integer not null default 0,
    complete       integer not null default 0,
    failed         integer not null default 0,
    expired        integer not null default 0,
    cancelled      integer not null default 0,
    held           integer not null default 0,
    receipt_final  integer not null default 0,     -- 1: the receipt says how the file ended
    deadline_said  integer not null default 0,     -- 1: a notice said that its deadline is near
    -- its urls lie between these rows, perhaps among those of others; so that no url pays for an index by file
    url_from       integer not null default 0,
    url_to         integer not null default 9223372036854775807
) strict;

create index files_name on files (name);
create index files_label on files (label) where label is not null;
create index files_dropped on files (strftime('%Y-%m-%dT%H:%M:%fZ', dropped_at / 1000.0, 'unixepoch'));

create unique index files_unfinished on files (stored_name) where phase in (0, 1, 3);
create index files_finishing on files (file_id)
    where phase in (2, 4) and finished_at is null and pending + leased + submitted + held = 0;
create index files_sent on files (file_id)
    where phase in (2, 4) and finished_at is null and pending + leased + held = 0;
create index files_waiting on files (dropped_at) where pending > 0;
create index files_pending on files (file_id) where pending > 0;
create index files_final on files (file_id) where finished_at is not null and phase = 2 and receipt_final = 0;

-- How many lines of a file were refused for which reason.
create table file_refusals (
    file_id  integer not null references files,
    reason   text    not null,
    lines    integer not null,
    primary key (file_id, reason)
) strict, without rowid;

-- The domains seen in urls. What is not refused or offline may be sent.
create table hosts (
    host_id   integer primary key,
    host      text    not null unique,
    standing  text    not null default 'unknown' check (standing in ('unknown', 'good', 'refused', 'offline')),
    why       text,
    since     integer not null,                    -- when the standing became what it is
    holds_until integer,                           -- an answer to a batch said so, and is believed until then; null: the list of domains
    accepted_at integer,                           -- about when a batch with it was last accepted
    unpark    integer not null default 0,          -- 1: it may be sent again, and has urls that are parked
    pending   integer not null default 0,
    -- as in files
    url_from  integer not null default 0,
    url_to    integer not null default 9223372036854775807
) strict;

create index hosts_unknown on hosts (host_id) where standing = 'unknown';
create index hosts_blocked on hosts (pending) where standing in ('refused', 'offline');
create index hosts_unpark on hosts (host_id) where unpark = 1;

-- The queue. A row is written when its line is committed, once when it is batched, and again only when something went
-- wrong: while state is 1 (batched) what became of it stands in its submission, written once for the whole batch.
-- file_id and host_id are no foreign keys: whoever adds a row has just read both, and looking them up again costs a sixth of the insert.
create table urls (
    url_id         integer primary key,            -- order of arrival
    file_id        integer not null,
    line           integer not null,
    url            text    not null,               -- normalised
    host_id        integer not null,
    priority       integer not null,
    state          integer not null default 0,     -- 0 pending, 1 batched, 2 complete, 3 failed, 4 expired, 5 cancelled, 6 held
    attempts       integer not null default 0,     -- calls that carried it and count against [retry] attempts_max
    label          text,                           -- where it differs from its file's
    not_before     integer,
    deadline       integer,
    wait_until     integer,                        -- not to be claimed before; null when ready
    parked         integer not null default 0,     -- 1: its host may not be sent
    suspect        integer not null default 0,     -- 1: it may be what a batch was refused for; 2: and is held until it may be tested
    submission_id  integer references submissions, -- the last one that carried it
    origin_failures integer not null default 0,    -- times that it was accepted and failed at the origin
    older_id       integer,                        -- the row before with the same url_key: of the same url, or (once in a lifetime) of another
    reason         text,                           -- of held, failed, or of the last deferral
    ended_at       integer
) strict;

-- Claims walk this in order: urgent first, then the earlier deadline, then order of arrival.
create index urls_ready on urls (priority, deadline is null, deadline, url_id)
    where state = 0 and wait_until is null and parked = 0 and suspect = 0;
create index urls_parked on urls (host_id) where parked = 1;
create index urls_suspect on urls (state) where suspect > 0;
create index urls_waiting on urls (wait_until) where wait_until is not null;
create index urls_deadline on urls (deadline) where state = 0 and deadline is not null;
create index urls_ended on urls (ended_at) where ended_at is not null;
create index urls_submission on urls (submission_id) where submission_id is not null;
-- What left the queue, by state and by url. Rows pay for these when they end.
create index urls_failed on urls (file_id) where state = 3;
create index urls_expired on urls (file_id) where state = 4;
create index urls_cancelled on urls (file_id) where state = 5;
create index urls_held on urls (file_id) where state = 6;
create index urls_warm on urls (file_id) where state = 2;
-- Few lines have a label of their own.
create index urls_label on urls (label) where label is not null;

-- By the 64-bit hash of a url its latest row; urls.older_id leads on to the rows before it. A table of its own and no index, so
-- that it is filled in its own order, chunk by chunk, and is left alone when a url changes its state.
create table url_keys (
    url_key  integer primary key,
    url_id   integer not null
) strict;

-- How many urls are in which state, by priority.
create table tally (
    priority   integer primary key,
    pending    integer not null default 0,
    leased     integer not null default 0,
    submitted  integer not null default 0,
    complete   integer not null default 0,
    failed     integer not null default 0,
    expired    integer not null default 0,
    cancelled  integer not null default 0,
    held       integer not null default 0
) strict;

insert into tally (priority) values (0), (1), (2), (3);

-- One budget day and its meter. The greatest day is the day that is charged: it never goes back.
create table budget_days (
    day             text    primary key,           -- date at the offset of day_starts, e.g. 2026-11-23
    starts_at       integer not null,
    ends_at         integer not null,
    requests_limit  integer not null,
    requests_used   integer not null default 0,
    urls_limit      integer,                       -- null: not limited here
    urls_used       integer not null default 0,    -- urls of accepted submissions and of those whose end is unknown
    unbooked        integer not null default 0,    -- of requests_used: charged, but by no submission that this database knows
    unsure          integer not null default 0,    -- 1: this database is older than the marker in the spool
    exhausted_why   text,                          -- the service said that the day's quota is used up
    refused_urls    integer,                       -- a batch of so many was refused for the day's quota
    -- the service's last word on the day's quota, and what was charged here when it was said
    quota           integer,
    remain          integer,
    observed_at     integer,
    seen_requests   integer,
    seen_urls       integer,
    isolations      integer not null default 0,    -- requests spent on finding what was wrong in refused batches
    drift           integer                        -- spent by others, in the unit of the quota; null while that is unknown
) strict, without rowid;

-- The account book: one call of PreloadVodObjectCaches. The cost is committed before the call leaves.
create table submissions (
    submission_id  integer primary key,
    day            text    not null references budget_days,
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
    request_id     text
) strict;

create index submissions_open on submissions (submission_id) where state = 0;
create index submissions_sent on submissions (opened_at);
create index submissions_ended on submissions (ended_at, submission_id) where ended_at is not null;
create index submissions_double on submissions (double_urls) where double_urls > 0;
create index submissions_running on submissions (submission_id) where state = 1 and ended_at is null;
create index submissions_opened on submissions (strftime('%Y-%m-%dT%H:%M:%fZ', opened_at / 1000.0, 'unixepoch'));

-- A refused submission in which something is still to be found (module queue).
create table cases (
    submission_id  integer primary key references submissions,
    blame          text    not null check (blame in ('url', 'host')),
    why            text    not null,
    unsure         integer not null                -- 1: what is found is held for the operator instead of failed
) strict;

-- Its members that have not been accepted since.
create table case_members (
    submission_id  integer not null references cases on delete cascade,
    url_id         integer not null,               -- of urls, perhaps pruned
    host_id        integer not null,
    core           integer not null,               -- 1: suspected; 0: only travelled along
    primary key (submission_id, url_id)
) strict, without rowid;

create index case_members_url on case_members (url_id);

-- What somebody is to be told, and what became of that.
create table notices (
    notice_id  integer primary key,
    at         integer not null,
    event      text    not null,                   -- the JSON object
    tries      integer not null default 0,
    sent_at    integer
) strict;

create index notices_unsent on notices (notice_id) where sent_at is null;

-- An accepted submission whose tasks are followed, and what the last look at them saw.
create table tracks (
    submission_id  integer primary key references submissions,
    accepted_at    integer not null,
    urls           integer not null,
    look_at        integer,                        -- when its tasks are asked for next; null once they have all ended
    looks          integer not null default 0,
    calls          integer not null default 0,     -- what the looks have cost, in calls of DescribeVodRefreshTasks
    seen_at        integer,
    complete       integer not null default 0,
    failed         integer not null default 0,
    listed         integer                         -- null: was not asked
) strict;

create index tracks_due on tracks (look_at) where look_at is not null;

-- What operators asked for, by commands.
create table orders (
    order_id  integer primary key,
    at        integer not null,
    who       text    not null,                    -- user name and uid
    command   text    not null,                    -- retry, cancel, prioritize, pause, resume, budget confirm
    what      text    not null,                    -- which urls, or why
    rows      integer not null default 0           -- urls it changed so far
) strict;

create table tasks (
    task_id        text    not null,
    submission_id  integer not null references submissions,
    status         text    not null default 'Pending' check (status in ('Pending', 'Refreshing', 'Complete', 'Failed')),
    complete       integer not null default 0,
    failed         integer not null default 0,
    listed         integer,                        -- urls that the service lists for it; null: was not asked
    checked_at     integer,
    ended_at       integer,
    primary key (submission_id, task_id)
) strict, without rowid;

create index tasks_id on tasks (task_id);

-- How long a file's urls took from drop to warm: so many took about so many seconds, rounded to two digits.
create table file_warm (
    file_id  integer not null references files,
    seconds  integer not null,
    urls     integer not null,
    primary key (file_id, seconds)
) strict, without rowid;
-- Completed urls that are asked for through the CDN ([track] verify), and what it answered (module track).
create table warmth_checks (
    url_id       integer primary key references urls on delete cascade,
    due_at       integer,                          -- when it is to be asked for; null once its warmth stands
    tries        integer not null default 0,       -- written down before the call leaves
    asked_at     integer,                          -- when it was last asked for
    warmth       text    check (warmth in ('hit', 'miss', 'unknown')),
    http_status  integer,                          -- null where no answer came
    evidence     text                              -- what the answer said of it, or why there is none; bounded, control characters escaped
) strict;

create index warmth_checks_due on warmth_checks (due_at) where due_at is not null;

-- One row: what ended up to here has been sampled.
create table warmth_cursor (
    one            integer primary key check (one = 1),
    ended_at       integer not null default 0,
    submission_id  integer not null default 0,
    seed           integer not null                -- of the sample: the same urls before and after a restart
) strict;

insert into warmth_cursor (one, seed) values (1, random());

-- What has been learned of the account, one row: backoff and pause survive a restart.
create table account (
    one                integer primary key check (one = 1),
    backoff_until      integer,
    backoff_failures   integer not null default 0,
    backoff_why        text,
    paused_why         text,
    paused_since       integer,
    probe_at           integer,                    -- when a free call will try whether the pause is over
    probes             integer not null default 0,
    -- the operator's pause, beside those above
    stopped_why        text,
    stopped_by         text,
    stopped_at         integer,
    paused_told        integer not null default 0, -- 1: somebody was told, and not yet that it is over
    drift_said_day     text,                       -- drift is logged once a day
    urgent_said_day    text,                       -- that the budget ran out with urgent urls waiting, too
    good_urls          real    not null default 0, -- accepted lately, and ...
    bad_urls           real    not null default 0  -- ... refused by the service alone: how many urls are bad
) strict;

insert into account (one) values (1);

-- What the service taught, each with the time at which it was observed.
create table facts (
    fact         text    primary key check (fact in ('unit', 'quota', 'quota_readable', 'tasks_readable', 'domains_readable', 'batch_urls_max', 'batch_urls_accepted')),
    value        text    not null,
    observed_at  integer not null
) strict, without rowid;

-- What the daemon last said of itself, one row.
create table daemon (
    one            integer primary key check (one = 1),
    health         text    not null default 'stopped',
    pid            integer,
    started_at     integer,
    waiting_for    text,
    waiting_until  integer,
    spool_problem  text,
    config_problem text,
    http_problem   text
) strict;

insert into daemon (one) values (1);

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
    (select count(*) from submissions where state = 0 and doubt_since is not null) as in_doubt,
    (select coalesce(sum(double_urls), 0) from submissions where double_urls > 0) as possible_doubles,
    d.http_problem,
    strftime('%Y-%m-%dT%H:%M:%fZ', a.paused_since / 1000.0, 'unixepoch') as paused_since,
    t.pending_urgent, t.pending_high, t.pending_normal, t.pending_low,
    (select count(*) from files where phase in (0, 1, 3) and phase = 0) as files_reading
from daemon as d, account as a,
    (select sum(pending) filter (where priority = 0) as pending_urgent, sum(pending) filter (where priority = 1) as pending_high,
            sum(pending) filter (where priority = 2) as pending_normal, sum(pending) filter (where priority = 3) as pending_low,
            sum(pending) as pending, sum(leased) as leased, sum(submitted) as submitted, sum(complete) as complete,
            sum(failed) as failed, sum(expired) as expired, sum(cancelled) as cancelled, sum(held) as held
     from tally) as t;

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
    (select value from facts where fact = 'unit') as unit,
    quota,
    remain,
    drift,
    strftime('%Y-%m-%dT%H:%M:%fZ', observed_at / 1000.0, 'unixepoch') as observed_at,
    exhausted_why,
    unsure
from budget_days;

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
     where so_far * 20 >= urls * 19) as warm_seconds_p95
from files;

-- What stands in v_urls of a url in whatever state; for v_urls alone.
create view url_rows as
select
    u.url_id, u.url, h.host, f.name as file, u.line,
    coalesce(u.label, f.label) as label,
    case u.priority when 0 then 'urgent' when 1 then 'high' when 2 then 'normal' else 'low' end as priority,
    u.state as url_state, u.suspect, u.parked, u.wait_until, u.reason, h.why as host_why, u.attempts,
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
    attempts, not_before, deadline, queued_at, null as submitted_at, ended_at, submission_id, null as task_ids, file_id
from url_rows
where url_state = 0 and wait_until is null and parked = 0 and suspect = 0
union all
select
    url_id, url, host, file, line, label, priority, 'pending' as state, cast(iif(parked = 1, host_why, reason) as text) as reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, ended_at, submission_id, null as task_ids, file_id
from url_rows
where url_state = 0 and wait_until is not null and suspect <> 2
union all
select
    url_id, url, host, file, line, label, priority, 'pending' as state, host_why as reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, ended_at, submission_id, null as task_ids, file_id
from url_rows
where url_state = 0 and wait_until is null and parked = 1 and suspect <> 2
union all
select
    url_id, url, host, file, line, label, priority, 'pending' as state, reason as reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, ended_at, submission_id, null as task_ids, file_id
from url_rows
where url_state = 0 and wait_until is null and parked = 0 and suspect > 0 and suspect = 1
union all
select
    url_id, url, host, file, line, label, priority, 'held' as state, reason as reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, ended_at, submission_id, null as task_ids, file_id
from url_rows
where url_state = 0 and suspect > 0 and suspect = 2
union all
select
    url_id, url, host, file, line, label, priority, 'held' as state, reason as reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, ended_at, submission_id, null as task_ids, file_id
from url_rows
where url_state = 6
union all
select
    url_id, url, host, file, line, label, priority, 'leased' as state, reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, u.ended_at, submission_id, null as task_ids, file_id
from url_rows as u join submissions as s using (submission_id)
where url_state = 1 and s.state = 0
union all
select
    url_id, url, host, file, line, label, priority, 'submitted' as state, reason,
    attempts, not_before, deadline, queued_at, strftime('%Y-%m-%dT%H:%M:%fZ', s.closed_at / 1000.0, 'unixepoch') as submitted_at, u.ended_at, submission_id,
    (select group_concat(t.task_id, ',') from tasks as t where t.submission_id = s.submission_id) as task_ids, file_id
from url_rows as u join submissions as s using (submission_id)
where url_state = 1 and s.state = 1 and s.ended_at is null
union all
select
    url_id, url, host, file, line, label, priority, 'complete' as state, reason,
    attempts, not_before, deadline, queued_at, strftime('%Y-%m-%dT%H:%M:%fZ', s.closed_at / 1000.0, 'unixepoch') as submitted_at, strftime('%Y-%m-%dT%H:%M:%fZ', s.ended_at / 1000.0, 'unixepoch') as ended_at, submission_id,
    (select group_concat(t.task_id, ',') from tasks as t where t.submission_id = s.submission_id) as task_ids, file_id
from url_rows as u join submissions as s using (submission_id)
where url_state = 1 and s.state = 1 and s.ended_at is not null
union all
select
    url_id, url, host, file, line, label, priority, 'complete' as state, reason,
    attempts, not_before, deadline, queued_at, strftime('%Y-%m-%dT%H:%M:%fZ', s.closed_at / 1000.0, 'unixepoch') as submitted_at, u.ended_at, submission_id,
    (select group_concat(t.task_id, ',') from tasks as t where t.submission_id = s.submission_id) as task_ids, file_id
from url_rows as u left join submissions as s using (submission_id)
where url_state = 2
union all
select
    url_id, url, host, file, line, label, priority, 'failed' as state, reason,
    attempts, not_before, deadline, queued_at, iif(s.state = 1, strftime('%Y-%m-%dT%H:%M:%fZ', s.closed_at / 1000.0, 'unixepoch'), null) as submitted_at, u.ended_at, submission_id,
    iif(s.state = 1, (select group_concat(t.task_id, ',') from tasks as t where t.submission_id = s.submission_id), null) as task_ids, file_id
from url_rows as u left join submissions as s using (submission_id)
where url_state = 3
union all
select
    url_id, url, host, file, line, label, priority, 'expired' as state, reason as reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, ended_at, submission_id, null as task_ids, file_id
from url_rows
where url_state = 4
union all
select
    url_id, url, host, file, line, label, priority, 'cancelled' as state, reason as reason,
    attempts, not_before, deadline, queued_at, null as submitted_at, ended_at, submission_id, null as task_ids, file_id
from url_rows
where url_state = 5;

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
    (select group_concat(t.task_id, ',') from tasks as t where t.submission_id = s.submission_id) as task_ids
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
    pending
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

-- What the query planner is to believe of the tables' sizes, so that the plans of the views do not depend on what stands
-- in them today: the partial indexes are small beside urls, and files, hosts and open submissions are looked up one by one.
-- The figures are those of a database of ten million urls; tests pin the plans that follow from them.
analyze;
delete from sqlite_stat1;
insert into sqlite_stat1 (tbl, idx, stat) values
    ('urls', 'urls_ready', '4000000 1000000 1000000 10 1'),
    ('urls', 'urls_parked', '100000 10000'),
    ('urls', 'urls_suspect', '1000 500'),
    ('urls', 'urls_waiting', '100000 1000'),
    ('urls', 'urls_deadline', '100000 1000'),
    ('urls', 'urls_ended', '2000000 100'),
    ('urls', 'urls_submission', '7000000 1000'),
    ('urls', 'urls_failed', '100000 1000'),
    ('urls', 'urls_expired', '100000 1000'),
    ('urls', 'urls_cancelled', '100000 1000'),
    ('urls', 'urls_held', '100000 1000'),
    ('urls', 'urls_warm', '100000 1000'),
    ('urls', 'urls_label', '100000 1000'),
    ('urls', null, '10000000'),
    ('files', 'files_name', '1000000 2'),
    ('files', 'files_label', '500000 2'),
    ('files', 'files_dropped', '1000000 1'),
    ('files', 'files_unfinished', '100 1'),
    ('files', 'files_finishing', '100 1'),
    ('files', 'files_final', '100 1'),
    ('files', null, '1000000'),
    ('hosts', 'hosts_unknown', '10 1'),
    ('hosts', 'hosts_blocked', '10 1'),
    ('hosts', 'hosts_unpark', '10 1'),
    ('hosts', 'sqlite_autoindex_hosts_1', '1000000 1'),
    ('submissions', 'submissions_open', '1 1'),
    ('submissions', 'submissions_double', '100 1'),
    ('submissions', 'submissions_running', '500 1'),
    ('submissions', 'submissions_ended', '5000 1 1'),
    ('submissions', 'submissions_opened', '20000 1'),
    ('submissions', null, '20000');
analyze sqlite_schema;
