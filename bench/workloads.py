"""The workloads: what is arranged before a run, what must be on both sides after it, and the floor beneath it.

A workload changes something, always anew and determined by a seed; the contender is then timed while it brings both
sides together. The state of the changed side is what both must hold afterwards.
"""

import pathlib
import random
from dataclasses import dataclass
from typing import ClassVar

from bench import floor, maildirs
from bench.bars import Bar
from bench.contenders import Contender, Site
from bench.mail import Letter, letters
from bench.results import Floor
from bench.stage import Lane, Stage
from bench.wire import State, Wire, uid_set

COMPLETE = "(UID FLAGS INTERNALDATE BODY.PEEK[])"
ALL_COUNTERS = 'LIST "" "*" RETURN (STATUS (MESSAGES UIDVALIDITY UIDNEXT HIGHESTMODSEQ))'


@dataclass(frozen=True, slots=True)
class Start:
    """A contender at the start: where, and what both sides must hold when it has run."""

    lane: Lane
    site: Site
    expected: State
    least: int = 0
    """Octets that the Maildir must hold at least; 0 where that is not looked at."""


@dataclass(frozen=True)
class Workload:
    """One line of the table.

    Args:
        key, title: its name, and what it is.
        account: a key of `accounts.ACCOUNTS`.
        repeats: how often each contender runs straight to the server, and through a proxy; 0 for not at all.
        bars: what syncer is meant to reach.
    """

    key: str
    title: str
    account: str
    repeats: tuple[int, int]
    bars: tuple[Bar, ...] = ()
    keeps: ClassVar[bool] = True
    """The directory stays in use after the run."""

    def start(self, stage: Stage, contender: Contender, seed: int) -> Start:
        """Bring a contender to the start."""
        raise NotImplementedError

    def floor(self, stage: Stage, rtt: int, seed: int) -> Floor:
        """The floor at this distance."""
        raise NotImplementedError

    def times(self, rtt: int) -> int:
        """How often each contender runs at this round-trip time."""
        return self.repeats[1 if rtt else 0]

    def many(self, stage: Stage, count: int) -> int:
        """A number of changes at this run's scale, 5 at least."""
        return max(5, round(count * stage.server.scale))


@dataclass(frozen=True)
class Pull(Workload):
    """The first pass: an account on the server, nothing in the Maildir."""

    def start(self, stage: Stage, contender: Contender, seed: int) -> Start:
        """An empty directory."""
        lane = stage.lane(self.account, contender.name)
        least = int(stage.server.account(self.account).octets * 0.95)
        return Start(lane, stage.fresh(lane), stage.server_state(lane.user), least)

    def floor(self, stage: Stage, rtt: int, seed: int) -> Floor:
        """Drain every mailbox; write as many files of the same sizes."""
        lengths = stage.server.account(self.account).lengths()
        user = stage.server.template(self.account)
        commands = [word for name in lengths for word in (f'EXAMINE "{name}"', f"UID FETCH 1:* {COMPLETE}")]
        with floor.timed() as network, stage.server.wire(user, stage.port(rtt)) as wire:
            octets = wire.drain(*commands)
        assert octets > sum(map(sum, lengths.values())), "the server did not send everything"
        root = stage.work / "floors" / f"{self.key}-{rtt}"
        return Floor(network.seconds, floor.write_durably(root, lengths.values()))


@dataclass(frozen=True)
class Quiet(Workload):
    """Nothing has changed since the last pass."""

    def start(self, stage: Stage, contender: Contender, seed: int) -> Start:
        """A settled lane."""
        lane = stage.settled(self.account, contender, passes=2)
        assert lane.site
        return Start(lane, lane.site, stage.server_state(lane.user))

    def floor(self, stage: Stage, rtt: int, seed: int) -> Floor:
        """Log in and ask for the counters of all mailboxes; nothing of the Maildir."""
        user = stage.server.template(self.account)
        with floor.timed() as network, stage.server.wire(user, stage.port(rtt)) as wire:
            wire.drain(ALL_COUNTERS)
        return Floor(network.seconds, 0.0)


@dataclass(frozen=True)
class ServerChanges(Workload):
    """Flags, new and expunged messages on the server."""

    def start(self, stage: Stage, contender: Contender, seed: int) -> Start:
        """Another mail program has been there."""
        lane = stage.settled(self.account, contender)
        assert lane.site
        lane.unsettled = True
        with stage.server.wire(lane.user) as wire:
            self._change(stage, wire, seed)
            return Start(lane, lane.site, wire.state())

    def _change(self, stage: Stage, wire: Wire, seed: int) -> list[int]:
        """Change INBOX; returns the sizes of the new messages."""
        rng = random.Random(seed)
        flags, new = self.many(stage, 100), self.many(stage, 50)
        able = sorted(uid for uid, letters_ in wire.messages("INBOX").items() if "F" not in letters_)
        chosen = rng.sample(able, flags + new)
        lengths = [2_000] * new
        wire.ask(
            "SELECT INBOX",
            f"UID STORE {uid_set(chosen[:flags])} +FLAGS.SILENT (\\Flagged)",
            f"UID STORE {uid_set(chosen[flags:])} +FLAGS.SILENT (\\Deleted)",
            f"UID EXPUNGE {uid_set(chosen[flags:])}",
        )
        wire.append("INBOX", letters(seed, lengths))
        return lengths

    def floor(self, stage: Stage, rtt: int, seed: int) -> Floor:
        """Select with QRESYNC and drain the new messages; write these durably."""
        user = stage.server.clone(self.account, "floor")
        with stage.server.wire(user) as wire:
            validity, uidnext, modseq = wire.counters("INBOX")
            lengths = self._change(stage, wire, seed)
        with floor.timed() as network, stage.server.wire(user, stage.port(rtt)) as wire:
            wire.ask("ENABLE QRESYNC", f"SELECT INBOX (QRESYNC ({validity} {modseq}))")
            wire.drain(f"UID FETCH {uidnext}:* {COMPLETE}")
        root = stage.work / "floors" / f"{self.key}-{rtt}"
        return Floor(network.seconds, floor.write_durably(root, [lengths]))


