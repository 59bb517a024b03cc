-- V001: the outbox. The table of events, publish(), the relay's progress, five roles.
--
-- Run it in ONE transaction (`outbox schema apply`, `psql -1 -v ON_ERROR_STOP=1 -f`, Flyway, ...).
-- It needs CREATE on the database and either superuser or CREATEROLE; README.md says what a
-- non-superuser needs on each version of Postgres. It works on Postgres 14 to 18.

-- Only one session at a time migrates a database. `outbox schema apply` holds the same lock, and a
-- session may take a lock twice. 122550254464888 is the text 'outbox' read as a number.
do $$
begin
  perform pg_advisory_xact_lock(122550254464888);
  perform set_config('outbox.role_before', current_setting('role'), true);
end
$$;

-- Roles and the schema. Roles belong to the whole cluster: another database may have made them
-- already, or may be making them at this moment (then the second waits and finds them there).
do $$
declare
  role_name text;
begin
  if coalesce(current_setting('outbox.role_before', true), '') = '' then
    raise exception using
      errcode = 'no_active_sql_transaction',
      message = 'V001__outbox.sql must run in one transaction',
      hint = 'Use "outbox schema apply", or psql -1 -v ON_ERROR_STOP=1 -f V001__outbox.sql';
  end if;

  foreach role_name in array array['outbox_owner', 'outbox_writer', 'outbox_relay',
                                   'outbox_operator', 'outbox_reader'] loop
    if not exists (select from pg_catalog.pg_roles where rolname = role_name) then
      begin
        execute pg_catalog.format('create role %I nologin', role_name);
      exception when duplicate_object or unique_violation then
        null;
      end;
    end if;
  end loop;

  -- What follows is made as outbox_owner, so whoever runs this must be able to become it. A role
  -- with CREATEROLE may let itself in: before Postgres 16 always, from 16 on if it made the role
  -- (there it is a member that may not SET ROLE until it grants itself that).
  if not pg_catalog.pg_has_role(
       current_user, 'outbox_owner',
       case when current_setting('server_version_num')::integer >= 160000
            then 'set' else 'member' end) then
    begin
      execute pg_catalog.format('grant outbox_owner to %I', current_user);
    exception
      when unique_violation then
        null;
      when insufficient_privilege then
        raise exception using
          errcode = 'insufficient_privilege',
          message = pg_catalog.format('role %I is no member of outbox_owner and cannot become one',
                                      current_user),
          hint = pg_catalog.format('As an administrator: grant outbox_owner to %I', current_user);
    end;
  end if;

  create schema if not exists outbox authorization outbox_owner;
  if (select nspowner from pg_catalog.pg_namespace where nspname = 'outbox')
     <> 'outbox_owner'::regrole then
    alter schema outbox owner to outbox_owner;
  end if;

  -- outbox.create_publication() needs it; without it everything else works.
  if not pg_catalog.has_database_privilege('outbox_owner', pg_catalog.current_database(),
                                           'create') then
    begin
      execute pg_catalog.format('grant create on database %I to outbox_owner',
                                pg_catalog.current_database());
    exception when insufficient_privilege then
      null;
    end;
    if not pg_catalog.has_database_privilege('outbox_owner', pg_catalog.current_database(),
                                             'create') then
      raise warning using
        message = pg_catalog.format('outbox_owner has no CREATE on database %I, so '
                                    'outbox.create_publication() will be refused',
                                    pg_catalog.current_database()),
        hint = pg_catalog.format('As the owner of the database: grant create on database %I '
                                 'to outbox_owner', pg_catalog.current_database());
    end if;
  end if;
end
$$;

set local role outbox_owner;

-- Which migrations this database has. The tool that runs this file adds the row.
create table if not exists outbox.schema_migration (
  version    integer     primary key,
  name       text        not null,
  checksum   text        not null check (checksum ~ '^[0-9a-f]{64}$'),
  applied_at timestamptz not null default clock_timestamp(),
  applied_by text        not null default session_user
);
comment on table outbox.schema_migration is
  'Migrations applied here; checksum is the SHA-256 of the file in hex.';

