"""A scene in which one sync has everything to do.

Pull, push, flags and keywords, deletions, moves and copies, and mailboxes made, renamed and deleted: all of it in both
directions.
"""

from e2e.world import World
from servers.mail import note, token_of

SIZES = {"i1": 3_000, "a10": 2_500, "b11": 2_500}
"""Octets of the messages that are more than a few lines."""

BASE = {
    "INBOX": ("i1", "i2", "i3", "i4", "i5", "i6"),
    "A": ("a1", "a2", "a3", "a4", "a5", "a6"),
    "A/B": ("b1", "b2", "b3", "b4", "b5", "b6"),
    "C": ("c1", "c2", "c3"),
    "Named there": ("r1", "r2"),
    "Named here": ("q1", "q2"),
    "Gone there": (),
    "Gone here": (),
}
FLAGS = {"i1": {"\\Seen", "work"}, "a1": {"\\Flagged"}, "a4": {"todo"}, "b4": {"\\Seen", "todo"}, "r1": {"\\Seen"}}
LATER = ("i10", "a10", "n1", "i11", "b11", "l1")
BORN = {token: note(token, size=SIZES.get(token, 0)) for tokens in (*BASE.values(), LATER) for token in tokens}
"""Every message of the scene, by token."""


def begin(world: World) -> None:
    """Make both sides the same. The world must have `mailbox_changes = "all"`."""
    for mailbox, tokens in BASE.items():
        if mailbox != "INBOX":
            world.client.create(mailbox)
        messages = [(BORN[token], frozenset(FLAGS.get(token, ())), 1_500_000_000) for token in tokens]
        if messages:
            world.client.fill(mailbox, messages)
    world.sync().done()


def act(world: World) -> None:
    """What both persons do before the sync."""
    _on_server(world)
    _in_maildir(world)


def _on_server(world: World) -> None:
    client = world.client
    client.append("INBOX", BORN["i10"], ["\\Seen"])
    client.append("A", BORN["a10"], ["todo"])
    client.create("New there")
    client.append("New there", BORN["n1"])
    i1, i2, i3, *_ = client.uids("INBOX")
    client.store("INBOX", [i1], "-FLAGS", ["\\Seen"])
    client.store("INBOX", [i1, i2], "+FLAGS", ["\\Answered", "todo"])
    client.expunge("INBOX", [i3])
    _, _, a3, a4, *_ = client.uids("A")
    client.move("A", [a4], "C")
    client.expunge("A", [a3])
    c1, *_ = client.uids("C")
    client.move("C", [c1], "INBOX")
    b1, *_ = client.uids("A/B")
    client.copy("A/B", [b1], "C")
    client.rename_mailbox("Named there", "Other name there")
    client.delete_mailbox("Gone there")


def _in_maildir(world: World) -> None:
    local = world.local
    named = {token_of(file.octets): file for mailbox in BASE for file in local.files(mailbox)}
    local.deliver("INBOX", BORN["i11"])
    local.deliver("A/B", BORN["b11"], ["\\Flagged", "work"])
    local.create("New here")
    local.deliver("New here", BORN["l1"], ["\\Seen"])
    local.change_flags("INBOX", named["i1"], add=["\\Flagged"], remove=["work"])
    local.change_flags("INBOX", named["i4"], add=["\\Seen", "todo"])
    local.change_flags("A", named["a1"], add=["\\Answered"], remove=["\\Flagged"])
    local.delete(named["i5"])
    local.delete(named["b3"])
    local.move("A/B", named["b4"], "INBOX", keep_name=True)
    local.move("A", named["a5"], "C", keep_name=False)
    local.copy("A", named["a6"], "INBOX")
    local.rename_mailbox("Named here", "Other name here")
    local.delete_mailbox("Gone here")
