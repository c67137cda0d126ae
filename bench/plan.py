"""Which workloads there are, how often each is run, and what syncer is meant to reach in them."""

from bench.bars import Bar
from bench.workloads import LocalFlags, Moves, Pull, Quiet, ServerChanges, Upload, Workload

KB, MB = 1_000, 1_000_000
OFTEN, SOME, SELDOM = (5, 3), (3, 3), (3, 2)
"""How often each contender runs: straight to the server, and through the proxy."""

ALL: tuple[Workload, ...] = (
    Pull(
        "W1",
        "first pull, 20,000 messages, 535 MB, 30 mailboxes",
        "tree",
        (2, 1),
        (Bar("ratio", 0.35, 0), Bar("ratio", 0.25)),
    ),
    Pull("W2", "first pull, 100,000 messages of 2 kB, one mailbox", "small100k", (1, 0), (Bar("ratio", 0.2, 0),)),
    Quiet(
        "W3a",
        "nothing changed, W1's account",
        "tree",
        OFTEN,
        (Bar("ratio", 0.08), Bar("round_trips", 4), Bar("octets", 8 * KB)),
    ),
    Quiet("W3b-10k", "nothing changed, 10,000 messages", "small10k", SELDOM, (Bar("octets", 2 * KB),)),
    Quiet(
        "W3b",
        "nothing changed, W2's account",
        "small100k",
        OFTEN,
        (Bar("ratio", 0.5, 0), Bar("ratio", 0.4), Bar("octets", 2 * KB)),
    ),
    Quiet("W3b-300k", "nothing changed, 300,000 messages", "small300k", SELDOM, (Bar("octets", 2 * KB),)),
    ServerChanges(
        "W4",
        "100 flags, 50 new, 50 expunged on the server, W2's account",
        "small100k",
        SOME,
        (Bar("ratio", 0.9, 0), Bar("ratio", 0.6), Bar("octets", 250 * KB)),
    ),
    LocalFlags(
        "W5",
        "1,000 flags in the Maildir, W2's account",
        "small100k",
        SOME,
        (Bar("ratio", 0.9, 0), Bar("ratio", 0.6), Bar("commands", 12)),
    ),
    Upload(
        "W6",
        "upload of 5,000 messages, 134 MB",
        "upload",
        (2, 1),
        (Bar("ratio", 0.6, 0), Bar("ratio", 0.3)),
    ),
    Pull("W7", "20 messages of 50 MB down", "huge", (2, 0), (Bar("ratio", 0.8, 0), Bar("rss", 48 * MB, 0))),
    Moves(
        "W8",
        "1,000 messages moved in the Maildir, W1's account",
        "tree",
        SOME,
        (Bar("ratio", 0.5, 0), Bar("ratio", 0.3), Bar("sent", 100 * KB)),
    ),
)
"""In the order in which they run: first pulls come first, since the others start from what they left."""


def chosen(words: str | None) -> list[Workload]:
    """The workloads of a list like `W1,W3b`; `W3b` stands for its sizes as well.

    Raises:
        ValueError: one does not exist.
    """
    if not words:
        return list(ALL)
    keys = [word.strip() for word in words.split(",") if word.strip()]
    found = [workload for workload in ALL if {workload.key, workload.key.partition("-")[0]} & set(keys)]
    names = {name for workload in ALL for name in (workload.key, workload.key.partition("-")[0])}
    if unknown := sorted(set(keys) - names):
        raise ValueError(f"no such workload: {', '.join(unknown)}; there are {', '.join(sorted(names))}")
    return found
