"""The service manager: that the program is ready, alive, reloads, or is about to end (sd_notify(3)).

A message is one datagram to the socket that `$NOTIFY_SOCKET` names, of lines `NAME=value`. A program that nobody
supervises says the same things to nobody.
"""

import os
import time
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Final, Self

from syncer.daemon.texts import shown
from syncer.later import Later
from syncer.values import Struct

if TYPE_CHECKING:
    import socket
else:
    socket = Later("socket")

VARIABLES: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
"""What a service manager puts into the environment of the process that it supervises, and of no other."""

_LONGEST_STATUS: Final = 500
_PATIENCE: Final = 1.0
"""Seconds for which a service manager that does not read may keep us waiting."""


class Supervisor(Struct, frozen=True):
    """Whoever supervises this process, or nobody."""

    address: bytes | None = None
    """Its socket, as `sendto` wants it; None: there is nobody."""
    interval: float | None = None
    """Every so many seconds `alive` has to be called; None: nobody waits for it."""

    @classmethod
    def take(cls, environment: MutableMapping[str, str], pid: int) -> Self:
        """The supervisor that `environment` tells the process `pid` of.

        Its variables are removed, as children are not supervised: with them a password command or a hook could speak
        in our name.
        """
        path, usec, watched = (environment.pop(name, "") for name in VARIABLES)
        if path.startswith("/"):
            address = os.fsencode(path)
        elif path.startswith("@") and len(path) > 1:
            address = b"\0" + os.fsencode(path[1:])  # in the abstract namespace (unix(7))
        else:
            return cls()
        return cls(address, _interval(usec) if watched in {"", str(pid)} else None)

    def ready(self) -> bool:
        """It has started, or has reloaded. This and the others return whether the message was accepted."""
        return self._send("READY=1")

    def status(self, text: str) -> bool:
        """What it is doing, in a few words."""
        return self._send(f"STATUS={shown(text.encode('utf-8', 'surrogateescape'))[:_LONGEST_STATUS]}")

    def alive(self) -> bool:
        """It is not stuck: to be said every `interval` by the thread that would be."""
        return self._send("WATCHDOG=1")

    def reloading(self) -> bool:
        """It reads its configuration anew; `ready` ends that."""
        return self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> bool:
        """It is about to end."""
        return self._send("STOPPING=1")

    def _send(self, message: str) -> bool:
        if self.address is None:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(_PATIENCE)
                sender.sendto(message.encode(), self.address)
        except OSError:  # a manager that is gone, or does not read, is no reason to leave mail undelivered
            return False
        return True


def _interval(usec: str) -> float | None:
    """Half the time after which the watchdog bites, as sd_watchdog_enabled(3) recommends."""
    if not (usec.isascii() and usec.isdecimal() and int(usec[:20])):
        return None
    return int(usec[:20]) / 2_000_000
