"""What a person sees: steps, a progress bar on a terminal or plain lines elsewhere, colours unless
NO_COLOR. All of it on stderr but the data that was asked for."""

import os
import sys
import time

_CODES = {"dim": "2", "green": "32", "yellow": "33", "red": "31", "bold": "1"}
_BAR_WIDTH = 30
_PLAIN_LINE_EVERY_S = 2.0


def paint(text, style, stream):
    if os.environ.get("NO_COLOR") or not stream.isatty():
        return text
    return f"\033[{_CODES[style]}m{text}\033[0m"


def tell(label, text):
    """A step that is done."""
    print(f"  {paint(f'{label:<14}', 'bold', sys.stderr)} {text}", file=sys.stderr, flush=True)


def say(text="", style=None):
    print(paint(text, style, sys.stderr) if style else text, file=sys.stderr, flush=True)


class Progress:
    """Counts up to `total`: drawn often on a terminal, a line every two seconds elsewhere."""

    def __init__(self, total):
        self._total = total
        self._terminal = sys.stderr.isatty()
        self._started_s = time.monotonic()
        self._last_line_s = self._started_s
        self._finished = False

    def show(self, committed, delivered):
        now_s = time.monotonic()
        text = self._text(committed, delivered, max(now_s - self._started_s, 0.001))
        if self._terminal:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
        elif now_s - self._last_line_s >= _PLAIN_LINE_EVERY_S:
            self._last_line_s = now_s
            print(text, file=sys.stderr, flush=True)

    def close(self, committed, delivered):
        """The last state stays on the screen."""
        self._last_line_s = 0
        self.show(committed, delivered)
        if self._terminal:
            print(file=sys.stderr)

    def _text(self, committed, delivered, elapsed_s):
        rate = delivered / elapsed_s
        known = delivered * 100 >= self._total  # before that the rate is only the start's
        left = f"{(self._total - delivered) / rate:.0f} s left" if known else "starting"
        counts = (f"{committed:,} committed, {delivered:,} of {self._total:,} arrived, "
                  f"{rate:,.0f}/s, {left}")
        if not self._terminal:
            return counts
        filled = _BAR_WIDTH * delivered // self._total
        return f"  [{'█' * filled}{'·' * (_BAR_WIDTH - filled)}] {counts}"
