"""`python -m bench`: measures, prints the tables, and leaves them with all raw figures and plots in bench/results."""

import argparse
import compileall
import os
import pathlib
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Sequence

from servers.dovecot import Dovecot

from bench import TOP, contenders, plan, runner
from bench.accounts import Mailserver
from bench.contenders import Contender, Site
from bench.machine import about
from bench.plots import plots
from bench.report import document
from bench.results import Row, save
from bench.stage import NotReadyError, Stage
from bench.workloads import Workload

PEER_LIMIT, LIMIT = 180.0, 900.0
LONGEST_WORK = 60
DISK_GB = 30
"""What scale 1 takes in the work directory."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    made.add_argument("--scale", type=float, default=1.0, metavar="F", help="so many times the messages (1)")
    made.add_argument("--only", metavar="W1,W3a", help="only these workloads")
    made.add_argument("--rtt", default="0,40", metavar="MS,MS", help="round-trip times in milliseconds (0,40)")
    made.add_argument("--contenders", default=",".join(contenders.ALL), metavar="NAMES", help="only these")
    made.add_argument("--repeat", type=int, metavar="N", help="run everything N times (1 to 5, by workload)")
    made.add_argument(
        "--limit",
        type=float,
        default=PEER_LIMIT,
        metavar="S",
        help=f"seconds for a run of offlineimap3 ({PEER_LIMIT:.0f})",
    )
    made.add_argument("--out", type=pathlib.Path, default=TOP / "bench" / "results", metavar="DIR")
    made.add_argument(
        "--work",
        type=pathlib.Path,
        metavar="DIR",
        help=f"on the disk to be measured; takes {DISK_GB} GB at scale 1 ($TMPDIR)",
    )
    made.add_argument("--keep", action="store_true", help="leave the work directory")
    made.add_argument("--profile", metavar="W2", help="profile syncer in this workload instead of measuring")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where every run did its work, whatever the bars say; 1 where one failed; 2 where the command was wrong."""
    made = parser()
    options = made.parse_args(arguments)
    try:
        workloads = plan.chosen(options.profile or options.only)
        rtts = sorted({int(word) for word in options.rtt.split(",")})
        chosen = [contenders.ALL[name] for name in contenders.ALL if name in options.contenders.split(",")]
    except ValueError as error:
        made.error(str(error))
    if not chosen or (unknown := set(options.contenders.split(",")) - set(contenders.ALL)):
        made.error(f"no such contender: {', '.join(sorted(unknown)) if chosen else 'none named'}")
    if lacking := Dovecot.missing():
        made.error(f"Dovecot is needed: {lacking}; bench/install.sh installs it on Debian")
    for installed in (TOP / "syncer", sysconfig.get_path("purelib")):
        compileall.compile_dir(installed, quiet=2)

    base = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=options.work))
    if len(os.fspath(base)) > LONGEST_WORK:
        base.rmdir()
        made.error(
            f"the work directory's path is too long for the server's sockets ({LONGEST_WORK} characters at most)"
        )
    base.chmod(0o755)  # the server's users must get to their mail
    needed, free = DISK_GB * options.scale * 1e9, shutil.disk_usage(base).free
    if free < needed:
        runner.say(f"Careful: about {needed / 1e9:.0f} GB are needed in {base}, and {free / 1e9:.0f} GB are free.")
    options.out.mkdir(parents=True, exist_ok=True)
    limits = {name: options.limit if name == "offlineimap3" else LIMIT for name in contenders.ALL}
    server = Mailserver.start(base / "dovecot", options.scale)
    stage = Stage(server, base, limits)
    try:
        if options.profile:
            return max(profile(stage, workload, options.out) for workload in workloads)
        facts = about(chosen, base, options.scale, {contender.name: limits[contender.name] for contender in chosen})
        return measure(stage, workloads, chosen, rtts, options.repeat, options.out, facts)
    finally:
        stage.close()
        server.dovecot.stop()
        if not options.keep:
            shutil.rmtree(base, ignore_errors=True)


def measure(
    stage: Stage,
    workloads: Sequence[Workload],
    chosen: Sequence[Contender],
    rtts: Sequence[int],
    repeats: int | None,
    out: pathlib.Path,
    facts: dict[str, str],
) -> int:
    """Everything; what is complete is written after each row, so that a run that is broken off was not in vain."""
    bars = {workload.key: workload.bars for workload in workloads}
    runner.warm_up(stage, chosen)
    rows: list[Row] = []
    text = ""
    for row in runner.rows(stage, workloads, chosen, rtts, repeats=repeats):
        rows.append(row)
        text = document(rows, bars, facts)
        (out / "RESULTS.md").write_text(text)
        save(out / "results.json", rows, facts)
    for name, svg in plots(rows).items():
        (out / name).write_text(svg)
    sys.stdout.write(text)
    runs = [run for row in rows for each in row.runs.values() for run in each]
    return 1 if any(run.outcome == "failed" for run in runs) else 0


def profile(stage: Stage, workload: Workload, out: pathlib.Path) -> int:
    """Run syncer in one workload under cProfile, straight to the server."""
    syncer = contenders.ALL["syncer"]
    try:
        start = workload.start(stage, syncer, seed=0)
    except NotReadyError as error:
        runner.say(str(error))
        return 1
    target = out.absolute() / f"profile-{workload.key}.txt"
    usage, _ = stage.timed_pass(syncer, start.site, 0, command=under_profile(syncer, start.site, target))
    runner.say(f"{workload.key} under cProfile: {usage.wall:.2f} s, exit status {usage.status}; see {target}")
    return usage.status


def under_profile(syncer: Contender, site: Site, target: pathlib.Path) -> list[str]:
    """Syncer's command, run by `profiled.py`."""
    python, _, _, *arguments = syncer.command(site)
    return [python, os.fspath(TOP / "bench" / "profiled.py"), os.fspath(target), *arguments]


if __name__ == "__main__":
    sys.exit(main())
