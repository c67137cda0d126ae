"""Plays the cases of a trial in several processes, and says at once what fails."""

import gc
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from torture.results import Failure, Result
from torture.trials import TRIALS, Trial, chosen

BATCH = 100_000
"""Cases between two looks at the clock in the output."""


def run(trial: Trial, blank: Result, count: int | None, workers: int, say: Callable[[str], None]) -> Result:
    """Play `count` cases (None: all) from `blank.first` on; returns `blank` with what was found."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        shares = [pool.submit(_share, trial.name, blank, count, worker, workers) for worker in range(workers)]
        for share in shares:
            blank.merge(share.result())
    for failure in blank.failures:
        say(f"{trial.name} {failure.number}: {failure.text}")
    return blank


def _share(name: str, blank: Result, count: int | None, worker: int, workers: int) -> Result:
    """One process's share."""
    trial = next(trial for trial in TRIALS if trial.name == name)
    return play(trial, blank, count, lambda numbers: numbers[worker::workers])


def play(trial: Trial, blank: Result, count: int | None, share: Callable[[list[int]], Sequence[int]]) -> Result:
    """Play in this process; `share` takes of the numbers those to play."""
    result = Result(blank.trial, blank.commit, blank.date, first=blank.first)
    begin = time.monotonic()
    # A short path: servers keep sockets below it.
    with tempfile.TemporaryDirectory(prefix="torture-", ignore_cleanup_errors=True) as base:
        place = Path(base)
        (place / "opened").mkdir()
        place.chmod(0o755)
        with trial.opened(place / "opened") as cases:
            result.total = cases.total
            wanted = cases.total if count is None else count
            assert wanted is not None, f"{trial.name} has no end; say how many cases"
            for number in share(chosen(cases.total, wanted, blank.first)):
                _play_one(cases.play, number, place / str(number), result)
    result.seconds = round(time.monotonic() - begin, 1)
    return result


def _play_one(play: Callable[[int, Path], Mapping[str, int]], number: int, place: Path, result: Result) -> None:
    try:
        place.mkdir()
        for name, found in play(number, place).items():
            result.count(name, found)
    except AssertionError as error:
        result.failures.append(Failure(number, str(error)))
    except Exception:  # noqa: BLE001 - a mistake of the trial must not end a run of hours
        result.failures.append(Failure(number, traceback.format_exc()))
    finally:
        shutil.rmtree(place, ignore_errors=True)
    result.cases += 1
    if result.cases % BATCH == 0:
        gc.collect()
        print(f"{result.trial} in process {os.getpid()}: {result.cases} cases", file=sys.stderr, flush=True)
