"""Benchmarks: the relay, the ceiling it works under, and its peer, measured in one run.

wal_drain    a backlog drained to Kafka          ceiling     the server's decoder, pg_recvlogical
poll_drain   the same out of the table           contender   one who drains it
latency_at_rates  commit to an independent consumer   debezium    Connect with the Outbox Event Router
backlog      a million committed rows            our_relay   the relay with a config of its own
drain        when records reached a topic        probe       the C++ program that times commits
usage        memory and CPU of a process         report      the table and the JSON
stage        services, database, schema
"""
