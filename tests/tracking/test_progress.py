import io

import pytest
from rich.console import Console

from ntp.tracking.progress import ProgressReporter, format_seconds


def test_plain_lines_without_a_terminal():
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=False, width=200)
    with ProgressReporter("sft", 3, "theorems", console, line_every_s=0.0) as progress:
        for solved in range(3):
            progress.advance(note=f"[{solved}] solved")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("sft: 1/3 ")
    assert "theorems/s" in lines[0]
    assert lines[0].endswith("left, [0] solved")
    assert lines[-1].startswith("sft: 3/3 ")
    assert "left" not in lines[-1]


def test_plain_lines_are_spaced_but_the_last_one_is_always_written():
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=False)
    with ProgressReporter("sft", 500, "theorems", console, line_every_s=60.0) as progress:
        for _ in range(500):
            progress.advance()
    assert len(stream.getvalue().splitlines()) == 1


def test_a_bar_on_a_terminal():
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120)
    with ProgressReporter("sft", 2, "theorems", console) as progress:
        progress.advance(2)
    assert "2/2" in stream.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (3720, "1 h 02 min")]
)
def test_format_seconds(seconds, text):
    assert format_seconds(seconds) == text
