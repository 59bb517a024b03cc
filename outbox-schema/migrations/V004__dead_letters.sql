-- V004: dead letters. What could not be delivered, or stands behind what could not be, and what the
-- relay does with it. What operators do is in V005.
--
-- Run it in ONE transaction, as V001.

do $$
begin
  perform pg_advisory_xact_lock(122550254464888);
  perform set_config('outbox.role_before', current_setting('role'), true);
end
$$;

do $$
begin
  if coalesce(current_setting('outbox.role_before', true), '') = '' then
    raise exception using
      errcode = 'no_active_sql_transaction',
      message = 'V004__dead_letters.sql must run in one transaction',
      hint = 'Use "outbox schema apply", or psql -1 -v ON_ERROR_STOP=1 -f V004__dead_letters.sql';
  end if;
end
$$;

set local role outbox_owner;

-- ---------------------------------------------------------------------------------------------
-- Letters and lanes
-- ---------------------------------------------------------------------------------------------

-- A key that is not free: its letters are replayed in their order, and none passes another. A
-- letter without a key has a lane of its own. A lane goes with its last letter.
-- next_attempt_at: when the first letter of a held lane is tried again.
-- job: whose turn it is; 0 is the relay's own, of a held lane that is due.
create table outbox.lane (
  lane            bigint      generated always as identity primary key,
  pipeline        text        not null,
  aggregate_type  text        not null,
  aggregate_id    text,
  state           text        not null check (state in ('held', 'parked')),
  attempts        integer     not null default 0,
  next_attempt_at timestamptz,
  give_up_at      timestamptz,
  job             bigint,
  unique (pipeline, aggregate_type, aggregate_id)
) with (fillfactor = 70);
comment on table outbox.lane is 'Keys with held or parked letters; written by the relay.';
create index lane_job on outbox.lane (job, lane) where job is not null;
create index lane_due on outbox.lane (pipeline, next_attempt_at) where state = 'held' and job is null;

create sequence outbox.letter_seq as bigint cache 1;

-- Every letter, open or not, with the event as it was. No index names a column that changes, and
-- pages have room for a second version of each row: what becomes of a letter is written beside it.
--
-- state: dead       refused; its key goes on
--        held       tried again by itself; later events of its key wait behind it
--        parked     waits for an operator; later events of its key wait behind it
--        delivered  replayed
--        replaced   an edited copy took its place, see replaces
--        discarded  given up by an operator
-- digest: of all that a reader of the event would see. The same event may come again, after a
-- crash or a lost slot, and is one letter; another event with the same id is another one.
-- kept_as: dead, held or parked. After a dead letter later events of its key were delivered.
-- route: the name of the route that it took, as in the config of then.
-- replays_asked: those of its replays that were not the relay's own tries of a held key.
-- first_code: NULL of a letter that was never refused and only stands behind one of its key.
-- delivered_in: the entry of outbox.audit that tells of its delivery.
create table outbox.dead_letter (
  letter          bigint      primary key,
  pipeline        text        not null,
  state           text        not null check (state in ('dead', 'held', 'parked', 'delivered',
                                                        'replaced', 'discarded')),
  kept_as         text        not null check (kept_as in ('dead', 'held', 'parked')),
  event_id        uuid        not null,
  digest          bytea       not null,
  aggregate_type  text        not null,
  aggregate_id    text,
  event_type      text        not null,
  payload         bytea,
  payload_kind    text        not null check (payload_kind in ('json', 'text', 'bytes')),
  headers         json        not null,  -- {name: value or null, ...}
  headers_fault   text        check (headers_fault in ('not an object', 'too many')),
  extras          json        not null,  -- further columns that a record's format needs, by name
  commit_time     timestamptz not null,
  seq             bigint,
  source_position text        not null,  -- the header `position` of its record
  topic           text,                  -- NULL: no route or topic fits
  route           text,
  first_code      text,
  first_detail    text,
  last_code       text,
  last_detail     text,
  attempts        integer     not null,
  replays         integer     not null default 0,
  replays_asked   integer     not null default 0,
  relay           text        not null,
  epoch           bigint      not null,
  written_at      timestamptz not null default clock_timestamp(),
  last_attempt_at timestamptz not null default clock_timestamp(),
  delivered_in    bigint,
  replaces        bigint      references outbox.dead_letter,
  constraint dead_letter_event unique (event_id, pipeline, digest)
) with (fillfactor = 45);
comment on table outbox.dead_letter is
  'What could not be delivered, as it was, with its cause; written by the relay.';
