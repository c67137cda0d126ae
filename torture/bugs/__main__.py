"""`python -m torture.bugs`: plants each bug in a copy of the checkout, and says which test catches it.

The same tests have to pass without any bug first, or a failure would mean nothing.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from torture import TOP, report, results
from torture.bugs import Bug, every
from torture.results import Catch

_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "results", "build", "dist", "demo", "*.egg-info"
)
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+?::.*?)(?: - .*)?$", re.MULTILINE)
_SECONDS = 600


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m torture.bugs", description=__doc__)
    made.add_argument("--only", metavar="A,B", help="only these bugs")
    made.add_argument("--list", action="store_true", help="say which there are")
    made.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="so many at a time")
    made.add_argument("--out", type=Path, default=results.KEPT, metavar="DIR")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where every bug was caught; 1 where one was not; 2 where the command, an edit or the tests are wrong."""
    made = parser()
    options = made.parse_args(arguments)
    bugs = every()
    if options.only:
        wanted = set(options.only.split(","))
        if unknown := wanted - {bug.name for bug in bugs}:
            made.error(f"no such bug: {', '.join(sorted(unknown))}")
        bugs = tuple(bug for bug in bugs if bug.name in wanted)
    if options.list:
        for bug in bugs:
            print(f"{bug.name}: {bug.what}")
        return 0
    with tempfile.TemporaryDirectory(prefix="bugs-") as place:
        Path(place).chmod(0o755)
        checkout = _copied(TOP, Path(place) / "c")  # what is worked on meanwhile changes nothing
        for bug in bugs:
            try:
                bug.planted(checkout)
            except ValueError as error:
                made.error(f"{bug.name}: {error}")
        if broken := caught(checkout, None, _all_tests(bugs)):
            made.error(f"without any bug, {broken} fails")
        with ThreadPoolExecutor(options.workers) as pool:
            catches = list(pool.map(partial(_told, checkout), bugs))
    results.save_catches(results.load_catches(options.out) | {catch.bug: catch for catch in catches}, options.out)
    report.refresh(options.out)
    free = [catch.bug for catch in catches if not catch.caught_by]
    print(f"{len(catches) - len(free)} of {len(catches)} bugs caught; not caught: {', '.join(free) or 'none'}")
    return int(bool(free))


def _all_tests(bugs: Iterable[Bug]) -> list[str]:
    return list(dict.fromkeys(test for bug in bugs for test in bug.tests))


def _copied(checkout: Path, target: Path) -> Path:
    return Path(shutil.copytree(checkout, target, ignore=_LEFT_OUT, symlinks=True))


def _told(checkout: Path, bug: Bug) -> Catch:
    begin = time.monotonic()
    catch = Catch(bug.name, bug.what, caught(checkout, bug, bug.tests))
    print(f"{bug.name}: {catch.caught_by or 'NOT CAUGHT'} ({time.monotonic() - begin:.0f} s)", flush=True)
    return catch


def caught(checkout: Path, bug: Bug | None, tests: Sequence[str]) -> str | None:
    """The first of the tests that fails in a copy of the checkout with the bug in it; None if none does.

    Raises:
        RuntimeError: the tests could not be run.
    """
    with tempfile.TemporaryDirectory(prefix="bug-", ignore_cleanup_errors=True) as place:
        Path(place).chmod(0o755)  # servers run as other users
        copy = _copied(checkout, Path(place) / "c")
        if bug is not None:
            bug.plant(copy)
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--tb=no", "--timeout=100", *tests],
            cwd=copy, env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
            check=False, capture_output=True, text=True, timeout=_SECONDS,
        )  # fmt: skip
    if ran.returncode == 0:
        return None
    found = _FAILED.search(ran.stdout)
    if ran.returncode != 1 or found is None:
        raise RuntimeError(f"{bug.name if bug else 'without a bug'}: pytest ended with {ran.returncode}: {ran.stdout}")
    return found[1]


if __name__ == "__main__":
    sys.exit(main())
