-- V006: the inbox. outbox.receive() lets a consumer act on each event once: it is called in the
-- transaction that acts.
--
-- Run it in ONE transaction. It needs no other migration: a database that only consumes takes this
-- file alone, and may take the others later (then this one runs again and changes nothing).

do $$
begin
  perform pg_advisory_xact_lock(122550254464888);
  perform set_config('outbox.role_before', current_setting('role'), true);
end
$$;

-- Roles and the schema, as in V001.
do $$
declare
  role_name text;
begin
  if coalesce(current_setting('outbox.role_before', true), '') = '' then
    raise exception using
      errcode = 'no_active_sql_transaction',
      message = 'V006__inbox.sql must run in one transaction',
      hint = 'Use "outbox schema apply", or psql -1 -v ON_ERROR_STOP=1 -f V006__inbox.sql';
  end if;

  foreach role_name in array array['outbox_owner', 'outbox_consumer', 'outbox_relay',
                                   'outbox_operator', 'outbox_reader'] loop
    if not exists (select from pg_catalog.pg_roles where rolname = role_name) then
      begin
        execute pg_catalog.format('create role %I nologin', role_name);
      exception
        when duplicate_object or unique_violation then
          null;
        when insufficient_privilege then
          raise exception using
            errcode = 'insufficient_privilege',
            message = pg_catalog.format('role %I is missing and %I may not make it', role_name,
                                        current_user),
            hint = pg_catalog.format('As an administrator: create role %I nologin', role_name);
      end;
    end if;
  end loop;

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

  if not exists (select from pg_catalog.pg_namespace where nspname = 'outbox') then
    create schema outbox authorization outbox_owner;
  elsif (select nspowner from pg_catalog.pg_namespace where nspname = 'outbox')
        <> 'outbox_owner'::regrole then
    alter schema outbox owner to outbox_owner;
  end if;
end
$$;

set local role outbox_owner;

-- What was received. Four partitions are used in turn, each for a third of the time that rows are
-- kept: the oldest is emptied by TRUNCATE, so no row is ever deleted and nothing bloats.
create table if not exists outbox.inbox (
  consumer    text        not null check (octet_length(consumer) between 1 and 200),
  id          uuid        not null,  -- of the event
  turn        smallint    not null,
  received_at timestamptz not null default clock_timestamp(),
  primary key (id, consumer, turn)
) partition by list (turn);
comment on table outbox.inbox is 'Events that a consumer of this database has acted on.';
create table if not exists outbox.inbox_0 partition of outbox.inbox for values in (0);
create table if not exists outbox.inbox_1 partition of outbox.inbox for values in (1);
create table if not exists outbox.inbox_2 partition of outbox.inbox for values in (2);
create table if not exists outbox.inbox_3 partition of outbox.inbox for values in (3);

-- Whose turn it is, and since when each has had its last one.
create table if not exists outbox.inbox_turn (
  turn    smallint    primary key check (turn between 0 and 3),
  since   timestamptz not null,
  current boolean     not null
);
comment on table outbox.inbox_turn is 'Which partition of outbox.inbox takes new rows.';
create unique index if not exists inbox_turn_current on outbox.inbox_turn (current) where current;
insert into outbox.inbox_turn values (0, clock_timestamp(), true), (1, '-infinity', false),
                                     (2, '-infinity', false), (3, '-infinity', false)
on conflict do nothing;

-- True: this consumer acts on the event now, in this transaction. False: it has done so already.
-- Another transaction that is at the same event is waited for: false if it commits, true if not.
--
-- The lock comes first, and whoever changes the turn holds one that excludes it. So the turn stands
-- until this transaction ends, and everything in the partitions of older turns is committed. Each
-- statement below sees that, for in READ COMMITTED it has a snapshot of its own, taken after the
-- lock. In the other levels the snapshot may be older; then FOR SHARE finds the row of the turn
-- changed, and the transaction fails with 40001, which those levels repeat anyway.
create or replace function outbox.receive(consumer text, id uuid) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  turn_now smallint;
begin
  if consumer is null or octet_length(consumer) not between 1 and 200 then
    raise exception using
      errcode = 'invalid_parameter_value',
      message = format('the name of a consumer has 1 to 200 bytes, this one has %s',
                       coalesce(octet_length(consumer)::text, 'no value'));
  end if;
  if id is null then
    raise exception using
      errcode = 'null_value_not_allowed',
      message = format('consumer %s received an event without an id', consumer),
      hint = 'The id is in the header "id" of the record';
  end if;
  lock table outbox.inbox in row exclusive mode;
  if current_setting('transaction_isolation') = 'read committed' then
    select t.turn into strict turn_now from outbox.inbox_turn t where t.current;
  else
    select t.turn into strict turn_now from outbox.inbox_turn t where t.current for share;
  end if;
  if exists (select from outbox.inbox i
             where i.id = receive.id and i.consumer = receive.consumer and i.turn <> turn_now) then
    return false;
  end if;
  insert into outbox.inbox (consumer, id, turn) values (receive.consumer, receive.id, turn_now)
  on conflict do nothing;
  return found;