create index dead_letter_key on outbox.dead_letter (aggregate_id, pipeline, letter);

-- Why letters are open: what those of a group have in common.
-- code: the last one; NULL of letters that only stand behind one of their key.
create table outbox.letter_cause (
  cause    integer generated always as identity primary key,
  pipeline text    not null,
  state    text    not null check (state in ('dead', 'held', 'parked')),
  code     text,
  topic    text,
  route    text
);
comment on table outbox.letter_cause is 'Causes of open dead letters; written by the relay.';
create unique index letter_cause_key on outbox.letter_cause
  (pipeline, state, coalesce(code, ''), coalesce(topic, ''), coalesce(route, ''));

-- The letters that are open, in narrow rows, for whoever lists, counts and replays them.
-- lane: of a held or parked one. job: of a dead one that is being replayed.
-- place: the order of letters of one key: its own number, or that of the letter it replaces. One
--        that was delivered, and is lost since, gets a new one (lost_file).
create table outbox.open_letter (
  letter         bigint      primary key,
  place          bigint      not null,
  lane           bigint,
  job            bigint,
  cause          integer     not null,
  payload_bytes  integer     not null,
  written_at     timestamptz not null,
  event_type     text        not null,
  aggregate_type text        not null,
  aggregate_id   text,
  check (lane is null or job is null)
) with (fillfactor = 70);
comment on table outbox.open_letter is 'The open ones of outbox.dead_letter; written by the relay.';
create index open_letter_cause on outbox.open_letter (cause, letter);
create index open_letter_lane on outbox.open_letter (lane, place) where lane is not null;
create index open_letter_job on outbox.open_letter (job, place) where job is not null;

-- The same, with what its cause says, under the names of outbox.dead_letter.
create view outbox.open_dead_letter as
  select o.letter, o.place, o.lane, o.job, o.cause, o.written_at, o.event_type, o.aggregate_type,
         o.aggregate_id, c.pipeline, c.state, c.code as last_code, c.topic, c.route
  from outbox.open_letter o join outbox.letter_cause c using (cause);

-- Letters of lanes that left without the relay (discarded), until it has heard of it.
create table outbox.letter_gone (
  letter         bigint primary key,
  pipeline       text   not null,
  aggregate_type text   not null,
  aggregate_id   text,
  event_type     text   not null
);
comment on table outbox.letter_gone is 'Discarded letters that the relay has not heard of yet.';

-- ---------------------------------------------------------------------------------------------
-- Jobs and the audit
-- ---------------------------------------------------------------------------------------------

-- state: proposed waits for the approval of somebody else than asked_by
--        open     the relay works on it
--        paused   by an operator
--        stopped  after failures_max refusals
--        done     nothing of it is left to be tried
create table outbox.replay_job (
  job          bigint      generated always as identity primary key,
  pipeline     text        not null,
  state        text        not null default 'open' check (state in ('proposed', 'open', 'paused',
                                                                    'stopped', 'done')),
  filter       jsonb       not null,
  reason       text        not null check (octet_length(reason) between 1 and 2000),
  rate         integer     check (rate > 0),          -- letters a second
  rate_first   integer     check (rate_first > 0),    -- of an automatic one, see replay_jobs
  failures_max integer     check (failures_max > 0),
  asked_by     text        not null default session_user,
  asked_at     timestamptz not null default clock_timestamp(),
  approved_by  text        check (approved_by <> asked_by),
  approved_at  timestamptz,
  ended_at     timestamptz,
  request      uuid        unique,              -- the asker's own name for it, see replay_file
  selected     bigint      not null default 0,  -- letters, when it was filed
  delivered    bigint      not null default 0,
  refused      bigint      not null default 0
) with (fillfactor = 50);
comment on table outbox.replay_job is 'Replays of dead letters that somebody asked for.';
create index replay_job_waits on outbox.replay_job (pipeline, state, job)
  where state in ('proposed', 'open', 'paused');

