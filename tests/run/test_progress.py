import io
import os
import pty
import subprocess
import sys

import pytest

from parsimony.run import Progress
from parsimony.run.progress import _rate, say

CODE = """
import sys, time
from parsimony.run import Progress
from parsimony.run.progress import say
quiet = "quiet" in sys.argv
with Progress(30, "epoch 1/5", quiet=quiet) as progress:
    for _ in range(30):
        time.sleep(0.02)
        with Progress(2, "inner step", quiet=quiet) as inner:
            inner.advance(2)
        progress.advance(1, loss=0.125)
    say("what stays", quiet=quiet)
"""


def on_a_terminal(*arguments):
    main, other = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen([sys.executable, "-c", CODE, *arguments], stderr=other,
                               stdout=subprocess.PIPE, env=environment)  # fmt: skip
    os.close(other)
    parts = []
    try:
        while part := os.read(main, 65536):
            parts.append(part)
    except OSError:
        pass  # Linux tells the end of a terminal so
    os.close(main)
    out, _ = process.communicate()
    assert process.returncode == 0
    assert out == b"", "progress is for stderr"
    return b"".join(parts).decode()


def test_a_terminal_sees_label_count_rate_and_remaining_time():
    text = on_a_terminal()
    for part in ("epoch 1/5", "/30", "/s", "0:00:", "loss 0.125"):
        assert part in text
    assert "inner step" not in text, "two bars tear each other's lines"
    assert "what stays\r\n" in text, "above the bar"


def test_quiet_is_silent_even_on_a_terminal():
    assert on_a_terminal("quiet") == ""


def test_a_pipe_sees_no_bar_but_the_lines_that_stay():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"what stays\n")


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_without_a_terminal(monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress(0, "nothing") as progress:
        progress.advance(3, loss=1.0)
    say("nothing", quiet=True)
    assert stream is None or stream.getvalue() == ""
    say("\x1b[31mred")
    assert stream is None or "\x1b" not in stream.getvalue()


def test_a_notebook_sees_a_bar_that_goes_away(monkeypatch):
    """As a kernel does it: one output, updated in place, nothing left behind."""
    seen = []

    class Handle:
        def update(self, shown):
            seen.append(shown._repr_html_())

    def display(shown, *, display_id):
        assert display_id is True
        seen.append(shown._repr_html_())
        return Handle()

    pytest.importorskip("IPython")
    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr("parsimony.run.progress._in_notebook", lambda: True)
    monkeypatch.setattr("parsimony.run.notebook_bar._EVERY", 0.0)
    with Progress(2, "<b>epoch") as progress:
        with Progress(9, "inner") as inner:
            inner.advance(9)
        progress.advance(1, loss=0.125)
        progress.advance(1)
    assert 'value="0"' in seen[0] and "&lt;b&gt;epoch · 0/2" in seen[0]
    assert "1/2 · 0 s left · loss 0.125" in seen[1]
    assert "2/2" in seen[2] and seen[3:] == [""]
    assert not [one for one in seen if "inner" in one]
    with Progress(1, "again") as progress:
        progress.advance()
    assert len(seen) == 7


def test_rates():
    assert [_rate(x) for x in (12345.6, 10, 0.5, 0.01)] == [
        "12,346/s", "10/s", "2 s each", "1e+02 s each",
    ]  # fmt: skip
