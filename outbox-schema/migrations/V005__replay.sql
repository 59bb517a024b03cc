-- V005: what operators do with dead letters: replay, discard, edit. The relay that holds the
-- pipeline executes a replay; here it is filed.
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
      message = 'V005__replay.sql must run in one transaction',
      hint = 'Use "outbox schema apply", or psql -1 -v ON_ERROR_STOP=1 -f V005__replay.sql';
  end if;
end
$$;

set local role outbox_owner;

-- The condition on letters l, of dead_letter or open_dead_letter, that a filter asks for. Keys:
-- pipeline, key, type, aggregate, topic, route, cause (the code), since, until (when the letter was
-- written), id, letter.
create function outbox.letter_condition(filter jsonb) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  name text;
  wanted text;
  condition text := 'true';
begin
  for name, wanted in select * from jsonb_each_text(filter) loop
    condition := condition || case name
      when 'pipeline' then format(' and l.pipeline = %L', wanted)
      when 'key' then format(' and l.aggregate_id = %L', wanted)
      when 'type' then format(' and l.event_type = %L', wanted)
      when 'aggregate' then format(' and l.aggregate_type = %L', wanted)
      when 'topic' then format(' and l.topic = %L', wanted)
      when 'route' then format(' and l.route = %L', wanted)
      when 'cause' then format(' and l.last_code = %L', wanted)
      when 'since' then format(' and l.written_at >= %L', wanted::timestamptz)
      when 'until' then format(' and l.written_at < %L', wanted::timestamptz)
      when 'id' then format(' and l.letter in (select d.letter from outbox.dead_letter d '
                           'where d.event_id = %L)', wanted::uuid)
      when 'letter' then format(' and l.letter = %L', wanted::bigint)
    end;
    if condition is null then
      raise exception using
        errcode = 'invalid_parameter_value',
        message = format('a filter of dead letters has no %L', name),
        hint = 'It has pipeline, key, type, aggregate, topic, route, cause, since, until, id, '
               'letter';
    end if;
  end loop;
  return condition;
end
$$;

-- Operators and the relay change letters and lanes one after the other: whatever the relay writes, it
-- first locks its progress (letters_fence).
create function outbox.letters_lock(pipeline text) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  perform from outbox.progress p where p.pipeline = $1 for update;
  if not found then
    raise exception using
      errcode = 'no_data_found',
      message = format('there is no pipeline %L here', $1),
      hint = 'select pipeline from outbox.progress shows those there are';
  end if;
end
$$;

-- The letters that a replay with this filter takes, as lanes and dead letters: a dead letter by
-- itself, a lane whole, if its first letter fits. behind: letters that fit but stand behind one
-- that does not. taken: letters that fit but belong to another job already. spent: letters, or the
-- first ones of lanes, that were replayed too often already.
-- ask: usual, automatic, or forced, which takes spent ones too.
create function outbox.replay_choice(filter jsonb, ask text, out letters bigint[], out lanes bigint[],
                                     out letters_count bigint,
                                     out behind bigint, out taken bigint, out spent bigint)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  condition constant text := outbox.letter_condition(filter);
  limit_of constant text := case ask when 'usual' then 'replays_max'
                                     when 'automatic' then 'automatic_replays_max' end;
  -- How often it was tried is in the wide row, which is read only where a route has a limit.
  too_often constant text := case when ask = 'forced' then 'false' else format(
    '(p.%1$I is not null and (select d.replays_asked >= p.%1$I from outbox.dead_letter d'
    ' where d.letter = l.letter))', limit_of) end;
