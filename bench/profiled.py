"""Runs `syncer` under cProfile, all its threads included, and writes the top of both lists to a file.

Arguments: the file, then syncer's own arguments.
"""

import contextlib
import cProfile
import io
import pathlib
import pstats
import sys
import sysconfig
import threading

LINES = 40


def main() -> int:
    """Syncer's exit status."""
    from syncer.cli.main import main as syncer  # noqa: PLC0415  (its imports shall be in the profile)

    return syncer(sys.argv[2:])


def profiled(profiles: list[cProfile.Profile]) -> int:
    """Run it; each thread adds its profile. From Python 3.12 on one profile sees all, and others are refused."""
    run = threading.Thread.run

    def run_profiled(self: threading.Thread) -> None:
        mine = cProfile.Profile()
        try:
            mine.enable()
        except ValueError:
            run(self)
            return
        profiles.append(mine)
        try:
            run(self)
        finally:
            mine.disable()

    threading.Thread.run = run_profiled  # type: ignore[method-assign]
    first = cProfile.Profile()
    profiles.append(first)
    status = 1
    with contextlib.suppress(SystemExit):
        status = first.runcall(main)
    return status


if __name__ == "__main__":
    found: list[cProfile.Profile] = []
    ended = profiled(found)
    out = io.StringIO()
    statistics = pstats.Stats(*found, stream=out)
    for order in ("cumulative", "tottime"):
        statistics.sort_stats(order).print_stats(LINES)
    text = out.getvalue()
    for place in ("purelib", "stdlib"):
        text = text.replace(f"{sysconfig.get_path(place)}/", "")
    pathlib.Path(sys.argv[1]).write_text(text.replace(f"{pathlib.Path(__file__).parent.parent}/", ""))
    sys.exit(ended)