@dataclass(frozen=True)
class LocalFlags(Workload):
    """Flags set in the Maildir."""

    def start(self, stage: Stage, contender: Contender, seed: int) -> Start:
        """A mail program has renamed files in INBOX."""
        lane = stage.settled(self.account, contender)
        assert lane.site
        box = lane.site.mail / "INBOX"
        maildirs.mark(box, self.many(stage, 1_000), random.Random(seed))
        lane.unsettled = True
        return Start(lane, lane.site, maildirs.state(lane.site.mail))

    def floor(self, stage: Stage, rtt: int, seed: int) -> Floor:
        """Select and store two flags; list the directory."""
        user = stage.server.clone(self.account, "floor")
        with stage.server.wire(user) as wire:
            able = sorted(uid for uid, letters_ in wire.messages("INBOX").items() if "F" not in letters_)
        chosen = random.Random(seed).sample(able, min(len(able), self.many(stage, 1_000)))
        half = len(chosen) // 2
        with floor.timed() as network, stage.server.wire(user, stage.port(rtt)) as wire:
            wire.ask("SELECT INBOX")
            wire.drain(
                f"UID STORE {uid_set(chosen[:half])} +FLAGS.SILENT (\\Seen)",
                f"UID STORE {uid_set(chosen[half:])} +FLAGS.SILENT (\\Flagged)",
            )
        return Floor(network.seconds, floor.listing(known(stage, self.account, "INBOX")))


@dataclass(frozen=True)
class Upload(Workload):
    """New messages in the Maildir, an empty account."""

    keeps: ClassVar[bool] = False

    def start(self, stage: Stage, contender: Contender, seed: int) -> Start:
        """After a pass that found nothing, mail was delivered into INBOX."""
        lane = stage.lane(self.account, contender.name)
        site = stage.fresh(lane)
        stage.pass_untimed(contender, site)
        maildirs.deliver(site.mail / "INBOX", self._letters(stage, seed), seed)
        return Start(lane, site, maildirs.state(site.mail))

    def _letters(self, stage: Stage, seed: int) -> list[Letter]:
        (lengths,) = stage.server.account(self.account).lengths().values()
        return list(letters(seed, lengths))

    def floor(self, stage: Stage, rtt: int, seed: int) -> Floor:
        """Append them in one burst; read as many files."""
        made = self._letters(stage, seed)
        with floor.timed() as network, stage.server.wire(f"upload-floor-{rtt}", stage.port(rtt)) as wire:
            wire.append("INBOX", made)
        box = stage.work / "floors" / f"{self.key}-{rtt}"
        for part in ("cur", "new", "tmp"):
            (box / part).mkdir(parents=True)
        maildirs.deliver(box, made, seed)
        return Floor(network.seconds, floor.reading(box / part for part in maildirs.PARTS))


@dataclass(frozen=True)
class Moves(Workload):
    """Messages filed in another mailbox, in the Maildir: from the fuller of two to the other."""

    BETWEEN: ClassVar = ("INBOX", "Archive/2025")

    def start(self, stage: Stage, contender: Contender, seed: int) -> Start:
        """A mail program has filed messages."""
        lane = stage.settled(self.account, contender)
        assert lane.site
        before = maildirs.state(lane.site.mail)
        target, source = sorted(self.BETWEEN, key=lambda name: sum(before[name].values()))
        maildirs.file_elsewhere(
            lane.site.mail / source,
            lane.site.mail / target,
            self.many(stage, 1_000),
            random.Random(seed),
            contender.filed,
        )
        lane.unsettled = True
        return Start(lane, lane.site, maildirs.state(lane.site.mail))

    def floor(self, stage: Stage, rtt: int, seed: int) -> Floor:
        """Select and move; list both directories."""
        user = stage.server.clone(self.account, "floor")
        with stage.server.wire(user) as wire:
            held = {name: sorted(wire.messages(name)) for name in self.BETWEEN}
        target, source = sorted(self.BETWEEN, key=lambda name: len(held[name]))
        chosen = random.Random(seed).sample(held[source], min(len(held[source]), self.many(stage, 1_000)))
        with floor.timed() as network, stage.server.wire(user, stage.port(rtt)) as wire:
            wire.drain(f'SELECT "{source}"', f'UID MOVE {uid_set(chosen)} "{target}"')
        return Floor(network.seconds, floor.listing(known(stage, self.account, *self.BETWEEN)))


def known(stage: Stage, account: str, *mailboxes: str) -> list[pathlib.Path]:
    """The directories of these mailboxes in the lane of some contender; none where nobody has the account."""
    site = next((lane.site for lane in stage.lanes.values() if lane.account == account and lane.site), None)
    return [site.mail / mailbox / part for mailbox in mailboxes for part in maildirs.PARTS] if site else []