begin
  execute format($q$
    select array_agg(l.letter) filter (where l.job is null and not l.spent),
           count(*) filter (where l.job is not null), count(*) filter (where l.job is null and l.spent)
    from (select l.letter, l.job, %2$s as spent
          from outbox.open_dead_letter l left join outbox.replay_policy p using (pipeline, route)
          where l.state = 'dead' and %1$s) l$q$, condition, too_often)
    into letters, taken, spent;
  execute format($q$
    select array_agg(k.lane) filter (where coalesce(k.job, 0) = 0 and not k.spent),
           $1 + count(*) filter (where k.job > 0),
           $2 + count(*) filter (where coalesce(k.job, 0) = 0 and k.spent)
    from (select k.lane, k.job, %2$s as spent
          from outbox.lane k
          cross join lateral (select * from outbox.open_dead_letter l where l.lane = k.lane
                              order by l.place limit 1) l
          left join outbox.replay_policy p on (p.pipeline, p.route) = (l.pipeline, l.route)
          where %1$s) k$q$, condition, too_often)
    into lanes, taken, spent using taken, spent;
  select coalesce(cardinality(letters), 0)
         + (select count(*) from outbox.open_letter o where o.lane = any(lanes)) into letters_count;
  execute format($q$
    select count(*) from outbox.open_dead_letter l join outbox.lane k using (lane)
    where l.last_code is not null and k.job is null and k.lane <> all(coalesce($1, '{}'))
      and exists (select from outbox.open_letter f where f.lane = l.lane and f.place < l.place)
      and %s$q$, condition) into behind using lanes;
end
$$;

-- Files a replay, which the relay of the pipeline then does; with dry_run it only counts.
-- request: an id that the asker draws. Whoever lost the answer asks again with the same one, and is
-- told of the job that was filed already. ask: usual, or forced for letters that were replayed too
-- often. Where a route asks for it, the job waits for the approval of somebody else.
create function outbox.replay_file(filter jsonb, reason text, rate integer default null,
                                   failures_max integer default null, dry_run boolean default false,
                                   request uuid default null, ask text default 'usual')
returns table (job bigint, letters bigint, behind bigint, taken bigint, spent bigint)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  choice record;
  new_job bigint;
  first_rate integer;
  new_state text := 'open';
begin
  if ask is null or ask not in ('usual', 'forced', 'automatic') then
    raise exception using
      errcode = 'invalid_parameter_value',
      message = format('a replay cannot be asked for as %L', ask),
      hint = 'It is usual, or forced for letters that were replayed too often';
  end if;
  if filter ->> 'pipeline' is null then
    raise exception using
      errcode = 'invalid_parameter_value',
      message = 'a replay is for one pipeline, and the filter names none';
  end if;
  perform outbox.letters_lock(filter ->> 'pipeline');
  return query select j.job, j.selected, 0::bigint, 0::bigint, 0::bigint
  from outbox.replay_job j where j.request = replay_file.request and j.asked_by = session_user;
  if found then
    return;
  end if;
  select * into choice from outbox.replay_choice(filter, ask);
  if dry_run or choice.letters_count = 0 then
    return query select null::bigint, choice.letters_count, choice.behind, choice.taken,
                        choice.spent;
    return;
  end if;
  if exists (select from outbox.replay_policy p
             where p.pipeline = filter ->> 'pipeline' and p.approval)
     and exists (select from outbox.open_dead_letter l
                 join outbox.replay_policy p using (pipeline, route)
                 where p.approval
                   and (l.letter = any(choice.letters) or l.lane = any(choice.lanes))) then
    new_state := 'proposed';
  end if;
  if ask = 'automatic' then
    select p.automatic_rate_first into first_rate from outbox.replay_policy p
    where (p.pipeline, p.route) = (filter ->> 'pipeline', filter ->> 'route');
  end if;
  insert into outbox.replay_job as j
    (pipeline, state, filter, reason, rate, rate_first, failures_max, request, selected)
  values (filter ->> 'pipeline', new_state, filter, replay_file.reason, replay_file.rate,
          first_rate, replay_file.failures_max, replay_file.request, choice.letters_count)
  returning j.job into new_job;
  update outbox.open_letter o set job = new_job where o.letter = any(choice.letters);
  update outbox.lane k set job = new_job where k.lane = any(choice.lanes);
  insert into outbox.audit (action, pipeline, job, reason, detail)
  values ('replay asked for', filter ->> 'pipeline', new_job, replay_file.reason,
          jsonb_build_object('filter', filter, 'letters', choice.letters_count, 'ask', ask,
                             'state', new_state));
  return query select new_job, choice.letters_count, choice.behind, choice.taken, choice.spent;
