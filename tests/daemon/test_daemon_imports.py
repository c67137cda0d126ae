"""What a process that stays, and wants none of this, does not pay for."""

import subprocess
import sys

SLOW = {"base64", "json", "logging", "selectors", "socket", "subprocess", "tempfile"}


def test_nothing_is_loaded_before_it_is_used() -> None:
    script = (
        "import sys; from syncer.daemon import events, hooks, notify\n"
        "notify.Supervisor.take({}, 1).ready()\n"
        "print(*sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    modules = set(ended.stdout.split())
    assert "syncer.daemon.hooks" in modules
    assert modules.isdisjoint(SLOW)
