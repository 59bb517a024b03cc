"""Those who drain the same backlog in turn, each into a topic of its own."""

from . import drain


class Contender:
    """A relay with a topic of its own."""

    def __init__(self, relay, topic):
        self.relay = relay
        self.topic = topic

    def measure(self, stage, settings):
        """(rate, peak memory in MB, CPU seconds for a million)."""
        with drain.Drain(stage, self.topic, settings.partitions) as watch:
            with self.relay.starting() as pid:
                cpu_s = watch.wait(settings.rows, pid)
                return watch.rate(settings.rows), self.relay.peak_mb(), cpu_s * 1e6 / settings.rows


def measure_all(contenders, results, stage, settings):
    for contender in contenders:
        rate, peak_mb, cpu_s = contender.measure(stage, settings)
        add(results, contender.relay.name, rate)
        add(results, f"{contender.relay.name} MB", peak_mb)
        add(results, f"{contender.relay.name} CPU s", cpu_s)


def add(results, name, value):
    results.setdefault(name, []).append(value)
