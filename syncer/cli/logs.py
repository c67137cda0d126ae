"""What is logged, said as everything else is: for a person, or as JSON."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from syncer.cli.output import Output, Style

_STYLES: Final[Mapping[int, tuple[Style, int]]] = {2: ("plain", 0), 3: ("warning", -1), 4: ("error", -1)}
"""By tens of a level of logging: how it looks, and the least verbosity that shows it."""


@contextmanager
def logs_said(output: Output, level: int) -> Iterator[None]:
    """Meanwhile say what is logged from this level on, which is INFO or more; one within another takes its place."""
    log = logging.getLogger("syncer")
    before, least = log.handlers[:], log.level
    log.handlers[:] = [*(handler for handler in before if not isinstance(handler, _Log)), _Log(output, level)]
    log.setLevel(level)
    try:
        yield
    finally:
        log.handlers[:] = before
        log.setLevel(least)


class _Log(logging.Handler):
    """What went wrong is said always, the rest as a command says what it does."""

    def __init__(self, output: Output, level: int) -> None:
        super().__init__(level)
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        """Say one."""
        style, least = _STYLES[min(record.levelno // 10, 4)]
        traceback = logging.Formatter().formatException(record.exc_info).split("\n") if record.exc_info else ()
        self._output.say(record.getMessage(), style, least=least, more=traceback)
