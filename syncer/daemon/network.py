"""Hears of changes of this machine's network: an address that came or went, as after a resume or in another WLAN.

Linux tells of them through netlink (rtnetlink(7)). Where there is none, nobody is told, and what waits for the network
waits as long as it would have.
"""

import contextlib
import os
import select
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

_ADDRESSES: Final = 0x10 | 0x100
"""RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR."""
_HEADER: Final = struct.Struct("=IHHII")
"""nlmsghdr of netlink(7)."""
_RTM_NEWADDR, _RTM_DELADDR, _RTM_GETADDR = 20, 21, 22
_NLM_F_REQUEST, _NLM_F_DUMP = 0x1, 0x300
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
QUIET: Final = 1.0
"""Seconds without a further change after which it is told: an address comes with routes and name servers."""


class Network:
    """Calls `changed` in a thread of its own, for as long as the context lasts."""

    def __init__(self, changed: Callable[[], None], quiet: float = QUIET) -> None:
        self._changed = changed
        self._quiet = quiet
        self._ears: socket.socket | None = None
        self._addresses: set[bytes] = set()
        self._wake_reader, self._wake_writer = os.pipe()
        self._thread = threading.Thread(target=self._listen, name="network", daemon=True)

    def __enter__(self) -> Self:
        if hasattr(socket, "AF_NETLINK"):
            with contextlib.suppress(OSError):  # a sandbox may have none
                ears = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
                ears.bind((0, _ADDRESSES))
                ears.settimeout(0)
                # Those that there are; the answer comes the same way as news.
                ears.send(struct.pack("=IHHIIBxxx", 20, _RTM_GETADDR, _NLM_F_REQUEST | _NLM_F_DUMP, 1, 0, 0))
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
        told: frozenset[bytes] | None = None
        lost = news = False
        while True:
            ready, _, _ = select.select(both, [], [], self._quiet if news else None)
            if self._wake_reader in ready:
                return
            if ready:
                lost |= self._drain(self._ears)
                news = True
                continue
            before, told = told, frozenset(self._addresses)
            if lost or (before is not None and before != told):
                self._changed()
            lost = news = False

    def _drain(self, ears: socket.socket) -> bool:
        """Take in what was said; whether something was lost (ENOBUFS), which counts as a change."""
        try:
            while True:
                self._take_in(ears.recv(65_536))
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _take_in(self, messages: bytes) -> None:
        """An address that is announced again is the same: routers have it renewed every few seconds or minutes."""
        while len(messages) >= _HEADER.size:
            length, kind, *_ = _HEADER.unpack_from(messages)
            body, messages = messages[_HEADER.size : length], messages[max(length + 3 & ~3, _HEADER.size) :]
            if kind == _RTM_NEWADDR:
                self._addresses.add(_address(body))
            elif kind == _RTM_DELADDR:
                self._addresses.discard(_address(body))


def _address(body: bytes) -> bytes:
    """By what an address is recognised: family and interface (ifaddrmsg), and what it is called."""
    found, attributes = body[:1] + body[4:8], body[8:]
    while len(attributes) >= 4:
        length, kind = struct.unpack_from("=HH", attributes)
        if kind in (_IFA_ADDRESS, _IFA_LOCAL):
            found += attributes[:length]
        attributes = attributes[max(length + 3 & ~3, 4) :]
    return found