end
$$;

-- The relay asks for a replay of a route that has been healthy again for as long as its config says.
-- One at a time; NULL: nothing is to be done.
create function outbox.replay_automatic(pipeline text, route text) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  policy outbox.replay_policy;
begin
  select * into policy from outbox.replay_policy p
  where p.pipeline = $1 and p.route = $2 and p.automatic_rate_most is not null;
  if not found or exists (select from outbox.replay_job j
                          where j.pipeline = $1 and j.state in ('proposed', 'open', 'paused')
                            and j.rate_first is not null and j.filter ->> 'route' = $2) then
    return null;
  end if;
  return (select f.job from outbox.replay_file(
    jsonb_build_object('pipeline', $1, 'route', $2),
    format('automatic: route %s has been healthy again', $2), policy.automatic_rate_most,
    policy.automatic_failures_max, ask => 'automatic') f);
end
$$;

-- act: approve, pause, resume or end. What is under way at this moment is still delivered. Whoever
-- asked for a replay does not approve it; who somebody is, the login of the session says.
create function outbox.replay_control(job bigint, act text, reason text) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  its outbox.replay_job;
  next_state text := case act when 'pause' then 'paused' when 'resume' then 'open'
                              when 'approve' then 'open' when 'end' then 'stopped' end;
begin
  select * into its from outbox.replay_job j where j.job = $1;
  if not found then
    raise exception using errcode = 'no_data_found', message = format('there is no replay job %s', $1);
  end if;
  if next_state is null then
    raise exception using
      errcode = 'invalid_parameter_value',
      message = format('a replay job knows no %L', act), hint = 'It knows approve, pause, resume and end';
  end if;
  perform outbox.letters_lock(its.pipeline);
  select * into its from outbox.replay_job j where j.job = $1 for update;
  if its.state in ('done', 'stopped') then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('replay job %s is over: %s', $1, its.state);
  end if;
  if (act = 'approve') <> (its.state = 'proposed') and act <> 'end' then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = case when act = 'approve' then format('replay job %s waits for nobody: it is %s', $1,
                                                      its.state)
                     else format('replay job %s is not approved yet', $1) end;
  end if;
  if act = 'approve' and its.asked_by = session_user then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('%I asked for replay job %s and may not approve it', session_user, $1),
      hint = 'Another login with the role outbox_operator must';
  end if;
  update outbox.replay_job j
  set state = next_state, ended_at = case when next_state = 'stopped' then clock_timestamp() end,
      approved_by = case when act = 'approve' then session_user else j.approved_by end,
      approved_at = case when act = 'approve' then clock_timestamp() else j.approved_at end
  where j.job = $1;
  if next_state = 'stopped' then
    perform outbox.replay_let_go($1);
  end if;
  insert into outbox.audit (action, pipeline, job, reason)
  values ('replay ' || act, its.pipeline, $1, $3);
  return next_state;
end
$$;

-- Gives letters up: each one that fits, of lanes too; those that a replay has taken stay.
create function outbox.letters_discard(filter jsonb, reason text, dry_run boolean default false)
returns table (letters bigint, taken bigint)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  condition constant text := outbox.letter_condition(filter);
  chosen bigint[];
  busy bigint;
  lanes bigint[];
