"""Hears of changes of this machine's network: an address that came or went, as after a resume or in another WLAN.

Linux tells of them through netlink (rtnetlink(7)). Where there is none, nobody is told, and what waits for the network
waits as long as it would have.
"""

import contextlib
import os
import select
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

_ADDRESSES: Final = 0x10 | 0x100
"""RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR."""
QUIET: Final = 1.0
"""Seconds without a further change after which it is told: an address comes with routes and name servers."""


class Network:
    """Calls `changed` in a thread of its own, for as long as the context lasts."""

    def __init__(self, changed: Callable[[], None], quiet: float = QUIET) -> None:
        self._changed = changed
        self._quiet = quiet
        self._ears: socket.socket | None = None
        self._wake_reader, self._wake_writer = os.pipe()
        self._thread = threading.Thread(target=self._listen, name="network", daemon=True)

    def __enter__(self) -> Self:
        if hasattr(socket, "AF_NETLINK"):
            with contextlib.suppress(OSError):  # a sandbox may have none
                ears = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
                ears.bind((0, _ADDRESSES))
                ears.settimeout(0)
                self._ears = ears
                self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.write(self._wake_writer, b".")
        if self._thread.ident is not None:
            self._thread.join()
        if self._ears is not None:
            self._ears.close()
        os.close(self._wake_reader)
        os.close(self._wake_writer)

    def _listen(self) -> None:
        assert self._ears is not None
        both: list[socket.socket | int] = [self._ears, self._wake_reader]
        news = False
        while True:
            ready, _, _ = select.select(both, [], [], self._quiet if news else None)
            if self._wake_reader in ready:
                return
            if ready:
                self._drain(self._ears)
                news = True
            else:
                news = False
                self._changed()

    @staticmethod
    def _drain(ears: socket.socket) -> None:
        """What exactly has changed does not matter; that something was lost (ENOBUFS) is a change as well."""
        with contextlib.suppress(OSError):
            while ears.recv(65_536):
                pass
