"""The command line of `ops/services`."""

import argparse
import re
import sys

from . import kafka as kafka_module
from .error import FAILED, ServiceError
from .folder import DEFAULT, Folder
from .kafka import Kafka
from .postgres import Postgres


def _service_name(text):
    if not re.fullmatch(r"postgres|kafka(-[1-9]\d*)?", text):
        raise argparse.ArgumentTypeError(f"no service '{text}': postgres, kafka or kafka-N")
    return text


def _broker_count(text):
    if not re.fullmatch(r"[1-9]", text):
        raise argparse.ArgumentTypeError(f"'{text}' brokers: one to nine")
    return int(text)


def _setting(text):
    if not re.fullmatch(r"[a-z0-9.]+=\S.*", text):
        raise argparse.ArgumentTypeError(f"'{text}' is no NAME=VALUE of a broker's config")
    return text


def _parser():
    parser = argparse.ArgumentParser(
        prog="ops/services",
        description="A private Postgres and Kafka on free ports of 127.0.0.1.",
        epilog="Pids are in DIR/postgres.pid and DIR/kafka-N.pid. After a kill, `start` brings "
               "back what is missing, with its data and on the same port.")
    verbs = parser.add_subparsers(dest="verb", required=True,
                                  metavar="start|stop|status|env|remove|fetch")
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--dir", default=DEFAULT, help="where they live (default .run/services)")
    only = argparse.ArgumentParser(add_help=False)
    only.add_argument("--only", type=_service_name, metavar="postgres|kafka|kafka-N")
    start = verbs.add_parser("start", parents=[options, only],
                             help="start what does not run; returns when both answer")
    start.add_argument("--brokers", type=_broker_count, metavar="N",
                       help="how many brokers a new Kafka cluster has (default 1)")
    start.add_argument("--kafka-setting", type=_setting, action="append", metavar="NAME=VALUE",
                       help="of the brokers of a new cluster, beside those they have anyway")
    verbs.add_parser("stop", parents=[options, only], help="stop them, keep their data")
    verbs.add_parser("status", parents=[options], help="exit code 0 if all of them run")
    verbs.add_parser("env", parents=[options], help="print DATABASE_URL and KAFKA_BOOTSTRAP")
    verbs.add_parser("remove", parents=[options], help="stop them and delete their data")
    verbs.add_parser("fetch", help="fetch Kafka's jars, start nothing; exit code 5 if unreachable")
    return parser


def _tell(text):
    print(f"ops/services: {text}", file=sys.stderr, flush=True)


def _wants(only, service):
    return only is None or only == service or (only == "kafka" and service.startswith("kafka"))


def _start(folder, options):
    number = int(options.only[6:]) if (options.only or "").startswith("kafka-") else None
    if options.only != "postgres":
        kafka_module.fetch(_tell)
    with folder.locked():
        if _wants(options.only, "postgres"):
            postgres = Postgres(folder)
            state = "started" if postgres.start() else "already running"
            _tell(f"postgres {state} on {postgres.address()}")
        if options.only != "postgres":
            _start_kafka(Kafka(folder), options, number)


def _start_kafka(kafka, options, number):
    started = kafka.start(options.brokers, number, options.kafka_setting)
    for broker in [number] if number else kafka.brokers():
        state = "started" if broker in started else "already running"
        _tell(f"kafka-{broker} {state} on {kafka.address(broker)}")


def _stop(folder, options):
    with folder.locked():
        kafka = Kafka(folder)
        brokers = [n for n in kafka.brokers() if _wants(options.only, f"kafka-{n}")]
        stopped = [f"kafka-{n}" for n in kafka.stop(brokers)]
        if folder.has_postgres() and _wants(options.only, "postgres") and Postgres(folder).stop():
            stopped.append("postgres")
        _tell("stopped " + ", ".join(stopped) if stopped else "nothing was running")


def _remove(folder, _options):
    with folder.locked():
        kafka = Kafka(folder)
        for number in kafka.begun():
            kafka.remove(number)
        postgres = Postgres(folder)
        postgres.stop()
        postgres.remove()
        for pattern in ("postgres.*", "kafka-*.*", "kafka.ports", "kafka.settings"):
            for file in folder.path.glob(pattern):
                file.unlink()


def _status(folder, _options):
    kafka = Kafka(folder)
    found = [(kafka.daemon(n), kafka.address(n)) for n in kafka.brokers()]
    if folder.has_postgres():
        postgres = Postgres(folder)
        found.insert(0, (postgres.daemon, postgres.address()))
    if not found:
        _tell(f"nothing was started in {folder.path}. Run: ops/services start")
    for daemon, address in found:
        pid = daemon.pid()
        print(f"{daemon.name:<10} {f'running, pid {pid}' if pid else 'stopped':<22} {address}")
    return 0 if found and all(daemon.pid() for daemon, _ in found) else FAILED


def _env(folder, _options):
    lines = []
    if folder.has_postgres():
        lines.append(f"DATABASE_URL={Postgres(folder).url()}")
    if folder.brokers():
        lines.append(f"KAFKA_BOOTSTRAP={Kafka(folder).bootstrap()}")
    if not lines:
        raise ServiceError(f"nothing was started in {folder.path}. Run: ops/services start")
    print("\n".join(lines))


def main():
    options = _parser().parse_args()
    verbs = {"start": _start, "stop": _stop, "status": _status, "env": _env, "remove": _remove}
    try:
        if options.verb == "fetch":
            kafka_module.fetch(_tell)
            return 0
        return verbs[options.verb](Folder(options.dir), options) or 0
    except ServiceError as error:
        _tell(error)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