-- What the config says of the replays of a route; written by the relay when it starts, so that no
-- operator's own copy of the config decides it.
-- approval: somebody else than who asked must approve a replay.
-- replays_max: a letter that jobs have tried so often is taken by a forced one only.
-- automatic_*: of replays that the relay asks for itself; NULL: it never does.
create table outbox.replay_policy (
  pipeline               text    not null,
  route                  text    not null,
  approval               boolean not null,
  replays_max            integer not null,
  automatic_rate_first   integer,
  automatic_rate_most    integer,
  automatic_failures_max integer,
  automatic_replays_max  integer,
  primary key (pipeline, route)
);
comment on table outbox.replay_policy is 'What routes say of their replays; written by the relay.';

-- Who did what, when and why, and what became of each letter. Rows are only ever added.
create table outbox.audit (
  entry    bigint      generated always as identity primary key,
  at       timestamptz not null default clock_timestamp(),
  who      text        not null default session_user,
  client   text        not null default coalesce(host(inet_client_addr()), 'local'),
  action   text        not null,
  pipeline text        not null,
  job      bigint,
  letter   bigint,
  letters  bigint[],  -- of an entry about many
  reason   text,
  detail   jsonb
);
comment on table outbox.audit is 'What operators did and what became of each letter; append-only.';
create index audit_letter on outbox.audit (letter) where letter is not null;
create index audit_job on outbox.audit (job) where job is not null;

-- The same, a row for each letter.
create view outbox.letter_audit as
  select a.entry, a.at, a.who, a.client, a.action, a.pipeline, a.job, each.letter, a.reason, a.detail
  from outbox.audit a
  cross join lateral unnest(coalesce(a.letters, array[a.letter])) each(letter)
  where each.letter is not null;

create function outbox.refuse_audit_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception using
    errcode = 'insufficient_privilege',
    message = format('outbox.audit is append-only: %s refused', tg_op);
end
$$;
create trigger refuse_change before update or delete or truncate on outbox.audit
  for each statement execute function outbox.refuse_audit_change();

-- ---------------------------------------------------------------------------------------------
-- What the relay calls
-- ---------------------------------------------------------------------------------------------

-- In one transaction with what a relay writes below: refuses one that was taken over. Held and
-- parked letters also save that their stream is settled up to them; without a system_id nothing is
-- saved.
create function outbox.letters_fence(pipeline text, epoch bigint, system_id text, timeline integer,
                                     slot text, end_lsn pg_lsn, commit_lsn pg_lsn, ordinal bigint,
                                     delivered_seq bigint)
returns void language plpgsql volatile
set search_path = pg_catalog, pg_temp as $$
declare
  ours boolean;
begin
  if system_id is null then
    perform from outbox.progress p where p.pipeline = $1 and p.epoch = $2 for key share;
    ours := found;
  else
    ours := outbox.progress_save($1, $2, $3, $4, $5, $6, $7, $8, $9);
  end if;
  if not ours then
    raise exception using
      errcode = 'OB001',
      message = format('another relay took pipeline %L over', pipeline);
  end if;
end
$$;

create function outbox.letter_digest(aggregate_type text, aggregate_id text, event_type text,
                                     payload bytea, headers json)
returns bytea language sql immutable set search_path = pg_catalog, pg_temp as $$
  select sha256(convert_to(json_build_array($1, $2, $3, $5, $4 is null)::text, 'UTF8')
                || coalesce($4, ''))
$$;

-- The lane of a key, made if it has none. The next event of a held lane may find it parked by now.
create function outbox.lane_of(pipeline text, aggregate_type text, aggregate_id text, state text,
                               retry_in interval, give_up_in interval)
returns outbox.lane language plpgsql volatile
set search_path = pg_catalog, pg_temp as $$
declare
  found_lane outbox.lane;
begin
  if aggregate_id is not null then
    select * into found_lane from outbox.lane l
    where (l.pipeline, l.aggregate_type, l.aggregate_id) = ($1, $2, $3) for update;
    if found then
      return found_lane;
    end if;
  end if;
  insert into outbox.lane as l
    (pipeline, aggregate_type, aggregate_id, state, next_attempt_at, give_up_at)
  values ($1, $2, $3, $4, clock_timestamp() + random() * $5, clock_timestamp() + $6)
  returning * into found_lane;
  return found_lane;
end
$$;

