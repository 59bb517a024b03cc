"""Benchmarks: the relay, the ceiling it works under, and its peer, measured in one run.

wal_drain         a backlog drained to Kafka
poll_drain        the same out of the table
status_drain      READY rows of a table, each marked SENT
emit_drain        events without rows
insert_cost       what a running relay costs those who insert
retention         latency and size after many rows passed through
held_keys         what healthy keys keep while others are held or parked
replay_drain      a replay of many dead letters
dead_letters_list the time of a listing of many
latency_at_rates  from a commit to an independent consumer
backlog           a million committed rows
letters           dead letters as a bad night leaves them
drain             when records reached a topic
contender         one who drains a backlog
ceiling           the server's decoder, pg_recvlogical, COPY
our_relay         the relay with a config of its own
debezium          Connect with the Outbox Event Router
probe             the C++ program that times commits
usage             memory and CPU of a process
report            the table and the JSON
stage             services, database, schema
"""
