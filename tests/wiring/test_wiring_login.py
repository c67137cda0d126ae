"""Another login: is the mail there the mail that the index knows?"""

from types import SimpleNamespace
from typing import Any

import pytest
from fake_server import FakeAccount, FakeServer
from worlds import World, octets

from syncer.errors import RefusedError
from syncer.reconcile.identity import INBOX, MailboxName, UidValidity
from syncer.wiring.login import MAILBOXES, SAMPLE, insist_on_the_same_mail

ANNA: Any = SimpleNamespace(name="work", user="anna")
BEN: Any = SimpleNamespace(name="work", user="ben")


def never() -> Any:
    raise AssertionError("the server is not asked")


def synced(**mailboxes: str) -> World:
    """An index of these messages, one letter each, synced as anna."""
    world = World()
    for name, letters in mailboxes.items():
        world.server.create(MailboxName(name))
        for letter in letters:
            world.server.deliver(MailboxName(name), octets(letter))
    world.sync()
    insist_on_the_same_mail(ANNA, world.index, never, learn=True)
    return world


def account(**mailboxes: str) -> FakeAccount:
    """An account with these messages, as a server makes it that gives every mailbox the same UIDVALIDITY."""
    made = FakeAccount()
    for name, letters in mailboxes.items():
        made.create(MailboxName(name)).uidvalidity = UidValidity(1000)
        for letter in letters:
            made.deliver(MailboxName(name), octets(letter))
    return made


def insist(world: World, server: FakeAccount, *, learn: bool = True) -> None:
    insist_on_the_same_mail(BEN, world.index, lambda: FakeServer(server), learn=learn)


def test_who_has_the_same_login_is_not_asked() -> None:
    insist_on_the_same_mail(ANNA, synced(INBOX="ab").index, never, learn=True)


def test_an_index_that_was_never_told_a_login_learns_it() -> None:
    world = World.of("a b", "a b", "a b")
    insist_on_the_same_mail(ANNA, world.index, never, learn=True)
    with pytest.raises(RefusedError):
        insist(world, account(INBOX="xy"))


def test_where_nothing_was_synced_nothing_can_meet() -> None:
    world = synced(INBOX="")
    insist_on_the_same_mail(BEN, world.index, never, learn=True)
    insist_on_the_same_mail(BEN, world.index, never, learn=True)


@pytest.mark.parametrize(
    "theirs",
    [
        {},
        {"INBOX": ""},
        {"INBOX": "xyz"},
        {"INBOX": "xyz", "Work": "uvw"},
        {"INBOX": "xbz", "Work": ""},
    ],
    ids=str,
)
def test_mail_of_which_nothing_or_little_is_alike_is_refused(theirs: dict[str, str]) -> None:
    world = synced(INBOX="abc", Work="def")
    server = account(**theirs)
    for _ in range(2):
        with pytest.raises(RefusedError, match="mail of the login anna, and none of it is in the account of ben"):
            insist(world, server)


@pytest.mark.parametrize(
    "theirs",
    [
        {"INBOX": "abc", "Work": "def"},
        {"INBOX": "abcxyz"},
        {"INBOX": "", "Work": "dexyz"},
    ],
    ids=str,
)
def test_the_same_mail_under_a_new_login_is_gone_on_with_and_the_login_is_kept(theirs: dict[str, str]) -> None:
    world = synced(INBOX="abc", Work="def")
    server = account(**theirs)
    for name in theirs:
        mailbox = MailboxName(name)
        server.mailboxes[mailbox].uidvalidity = world.server.mailboxes[mailbox].uidvalidity
    insist(world, server)
    insist_on_the_same_mail(BEN, world.index, never, learn=True)


def test_who_only_looks_keeps_nothing() -> None:
    world = synced(INBOX="abc")
    insist(world, world.server, learn=False)
    insist_on_the_same_mail(ANNA, world.index, never, learn=True)


def test_a_renumbered_mailbox_proves_nothing() -> None:
    world = synced(INBOX="abc")
    world.server.mailboxes[INBOX].uidvalidity = UidValidity(7)
    with pytest.raises(RefusedError):
        insist(world, world.server)


def test_however_much_there_is_little_is_asked_for() -> None:
    world = synced(**{f"Box{number}": "abcdefghij" * 3 for number in range(MAILBOXES + 2)}, INBOX="")
    asked: list[int] = []

    class Counting(FakeServer):
        def headers(self, mailbox: MailboxName, uids: Any) -> Any:
            asked.append(len(uids))
            return dict.fromkeys(uids, b"another")

    with pytest.raises(RefusedError):
        insist_on_the_same_mail(BEN, world.index, lambda: Counting(world.server), learn=True)
    assert asked == [SAMPLE] * MAILBOXES
