"""What a sync costs in which nothing changed: the state of all mailboxes, and nothing that grows with them."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable

import pytest
from e2e.costs import (
    ASKS,
    CONDSTORE,
    COURIER,
    CYRUS,
    DIGITS,
    LISTS,
    PLAIN,
    QRESYNC,
    STATUS,
    TELLS,
    TELLS_APART,
    Metered,
    on,
)
from e2e.world import environment
from servers.mail import note

MeteredOn = Callable[..., Metered]
Touched = list[tuple[str, str]]

EVERYTHING = "UID FETCH 1:* (FLAGS)"
SAMPLE = "UID FETCH 18:20 (UID BODY.PEEK[HEADER])"
DAY = 86_400
BOXES = [f"Box {number}" for number in range(1, 30)]


@pytest.fixture
def touched(monkeypatch: pytest.MonkeyPatch, tmp_path: os.PathLike[str]) -> Touched:
    """Every call that looks at something below a Maildir, in this process, and the path below it."""
    seen: Touched = []

    def listen(name: str) -> None:
        call = getattr(os, name)

        def heard(path: str | bytes | int = ".", *arguments: object, **options: object) -> object:
            if not isinstance(path, int):
                _, inside, below = os.fsdecode(path).partition("/mail/")
                if inside and below:
                    seen.append((name, below))
            return call(path, *arguments, **options)

        monkeypatch.setattr(os, name, heard)

    for name in ("listdir", "lstat", "open", "readlink", "scandir", "stat"):
        listen(name)
    return seen


def settled(metered: Metered, messages: int = 20) -> Metered:
    metered.fill("INBOX", 0, messages)
    metered.sync().done()
    metered.settle()
    return metered


@pytest.mark.parametrize(
    ("server", "commands", "round_trips"),
    on(
        (QRESYNC, f"{TELLS}, LOGOUT", 1 + 1),
        (CONDSTORE, f"{TELLS}, LOGOUT", 1 + 1),
        (STATUS, f"{TELLS_APART}, LOGOUT", 2 + 1),
        (CYRUS, f"{TELLS}, LOGOUT", 1 + 1),
    ),
)
def test_it_costs_the_same_with_3000_messages_as_with_100(
    server: str, commands: str, round_trips: int, metered_on: MeteredOn
) -> None:
    metered = settled(metered_on(server), 100)
    few = metered.quiet()
    metered.fill("INBOX", 100, 2900)
    metered.sync().done()
    metered.settle()
    many = metered.quiet()
    assert few.without_octets() == many.without_octets() == (commands, round_trips)
    assert few.sent == many.sent
    assert abs(few.received - many.received) <= DIGITS
    assert many.octets <= 2_000
    metered.same()


@pytest.mark.parametrize(
    ("server", "commands", "round_trips", "messages"),
    on(
        (PLAIN, f"{LISTS}, SELECT, UID FETCH, LOGOUT", 2 + 1, 3000),
        (COURIER, f"{ASKS}, STATUS, SELECT, STATUS, UID FETCH, LOGOUT", 4 + 1, 600),
    ),
)
def test_without_modseqs_it_is_one_line_for_each_message_and_no_command_more(
    server: str, commands: str, round_trips: int, messages: int, metered_on: MeteredOn
) -> None:
    metered = settled(metered_on(server), 100)
    few = metered.quiet()
    metered.fill("INBOX", 100, messages - 100)
    metered.sync().done()
    metered.settle()
    many = metered.quiet()
    assert few.without_octets() == many.without_octets() == (commands, round_trips)
    assert few.begins("UID") == many.begins("UID") == [EVERYTHING]
    assert few.sent == many.sent
    line = len(f"* {messages} FETCH (UID {messages} FLAGS ())\r\n")
    assert many.received - few.received <= line * (messages - 100) + DIGITS
    metered.same()


@pytest.mark.parametrize(
    ("server", "commands", "round_trips", "octets"),
    on(
        (QRESYNC, f"{TELLS}, LOGOUT", 1 + 1, 8_000),
        (CONDSTORE, f"{TELLS}, LOGOUT", 1 + 1, 8_000),
        (STATUS, f"{TELLS}, 30 STATUS, LOGOUT", 2 + 1, 9_000),
        (CYRUS, f"{TELLS}, LOGOUT", 1 + 1, 8_000),
        (PLAIN, f"{LISTS}, {'SELECT, UID FETCH, ' * 30}LOGOUT", 1 + 30 + 1, 24_000),
        (COURIER, f"{ASKS}, 30 STATUS, {'SELECT, STATUS, UID FETCH, ' * 30}LOGOUT", 3 + 30 + 1, 24_000),
    ),
)
def test_thirty_mailboxes_are_asked_for_together_and_looked_into_where_there_are_no_modseqs(
    server: str, commands: str, round_trips: int, octets: int, metered_on: MeteredOn
) -> None:
    metered = metered_on(server)
    for number, name in enumerate(BOXES):
        metered.client.create(name)
        metered.client.append(name, note(f"b{number}"))
    settled(metered, 1)
    cost = metered.quiet()
    assert cost.without_octets() == (commands, round_trips)
    assert cost.octets <= octets
    metered.same()


@pytest.mark.dovecot
def test_two_directories_and_the_keywords_are_looked_at_in_each_mailbox_and_no_file(
    metered_on: MeteredOn, touched: Touched
) -> None:
    metered = metered_on(QRESYNC)
    metered.client.create("Box")
    for number in range(30):
        metered.client.append("Box", note(f"b{number}"), ["\\Seen", "work"])
    settled(metered, 30)
    metered.local.deliver("Box", note("here"))
    metered.sync().done()
    metered.settle()
    touched.clear()
    metered.quiet()
    one = [("scandir", "{}"), ("lstat", "{}"), *(("lstat", "{}/" + f) for f in ("new", "cur", "dovecot-keywords"))]
    identity = [("open", ".syncer-store"), ("lstat", ".syncer-store")]
    boxes = [(call, path.format(box)) for box in ("Box", "INBOX") for call, path in one]
    assert Counter(touched) == Counter(identity + boxes)


@pytest.mark.dovecot
def test_nothing_is_loaded_that_migrates_an_index_shows_progress_or_exchanges_passwords(metered_on: MeteredOn) -> None:
    metered = settled(metered_on(QRESYNC))
    command = [sys.executable, "-X", "importtime", "-m", "syncer", "-c", str(metered.configuration), "sync"]
    ended = subprocess.run(command, check=True, capture_output=True, text=True, env=environment())
    modules = {line.rpartition("|")[2].strip().partition(".")[0] for line in ended.stderr.splitlines()}
    assert "syncer" in modules
    assert modules.isdisjoint({"sqlalchemy", "alembic", "imapclient", "rich", "tenacity", "watchdog"})


@pytest.mark.dovecot
def test_with_a_full_interval_of_nothing_every_pass_compares_everything(
    metered_on: MeteredOn, touched: Touched
) -> None:
    metered = settled(metered_on(QRESYNC, full_interval=0))
    for _ in range(3):
        touched.clear()
        cost = metered.quiet()
        assert cost.without_octets() == (f"{TELLS}, SELECT, 2 UID FETCH, LOGOUT", 3 + 1)
        assert cost.begins("UID") == [EVERYTHING, SAMPLE]
        assert listed(touched) == {"INBOX/cur", "INBOX/new"}


@pytest.mark.dovecot
@pytest.mark.parametrize("days", [-8, 1], ids=["long ago", "in the future"])
def test_when_both_sides_were_last_compared_too_long_ago_one_pass_does_it_and_the_next_one_does_not(
    days: int, metered_on: MeteredOn, touched: Touched
) -> None:
    metered = settled(metered_on(QRESYNC))
    metered.compared(int(time.time()) + days * DAY)
    touched.clear()
    assert metered.quiet().commands == f"{TELLS}, SELECT, 2 UID FETCH, LOGOUT"
    assert listed(touched) == {"INBOX/cur", "INBOX/new"}
    touched.clear()
    assert metered.quiet().commands == f"{TELLS}, LOGOUT"
    assert listed(touched) == set()


@pytest.mark.dovecot
def test_a_week_less_a_day_is_not_too_long(metered_on: MeteredOn) -> None:
    metered = settled(metered_on(QRESYNC))
    metered.compared(int(time.time()) - 6 * DAY)
    assert metered.quiet().commands == f"{TELLS}, LOGOUT"


def listed(touched: Touched) -> set[str]:
    """The directories of messages that were listed."""
    return {path for call, path in touched if call in ("listdir", "scandir") and path.endswith(("/cur", "/new"))}
