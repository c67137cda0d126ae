"""What both sides of a world hold, message by message, with octets that are those the message was born with."""

from collections.abc import Iterable, Mapping

from e2e.maildirs import stored_form
from e2e.world import World, by_mailbox
from servers.mail import token_of

Held = dict[str, list[tuple[str, list[str]]]]
"""By mailbox: token and flags of every message, sorted."""


def on_server(world: World, born: Mapping[str, bytes]) -> Held:
    """What the server holds.

    Raises:
        AssertionError: the octets of a message are not those of its token in `born`.
    """
    found = [
        (mailbox, checked(message.octets, born), message.flags)
        for mailbox in world.client.mailboxes()
        for message in world.client.messages(mailbox)
    ]
    return by_mailbox(found)


def on_disk(world: World, born: Mapping[str, bytes]) -> Held:
    """The same of the Maildir."""
    found = [
        (mailbox, checked(file.octets, born), file.flags)
        for mailbox in world.local.mailboxes()
        for file in world.local.files(mailbox)
    ]
    return by_mailbox(found)


def checked(octets: bytes, born: Mapping[str, bytes]) -> str:
    """The token of a message whose octets are right."""
    token = token_of(octets)
    assert token in born, f"{token} came from nowhere"
    assert stored_form(octets) == stored_form(born[token]), f"{token} has other octets than it was born with"
    return token


def difference(side: str, wanted: Held, found: Held) -> list[str]:
    """In words, mailbox by mailbox, in what `found` is not `wanted`."""
    lines = []
    for mailbox in sorted(wanted.keys() | found.keys()):
        should, is_ = _strings(wanted.get(mailbox, [])), _strings(found.get(mailbox, []))
        if should != is_:
            lines.append(f"{side} {mailbox}: missing {_less(should, is_)}, too many {_less(is_, should)}")
    return lines


def _strings(messages: Iterable[tuple[str, list[str]]]) -> list[str]:
    return [f"{token}({' '.join(flags)})" for token, flags in messages]


def _less(one: list[str], other: list[str]) -> list[str]:
    rest = list(one)
    for message in other:
        if message in rest:
            rest.remove(message)
    return rest
