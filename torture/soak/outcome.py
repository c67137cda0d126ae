"""What a soak found, and how that is kept and told."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torture.soak.drawing import draw
from torture.soak.running import Done, Plan
from torture.soak.samples import Flatness, Sample, flatness


@dataclass
class Outcome:
    """Of one run."""

    plan: Plan
    commit: str
    date: str
    """In UTC, ISO 8601."""
    done: Done = field(default_factory=Done)
    samples: list[Sample] = field(default_factory=list)
    failure: str | None = None
    interrupted: bool = False
    seconds: float = 0.0

    @property
    def flatness(self) -> Flatness | None:
        """See `samples.flatness`."""
        return flatness(self.samples)

    def status(self) -> int:
        """The exit status."""
        flat = self.flatness
        if self.failure or self.late() or (flat and not flat.flat):
            return 1
        return 130 if self.interrupted else 0

    def late(self) -> int:
        """Quiet points at which the watch had to be told to look."""
        return sum(bool(check.late) for check in self.done.checks)

    def document(self) -> dict[str, Any]:
        """For `soak.json`."""
        flat = self.flatness
        return {
            "commit": self.commit,
            "date": self.date,
            "seed": self.plan.seed,
            "minutes": self.plan.seconds / 60,
            "seconds": round(self.seconds),
            "interrupted": self.interrupted,
            "failure": self.failure,
            "last_fault": self.done.last_fault,
            "deeds": dict(sorted(self.done.deeds.items())),
            "faults": dict(sorted(self.done.faults.items())),
            "checks": [asdict(check) for check in self.done.checks],
            "flatness": asdict(flat) if flat else None,
            "samples": [list(asdict(sample).values()) for sample in self.samples],
        }

    def save(self, directory: Path) -> None:
        """Write `soak.json` and `soak.svg`."""
        directory.mkdir(parents=True, exist_ok=True)
        lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in self.document().items()]
        (directory / "soak.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
        title = f"syncer watch, soaked for {self.plan.seconds / 60:g} minutes"
        (directory / "soak.svg").write_text(draw(self.samples, title))

    def summary(self) -> str:
        """For the person at the terminal."""
        done, flat = self.done, self.flatness
        judged = "too short to tell" if flat is None else "flat" if flat.flat else f"NOT FLAT: {flat}"
        counts = [f"{done.deeds.total()} edits", f"{done.faults.total()} faults", f"{len(done.checks)} quiet points"]
        lines = [f"{', '.join(counts)} in {self.seconds:.0f} s; memory, descriptors and threads: {judged}"]
        lines += [f"LATE at {self.late()} quiet points"] * bool(self.late())
        if self.failure:
            where = f"with seed {self.plan.seed} after {self.seconds:.0f} s; the last fault: {done.last_fault}"
            lines += [f"FAILED {where}", self.failure]
        return "\n".join(lines + ["interrupted"] * self.interrupted)
