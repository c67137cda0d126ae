"""The soak's book is exact, its curve is judged rightly, its line does what it says, and a short soak holds."""

import json
import random
import socket
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from servers.dovecot import Dovecot

from torture import tables
from torture.soak.__main__ import run
from torture.soak.book import BOTH, DELETED, LEFT, SIDES, Book, Copy, Deed, differences
from torture.soak.drawing import draw
from torture.soak.faults import FAULTS, deck
from torture.soak.link import Link
from torture.soak.outcome import Outcome
from torture.soak.pace import gaps
from torture.soak.running import Plan
from torture.soak.samples import Flatness, Sample, flatness

SEEN = frozenset({"\\Seen"})


def filled(messages: int = 60) -> Book:
    book, rng = Book(messages), random.Random(1)
    book.mailboxes = dict.fromkeys(("INBOX", "Archive", "Archive/a", "B"), BOTH)
    for number in range(messages):
        book.record(book.new(rng, "server", [*book.mailboxes][number % 4]))
    book.settle()
    return book


def copies(book: Book) -> list[Copy]:
    return [(mailbox, token, flags) for mailbox, held in book.expected().items() for token, flags in held.items()]


class TestTheBook:
    def test_what_one_side_has_touched_the_other_leaves_alone_until_the_quiet_point(self) -> None:
        book, rng = filled(), random.Random(2)
        for _ in range(20):
            owners: dict[str, str] = {}
            for _ in range(200):
                side = rng.choice(SIDES)
                deed = book.propose(rng, side)
                if deed is None:
                    continue
                assert side in book.mailboxes.get(deed.mailbox, {side})
                if deed.target:
                    assert side in book.mailboxes[deed.target]
                if deed.token:
                    assert owners.setdefault(deed.token, side) == side
                book.record(deed)
            book.settle()
        assert book.made > 0

    def test_no_mailbox_loses_more_than_the_guards_let_through(self) -> None:
        book, rng = filled(), random.Random(3)
        gone: Counter[tuple[str, str]] = Counter()
        for _ in range(3_000):
            deed = book.propose(rng, rng.choice(SIDES))
            if deed is None:
                continue
            book.record(deed)
            if deed.kind == "delete":
                gone[deed.side, deed.mailbox] += 1
                left = sum(deed.mailbox in message.places for message in book.messages.values())
                assert left >= LEFT
                assert gone[deed.side, deed.mailbox] <= DELETED * (left + 1 + gone[deed.side, deed.mailbox])
            if rng.random() < 0.02:
                book.settle()
        assert gone

    def test_nothing_is_done_that_cannot_be_told_apart_afterwards(self) -> None:
        book, rng = filled(), random.Random(4)
        copied, moved, worded = set(), set(), set()
        for _ in range(500):
            deed = book.propose(rng, "local")
            if deed is None:
                continue
            if deed.kind in {"move", "copy"}:
                assert deed.token not in copied | worded
            (copied if deed.kind == "copy" else moved if deed.kind == "move" else set()).add(deed.token)
            if deed.kind == "flags" and (deed.add | deed.remove) & {"work", "todo", "NonJunk"}:
                assert deed.token not in copied | moved
                worded.add(deed.token)
            book.record(deed)
        assert copied
        assert moved
        assert worded

    def test_deeds_change_what_is_expected(self) -> None:
        book = Book(10)
        book.mailboxes = dict.fromkeys(("INBOX", "B", "C"), BOTH)
        for token, mailbox in (("a", "INBOX"), ("b", "INBOX"), ("c", "B"), ("d", "INBOX")):
            book.record(Deed("server", "new", mailbox, token))
        book.settle()
        book.record(Deed("local", "flags", "INBOX", "a", add=SEEN))
        book.record(Deed("local", "move", "INBOX", "a", "C"))
        book.record(Deed("server", "copy", "INBOX", "b", "C"))
        book.record(Deed("server", "delete", "INBOX", "d"))
        book.record(Deed("local", "rename", "B", target="D"))
        book.record(Deed("local", "create", "E"))

        none: frozenset[str] = frozenset()
        assert book.expected() == {"INBOX": {"b": none}, "C": {"a": SEEN, "b": none}, "D": {"c": none}, "E": {}}
        assert book.mailboxes == {"INBOX": BOTH, "C": BOTH, "D": frozenset(), "E": frozenset({"local"})}
        assert book.rename(random.Random(1), "server") is None

    def test_every_difference_is_told_in_words(self) -> None:
        book = Book(10)
        book.mailboxes = dict.fromkeys(("INBOX", "B"), BOTH)
        for token in "abcde":
            book.record(Deed("server", "new", "INBOX", token))
        assert differences(book, "local", {"INBOX", "B"}, copies(book)) == []

        none: frozenset[str] = frozenset()
        found = [
            ("INBOX", "a", none),
            ("INBOX", "b", SEEN),
            ("INBOX", "c", none),
            ("INBOX", "c", none),
            ("X", "d", none),
        ]
        assert differences(book, "local", {"INBOX", "X"}, [*found, ("X", "z", none)]) == [
            "local: a mailbox X too many",
            "local: doubled: c is in INBOX 2 times",
            "local: flags: b in INBOX has ['\\\\Seen'], not []",
            "local: lost: e in INBOX",
            "local: no mailbox B",
            "local: not in its place: d in INBOX",
            "local: too many: d in X",
            "local: too many: z in X",
        ]


