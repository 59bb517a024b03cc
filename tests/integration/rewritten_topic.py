"""A topic as somebody else would leave it: made again with other records, cut, or written to."""

import socket
import struct
from dataclasses import replace

from confluent_kafka import Producer

from support import environment
from support.topic import create_topic, delete_topic, read_topic
from support.waiting import wait_until

_DELETE_RECORDS = 21
_TIMEOUT_MS = 30_000


def cut_before(topic, partition, offset):
    """Kafka's DeleteRecords: everything before `offset` is gone. By hand, since the client of
    Debian 12 does not know the request."""
    name = topic.encode()
    body = struct.pack(f">ih{len(name)}siiqi", 1, len(name), name, 1, partition, offset,
                       _TIMEOUT_MS)
    request = struct.pack(">hhih", _DELETE_RECORDS, 1, 1, -1) + body
    host, port = environment.kafka_bootstrap().split(",")[0].rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        stream = connection.makefile("rb")
        answer = stream.read(struct.unpack(">i", stream.read(4))[0])
    low_watermark, error = struct.unpack(">qh", answer[-10:])
    assert (low_watermark, error) == (offset, 0), (low_watermark, error)


def write(topic, records):
    """Appends records as they are, each to its partition."""
    producer = Producer({"bootstrap.servers": environment.kafka_bootstrap(), "linger.ms": 0})
    for record in records:
        producer.produce(topic, key=record.key, value=record.value, partition=record.partition,
                         headers=list(record.headers), timestamp=record.timestamp_ms)
        producer.flush()
    assert not len(producer)


def rebuild(topic, partitions, change):
    """Makes the topic again, with what `change(records)` returns of its records."""
    records = change(read_topic(topic))
    delete_topic(topic)
    wait_until(lambda: create_topic(topic, partitions), f"{topic} is made again")
    write(topic, records)


def of_event(records, event_id):
    """The place of its first record, whatever its format."""
    return next(i for i, record in enumerate(records)
                if event_id in (record.event_id, record.header("ce_id"))
                or event_id.encode() in (record.value or b""))


def without(event_id):
    return lambda records: [one for one in records if one.event_id != event_id]


def swapped(first_id, second_id):
    """The two events change places."""
    def change(records):
        a, b = of_event(records, first_id), of_event(records, second_id)
        records[a], records[b] = records[b], records[a]
        return records
    return change


def altered(event_id, value):
    def change(records):
        at = of_event(records, event_id)
        records[at] = replace(records[at], value=value)
        return records
    return change
