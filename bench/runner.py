"""Runs the workloads: contenders take turns, each run is checked, and what went wrong is part of the result."""

import contextlib
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bench.contenders import Contender
from bench.measure import settle
from bench.results import Outcome, Row, Run
from bench.stage import NotReadyError, Stage
from bench.workloads import Pull, Start, Workload

LONG = 60.0
"""Seconds. What takes longer is not repeated."""


def rows(
    stage: Stage,
    workloads: Sequence[Workload],
    contenders: Sequence[Contender],
    rtts: Sequence[int],
    *,
    repeats: int | None = None,
) -> Iterator[Row]:
    """Measure; a row is given as soon as it is complete. `repeats` takes the place of the workloads' own numbers."""
    for workload in workloads:
        late: dict[str, Outcome] = {}
        for rtt in (rtt for rtt in rtts if workload.times(rtt)):
            stage.distance = rtt
            row = Row(workload.key, workload.title, rtt, stage.server.account(workload.account).count)
            row.limits = {contender.name: stage.limits[contender.name] for contender in contenders}
            row.runs = {contender.name: [] for contender in contenders}
            for number in range(repeats or workload.times(rtt)):
                # Nobody is always the first.
                turn = number % len(contenders)
                for contender in [*contenders[turn:], *contenders[:turn]]:
                    done = row.runs[contender.name]
                    if contender.name not in late and not any(run.wall > LONG for run in done):
                        run = one_run(stage, workload, contender, rtt, seed=1_000 * rtt + number)
                        done.append(run)
                        say(f"{workload.key} at {rtt} ms, {contender.name}: {told(run)}")
                        if run.outcome in {"late", "unready"}:
                            late[contender.name] = run.outcome
            for name, outcome in late.items():
                row.runs[name] = row.runs[name] or [Run(outcome, "as when the server was nearer")]
            settle()
            row.floor = workload.floor(stage, rtt, seed=1_000 * rtt)
            say(f"{workload.key} at {rtt} ms, floor: {row.floor.network:.3f} s network, {row.floor.disk:.3f} s disk")
            yield row


def warm_up(stage: Stage, contenders: Sequence[Contender]) -> None:
    """One pass of each contender on an empty account, so that none is measured while its program is read from disk."""
    for contender in contenders:
        if not contender.missing():
            lane = stage.lane("upload", contender.name)
            with contextlib.suppress(NotReadyError):
                stage.pass_untimed(contender, stage.fresh(lane))


def one_run(stage: Stage, workload: Workload, contender: Contender, rtt: int, *, seed: int) -> Run:
    """One contender, once. Errors of the contender are a result, not an exception."""
    if lacking := contender.missing():
        return Run("missing", lacking)
    try:
        start = workload.start(stage, contender, seed)
    except NotReadyError as error:
        return Run("unready" if error.late else "failed", str(error))
    usage, counts = stage.timed_pass(contender, start.site, rtt)
    run = Run("ok", "", usage.wall, usage.user, usage.system, usage.rss, counts)
    if usage.late:
        run = replace(run, outcome="late", reason="stopped at its time limit")
    elif usage.status:
        run = replace(run, outcome="failed", reason=f"exit status {usage.status}: {usage.said}")
    elif wrong := stage.difference(start.site, start.expected, least=start.least):
        run = replace(run, outcome="failed", reason=wrong)
    keep(workload, start, run, rtt)
    return run


def keep(workload: Workload, start: Start, run: Run, rtt: int) -> None:
    """Decide what becomes of the directory: it is the lane's, it goes out of use, or it is removed as it is small."""
    lane = start.lane
    if isinstance(workload, Pull):
        if run.outcome == "ok":
            lane.site, lane.unsettled = start.site, True
        elif run.outcome == "late" and not rtt:
            lane.hopeless = True
        if workload.account == "huge":
            # A few files only, and a gigabyte; no later run notices that they go.
            lane.site = None
            shutil.rmtree(start.site.mail, ignore_errors=True)
    elif workload.keeps and run.outcome != "ok":
        lane.site = None


def told(run: Run) -> str:
    """One run in a line."""
    if run.outcome != "ok":
        return f"{run.outcome.upper()} {run.reason}"
    counts = run.counts
    passed = f", {counts['to_server'] + counts['to_client']} B in {counts['round_trips']} trips" if counts else ""
    return f"{run.wall:.3f} s, CPU {run.user + run.system:.3f} s, {run.rss / 1e6:.0f} MB{passed}"


def say(text: str) -> None:
    """Tell the person who waits."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
