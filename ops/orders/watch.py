"""Orders as they happen: one line for each event when it arrives, with how long that took."""

import queue
import random
import sys
import time

from .arrivals import Arrivals
from .conclusion import conclude
from .screen import paint, say
from .shop import Shop
from .stage import TOPIC, shown

_PATIENCE_S = 10.0


def run(stage, total=None):
    """A few orders a second until Ctrl-C, or until `total` committed events were shown."""
    print_hints(stage)
    if total is None:
        say("Each line is an event that came back from Kafka. Ctrl-C ends the demo.", "dim")
    arrived = queue.Queue()
    arrivals = Arrivals(TOPIC, stage.bootstrap,
                        lambda record, now_s: arrived.put((record, now_s)))
    shop = Shop(stage.database, number=1)
    pace = random.Random()
    committed = 0
    try:
        while total is None or committed < total:
            written = shop.transaction()
            committed += sum(w.committed for w in written)
            _show(written, arrived, stage)
            time.sleep(pace.uniform(0.05, 0.45))
        return conclude(stage, shop.written, arrivals)
    except BaseException:
        arrivals.abandon()
        raise
    finally:
        shop.close()


def print_hints(stage):
    say()
    say(f"Try in another terminal, after:  . {shown(stage.env_file)}", "bold")
    for label, line in [
            ("the rows", "psql \"$DATABASE_URL\" -c 'table outbox.event limit 5'"),
            ("the topic", f"kcat -C -b $KAFKA_BOOTSTRAP -t {TOPIC} -f '%p@%o  %k  %s\\n'"),
            ("the relay", stage.command("status --watch")),
            ("its metrics", f"curl http://127.0.0.1:{stage.relay.admin_port}/metrics")]:
        say(f"  {label:<12} {line}")
    say()


def _show(written, arrived, stage):
    """Waits for each committed event of the transaction and shows it."""
    open_events = {w.event.id: w for w in written if w.committed}
    for lost in (w for w in written if not w.committed):
        _line(lost, paint("rolled back, so it must not arrive", "yellow", sys.stdout))
    deadline = time.monotonic() + _PATIENCE_S
    while open_events:
        try:
            record, now_s = arrived.get(timeout=0.2)
        except queue.Empty:
            if not stage.relay.running():
                raise RuntimeError(f"the relay ended:\n{stage.relay.log_tail()}") from None
            if time.monotonic() > deadline:
                for late in open_events.values():
                    _line(late, paint("committed, not arrived yet", "red", sys.stdout))
                return
            continue
        if sent := open_events.pop(record.event_id, None):
            took = paint(f"{(now_s - sent.at_s) * 1000:.1f} ms", "green", sys.stdout)
            where = f"{record.topic}[{record.partition}]@{record.offset}"
            _line(sent, f"committed → {where:<22} {took}")


def _line(written, text):
    print(f"{time.strftime('%H:%M:%S')}  order {written.order:<6} {written.what:<8} {text}",
          flush=True)
