"""Progress: quiet where nobody looks, late where nothing takes long, and never in the way."""

import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from syncer.cli.progress import Counting, Silent, Tally, progress
from syncer.reconcile.identity import INBOX

ROOT = Path(__file__).parent.parent.parent

PROGRAM = """
import sys, time
from syncer.cli.progress import progress
from syncer.reconcile.identity import INBOX
with progress(wanted=True, patience={patience}) as heard:
    heard.mailboxes("work", 2)
    heard.looked("work", INBOX)
    heard.planned("work", 10, 1000)
    heard.transferred("work", 5, 500)
    time.sleep(0.5)
print("rich" in sys.modules)
"""


def on_a_terminal(patience: float, **environ: str) -> tuple[str, str]:
    """What the program prints and what the terminal shows."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(patience=patience)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=slave,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "160"} | environ,
    )
    os.close(slave)
    shown = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # Linux's word for a terminal that nobody holds any more
            break
        shown += chunk
    os.close(master)
    out, _ = process.communicate(timeout=10)
    return out.decode(), shown.decode()


def test_a_long_pass_is_drawn() -> None:
    loaded, shown = on_a_terminal(0.05)
    assert loaded == "True\n"
    for part in ("work", "1/2 mailboxes", "5/10 messages", "0.5/1.0 kB"):
        assert part in shown
    assert shown.endswith(("\x1b[?25h", "\x1b[2K", "\x1b[1A\x1b[2K"))


def test_a_short_pass_does_not_load_rich() -> None:
    assert on_a_terminal(5) == ("False\n", "")


def test_a_dumb_terminal_is_left_alone() -> None:
    assert on_a_terminal(0.05, TERM="dumb") == ("False\n", "")


@pytest.mark.parametrize("wanted", [True, False])
def test_nothing_is_drawn_where_there_is_no_terminal(wanted: bool) -> None:
    with progress(wanted=wanted) as heard:
        assert isinstance(heard, Silent)
        heard.mailboxes("work", 1)
        heard.looked("work", INBOX)
        heard.planned("work", 1, 1)
        heard.transferred("work", 1, 1)


def test_what_several_threads_say_adds_up() -> None:
    counting = Counting()

    def work() -> None:
        for _ in range(1000):
            counting.mailboxes("work", 1)
            counting.looked("work", INBOX)
            counting.planned("work", 2, 3)
            counting.transferred("work", 1, 2)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counting.tallies() == {"work": Tally(4000, 4000, 8000, 12000, 4000, 8000)}
