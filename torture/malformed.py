"""What becomes of each malformed message on each server: `python -m torture.malformed`.

The corpus and its journey are those of the tests (`tests/e2e/malformed.py`, `journey.py`); here is only what was found
written down, as torture/results/malformed.json, of which `report` makes a table.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from e2e.journey import Travels
from e2e.malformed import corpus
from servers.base import Server
from servers.courier import Courier
from servers.cyrus import Cyrus
from servers.dovecot import Dovecot

from torture import results, tables

SERVERS: tuple[type[Server], ...] = (Dovecot, Courier, Cyrus)


def played(place: Path) -> dict[str, Any]:
    """Send the corpus through every server that is installed."""
    with Dovecot(fmt="maildir") as dovecot, Travels(place / "first") as travels:
        begun = travels.begin(dovecot, corpus())
    servers: dict[str, dict[str, str]] = {}
    for kind in SERVERS:
        if kind.missing() is None:
            with kind() as server, Travels(place / server.name) as travels:
                servers[server.name] = travels.onward(server, begun)
    return {"messages": {name: len(message.octets) for name, message in begun.items()}, "servers": servers}


def main() -> None:
    """Play and write."""
    with tempfile.TemporaryDirectory(prefix="malformed-") as place:
        document = played(Path(place))
    results.KEPT.mkdir(parents=True, exist_ok=True)
    (results.KEPT / "malformed.json").write_text(json.dumps(document, indent=1) + "\n")
    print(tables.malformed_table(document))


if __name__ == "__main__":
    main()
