"""`python -m bench.watching`: measures, prints the tables, and leaves them with all raw figures in bench/results."""

import argparse
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence

from servers.dovecot import Dovecot

from bench import TOP
from bench.__main__ import LONGEST_WORK
from bench.machine import about
from bench.runner import say
from bench.watching import plan
from bench.watching.report import ROWS, document
from bench.watching.results import Cell, save
from bench.watching.scene import Scenes
from bench.watching.watchers import ALL


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m bench.watching", description=__doc__)
    made.add_argument("--scale", type=float, default=1.0, metavar="F", help="so many times the messages (1)")
    made.add_argument("--only", default=",".join(ROWS), metavar="L1,L4", help="only these rows")
    made.add_argument("--rtt", default="0,40", metavar="MS,MS", help="round-trip times of L1 and L2 (0,40)")
    made.add_argument("--watchers", default=",".join(each.key for each in ALL), metavar="NAMES", help="only these")
    made.add_argument("--samples", type=int, default=100, metavar="N", help="messages in each cell of L1 and L2 (100)")
    made.add_argument("--idle", type=float, default=600, metavar="S", help="seconds of L4 (600)")
    made.add_argument("--away", type=float, default=30, metavar="S", help="seconds that L5's server is away (30)")
    made.add_argument("--hole", type=float, default=120, metavar="S", help="seconds of L5's black hole (120)")
    made.add_argument("--ends", type=int, default=40, metavar="N", help="ends of L6 (40)")
    made.add_argument("--seed", type=int, default=1, metavar="N", help="of all that is chosen at random (1)")
    made.add_argument(
        "--limit", type=float, default=1_800, metavar="S", help="seconds to get the account and to settle (1800)"
    )
    made.add_argument("--out", type=pathlib.Path, default=TOP / "bench" / "results", metavar="DIR")
    made.add_argument("--work", type=pathlib.Path, metavar="DIR", help="on the disk to be measured ($TMPDIR)")
    made.add_argument("--keep", action="store_true", help="leave the work directory")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where all was measured, whatever the bars say; 1 where something failed; 2 where the command was wrong."""
    made = parser()
    options = made.parse_args(arguments)
    keys, names = options.only.split(","), options.watchers.split(",")
    watchers = [each for each in ALL if each.key in names]
    if unknown := {*keys, *names} - {*ROWS, *(each.key for each in ALL)}:
        made.error(f"no such row or watcher: {', '.join(sorted(unknown))}")
    if lacking := Dovecot.missing():
        made.error(f"Dovecot is needed: {lacking}; bench/install.sh installs it on Debian")
    base = pathlib.Path(tempfile.mkdtemp(prefix="watch-", dir=options.work))
    if len(os.fspath(base)) > LONGEST_WORK:
        base.rmdir()
        made.error(f"the work directory's path is too long for the server's sockets ({LONGEST_WORK} characters)")
    base.chmod(0o755)  # the server's users must get to their mail
    options.out.mkdir(parents=True, exist_ok=True)
    size = plan.Size(options.scale, options.samples, options.idle, options.away, options.hole, options.ends)
    scenes = Scenes(base, options.scale, options.limit)
    try:
        facts = about([each.once for each in watchers], base, options.scale, {"every program": options.limit})
        for each in watchers:
            facts[each.name] = each.missing() or each.version()
        distances = sorted({int(word) for word in options.rtt.split(",")})
        text, cells = "", list[Cell]()
        run = plan.Plan(scenes, watchers, distances, size, random.Random(options.seed))
        for cell in run.cells(keys):
            cells.append(cell)
            text = document(cells, facts)
            (options.out / "WATCH.md").write_text(text)
            save(options.out / "watch.json", cells, facts)
        sys.stdout.write(text)
        return 1 if any(cell.outcome in {"failed", "unready"} for cell in cells) else 0
    finally:
        scenes.close()
        if options.keep:
            say(f"left: {base}")
        else:
            shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started has to be ended
    sys.exit(main())