end
$$;
comment on function outbox.receive(text, uuid) is
  'True if this consumer has not acted on the event yet; call it in the transaction that acts.';

-- Forgets what was received more than `older_than` ago; call it every few minutes, in a transaction
-- of its own. Nothing that was received at replayable_since or later goes, whatever its age.
-- Rows are kept for older_than to 4/3 of it.
--
-- It waits for transactions that have received something, 200 ms at the most, and they for it: the
-- whole is a TRUNCATE and an update of two rows. held_by: who or what was in the way.
create or replace function outbox.inbox_retain(older_than interval,
                                               replayable_since timestamptz default null)
returns table (emptied boolean, freed_bytes bigint, kept_since timestamptz, held_by text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set lock_timeout = '200ms' as $$
declare
  now_at constant timestamptz := clock_timestamp();
  turn_now smallint;
  next_turn smallint;
  began timestamptz;
  next_ended timestamptz;
  partition regclass;
begin
  if older_than is null or older_than <= interval '0' then
    raise exception using
      errcode = 'invalid_parameter_value',
      message = format('the inbox is kept for %s, it must be an interval of more than 0',
                       coalesce(older_than::text, 'NULL'));
  end if;
  emptied := false;
  freed_bytes := 0;
  select t.turn, t.since into turn_now, began from outbox.inbox_turn t where t.current;
  if began <= now_at - older_than / 3 then
    begin
      lock table outbox.inbox in access exclusive mode;
      select t.turn, t.since into turn_now, began from outbox.inbox_turn t where t.current;
      next_turn := (turn_now + 1) % 4;
      -- The oldest turn ended when the one after it began.
      select t.since into next_ended from outbox.inbox_turn t where t.turn = (turn_now + 2) % 4;
      if began > now_at - older_than / 3 or next_ended > now_at - older_than then
        null;  -- somebody else was quicker, or older_than has grown
      elsif next_ended >= replayable_since then
        held_by := format('events since %s may be replayed', replayable_since);
      else
        partition := format('outbox.inbox_%s', next_turn)::regclass;
        freed_bytes := pg_total_relation_size(partition);
        execute format('truncate table only %s', partition);
        update outbox.inbox_turn t set current = false where t.turn = turn_now;
        update outbox.inbox_turn t set current = true, since = clock_timestamp()
        where t.turn = next_turn;
        turn_now := next_turn;
        emptied := true;
      end if;
    exception when lock_not_available then
      held_by := format('outbox.inbox is in use by %s', coalesce((
        select string_agg(distinct coalesce('pid ' || l.pid, 'a prepared transaction')
                          || coalesce(' (' || nullif(a.application_name, '') || ')', ''), ', ')
        from pg_locks l left join pg_stat_activity a on a.pid = l.pid
        where l.locktype = 'relation' and l.granted
          and l.relation in (select p.relid from pg_partition_tree('outbox.inbox'::regclass) p)
          and l.database = (select d.oid from pg_database d where d.datname = current_database())
      ), 'somebody'));
    end;
  end if;
  -- The oldest row that is still there began with the turn after this one.
  select max(t.since) into kept_since from outbox.inbox_turn t where t.turn = (turn_now + 1) % 4;
  return next;
end
$$;
comment on function outbox.inbox_retain(interval, timestamptz) is
  'Forgets what consumers received more than this long ago, a third of it at a time.';

revoke all on function outbox.receive(text, uuid), outbox.inbox_retain(interval, timestamptz)
  from public;
grant usage on schema outbox to outbox_consumer, outbox_relay, outbox_operator, outbox_reader;
grant execute on function outbox.receive(text, uuid) to outbox_consumer;
grant execute on function outbox.inbox_retain(interval, timestamptz)
  to outbox_relay, outbox_operator;
grant select on outbox.inbox, outbox.inbox_turn to outbox_operator, outbox_reader;

do $$ begin perform set_config('role', current_setting('outbox.role_before'), true); end $$;
