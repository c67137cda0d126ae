"""T10: random histories of hinted passes, as `syncer watch` makes them, with the real engine in memory.

Two persons act (`bystanders`), and each deed owes a hint. Passes look where some of the hints that are owed point, in
any order, and where nothing has happened; now and then one looks at everything, or is killed, or loses its line, after
which one at everything follows, as in the watch. People also act while a pass is under way. Then all hints are given,
and the deletions that rest are waited for: both sides are then the same. So they are after one look at everything, as
`notes` says they must be, and a look that trusts nothing has nothing to do.

The numbers make the same histories again: all work is done by one thread, and what is read ahead was read before
anybody acts.
"""

import itertools
import random
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fake_server import FakeServer
from mortality import Killed, Mortality

from syncer.crew import Crew
from syncer.engine import Hints
from syncer.errors import ConnectionLostError
from syncer.reconcile.flags import DELETED, NONE
from syncer.reconcile.identity import INBOX, MailboxName, Side, UniqueName
from syncer.watching.deletions import REST, Deletions
from torture.alone import OneByOne, made
from torture.bystanders import SIDES, Bystanders, Copy
from torture.notes import TRASH
from torture.together import Together
from torture.trials import Cases

TOGETHER = 10
"""Histories to a case."""
WAITING = "a new one there may be the same"
"""What a pass says that could not compare a message, because it has vanished meanwhile."""
PATIENCE = 60
"""So many passes at most until nothing is owed any more."""


