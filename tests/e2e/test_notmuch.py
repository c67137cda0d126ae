"""Another program reads the Maildir that was synced."""

import os
import pathlib
import subprocess
from collections.abc import Callable

import pytest
from e2e.world import World
from servers.dovecot import Dovecot
from servers.mail import letters

MESSAGES = 300


@pytest.fixture
def notmuch(tmp_path: pathlib.Path, notmuch_is_there: None) -> Callable[..., str]:
    """`notmuch(world, *arguments)` runs notmuch on the world's Maildir and returns what it prints."""

    def run(world: World, *arguments: str) -> str:
        configuration = tmp_path / "notmuch.conf"
        lines = ["[database]", f"path={world.local.root}", "[user]", "name=Ada", "primary_email=ada@analytical.example"]
        configuration.write_text("\n".join([*lines, "[new]", "tags=inbox", "[maildir]", "synchronize_flags=true", ""]))
        environment = os.environ | {"NOTMUCH_CONFIG": str(configuration), "HOME": str(tmp_path)}
        ended = subprocess.run(["notmuch", *arguments], check=True, capture_output=True, text=True, env=environment)
        return ended.stdout.strip()

    return run


@pytest.mark.notmuch
@pytest.mark.dovecot
def test_notmuch_indexes_every_message(
    dovecot: Dovecot, world_on: Callable[..., World], notmuch: Callable[..., str]
) -> None:
    world = world_on(dovecot)
    mailboxes = ["INBOX", "Archive/2020", "Sent"]
    for mailbox in mailboxes[1:]:
        world.client.create(mailbox)
    for number, letter in enumerate(letters(seed=4, count=MESSAGES, largest=20_000)):
        flags = ["\\Seen", "\\Flagged"] if number % 3 == 0 else ["work"]
        world.client.append(mailboxes[number % 3], letter.octets, flags, letter.date)
    world.sync().done()
    notmuch(world, "new")
    assert int(notmuch(world, "count", "--output=files", "*")) == MESSAGES
    assert int(notmuch(world, "count", "*")) == MESSAGES
    assert int(notmuch(world, "count", "tag:flagged")) == MESSAGES // 3
    assert int(notmuch(world, "count", "tag:unread")) == MESSAGES - MESSAGES // 3

    notmuch(world, "tag", "+flagged", "-unread", "--", "tag:unread")
    world.sync().done()
    assert all({"\\Seen", "\\Flagged"} <= flags for _, _, flags in world.on_server())
    world.sync().quiet()
