"""Rows as a busy service would have left them: ten a transaction, about 200 bytes of jsonb each."""

from .tell import tell

_WRITE = """
do $$
begin
  for batch in 0 .. %(transactions)s - 1 loop
    %(statement)s 'order', 'customer-' || (batch * %(size)s + n) %% %(keys)s, 'OrderPlaced',
           jsonb_build_object(
             'order', batch * %(size)s + n, 'customer', 'c-' || (batch * %(size)s + n) %% %(keys)s,
             'currency', 'EUR', 'total', 1299.50, 'placed_at', '2026-01-31T12:00:00Z',
             'lines', 3, 'channel', 'web', 'note', repeat('x', 60))%(end)s
    from generate_series(0, %(size)s - 1) n;
    commit;
  end loop;
end
$$"""
_INSERT = {"statement": """insert into outbox.event (aggregate_type, aggregate_id, event_type,
                                                    payload)
    select""", "end": ""}
_EMIT = {"statement": "perform outbox.emit(", "end": ")"}


def write(database, settings):
    """Returns the LSN behind the last commit; all of it is on disk."""
    tell(f"writing {settings.rows:,} rows, {settings.rows_a_transaction} a transaction")
    connection = database.connect()
    try:
        with connection.cursor() as cursor:
            _write(cursor, settings, settings.rows, _INSERT)
            cursor.execute("select count(*), avg(octet_length(payload::text))::int"
                           " from outbox.event")
            rows, size = cursor.fetchone()
            cursor.execute("vacuum (freeze, analyze) outbox.event")
            cursor.execute("checkpoint")
            cursor.execute("select pg_current_wal_insert_lsn()::text")
            lsn = cursor.fetchone()[0]
    finally:
        connection.close()
    tell(f"{rows:,} rows of {size} bytes of payload")
    if rows != settings.rows:
        raise RuntimeError(f"{rows} rows were written, {settings.rows} were wanted")
    return lsn


def append(database, settings, rows):
    """So many rows more, as they come."""
    _run(database, settings, rows, _INSERT)


def emit(database, settings):
    """The same events without rows."""
    tell(f"emitting {settings.rows:,} events, {settings.rows_a_transaction} a transaction")
    _run(database, settings, settings.rows, _EMIT)


def _run(database, settings, rows, how):
    connection = database.connect()
    try:
        with connection.cursor() as cursor:
            _write(cursor, settings, rows, how)
    finally:
        connection.close()


def _write(cursor, settings, rows, how):
    cursor.execute("set synchronous_commit = off")
    cursor.execute(_WRITE % {"transactions": rows // settings.rows_a_transaction,
                             "size": settings.rows_a_transaction, "keys": settings.keys, **how})