-- ---------------------------------------------------------------------------------------------
-- The events
-- ---------------------------------------------------------------------------------------------

-- CACHE 1 is part of the contract: a polling relay proves from the lock table that no lower number
-- can still appear, and numbers cached in sessions would break the proof.
create sequence outbox.event_seq as bigint cache 1;

create function outbox.refuse(sqlstate_code text, what text, remedy text) returns void
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  raise exception using
    errcode = sqlstate_code, message = 'outbox event refused: ' || what, hint = remedy;
end
$$;

-- The headers alone: an object of at most 100 strings or nulls, 64 KiB as text.
create function outbox.check_headers(headers jsonb) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  as_text constant text := headers::text;
  size integer := octet_length(as_text);
  bad record;
begin
  -- The usual case in one look: few, short, strings only, nothing escaped, no reserved name.
  if size <= 255 and as_text ~ '^\{("[!#-[\]-~]+": "[^"\\]*"(, |\}$))+$'
     and as_text !~* '"(id|type|aggregate_type|position|epoch)":' then
    return true;
  end if;

  if jsonb_typeof(headers) <> 'object' then
    perform outbox.refuse('22023', format('headers is a JSON %s, it must be an object',
                                          jsonb_typeof(headers)), 'For example {"tenant": "a"}.');
  end if;
  if size > 65536 then
    perform outbox.refuse('22001', format('headers are %s bytes as text, the limit is 65536', size),
                          'Headers are for routing and tracing; put data into the payload.');
  end if;
  select count(*) into size from jsonb_object_keys(headers);
  if size > 100 then
    perform outbox.refuse('22023', format('there are %s headers, the limit is 100', size),
                          'Headers are for routing and tracing; put data into the payload.');
  end if;

  select h.name, f.fault, f.remedy into bad
  from (select e.key as name, e.value as content, jsonb_typeof(headers -> e.key) as kind
        from jsonb_each_text(headers) e) h
  cross join lateral (values
    (lower(h.name) in ('id', 'type', 'aggregate_type', 'position', 'epoch'),
     'has a reserved name',
     'id, type, aggregate_type, position and epoch are written by the relay.'),
    (octet_length(h.name) not between 1 and 255,
     format('has a name of %s bytes, allowed are 1 to 255', octet_length(h.name)),
     'Use a short name.'),
    (h.name ~ '[^\x21-\x7e]',
     'has a name with a character that is not visible ASCII',
     'Use letters, digits and - or _.'),
    (h.kind not in ('string', 'null'),
     format('has a JSON %s as its value, it must be a string or null', h.kind),
     'Give numbers and booleans as strings, and put structures into the payload.'),
    (h.content ~ '[\r\n]',
     'has a line break in its value',
     'Values hold no CR and no LF, so that they cannot forge headers of HTTP requests.')
  ) f (is_bad, fault, remedy)
  where f.is_bad
  limit 1;
  if found then
    perform outbox.refuse('22023', format('header %L %s', left(bad.name, 64), bad.fault),
                          bad.remedy);
  end if;
  return true;
end
$$;

-- The one rule of what an event may be, for publish() and direct inserts alike, with an error that
-- names the thing, the number and the limit. One CHECK with one function, because the server parses
-- the text of every CHECK again for each INSERT statement: eight plain CHECKs cost 24 us a
-- statement, this one 5 us. The path is pinned so that a writer cannot put its own operators under
-- the rule.
create function outbox.check_event(aggregate_type text, aggregate_id text, event_type text,
                                   payload jsonb, payload_bytes bytea, headers jsonb)
