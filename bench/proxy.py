"""A proxy on loopback that makes the way to the server longer, and counts; it runs in a process of its own.

Every chunk is handed on half a round-trip time after it came; there is no other limit than 64 MB on their way in each
direction of a connection. The TCP handshake is modelled by holding a new connection for one round-trip time: nothing,
the greeting included, starts on its way before. Nagle's algorithm is off in the proxy.
"""

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final, Self

from bench import TOP
from bench.counting import Tally, summed

CHUNK: Final = 1 << 18
MOST_QUEUED: Final = 64_000_000


@dataclass(slots=True, eq=False)
class Flow:
    """One direction of a connection: chunks with the time when each is due, in order. None is the end."""

    source: socket.socket
    target: socket.socket
    tally: Tally
    from_client: bool
    opened: float
    queue: deque[tuple[float, memoryview | None]] = field(default_factory=deque)
    queued: int = 0
    reading: bool = True
    ended: bool = False
    broken: bool = False
    """The target takes nothing any more. What the source still says is counted and thrown away."""

    def wants_to_read(self) -> bool:
        """Whether there is room for more."""
        return self.reading and self.queued < MOST_QUEUED

    def read(self, now: float, delay: float) -> None:
        """Take what has come."""
        try:
            data = self.source.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        due = max(now, self.opened) + delay
        if not data:
            self.reading = False
            self.queue.append((due, None))
            return
        if self.from_client:
            self.tally.from_client(data)
        else:
            self.tally.from_server(data)
        self.queue.append((due, memoryview(data)))
        self.queued += len(data)

    def write(self, now: float) -> None:
        """Hand on what is due, as far as the target takes it."""
        while self.queue and self.queue[0][0] <= now:
            due, data = self.queue[0]
            if data is None:
                with contextlib.suppress(OSError):
                    self.target.shutdown(socket.SHUT_WR)
                self.ended = True
                self.queue.clear()
                return
            try:
                sent = len(data) if self.broken else self.target.send(data)
            except BlockingIOError:
                return
            except OSError:
                self.broken = True
                continue
            self.queued -= sent
            if not self.from_client:
                self.tally.arrived()
            if sent < len(data):
                self.queue[0] = (due, data[sent:])
                return
            self.queue.popleft()


class Relay:
    """Accepts connections, hands on what is due, obeys words on standard input.

    `count` and `reset` are about the counters. `hold` makes it a black hole: it takes and hands on nothing more, and
    closes nothing, until `pass`. What was sent meanwhile, and is not lost by then, comes late.
    """

    def __init__(self, target: int, seconds: float) -> None:
        """Pass everything on to `target`, a port of 127.0.0.1, with a round-trip time of `seconds`."""
        self._target, self._rtt = target, seconds
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._flows: list[Flow] = []
        self._tallies: list[Tally] = []
        self._held = False

    def run(self) -> None:
        """Until standard input ends."""
        commands = sys.stdin.fileno()
        while True:
            while self._held:
                if not self._obey(os.read(commands, 64)):
                    return
            now = time.monotonic()
            for flow in self._flows:
                flow.write(now)
            self._bury()
            later = [flow.queue[0][0] for flow in self._flows if flow.queue and flow.queue[0][0] > now]
            readable, _, _ = select.select(
                [commands, self._listener, *(flow.source for flow in self._flows if flow.wants_to_read())],
                [flow.target for flow in self._flows if flow.queue and flow.queue[0][0] <= now],
                [],
                max(0.0, min(later) - time.monotonic()) if later else None,
            )
            now, ready = time.monotonic(), set(readable)
            if commands in ready and not self._obey(os.read(commands, 64)):
                return
            if self._listener in ready:
                self._accept(now)
            for flow in self._flows:
                if flow.source in ready and flow.wants_to_read():
                    flow.read(now, self._rtt / 2)

    def _accept(self, now: float) -> None:
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            client.close()
            return
        tally = Tally()
        self._tallies.append(tally)
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.setblocking(False)
        opened = now + self._rtt
        self._flows += [Flow(client, server, tally, True, opened), Flow(server, client, tally, False, opened)]

    def _bury(self) -> None:
        """Close the connections of which both directions have ended."""
        if not any(flow.ended for flow in self._flows):
            return
        ended = {id(flow.tally) for flow in self._flows if flow.ended}
        open_ = {id(flow.tally) for flow in self._flows if not flow.ended}
        for flow in self._flows:
            if id(flow.tally) in ended - open_:
                flow.source.close()
        self._flows = [flow for flow in self._flows if id(flow.tally) not in ended - open_]

    def _obey(self, words: bytes) -> bool:
        for word in words.split():
            if word in {b"hold", b"pass"}:
                self._held = word == b"hold"
            if word == b"reset":
                self._tallies = [flow.tally for flow in self._flows if flow.from_client]
                for tally in self._tallies:
                    tally.begin()
            answer = {"open": len(self._flows) // 2, **summed(self._tallies)}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
        return bool(words)


class Proxy:
    """A relay in a process of its own; `port` is where it listens."""

    def __init__(self, target: int, milliseconds: float) -> None:
        """Pass everything on to the port `target` of 127.0.0.1, with this round-trip time."""
        command = [sys.executable, "-m", "bench.proxy", str(target), str(milliseconds / 1000)]
        self._process = subprocess.Popen(command, cwd=TOP, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())

    def __enter__(self) -> Self:
        """It listens already."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def _say(self, word: bytes) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(word + b"\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def reset(self) -> None:
        """Begin to count at nothing."""
        self._say(b"reset")

    def hold(self) -> None:
        """Pass nothing on any more, and close nothing."""
        self._say(b"hold")

    def release(self) -> None:
        """Go on after `hold`."""
        self._say(b"pass")

    def count(self, *, timeout: float = 2) -> dict[str, Any]:
        """What `counting.summed` says, once all connections have ended or `timeout` seconds have passed."""
        end = time.monotonic() + timeout
        while (answer := self._say(b"count"))["open"] and time.monotonic() < end:
            time.sleep(0.02)
        return answer


def main() -> None:
    """Arguments: the target's port, the round-trip time in seconds. Prints its own port first."""
    relay = Relay(int(sys.argv[1]), float(sys.argv[2]))
    sys.stdout.write(f"{relay.port}\n")
    sys.stdout.flush()
    relay.run()


if __name__ == "__main__":
    main()