begin
  if reason is null or octet_length(reason) not between 1 and 2000 then
    raise exception using
      errcode = 'invalid_parameter_value', message = 'who discards letters says why: reason is empty';
  end if;
  if filter ->> 'pipeline' is null then
    raise exception using
      errcode = 'invalid_parameter_value', message = 'the filter names no pipeline';
  end if;
  perform outbox.letters_lock(filter ->> 'pipeline');
  execute format($q$
    select coalesce(array_agg(l.letter) filter (where coalesce(l.job, k.job) is null), '{}'),
           count(*) filter (where coalesce(l.job, k.job) is not null),
           coalesce(array_agg(distinct k.lane) filter (where k.lane is not null), '{}')
    from outbox.open_dead_letter l left join outbox.lane k using (lane)
    where %s$q$, condition)
    into chosen, busy, lanes;
  if not dry_run and cardinality(chosen) > 0 then
    insert into outbox.letter_gone
    select l.letter, l.pipeline, l.aggregate_type, l.aggregate_id, l.event_type
    from outbox.open_dead_letter l
    where l.letter = any(chosen) and l.lane is not null and l.aggregate_id is not null;
    insert into outbox.audit (action, pipeline, letter, reason)
    select 'discarded', l.pipeline, l.letter, letters_discard.reason
    from outbox.open_dead_letter l where l.letter = any(chosen);
    update outbox.dead_letter l set state = 'discarded' where l.letter = any(chosen);
    delete from outbox.open_letter o where o.letter = any(chosen);
    delete from outbox.lane k
    where k.lane = any(lanes)
      and not exists (select from outbox.open_letter o where o.lane = k.lane);
  end if;
  return query select cardinality(chosen)::bigint, busy;
end
$$;

-- Replaces a letter by a copy with another payload or other headers, and a new id: another content
-- is another event. The copy takes the original's place, and a header says what it replaces. The
-- original and the difference are kept.
create function outbox.letter_edit(letter bigint, payload bytea, headers json, reason text)
returns table (new_letter bigint, new_event_id uuid)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  original outbox.dead_letter;
  edited outbox.dead_letter;
  its_place outbox.open_letter;
  its_lane outbox.lane;
  number bigint;
  new_id constant uuid := gen_random_uuid();
  new_headers json;
begin
  if $4 is null or octet_length($4) not between 1 and 2000 then
    raise exception using
      errcode = 'invalid_parameter_value', message = 'who edits a letter says why: reason is empty';
  end if;
  perform outbox.letters_lock(l.pipeline) from outbox.dead_letter l where l.letter = $1;
  select * into original from outbox.dead_letter l where l.letter = $1 for update;
  select * into its_place from outbox.open_letter o where o.letter = $1 for update;
  select * into its_lane from outbox.lane k where k.lane = its_place.lane for update;
  if its_place.letter is null then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('letter %s is %s', $1, coalesce(original.state, 'not there'));
  end if;
  if coalesce(its_place.job, its_lane.job) is not null then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('letter %s is being replayed', $1);
  end if;
  if $3 is not null then
    perform outbox.check_headers($3::jsonb);
  end if;
  -- An edited copy of an edited copy names the one before it, which names the first.
  select json_object_agg(h.name, h.value order by h.n) into new_headers
  from (select name, value, n
        from json_each_text(coalesce($3, original.headers)) with ordinality a(name, value, n)
        where name <> 'replaces'
        union all
        select 'replaces', original.event_id::text, 1000000) h;
  number := nextval('outbox.letter_seq');
  update outbox.dead_letter l set state = 'replaced' where l.letter = $1;
  delete from outbox.open_letter o where o.letter = $1;
  edited := original;
  edited.letter := number;
  edited.event_id := new_id;
  edited.replaces := $1;
  edited.replays := 0;
  edited.replays_asked := 0;
  edited.headers := new_headers;
  edited.headers_fault := case when $3 is null then original.headers_fault end;
  edited.payload := coalesce($2, original.payload);
  edited.digest := outbox.letter_digest(edited.aggregate_type, edited.aggregate_id,
                                        edited.event_type, edited.payload, edited.headers);
  edited.written_at := clock_timestamp();
  edited.delivered_in := null;
  insert into outbox.dead_letter select edited.*;
  perform outbox.letter_open(edited, its_place.place, its_place.lane);
  insert into outbox.audit (action, pipeline, letter, reason, detail)
  values ('edited', original.pipeline, $1, $4,
          jsonb_build_object('replaced_by', number, 'event_id', new_id,
                             'payload', $2 is not null, 'headers', $3 is not null));
  return query select number, new_id;
end
$$;