returns boolean language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  if aggregate_type is null then
    perform outbox.refuse('22004', 'aggregate_type is NULL', 'It names the topic: give it.');
  elsif length(aggregate_type) not between 1 and 200 then
    perform outbox.refuse('22023', format('aggregate_type has %s characters, allowed are 1 to 200',
                                          length(aggregate_type)),
                          'It becomes part of a topic name, which Kafka limits to 249.');
  elsif aggregate_type ~ '[^a-zA-Z0-9._-]' or aggregate_type = '.' or aggregate_type = '..' then
    perform outbox.refuse('22023', format('aggregate_type %L cannot be part of a topic name',
                                          aggregate_type),
                          'Use a-z A-Z 0-9 . _ - only, and neither "." nor "..".');
  elsif octet_length(aggregate_id) not between 1 and 1024 then
    perform outbox.refuse('22023', format('aggregate_id has %s bytes, allowed are 1 to 1024',
                                          octet_length(aggregate_id)),
                          'It is the record key. For an event without key and order give NULL.');
  elsif event_type is null then
    perform outbox.refuse('22004', 'event_type is NULL', 'It says what happened: give it.');
  elsif octet_length(event_type) not between 1 and 255 then
    perform outbox.refuse('22023', format('event_type has %s bytes, allowed are 1 to 255',
                                          octet_length(event_type)),
                          'Use a short name such as OrderPlaced.');
  elsif event_type ~ '[\x01-\x1f\x7f]' then
    perform outbox.refuse('22023', format('event_type %L contains a control character', event_type),
                          'It becomes a header: use printable characters only.');
  elsif payload is not null and payload_bytes is not null then
    perform outbox.refuse('22023', 'both payload and payload_bytes are given',
                          'Give one of them, or neither for a tombstone.');
  elsif octet_length(payload_bytes) > 33554432 then
    perform outbox.refuse('22001', format('payload_bytes is %s bytes, the limit is 33554432',
                                          octet_length(payload_bytes)),
                          'Store it elsewhere and publish where it is.');
  elsif pg_column_size(payload) > 2048 or pg_column_compression(payload) is not null then
    -- Only these are printed to be measured. 2048 bytes of jsonb, not compressed, print as at most
    -- 19 MB: the densest content is numbers like 1e131071, 16 bytes for up to 147,456 digits. The
    -- printed form is what goes out, and a value of 600 MB would stop every walsender for ever.
    if octet_length(payload::text) > 33554432 then
      perform outbox.refuse('22001', format('payload is %s bytes as text, the limit is 33554432',
                                            octet_length(payload::text)),
                            'Store it elsewhere and publish where it is.');
    end if;
  end if;
  return headers = '{}' or outbox.check_headers(headers);
end
$$;

create table outbox.event (
  seq            bigint      not null default nextval('outbox.event_seq'),
  id             uuid        not null default gen_random_uuid(),
  aggregate_type text        not null,
  aggregate_id   text,
  event_type     text        not null,
  payload        jsonb,
  payload_bytes  bytea,
  headers        jsonb       not null default '{}',
  created_at     timestamptz not null default clock_timestamp(),
  primary key (seq),
  constraint event_is_valid check (
    outbox.check_event(aggregate_type, aggregate_id, event_type, payload, payload_bytes, headers))
) partition by range (seq);

alter sequence outbox.event_seq owned by outbox.event.seq;

comment on table outbox.event is
  'Events to be delivered, append-only. Write through outbox.publish(). Neither payload nor '
  'payload_bytes = a tombstone.';

-- Events are facts that may be delivered already; changing a row changes nothing downstream. The
-- grants refuse it to every role but the owner and superusers, and this stops their accidents.
-- Retention does it knowingly: set role outbox_owner. Inserts fire no trigger.
create function outbox.refuse_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if current_user <> 'outbox_owner' then
    raise exception using
      errcode = 'insufficient_privilege',
      message = format('%s on %I.%I is refused: events are append-only',
                       tg_op, tg_table_schema, tg_table_name),
      hint = 'To correct something publish another event. If you must: set local role '
             'outbox_owner, and keep off rows that are not delivered yet.';
  end if;
  return null;
end
$$;

create trigger refuse_change before update or delete or truncate on outbox.event
  for each statement execute function outbox.refuse_change();

