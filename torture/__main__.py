"""`python -m torture`: plays the trials, leaves what they found in torture/results, and makes RELIABILITY.md of it."""

import argparse
import datetime as dt
import os
import pathlib
import subprocess
import sys
from collections.abc import Sequence

from torture import TOP, report, results, runner
from torture.trials import TRIALS, Trial

PORTIONS = 20
"""Into so many a trial is cut that may be interrupted."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m torture", description=__doc__)
    made.add_argument("--only", metavar="T1,T3", help="only these trials")
    made.add_argument("--part", type=float, default=1.0, metavar="F", help="so large a part of the full size (1)")
    made.add_argument("--count", type=int, metavar="N", help="so many cases instead")
    made.add_argument("--first", type=int, default=0, metavar="N", help="begin with this case: to play one again")
    made.add_argument("--more", action="store_true", help="go on after the cases of the result that is in DIR")
    made.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (one per core)")
    made.add_argument("--out", type=pathlib.Path, default=results.KEPT, metavar="DIR")
    made.add_argument("--report", action="store_true", help="write the report from the results, play nothing")
    made.add_argument("--list", action="store_true", help="say which trials there are")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where every case held; 1 where one did not; 2 where the command was wrong."""
    made = parser()
    options = made.parse_args(arguments)
    names = {trial.name for trial in TRIALS}
    wanted = set(options.only.split(",")) if options.only else names
    if unknown := wanted - names:
        made.error(f"no such trial: {', '.join(sorted(unknown))}")
    failed = False
    for trial in TRIALS:
        if options.list:
            print(f"{trial.name}  {trial.title} ({trial.every} in make test, {trial.full or 'all'} in full)")
        elif trial.name in wanted and not options.report:
            failed |= bool(_play(trial, options).failures)
    if not options.list:
        report.refresh(options.out)
    return int(failed)


def _play(trial: Trial, options: argparse.Namespace) -> results.Result:
    """All cases at once, or with `--more` in portions that are saved one by one, so that a night may be cut short."""
    count = options.count
    if count is None and trial.full is not None:
        count = max(1, round(trial.full * options.part))
    print(f"{trial.name}: {trial.title}", flush=True)
    found = results.load(options.out).get(trial.name) if options.more else None
    if found is None:
        # The first case of a trial that has an end tells how many there are.
        found = _portion(trial, options, options.first, 1 if options.more else count)
        results.save(found, options.out)
    aim = count if count is not None else found.total or 0
    while options.more and found.cases < aim:
        portion = min(aim - found.cases, max(1, aim // PORTIONS))
        found.go_on(_portion(trial, options, found.first + found.cases, portion))
        results.save(found, options.out)
    verdict = f"{len(found.failures)} failed" if found.failures else "all hold"
    print(f"{trial.name}: {found.cases} cases in {found.seconds:.0f} s, {verdict}; {found.counted}", flush=True)
    results.save(found, options.out)
    return found


def _portion(trial: Trial, options: argparse.Namespace, first: int, count: int | None) -> results.Result:
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    blank = results.Result(trial.name, commit(), now, first=first)
    return runner.run(trial, blank, count, options.workers, lambda line: print(line, flush=True))


def commit() -> str:
    """What is tried: the commit, with `+` where files differ from it, other than those that trials write."""

    def git(*words: str) -> str:
        ran = subprocess.run(["git", "-C", str(TOP), *words], check=False, capture_output=True, text=True)
        return ran.stdout.strip()

    differ = git("diff", "--name-only", "HEAD", "--", ".", ":(exclude)RELIABILITY.md", ":(exclude)torture/results")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if differ else "")


if __name__ == "__main__":
    sys.exit(main())
