-- Several hosts on one server, one of which leads: rows that belong to a host name it. Where the database is a file there is one host, and
-- its name is ''. What the submitter waits for in prefetching stands with that of the other lanes. Views are made anew.
-- Times are milliseconds since 1970-01-01T00:00:00Z in tables and RFC 3339 text in views.

drop view v_status;
drop view v_lanes;
drop view v_left_alone;
drop view v_files;
drop view v_orders;

-- Whose spool a file was dropped into: only that host reads it, moves it and writes its receipt.
alter table files add column host text not null default '';
drop index files_unfinished;
create unique index files_unfinished on files (host, stored_name) where phase in (0, 1, 3);
-- Orders of members come through the spool of a host.
alter table orders add column host text not null default '';
drop index orders_dropped;
create unique index orders_dropped on orders (host, dropped_as, dropped_mark) where dropped_as is not null;
drop index files_final;
create index files_final on files (host, file_id) where finished_at is not null and phase = 2 and receipt_final = 0;
insert into sqlite_stat1 (tbl, idx, stat) values ('files', 'files_unfinished', '100 100 1'), ('files', 'files_final', '100 100 1');
analyze sqlite_schema;

-- With which lease a call was opened; null where the database is a file.
alter table submissions add column fence integer;

insert into lane_waits (lane, waiting_for, waiting_until, waiting_code, waiting_with)
    select 1, waiting_for, waiting_until, waiting_code, waiting_with from daemon;

alter table daemon rename to daemon_before;
-- What each host last said of itself.
create table daemon (
    host                 text primary key,
    health               text not null default 'stopped',
    version              text,
    pid                  integer,
    started_at           integer,
    seen_at              integer,                   -- its last sign of life, by the server's clock; null where the database is a file
    spool_id             text,                      -- tells its spool from another one under the same name
    policy               text,                      -- of its [budget], [schedule] and [retry]
    lead_problem         text,                      -- why it does not lead although nobody does, or would not
    lead_problem_code    text,
    lead_problem_with    text,
    spool_problem        text,
    spool_problem_code   text,
    spool_problem_with   text,
    config_problem       text,
    config_problem_code  text,
    config_problem_with  text,
    http_problem         text,
    -- What it knows of the service's time: whether an answer bears it out, and what the service's clock is ahead of its own, in
    -- milliseconds.
    time_proved          integer not null default 0,
    service_ahead_ms     integer,
    -- The key in use (1 at the start, one more whenever another takes its place), where it was found, and what the service says if it
    -- refuses it.
    key_generation       integer,
    key_source           text,
    key_refused          text,
    key_refused_code     text
) strict, without rowid;
insert into daemon (host, health, pid, started_at, spool_problem, spool_problem_code, spool_problem_with, config_problem,
                    config_problem_code, config_problem_with, http_problem, time_proved, service_ahead_ms, key_generation, key_source,
                    key_refused, key_refused_code)
    select '', health, pid, started_at, spool_problem, spool_problem_code, spool_problem_with, config_problem,
           config_problem_code, config_problem_with, http_problem, time_proved, service_ahead_ms, key_generation, key_source,
           key_refused, key_refused_code
    from daemon_before;
drop table daemon_before;

create table left_alone_new (
    name      text    not null,
    why       text    not null,
    since     integer not null,                    -- when it was last changed
    why_code  text,                                -- the word of why
    host      text    not null default '',         -- in whose spool
    primary key (host, name)
) strict, without rowid;
insert into left_alone_new (name, why, since, why_code) select name, why, since, why_code from left_alone;
drop table left_alone;
alter table left_alone_new rename to left_alone;

-- Who leads, one row: the lease, until when it holds, and what is true of its holder. Not used where the database is a file.
create table leader (
    one       integer primary key check (one = 1),
    fence     integer not null default 0,           -- one more with each lease: what an earlier holder writes is refused
    holder    text,
    until_at  integer not null default 0,           -- by the server's clock
    epoch     text,                                 -- the history that the ledger of today is known to be complete in
    policy    text                                  -- of the holder's [budget], [schedule] and [retry]
) strict;
insert into leader (one) values (1);