-- The number of a cause, made if it is new.
create function outbox.letter_cause_of(pipeline text, state text, code text, topic text, route text)
returns integer language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  number integer;
begin
  select c.cause into number from outbox.letter_cause c
  where (c.pipeline, c.state, coalesce(c.code, ''), coalesce(c.topic, ''), coalesce(c.route, ''))
        = ($1, $2, coalesce($3, ''), coalesce($4, ''), coalesce($5, ''));
  if number is null then
    insert into outbox.letter_cause as c (pipeline, state, code, topic, route)
    values ($1, $2, $3, $4, $5) returning c.cause into number;
  end if;
  return number;
end
$$;

-- A letter that is new, or open again, stands among the open ones.
create function outbox.letter_open(letter outbox.dead_letter, place bigint, lane bigint)
returns void language sql volatile set search_path = pg_catalog, pg_temp as $$
  insert into outbox.open_letter
    (letter, place, lane, cause, payload_bytes, written_at, event_type, aggregate_type,
     aggregate_id)
  values ($1.letter, $2, $3,
          outbox.letter_cause_of($1.pipeline, $1.state, $1.last_code, $1.topic, $1.route),
          coalesce(octet_length($1.payload), 0), $1.written_at, $1.event_type, $1.aggregate_type,
          $1.aggregate_id)
$$;

-- state: dead, held or parked. True: an earlier relay (its epoch is lower) wrote this event
-- already, and it stays as it is. retry_in and give_up_in are for a new held lane.
create function outbox.letter_write(
  pipeline text, epoch bigint, state text, event_id uuid, aggregate_type text, aggregate_id text,
  event_type text, payload bytea, payload_kind text, headers json, headers_fault text,
  extras json, commit_time timestamptz, seq bigint, source_position text, topic text, code text,
  detail text, attempts integer, relay text, retry_in interval, give_up_in interval,
  route text default null)
returns boolean language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $$
declare
  content constant bytea := outbox.letter_digest($5, $6, $7, $8, $10);
  its outbox.dead_letter;
  its_lane outbox.lane;
begin
  select * into its from outbox.dead_letter l
  where l.event_id = $4 and l.pipeline = $1 and l.digest = content;
  if its.letter is not null and (its.state <> 'dead' or $3 = 'dead') then
    return its.epoch < $2;
  end if;
  if $3 <> 'dead' then
    its_lane := outbox.lane_of($1, $5, $6, $3, $21, $22);
  end if;
  -- Its route asked for less when it was written: a dead letter does not hold back its key.
  if its.letter is not null then
    update outbox.dead_letter l set state = its_lane.state, kept_as = its_lane.state, epoch = $2
    where l.letter = its.letter returning * into its;
    update outbox.open_letter o
    set lane = its_lane.lane, job = null,
        cause = outbox.letter_cause_of($1, its.state, its.last_code, its.topic, its.route)
    where o.letter = its.letter;
    return false;
  end if;
  insert into outbox.dead_letter
    (letter, pipeline, state, kept_as, event_id, digest, aggregate_type, aggregate_id, event_type,
     payload, payload_kind, headers, headers_fault, extras, commit_time, seq, source_position,
     topic, first_code, first_detail, last_code, last_detail, attempts, relay, epoch, route)
  values (nextval('outbox.letter_seq'), $1, coalesce(its_lane.state, $3),
          coalesce(its_lane.state, $3), $4, content, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
          $15, $16, $17, $18, $17, $18, $19, $20, $2, $23)
  returning * into its;
  perform outbox.letter_open(its, its.letter, its_lane.lane);
  return false;
end
$$;

-- At a relay's start: the keys that have letters, by what routes an event. What left before is
-- not among them.
create function outbox.blocked_keys(pipeline text)
returns table (aggregate_type text, aggregate_id text, event_type text, letters bigint)
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  with forgotten as (delete from outbox.letter_gone g where g.pipeline = $1)
  select o.aggregate_type, o.aggregate_id, o.event_type, count(*)
  from outbox.lane k join outbox.open_letter o using (lane)
  where k.pipeline = $1 and k.aggregate_id is not null
  group by 1, 2, 3
$$;

-- Letters of lanes that left without the relay. told: those of the last call, of which it has
-- heard now.
create function outbox.letters_gone(pipeline text, told bigint[])
returns table (letter bigint, aggregate_type text, aggregate_id text, event_type text)
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  with heard as (delete from outbox.letter_gone g where g.letter = any($2))
  select g.letter, g.aggregate_type, g.aggregate_id, g.event_type
  from outbox.letter_gone g where g.pipeline = $1 and g.letter <> all($2)
