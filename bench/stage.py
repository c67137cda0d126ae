"""Where contenders meet: the server, the ways to it, and for each contender a lane of its own on each account.

A lane is a copy of the account and the directory in which the contender keeps it. Directories are never removed while
the benchmark runs, since creating files after many were deleted is slow on some filesystems; they only go out of use.
"""

import pathlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from bench import maildirs
from bench.accounts import Mailserver
from bench.contenders import Contender, Site
from bench.measure import Usage, measured, settle
from bench.proxy import Proxy
from bench.wire import State


class NotReadyError(Exception):
    """A contender could not be brought to the start of a workload; `late` if it took too long."""

    def __init__(self, reason: str, *, late: bool = False) -> None:
        """See the class."""
        super().__init__(reason)
        self.late = late


@dataclass(slots=True)
class Lane:
    """A contender's copy of an account, and where it has it locally, once it has."""

    account: str
    user: str
    directory: pathlib.Path
    site: Site | None = None
    used: int = 0
    """How many directories were made so far."""
    unsettled: bool = True
    """Something happened since the last pass that nobody timed."""
    distance: int = 0
    """The round-trip time in milliseconds at which that pass was."""
    hopeless: bool = False
    """The contender could not even get the account within its time limit."""


@dataclass(slots=True)
class Stage:
    """One run of the benchmark.

    Args:
        server: the running server.
        work: for everything local.
        limits: seconds that a run may take, by contender.
    """

    server: Mailserver
    work: pathlib.Path
    limits: dict[str, float]
    lanes: dict[tuple[str, str], Lane] = field(default_factory=dict)
    proxies: dict[int, Proxy] = field(default_factory=dict)
    distance: int = 0
    """The round-trip time of the runs to come. Who was never there is not settled: another port is another server."""

    def close(self) -> None:
        """End the proxies."""
        for proxy in self.proxies.values():
            proxy.__exit__()

    def port(self, rtt: int) -> int:
        """Where the server is `rtt` milliseconds away: the server's own port, or a proxy's."""
        if not rtt:
            return self.server.dovecot.port
        if rtt not in self.proxies:
            self.proxies[rtt] = Proxy(self.server.dovecot.port, rtt)
        return self.proxies[rtt].port

    def lane(self, account: str, contender: str) -> Lane:
        """The contender's lane on an account; on "upload" every one begins with an empty account."""
        key = (account, contender)
        if key not in self.lanes:
            user = f"{account}-{contender}" if account == "upload" else self.server.clone(account, contender)
            self.lanes[key] = Lane(account, user, self.work / "lanes" / f"{account}-{contender}")
        return self.lanes[key]

    def fresh(self, lane: Lane) -> Site:
        """An empty directory for this lane, which is not yet the lane's own; on "upload" an empty account, too."""
        lane.used += 1
        directory = lane.directory / str(lane.used)
        directory.mkdir(parents=True)
        dovecot = self.server.dovecot
        user = f"{lane.user}-{lane.used}" if lane.account == "upload" else lane.user
        return Site(dovecot.port, user, dovecot.password, directory)

    def configured(self, contender: Contender, site: Site, rtt: int) -> Site:
        """The same site, at this distance, with the contender's configuration."""
        there = Site(self.port(rtt), site.user, site.password, site.directory)
        contender.configure(there)
        return there

    def pass_untimed(self, contender: Contender, site: Site, rtt: int = 0) -> None:
        """One pass, straight to the server or at a distance.

        Raises:
            NotReadyError: it failed or took too long.
        """
        quick = contender.quickest()
        there = self.configured(quick, site, rtt)
        usage = measured(quick.command(there), site.directory, limit=self.limits[contender.name])
        if usage.late:
            raise NotReadyError("not ready within its time limit", late=True)
        if usage.status:
            raise NotReadyError(f"exit status {usage.status} before the run: {usage.said}")

    def settled(self, account: str, contender: Contender, *, passes: int = 1) -> Lane:
        """The contender's lane, with everything on both sides and nothing left to do.

        Raises:
            NotReadyError: it could not be brought there.
        """
        lane = self.lane(account, contender.name)
        count = self.server.account(account).count
        for (other, name), each in self.lanes.items():
            if name == contender.name and each.hopeless and self.server.account(other).count <= count:
                lane.hopeless = True
                raise NotReadyError("could not get the account within its time limit", late=True)
        if lane.site is None:
            site = self.fresh(lane)
            try:
                self.pass_untimed(contender, site)
            except NotReadyError as error:
                lane.hopeless = error.late
                raise
            lane.site, lane.unsettled = site, True
        if lane.unsettled or lane.distance != self.distance:
            for _ in range(passes):
                self.pass_untimed(contender, lane.site, self.distance)
            if wrong := self.difference(lane.site, self.server_state(lane.site.user)):
                lane.site = None
                raise NotReadyError(f"not settled before the run: {wrong}")
            lane.unsettled, lane.distance = False, self.distance
        return lane

    def timed_pass(
        self, contender: Contender, site: Site, rtt: int, *, command: list[str] | None = None
    ) -> tuple[Usage, dict[str, Any] | None]:
        """One pass at this distance, with the machine at rest before; what it took and what the proxy counted."""
        there = self.configured(contender, site, rtt)
        settle()
        if rtt:
            self.proxies[rtt].reset()
        usage = measured(command or contender.command(there), site.directory, limit=self.limits[contender.name])
        return usage, self.proxies[rtt].count() if rtt else None

    def server_state(self, user: str) -> State:
        """What the account holds."""
        with self.server.wire(user) as wire:
            return wire.state()

    def difference(self, site: Site, expected: State, *, least: int = 0) -> str | None:
        """What is wrong where a side does not hold `expected`, or the Maildir fewer than `least` octets; else None."""
        for side, found in (
            ("on the server", self.server_state(site.user)),
            ("in the Maildir", maildirs.state(site.mail)),
        ):
            for mailbox in sorted(set(found) | set(expected)):
                have, want = found.get(mailbox, Counter()), expected.get(mailbox, Counter())
                if have != want:
                    return f"{mailbox} {side}: {dict(have)} instead of {dict(want)}"
        if least and (octets := maildirs.octets(site.mail)) < least:
            return f"{octets} octets in the Maildir, less than {least}"
        return None
