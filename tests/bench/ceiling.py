"""What bounds whoever reads the WAL: the server's decoder alone, and Postgres's own client; and
whoever reads the table: COPY."""

import subprocess
import time

_PEEK = ("select count(*) from pg_logical_slot_peek_binary_changes(%s, null, null,"
         " 'proto_version', '1', 'publication_names', %s, 'messages', %s)")


def decode_rate(database, slot, publication, rows, messages=False):
    """Rows, or also messages, a second that one backend decodes for a publication and counts. The
    slot stays where it is."""
    start = time.monotonic()
    count = database.value(_PEEK, [slot, publication, "true" if messages else "false"])
    seconds = time.monotonic() - start
    if count < rows:
        raise RuntimeError(f"the decoder gave {count} messages for {rows} rows")
    return rows / seconds


def recvlogical_rate(database, slot, publication, rows, end_lsn):
    """Rows a second of pg_recvlogical to /dev/null, up to `end_lsn`. Moves the slot."""
    start = time.monotonic()
    subprocess.run(["pg_recvlogical", "-d", database.url, "-S", slot, "--start", "-f", "/dev/null",
                    "-E", end_lsn, "--no-loop", "-o", "proto_version=1",
                    "-o", f"publication_names={publication}"], check=True)
    return rows / (time.monotonic() - start)


def copy_rate(database, rows):
    """Rows a second of psql's COPY in the table's order to /dev/null."""
    start = time.monotonic()
    subprocess.run(["psql", "-X", "-q", "-d", database.url, "-c",
                    "\\copy (select * from outbox.event order by seq)"
                    " to /dev/null (format binary)"],
                   check=True)
    return rows / (time.monotonic() - start)