def test_there_are_bursts_and_pauses_and_all_between() -> None:
    found = list(islice(gaps(random.Random(5)), 2_000))
    assert 0.0 in found
    assert any(0 < gap <= 0.5 for gap in found)
    assert any(1 <= gap <= 3 for gap in found)
    assert any(gap > 3 for gap in found)
    assert max(found) <= 10


def test_every_fault_comes_as_often_as_the_others() -> None:
    names = {fault.name for fault in FAULTS}
    dealt = Counter(fault.name for fault in islice(deck(random.Random(6), names), 5 * len(names)))
    assert dealt == dict.fromkeys(names, 5)
    assert list(deck(random.Random(6), ())) == []


class TestTheCurve:
    @staticmethod
    def life(number: int, begin: int, rss: list[int], descriptors: int = 20) -> Iterator[Sample]:
        for place, octets in enumerate(rss):
            yield Sample(begin + 600 * place, number, octets, descriptors, 9, 1.0 * place)

    def test_the_last_quarter_of_the_last_life_is_compared_with_its_second(self) -> None:
        samples = [*self.life(1, 0, [10, 20, 30]), *self.life(2, 1_800, [50, 100, 100, 100, 100, 105, 105, 105, 105])]
        assert flatness(samples) == Flatness((100, 105), (20, 20), (9, 9), flat=True)

    def test_what_grows_by_more_than_a_tenth_is_not_flat(self) -> None:
        found = flatness([*self.life(1, 0, [50, 100, 100, 100, 100, 111, 111, 111, 111])])
        assert found
        assert not found.flat

    def test_descriptors_that_are_left_open_are_not_flat(self) -> None:
        samples = [*self.life(1, 0, [100] * 5), *self.life(1, 3_000, [100] * 4, descriptors=23)]
        found = flatness(samples)
        assert found
        assert not found.flat

    def test_nothing_is_said_of_a_short_life(self) -> None:
        assert flatness([]) is None
        assert flatness([*self.life(1, 0, [10] * 9), *self.life(2, 6_000, [10, 90])]) is None

    def test_each_process_is_a_line_in_every_panel(self) -> None:
        svg = draw([*self.life(1, 0, [10, 20]), *self.life(2, 1_800, [50, 60])], "a soak")
        assert svg.count("<polyline") == 8
        assert draw([], "nothing").count("<polyline") == 0


class TestTheLink:
    def test_what_was_swallowed_comes_later_and_what_is_cut_ends(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server, Link(server.getsockname()[1]) as link:
            server.settimeout(30)
            with socket.create_connection(("127.0.0.1", link.port), timeout=30) as client:
                served, _ = server.accept()
                with served:
                    served.settimeout(30)
                    link.swallow()
                    client.sendall(b"one")
                    served.settimeout(0.2)
                    with pytest.raises(TimeoutError):
                        served.recv(3)
                    served.settimeout(30)
                    link.go_on()
                    assert served.recv(3) == b"one"
                    served.sendall(b"two")
                    assert client.recv(3) == b"two"
                    link.cut()
                    assert (client.recv(1), served.recv(1)) == (b"", b"")

    def test_who_connects_while_no_server_runs_is_turned_away(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        with Link(port) as link, socket.create_connection(("127.0.0.1", link.port), timeout=30) as client:
            assert client.recv(1) == b""


def test_the_report_tells_what_was_done_and_found(tmp_path: Path) -> None:
    outcome = Outcome(Plan(7, 300.0), "abc", "2026-01-02T03:04:05+00:00", failure="WrongError: lost\nlocal: lost: m1")
    outcome.seconds = 300.0
    outcome.done.deeds.update({"server new": 1_000, "local flags": 234})
    outcome.done.faults.update({"cut": 2, "crash": 1})
    outcome.done.last_fault = "cut, which began after 3.0 s"
    outcome.samples = [Sample(600.0 * place, 1, 100_000_000, 20, 9, 1.0) for place in range(9)]
    outcome.save(tmp_path)

    (table,) = tables.tables(tmp_path)
    assert table.splitlines()[4:] == [
        "| | |",
        "| --- | --- |",
        "| minutes | 5 |",
        "| edits on both sides | 1,234 |",
        "| faults | 3: 1 crash, 2 cut |",
        "| quiet points at which every message was as it must be | 0 |",
        "| of these, right only after SIGUSR1 | 0 |",
        "| resident memory, MB: second and last quarter of its life | 100, 100 |",
        "| descriptors: second and last quarter of its life | 20, 20 |",
        "| threads: second and last quarter of its life | 9, 9 |",
        "| flat | yes |",
        "| seed, commit, date | 7, abc, 2026-01-02 |",
        "",
        "**It failed** after the fault cut, which began after 3.0 s:",
        "",
        "    WrongError: lost",
        "    local: lost: m1",
        "",
        "![What the process used](torture/results/soak.svg)",
    ]
    assert outcome.status() == 1


@pytest.mark.dovecot
@pytest.mark.notmuch
def test_a_short_soak_with_cuts_holds(dovecot: Dovecot, notmuch_is_there: None, tmp_path: Path) -> None:
    plan = Plan(11, 10.0, messages=60, quiet=6.0, fault=3.0, faults=frozenset({"cut"}))
    assert run(plan, tmp_path) == 0
    found = json.loads((tmp_path / "soak.json").read_text())
    assert found["failure"] is None
    assert found["faults"]["cut"] > 0
    assert sum(found["deeds"].values()) > 0
    assert len(found["checks"]) > 1
