"""Deliberate bugs, planted one at a time to see whether the tests catch them: `python -m torture.bugs`.

The bugs are data, in the `*.toml` beside this file. Each has a short `name`, one sentence of `what` the mistake is,
its edits (`path`, the `old` text, which must be there exactly once, and the `new` one), and the `tests` that are
expected to catch it: files of tests or single ones, the fast ones first.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Edit:
    """One change of a file."""

    path: str
    old: str
    new: str

    def applied(self, text: str) -> str:
        """The file's text with the change.

        Raises:
            ValueError: the old text is not there exactly once, or what comes out is no Python.
        """
        found = text.count(self.old)
        if found != 1:
            raise ValueError(f"{self.path} has this {found} times, and not once: {self.old!r}")
        changed = text.replace(self.old, self.new)
        try:
            compile(changed, self.path, "exec")
        except SyntaxError as error:
            raise ValueError(f"{self.path} would be no Python any more: {error}") from error
        return changed


@dataclass(frozen=True)
class Bug:
    """One deliberate bug."""

    name: str
    what: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]

    def plant(self, checkout: Path) -> None:
        """Make the edits in a checkout.

        Raises:
            ValueError: one of them does not fit.
        """
        for path, text in self.planted(checkout).items():
            (checkout / path).write_text(text)

    def planted(self, checkout: Path) -> dict[str, str]:
        """What the edited files would say; see `plant`."""
        files: dict[str, str] = {}
        for edit in self.edits:
            before = files[edit.path] if edit.path in files else (checkout / edit.path).read_text()
            files[edit.path] = edit.applied(before)
        return files


def every() -> tuple[Bug, ...]:
    """All bugs, room by room."""
    return tuple(bug for path in sorted(HERE.glob("*.toml")) for bug in _bugs(path))


def _bugs(path: Path) -> Iterator[Bug]:
    for raw in tomllib.loads(path.read_text())["bug"]:
        yield Bug(raw["name"], raw["what"], tuple(Edit(**edit) for edit in raw["edit"]), tuple(raw["tests"]))