-- Partitions of ten million numbers: small enough that retention frees space early, few enough that
-- a billion numbers ahead are a hundred tables. There is no default partition: rows in it would
-- block the ATTACH of the range they belong to, and each ATTACH would lock and scan it. The new
-- table is made apart and attached, which lets inserts and reads go on.
-- Returns how many partitions it made. Callers set lock_timeout. The trigger is made here because a
-- statement trigger of the parent does not fire for a statement that names the partition.
create function outbox.make_partitions(numbers_ahead bigint default 1000000000) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  width constant bigint := 10000000;
  made integer := 0;
  first bigint;
  wanted bigint;
  name text;
begin
  if numbers_ahead is null or numbers_ahead not between 1 and 10000000000 then
    raise exception using
      errcode = 'invalid_parameter_value',
      message = format('outbox.make_partitions: numbers_ahead is %s, it must be 1 to 10000000000',
                       coalesce(numbers_ahead::text, 'NULL'));
  end if;
  lock table outbox.event in share update exclusive mode;
  select last_value + numbers_ahead into wanted from outbox.event_seq;
  -- After the last partition, but never below what is in use: old ones may have been dropped.
  select coalesce(max(before_seq), 1) into first from outbox.partition;
  if first = 1 then
    select (last_value - 1) / width * width + 1 into first from outbox.event_seq;
  end if;

  while first <= wanted loop
    name := 'event_p' || lpad(((first - 1) / width + 1)::text, 6, '0');
    execute format('create table outbox.%I (like outbox.event including constraints '
                   'including indexes including storage including compression) '
                   'with (fillfactor = 100, autovacuum_vacuum_insert_threshold = 1000000, '
                   'autovacuum_vacuum_insert_scale_factor = 0, autovacuum_freeze_min_age = 0)',
                   name);
    execute format('create trigger refuse_change before update or delete or truncate '
                   'on outbox.%I for each statement execute function outbox.refuse_change()',
                   name);
    execute format('alter table outbox.event attach partition outbox.%I '
                   'for values from (%s) to (%s)', name, first, first + width);
    first := first + width;
    made := made + 1;
  end loop;
  return made;
end
$$;
comment on function outbox.make_partitions(bigint) is
  'Makes partitions until numbers_ahead more events fit; returns how many it made.';

create view outbox.partition as
select c.oid::regclass as partition,
       substring(b.bound from $re$FROM \('(\d+)'\)$re$)::bigint as from_seq,
       substring(b.bound from $re$TO \('(\d+)'\)$re$)::bigint as before_seq
from pg_catalog.pg_inherits i
join pg_catalog.pg_class c on c.oid = i.inhrelid
cross join lateral (select pg_catalog.pg_get_expr(c.relpartbound, c.oid) as bound) b
where i.inhparent = 'outbox.event'::regclass and b.bound is not null;
comment on view outbox.partition is
  'Partitions of outbox.event and their numbers: from_seq up to, not including, before_seq.';

do $$ begin perform outbox.make_partitions(999999999); end $$;

-- ---------------------------------------------------------------------------------------------
-- publish(): the way in, for every language
-- ---------------------------------------------------------------------------------------------

-- W3C Trace Context: version ff is forbidden, so are ids of zeros; version 00 has nothing behind.
create function outbox.is_traceparent(value text) returns boolean
language plpgsql immutable as $$
begin
  return value ~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]*)?$'
     and left(value, 2) <> 'ff'
     and substr(value, 4, 32) <> '00000000000000000000000000000000'
     and substr(value, 37, 16) <> '0000000000000000'
     and (length(value) = 55 or left(value, 2) <> '00');
end
$$;

-- The headers with the trace of this event: the one given, else the session's. A broken traceparent
-- must not fail an order; the standard says to go on as if it were not there.
create function outbox.with_trace(headers jsonb, session_trace text) returns jsonb
language plpgsql immutable as $$
declare
  given constant jsonb := headers -> 'traceparent';
  trace text := session_trace;
