-- V003: retention. outbox.retain() empties old partitions whose events every pipeline has
-- delivered; what it needs to know about tables of a team's own making is here, too.
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
      message = 'V003__retention.sql must run in one transaction',
      hint = 'Use "outbox schema apply", or psql -1 -v ON_ERROR_STOP=1 -f V003__retention.sql';
  end if;
end
$$;

set local role outbox_owner;

-- The table that the pipeline reads, since its numbers mean nothing in another one. Set by the
-- relay. NULL, of a relay that does not know this column: counts for every table.
alter table outbox.progress add column source_table text;

-- What was removed, by table ("outbox.event"). Whoever reads rows again asks it first.
create table outbox.retention (
  source_table  text        primary key,
  removed_below bigint      not null default 1,  -- rows below it may be gone
  removed_rows  bigint      not null default 0,  -- deleted one by one; not counted in outbox.event
  held_since    timestamptz                      -- since then something old cannot go
);
comment on table outbox.retention is 'What retention removed, by table.';
insert into outbox.retention (source_table) values ('outbox.event');

-- Numbers up to seq had been given out at this time. The age of a row is judged by it: created_at
-- is what the writer says, may lie in the future and be infinity.
create table outbox.retention_mark (
  source_table text        not null,
  at           timestamptz not null,
  seq          bigint      not null,
  primary key (source_table, at)
);
comment on table outbox.retention_mark is 'When numbers were given out, for the age of rows.';

