"""`--events`: lines for followers, in the journal's words, and readers that leave, sleep, or are slow."""

import io
import json
import logging
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from waiting import eventually

from syncer.cli.log import as_json
from syncer.daemon.events import Buffer, Stream, dropped_line, event_line
from syncer.index import open_index
from syncer.index.journal import read_journal
from syncer.reconcile.events import VERBS, Event
from syncer.reconcile.identity import INBOX, MailboxName, Uid, UniqueName

NOW = 1_700_000_000
ISO = "2023-11-14T22:13:20Z"
SENT = Event(INBOX, "flags sent", "changed in the Maildir", [Uid(7), Uid(8)], detail="+\\Seen")
UPLOADED = Event(
    MailboxName("Entwürfe"), "uploaded", "new in the Maildir", [Uid(9), Uid(8)], [UniqueName("2.b"), UniqueName("1.a")]
)


@pytest.fixture
def pipe() -> Iterator[tuple[io.BufferedReader, int]]:
    reader, writer = os.pipe()
    with open(reader, "rb") as file:
        yield file, writer
    os.close(writer)


def test_a_line_tells_what_was_done_to_which_messages_and_why() -> None:
    assert json.loads(event_line(NOW, "work", UPLOADED, ["/m/1.a", "/m/2.b:2,S"])) == {
        "at": ISO,
        "account": "work",
        "mailbox": "Entwürfe",
        "event": "uploaded",
        "reason": "new in the Maildir",
        "detail": "",
        "messages": 2,
        "uids": "8:9",
        "names": ["1.a", "2.b"],
        "paths": ["/m/1.a", "/m/2.b:2,S"],
    }


def test_a_line_is_one_line_of_ascii_whatever_the_names() -> None:
    name = UniqueName(os.fsdecode(b"1.\xff\n"))
    line = event_line(NOW, "work", Event(INBOX, "recognised", "r", names=[name]), [f"/m/{name}"])
    assert (line.isascii(), line.count(b"\n"), line[-1:]) == (True, 1, b"\n")
    told = json.loads(line)
    assert {key: value for key, value in told.items() if "name" in key or "path" in key} == {
        "names": ["1.\ufffd\n"],
        "names_base64": ["MS7/Cg=="],
        "paths": ["/m/1.\ufffd\n"],
        "paths_base64": ["L20vMS7/Cg=="],
    }


@pytest.mark.parametrize("verb", VERBS)
def test_a_line_says_the_same_as_the_journal(tmp_path: Path, verb: Any) -> None:
    events = [
        Event(INBOX, verb, "because", [Uid(9), Uid(3), Uid(4)], [UniqueName("c"), UniqueName("b"), UniqueName("a")]),
        Event(MailboxName("A/B"), verb, "so", uids=[Uid(2), Uid(1)], detail="to Trash"),
        Event(MailboxName("A/B"), verb, "so", names=[UniqueName("z"), UniqueName("y")]),
    ]
    path = tmp_path / "i.db"
    with closing(open_index(path, "test")) as index:
        for event in events:
            index.tell(NOW, event)
        index.add_mailbox(INBOX)
    journal = [as_json(told) for told in read_journal(path)]
    lines = [json.loads(event_line(NOW, "work", event)) for event in events]
    assert len(journal) == 3
    for told, line in zip(journal, lines, strict=True):
        assert (told.pop("sync"), told.pop("at"), line.pop("at"), line.pop("account")) == (1, NOW, ISO, "work")
        assert {"done": line.pop("event"), **line} == told


def test_what_fits_is_kept_in_order() -> None:
    buffer = Buffer(10)
    for line in (b"one\n", b"two\n"):
        buffer.put(NOW, line)
    assert [buffer.take(NOW) for _ in range(3)] == [b"one\n", b"two\n", None]


def test_in_place_of_what_does_not_fit_is_told_how_much_it_was() -> None:
    buffer = Buffer(200)
    for number in range(100):
        buffer.put(NOW, b"%07d\n" % number)
    assert [buffer.take(NOW) for _ in range(20)] == [b"%07d\n" % number for number in range(20)]
    buffer.put(NOW + 1, b"after\n")
    taken = [buffer.take(NOW) for _ in range(11)]
    assert taken[5:8] == [dropped_line(NOW + 1, 75), b"after\n", None]
    assert json.loads(taken[5] or b"") == {
        "at": "2023-11-14T22:13:21Z",
        "account": None,
        "mailbox": None,
        "event": "dropped",
        "lines": 75,
    }