$$;

-- At a relay's start: what its routes say of their replays.
create function outbox.replay_policies(pipeline text, policies jsonb) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  delete from outbox.replay_policy p where p.pipeline = $1;
  insert into outbox.replay_policy
  select $1, r.* from jsonb_to_recordset($2) as r(
    route text, approval boolean, replays_max integer, automatic_rate_first integer,
    automatic_rate_most integer, automatic_failures_max integer, automatic_replays_max integer);
$$;

-- What is to be replayed now, the relay's own job 0 first. rate: letters a second, NULL: any.
-- retries: how many held keys may come due at once, those that have waited longest first.
-- An automatic job begins slowly and grows with what was delivered: e-fold in ten seconds.
create function outbox.replay_jobs(pipeline text, retries integer)
returns table (job bigint, rate integer)
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  update outbox.lane k set job = 0
  where k.lane in (select d.lane from outbox.lane d
                   where d.pipeline = $1 and d.state = 'held' and d.job is null
                     and d.next_attempt_at <= clock_timestamp()
                   order by d.next_attempt_at limit $2);
  select 0::bigint, null::integer
  where exists (select from outbox.lane k where k.pipeline = $1 and k.job = 0)
  union all
  (select j.job, least(j.rate, (j.rate_first + j.delivered / 10)::integer)
   from outbox.replay_job j
   where j.pipeline = $1 and j.state = 'open' order by j.job)
$$;

-- The next letters of a job behind (after_lane, after_place): first dead ones, lane 0, then lane by
-- lane. At most letters_max, and bytes_max of payload, but at least one.
create function outbox.replay_page(pipeline text, job bigint, after_lane bigint,
                                   after_place bigint, letters_max integer, bytes_max bigint)
returns table (letter bigint, place bigint, lane bigint, event_id uuid, aggregate_type text,
               aggregate_id text, event_type text, payload bytea, payload_kind text, headers json,
               headers_fault text, extras json, commit_time timestamptz, source_position text,
               replays integer)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  if $2 > 0 and not exists (select from outbox.replay_job j
                            where j.job = $2 and j.state = 'open') then
    return;
  end if;
  return query
  select l.letter, p.place, p.lane, l.event_id, l.aggregate_type, l.aggregate_id, l.event_type,
         l.payload, l.payload_kind, l.headers, l.headers_fault, l.extras, l.commit_time,
         l.source_position, l.replays
  from (select d.*, row_number() over w as turn, sum(d.payload_bytes) over w as bytes
        from ((select o.letter, o.place, 0::bigint as lane, o.payload_bytes
               from outbox.open_letter o
               where o.job = $2 and $3 = 0 and o.place > $4 order by o.place limit $5)
              union all
              (select o.letter, o.place, k.lane, o.payload_bytes
               from outbox.lane k
               cross join lateral (
                 select * from outbox.open_letter o
                 where o.lane = k.lane and (k.lane > $3 or o.place > $4)
                 order by o.place limit $5) o
               where k.job = $2 and k.pipeline = $1 and k.lane >= $3
               order by k.lane, o.place limit $5)) d
        window w as (order by d.lane, d.place rows unbounded preceding)) p
  cross join lateral (select * from outbox.dead_letter l where l.letter = p.letter limit 1) l
  where p.turn = 1 or (p.turn <= $5 and p.bytes <= $6)
  order by p.turn;
end
$$;

-- These letters of a page were delivered: one entry of the audit tells of all of a job.
-- Its plan must not depend on how many they are: each is found by its number.
create function outbox.letters_delivered(pipeline text, letters bigint[]) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
  lanes bigint[];
