"""A topic as somebody else would leave it: made again with other records, cut, or written to."""

from dataclasses import replace

from confluent_kafka import Producer, TopicPartition

from support import environment
from support.topic import _admin, create_topic, delete_topic, read_topic
from support.waiting import wait_until


def cut_before(topic, partition, offset):
    """Kafka's DeleteRecords: everything before `offset` is gone."""
    request = _admin(None).delete_records([TopicPartition(topic, partition, offset)])
    for future in request.values():
        future.result()


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
    return next(i for i, record in enumerate(records) if record.event_id == event_id)


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
