"""Mailboxes with odd names, both layouts, different separators; and the dates of messages."""

import os
import pathlib
from collections.abc import Callable

import pytest
from e2e.client import un_utf7, utf7
from e2e.world import World
from servers.mail import note, token_of

ODD = [
    "Grüße aus Zürich", "山田/資料", "with space", "R&D", "100%", "50%41", "a&-b", "~home", "#hash", "cur", "Box/new",
    "Box/tmp/cur", 'quote"d', "back\\slash", "[brackets]", "semi;colon", "question?", "star's", "..hidden", "-dash",
    "Sent Items", ".leading", "colon:2,S", "long " + "x" * 120,
]  # fmt: skip


def servers() -> list[object]:
    dovecot = pytest.mark.dovecot
    return [
        pytest.param({"separator": "/"}, marks=dovecot, id="dovecot /"),
        pytest.param({"separator": ".", "prefix": "INBOX."}, marks=dovecot, id="dovecot ."),
        pytest.param(None, marks=pytest.mark.courier, id="courier INBOX."),
    ]


def names_for(world: World) -> list[str]:
    """The odd names that this server takes."""
    taken = []
    for name in ODD:
        if world.server.separator == "." and "." in name:
            continue
        try:
            world.client.create(name)
        except Exception as error:  # noqa: BLE001  (each server refuses other names, in words of its own)
            print(f"{world.server.name} refuses {name!r}: {error}")
        else:
            if name in world.client.mailboxes():
                taken.append(name)
    assert len(taken) >= 12, taken
    return taken


def maildir_of(world: World, token: str) -> pathlib.Path:
    """The directory in which the message with this token lies."""
    (found,) = (
        pathlib.Path(top).parent
        for top, _, files in os.walk(world.local.root)
        if os.path.basename(top) in {"cur", "new"}
        for name in files
        if token_of((pathlib.Path(top) / name).read_bytes()) == token
    )
    return found


@pytest.mark.parametrize("options", servers())
@pytest.mark.parametrize("layout", ["fs", "maildir++"])
def test_a_mailbox_of_any_name_comes_down_and_what_is_put_into_it_goes_up(
    options: dict[str, str] | None, layout: str, request: pytest.FixtureRequest, world_on: Callable[..., World]
) -> None:
    server = (
        request.getfixturevalue("courier") if options is None else request.getfixturevalue("dovecot_with")(**options)
    )
    world = world_on(server, layout=layout)
    names = names_for(world)
    for number, name in enumerate(names):
        world.client.append(name, note(f"down{number}"))
    world.sync().done()

    directories = {name: maildir_of(world, f"down{number}") for number, name in enumerate(names)}
    assert len(set(directories.values())) == len(names)
    for number, name in enumerate(names):
        written = directories[name] / "tmp" / f"{number}.up"
        written.write_bytes(note(f"up{number}").replace(b"\r\n", b"\n"))
        written.rename(directories[name] / "new" / written.name)
    world.sync().done()

    found = {(mailbox, token) for mailbox, token, _ in world.on_server()}
    assert found == {(name, f"{way}{number}") for number, name in enumerate(names) for way in ("down", "up")}
    world.sync().quiet()


@pytest.mark.parametrize("options", servers())
def test_a_mailbox_made_in_the_maildir_is_made_on_the_server(
    options: dict[str, str] | None, request: pytest.FixtureRequest, world_on: Callable[..., World]
) -> None:
    server = (
        request.getfixturevalue("courier") if options is None else request.getfixturevalue("dovecot_with")(**options)
    )
    world = world_on(server)
    names = ["Grüße", "with space", "R&D", "100%", "Deep/er/still", "山田"]
    world.local.create("INBOX")
    for number, name in enumerate(names):
        world.local.create(name)
        world.local.deliver(name, note(f"m{number}"))
    world.sync().done()
    assert {(mailbox, token) for mailbox, token, _ in world.on_server()} == {
        (name, f"m{number}") for number, name in enumerate(names)
    }
    world.sync().quiet()


@pytest.mark.dovecot
def test_the_servers_date_becomes_the_files_and_the_files_the_servers(world: World) -> None:
    world.client.append("INBOX", note("down"), date=1_234_567_890)
    world.local.create("INBOX")
    world.local.deliver("INBOX", note("up"), date=987_654_321)
    world.sync().done()
    dates = {"down": 1_234_567_890, "up": 987_654_321}
    assert {token_of(file.octets): file.mtime for file in world.local.files("INBOX")} == dates
    assert {token_of(message.octets): message.date for message in world.client.messages("INBOX")} == dates


def test_the_tests_own_utf7_is_that_of_the_rfc() -> None:
    # RFC 3501 section 5.1.3
    assert utf7("~peter/mail/台北/日本語") == b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"
    assert [un_utf7(utf7(name)) for name in ODD] == ODD
