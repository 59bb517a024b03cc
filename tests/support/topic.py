"""Topics and what they hold, by a client that is not ours and without a consumer group."""

import time
import uuid
from dataclasses import dataclass

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

from . import environment

# What a reader sees while brokers come and go, and right after a topic was made.
_PASSING = {KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError.UNKNOWN_TOPIC_OR_PART,
            KafkaError.LEADER_NOT_AVAILABLE, KafkaError.NOT_LEADER_FOR_PARTITION}
_UNKNOWN_S = 15


@dataclass(frozen=True)
class Record:
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple  # of (name, bytes), in the order of the record
    timestamp_ms: int

    def header(self, name):
        """The header's text, or None."""
        return next((value.decode() for known, value in self.headers if known == name), None)

    @property
    def event_id(self):
        return self.header("id")


def unique_name(stem="topic"):
    return f"{stem}.{uuid.uuid4().hex[:12]}"


def create_topic(name, partitions=1, replication=1, bootstrap=None, **settings):
    """Makes a topic; settings as keywords with underscores: max_message_bytes=100000."""
    config = {key.replace("_", "."): str(value) for key, value in settings.items()}
    topic = NewTopic(name, num_partitions=partitions, replication_factor=replication, config=config)
    _settle(bootstrap, lambda admin: admin.create_topics([topic], operation_timeout=30))
    return name


def delete_topic(name, bootstrap=None):
    _settle(bootstrap, lambda admin: admin.delete_topics([name], operation_timeout=30))


def configure_topic(name, bootstrap=None, **settings):
    """Replaces all settings of a topic; what is not given goes back to the broker's default."""
    config = {key.replace("_", "."): str(value) for key, value in settings.items()}
    resource = ConfigResource(ConfigResource.Type.TOPIC, name, set_config=config)
    _settle(bootstrap, lambda admin: admin.alter_configs([resource]))


def add_partitions(name, total, bootstrap=None):
    _settle(bootstrap, lambda admin: admin.create_partitions([NewPartitions(name, total)]))


def topic_names(bootstrap=None):
    return set(_admin(bootstrap).list_topics(timeout=10).topics)


class TopicReader:
    """Reads a topic from its beginning on, every partition, in each partition's order."""

    def __init__(self, topic, bootstrap=None, **properties):
        self.topic = topic
        self._at_end = set()
        self._consumer = Consumer({
            "bootstrap.servers": bootstrap or environment.kafka_bootstrap(),
            "group.id": unique_name("reader"),
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
            "message.max.bytes": 100_000_000,
            "fetch.message.max.bytes": 100_000_000,
            **properties,
        })
        self._partitions = self._known_partitions()
        self._consumer.assign(
            [TopicPartition(topic, p, OFFSET_BEGINNING) for p in self._partitions])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._consumer.close()

    def poll(self, patience_s=0.1, most=10_000):
        """The next records, at most `most`, or none within the patience."""
        records = []
        for message in self._consumer.consume(most, patience_s):
            error = message.error()
            if error is None:
                records.append(_record(message))
                self._at_end.discard(message.partition())
            elif error.code() == KafkaError._PARTITION_EOF:
                self._at_end.add(message.partition())
            elif not error.retriable() and error.code() not in _PASSING:
                raise KafkaException(error)
        return records

    def read_to_end(self, patience_s=60.0):
        """All records up to the end that the topic has now."""
        ends = {p: self._end(p) for p in self._partitions}
        records = []
        deadline = time.monotonic() + patience_s
        while not self._reached(ends):
            if time.monotonic() > deadline:
                raise AssertionError(f"the end of {self.topic} was not reached in {patience_s:g} s;"
                                     f" {len(records)} records read")
            records += self.poll()
        return records

    def read_until(self, enough, patience_s=60.0):
        """Records until `enough(records)` holds; what is there when the patience is over."""
        records = []
        deadline = time.monotonic() + patience_s
        while not enough(records) and time.monotonic() < deadline:
            records += self.poll()
        return records

    def _known_partitions(self):
        """A topic that was just made is unknown to its brokers for a moment."""
        deadline = time.monotonic() + _UNKNOWN_S
        while True:
            topic = self._consumer.list_topics(self.topic, timeout=30).topics[self.topic]
            if topic.error is None:
                return sorted(topic.partitions)
            if topic.error.code() not in _PASSING or time.monotonic() > deadline:
                raise KafkaException(topic.error)
            time.sleep(0.05)

    def _end(self, partition):
        return self._consumer.get_watermark_offsets(TopicPartition(self.topic, partition), 30)[1]

    def _reached(self, ends):
        positions = self._consumer.position([TopicPartition(self.topic, p) for p in ends])
        return all(p.offset >= ends[p.partition] or p.partition in self._at_end for p in positions)


def read_topic(topic, bootstrap=None):
    """Everything that the topic holds now, partition by partition."""
    with TopicReader(topic, bootstrap) as reader:
        return sorted(reader.read_to_end(), key=lambda r: (r.partition, r.offset))


def _record(message):
    return Record(message.topic(), message.partition(), message.offset(), message.key(),
                  message.value(), tuple(message.headers() or ()), message.timestamp()[1])


def _admin(bootstrap):
    return AdminClient({"bootstrap.servers": bootstrap or environment.kafka_bootstrap(),
                        "log_level": 4})  # its farewell to each short life is no news


def _settle(bootstrap, request):
    admin = _admin(bootstrap)  # must outlive the request, or it is cancelled
    for future in request(admin).values():
        future.result()