-- Notes a mark, at most one a minute, and forgets those that are not needed any more.
-- old_seq: numbers up to here were given out more than older_than ago; delivered_seq: committed
-- rows up to here are delivered by every pipeline of the table; slowest: which one is last, in
-- words. last_number must have been read before the call.
create function outbox.retention_limit(table_name text, last_number bigint, older_than interval)
returns table (removed_below bigint, old_seq bigint, delivered_seq bigint, slowest text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  now_at constant timestamptz := clock_timestamp();
  mark record;
  last record;
begin
  if older_than is null or older_than < interval '0' then
    raise exception using
      errcode = 'invalid_parameter_value',
      message = format('retention of %s: older_than is %s, it must be an interval of 0 or more',
                       table_name, coalesce(older_than::text, 'NULL'));
  end if;
  if not exists (select from outbox.retention r where r.source_table = table_name) then
    insert into outbox.retention (source_table) values (table_name) on conflict do nothing;
  end if;

  select m.at, m.seq into mark from outbox.retention_mark m
  where m.source_table = table_name order by m.at desc limit 1;
  if last_number > 0
     and (mark.at is null
          or (mark.at <= now_at - least(interval '1 minute', older_than / 10)
              and mark.seq < last_number)) then
    insert into outbox.retention_mark values (table_name, now_at, last_number)
    on conflict do nothing;
  end if;
  select m.at, m.seq into mark from outbox.retention_mark m
  where m.source_table = table_name and m.at <= now_at - older_than order by m.at desc limit 1;
  delete from outbox.retention_mark m where m.source_table = table_name and m.at < mark.at;

  select p.pipeline, p.delivered_seq, p.updated_at into last from outbox.progress p
  where coalesce(p.source_table, table_name) = table_name
  order by p.delivered_seq nulls first, p.updated_at limit 1;

  return query
    select r.removed_below, coalesce(mark.seq, 0), coalesce(last.delivered_seq, 0),
           case
             when last.pipeline is null then
               'no pipeline that reads ' || table_name || ' is registered in outbox.progress'
             else
               format('pipeline %s has delivered up to %s (last saved %s ago)', last.pipeline,
                      coalesce(last.delivered_seq::text, 'no number that is proven'),
                      date_trunc('second', greatest(now_at - last.updated_at, interval '0')))
           end
    from outbox.retention r where r.source_table = table_name;
end
$$;

-- One round: empties partitions of outbox.event that are older than `older_than` and below what
-- every registered pipeline has delivered.
--
-- TRUNCATE of a partition that no insert goes to any more: its lock is on that partition alone, so
-- no insert ever waits for it, and the space is free at once, without dead rows. DETACH and DROP of
-- a partition lock outbox.event itself, DETACH CONCURRENTLY works in no function: `outbox schema
-- apply` does that later, with what is empty. Whoever reads the old partition (pg_dump) is waited
-- for no longer than lock_timeout, and named; the next round tries again.
--
-- held_by: why something that is old enough stays; NULL: nothing does.
create function outbox.retain(older_than interval)
returns table (emptied integer, freed_bytes bigint, removed_below bigint, last_seq bigint,
               held_by text, held_seconds double precision)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set lock_timeout = '50ms' as $$
declare
  ours constant text := 'outbox.event';
  limits record;
  part record;
begin
  emptied := 0;
  freed_bytes := 0;
  last_seq := coalesce(pg_sequence_last_value('outbox.event_seq'), 0);
  perform from outbox.retention r where r.source_table = ours for update skip locked;
  if not found then  -- another round is under way
    select r.removed_below into removed_below from outbox.retention r where r.source_table = ours;
    return next;
    return;
  end if;
  select * into limits from outbox.retention_limit(ours, last_seq, older_than);
  removed_below := limits.removed_below;

  for part in
    select p.partition, p.before_seq from outbox.partition p
    where p.before_seq > limits.removed_below and p.before_seq <= limits.old_seq + 1
    order by p.before_seq
  loop
    if part.before_seq > limits.delivered_seq + 1 then
      held_by := limits.slowest;
      exit;
    end if;
    begin
      execute format('lock table %s in access exclusive mode', part.partition);
      freed_bytes := freed_bytes + pg_total_relation_size(part.partition);
      execute format('truncate table only %s', part.partition);
    exception when lock_not_available then
      held_by := format('%s is in use by %s', part.partition, coalesce((
        select string_agg(distinct coalesce('pid ' || l.pid, 'a prepared transaction')
                          || coalesce(' (' || nullif(a.application_name, '') || ')', ''), ', ')
        from pg_locks l left join pg_stat_activity a on a.pid = l.pid
        where l.locktype = 'relation' and l.relation = part.partition::oid and l.granted
          and l.database = (select d.oid from pg_database d where d.datname = current_database())
      ), 'somebody'));
      exit;
    end;
    emptied := emptied + 1;
    removed_below := part.before_seq;
  end loop;

  update outbox.retention r
  set removed_below = retain.removed_below,
      held_since = case when held_by is null then null
                        else coalesce(r.held_since, clock_timestamp()) end
  where r.source_table = ours
  returning extract(epoch from clock_timestamp() - r.held_since) into held_seconds;
  return next;
end
$$;
comment on function outbox.retain(interval) is
  'Empties partitions of outbox.event that are delivered by every pipeline and older than this.';

-- What `outbox schema apply` removes: partitions that retention has emptied, and tables that a
-- DETACH left behind. A DETACH CONCURRENTLY that was interrupted is `pending`.
create view outbox.emptied_partition as
select p.partition, i.inhdetachpending as pending, true as attached
from outbox.partition p
join pg_catalog.pg_inherits i on i.inhrelid = p.partition::oid
join outbox.retention r on r.source_table = 'outbox.event'
where p.before_seq <= r.removed_below
union all
select c.oid::regclass, false, false
from pg_catalog.pg_class c
where c.relnamespace = 'outbox'::regnamespace and c.relname ~ '^event_p\d{6,}$'
  and c.relkind = 'r' and not c.relispartition;
comment on view outbox.emptied_partition is
  'Partitions that retention has emptied; "outbox schema apply" drops them.';

revoke all on function outbox.retention_limit(text, bigint, interval), outbox.retain(interval)
  from public;
grant execute on function outbox.retain(interval) to outbox_relay, outbox_operator;
grant execute on function outbox.retention_limit(text, bigint, interval) to outbox_relay;
grant select on outbox.retention, outbox.retention_mark, outbox.emptied_partition
  to outbox_relay, outbox_operator, outbox_reader;
-- The relay deletes from a team's table with its own rights, and notes it in the same transaction.
grant update on outbox.retention to outbox_relay;

do $$ begin perform set_config('role', current_setting('outbox.role_before'), true); end $$;
