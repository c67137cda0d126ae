"""The benchmark of programs that stay, tiny: what it reports has really happened."""

import json
import os
import pathlib
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator

import pytest
from servers.dovecot import Dovecot

from bench import maildirs
from bench.accounts import Mailserver
from bench.mail import letters
from bench.proxy import Proxy
from bench.stage import NotReadyError
from bench.watching import scene
from bench.watching.__main__ import main
from bench.watching.books import difference
from bench.watching.edits import Amount, Editors
from bench.watching.inotify import CREATED, MOVED_HERE, Directories
from bench.watching.outages import kill
from bench.watching.running import Effort, Running
from bench.watching.sides import Far, Near


@pytest.fixture
def short_directory() -> Iterator[pathlib.Path]:
    """Where the server's sockets find room: pytest's own paths are too long for them."""
    with tempfile.TemporaryDirectory(prefix="bench-test-") as name:
        directory = pathlib.Path(name)
        directory.chmod(0o755)  # the server's own user goes through here
        yield directory


@pytest.mark.dovecot
def test_every_row_is_measured_and_reported(
    tmp_path: pathlib.Path,
    short_directory: pathlib.Path,
    dovecot: Dovecot,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scene, "REST", 0.5)
    options = "--watchers syncer-notify --scale 0.02 --rtt 1 --samples 2 --idle 2 --away 1 --hole 1 --ends 2"
    status = main([*options.split(), "--out", str(tmp_path), "--work", str(short_directory)])
    cells = json.loads((tmp_path / "watch.json").read_text())["cells"]
    assert [(cell["key"], cell["outcome"], cell["reason"]) for cell in cells] == [
        (key, "ok", "") for key in ("L1", "L2", "L3", "L4", "L5", "L5", "L6")
    ]
    assert status == 0
    arrivals, flags, storm, idle, killed, hole, ends = cells
    assert all(sample["announced"] > 0 and sample["arrived"] > 0 for sample in arrivals["samples"])
    assert arrivals["figures"]["commands"]["UID FETCH"] >= 2, "each message was fetched"
    assert [sample["arrived"] > 0 for sample in flags["samples"]] == [True, True]
    assert (storm["figures"]["renames"], storm["figures"]["missed"]) == (200, 0)
    assert storm["figures"]["by_name"]["UID STORE"] >= 1
    assert idle["figures"]["rss"] > 5e6
    assert idle["figures"]["threads"] >= 2
    assert [(each["figures"]["outage"], each["figures"]["amiss"]) for each in (killed, hole)] == [
        ("killed", 0),
        ("black hole", 0),
    ]
    assert [(end["kind"], end["amiss"]) for end in ends["figures"]["ends"]] == [("work", []), ("idle", [])]
    assert "| **L6** |" in capsys.readouterr().out
    assert (tmp_path / "WATCH.md").read_text().count("\n## L") == 6
    assert list(short_directory.iterdir()) == [], "everything is cleared away"


@pytest.mark.dovecot
def test_two_people_edit_and_it_is_known_what_both_sides_have_to_hold(
    tmp_path: pathlib.Path, short_directory: pathlib.Path, dovecot: Dovecot
) -> None:
    mailboxes = ("INBOX", "Sent")
    server = Mailserver.start(short_directory, 1)
    try:
        with server.wire("ada") as wire:
            wire.ask("CREATE Sent")
            for number, mailbox in enumerate(mailboxes):
                made = list(letters(number, [1_300] * 40))
                wire.append(mailbox, made)
                for part in ("cur", "new", "tmp"):
                    (tmp_path / mailbox / part).mkdir(parents=True)
                maildirs.deliver(tmp_path / mailbox, made, number)
        near, far = Near(tmp_path), Far(lambda: server.wire("ada"))
        before = near.read(mailboxes)
        assert before == far.read(mailboxes)

        amount = Amount(flags=5, new=3, moves=2)
        here = Editors(near, far, mailboxes, random.Random(1))
        here.here(amount)
        assert difference(here.want, near.read(mailboxes)).nothing
        missing = difference(here.want, far.read(mailboxes))
        assert (len(missing.lost), len(missing.doubled), len(missing.wrong)) == (3, 0, 7)

        there = Editors(Near(tmp_path), far, mailboxes, random.Random(2))
        there.want = {mailbox: Counter(messages) for mailbox, messages in before.items()}
        signs = far.sign(mailboxes)
        there.there(Amount(flags=5, new=3, moves=2, expunged=4))
        assert difference(there.want, far.read(mailboxes)).nothing
        missing = difference(there.want, before)
        assert (len(missing.lost), len(missing.doubled), len(missing.wrong)) == (3, 4, 7)
        assert far.sign(mailboxes) != signs

        kill(server.dovecot)
        with pytest.raises(OSError, match="refused"):
            far.read(mailboxes)
        server.dovecot.start()
        assert difference(there.want, far.read(mailboxes)).nothing
    finally:
        server.dovecot.stop()


def test_directories_tell_what_came_and_what_was_moved_there(tmp_path: pathlib.Path) -> None:
    new, cur = tmp_path / "new", tmp_path / "cur"
    new.mkdir()
    cur.mkdir()
    with Directories([new, cur], CREATED | MOVED_HERE) as directories:
        assert directories.take() == []
        (new / "a").write_bytes(b"x")
        os.rename(new / "a", cur / "a:2,S")
        found = directories.wait(60)
        assert [(happened.directory, happened.name) for happened in found] == [(new, "a"), (cur, "a:2,S")]
    with pytest.raises(FileNotFoundError):
        Directories([tmp_path / "nowhere"], CREATED)


class TestRunning:
    def test_counts_the_children_that_have_ended_and_ends_on_demand(self, tmp_path: pathlib.Path) -> None:
        child = f"{sys.executable} -c 'sum(range(3_000_000))'"
        with Running(["sh", "-c", f"{child}; echo done; exec sleep 600"], tmp_path) as running:
            while "done" not in running.said():
                assert running.status(0.01) is None
            found = running.effort()
            assert (found.cpu > 0, found.rss > 0, len(found.switches)) == (True, True, 1)
        assert (running.status(), running.effort()) == (-15, Effort())

    def test_who_ends_by_itself_does_not_settle(self, tmp_path: pathlib.Path) -> None:
        with Proxy(1, 0) as proxy, Running(["sh", "-c", "echo no; exit 3"], tmp_path) as running:
            assert running.status(60) == 3
            with pytest.raises(NotReadyError, match="status 3: no"):
                running.settle(proxy, seconds=1, limit=60)
