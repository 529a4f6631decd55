-- A large queue for the tests of the pages: 100,000 files, a million urls, names and texts of the worst kind. For a
-- database that prefetchd has made and no daemon has open. Half of the files wait, the others are warm, and some urls ended badly.
pragma synchronous = off;
pragma journal_mode = wal;
begin;

insert into hosts (host_id, host, standing, why, why_code, since) values
    (1, 'vod.example.com', 'good', null, null, unixepoch() * 1000),
    (2, 'off.example.com', 'offline', 'the domain is `offline` at the service; it goes on when it is online', 'not_online',
     (unixepoch() - 7200) * 1000);

create temp table nasty (at integer primary key, name text not null);
insert into nasty (name) values
    ('<script>alert(1)</script>.txt'),
    ('"><img src=x onerror=alert(2)>.txt'),
    ('a' || char(0x202e) || 'txt.exe'),
    ('{{7*7}} {% include %} ${x}.txt'),
    ('-rf --config /etc/passwd; $(reboot) `id`.txt'),
    (replace(hex(zeroblob(120)), '0', 'n') || '.txt'),
    ('第一集 “首映” 😀.txt'),
    (char(0x645, 0x631, 0x62d, 0x628, 0x627) || ' ' || char(0x5e9, 0x5dc, 0x5d5, 0x5dd) || '.txt'),
    ('it''s & "that" &lt;b&gt;.txt'),
    ('style="position:fixed" onload=x.txt');

-- The first fifty thousand wait, two in a thousand of them urgently; the first has fifty thousand urls of its own.
with recursive n(file) as (select 1 union all select file + 1 from n where file < 100000)
insert into files (file_id, name, stored_name, phase, label, priority, deadline, dropped_at, read_at, finished_at, lines, queued,
                   refused, pending, complete, failed, held, receipt_final, url_from, url_to)
select file,
       coalesce((select name from nasty where at = file), 'batch-' || file || '.txt'),
       'batch-' || file || '.txt', 2,
       iif(file % 7 = 0, '<i>label</i> ' || file, null),
       iif(file <= 50000, iif(file % 500 = 0 or file <= 10, 0, 1 + file % 3), 2),
       iif(file <= 50000 and file % 3 = 0, (unixepoch() + 3600 + file) * 1000, null),
       (unixepoch() - 86400 + file / 2) * 1000, (unixepoch() - 86390 + file / 2) * 1000,
       iif(file > 50000 and file % 10 <> 0, (unixepoch() - 600) * 1000, null),
       iif(file = 1, 50003, 10), iif(file = 1, 50000, 10 - iif(file <= 50000, 1, 0)),
       iif(file = 1, 3, iif(file <= 50000, 1, 0)),
       iif(file = 1, 30000, iif(file <= 50000, 9, 0)),
       iif(file = 1, 19000, iif(file > 50000, iif(file % 10 = 0, 8, 10), 0)),
       iif(file = 1, 500, iif(file > 50000 and file % 10 = 0, 1, 0)),
       iif(file = 1, 500, iif(file > 50000 and file % 10 = 0, 1, 0)), 1,
       iif(file = 1, 1, 50001 + (file - 2) * 10), iif(file = 1, 50000, 50000 + (file - 1) * 10)
from n;
insert into file_refusals (file_id, reason, lines, code)
select file_id, 'no url', refused, 'no_url' from files where refused > 0;

insert into budget_days (lane, day, starts_at, ends_at, requests_limit, requests_used, urls_used, quota, remain, observed_at,
                         seen_requests, seen_urls, drift)
select 1, date('now', '+8 hours'), (unixepoch(date('now', '+8 hours')) - 28800) * 1000, (unixepoch(date('now', '+8 hours')) + 57600) * 1000,
       500, 400, 400000, 500, 60, unixepoch() * 1000, 400, 400000, 40;
insert into facts (lane, fact, value, observed_at) values (1, 'unit', 'requests', unixepoch() * 1000)
on conflict do nothing;

with recursive n(at) as (select 1 union all select at + 1 from n where at < 400)
insert into submissions (submission_id, lane, day, nonce, state, signed_at, sent_at, outcome, urls, cost, opened_at, closed_at, ended_at,
                         http_status, code, message, request_id)
select at, 1, date('now', '+8 hours'), 'nonce-' || at, iif(at % 40 = 0, 3, 1),
       starts + (at - 1) * step, starts + (at - 1) * step, iif(at % 40 = 0, 'refused', 'accepted'), 1000, 1,
       starts + (at - 1) * step, starts + (at - 1) * step + 200, starts + (at - 1) * step + 60000, 200,
       iif(at % 40 = 0, 'InvalidObjectPath.Malformed', null), iif(at % 40 = 0, '<b>no</b>', null), 'REQ-' || at
from n, (select (unixepoch(date('now', '+8 hours')) - 28800) * 1000 as starts,
                ((unixepoch() - unixepoch(date('now', '+8 hours')) + 28800) * 1000) / 402 as step);

-- The states stand as their counters above say: first what waits, then what is warm, then what failed, then what is held.
with recursive n(row) as (select 1 union all select row + 1 from n where row < 1049990)
insert into urls (url_id, file_id, line, url, host_id, priority, state, deadline, submission_id, reason, reason_code, ended_at, parked)
select row, file, line, 'https://vod.example.com/' || file || '/"><script>' || line || '.ts', 1,
       iif(file <= 50000, iif(file % 500 = 0 or file <= 10, 0, 1 + file % 3), 2), state,
       iif(file <= 50000 and file % 3 = 0, (unixepoch() + 3600 + file) * 1000, null),
       iif(state in (2, 3, 6), 1 + row % 400, null),
       case state when 3 then 'it failed at the origin: 404 <b>' when 6 then 'a refused batch' end,
       case state when 3 then 'failed_at_origin' when 6 then 'isolation_off' end,
       iif(state in (2, 3), (unixepoch() - 600) * 1000, null), 0
from (select row, file, line,
             case when file = 1 then case when line <= 30000 then 0 when line <= 49000 then 2 when line <= 49500 then 3 else 6 end
                  when file <= 50000 then 0
                  when file % 10 = 0 then case line when 9 then 3 when 10 then 6 else 2 end
                  else 2 end as state
      from (select row, iif(row <= 50000, 1, 2 + (row - 50001) / 10) as file, iif(row <= 50000, row, 1 + (row - 50001) % 10) as line
            from n))
where not (file > 1 and file <= 50000 and line = 10);

insert into file_warm (file_id, seconds, urls)
select file_id, 600, complete from files where complete > 0 and file_id > 1;
with recursive n(at) as (select 1 union all select at + 1 from n where at < 95)
insert into file_warm (file_id, seconds, urls) select 1, at * 600, 200 from n;

delete from tally where lane = 1;
insert into tally (lane, priority, pending, complete, failed, held)
select 1, priority, sum(pending), sum(complete), sum(failed), sum(held) from files group by priority;
insert into tally (lane, priority) select 1, value from json_each('[0, 1, 2, 3]') where true on conflict do nothing;
update hosts set pending = (select sum(pending) from files) where host_id = 1;
update account set stopped_why = '<b>the origin</b> is being mended', stopped_by = 'alice (uid 1000)',
    stopped_at = (unixepoch() - 900) * 1000;
commit;
