"""How much is measured, and of what."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    rounds: int = 5
    warmup_rounds: int = 2  # before them, not counted: the broker's JVM compiles what is busy
    rows: int = 1_000_000
    rows_a_transaction: int = 10
    keys: int = 10_000
    partitions: int = 6
    seconds: int = 60
    warmup_seconds: int = 10  # for the same reason
    rates: tuple = (500, 2000)  # events a second of wal-latency
    with_relay: bool = True
    with_debezium: bool = True