begin
  if jsonb_typeof(headers) <> 'object' or jsonb_typeof(given) not in ('string', 'null') then
    return headers;
  end if;
  if given is not null then
    trace := headers ->> 'traceparent';
    if outbox.is_traceparent(trace) then
      return headers;
    end if;
    headers := headers - 'traceparent';
  elsif outbox.is_traceparent(trace) then
    return headers || jsonb_build_object('traceparent', trace);
  end if;
  if trace is not null then
    raise notice 'outbox.publish: traceparent % is malformed, the event goes out without it',
      quote_literal(left(trace, 64));
  end if;
  return headers;
end
$$;

create function outbox.publish(aggregate_type text, aggregate_id text, event_type text,
                               payload jsonb, headers jsonb default '{}')
returns uuid language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  event_id constant uuid := gen_random_uuid();
  session_trace constant text := nullif(current_setting('outbox.traceparent', true), '');
begin
  if aggregate_type is null or event_type is null then
    perform outbox.check_event(aggregate_type, aggregate_id, event_type, null, null, '{}');
  end if;
  headers := coalesce(headers, '{}');
  if session_trace is not null or headers ? 'traceparent' then
    headers := outbox.with_trace(headers, session_trace);
  end if;
  insert into outbox.event (id, aggregate_type, aggregate_id, event_type, payload, headers)
  values (event_id, aggregate_type, aggregate_id, event_type, payload, headers);
  return event_id;
end
$$;

create function outbox.publish(aggregate_type text, aggregate_id text, event_type text,
                               payload_bytes bytea, headers jsonb default '{}')
returns uuid language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  event_id constant uuid := gen_random_uuid();
  session_trace constant text := nullif(current_setting('outbox.traceparent', true), '');
begin
  if aggregate_type is null or event_type is null then
    perform outbox.check_event(aggregate_type, aggregate_id, event_type, null, null, '{}');
  end if;
  headers := coalesce(headers, '{}');
  if session_trace is not null or headers ? 'traceparent' then
    headers := outbox.with_trace(headers, session_trace);
  end if;
  insert into outbox.event (id, aggregate_type, aggregate_id, event_type, payload_bytes, headers)
  values (event_id, aggregate_type, aggregate_id, event_type, payload_bytes, headers);
  return event_id;
end
$$;

-- Without this one, publish('order', '1', 'OrderPlaced', '{"a": 1}') would be ambiguous, since an
-- untyped literal could be jsonb or bytea; and drivers often send strings as text.
create function outbox.publish(aggregate_type text, aggregate_id text, event_type text,
                               payload text, headers jsonb default '{}')
returns uuid language sql volatile as $$
  select outbox.publish(aggregate_type, aggregate_id, event_type, payload::jsonb, headers)
$$;

comment on function outbox.publish(text, text, text, jsonb, jsonb) is
  'Adds an event to this transaction and returns its id. The payload goes out as jsonb text.';
comment on function outbox.publish(text, text, text, bytea, jsonb) is
  'Adds an event to this transaction and returns its id. The bytes go out as they are.';
comment on function outbox.publish(text, text, text, text, jsonb) is
  'The same as with jsonb, for untyped literals and text parameters.';

-- ---------------------------------------------------------------------------------------------
-- The relay's progress
-- ---------------------------------------------------------------------------------------------

