"""The person at the Maildir does the same whatever the contender calls its files."""

import pathlib
import random
import re

import pytest

from bench import maildirs
from bench.contenders import Mbsync
from bench.mail import letters

LETTERS = list(letters(1, [2_000] * 40))


def box(root: pathlib.Path, seed: int) -> pathlib.Path:
    """A Maildir with the same messages under other names for each seed."""
    for part in ("cur", "new", "tmp"):
        (root / "mail" / "INBOX" / part).mkdir(parents=True)
        (root / "mail" / "Archive" / part).mkdir(parents=True)
    order = random.Random(seed).sample(LETTERS, len(LETTERS))
    maildirs.deliver(root / "mail" / "INBOX", order, seed)
    return root / "mail"


def content(mail: pathlib.Path, mailbox: str) -> dict[bytes, str]:
    """Message-ID and flags."""
    found = {}
    for part, name in maildirs.files(mail / mailbox):
        identity = re.search(rb"Message-ID: (\S+)", (mail / mailbox / part / name).read_bytes())
        assert identity
        found[identity[1]] = maildirs.flags_of(name)
    return found


def test_what_is_delivered_is_seen(tmp_path: pathlib.Path) -> None:
    mail = box(tmp_path, 1)
    assert sorted(maildirs.boxes(mail)) == ["Archive", "INBOX"]
    assert sum(maildirs.state(mail)["INBOX"].values()) == 40
    assert "Archive" not in maildirs.state(mail)
    assert maildirs.octets(mail) == sum(len(letter.octets) - letter.octets.count(b"\r") for letter in LETTERS)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_messages_are_chosen_under_whatever_names(tmp_path: pathlib.Path, seed: int) -> None:
    one, two = box(tmp_path / "one", 1), box(tmp_path / "two", 2)
    for mail in (one, two):
        before = content(mail, "INBOX")
        assert maildirs.mark(mail / "INBOX", 10, random.Random(seed)) == 10
        after = content(mail, "INBOX")
        assert sum(before[identity] != after[identity] for identity in before) == 10
        assert maildirs.file_elsewhere(mail / "INBOX", mail / "Archive", 7, random.Random(seed), str) == 7
    assert content(one, "Archive") == content(two, "Archive")
    assert content(one, "INBOX") == content(two, "INBOX")
    assert len(content(one, "Archive")) == 7


def test_mbsync_needs_the_name_without_its_field() -> None:
    assert Mbsync().filed("1700000000.12_3.host,U=17:2,FS") == "1700000000.12_3.host:2,FS"
