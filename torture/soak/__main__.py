"""`python -m torture.soak`: soaks `syncer watch` for two hours, leaves what was found in torture/results, and tells."""

import argparse
import datetime as dt
import random
import shutil
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from torture import report, results
from torture.__main__ import commit
from torture.soak.checks import WrongError
from torture.soak.faults import FAULTS
from torture.soak.outcome import Outcome
from torture.soak.people import NotFoundError
from torture.soak.running import Plan, Soak
from torture.soak.samples import Sampler
from torture.soak.scene import Scene
from torture.soak.story import Story
from torture.soak.watched import DiedError


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m torture.soak", description=__doc__)
    made.add_argument("--minutes", type=float, default=120, metavar="N", help="how long (120)")
    made.add_argument("--seed", type=int, metavar="N", help="of all that is chosen at random (another each time)")
    made.add_argument("--messages", type=int, default=2_000, metavar="N", help="to begin with (2000)")
    made.add_argument("--quiet", type=float, default=180, metavar="S", help="seconds between two quiet points (180)")
    made.add_argument("--fault", type=float, default=60, metavar="S", help="seconds from one fault to the next (60)")
    names = ", ".join(fault.name for fault in FAULTS)
    made.add_argument("--faults", metavar="A,B", help=f"only these of: {names}")
    made.add_argument("--renames", action="store_true", help="mailboxes are renamed too (see torture/README.md)")
    made.add_argument("--out", type=Path, default=results.KEPT, metavar="DIR")
    made.add_argument("--keep", action="store_true", help="leave what the run wrote, whatever it found")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where all is well; 1 where something is wrong, 2 where the command was, 130 after SIGINT."""
    made = parser()
    options = made.parse_args(arguments)
    names = {fault.name for fault in FAULTS}
    wanted = set(options.faults.split(",")) - {""} if options.faults is not None else names
    if unknown := wanted - names:
        made.error(f"no such fault: {', '.join(sorted(unknown))}")
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    plan = Plan(
        seed, 60 * options.minutes, options.messages, options.quiet, options.fault, frozenset(wanted), options.renames
    )
    return run(plan, options.out, keep=options.keep)


def run(plan: Plan, out: Path, *, keep: bool = False) -> int:
    """Soak, write `soak.json`, `soak.svg` and the report, and say what was found; returns the exit status."""
    place = Path(tempfile.mkdtemp(prefix="soak-"))
    place.chmod(0o755)  # the server's users have to get in
    outcome = Outcome(plan, commit(), dt.datetime.now(dt.UTC).isoformat(timespec="seconds"))
    with Story(place / "story.log") as story:
        story.tell(f"seed {plan.seed}, {plan.seconds / 60:g} minutes; the story is in {story.path}")
        with Scene(place) as scene, Sampler(scene.watched, story.began) as sampler:
            soak = Soak(plan, scene, story)
            outcome.done, outcome.samples = soak.done, sampler.samples
            try:
                soak.run()
            except KeyboardInterrupt:
                outcome.interrupted = True
            except (WrongError, NotFoundError, DiedError) as error:
                outcome.failure = f"{type(error).__name__}: {error}"
            except Exception:  # noqa: BLE001 - a mistake of the soak must not cost what hours have found
                outcome.failure = traceback.format_exc()
        outcome.seconds = story.at()
    outcome.save(out)
    report.refresh(out)
    print(outcome.summary(), flush=True)
    if keep or outcome.status() == 1:
        print(f"what the run wrote is in {place}")
    else:
        shutil.rmtree(place, ignore_errors=True)
    return outcome.status()


if __name__ == "__main__":
    sys.exit(main())
