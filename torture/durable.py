"""What a loss of power could still take away after a run, told from its system calls. Pure.

A message file is safe when its octets were flushed before it got its name and the directory was flushed after that, or
when the whole file system was flushed. What other programs wrote shortly before the run is not safe at its begin.
"""

import os
import re
from collections.abc import Iterable

from torture.tracer import Call

Message = tuple[str, str]
"""The path of its mailbox, and its unique name."""

_RENAMES = {"rename", "renameat", "renameat2", "link", "linkat"}
_FILE = re.compile(r"(?P<mailbox>.*)/(?:cur|new)/(?P<unique>[^/:]+)[^/]*")


def message_at(path: str) -> Message | None:
    """The message whose file has this path; None where it is not in `cur` or `new`."""
    found = _FILE.fullmatch(path)
    return (found["mailbox"], found["unique"]) if found else None


def unsafe_after(calls: Iterable[Call], young: Iterable[Message]) -> set[Message]:
    """The messages that may be gone when the power fails after these calls.

    `calls` are those that rename and flush; `young` are the messages that another program wrote just now.
    """
    octets, names, spoiled = set(young), set[Message](), set[Message]()
    flushed: set[str] = set()
    unwritten: set[str] = set()
    """Files of which a flush failed: what it did not write is forgotten, and no later flush tells."""
    together: bool | None = None
    """Whether the last flush of the whole file system did its work."""
    for call in calls:
        if call.name == "syncfs":
            together = not call.failed
            if together:
                octets, names = set(), set()
        elif call.name in {"fsync", "fdatasync"}:
            path = call.places[0]
            (unwritten if call.failed else flushed).add(path)
            mailbox, sub = os.path.split(path)
            if sub in {"cur", "new"} and not call.failed:
                names = {message for message in names if message[0] != mailbox}
        elif call.name in _RENAMES and not call.failed:
            source, target = call.places
            message = message_at(target)
            if message is not None:
                names.add(message)
                if message_at(source) is None and (source in unwritten or (source not in flushed and not together)):
                    (spoiled if source in unwritten or together is False else octets).add(message)
    return octets | names | spoiled
