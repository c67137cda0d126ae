"""Printing: standard error for people, or as lines of JSON for a collector of logs; standard output for results.

Every text passes through `escape`, since any of it may come from a server. A reader that went away, a full disk or a
closed stream must not stop a pass half-way, so failing to print is remembered and never raised.
"""

import os
import sys
import time
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple, TextIO

from syncer.later import later

Style = Literal["error", "warning", "plain"]
LogFormat = Literal["human", "json"]

_LEVELS: Final = {"error": "error", "warning": "warning", "plain": "info"}
_COLOURS: Final = {"error": "\x1b[31m", "warning": "\x1b[33m", "plain": ""}
_RESET: Final = "\x1b[0m"

_UNPRINTABLE: Final = later(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL and C1: escape sequences, line breaks, tabs
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional marks, embeddings, overrides and isolates
    "\u2028\u2029\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # separators, and what shows nothing
    "\ud800-\udfff]"  # bytes that are not UTF-8
)


def columns(text: str) -> int:
    """How wide a terminal shows it: letters of the Far East take two columns, accents that follow a letter none."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width  # noqa: PLC0415 - not for most names

    return sum(2 if east_asian_width(letter) in "WF" else not combining(letter) for letter in text)


def padded(text: str, width: int) -> str:
    """The text, and spaces up to so many columns."""
    return text + " " * (width - columns(text))


def escape(text: str) -> str:
    r"""The text with everything that could steer a terminal, or make a second line, written as `\xNN` or `\uNNNN`."""
    if text.isprintable():
        return text
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


class Line(NamedTuple):
    """One line, how it looks, the least verbosity that shows it (-1: always), and what it is about."""

    text: str
    style: Style = "plain"
    least: int = 0
    about: tuple[str, ...] = ()
    """The account, or account and mailbox."""


class Output:
    """Where a command prints. `verbosity` is -1 with `-q`, 1 with `-v`, else 0."""

    def __init__(self, verbosity: int = 0, log_format: LogFormat = "human") -> None:
        self.verbosity = verbosity
        self._log_format = log_format
        self.failed = False
        """A result could not be written although somebody was reading."""
        self.gone = False
        """Nobody reads the results any more."""

    def result(self, line: str) -> None:
        """One line of what was asked for."""
        self._write(sys.stdout, f"{escape(line)}\n")

    def json(self, document: dict[str, Any]) -> None:
        """The one JSON document."""
        from json import dumps  # noqa: PLC0415 - only `--json` pays for it

        self._write(sys.stdout, f"{dumps(document, indent=1)}\n")

    def json_line(self, document: dict[str, Any]) -> None:
        """One of many JSON documents, on a line of its own."""
        from json import dumps  # noqa: PLC0415 - as above

        self._write(sys.stdout, f"{dumps(document)}\n")

    def say(
        self, line: str, style: Style = "plain", *, least: int = 0, about: Sequence[str] = (), more: Sequence[str] = ()
    ) -> None:
        """One line for the person, shown if the verbosity is at least `least`; `more` are lines that belong to it.

        `about` is the account, or account and mailbox, that it is about. For a person they are in `line` as well.
        """
        if self.verbosity < least:
            return
        if self._log_format == "json":
            self._write(sys.stderr, _as_json(line, style, about, more))
        else:
            for each in (line, *more):
                self._write(sys.stderr, self._painted(escape(each), style))

    def tell(self, line: Line) -> None:
        """Say a line."""
        self.say(line.text, line.style, least=line.least, about=line.about)

    def error(self, line: str) -> None:
        """What went wrong: shown even with `-q`."""
        self.say(f"syncer: {line}", "error", least=-1)

    def close(self) -> None:
        """Write out what is still buffered."""
        self._write(sys.stdout, "")
        self._write(sys.stderr, "")

    def _painted(self, line: str, style: Style) -> str:
        colour = _COLOURS[style] if on_terminal(sys.stderr) and not os.environ.get("NO_COLOR") else ""
        return f"{colour}{line}{_RESET}\n" if colour else f"{line}\n"

    def _write(self, stream: TextIO | None, text: str) -> None:
        if stream is None:  # Python's word for a stream that was closed before it started
            return
        try:
            stream.write(text)
            stream.flush()
        except OSError as error:
            if stream is sys.stdout:
                self.gone |= isinstance(error, BrokenPipeError)
                self.failed |= not isinstance(error, BrokenPipeError)
            _point_nowhere(stream)


def _as_json(line: str, style: Style, about: Sequence[str], more: Sequence[str]) -> str:
    """One JSON document on one line, in ASCII; without what the message of a line for people begins with."""
    from json import dumps  # noqa: PLC0415 - only `--log-format json` pays for it

    account, mailbox = (*about, None, None)[:2]
    message = line.removeprefix("syncer: ").removeprefix(f"{':'.join(about)}: " if about else "").strip()
    document = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "level": _LEVELS[style],
        "account": account,
        "mailbox": mailbox,
        "message": "\n".join(map(escape, (message, *more))),
    }
    return f"{dumps(document)}\n"


def on_terminal(stream: TextIO | None) -> bool:
    """Whether the stream is a terminal that can do more than print lines."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def prepare_streams() -> None:
    """Make printing safe whatever the locale and whoever started us."""
    for descriptor in range(3):
        # A closed one would be given to the next file or socket, which whatever prints would then write into.
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _point_nowhere(stream: TextIO) -> None:
    """Let what is buffered, and what is still to come, go nowhere, so that leaving does not fail either."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    finally:
        os.close(nowhere)
