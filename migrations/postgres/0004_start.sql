-- The whole schema for PostgreSQL 14 and newer, as the steps up to 0004 beside this folder leave it in SQLite: the same tables, columns,
-- indexes and views by the same names. There are no older databases, so the first step has the number of SQLite's newest.
--
-- Whoever runs this file has the program's schema first in its search_path. Nothing else here names a schema.
--
-- What differs, and why:
-- - An integer is bigint and a flag stays one (0, 1), so that one text of a statement compares and adds them on both engines.
-- - Each text has the collation "C": it sorts and compares by its bytes, as in SQLite, whatever the database's own collation is. An
--   expression that has no column in it gets it by hand; else a view's column would sort by the language of the server.
-- - Unlike in SQLite a number is taken from a sequence, and one of a transaction that was undone is not used again.
-- - Sums of bigint are numeric in PostgreSQL: views cast them.
--
-- Times are milliseconds since 1970-01-01T00:00:00Z in tables and RFC 3339 text in views.

-- Functions of SQLite that PostgreSQL lacks, as far as statements use them. Those that are one expression are put into the query by the
-- planner and cost nothing. `json_array` is not among them: it is a word of the grammar from PostgreSQL 16 on, and leaves out nulls there.

-- Milliseconds as views show them; null outside the years 1 to 9999 (SQLite also writes the year 0 and those before). In steps of days,
-- since one product of an interval is inexact from 2255 on. The pattern has nothing in it that settings change, so this is immutable,
-- although to_char is not; as an expression it could not be in an index.
create function rfc3339(ms bigint) returns text
language plpgsql immutable strict parallel safe as $$
begin
    if ms < -62135596800000 or ms > 253402300799999 then
        return null;
    end if;
    return to_char(timestamp '1970-01-01' + ms / 86400000 * interval '1 day' + ms % 86400000 * interval '1 millisecond',
                   'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
end
$$;

-- SQLite's, for the one call that there is: strftime('%Y-%m-%dT%H:%M:%fZ', x / 1000.0, 'unixepoch'). Null for any other pattern.
create function strftime(pattern text, seconds numeric, kind text) returns text
language sql immutable parallel safe
return case when pattern = '%Y-%m-%dT%H:%M:%fZ' and kind = 'unixepoch' then rfc3339(cast(seconds * 1000 as bigint)) end;

-- The time of a text that rfc3339 wrote; other texts are an error.
create function of_rfc3339(at text) returns timestamp
language sql immutable strict parallel safe
return make_timestamp(cast(substr(at, 1, 4) as integer), cast(substr(at, 6, 2) as integer), cast(substr(at, 9, 2) as integer),
                      cast(substr(at, 12, 2) as integer), cast(substr(at, 15, 2) as integer),
                      cast(substr(at, 18, 6) as double precision));

-- Whole seconds, rounded down, of a time as views show it. SQLite also reads 'now' and other texts, which are an error here.
create function unixepoch(at text) returns bigint
language sql immutable strict parallel safe
return cast(floor(extract(epoch from of_rfc3339(at))) as bigint);

-- Days since noon of 24 November 4714 BC, of a time as views show it.
create function julianday(at text) returns double precision
language sql immutable strict parallel safe
return cast(extract(epoch from of_rfc3339(at)) as double precision) / 86400 + 2440587.5;

-- For the types that statements choose between; there is none for double precision, so that two small constants are bigint.
create function iif(condition boolean, yes bigint, no bigint) returns bigint
language sql immutable parallel safe
return case when condition then yes else no end;

create function iif(condition boolean, yes text, no text) returns text
language sql immutable parallel safe
return case when condition then yes else no end;

create function iif(condition boolean, yes boolean, no boolean) returns boolean
language sql immutable parallel safe
return case when condition then yes else no end;

-- Null if either is null, unlike least and greatest. For bigint alone, as iif.
create function min(a bigint, b bigint) returns bigint
language sql immutable parallel safe
return case when a <= b then a when b < a then b end;

create function max(a bigint, b bigint) returns bigint
language sql immutable parallel safe
return case when a >= b then a when b > a then b end;

-- How many are true; null if all are null or there are none. A call a row: count(*) filter (where …) is faster over many.
create function sum_step(so_far bigint, is_one boolean) returns bigint
language plpgsql immutable parallel safe as $$
begin
    return case when is_one is null then so_far else coalesce(so_far, 0) + cast(is_one as integer) end;
end
$$;
create aggregate sum(boolean) (sfunc = sum_step, stype = bigint, combinefunc = int8pl, parallel = safe);

-- 1 if one is true, else 0; null as for sum.
create function max_step(so_far bigint, is_one boolean) returns bigint
language plpgsql immutable parallel safe as $$
begin
    return case when is_one is null then so_far else greatest(so_far, cast(is_one as integer)) end;
end
$$;
create aggregate max(boolean) (sfunc = max_step, stype = bigint, combinefunc = int8larger, parallel = safe);

-- Where the piece begins in the text, from 1; 0: nowhere.
create function instr(whole text, piece text) returns bigint
language sql immutable strict parallel safe
return cast(strpos(whole, piece) as bigint);

-- The elements of an array: the place from 0, and the value as text, null for null, arrays in it as JSON. Where a number is meant, a
-- statement says so: cast(value as bigint). Differs from SQLite's in what no statement uses: true and false are words instead of 1 and 0,
-- and what is no array is an error.
create function json_each(array_text text) returns table (key bigint, value text)
language sql immutable parallel safe rows 100
begin atomic
    select e.place - 1, e.value
    from json_array_elements_text(cast(array_text as json)) with ordinality as e (value, place);
end;

-- An element of an array in JSON, by its place from 0, as text; as json_each says.
create function json_item(array_text text, place integer) returns text
language sql immutable parallel safe
return cast(array_text as json) ->> place;
create operator ->> (leftarg = text, rightarg = integer, function = json_item);

-- An array in JSON of what json_build_array made; [] of nothing, unlike json_agg.
create function json_group_text(parts json[]) returns text
language sql stable parallel safe
return cast(array_to_json(parts) as text);
create aggregate json_group_array(json) (sfunc = array_append, stype = json[], initcond = '{}', finalfunc = json_group_text);

-- One dropped file. Its counters are changed in the transaction that changes its urls, never by scanning.
create table files (
    file_id         bigint generated by default as identity primary key,
    name            text collate "C" not null,           -- as dropped, odd bytes percent-encoded
    stored_name     text collate "C" not null,           -- in work/, then in done/ or rejected/
    phase           bigint not null,                     -- 0 reading, 1 read (being moved to done/), 2 done, 3 refused (being moved to rejected/), 4 rejected
    rejected_why    text collate "C",
    label           text collate "C",
    priority        bigint not null default 2,           -- 0 urgent, 1 high, 2 normal, 3 low
    not_before      bigint,
    deadline        bigint,
    force           bigint not null default 0,
    bytes           bigint,
    sha256          text collate "C",                    -- of the file as dropped, in hex
    dropped_at      bigint not null,                     -- when the daemon claimed it
    read_at         bigint,                              -- when its last line was queued
    finished_at     bigint,                              -- when the last of its urls had ended
    -- reading resumes here after a crash
    read_bytes      bigint not null default 0,           -- committed bytes of the file
    refused_bytes   bigint not null default 0,           -- committed bytes of the report of refused lines
    -- what became of its lines
    lines           bigint not null default 0,           -- lines that are neither blank, comment nor directive
    queued          bigint not null default 0,
    merged          bigint not null default 0,
    fresh           bigint not null default 0,
    refused         bigint not null default 0,
    -- where its queued urls are now
    pending         bigint not null default 0,
    leased          bigint not null default 0,
    submitted       bigint not null default 0,
    complete        bigint not null default 0,
    failed          bigint not null default 0,
    expired         bigint not null default 0,
    cancelled       bigint not null default 0,
    held            bigint not null default 0,
    receipt_final   bigint not null default 0,           -- 1: the receipt says how the file ended
    deadline_said   bigint not null default 0,           -- 1: a notice said that its deadline is near
    -- its urls lie between these rows, perhaps among those of others; so that no url pays for an index by file
    url_from        bigint not null default 0,
    url_to          bigint not null default 9223372036854775807,
    owner_uid       bigint,                              -- of the dropped file; null: nobody's
    changed_at      bigint,                              -- its time of change when its end was read; it may be written to after that
    unconfirmed     bigint not null default 0,
    rejected_code   text collate "C",                    -- the word of rejected_why
    rejected_zh     text collate "C",                    -- rejected_why in Chinese
    encoding        text collate "C",                    -- how its bytes mean text; null while all of them are ASCII
    -- How often its reading was begun since its mark moved: at the daemon's start, how often that died of it.
    starts          bigint not null default 0,
    -- Where the wishes of a file's merged lines stand.
    merged_pending  bigint not null default 0,
    merged_leased   bigint not null default 0,
    merged_submitted bigint not null default 0,
    merged_complete bigint not null default 0,
    merged_failed   bigint not null default 0,
    merged_expired  bigint not null default 0,
    merged_cancelled bigint not null default 0,
    merged_held     bigint not null default 0,
    merged_unconfirmed bigint not null default 0,
    -- What a file's lines ask for unless they say it themselves: 1 prefetch, 2 purge, 3 purge-directory, 4 purge+prefetch.
    action          bigint not null default 1,
    purge_force     bigint not null default 0,
    -- Where the purges of lines of purge+prefetch are; the other counters count their prefetches.
    purge_pending   bigint not null default 0,
    purge_leased    bigint not null default 0,
    purge_submitted bigint not null default 0,
    purge_complete  bigint not null default 0,
    purge_failed    bigint not null default 0,
    purge_expired   bigint not null default 0,
    purge_cancelled bigint not null default 0,
    purge_held      bigint not null default 0,
    purge_unconfirmed bigint not null default 0
);
create index files_name on files (name);
create index files_label on files (label) where label is not null;
create index files_dropped on files ((rfc3339(dropped_at) collate "C"));
create unique index files_unfinished on files (stored_name) where phase in (0, 1, 3);
create index files_waiting on files (dropped_at) where pending > 0;
create index files_pending on files (file_id) where pending > 0;
create index files_final on files (file_id) where finished_at is not null and phase = 2 and receipt_final = 0;
create index files_stored on files (stored_name);
-- A file has finished when its urls and its merged lines have ended.
create index files_finishing on files (file_id)
    where phase in (2, 4) and finished_at is null and pending + leased + submitted + held = 0
      and merged_pending + merged_leased + merged_submitted + merged_held = 0;
create index files_sent on files (file_id)
    where phase in (2, 4) and finished_at is null and pending + leased + held = 0
      and merged_pending + merged_leased + merged_held = 0;

-- How many lines of a file were refused for which reason.
create table file_refusals (
    file_id         bigint not null references files,
    reason          text collate "C" not null,
    lines           bigint not null,
    code            text collate "C" not null default 'text',
    primary key (file_id, reason)
);

-- What is odd about a file that was taken: a few rows a file, whatever it says.
create table file_warnings (
    file_id         bigint not null references files,
    code            text collate "C" not null,
    found           text collate "C" not null,           -- the piece of the line that shows it; empty where there is none
    line            bigint not null,                     -- the first line of which it is true; 0: of the file
    lines           bigint not null,                     -- of how many lines it is true
    primary key (file_id, code, found)
);

-- How long a file's urls took from drop to warm: so many took about so many seconds, rounded to two digits.
create table file_warm (
    file_id         bigint not null references files,
    seconds         bigint not null,
    urls            bigint not null,
    primary key (file_id, seconds)
);

-- The domains seen in urls. What is not refused or offline may be sent.
create table hosts (
    host_id         bigint generated by default as identity primary key,
    host            text collate "C" not null unique,
    standing        text collate "C" not null default 'unknown' check (standing in ('unknown', 'good', 'refused', 'offline')),
    why             text collate "C",
    since           bigint not null,                     -- when the standing became what it is
    holds_until     bigint,                              -- an answer to a batch said so, and is believed until then; null: the list of domains
    accepted_at     bigint,                              -- about when a batch with it was last accepted
    unpark          bigint not null default 0,           -- 1: it may be sent again, and has urls that are parked
    pending         bigint not null default 0,
    -- as in files
    url_from        bigint not null default 0,
    url_to          bigint not null default 9223372036854775807,
    why_code        text collate "C",
    why_with        text collate "C"
);
create index hosts_unknown on hosts (host_id) where standing = 'unknown';
create index hosts_blocked on hosts (pending) where standing in ('refused', 'offline');
create index hosts_unpark on hosts (host_id) where unpark = 1;

-- One budget day of a lane and its meter. The greatest day is the day that is charged: it never goes back.
create table budget_days (
    lane            bigint not null,
    day             text collate "C" not null,           -- date at the offset of day_starts, e.g. 2026-11-23
    starts_at       bigint not null,
    ends_at         bigint not null,
    requests_limit  bigint not null,
    requests_used   bigint not null default 0,
    urls_limit      bigint,                              -- null: not limited here
    urls_used       bigint not null default 0,           -- urls of accepted submissions and of those whose end is unknown
    unbooked        bigint not null default 0,           -- of requests_used: charged, but by no submission that this database knows
    unsure          bigint not null default 0,           -- 1: this database is older than the marker in the spool
    exhausted_why   text collate "C",                    -- the service's code, when it said that the day's quota is used up
    refused_urls    bigint,                              -- a batch of so many was refused for the day's quota
    -- the service's last word on the day's quota, and what was charged here when it was said
    quota           bigint,
    remain          bigint,
    observed_at     bigint,
    seen_requests   bigint,
    seen_urls       bigint,
    isolations      bigint not null default 0,           -- requests spent on finding what was wrong in refused batches
    drift           bigint,                              -- spent by others, in the unit of the quota; null while that is unknown
    -- 1: it was charged before it had begun, by a clock that was wrong, and what it cost was counted on the day that it truly was
    folded          bigint not null default 0,
    primary key (lane, day)
);

-- The account book: one call of a lane's operation. The cost is committed before the call leaves.
create table submissions (
    submission_id   bigint primary key,
    lane            bigint not null,
    day             text collate "C" not null,
    nonce           text collate "C" not null unique,
    state           bigint not null default 0,           -- 0 open (urls leased), 1 accepted, 2 deferred, 3 refused, 4 in doubt, given up
    signed_at       bigint not null,                     -- the timestamp in the call; a copy carries the same
    sent_at         bigint not null,                     -- when the last copy was sent
    sends           bigint not null default 1,           -- copies sent, all with the same nonce: the service performs one at most
    -- while it is open and no answer came
    doubt_since     bigint,
    arrived         bigint not null default 0,           -- 1: the service has seen the nonce
    absent_at       bigint,                              -- when the service last answered that it lists no such task
    next_at         bigint,                              -- when the next step towards its end is due
    double_urls     bigint not null default 0,           -- urls sent anew although this submission may have been accepted
    outcome         text collate "C",                    -- the word for it, e.g. accepted, throttled
    urls            bigint not null,
    suspects        bigint not null default 0,           -- of urls: carried to find what an earlier batch was refused for
    cost            bigint not null,                     -- requests charged; 0 once given back
    opened_at       bigint not null,
    closed_at       bigint,
    ended_at        bigint,                              -- when its tasks had all ended; null while they run
    http_status     bigint,
    code            text collate "C",
    message         text collate "C",
    request_id      text collate "C",
    -- 1: it may have been performed after the reset of the day that was charged, so that it counts on the next one, too
    late            bigint not null default 0,
    request_sha256  text collate "C",                    -- of the signed form, in hex: a copy must match it; null: none goes
    set_aside       text collate "C",                    -- tasks that listed urls of it while it was in doubt, and did not fit it
    -- The service's earliest possible time when the call was signed: no task of it is older.
    earliest_at     bigint,
    foreign key (lane, day) references budget_days (lane, day)
);
create index submissions_open on submissions (submission_id) where state = 0;
create index submissions_sent on submissions (opened_at);
create index submissions_ended on submissions (ended_at, submission_id) where ended_at is not null;
create index submissions_double on submissions (double_urls) where double_urls > 0;
create index submissions_running on submissions (submission_id) where state = 1 and ended_at is null;
create index submissions_opened on submissions ((rfc3339(opened_at) collate "C"));

-- The service's tasks, as the last look saw them.
create table tasks (
    task_id         text collate "C" not null,
    submission_id   bigint not null references submissions,
    status          text collate "C" not null default 'Pending' check (status in ('Pending', 'Refreshing', 'Complete', 'Failed')),
    complete        bigint not null default 0,
    failed          bigint not null default 0,
    listed          bigint,                              -- urls that the service lists for it; null: was not asked
    checked_at      bigint,
    ended_at        bigint,
    primary key (submission_id, task_id)
);
create index tasks_id on tasks (task_id);

-- An accepted submission whose tasks are followed, and what the last look at them saw.
create table tracks (
    submission_id   bigint primary key references submissions,
    accepted_at     bigint not null,
    urls            bigint not null,
    look_at         bigint,                              -- when its tasks are asked for next; null once they have all ended
    looks           bigint not null default 0,
    calls           bigint not null default 0,           -- what the looks have cost, in calls of DescribeVodRefreshTasks
    seen_at         bigint,
    complete        bigint not null default 0,
    failed          bigint not null default 0,
    listed          bigint                               -- null: was not asked
);
create index tracks_due on tracks (look_at) where look_at is not null;
-- What is given up by its age, when nobody was told.
create index tracks_accepted on tracks (accepted_at) where look_at is not null;

-- What has been learned of the account in a lane: backoff and pause survive a restart.
create table account (
    lane            bigint primary key,
    backoff_until   bigint,
    backoff_failures bigint not null default 0,
    backoff_why     text collate "C",
    backoff_code    text collate "C",
    backoff_with    text collate "C",
    paused_why      text collate "C",
    paused_code     text collate "C",                    -- without parameters
    paused_since    bigint,
    probe_at        bigint,                              -- when a free call will try whether the pause is over
    probes          bigint not null default 0,
    -- the operator's pause, beside those above: the same in all lanes
    stopped_why     text collate "C",
    stopped_by      text collate "C",
    stopped_at      bigint,
    paused_told     bigint not null default 0,           -- 1: somebody was told, and not yet that it is over
    drift_said_day  text collate "C",                    -- drift is logged once a day
    urgent_said_day text collate "C",                    -- that the budget ran out with urgent urls waiting, too
    good_urls       double precision not null default 0, -- accepted lately, and ...
    bad_urls        double precision not null default 0, -- ... refused by the service alone: how many urls are bad
    -- The longest that the wait of `backoff_until` may last, in milliseconds: whatever clock wrote it, it ends by then.
    backoff_ms      bigint
);

-- What the service taught of a lane, each with the time at which it was observed. The program keeps the list of their names.
create table facts (
    lane            bigint not null,
    fact            text collate "C" not null,
    value           text collate "C" not null,
    observed_at     bigint not null,
    primary key (lane, fact)
);

-- The queue. A row is written when its line is committed, once when it is batched, and again only when something went
-- wrong: while state is 1 (batched) what became of it stands in its submission, written once for the whole batch.
-- file_id and host_id are no foreign keys: whoever adds a row has just read both, and looking them up again costs a sixth of the insert.
create table urls (
    url_id          bigint primary key,                  -- order of arrival
    file_id         bigint not null,
    line            bigint not null,
    url             text collate "C" not null,           -- normalised
    host_id         bigint not null,
    priority        bigint not null,
    state           bigint not null default 0,           -- 0 pending, 1 batched, 2 complete, 3 failed, 4 expired, 5 cancelled, 6 held, 7 unconfirmed
    attempts        bigint not null default 0,           -- calls that carried it and count against [retry] attempts_max
    label           text collate "C",                    -- where it differs from its file's
    not_before      bigint,
    deadline        bigint,
    wait_until      bigint,                              -- not to be claimed before; null when ready
    parked          bigint not null default 0,           -- 1: its host may not be sent; 2: it waits for its purge
    suspect         bigint not null default 0,           -- 1: it may be what a batch was refused for; 2: and is held until it may be tested
    submission_id   bigint references submissions,       -- the last one that carried it
    origin_failures bigint not null default 0,           -- times that it was accepted and failed at the origin
    older_id        bigint,                              -- the row before with the same url_key: of the same url, or (once in a lifetime) of another
    reason          text collate "C",                    -- of held, failed, or of the last deferral
    ended_at        bigint,
    reason_code     text collate "C",
    reason_with     text collate "C",                    -- the parameters of reason_code, a JSON object; English stands in reason
    lane            bigint not null default 1,           -- what it asks for: 1 prefetch, 2 purge, 3 purge-directory
    -- 1: the purge of a line whose url is prefetched after it. Its file counts it in the columns `purge_...`.
    first_step      bigint not null default 0,
    -- The purge that must be complete before this is sent; null when nothing is waited for. The row has parked = 2 then (1: its host may
    -- not be sent), or is held because the purge ended otherwise.
    after_id        bigint,
    -- 1: the parameter `Force` of the call that purges it; a call has one for all its urls.
    purge_force     bigint not null default 0
);
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
create index urls_unconfirmed on urls (file_id) where state = 7;
-- Claims walk this in order: urgent first, then the earlier deadline, then order of arrival.
create index urls_ready on urls (lane, priority, (deadline is null), deadline, url_id)
    where state = 0 and wait_until is null and parked = 0 and suspect = 0;
-- Of rows that wait, or are held because of it: one that has ended waits for nothing.
create index urls_after on urls (after_id) where after_id is not null and state in (0, 6);

-- By the 64-bit hash of a url its latest row; urls.older_id leads on to the rows before it. A table of its own and no index, so
-- that it is filled in its own order, chunk by chunk, and is left alone when a url changes its state.
create table url_keys (
    url_key         bigint primary key,
    url_id          bigint not null
);

-- What each line wants of a url that several lines named. The first merge writes what the line that came first wants, too; a url that one
-- line named has no row here. While a url waits it goes by the strongest of its live wishes.
create table wishes (
    url_id          bigint not null,                     -- of urls
    file_id         bigint not null,
    line            bigint not null,
    kind            bigint not null,                     -- 0 came first: the row of urls is its; 1 merged; 2 fresh: the url had completed lately, nothing is wanted
    priority        bigint not null,
    not_before      bigint,                              -- it counts from then on
    deadline        bigint,
    force           bigint not null,
    label           text collate "C",                    -- where it differs from its file's
    state           bigint not null default 0,           -- 0 as its url; 4 expired, 5 cancelled: ended on its own
    ended_at        bigint,                              -- when it ended on its own
    -- what time will do to it while its url waits
    starts_at       bigint,                              -- when it begins to count; null once it does
    ends_at         bigint,                              -- when it expires
    -- As in urls.
    first_step      bigint not null default 0,
    -- 1: it wants its url purged first.
    after_purge     bigint not null default 0,
    primary key (url_id, file_id, line)
);
create index wishes_file on wishes (file_id);
create index wishes_label on wishes (label) where label is not null;
create index wishes_starts on wishes (starts_at) where starts_at is not null;
create index wishes_ends on wishes (ends_at) where ends_at is not null;

-- How many urls of a lane are in which state, by priority.
create table tally (
    lane            bigint not null,
    priority        bigint not null,
    pending         bigint not null default 0,
    leased          bigint not null default 0,
    submitted       bigint not null default 0,
    complete        bigint not null default 0,
    failed          bigint not null default 0,
    expired         bigint not null default 0,
    cancelled       bigint not null default 0,
    held            bigint not null default 0,
    unconfirmed     bigint not null default 0,
    primary key (lane, priority)
);

-- A refused submission in which something is still to be found (module queue).
create table cases (
    submission_id   bigint primary key references submissions,
    blame           text collate "C" not null check (blame in ('url', 'host')),
    why             text collate "C" not null,
    unsure          bigint not null,                     -- 1: what is found is held for the operator instead of failed
    why_code        text collate "C",
    why_with        text collate "C"
);

-- Its members that have not been accepted since.
create table case_members (
    submission_id   bigint not null references cases on delete cascade,
    url_id          bigint not null,                     -- of urls, perhaps pruned
    host_id         bigint not null,
    core            bigint not null,                     -- 1: suspected; 0: only travelled along
    primary key (submission_id, url_id)
);
create index case_members_url on case_members (url_id);

-- Completed urls that are asked for through the CDN ([track] verify), and what it answered (module track).
create table warmth_checks (
    url_id          bigint primary key references urls on delete cascade,
    due_at          bigint,                              -- when it is to be asked for; null once its warmth stands
    tries           bigint not null default 0,           -- written down before the call leaves
    asked_at        bigint,                              -- when it was last asked for
    warmth          text collate "C" check (warmth in ('hit', 'miss', 'unknown')),
    http_status     bigint,                              -- null where no answer came
    evidence        text collate "C"                     -- what the answer said of it, or why there is none; bounded, control characters escaped
);
create index warmth_checks_due on warmth_checks (due_at) where due_at is not null;

-- One row: what ended up to here has been sampled.
create table warmth_cursor (
    one             bigint primary key check (one = 1),
    ended_at        bigint not null default 0,
    submission_id   bigint not null default 0,
    seed            bigint not null                      -- of the sample: the same urls before and after a restart
);

-- What the daemon last said of itself, one row.
create table daemon (
    one             bigint primary key check (one = 1),
    health          text collate "C" not null default 'stopped',
    pid             bigint,
    started_at      bigint,
    waiting_for     text collate "C",
    waiting_until   bigint,
    spool_problem   text collate "C",
    config_problem  text collate "C",
    http_problem    text collate "C",
    -- What this daemon knows of the service's time: whether an answer bears it out, and what the service's clock is ahead of this
    -- machine's, in milliseconds.
    time_proved     bigint not null default 0,
    service_ahead_ms bigint,
    -- Keys: which one is in use (1 at the start, one more whenever another takes its place), where it was found, and what the service
    -- says if it refuses it.
    key_source      text collate "C",
    key_generation  bigint,
    key_refused     text collate "C",
    waiting_code    text collate "C",
    waiting_with    text collate "C",
    spool_problem_code text collate "C",                 -- the word of spool_problem ...
    spool_problem_with text collate "C",                 -- ... and its parameters, a JSON object
    config_problem_code text collate "C",
    config_problem_with text collate "C",
    key_refused_code text collate "C"
);

-- What the submitter waits for in the lanes beside prefetching, whose wait is in `daemon` (module status).
create table lane_waits (
    lane            bigint primary key,
    waiting_for     text collate "C",
    waiting_until   bigint,
    waiting_code    text collate "C",
    waiting_with    text collate "C"                     -- the parameters of waiting_code, a JSON object
);

-- What has lain in incoming/ for an hour and is left alone; at most a hundred rows.
create table left_alone (
    name            text collate "C" primary key,
    why             text collate "C" not null,
    since           bigint not null,                     -- when it was last changed
    why_code        text collate "C"                     -- the word of why
);

-- What operators asked for, by commands.
create table orders (
    order_id        bigint generated by default as identity primary key,
    at              bigint not null,
    who             text collate "C" not null,           -- user name and uid
    command         text collate "C" not null,           -- retry, cancel, prioritize, pause, resume, budget confirm
    what            text collate "C" not null,           -- which urls, or why
    rows            bigint not null default 0,           -- urls it changed so far
    -- Orders of members of the group come as files in the spool's orders/: under which name, and what tells the file from a later one of
    -- that name. done_at is null while an order is being carried out.
    done_at         bigint,
    dropped_as      text collate "C",
    dropped_mark    text collate "C",
    refused         text collate "C",
    refused_code    text collate "C",
    refused_with    text collate "C"
);
create unique index orders_dropped on orders (dropped_as, dropped_mark) where dropped_as is not null;

-- What somebody is to be told, and what became of that.
create table notices (
    notice_id       bigint generated by default as identity primary key,
    at              bigint not null,
    event           text collate "C" not null,           -- the JSON object
    tries           bigint not null default 0,
    sent_at         bigint
);
create index notices_unsent on notices (notice_id) where sent_at is null;

-- What each robot of [[notify.robot]] was told: the last notice, and how that went. A new one begins with what happens from then on.
create table robots (
    name            text collate "C" primary key,
    told            bigint not null,                     -- the last notice that it heard, or that it is not to hear
    tried_at        bigint,
    failures        bigint not null default 0,           -- in a row
    too_fast        bigint not null default 0,           -- 1: the last message came too soon after others
    failed_why      text collate "C"
);

-- A chunk of rows of `urls` takes one number of these and has the 65,536 from there on; taken with the writers' lock held, so that the
-- order of numbers is the order of arrival. A file's range has gaps.
create sequence url_ids increment by 65536;

insert into account (lane) values (1), (2), (3);
insert into tally (lane, priority) values (1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1), (2, 2), (2, 3), (3, 0), (3, 1), (3, 2), (3, 3);
insert into warmth_cursor (one, seed)
    values (1, cast(cast('x' || left(replace(cast(gen_random_uuid() as text), '-', ''), 16) as bit(64)) as bigint));
insert into daemon (one) values (1);
insert into lane_waits (lane) values (2), (3);

-- The views, public and documented in README.md of the folder above.

create view v_tasks as
select
    task_id, submission_id, status,
    case when listed > 0 then ((complete + failed) * 100 / listed) || '%' collate "C" end as progress,
    complete, failed, listed,
    rfc3339(checked_at) collate "C" as checked_at,
    rfc3339(ended_at) collate "C" as ended_at
from tasks;

create view v_hosts as
select
    host, standing, why,
    rfc3339(since) collate "C" as since,
    pending,
    iif(why is null, null, coalesce(why_code, 'text')) as why_code
from hosts;

create view v_checks as
select
    c.url_id, u.url, h.host, f.name as file, u.line, u.submission_id,
    c.warmth, c.http_status, c.evidence, c.tries,
    rfc3339(c.due_at) collate "C" as due_at,
    rfc3339(c.asked_at) collate "C" as asked_at
from warmth_checks as c
join urls as u on u.url_id = c.url_id
join files as f on f.file_id = u.file_id
join hosts as h on h.host_id = u.host_id;

create view v_status as
select
    case when coalesce(a.stopped_why, a.paused_why) is not null and d.health = 'running' then 'paused' else d.health end as health,
    coalesce('by ' || a.stopped_by || ': ' || a.stopped_why || '; `prefetchd resume` ends it', a.paused_why) as paused_why,
    d.waiting_for,
    rfc3339(d.waiting_until) collate "C" as waiting_until,
    d.spool_problem,
    d.config_problem,
    d.pid,
    rfc3339(d.started_at) collate "C" as started_at,
    t.pending, t.leased, t.submitted, t.complete, t.failed, t.expired, t.cancelled, t.held,
    (select cast(coalesce(sum(pending), 0) as bigint) from hosts where standing in ('refused', 'offline')) as parked,
    (select count(*) from urls where suspect > 0) as suspected,
    (select count(*) from submissions where state = 0 and doubt_since is not null and lane = 1) as in_doubt,
    (select cast(coalesce(sum(double_urls), 0) as bigint) from submissions where double_urls > 0 and lane = 1) as possible_doubles,
    d.http_problem,
    rfc3339(a.paused_since) collate "C" as paused_since,
    t.pending_urgent, t.pending_high, t.pending_normal, t.pending_low,
    (select count(*) from files where phase in (0, 1, 3) and phase = 0) as files_reading,
    d.time_proved,
    d.service_ahead_ms,
    d.key_source, d.key_generation, d.key_refused,
    t.unconfirmed,
    (select cast(coalesce(sum(max(min(k.urls, s.urls - k.complete - k.failed), 0)), 0) as bigint)
     from tracks as k join submissions as s using (submission_id)
     where k.look_at is not null and s.lane = 1
       and k.accepted_at > cast(floor(extract(epoch from statement_timestamp())) as bigint) * 1000
           - iif((select value from facts where lane = 1 and fact = 'tasks_readable') = 'false', 1800000, 7200000))
    + (select cast(coalesce(sum(urls), 0) as bigint) from submissions where state = 0 and lane = 1) as in_flight,
    (select max(cast(cast(value as json) ->> 'fits' as bigint), 1) from facts where lane = 1 and fact = 'in_flight_size') as in_flight_limit,
    iif(a.stopped_why is not null, 'stopped', iif(a.paused_why is null, null, coalesce(a.paused_code, 'text'))) as paused_code,
    iif(d.waiting_for is null, null, coalesce(d.waiting_code, 'text')) as waiting_code,
    iif(d.spool_problem is null, null, coalesce(d.spool_problem_code, 'text')) as spool_problem_code,
    iif(d.config_problem is null, null, coalesce(d.config_problem_code, 'text')) as config_problem_code,
    iif(d.key_refused is null, null, coalesce(d.key_refused_code, 'text')) as key_refused_code
from daemon as d, account as a,
    (select cast(sum(pending) filter (where priority = 0) as bigint) as pending_urgent,
            cast(sum(pending) filter (where priority = 1) as bigint) as pending_high,
            cast(sum(pending) filter (where priority = 2) as bigint) as pending_normal,
            cast(sum(pending) filter (where priority = 3) as bigint) as pending_low,
            cast(sum(pending) as bigint) as pending, cast(sum(leased) as bigint) as leased, cast(sum(submitted) as bigint) as submitted,
            cast(sum(complete) as bigint) as complete, cast(sum(failed) as bigint) as failed, cast(sum(expired) as bigint) as expired,
            cast(sum(cancelled) as bigint) as cancelled, cast(sum(held) as bigint) as held, cast(sum(unconfirmed) as bigint) as unconfirmed
     from tally where lane = 1) as t
where a.lane = 1;

create view v_left_alone as
select name, why, rfc3339(since) collate "C" as since,
    coalesce(why_code, 'text') as why_code
from left_alone;

create view v_budget as
select
    day,
    rfc3339(ends_at) collate "C" as day_ends_at,
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
    rfc3339(observed_at) collate "C" as observed_at,
    exhausted_why,
    unsure,
    (select count(*) from submissions as s
     where s.lane = budget_days.lane and s.opened_at >= budget_days.starts_at - 86400000 and s.opened_at < budget_days.ends_at
       and s.day < budget_days.day and s.cost > 0
       and (s.late = 1 or (s.state in (0, 4) and s.signed_at + 960000 > budget_days.starts_at))
    ) as requests_late,
    (select iif(value = 'true', 1, 0) from facts as k where k.lane = budget_days.lane and k.fact = 'refusals_cost') as refusals_cost
from budget_days
where lane = 1;

create view v_files as
select
    file_id, name, label,
    case priority when 0 then 'urgent' when 1 then 'high' when 2 then 'normal' else 'low' collate "C" end as priority,
    case phase when 2 then 'done' when 4 then 'rejected' else 'reading' collate "C" end as progress,
    rejected_why,
    rfc3339(dropped_at) collate "C" as dropped_at,
    rfc3339(read_at) collate "C" as read_at,
    rfc3339(finished_at) collate "C" as finished_at,
    lines, queued, merged, fresh, refused,
    pending, leased, submitted, complete, failed, expired, cancelled, held,
    (select min(seconds) from (select seconds, sum(urls) over (order by seconds) as so_far, sum(urls) over () as urls
                               from file_warm as w where w.file_id = files.file_id) as s
     where so_far * 2 >= urls) as warm_seconds_median,
    (select min(seconds) from (select seconds, sum(urls) over (order by seconds) as so_far, sum(urls) over () as urls
                               from file_warm as w where w.file_id = files.file_id) as s
     where so_far * 20 >= urls * 19) as warm_seconds_p95,
    unconfirmed,
    (select cast(coalesce(sum(w.lines), 0) as bigint) from file_warnings as w where w.file_id = files.file_id) as warnings,
    rejected_code, encoding,
    merged_pending, merged_leased, merged_submitted, merged_complete, merged_failed, merged_expired, merged_cancelled,
    merged_held, merged_unconfirmed,
    case action when 1 then 'prefetch' when 2 then 'purge' when 3 then 'purge-directory' else 'purge+prefetch' collate "C" end as action,
    purge_pending, purge_leased, purge_submitted, purge_complete, purge_failed, purge_expired, purge_cancelled, purge_held,
    purge_unconfirmed
from files;

create view url_rows as
select
    u.url_id, u.url, h.host, f.name as file, u.line,
    coalesce(u.label, f.label) as label,
    case u.priority when 0 then 'urgent' when 1 then 'high' when 2 then 'normal' else 'low' collate "C" end as priority,
    u.state as url_state, u.suspect, u.parked, u.wait_until, u.reason, h.why as host_why, u.attempts,
    iif(u.reason is null, null, coalesce(u.reason_code, 'text')) as reason_code,
    iif(h.why is null, null, coalesce(h.why_code, 'text')) as host_code,
    rfc3339(u.not_before) collate "C" as not_before,
    rfc3339(u.deadline) collate "C" as deadline,
    rfc3339(f.dropped_at) collate "C" as queued_at,
    rfc3339(u.ended_at) collate "C" as ended_at,
    u.submission_id, f.file_id,
    u.lane, u.after_id,
    case u.lane when 1 then 'prefetch' when 2 then 'purge' else 'purge-directory' collate "C" end as action
from urls as u
join files as f on f.file_id = u.file_id and u.url_id >= f.url_from and u.url_id <= f.url_to
join hosts as h on h.host_id = u.host_id and u.url_id >= h.url_from and u.url_id <= h.url_to;

-- A select for each way into each state, so that a query for one state walks that state's index alone. For that each column has the same
-- type and collation in every select: with a bare literal (whose type is unknown) or a bare null PostgreSQL walks all of them.
create view v_urls as
select
    url_id, url, host, file, line, label, priority, cast('pending' as text) collate "C" as state, reason as reason,
    attempts, not_before, deadline, queued_at, cast(null as text) collate "C" as submitted_at, ended_at, submission_id, cast(null as text) collate "C" as task_ids, file_id,
    reason_code,
    action, after_id as purge_url_id
from url_rows
where url_state = 0 and wait_until is null and parked = 0 and suspect = 0
union all
select
    url_id, url, host, file, line, label, priority, cast('pending' as text) collate "C" as state, cast(iif(parked = 1, host_why, reason) as text) as reason,
    attempts, not_before, deadline, queued_at, cast(null as text) collate "C" as submitted_at, ended_at, submission_id, cast(null as text) collate "C" as task_ids, file_id,
    cast(iif(parked = 1, host_code, reason_code) as text) as reason_code,
    action, after_id as purge_url_id
from url_rows
where url_state = 0 and wait_until is not null and suspect <> 2
union all
select
    url_id, url, host, file, line, label, priority, cast('pending' as text) collate "C" as state, host_why as reason,
    attempts, not_before, deadline, queued_at, cast(null as text) collate "C" as submitted_at, ended_at, submission_id, cast(null as text) collate "C" as task_ids, file_id,
    host_code as reason_code,
    action, after_id as purge_url_id
from url_rows
where url_state = 0 and wait_until is null and parked = 1 and suspect <> 2
union all
select
    url_id, url, host, file, line, label, priority, cast('pending' as text) collate "C" as state, cast(coalesce(reason, 'it waits until its purge is complete') as text) as reason,
    attempts, not_before, deadline, queued_at, cast(null as text) collate "C" as submitted_at, ended_at, submission_id, cast(null as text) collate "C" as task_ids, file_id,
    cast(coalesce(reason_code, 'awaits_purge') as text) as reason_code,
    action, after_id as purge_url_id
from url_rows
where url_state = 0 and wait_until is null and parked = 2 and after_id is not null and url_state in (0, 6) and suspect <> 2
union all
select
    url_id, url, host, file, line, label, priority, cast('pending' as text) collate "C" as state, reason as reason,
    attempts, not_before, deadline, queued_at, cast(null as text) collate "C" as submitted_at, ended_at, submission_id, cast(null as text) collate "C" as task_ids, file_id,
    reason_code,
    action, after_id as purge_url_id
from url_rows
where url_state = 0 and wait_until is null and parked = 0 and suspect > 0 and suspect = 1
union all
select
    url_id, url, host, file, line, label, priority, cast('held' as text) collate "C" as state, reason as reason,
    attempts, not_before, deadline, queued_at, cast(null as text) collate "C" as submitted_at, ended_at, submission_id, cast(null as text) collate "C" as task_ids, file_id,
    reason_code,
    action, after_id as purge_url_id
from url_rows
where url_state = 0 and suspect > 0 and suspect = 2
union all
select
    url_id, url, host, file, line, label, priority, cast('held' as text) collate "C" as state, reason as reason,
    attempts, not_before, deadline, queued_at, cast(null as text) collate "C" as submitted_at, ended_at, submission_id, cast(null as text) collate "C" as task_ids, file_id,
    reason_code,
    action, after_id as purge_url_id
from url_rows
where url_state = 6
union all
select
    url_id, url, host, file, line, label, priority, cast('leased' as text) collate "C" as state, reason,
    attempts, not_before, deadline, queued_at, cast(null as text) collate "C" as submitted_at, u.ended_at, submission_id, cast(null as text) collate "C" as task_ids, file_id,
    reason_code,
    action, after_id as purge_url_id
from url_rows as u join submissions as s using (submission_id)
where url_state = 1 and s.state = 0
union all
select
    url_id, url, host, file, line, label, priority, cast('submitted' as text) collate "C" as state, reason,
    attempts, not_before, deadline, queued_at, rfc3339(s.closed_at) collate "C" as submitted_at, u.ended_at, submission_id,
    (select string_agg(t.task_id, ',' order by t.task_id) from tasks as t where t.submission_id = s.submission_id) as task_ids, file_id,
    reason_code,
    action, after_id as purge_url_id
from url_rows as u join submissions as s using (submission_id)
where url_state = 1 and s.state = 1 and s.ended_at is null
union all
select
    url_id, url, host, file, line, label, priority, cast('complete' as text) collate "C" as state, reason,
    attempts, not_before, deadline, queued_at, rfc3339(s.closed_at) collate "C" as submitted_at, rfc3339(s.ended_at) collate "C" as ended_at, submission_id,
    (select string_agg(t.task_id, ',' order by t.task_id) from tasks as t where t.submission_id = s.submission_id) as task_ids, file_id,
    reason_code,
    action, after_id as purge_url_id
from url_rows as u join submissions as s using (submission_id)
where url_state = 1 and s.state = 1 and s.ended_at is not null
union all
select
    url_id, url, host, file, line, label, priority, cast('complete' as text) collate "C" as state, reason,
    attempts, not_before, deadline, queued_at, rfc3339(s.closed_at) collate "C" as submitted_at, u.ended_at, submission_id,
    (select string_agg(t.task_id, ',' order by t.task_id) from tasks as t where t.submission_id = s.submission_id) as task_ids, file_id,
    reason_code,
    action, after_id as purge_url_id
from url_rows as u left join submissions as s using (submission_id)
where url_state = 2
union all
select
    url_id, url, host, file, line, label, priority, cast('failed' as text) collate "C" as state, reason,
    attempts, not_before, deadline, queued_at, iif(s.state = 1, rfc3339(s.closed_at) collate "C", null) as submitted_at, u.ended_at, submission_id,
    iif(s.state = 1, (select string_agg(t.task_id, ',' order by t.task_id) from tasks as t where t.submission_id = s.submission_id), null) as task_ids, file_id,
    reason_code,
    action, after_id as purge_url_id
from url_rows as u left join submissions as s using (submission_id)
where url_state = 3
union all
select
    url_id, url, host, file, line, label, priority, cast('expired' as text) collate "C" as state, reason as reason,
    attempts, not_before, deadline, queued_at, cast(null as text) collate "C" as submitted_at, ended_at, submission_id, cast(null as text) collate "C" as task_ids, file_id,
    reason_code,
    action, after_id as purge_url_id
from url_rows
where url_state = 4
union all
select
    url_id, url, host, file, line, label, priority, cast('cancelled' as text) collate "C" as state, reason as reason,
    attempts, not_before, deadline, queued_at, cast(null as text) collate "C" as submitted_at, ended_at, submission_id, cast(null as text) collate "C" as task_ids, file_id,
    reason_code,
    action, after_id as purge_url_id
from url_rows
where url_state = 5
union all
select
    url_id, url, host, file, line, label, priority, cast('unconfirmed' as text) collate "C" as state, reason,
    attempts, not_before, deadline, queued_at, rfc3339(s.closed_at) collate "C" as submitted_at, u.ended_at, submission_id,
    (select string_agg(t.task_id, ',' order by t.task_id) from tasks as t where t.submission_id = s.submission_id) as task_ids, file_id,
    reason_code,
    action, after_id as purge_url_id
from url_rows as u left join submissions as s using (submission_id)
where url_state = 7;

create view v_submissions as
select
    submission_id, day, nonce,
    rfc3339(opened_at) collate "C" as opened_at,
    rfc3339(closed_at) collate "C" as closed_at,
    rfc3339(ended_at) collate "C" as ended_at,
    urls, suspects, cost,
    coalesce(outcome, case when doubt_since is null then 'open' else 'in_doubt' end) as outcome,
    sends, double_urls,
    http_status, code, message, request_id,
    (select string_agg(t.task_id, ',' order by t.task_id) from tasks as t where t.submission_id = s.submission_id) as task_ids,
    set_aside,
    case lane when 1 then 'prefetch' when 2 then 'purge' else 'purge-directory' collate "C" end as action
from submissions as s;

create view v_wishes as
select
    w.url_id, u.url, f.name as file, w.line, coalesce(w.label, f.label) as label,
    case w.priority when 0 then 'urgent' when 1 then 'high' when 2 then 'normal' else 'low' collate "C" end as priority,
    case when w.state = 4 then 'expired' when w.state = 5 then 'cancelled'
         when u.state = 0 then iif(u.suspect = 2, 'held', 'pending')
         when u.state = 1 then case when s.state = 0 then 'leased' when s.ended_at is null then 'submitted' else 'complete' end
         when u.state = 2 then 'complete' when u.state = 3 then 'failed' when u.state = 4 then 'expired'
         when u.state = 5 then 'cancelled' when u.state = 6 then 'held' else 'unconfirmed' collate "C" end as state,
    case w.kind when 0 then 'first' when 1 then 'merged' else 'fresh' collate "C" end as came,
    rfc3339(w.not_before) collate "C" as not_before,
    rfc3339(w.deadline) collate "C" as deadline,
    w.force,
    rfc3339(f.dropped_at) collate "C" as queued_at,
    rfc3339(coalesce(w.ended_at, u.ended_at, s.ended_at)) collate "C" as ended_at,
    u.submission_id, w.file_id,
    case u.lane when 1 then 'prefetch' when 2 then 'purge' else 'purge-directory' collate "C" end as action
from wishes as w
join files as f on f.file_id = w.file_id
join urls as u on u.url_id = w.url_id
left join submissions as s on s.submission_id = u.submission_id;

create view v_lanes as
select
    case a.lane when 1 then 'prefetch' when 2 then 'purge' else 'purge-directory' collate "C" end as action,
    day,
    rfc3339(ends_at) collate "C" as day_ends_at,
    nullif(requests_limit, 4294967295) as requests_limit,
    requests_used,
    unbooked,
    isolations,
    urls_limit,
    urls_used,
    case d.lane when 1 then (select value from facts as k where k.lane = 1 and k.fact = 'unit') when 2 then 'urls' else 'directories' collate "C" end as unit,
    quota,
    remain,
    drift,
    rfc3339(observed_at) collate "C" as observed_at,
    exhausted_why,
    unsure,
    (select count(*) from submissions as s
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
    rfc3339(w.waiting_until) collate "C" as waiting_until
from account as a
join (select lane, cast(sum(pending) as bigint) as pending, cast(sum(leased) as bigint) as leased, cast(sum(held) as bigint) as held,
             cast(sum(pending + leased + submitted + complete + failed + expired + cancelled + held + unconfirmed) as bigint) as urls
      from tally group by lane) as t on t.lane = a.lane
left join budget_days as d on d.lane = a.lane
left join (select lane, waiting_for, waiting_until, waiting_code from lane_waits
           union all select 1, waiting_for, waiting_until, waiting_code from daemon) as w on w.lane = a.lane
where d.day is not null or t.urls > 0;

create view v_orders as
select
    order_id,
    rfc3339(at) collate "C" as at,
    who, command, what, rows,
    rfc3339(done_at) collate "C" as done_at,
    dropped_as, refused, refused_code
from orders;

create view v_robots as
select
    name,
    rfc3339(tried_at) collate "C" as tried_at,
    failures, failed_why,
    (select count(*) from notices where notice_id > told) as notices_waiting
from robots;