-- Files what `outbox verify` found lost, neither a record nor a letter: dead letters with the code
-- LOST, which a replay then delivers under their own ids. Asked again it files none twice.
-- found_at: when the comparison began to read; what was delivered since is not lost.
-- events: [{seq, id, aggregate_type, aggregate_id, event_type, payload (hexadecimal), payload_kind,
-- headers, headers_fault, extras, commit_time_us, topic, route, detail}, ...], lowest seq first.
create function outbox.lost_file(pipeline text, found_at timestamptz, events json, reason text)
returns table (seq bigint, letter bigint, filed boolean)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  event record;
  known outbox.dead_letter;
  content bytea;
  place bigint;
begin
  if $4 is null or octet_length($4) not between 1 and 2000 then
    raise exception using
      errcode = 'invalid_parameter_value', message = 'who repairs says why: reason is empty';
  end if;
  perform outbox.letters_lock($1);
  for event in
    select e.*, decode(e.payload, 'hex') as bytes
    from json_to_recordset($3) as e(
      seq bigint, id uuid, aggregate_type text, aggregate_id text, event_type text, payload text,
      payload_kind text, headers json, headers_fault text, extras json, commit_time_us bigint,
      topic text, route text, detail text)
  loop
    content := outbox.letter_digest(event.aggregate_type, event.aggregate_id, event.event_type,
                                    event.bytes, event.headers);
    select * into known from outbox.dead_letter l
    where l.event_id = event.id and l.pipeline = $1 and l.digest = content;
    seq := event.seq;
    letter := known.letter;
    filed := known.letter is null or (known.state = 'delivered' and known.last_attempt_at < $2);
    if filed then
      place := nextval('outbox.letter_seq');
      letter := coalesce(known.letter, place);
      insert into outbox.dead_letter as l
        (letter, pipeline, state, kept_as, event_id, digest, aggregate_type, aggregate_id,
         event_type, payload, payload_kind, headers, headers_fault, extras, commit_time, seq,
         source_position, topic, route, first_code, first_detail, last_code, last_detail, attempts,
         relay, epoch)
      select place, $1, 'dead', 'dead', event.id, content, event.aggregate_type,
             event.aggregate_id, event.event_type, event.bytes, event.payload_kind, event.headers,
             event.headers_fault, event.extras, timestamptz '1970-01-01 00:00+00'
             + make_interval(hours => (event.commit_time_us / 3600000000)::integer,
                             secs => (event.commit_time_us % 3600000000) / 1e6),
             event.seq, event.seq::text, event.topic, event.route, 'LOST', event.detail, 'LOST',
             event.detail, 0, 'outbox verify of ' || session_user, p.epoch
      from outbox.progress p where p.pipeline = $1
      on conflict on constraint dead_letter_event do update
      set state = 'dead', kept_as = 'dead', route = excluded.route,
          last_code = 'LOST', last_detail = excluded.last_detail
      returning * into known;
      perform outbox.letter_open(known, place, null);
      insert into outbox.audit (action, pipeline, letter, reason, detail)
      values ('found lost', $1, lost_file.letter, $4,
              jsonb_build_object('seq', event.seq, 'event_id', event.id));
    end if;
    return next;
  end loop;
end
$$;

revoke all on function
  outbox.lost_file(text, timestamptz, json, text),
  outbox.letters_lock(text), outbox.replay_choice(jsonb, text), outbox.replay_automatic(text, text),
  outbox.replay_file(jsonb, text, integer, integer, boolean, uuid, text),
  outbox.replay_control(bigint, text, text), outbox.letters_discard(jsonb, text, boolean),
  outbox.letter_edit(bigint, bytea, json, text), outbox.letter_condition(jsonb)
from public;

grant execute on function outbox.replay_automatic(text, text) to outbox_relay;
grant execute on function
  outbox.lost_file(text, timestamptz, json, text),
  outbox.replay_file(jsonb, text, integer, integer, boolean, uuid, text),
  outbox.replay_control(bigint, text, text), outbox.letters_discard(jsonb, text, boolean),
  outbox.letter_edit(bigint, bytea, json, text), outbox.letter_condition(jsonb)
to outbox_operator;

do $$ begin perform set_config('role', current_setting('outbox.role_before'), true); end $$;