begin
  with gone as (
    delete from outbox.open_letter o using outbox.letter_cause c
    where o.letter = any($2) and c.cause = o.cause and c.pipeline = $1
    returning o.letter, o.lane, o.job),
  told as (
    select g.letter, g.lane, coalesce(g.job, k.job, 0) as job
    from gone g left join outbox.lane k using (lane)),
  entries as (
    select t.job, array_agg(t.letter order by t.letter) as letters,
           nextval(pg_get_serial_sequence('outbox.audit', 'entry')) as entry
    from told t group by t.job),
  noted as (
    insert into outbox.audit (entry, action, pipeline, job, letters) overriding system value
    select e.entry, 'delivered', $1, nullif(e.job, 0), e.letters from entries e),
  done as (
    update outbox.dead_letter l
    set state = 'delivered', replays = l.replays + 1, delivered_in = t.entry,
        replays_asked = l.replays_asked + (t.job > 0)::integer,
        last_attempt_at = clock_timestamp()
    from (select t.letter, t.job, e.entry from told t join entries e using (job)) t
    where l.letter = t.letter),
  counted as (
    update outbox.replay_job j set delivered = j.delivered + cardinality(e.letters)
    from entries e where j.job = e.job)
  select array_agg(distinct t.lane) into lanes from told t where t.lane is not null;

  delete from outbox.lane k
  where k.lane = any(lanes) and not exists (select from outbox.open_letter o where o.lane = k.lane);
end
$$;

-- This letter of a page was refused again, and those of its key behind it were not tried. A held
-- lane is tried again after up to retry_first, twice that the next time and so on, at most
-- retry_most; and is parked when it was tried attempts_max times, or is past its deadline.
create function outbox.letter_refused(pipeline text, letter bigint, code text, detail text,
                                      retry_first interval, retry_most interval,
                                      attempts_max integer)
returns void language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $$
declare
  refused outbox.open_dead_letter;
  its_lane outbox.lane;
  its_job bigint;
  stopped boolean;
begin
  select * into refused from outbox.open_dead_letter l where l.letter = $2 and l.pipeline = $1;
  if not found then
    return;
  end if;
  select * into its_lane from outbox.lane k where k.lane = refused.lane for update;
  its_job := coalesce(refused.job, its_lane.job);

  update outbox.dead_letter l
  set last_code = $3, last_detail = $4, first_code = coalesce(l.first_code, $3),
      first_detail = coalesce(l.first_detail, $4), replays = l.replays + 1,
      replays_asked = l.replays_asked + (coalesce(its_job, 0) > 0)::integer,
      last_attempt_at = clock_timestamp()
  where l.letter = $2;
  update outbox.open_letter o
  set job = null,
      cause = outbox.letter_cause_of($1, refused.state, $3, refused.topic, refused.route)
  where o.letter = $2;
  insert into outbox.audit (action, pipeline, job, letter, detail)
  values ('refused', $1, nullif(its_job, 0), $2, jsonb_build_object('code', $3, 'detail', $4));

  if its_lane.state = 'held'
     and (its_lane.attempts + 1 >= $7 or its_lane.give_up_at <= clock_timestamp()) then
    perform outbox.lane_give_up(its_lane.lane);
    insert into outbox.audit (action, pipeline, letter, detail)
    values ('given up', $1, $2, jsonb_build_object('attempts', its_lane.attempts + 1));
  else
    update outbox.lane k
    set job = null, attempts = k.attempts + 1,
        next_attempt_at = case when k.state = 'held' then clock_timestamp() + random()
          * least($6, $5 * power(2, least(k.attempts + 1, 30))) end
    where k.lane = its_lane.lane;
  end if;

  update outbox.replay_job j
  set refused = j.refused + 1,
      state = case when j.refused + 1 >= j.failures_max then 'stopped' else j.state end,
      ended_at = case when j.refused + 1 >= j.failures_max then clock_timestamp() end
  where j.job = its_job and j.state = 'open'
  returning j.state = 'stopped' into stopped;
  if stopped then
    perform outbox.replay_let_go(its_job);
    insert into outbox.audit (action, pipeline, job, reason)
    values ('replay stopped', $1, its_job, 'refusals reached --max-failures');
  end if;
end
$$;

-- A held lane is not tried again by itself.
create function outbox.lane_give_up(lane bigint) returns void
language sql volatile set search_path = pg_catalog, pg_temp as $$
  update outbox.lane k set state = 'parked', job = null, next_attempt_at = null where k.lane = $1;
  update outbox.dead_letter l set state = 'parked'
  where l.letter in (select o.letter from outbox.open_letter o where o.lane = $1);
  update outbox.open_letter o
  set cause = outbox.letter_cause_of(c.pipeline, 'parked', c.code, c.topic, c.route)
  from outbox.letter_cause c where c.cause = o.cause and o.lane = $1;
$$;