def test_it_is_told_also_if_nothing_more_happens_and_only_once() -> None:
    buffer = Buffer(4)
    for line in (b"one\n", b"two\n", b"three\n"):
        buffer.put(NOW, line)
    assert [buffer.take(NOW) for _ in range(3)] == [b"one\n", dropped_line(NOW, 2), None]


def test_a_reader_that_slept_gets_all_the_room_again() -> None:
    buffer = Buffer(100)
    for _ in range(50):
        for number in range(30):
            buffer.put(NOW, b"%03d\n" % number)
        taken = list(iter(lambda: buffer.take(NOW), None))
        assert taken == [*(b"%03d\n" % number for number in range(25)), dropped_line(NOW, 5)]


def test_a_line_longer_than_all_the_room_is_dropped() -> None:
    buffer = Buffer(4)
    buffer.put(NOW, b"longer\n")
    assert [buffer.take(NOW), buffer.take(NOW)] == [dropped_line(NOW, 1), None]


def test_a_follower_reads_each_line_as_it_comes(pipe: tuple[io.BufferedReader, int]) -> None:
    reader, writer = pipe
    stream = Stream(writer)
    for event in (SENT, UPLOADED):
        stream.put(NOW, "work", event)
        assert reader.readline() == event_line(NOW, "work", event)
    stream.close()
    assert not stream.put(NOW, "work", SENT)
    os.set_blocking(reader.fileno(), False)
    assert reader.read() is None


def test_everything_is_written_before_it_ends(tmp_path: Path) -> None:
    with open(tmp_path / "events", "wb") as file:
        stream = Stream(file.fileno())
        for number in range(5000):
            stream.put(NOW + number, "work", SENT)
        stream.close(patience=60)
    lines = (tmp_path / "events").read_bytes()
    assert lines == b"".join(event_line(NOW + number, "work", SENT) for number in range(5000))


def test_a_reader_that_goes_away_ends_the_stream_and_nothing_else(
    pipe: tuple[io.BufferedReader, int], caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = pipe
    stream = Stream(writer)
    stream.put(NOW, "work", SENT)
    assert reader.readline()
    assert not stream.ended
    reader.close()
    stream.put(NOW, "work", SENT)
    eventually(lambda: stream.ended)
    stream.put(NOW, "work", SENT)
    stream.close()
    assert caplog.records == []


def test_a_disk_that_is_full_is_a_warning_and_ends_the_stream(caplog: pytest.LogCaptureFixture) -> None:
    with open("/dev/full", "wb", buffering=0) as file:
        stream = Stream(file.fileno())
        stream.put(NOW, "work", SENT)
        eventually(lambda: stream.ended)
        stream.close()
    told = [(record.levelno, record.getMessage()) for record in caplog.records]
    complaint = "--events: no more lines, they cannot be written: [Errno 28] No space left on device"
    assert told == [(logging.WARNING, complaint)]


@pytest.mark.parametrize("blocking", [True, False])
def test_a_reader_that_does_not_read_keeps_nobody_waiting_and_learns_what_it_missed(
    pipe: tuple[io.BufferedReader, int], *, blocking: bool
) -> None:
    reader, writer = pipe
    os.set_blocking(writer, blocking)
    stream = Stream(writer, octets=10_000)
    sent = 5000
    for number in range(sent):
        stream.put(NOW, str(number), SENT)
    expected = missed = 0
    while expected < sent:
        line = json.loads(reader.readline())
        if "lines" in line:
            missed += line["lines"]
            expected += line["lines"]
        else:
            assert line["account"] == str(expected)
            expected += 1
    assert (expected, 0 < missed < sent) == (sent, True)
    stream.put(NOW, "again", SENT)
    assert reader.readline() == event_line(NOW, "again", SENT)
    stream.close()


def test_a_reader_that_does_not_read_does_not_keep_it_from_ending(pipe: tuple[io.BufferedReader, int]) -> None:
    reader, writer = pipe
    stream = Stream(writer)
    for _ in range(5000):
        stream.put(NOW, "work", SENT)
    stream.close(patience=0.2)
    assert not stream._thread.is_alive()
    os.set_blocking(reader.fileno(), False)
    *lines, rest = (reader.read() or b"").split(b"\n")
    line = event_line(NOW, "work", SENT).removesuffix(b"\n")
    assert set(lines) == {line}
    assert line.startswith(rest)
