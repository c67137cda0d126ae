"""The first sync of a large account."""

import hashlib
import random
from collections.abc import Callable

import pytest
from e2e.maildirs import stored_form
from e2e.world import World
from servers.dovecot import Dovecot
from servers.mail import letters

pytestmark = pytest.mark.dovecot
MESSAGES = 20_000
MAILBOXES = [
    "INBOX",
    "Sent",
    "Drafts",
    *(f"Archive/{year}" for year in range(2006, 2026)),
    *(f"Lists/l{n}" for n in range(7)),
]


@pytest.mark.timeout(600)
def test_twenty_thousand_messages_in_thirty_mailboxes_arrive_octet_for_octet(
    dovecot: Dovecot, world_on: Callable[..., World]
) -> None:
    world = world_on(dovecot)
    rng = random.Random(20_000)
    filled: dict[str, list[tuple[bytes, frozenset[str], int]]] = {mailbox: [] for mailbox in MAILBOXES}
    for number, letter in enumerate(letters(seed=1, count=MESSAGES, largest=6_000)):
        flags = frozenset(rng.choice([(), ("\\Seen",), ("\\Seen", "\\Answered"), ("\\Seen", "work")]))
        filled[MAILBOXES[number % len(MAILBOXES)]].append((letter.octets, flags, letter.date))
    for mailbox, messages in filled.items():
        if mailbox != "INBOX":
            world.client.create(mailbox)
        world.client.fill(mailbox, messages)

    first = world.sync().done()

    assert first.totals["downloaded"] == MESSAGES
    assert set(first.totals) == {"downloaded", "bytes_down"}
    uidnext = {}
    for mailbox in MAILBOXES:
        messages_there = world.client.messages(mailbox)
        files = world.local.files(mailbox)
        uidnext[mailbox] = messages_there[-1].uid
        assert len(messages_there) == len(filled[mailbox])
        server = sorted((digest(stored_form(message.octets)), sorted(message.flags)) for message in messages_there)
        assert server == sorted((digest(file.octets), sorted(file.flags)) for file in files)
    before = {path: path.stat().st_mtime_ns for path in world.local.root.rglob("*")}

    world.sync().quiet()

    assert {path: path.stat().st_mtime_ns for path in world.local.root.rglob("*")} == before
    assert {mailbox: world.client.uids(mailbox)[-1] for mailbox in MAILBOXES} == uidnext


def digest(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()