-- end_lsn: end of the last transaction that is settled whole; the slot is never confirmed past it.
-- (commit_lsn, ordinal): how many events of the next one, known by its commit LSN, are settled.
-- delivered_seq: every committed event with seq up to it is settled; NULL = not proven yet.
-- epoch: raised by each start; whoever holds an older one is fenced.
create table outbox.progress (
  pipeline      text        primary key check (octet_length(pipeline) between 1 and 200),
  system_id     text        not null check (system_id ~ '^[0-9]{1,20}$'),
  timeline      integer     not null check (timeline > 0),
  slot          text        not null,
  end_lsn       pg_lsn      not null default '0/0',
  commit_lsn    pg_lsn      not null default '0/0',
  ordinal       bigint      not null default 0 check (ordinal >= 0),
  delivered_seq bigint      check (delivered_seq >= 0),
  epoch         bigint      not null default 1 check (epoch > 0),
  taken_at      timestamptz not null default clock_timestamp(),
  updated_at    timestamptz not null default clock_timestamp()
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
comment on table outbox.progress is 'How far each pipeline has delivered; written by the relay.';

-- Progress never moves back, whoever writes it and by whatever SQL. On another system or timeline
-- (failover, restore) positions mean something else; the relay decides that before it saves.
create function outbox.guard_progress() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if new.epoch < old.epoch then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('epoch of pipeline %L would move back from %s to %s',
                       old.pipeline, old.epoch, new.epoch);
  end if;
  if (new.system_id, new.timeline) = (old.system_id, old.timeline)
     and (new.end_lsn < old.end_lsn
          or (new.commit_lsn, new.ordinal) < (old.commit_lsn, old.ordinal)
          or coalesce(new.delivered_seq, -1) < old.delivered_seq) then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('progress of pipeline %L would move back from %s %s/%s seq %s '
                       'to %s %s/%s seq %s', old.pipeline,
                       old.end_lsn, old.commit_lsn, old.ordinal, old.delivered_seq,
                       new.end_lsn, new.commit_lsn, new.ordinal, new.delivered_seq);
  end if;
  new.updated_at := clock_timestamp();
  return new;
end
$$;

create trigger guard_progress before update on outbox.progress
  for each row execute function outbox.guard_progress();

-- A relay that holds the slot takes the pipeline: a new row, or the epoch of the old one raised.
-- The row comes back as it was saved, with the system, timeline and slot of then, for the relay to
-- compare with what it is connected to.
create function outbox.progress_take(pipeline text, system_id text, timeline integer, slot text)
returns outbox.progress language sql volatile
set search_path = pg_catalog, pg_temp as $$
  insert into outbox.progress as p (pipeline, system_id, timeline, slot)
  values ($1, $2, $3, $4)
  on conflict on constraint progress_pkey
    do update set epoch = p.epoch + 1, taken_at = clock_timestamp()
  returning p.*
$$;

-- True: saved. False: the epoch is no longer the newest (or the row is gone): stop.
-- On the same system and timeline a mark that is below the stored one (also '0/0', before the first
-- event of this run) leaves the stored one as it is. NULL for delivered_seq keeps what is there.
-- Durable once the transaction is, so the session needs synchronous_commit = on.
create function outbox.progress_save(pipeline text, epoch bigint, system_id text, timeline integer,
                                     slot text, end_lsn pg_lsn, commit_lsn pg_lsn, ordinal bigint,
                                     delivered_seq bigint default null)
returns boolean language sql volatile
set search_path = pg_catalog, pg_temp as $$
  with saved as (
    update outbox.progress p
    set (system_id, timeline, slot, end_lsn, commit_lsn, ordinal, delivered_seq) = (
      select $3, $4, $5,
             case when same.place then greatest(p.end_lsn, $6) else $6 end,
             case when same.place and same.behind then p.commit_lsn else $7 end,
             case when same.place and same.behind then p.ordinal else $8 end,
             case when same.place then greatest(p.delivered_seq, $9)
                  else coalesce($9, p.delivered_seq) end
      from (select (p.system_id, p.timeline) = ($3, $4) as place,
                   ($7, $8) < (p.commit_lsn, p.ordinal) as behind) same)
    where p.pipeline = $1 and p.epoch = $2
    returning 1)
  select exists (select from saved)
$$;

-- ---------------------------------------------------------------------------------------------
-- The publication
-- ---------------------------------------------------------------------------------------------

-- Lets a relay make its publication without owning the table. Returns 'created' or 'exists';
-- refuses one that would lose or miss events. The publication comes before the slot, always.
create function outbox.create_publication(name text) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  found record;
begin
  if name is null or octet_length(name) not between 1 and 63 then
    raise exception using
      errcode = 'invalid_parameter_value',
      message = format('outbox.create_publication: the name has %s bytes, allowed are 1 to 63',
                       coalesce(octet_length(name)::text, 'no'));
  end if;
  if not has_database_privilege(current_user, current_database(), 'create')
     and not exists (select from pg_publication where pubname = name) then
    raise exception using
      errcode = 'insufficient_privilege',
      message = format('outbox.create_publication: outbox_owner has no CREATE on database %I',
                       current_database()),
      hint = format('As the owner of the database: grant create on database %I to outbox_owner',
                    current_database());
  end if;
  begin
    if not exists (select from pg_publication where pubname = name) then
      execute format('create publication %I for table outbox.event '
                     'with (publish = ''insert'', publish_via_partition_root = true)', name);
      return 'created';
    end if;
  exception when duplicate_object or unique_violation then
    null;
  end;

  -- to_jsonb, because row filters and column lists exist from Postgres 15 on.
  select p.pubinsert, p.pubviaroot, p.puballtables, r.oid is not null as has_table,
         to_jsonb(r) ->> 'prqual' is not null as has_filter,
         to_jsonb(r) ->> 'prattrs' is not null as has_columns
    into strict found
    from pg_publication p
    left join pg_publication_rel r
      on r.prpubid = p.oid and r.prrelid = 'outbox.event'::regclass
    where p.pubname = name;
  if not (found.has_table or found.puballtables) or not found.pubinsert or not found.pubviaroot
     or found.has_filter or found.has_columns then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('publication %I exists but does not publish every insert into outbox.event '
                       'under that name', name),
      detail = format('table included: %s, inserts: %s, publish_via_partition_root: %s, '
                      'row filter: %s, column list: %s', found.has_table or found.puballtables,
                      found.pubinsert, found.pubviaroot, found.has_filter, found.has_columns),
      hint = format('alter publication %1$I set table outbox.event; alter publication %1$I '
                    'set (publish = ''insert'', publish_via_partition_root = true)', name);
  end if;
  return 'exists';
end
$$;

-- ---------------------------------------------------------------------------------------------
-- Who may do what
-- ---------------------------------------------------------------------------------------------

revoke all on all functions in schema outbox from public;

grant usage on schema outbox
  to outbox_writer, outbox_relay, outbox_operator, outbox_reader;
grant select on outbox.schema_migration
  to outbox_writer, outbox_relay, outbox_operator, outbox_reader;

grant execute on function outbox.publish(text, text, text, jsonb, jsonb),
                          outbox.publish(text, text, text, bytea, jsonb),
                          outbox.publish(text, text, text, text, jsonb)
  to outbox_writer;
-- A CHECK runs with the rights of whoever inserts.
grant execute on function outbox.check_event(text, text, text, jsonb, bytea, jsonb),
                          outbox.check_headers(jsonb), outbox.refuse(text, text, text)
  to outbox_writer;
-- Every column but seq, whose number must come from the sequence.
grant insert (id, aggregate_type, aggregate_id, event_type, payload, payload_bytes, headers,
              created_at)
  on outbox.event to outbox_writer;
grant usage on sequence outbox.event_seq to outbox_writer;

grant select on outbox.event, outbox.partition, outbox.event_seq to outbox_relay;
grant select, insert, update on outbox.progress to outbox_relay;
grant execute on function outbox.progress_take(text, text, integer, text),
                          outbox.progress_save(text, bigint, text, integer, text, pg_lsn, pg_lsn,
                                               bigint, bigint),
                          outbox.create_publication(text)
  to outbox_relay;

grant select on outbox.event, outbox.partition, outbox.event_seq, outbox.progress
  to outbox_operator;
grant execute on function outbox.make_partitions(bigint) to outbox_operator;

-- No payloads for readers: they may hold personal data.
grant select on outbox.partition, outbox.event_seq, outbox.progress to outbox_reader;

do $$ begin perform set_config('role', current_setting('outbox.role_before'), true); end $$;
