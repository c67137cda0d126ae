"""The benchmark from end to end, tiny: what it reports has really happened."""

import json
import pathlib
import sys
import tempfile
from collections.abc import Iterator

import pytest
from servers.dovecot import Dovecot

from bench.__main__ import main
from bench.floor import write_durably
from bench.measure import measured

pytestmark = pytest.mark.dovecot


@pytest.fixture
def short_directory() -> Iterator[pathlib.Path]:
    """Where the server's sockets find room: pytest's own paths are too long for them."""
    with tempfile.TemporaryDirectory(prefix="bench-test-") as name:
        directory = pathlib.Path(name)
        directory.chmod(0o755)  # the server's own user goes through here
        yield directory


def test_a_workload_runs_and_is_reported(
    tmp_path: pathlib.Path, short_directory: pathlib.Path, dovecot: Dovecot, capsys: pytest.CaptureFixture[str]
) -> None:
    work = short_directory
    options = ["--only", "W4", "--scale", "0.001", "--repeat", "1", "--rtt", "1", "--contenders", "syncer"]
    status = main([*options, "--out", str(tmp_path / "out"), "--work", str(work)])
    (row,) = json.loads((tmp_path / "out" / "results.json").read_text())["rows"]
    (run,) = row["runs"]["syncer"]
    assert (status, run["outcome"], run["reason"]) == (0, "ok", "")
    assert run["counts"]["connections"] >= 1
    assert run["counts"]["to_client"] > 5 * 2_000, "five new messages of 2 kB"
    assert run["counts"]["commands"]["LOGIN"] == run["counts"]["connections"]
    assert row["floor"]["network"] > 0
    assert "| **W4** |" in capsys.readouterr().out
    assert (tmp_path / "out" / "RESULTS.md").read_text()
    assert list(work.iterdir()) == [], "everything is cleared away"


def test_the_disk_floor_writes_what_it_says(tmp_path: pathlib.Path) -> None:
    write_durably(tmp_path, [[5, 700], [3] * 600])
    sizes = sorted(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert sizes == sorted([5, 700, *[3] * 600])
    assert not list(tmp_path.glob("*/tmp/*"))


def test_a_command_is_measured_and_stopped_at_its_limit(tmp_path: pathlib.Path) -> None:
    sleeps = measured(["sh", "-c", "echo begun; exec sleep 60"], tmp_path, limit=0.5)
    assert (sleeps.late, sleeps.status, sleeps.said) == (True, -9, "begun\n")
    fails = measured(["sh", "-c", "echo no >&2; exit 3"], tmp_path, limit=60)
    assert (fails.late, fails.status, fails.said) == (False, 3, "no\n")
    assert measured(["there-is-no-such-program"], tmp_path, limit=60).status == 127
    large = measured([sys.executable, "-c", "x = bytes(1) * 100_000_000"], tmp_path, limit=60)
    assert large.rss > 100_000_000 > fails.rss
