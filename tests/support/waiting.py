"""Waiting with a deadline: a condition that never comes true is a failure with a name."""

import time


def wait_until(condition, what, patience_s=30.0, pause_s=0.02):
    """Returns the first true value of `condition()`. An exception of it counts as false, and is
    told when the patience is over."""
    deadline = time.monotonic() + patience_s
    problem = None
    while True:
        try:
            value = condition()
            if value:
                return value
            problem = None
        except Exception as error:  # whatever it is, the condition does not hold yet
            problem = error
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {patience_s:g} s: {what}"
                                 + (f" (last error: {problem})" if problem else "")) from problem
        time.sleep(pause_s)