class History:
    """One history, and what was counted in it."""

    def __init__(self, number: int) -> None:
        """A number is always the same history."""
        self.rng = random.Random(f"hints {number}")
        self.story: list[str] = []
        self.counted = {"passes": 0, "hinted passes": 0, "kills": 0, "lines cut": 0, "deeds meanwhile": 0}
        self.world, self._trash = made(self.rng)
        clashes = self.rng.choice([0.0, 0.0, 0.3])
        self.people = Bystanders(self.world, self.rng, self.story, self._hint, clashes=clashes, trash=bool(self._trash))
        self._owed: dict[MailboxName, frozenset[Side]] = {}
        """The hints that are to be given yet."""
        self._echoes = bool(self._trash) or self.rng.random() < 0.3
        """The server's hints tell of what the program itself does as well, as those of the Maildir always do."""
        self._rest = self.rng.choice([REST, REST, 0.0])
        self._deletions = Deletions(self._rest)
        self._moment = 0.0
        """On the clock of the deletions."""
        # What is deleted before its UID is known is never found: the program says so, and waits for ever.
        self._meanwhile = self.rng.choice([0.0, 0.05]) if self.world.server.tells_uids else 0.0
        """How often somebody acts while a command is on its way."""
        self._ignored = NONE
        r"""\Deleted once a pass was interrupted: perhaps between marking and expunging what then proves to be moved."""
        self._troubled = False
        """Something has failed, so that everything is to be looked at in a while."""
        self._waits = False
        """The program has said that something waits for that."""
        self._crew = self._connected()

    def play(self) -> None:
        """From agreement to agreement, up to three times.

        Raises:
            AssertionError: with the story.
        """
        try:
            self.people.fill(self.rng.randint(2, 10))
            self._whole(3)
            self._owed.clear()
            self.people.settle()
            for _ in range(self.rng.randint(1, 3)):
                self._to_agreement()
        except Exception as error:
            what = str(error) if isinstance(error, AssertionError) else repr(error)
            found = f"server {self.world.on_server()}", f"Maildir {self.world.in_maildir()}"
            raise AssertionError("\n".join([what, *self.story, *found])) from error

    def _to_agreement(self) -> None:
        rng = self.rng
        self._waits = False
        left_out = self._leave_one_out() if rng.random() < 0.4 else None
        self.story.append(f"both sides are the same; left out: {left_out}")
        for _ in range(rng.randint(1, 6)):
            for _ in range(rng.randint(1, 3)):
                self.people.act()
            self._moment += rng.randrange(40) / 4
            if rng.random() < 0.7:
                self._hinted(disturbed=True)
            elif rng.random() < 0.15:
                self._whole()
        self._until_nothing_is_owed()
        if not self._waits:
            self._check("after all hints")
        self._whole()
        self._until_nothing_is_owed()
        self._check("after a look at everything")
        self.people.out = None
        report = self.world.sync(full=True, crew=self._crew)
        busy = [name for name, mailbox in report.mailboxes.items() if mailbox.changed]
        assert not busy, f"something was left to do in {busy}"
        self.people.settle()

    def _check(self, when: str) -> None:
        faults = [*self.people.differences(), *self.people.faults(self._ignored)]
        assert not faults, "\n".join([f"{when}:", *faults])

    def _until_nothing_is_owed(self) -> None:
        """Give all hints, wait for the deletions that rest, and give those that are owed then."""
        for _ in range(PATIENCE):
            if not self._owed and (later := self._deletions.due(self._moment)) is not None:
                self._moment += later[0]
                self._wake()
            if self._owed:
                self._hinted()
            elif self._troubled:
                self._whole()
            else:
                return
        raise AssertionError(f"still owed after {PATIENCE} passes: {self._owed}")

    # -- passes

    def _hinted(self, *, disturbed: bool = False) -> None:
        """A pass where some of what is owed points, and elsewhere."""
        self._wake()
        hinted = self._some_of_what_is_owed()
        known = {mailbox.name for mailbox in self.world.index.mailboxes() if self._wants(mailbox.name)}
        while self.rng.random() < 0.2:
            mailbox = self.rng.choice(sorted(known))
            hinted[mailbox] = hinted.get(mailbox, frozenset()) | {self.rng.choice(SIDES)}
        if hinted.keys() - known:  # as the watch does
            self._whole()
            return
        self.story.append(f"a pass, hints {', '.join(f'{name} {sorted(sides)}' for name, sides in hinted.items())}")
        self.counted["hinted passes"] += 1
        if not self._pass(disturbed=disturbed, hints=Hints(hinted, self._trash)):
            self._whole()

    def _whole(self, times: int = 1) -> None:
        """Passes that look at everything."""
        for _ in range(times):
            self.story.append("a pass at everything")
            self._troubled = False
            self._pass()
            assert not self._troubled, f"a pass has failed that nobody has disturbed: {self.world.report}"

    def _pass(self, *, disturbed: bool = False, **order: Any) -> bool:
        """Returns whether it came to its end."""
        world, rng, before = self.world, self.rng, self._shown()
        ended = True
        if disturbed:
            world.mortal(Mortality(rng.choice([*[0] * 72, *range(1, 9)]), rng.random() < 0.5))
            world.server.hears = self._hears(rng.choice([*[0] * 72, *range(1, 9)]))
        self.counted["passes"] += 1
        try:
            some = self.people.out is not None
            report = world.sync(wants=self._wants, some=some, crew=self._crew, deleted=self._counts, **order)
            mailboxes = report.mailboxes.values()
            self._troubled |= any(mailbox.trouble for mailbox in mailboxes)
            self._waits |= any(WAITING in note for mailbox in mailboxes for note in mailbox.notes)
            hints = order.get("hints")
            self._deletions.looked(self._moment, hints.mailboxes if hints is not None else None)
        except Killed:
            self.story.append("  it is killed")
            self.counted["kills"] += 1
            self._deletions = Deletions(self._rest)
            ended = False
        except ConnectionLostError:
            self.story.append("  the line is cut")
            self.counted["lines cut"] += 1
            ended = False
        world.mortal(Mortality())
        world.server.hears = lambda command: None
        if not ended:
            self._ignored = frozenset({DELETED})
            self._crew = self._connected()
        self.story += [f"  planned: {action}" for plan in world.plans for action in plan.actions]
        for (side, mailbox), shown in sorted(self._shown().items()):
            if shown != before.get((side, mailbox)) and (side == "local" or self._echoes):
                self._hint(side, mailbox)
        return ended

    def _hears(self, cut: int) -> Callable[[str], None]:
        """Somebody acts while commands are on their way, and the line may break at one of them."""
        commands = itertools.count(1)

        def hears(command: str) -> None:
            if next(commands) == cut:
                raise ConnectionLostError("the line is cut")
            if self.rng.random() < self._meanwhile:
                for thread in threading.enumerate():
                    if thread.name == "ahead":
                        thread.join()
                self.story.append(f"  meanwhile, at {command}:")
                self.counted["deeds meanwhile"] += 1
                self.people.meanwhile = True
                self.people.act()
                self.people.meanwhile = False

        return hears

    def _leave_one_out(self) -> MailboxName | None:
        """Nobody does anything there, and the passes do not want it, until both sides are the same again.

        Best one that shares the name of a file with another: it must not keep what is deleted there.
        """
        some = sorted({*self.people.mailboxes("server")} - {INBOX, TRASH})
        often = Counter(copy.name for copy in self.people.copies("local"))
        sharing = {copy.mailbox for copy in self.people.copies("local") if often[copy.name] > 1}
        some = [mailbox for mailbox in some if mailbox in sharing] or some
        self.people.out = self.rng.choice(some) if some else None
        return self.people.out

    def _wants(self, mailbox: str) -> bool:
        return mailbox != self.people.out

    def _counts(self, mailboxes: Collection[MailboxName], missing: Collection[tuple[MailboxName, UniqueName]]) -> bool:
        return self._deletions.count(self._moment, mailboxes, missing)

    def _shown(self) -> dict[tuple[Side, MailboxName], list[Copy]]:
        """What each side has, by mailbox."""
        found: dict[tuple[Side, MailboxName], list[Copy]] = {}
        for side in SIDES:
            found.update(((side, mailbox), []) for mailbox in self.people.mailboxes(side))
            for copy in self.people.copies(side):
                found[side, copy.mailbox].append(copy)
        return found

    # -- hints

    def _hint(self, side: Side, mailbox: MailboxName) -> None:
        self._owed[mailbox] = self._owed.get(mailbox, frozenset()) | {side}

    def _wake(self) -> None:
        """Deletions that have rested are to be looked at."""
        later = self._deletions.due(self._moment)
        if later is not None and later[0] == 0:
            for mailbox in later[1] if later[1] is not None else self.people.mailboxes("local"):
                self._hint("local", mailbox)

    def _some_of_what_is_owed(self) -> dict[MailboxName, frozenset[Side]]:
        """Those are not owed any more."""
        owed = [(mailbox, side) for mailbox, sides in sorted(self._owed.items()) for side in sorted(sides)]
        given = [hint for hint in owed if self.rng.random() < 0.5] or ([self.rng.choice(owed)] if owed else [])
        found: dict[MailboxName, frozenset[Side]] = {}
        for mailbox, side in given:
            found[mailbox] = found.get(mailbox, frozenset()) | {side}
            self._owed[mailbox] -= {side}
        self._owed = {mailbox: sides for mailbox, sides in self._owed.items() if sides}
        return found

    def _connected(self) -> Crew:
        return OneByOne(lambda: FakeServer(self.world.server), 1, threading.Event())


@contextmanager
def opened(place: Path, option: str) -> Iterator[Cases]:
    """Nothing needs to be started."""
    yield Together(History, TOGETHER)
