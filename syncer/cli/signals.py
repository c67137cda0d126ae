"""Ctrl-C and SIGTERM.

A command without a pass is left at once: SIGINT raises KeyboardInterrupt, the others raise `Terminated`. A pass is
asked to stop through an event and ends cleanly; a second signal leaves at once, which a pass has to survive anyway.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Final

_TERMINATING: Final = (signal.SIGTERM, signal.SIGHUP)
_SHOW_CURSOR: Final = b"\x1b[?25h"


class Terminated(BaseException):
    """SIGTERM or SIGHUP. Like KeyboardInterrupt not an Exception, so that nothing takes it for a failure."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number


class Stop:
    """What a signal asked of a pass."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.status: int | None = None
        """The exit status that the first signal asks for; set before the event is."""


def leave_on_signals() -> None:
    """Make SIGTERM and SIGHUP raise `Terminated` in the main thread, as SIGINT raises KeyboardInterrupt."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise Terminated(number)

    for number in _heeded(*_TERMINATING):
        signal.signal(number, leave)


@contextmanager
def stop_on_signals(
    notify: Callable[[], None], others: Mapping[signal.Signals, Callable[[], None]] | None = None
) -> Iterator[Stop]:
    """Turn the first signal into `Stop.event` and call `notify`; the second signal leaves at once.

    The signals in `others` call something instead, however often they come.

    A handler runs between any two instructions of the main thread, perhaps inside the event's own lock, so it must
    not set the event; and it does not run while the main thread has just begun to wait. So it does nothing: Python
    writes the number into a pipe, and a thread that reads it acts. Main thread only.
    """
    stop = Stop()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def note(_number: int, _frame: FrameType | None) -> None:
        """Only for a signal with a handler does Python write to the pipe."""

    heeded = {int(number): act for number, act in (others or {}).items()}

    def wait() -> None:
        while number := os.read(reader, 1)[0]:
            if number in heeded:
                _contained(heeded[number])
                continue
            if stop.status is not None:
                _leave(128 + number)
            stop.status = 128 + number
            stop.event.set()
            notify()

    thread = threading.Thread(target=wait, name="signals", daemon=True)
    thread.start()
    before = [
        (number, signal.getsignal(number)) for number in {*_heeded(signal.SIGINT, *_TERMINATING), *(others or {})}
    ]
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number, _ in before:
        signal.signal(number, note)
    try:
        yield stop
    finally:
        for number, handler in before:
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        os.write(writer, b"\0")
        thread.join()
        os.close(reader)
        os.close(writer)


def _contained(act: Callable[[], None]) -> None:
    """A fault of ours in what one signal asks for must not make the program deaf to the others."""
    try:
        act()
    except Exception:
        import logging  # noqa: PLC0415 - not needed by a program without faults

        logging.getLogger(__name__).exception("internal error after a signal, please report it")


def _leave(status: int) -> None:
    try:
        if sys.stderr is not None and sys.stderr.isatty():
            os.write(2, _SHOW_CURSOR)
    finally:
        os._exit(status)


def _heeded(*numbers: signal.Signals) -> list[signal.Signals]:
    """Those that whoever started us did not ask to be ignored, as nohup does."""
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
