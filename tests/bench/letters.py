"""Dead letters as a bad night would have left them: events that were refused, on many keys."""

import json

from .tell import tell

CAUSES = ("MSG_SIZE_TOO_LARGE", "TOPIC_AUTHORIZATION_FAILED", "UNKNOWN_TOPIC_OR_PART",
          "HEADER_REFUSED", "PAYLOAD_NOT_JSON", "UNROUTABLE")

# Rows that outbox.letter_write() would have made, without a call for each.
_CAUSES = """
insert into outbox.letter_cause (pipeline, state, code, topic, route)
select %(pipeline)s, %(state)s, code, topic, 'route 1' from unnest(%(codes)s::text[]) code,
       unnest(%(topics)s::text[]) topic"""
_LANES = """
insert into outbox.lane (pipeline, aggregate_type, aggregate_id, state)
select %(pipeline)s, 'order', 'customer-' || n, %(state)s from generate_series(0, %(keys)s - 1) n"""
_LETTERS = """
insert into outbox.dead_letter
  (letter, pipeline, state, kept_as, event_id, digest, aggregate_type, aggregate_id, event_type,
   payload, payload_kind, headers, extras, commit_time, seq, source_position, topic, route,
   first_code, first_detail, last_code, last_detail, attempts, relay, epoch, written_at)
select nextval('outbox.letter_seq'), c.pipeline, c.state, c.state, gen_random_uuid(),
       sha256(n::text::bytea), 'order', 'customer-' || n %% %(keys)s, 'OrderPlaced' || n %% 3,
       convert_to(jsonb_build_object(
         'order', n, 'customer', 'c-' || n %% %(keys)s, 'currency', 'EUR', 'total', 1299.50,
         'placed_at', '2026-01-31T12:00:00Z', 'lines', 3, 'channel', 'web',
         'note', repeat('x', 60))::text, 'UTF8'),
       'json', '{"tenant": "blue"}', '{}', now(), n, '0/1/' || n, c.topic, c.route, c.code,
       'the broker said no', c.code, 'the broker said no', 1, 'bench', 1,
       now() - make_interval(secs => %(rows)s - n)
from generate_series(1, %(rows)s) n
join (select *, row_number() over (order by cause) - 1 as turn, count(*) over () as causes
      from outbox.letter_cause where (pipeline, state) = (%(pipeline)s, %(state)s)) c
  on c.turn = n %% c.causes"""
_OPEN = """
insert into outbox.open_letter
  (letter, place, lane, cause, payload_bytes, written_at, event_type, aggregate_type, aggregate_id)
select l.letter, l.letter, k.lane, c.cause, octet_length(l.payload), l.written_at, l.event_type,
       l.aggregate_type, l.aggregate_id
from outbox.dead_letter l
join outbox.letter_cause c using (pipeline, state, topic, route)
left join outbox.lane k using (pipeline, aggregate_type, aggregate_id)
where c.code = l.last_code and l.state = %(state)s order by l.letter"""


def leave(database, settings, pipeline, state, topics=("order.events",)):
    """settings.rows open letters, dead or parked; the pipeline is in outbox.progress already."""
    tell(f"leaving {settings.rows:,} letters, {state}")
    arguments = {"pipeline": pipeline, "state": state, "codes": list(CAUSES),
                 "topics": list(topics), "rows": settings.rows, "keys": settings.keys}
    for statement in [_CAUSES] + [_LANES] * (state == "parked") + [_LETTERS, _OPEN]:
        database.execute(statement, arguments)
    for table in ("dead_letter", "open_letter", "letter_cause", "lane"):
        database.execute(f"vacuum (analyze) outbox.{table}")
    database.execute("checkpoint")


def replay(database, pipeline):
    """Files a replay of all there are; how many."""
    return database.execute("select letters from outbox.replay_file(%s, 'measured')",
                            [json.dumps({"pipeline": pipeline})])[0][0]
