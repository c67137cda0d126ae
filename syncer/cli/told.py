"""What happens in watched accounts as lines for a person: the same in `watch` and for those who follow one."""

import math
import threading
from collections.abc import Callable, Sequence

from syncer.cli.output import Line
from syncer.cli.summary import summary
from syncer.report import AccountReport, Report


class Told:
    """Says what was done each time, and what is wrong when it begins and when it is over. Thread-safe."""

    def __init__(self, say: Callable[[Line], None], note: Callable[[str, str], None], command: Sequence[str]) -> None:
        """`note` is told what an account does now; `command` begins a command to go on with (see `summary`)."""
        self._say = say
        self._note = note
        self._command = command
        self._lock = threading.Lock()
        self._wrong: dict[str, tuple[Line, ...]] = {}
        """What was said to be wrong, by mailbox."""
        self._failing: dict[str, str] = {}
        """Why an account cannot be worked on."""

    def passed(self, report: AccountReport) -> None:
        """A pass is over."""
        with self._lock:
            if report.error is None and self._failing.pop(report.name, None) is not None:
                self._say(Line(f"{report.name}: all is well again", least=-1, about=(report.name,)))
            for name, mailbox in report.mailboxes.items():
                alone = AccountReport(report.name, mailboxes={name: mailbox})
                lines = tuple(summary(Report([alone]), self._command))[:-1]
                self._print(f"{report.name}:{name}", lines)
            if report.error is not None:
                self._print(report.name, (Line(f"syncer: {report.name}: {report.error}", "error", -1, (report.name,)),))
            else:
                self._wrong.pop(report.name, None)
            elsewhere = any(place.partition(":")[0] == report.name for place in self._wrong)
            self._note(report.name, "not all is in order" if elsewhere or not report.ok else "both sides are equal")

    def failed(self, account: str, error: str, seconds: float) -> None:
        """It is tried again; said once, and again where something else is wrong."""
        with self._lock:
            if math.isinf(seconds):
                self._note(account, f"given up: {error}")
                self._say(Line(f"syncer: {error}", "error", -1, (account,)))
                return
            self._note(account, f"tried again in {_duration(seconds)}: {error}")
            if self._failing.get(account) != error:
                self._failing[account] = error
                words = f"{account}: tried again in {_duration(seconds)}, and then until it works"
                self._say(Line(f"syncer: {error}", "warning", -1, (account,)))
                self._say(Line(words, about=(account,)))

    def _print(self, place: str, lines: Sequence[Line]) -> None:
        wrong = tuple(line for line in lines if line.least < 0)
        same = self._wrong.pop(place, ()) == wrong
        if wrong:
            self._wrong[place] = wrong
        for line in lines:
            if line.least >= 0 or not same:
                self._say(line)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3_600:.0f} h"
