"""Where a comparison is, and how long it will take."""

import io

import pytest

from keras_resample.compare.engine.progress import Progress, duration


class Clock:
    """Seconds that pass when the test says so."""

    now = 0.0

    def __call__(self):
        return self.now


def progress(report, **kwargs):
    clock, work = Clock(), {"cheap": 1.0, "dear": 3.0}
    return Progress(work, epochs=10, report=report, clock=clock, **kwargs), clock


def test_the_estimate_uses_what_was_measured():
    bar, clock = progress(lambda line: None)
    assert bar.seconds_left() is None
    bar.start()
    clock.now = 20.0
    bar.update("cheap", 5.0)
    # 5 of 40 units took 20 seconds.
    assert bar.fraction() == pytest.approx(5 / 40)
    assert bar.seconds_left() == pytest.approx(35 * 4)


def test_what_was_done_before_is_not_measured():
    bar, clock = progress(lambda line: None)
    bar.skip("cheap")
    bar.skip("dear", 5)
    clock.now = 100.0
    bar.start()
    clock.now = 106.0
    bar.update("dear", 7.0)
    assert bar.fraction() == pytest.approx((10 + 21) / 40)
    assert bar.seconds_left() == pytest.approx(9)


def test_a_log_gets_a_line_now_and_then():
    lines = []
    bar, clock = progress(lines.append)
    bar.start()
    for step in range(1, 101):
        clock.now = float(step)
        bar.update("cheap", step / 10, loss=1.5)
    assert len(lines) == 3
    assert lines[0].startswith("[1/2] cheap  epoch 4/10")
    assert "0:30 elapsed" in lines[0]
    assert "about 5:10 left" in lines[2]


def test_a_terminal_gets_one_line_that_is_redrawn():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    bar, clock = progress(print, stream=terminal)
    bar.start()
    for step in range(1, 11):
        clock.now = float(step)
        bar.update("cheap", float(step))
    assert "\n" not in terminal.getvalue()
    assert terminal.getvalue().count("\r") == 10


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (61, "1:01"), (3725.4, "1:02:05")])
def test_duration(seconds, text):
    assert duration(seconds) == text
