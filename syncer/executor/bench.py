"""What everything that carries out actions works with.

The ports, the report, and what is done in more than one place.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from syncer.errors import MessageError, VanishedError
from syncer.ports import Index, LocalStore, Progress, Server
from syncer.reconcile.actions import Expunge, RemoveLocal
from syncer.reconcile.events import Event, Verb
from syncer.reconcile.flags import FlagDelta, Spelling
from syncer.reconcile.identity import MailboxName, Side, Uid, UniqueName
from syncer.report import AccountReport, MailboxReport
from syncer.values import Struct, field

BATCH_MESSAGES = 500
"""Messages that become durable and are recorded together."""
BATCH_OCTETS = 16 * 1024 * 1024
"""What a killed run has to copy or to look for again at most, besides the message it was killed in."""

T = TypeVar("T")
K = TypeVar("K")


class Bench(Struct):
    """The tools of one pass over one account. Used from several threads, in different mailboxes."""

    account: str
    store: LocalStore
    index: Index
    report: AccountReport
    progress: Progress
    spelling: Spelling
    now: Callable[[], int]
    """Seconds since the epoch."""
    checkpoint: Callable[[], None]
    """Called between batches; raises StoppedError to end the pass."""
    let_go: Callable[[Server], None] = lambda _server: None
    """Called when a piece of work needs its connection no more, though it is not done yet."""
    expunges: bool = True
    """Messages may be expunged on the server."""
    names: dict[tuple[MailboxName, Uid], UniqueName] = field(default_factory=dict)
    """Other names for messages whose own name another file has."""
    look_again: bool = False
    """Something cannot be recorded before both sides are looked at once more."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def downloaded(self, mailbox: MailboxName, messages: int, octets: int) -> None:
        """Put it into the report; several connections may download from one mailbox."""
        report = self.report.mailbox(mailbox)
        with self._lock:
            report.downloaded += messages
            report.bytes_down += octets

    def store_flags(self, server: Server, mailbox: MailboxName, deltas: Iterable[tuple[Uid, FlagDelta]]) -> set[Uid]:
        """One STORE for each distinct delta; returns the UIDs whose flags the server refused to change."""
        report = self.report.mailbox(mailbox)
        refused: set[Uid] = set()
        groups = grouped((item for item in deltas if item[1]), lambda item: item[1])
        changes = [([uid for uid, _ in items], change) for change, items in groups.items()]
        for (uids, change), refusal in zip(changes, server.store(mailbox, changes), strict=True):
            if refusal is None:
                report.flags_remote += len(uids)
            else:
                refused.update(uids)
                report.problem(f"flags {change} of {messages(uids)} not stored: {refusal}")
        return refused

    def failed(self, mailbox: MailboxName, message: Uid | UniqueName, problem: str) -> None:
        """A message, or a file, could not be copied: a line in the report, and after some times a pause."""
        self.report.mailbox(mailbox).problem(problem)
        self.index.park(mailbox, message, problem, self.now())

    def contained(self, report: MailboxReport, work: Callable[[], None]) -> bool:
        """Do something to one file; if it fails, that is this message's trouble alone."""
        try:
            work()
        except VanishedError:
            self.look_again = True
        except MessageError as error:
            report.problem(str(error))
        else:
            return True
        return False

    def tell(
        self,
        mailbox: MailboxName,
        verb: Verb,
        reason: str,
        *,
        uids: Sequence[Uid] = (),
        names: Sequence[UniqueName] = (),
        detail: str = "",
    ) -> None:
        """Put what was done into the journal: after the effect, before its record."""
        if uids or names:
            self.index.tell(self.now(), Event(mailbox, verb, reason, uids, names, detail))

    def deleted(self, mailbox: MailboxName, side: Side, batch: Sequence[Expunge | RemoveLocal]) -> None:
        """Record that these were deleted on `side`; only after they were."""
        verb: Verb = "deleted on the server" if side == "server" else "removed from the Maildir"
        for (reason, trash), actions in grouped(batch, lambda a: (a.reason, getattr(a, "trash", None))).items():
            uids, names = [a.pair.uid for a in actions], [a.pair.name for a in actions]
            told: Verb = "moved to the trash" if trash else verb
            self.tell(mailbox, told, reason, uids=uids, names=names, detail=trash or "")
        self.index.note_deleted(mailbox, side, len(batch), self.now())
        self.index.forget(mailbox, [action.pair.uid for action in batch])
        self.count_deleted(mailbox, side, len(batch))

    def count_deleted(self, mailbox: MailboxName, side: Side, count: int) -> None:
        """Put it into the report."""
        report = self.report.mailbox(mailbox)
        if side == "server":
            report.deleted_remote += count
        else:
            report.deleted_local += count


def batches(items: Iterable[T], size: int = BATCH_MESSAGES) -> Iterator[list[T]]:
    """`items` in lists of at most `size`."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """`items` by their key, in the order of their first appearance."""
    groups: dict[K, list[T]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return groups


def messages(items: Iterable[object]) -> str:
    """How many there are, in words."""
    number = len(list(items))
    return f"{number} message{'' if number == 1 else 's'}"
