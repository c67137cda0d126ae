"""Where a program that stays is put to work: its copy of the account, its Maildir, and a proxy for each distance."""

import pathlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from bench.accounts import Mailserver
from bench.contenders import Site
from bench.proxy import Proxy
from bench.stage import Stage
from bench.watching.running import Running
from bench.watching.watchers import Told, Watcher
from bench.wire import Wire

ACCOUNT: Final = "watched"
REST: Final = 3.0
"""Seconds. Who was still for so long has settled."""


class ProxiedStage(Stage):
    """A stage on which every way leads through a proxy, that of no length too, so that all is counted."""

    def port(self, rtt: int) -> int:
        """Where the server is `rtt` milliseconds away."""
        if rtt not in self.proxies:
            self.proxies[rtt] = Proxy(self.server.dovecot.port, rtt)
        return self.proxies[rtt].port


@dataclass(frozen=True, slots=True)
class Post:
    """A program that runs and has settled."""

    site: Site
    running: Running
    proxy: Proxy


@dataclass(frozen=True, slots=True)
class Scene:
    """A watcher and its stage."""

    watcher: Watcher
    stage: ProxiedStage
    limit: float
    """Seconds that it may take to settle."""

    @property
    def mailboxes(self) -> tuple[str, ...]:
        """Of the account, the largest first."""
        return self.stage.server.account(ACCOUNT).mailboxes

    def wire(self, site: Site) -> Wire:
        """A bare connection straight to the server."""
        return self.stage.server.wire(site.user)

    def settled(self, rtt: int) -> Site:
        """The site, at this distance, with both sides equal and the watcher configured.

        Raises:
            NotReadyError: it could not be brought there.
        """
        self.stage.distance = rtt
        lane = self.stage.settled(ACCOUNT, self.watcher.once)
        assert lane.site is not None
        lane.unsettled = True
        there = Site(self.stage.port(rtt), lane.site.user, lane.site.password, lane.site.directory)
        self.watcher.configure(there)
        return there

    def proxy(self, rtt: int) -> Proxy:
        """The one that leads there."""
        self.stage.port(rtt)
        return self.stage.proxies[rtt]

    def start(self, site: Site) -> Running:
        """Start the watcher."""
        return Running(self.watcher.command(site), site.directory)

    @contextmanager
    def watching(self, rtt: int) -> Iterator[Post]:
        """The watcher at work, at rest at first, with the counters at nothing.

        Raises:
            NotReadyError: it could not be brought there.
        """
        site, proxy = self.settled(rtt), self.proxy(rtt)
        with self.start(site) as running:
            running.settle(proxy, seconds=REST, limit=self.limit)
            proxy.reset()
            yield Post(site, running, proxy)


class Scenes:
    """One scene for each watcher, and the servers: one that offers NOTIFY, and one that does not."""

    def __init__(self, base: pathlib.Path, scale: float, limit: float) -> None:
        """Everything lies below `base`. `limit` is for getting the account, and for settling, in seconds."""
        self._base, self._scale, self._limit = base, scale, limit
        self._servers: dict[Told, Mailserver] = {}
        self._scenes: dict[str, Scene] = {}

    def of(self, watcher: Watcher) -> Scene:
        """The watcher's scene, made where it was not yet."""
        if watcher.key not in self._scenes:
            stage = ProxiedStage(self._server(watcher.told), self._base / watcher.key, {watcher.once.name: self._limit})
            self._scenes[watcher.key] = Scene(watcher, stage, self._limit)
        return self._scenes[watcher.key]

    def _server(self, told: Told) -> Mailserver:
        if told not in self._servers:
            hide = () if told == "NOTIFY" else ("NOTIFY",)
            server = Mailserver.start(self._base / told.lower(), self._scale, hide=hide)
            for other in self._servers.values():
                server.take_over(ACCOUNT, other)
            self._servers[told] = server
        return self._servers[told]

    def close(self) -> None:
        """End the proxies and the servers."""
        for scene in self._scenes.values():
            scene.stage.close()
        for server in self._servers.values():
            server.dovecot.stop()
