"""The run: edits by two persons, one fault after the other, and a quiet point every few minutes."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from servers.mail import FIRST_DAY, note

from torture.soak.book import BOTH, PARENT, SIDES, Book, Deed
from torture.soak.checks import Check, WrongError, check
from torture.soak.faults import CRASH, FAULTS, Fault, deck
from torture.soak.pace import gaps
from torture.soak.people import BusyError
from torture.soak.scene import Scene
from torture.soak.story import Story

MAILBOXES = (
    "INBOX", "Sent", "Drafts", "Trash", PARENT, f"{PARENT}/2024", f"{PARENT}/2025", "Projects", "Travel", "Lists",
)  # fmt: skip
FIRST = 300.0
"""Seconds that the first sync of all may take."""
THOUGHTS = 5
"""Of something to do, some of which may not be done."""
TICK = 0.25
"""Seconds between two looks whether it still runs."""


@dataclass(frozen=True)
class Plan:
    """How long, and how much of what."""

    seed: int
    seconds: float = 7_200.0
    messages: int = 2_000
    quiet: float = 180.0
    """Seconds between two quiet points."""
    fault: float = 60.0
    """Seconds from one fault to the next."""
    faults: frozenset[str] = frozenset(fault.name for fault in FAULTS)
    renames: bool = False
    """Mailboxes are renamed. Dovecot 2.3 then loses its list of mailboxes, and NOTIFY tells of nothing but INBOX."""


@dataclass
class Done:
    """What was done."""

    deeds: Counter[str] = field(default_factory=Counter)
    """By side and kind."""
    faults: Counter[str] = field(default_factory=Counter)
    checks: list[Check] = field(default_factory=list)
    last_fault: str = "none"


class Soak:
    """One run on a scene."""

    def __init__(self, plan: Plan, scene: Scene, story: Story) -> None:
        """`story` is told everything that is done."""
        self._plan, self._scene, self._story = plan, scene, story
        self._rng = random.Random(plan.seed)
        self._gaps = gaps(self._rng)
        self._deck = deck(self._rng, plan.faults)
        self._spared = False
        """No more crashes: one process is to live for long."""
        self.book = Book(plan.messages)
        self.done = Done()

    def run(self) -> None:
        """Until the time is over.

        Raises:
            WrongError, NotFoundError, DiedError: something is not as it must be.
        """
        self._fill()
        self._scene.watched.start()
        self._check(FIRST)
        while (left := self._plan.seconds - self._story.at()) > 0:
            self._round(min(left, self._plan.quiet))
            self._check()
        self._scene.watched.end()
        outcome = self._scene.world.sync()
        if outcome.status or outcome.totals:
            raise WrongError(
                f"a sync at the end is not quiet: exit status {outcome.status}\n{outcome.out}{outcome.err}"
            )
        self._story.tell("the end: a further sync has nothing to do")

    def _fill(self) -> None:
        client = self._scene.on_server.client
        self.book.mailboxes = dict.fromkeys(MAILBOXES, BOTH)
        for mailbox in MAILBOXES[1:]:
            client.create(mailbox)
        deeds: dict[str, list[Deed]] = {mailbox: [] for mailbox in MAILBOXES}
        for number in range(self._plan.messages):
            mailbox = MAILBOXES[number % len(MAILBOXES)]
            deeds[mailbox].append(self.book.new(self._rng, "server", mailbox))
        for mailbox, news in deeds.items():
            client.fill(mailbox, [(note(deed.token, size=deed.size), deed.add, FIRST_DAY) for deed in news])
            for deed in news:
                self.book.record(deed)

    def _check(self, limit: float | None = None) -> None:
        found = check(self._scene, self.book, self._rng, self._story.at(), *([limit] if limit else []))
        self.book.settle()
        self.done.checks.append(found)
        if found.late:
            self._story.tell(f"LATE: right only after SIGUSR1; the last fault: {self.done.last_fault}\n{found.late}")
        self._story.tell(
            f"quiet: {found.messages} messages are as they must be; {found.converged:.1f} s to converge, "
            f"{found.indexed:.1f} s to be indexed"
        )

    def _round(self, seconds: float) -> None:
        """Edits and faults until `seconds` have passed."""
        end = self._story.at() + seconds
        self._rename()
        moments = self._faults(self._story.at(), end)
        due, step = next(moments, (end, None))
        edit = self._story.at() + next(self._gaps)
        while (now := self._story.at()) < end or step:
            self._scene.watched.still_runs()
            if step and now >= due:
                step()
                due, step = next(moments, (end, None))
            elif now >= edit and now < end:
                self._edit()
                edit = now + next(self._gaps)
            else:
                time.sleep(max(0.0, min(TICK, due - now, edit - now if now < end else TICK)))

    def _faults(self, begin: float, end: float) -> Iterator[tuple[float, Callable[[], None]]]:
        """When something begins or ends to be wrong, and how."""
        length = self._plan.fault
        while begin + length <= end + 1:
            if begin > self._plan.seconds / 2 and not self._spared:
                self._deck = deck(self._rng, self._plan.faults - {CRASH})
                self._spared = True
            fault = next(self._deck, None)
            if fault is None:
                return
            start = begin + self._rng.uniform(0.08, 0.25) * length
            seconds = min(fault.seconds(self._rng), 0.65 * length)
            yield start, lambda fault=fault: self._begin(fault)  # type: ignore[misc]
            yield start + seconds, lambda fault=fault: self._end(fault)  # type: ignore[misc]
            begin += length

    def _begin(self, fault: Fault) -> None:
        self.done.last_fault = f"{fault.name}, which began after {self._story.at():.1f} s"
        self.done.faults[fault.name] += 1
        self._story.tell(f"fault: {fault.name}")
        fault.begin(self._scene)

    def _end(self, fault: Fault) -> None:
        fault.end(self._scene)
        self._story.tell(f"fault is over: {fault.name}")
        self.done.last_fault += f" and ended after {self._story.at():.1f} s"

    def _rename(self) -> None:
        side = self._rng.choice(SIDES)
        if self._plan.renames and self._rng.random() < 0.5 and (deed := self.book.rename(self._rng, side)):
            self._do(deed)

    def _edit(self) -> None:
        side = self._rng.choice(SIDES) if self._scene.serving else "local"
        for _ in range(THOUGHTS):
            if deed := self.book.propose(self._rng, side):
                self._do(deed)
                return

    def _do(self, deed: Deed) -> None:
        person = self._scene.on_server if deed.side == "server" else self._scene.in_maildir
        try:
            person.do(deed)
        except BusyError as error:
            self._story.write(f"not now: {deed}: {error}")
            return
        self.book.record(deed)
        self.done.deeds[f"{deed.side} {deed.kind}"] += 1
        self._story.write(str(deed))
