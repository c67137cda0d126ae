"""What it costs to find out again which message is which: 20,000 messages of 5 to 20 kB, 250 MB.

A listing with sizes and dates is enough for nearly all of them, about 100 octets for each message: where the server's
numbers still hold, the names of our files say the rest; where they do not, size and date do. Of a sixteenth the header
block is read to be sure, 700 octets with these messages; real mail has more of it, and 30 to 80 kB a message.
"""

import random
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest
from e2e.costs import Metered
from servers.dovecot import Dovecot

from bench.mail import letters

pytestmark = pytest.mark.dovecot
MESSAGES = 20_000
MOST = 0.02
"""Of the octets of the mailbox."""


def test_a_lost_index_and_a_changed_uidvalidity_cost_less_than_a_fiftieth_of_the_mailbox(
    dovecot_with: Callable[..., Dovecot], tmp_path: Path
) -> None:
    dovecot = dovecot_with(fmt="mdbox")
    with closing(Metered(dovecot, tmp_path)) as world:
        rebuilt(world, dovecot)


def rebuilt(world: Metered, dovecot: Dovecot) -> None:
    octets = fill(world)
    assert world.measured()[0] == {"downloaded": MESSAGES, "bytes_down": octets}
    index = world.directory / "state" / "test.db"

    index.unlink()
    rebuilt_for(world, octets)

    dovecot.doveadm("mailbox", "update", "-u", world.user, "--uid-validity", "4711", "INBOX")
    assert world.client.uidvalidity("INBOX") == 4711
    rebuilt_for(world, octets)
    assert len(world.client.uids("INBOX")) == len(world.local.files("INBOX")) == MESSAGES


def rebuilt_for(world: Metered, octets: int) -> None:
    """A sync copies nothing and costs next to nothing, and there is nothing left to do."""
    done, cost = world.measured()
    assert done == {}
    assert cost.octets < MOST * octets
    world.sync().quiet()


def fill(world: Metered) -> int:
    """Returns how many octets there are."""
    rng = random.Random(2)
    lengths = [rng.randint(5_000, 20_000) for _ in range(MESSAGES)]
    messages = letters(1, lengths)
    while some := [(one.octets, frozenset(one.flags), one.date) for one in islice(messages, 500)]:
        world.client.fill("INBOX", some)
    return sum(lengths)
