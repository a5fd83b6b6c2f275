# SPDX-License-Identifier: Apache-2.0
"""Waiting for conditions with a deadline. Nothing in the tests sleeps to let time pass."""

import os
import time

# Sanitizer builds and crowded machines are slower: WARREN_TEST_SLOW=4 makes every deadline four
# times as long. It changes no expectation.
SLOW = max(1.0, float(os.environ.get("WARREN_TEST_SLOW", "1")))
STEP_S = 0.015
FIRST_STEP_S = 0.002


def deadline(seconds):
    return time.monotonic() + seconds * SLOW


def left(end):
    """Seconds until the deadline, 0 after it."""
    return max(0.0, end - time.monotonic())


def until(condition, seconds, what, step_s=STEP_S):
    """Polls until 'condition()' is true and returns its value; fails after 'seconds' naming
    'what'. Without a step of one's own the first looks follow one another faster: most conditions
    hold at once or soon."""
    end = deadline(seconds)
    latest = end + 2 * seconds * SLOW
    pause_s = FIRST_STEP_S if step_s == STEP_S else step_s
    while True:
        value = condition()
        if value:
            return value
        before = time.monotonic()
        if before >= min(end, latest):
            raise AssertionError("not within %g s: %s (last value: %r)"
                                 % (seconds * SLOW, what, value))
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, step_s)
        # while we did not run, the program may not have run either: that time does not count
        end += max(0.0, time.monotonic() - before - 2 * step_s)


def steady(condition, seconds, what, step_s=STEP_S):
    """Fails as soon as 'condition()' is false within the next 'seconds' (not stretched by SLOW)."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert condition(), "ceased to hold: " + what
        time.sleep(step_s)


def unless_stalled(seconds, attempt, times=3):
    """Runs 'attempt', which races one of the protocol's own timers, and returns its value. If it
    fails after more than 'seconds' the machine has stalled, the timer won, and it is tried again;
    a failure before that is one. 'attempt' starts from scratch each time."""
    for turn in range(times):
        begun = time.monotonic()
        try:
            return attempt()
        except (AssertionError, OSError):
            if turn + 1 == times or time.monotonic() - begun <= seconds:
                raise
    return None
