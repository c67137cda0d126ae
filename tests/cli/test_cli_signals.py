"""What one signal asks for may go wrong; the others are still heeded."""

import os
import signal
import threading

import pytest

from syncer.cli.signals import stop_on_signals


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_in_what_a_signal_asks_for_leaves_the_others_heeded() -> None:
    called, ended = threading.Event(), threading.Event()

    def fails() -> None:
        called.set()
        raise ZeroDivisionError("nothing to divide by")

    with stop_on_signals(ended.set, {signal.SIGUSR1: fails}) as stop:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert called.wait(10)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.event.wait(10)
        assert ended.wait(10)
    assert stop.status == 128 + signal.SIGTERM
