-- V002: outbox.emit(), an event without a row. It is a message in the write-ahead log, part of the
-- transaction like a row, and only a relay that reads the WAL (mode = "wal") sees it.
--
-- Run it in ONE transaction, as V001. As a superuser it also takes EXECUTE on
-- pg_logical_emit_message() from PUBLIC, since whoever has it can write a message that looks like
-- an event. Anybody else gets a warning with the SQL.

do $$
begin
  perform pg_advisory_xact_lock(122550254464888);
  perform set_config('outbox.role_before', current_setting('role'), true);
end
$$;

-- Before the role changes: only a superuser may do this.
do $$
declare
  emitter regprocedure;
begin
  if coalesce(current_setting('outbox.role_before', true), '') = '' then
    raise exception using
      errcode = 'no_active_sql_transaction',
      message = 'V002__emit.sql must run in one transaction',
      hint = 'Use "outbox schema apply", or psql -1 -v ON_ERROR_STOP=1 -f V002__emit.sql';
  end if;

  for emitter in
    select p.oid from pg_catalog.pg_proc p
    where p.proname = 'pg_logical_emit_message' and p.pronamespace = 'pg_catalog'::regnamespace
  loop
    if (select rolsuper from pg_catalog.pg_roles where rolname = current_user) then
      execute pg_catalog.format('revoke execute on function %s from public', emitter);
      execute pg_catalog.format('grant execute on function %s to outbox_owner, outbox_relay',
                                emitter);
    elsif pg_catalog.has_function_privilege('public', emitter::oid, 'execute') then
      raise warning using
        message = pg_catalog.format('everybody may execute %s, and so forge an event of '
                                    'outbox.emit()', emitter),
        hint = pg_catalog.format('As a superuser: revoke execute on function %1$s from public; '
                                 'grant execute on function %1$s to outbox_owner, outbox_relay',
                                 emitter);
    end if;
  end loop;
end
$$;

set local role outbox_owner;

-- Whether the relay of this pipeline delivers what outbox.emit() writes. Set by the relay.
alter table outbox.progress add column reads_emitted boolean not null default false;

-- How many events were emitted, rolled back ones too: a pipeline may go over to polling, which
-- never sees them, only while this is untouched.
create sequence outbox.emitted as bigint cache 1;

create function outbox.emit_value(value bytea) returns bytea
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select case when value is null then int4send(-1) else int4send(octet_length(value)) || value end
$$;

-- The message: a byte 1 (the layout's version), the id, then aggregate_type, aggregate_id,
-- event_type, headers and payload, each as its length in four bytes (-1: NULL) and its bytes. Text
-- is UTF-8 whatever the database's encoding, since nobody converts a message on its way.
create function outbox.emit_message(aggregate_type text, aggregate_id text, event_type text,
                                    payload bytea, headers jsonb)
returns uuid language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  event_id constant uuid := gen_random_uuid();
begin
  if not exists (
    select from outbox.progress p
    join pg_catalog.pg_replication_slots s on s.slot_name = p.slot
    where p.reads_emitted and s.database = current_database()
      and s.confirmed_flush_lsn is not null  -- else it is still being made
      and s.wal_status is distinct from 'lost')
  then
    perform outbox.refuse('55000',
                          format('no relay reads the WAL of database %I, so an event without a row '
                                 'would be lost', current_database()),
                          'Start a pipeline with mode = "wal" on outbox.event first, or use '
                          'outbox.publish().');
  end if;
  perform nextval('outbox.emitted');
  perform pg_logical_emit_message(
    true, 'outbox.emit',
    '\x01'::bytea || uuid_send(event_id)
    || outbox.emit_value(convert_to(aggregate_type, 'UTF8'))
    || outbox.emit_value(convert_to(aggregate_id, 'UTF8'))
    || outbox.emit_value(convert_to(event_type, 'UTF8'))
    || outbox.emit_value(convert_to(headers::text, 'UTF8'))
    || outbox.emit_value(payload));
  return event_id;
end
$$;

create function outbox.emit(aggregate_type text, aggregate_id text, event_type text,
                            payload jsonb, headers jsonb default '{}')
returns uuid language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  headers := outbox.with_trace(coalesce(headers, '{}'),
                               nullif(current_setting('outbox.traceparent', true), ''));
  perform outbox.check_event(aggregate_type, aggregate_id, event_type, payload, null, headers);
  return outbox.emit_message(aggregate_type, aggregate_id, event_type,
                             convert_to(payload::text, 'UTF8'), headers);
end
$$;

create function outbox.emit(aggregate_type text, aggregate_id text, event_type text,
                            payload_bytes bytea, headers jsonb default '{}')
returns uuid language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  headers := outbox.with_trace(coalesce(headers, '{}'),
                               nullif(current_setting('outbox.traceparent', true), ''));
  perform outbox.check_event(aggregate_type, aggregate_id, event_type, null, payload_bytes,
                             headers);
  return outbox.emit_message(aggregate_type, aggregate_id, event_type, payload_bytes, headers);
end
$$;

-- For untyped literals and text parameters, as with publish().
create function outbox.emit(aggregate_type text, aggregate_id text, event_type text,
                            payload text, headers jsonb default '{}')
returns uuid language sql volatile as $$
  select outbox.emit(aggregate_type, aggregate_id, event_type, payload::jsonb, headers)
$$;

comment on function outbox.emit(text, text, text, jsonb, jsonb) is
  'Like outbox.publish(), without a row: only the WAL carries the event.';
comment on function outbox.emit(text, text, text, bytea, jsonb) is
  'Like outbox.publish(), without a row: only the WAL carries the event.';
comment on function outbox.emit(text, text, text, text, jsonb) is
  'The same as with jsonb, for untyped literals and text parameters.';

revoke all on function outbox.emit_value(bytea),
                       outbox.emit_message(text, text, text, bytea, jsonb),
                       outbox.emit(text, text, text, jsonb, jsonb),
                       outbox.emit(text, text, text, bytea, jsonb),
                       outbox.emit(text, text, text, text, jsonb)
  from public;
grant execute on function outbox.emit(text, text, text, jsonb, jsonb),
                          outbox.emit(text, text, text, bytea, jsonb),
                          outbox.emit(text, text, text, text, jsonb)
  to outbox_writer;
grant select on sequence outbox.emitted to outbox_relay, outbox_operator, outbox_reader;

do $$ begin perform set_config('role', current_setting('outbox.role_before'), true); end $$;
