"""The scripted night: see night.py. Every event is delivered or a letter with its right cause;
after the mend a replay brings the rest, each key in order, and nothing is lost."""

from night import FOR_EVER, Night
from support import environment
from support.waiting import wait_until

EVENTS, KEYS, KILLS, OFF_S = (1_000_000, 10_000, 50, 60) if environment.soaking() else (
    12_000, 400, 6, 5)


def test_after_a_bad_night_every_event_is_delivered_or_a_letter_with_its_right_cause(tmp_path):
    with Night(tmp_path, EVENTS, KEYS) as night:
        night.relay.start()
        night.relay.wait_ready()
        night.write(0.1)
        for trouble in (night.delete_topic, night.take_right, night.lower_limit):
            trouble()
            for _ in range(KILLS // 6):
                night.write(0.2 / (KILLS // 6))
                night.kill()
        night.broker_off(OFF_S)
        night.write(1)
        patience_s = 60 + EVENTS / 500
        wait_until(night.settled, "all is delivered or a letter", patience_s, pause_s=0.5)
        assert night.wrong_causes() == []
        assert night.refused_by_the_broker() > 0
        by_night = night.letters("dead", "held", "parked")

        night.mend()
        assert night.replay() is not None
        for _ in range(KILLS - night.kills):
            night.kill()
        wait_until(night.at_rest, "what can be mended is delivered", patience_s, pause_s=1)
        assert set(night.letters("dead", "held", "parked")) <= FOR_EVER | {None}
        lost, disordered, repeats = night.judge()
        code, summary = night.verified()
        print(f"{EVENTS} events, {sum(by_night.values())} letters: {dict(by_night)},"
              f" {night.kills} kills, {repeats} repeats")
        assert (lost, disordered) == (0, 0)
        assert code == 0 and (summary["lost"], summary["out_of_order"]) == (0, 0), summary