-- Letters and lanes of a job that is over belong to nobody again.
create function outbox.replay_let_go(job bigint) returns void
language sql volatile set search_path = pg_catalog, pg_temp as $$
  update outbox.open_letter o set job = null where o.job = $1;
  update outbox.lane k set job = null where k.job = $1;
$$;

-- After a pass over a job: it is done when nothing of it is left.
create function outbox.replay_passed(pipeline text, job bigint) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  update outbox.replay_job j set state = 'done', ended_at = clock_timestamp()
  where j.job = $2 and j.pipeline = $1 and j.state = 'open'
    and not exists (select from outbox.open_letter o where o.job = $2)
    and not exists (select from outbox.lane k where k.job = $2);
  if found then
    insert into outbox.audit (action, pipeline, job) values ('replay done', $1, $2);
  end if;
end
$$;

-- Causes of what is open, as groups. A group's first and last letter are found by their numbers.
create view outbox.dead_letter_cause as
  select c.pipeline, c.code, c.topic, c.state, sum(g.letters)::bigint as letters,
         min((select o.written_at from outbox.open_letter o where o.letter = g.first)) as first_at,
         max((select o.written_at from outbox.open_letter o where o.letter = g.last)) as last_at
  from (select o.cause, count(*) as letters, min(o.letter) as first, max(o.letter) as last
        from outbox.open_letter o group by o.cause) g
  join outbox.letter_cause c using (cause)
  group by c.pipeline, c.code, c.topic, c.state;

-- ---------------------------------------------------------------------------------------------
-- Rights
-- ---------------------------------------------------------------------------------------------

revoke all on function
  outbox.refuse_audit_change(), outbox.letter_digest(text, text, text, bytea, json),
  outbox.lane_of(text, text, text, text, interval, interval), outbox.replay_let_go(bigint),
  outbox.letter_cause_of(text, text, text, text, text), outbox.lane_give_up(bigint),
  outbox.letter_open(outbox.dead_letter, bigint, bigint),
  outbox.letters_fence(text, bigint, text, integer, text, pg_lsn, pg_lsn, bigint, bigint),
  outbox.letter_write(text, bigint, text, uuid, text, text, text, bytea, text, json, text, json,
                      timestamptz, bigint, text, text, text, text, integer, text, interval,
                      interval, text),
  outbox.blocked_keys(text), outbox.letters_gone(text, bigint[]),
  outbox.replay_policies(text, jsonb), outbox.replay_jobs(text, integer),
  outbox.replay_page(text, bigint, bigint, bigint, integer, bigint),
  outbox.letters_delivered(text, bigint[]),
  outbox.letter_refused(text, bigint, text, text, interval, interval, integer),
  outbox.replay_passed(text, bigint)
from public;

grant execute on function
  outbox.letters_fence(text, bigint, text, integer, text, pg_lsn, pg_lsn, bigint, bigint),
  outbox.letter_write(text, bigint, text, uuid, text, text, text, bytea, text, json, text, json,
                      timestamptz, bigint, text, text, text, text, integer, text, interval,
                      interval, text),
  outbox.blocked_keys(text), outbox.letters_gone(text, bigint[]),
  outbox.replay_policies(text, jsonb), outbox.replay_jobs(text, integer),
  outbox.replay_page(text, bigint, bigint, bigint, integer, bigint),
  outbox.letters_delivered(text, bigint[]),
  outbox.letter_refused(text, bigint, text, text, interval, interval, integer),
  outbox.replay_passed(text, bigint)
to outbox_relay;

grant select on outbox.dead_letter, outbox.audit, outbox.letter_audit to outbox_operator;
grant select on outbox.lane, outbox.open_letter, outbox.letter_cause, outbox.open_dead_letter,
                outbox.replay_job, outbox.replay_policy, outbox.dead_letter_cause
  to outbox_operator, outbox_relay, outbox_reader;
-- No payloads for readers, as of events.
grant select (letter, pipeline, state, kept_as, event_id, aggregate_type, aggregate_id, event_type,
              commit_time, seq, source_position, topic, route, first_code, first_detail, last_code,
              last_detail, attempts, replays, replays_asked, relay, epoch, written_at,
              last_attempt_at, delivered_in, replaces)
  on outbox.dead_letter to outbox_relay, outbox_reader;

do $$ begin perform set_config('role', current_setting('outbox.role_before'), true); end $$;