-- One row: how often something was committed that other hosts may act on, so that they need not look for it.
create table changes (
    one  integer primary key check (one = 1),
    n    integer not null default 0
) strict;
insert into changes (one) values (1);

-- A row a host; with a file as the database one row, of the host ''. `silent`: it runs, as far as it said, and was not seen for a minute.
create view v_daemons as
select
    host,
    iif(health <> 'stopped' and seen_at < unixepoch('now') * 1000 - 60000, 'silent', health) as health,
    coalesce((select iif(holder = host and until_at > unixepoch('now') * 1000, 1, 0) from leader), 0) as leads,
    version,
    pid,
    strftime('%Y-%m-%dT%H:%M:%fZ', started_at / 1000.0, 'unixepoch') as started_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', seen_at / 1000.0, 'unixepoch') as seen_at,
    lead_problem,
    iif(lead_problem is null, null, coalesce(lead_problem_code, 'text')) as lead_problem_code,
    spool_problem,
    iif(spool_problem is null, null, coalesce(spool_problem_code, 'text')) as spool_problem_code,
    config_problem,
    iif(config_problem is null, null, coalesce(config_problem_code, 'text')) as config_problem_code,
    http_problem,
    time_proved,
    service_ahead_ms,
    key_source,
    key_generation,
    key_refused,
    iif(key_refused is null, null, coalesce(key_refused_code, 'text')) as key_refused_code
from daemon;

create view v_status as
select
    case when coalesce(a.stopped_why, a.paused_why) is not null and d.health = 'running' then 'paused'
         else coalesce(d.health, 'stopped') end as health,
    coalesce('by ' || a.stopped_by || ': ' || a.stopped_why || '; `prefetchd resume` ends it', a.paused_why) as paused_why,
    w.waiting_for,
    strftime('%Y-%m-%dT%H:%M:%fZ', w.waiting_until / 1000.0, 'unixepoch') as waiting_until,
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
    coalesce(d.time_proved, 0) as time_proved,
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
    iif(w.waiting_for is null, null, coalesce(w.waiting_code, 'text')) as waiting_code,
    iif(d.spool_problem is null, null, coalesce(d.spool_problem_code, 'text')) as spool_problem_code,
    iif(d.config_problem is null, null, coalesce(d.config_problem_code, 'text')) as config_problem_code,
    iif(d.key_refused is null, null, coalesce(d.key_refused_code, 'text')) as key_refused_code,
    h.leader, h.hosts
from account as a
join lane_waits as w on w.lane = 1
-- The leader's own row; without a leader that of the host that was seen last.
left join (select * from daemon, (select holder from leader) as l
           order by host = l.holder desc, seen_at desc, host limit 1) as d on 1 = 1
join (select (select holder from leader where until_at > unixepoch('now') * 1000) as leader,
             (select count(*) from v_daemons where health in ('running', 'stopping')) as hosts) as h
join
    (select sum(pending) filter (where priority = 0) as pending_urgent, sum(pending) filter (where priority = 1) as pending_high,
            sum(pending) filter (where priority = 2) as pending_normal, sum(pending) filter (where priority = 3) as pending_low,
            sum(pending) as pending, sum(leased) as leased, sum(submitted) as submitted, sum(complete) as complete,
            sum(failed) as failed, sum(expired) as expired, sum(cancelled) as cancelled, sum(held) as held,
            sum(unconfirmed) as unconfirmed
     from tally where lane = 1) as t
where a.lane = 1;

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
left join lane_waits as w on w.lane = a.lane
where d.day is not null or t.urls > 0;

create view v_left_alone as
select name, why, strftime('%Y-%m-%dT%H:%M:%fZ', since / 1000.0, 'unixepoch') as since,
    coalesce(why_code, 'text') as why_code,
    host
from left_alone;

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
    purge_unconfirmed,
    host
from files;

create view v_orders as
select
    order_id,
    strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') as at,
    who, command, what, rows,
    strftime('%Y-%m-%dT%H:%M:%fZ', done_at / 1000.0, 'unixepoch') as done_at,
    dropped_as, refused, refused_code,
    host
from orders;
