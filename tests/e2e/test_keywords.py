"""Flags and keywords both ways, through the letters of file names and `dovecot-keywords`."""

from collections.abc import Callable

import pytest
from e2e.world import World
from servers.mail import note

SERVERS = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("dovecot", "cyrus", "courier")]


@pytest.fixture(params=SERVERS)
def one(request: pytest.FixtureRequest, world_on: Callable[..., World]) -> World:
    """One message in INBOX with one keyword, on both sides; on each server."""
    world = world_on(request.getfixturevalue(request.param), here=True)
    world.client.append("INBOX", note("m1"), ["\\Seen", "work"])
    world.sync().done()
    return world


def flags(world: World) -> set[str]:
    """The flags of the one message, which must be the same on both sides."""
    ((_, _, server),), ((_, _, local),) = world.on_server(), world.on_disk()
    assert server == local
    return set(server)


def test_a_keyword_set_by_a_rename_reaches_the_server(one: World) -> None:
    one.local.change_flags("INBOX", one.local.files("INBOX")[0], add=["urgent", "\\Flagged"])
    assert one.sync().done().totals == {"flags_remote": 1}
    assert flags(one) == {"\\Seen", "\\Flagged", "work", "urgent"}
    one.converged()


def test_a_keyword_cleared_by_a_rename_is_cleared_on_the_server(one: World) -> None:
    one.local.change_flags("INBOX", one.local.files("INBOX")[0], remove=["work"])
    assert one.sync().done().totals == {"flags_remote": 1}
    assert flags(one) == {"\\Seen"}
    one.converged()


def test_keywords_set_and_cleared_on_the_server_become_letters(one: World) -> None:
    uid = one.client.uids("INBOX")
    one.client.store("INBOX", uid, "+FLAGS", ["todo", "$Forwarded"])
    one.client.store("INBOX", uid, "-FLAGS", ["work"])
    assert one.sync().done().totals == {"flags_local": 1}
    assert flags(one) == {"\\Seen", "$Forwarded", "todo"}
    (file,) = one.local.files("INBOX")
    assert {"P", "S"} < set(file.letters)
    one.converged()


def test_changes_of_both_sides_are_merged_flag_by_flag(one: World) -> None:
    one.local.change_flags("INBOX", one.local.files("INBOX")[0], add=["\\Answered"], remove=["\\Seen"])
    one.client.store("INBOX", one.client.uids("INBOX"), "+FLAGS", ["\\Flagged", "todo"])
    one.client.store("INBOX", one.client.uids("INBOX"), "-FLAGS", ["work"])
    one.sync().done()
    assert flags(one) == {"\\Answered", "\\Flagged", "todo"}
    one.converged()


def test_the_deleted_flag_is_a_flag_and_not_a_deletion(one: World) -> None:
    one.local.change_flags("INBOX", one.local.files("INBOX")[0], add=["\\Deleted"])
    one.sync().done()
    assert flags(one) == {"\\Seen", "\\Deleted", "work"}
    one.client.store("INBOX", one.client.uids("INBOX"), "-FLAGS", ["\\Deleted"])
    one.sync().done()
    assert flags(one) == {"\\Seen", "work"}


@pytest.mark.dovecot
@pytest.mark.parametrize("layout", ["fs", "maildir++"])
def test_more_keywords_than_letters_are_never_lost(
    layout: str, dovecot: object, world_on: Callable[..., World]
) -> None:
    world = world_on(dovecot, layout=layout)
    names = [f"key{number}" for number in range(40)]
    world.client.append("INBOX", note("m0"))
    for number, name in enumerate(names, 1):
        world.client.append("INBOX", note(f"m{number}"), [name])
    world.client.append("INBOX", note("m41"), names)
    wanted = world.client.flags("INBOX")

    world.sync().done()
    world.sync().quiet()
    assert world.client.flags("INBOX") == wanted
    letters = {letter for file in world.local.files("INBOX") for letter in file.letters}
    assert letters == {chr(code) for code in range(ord("a"), ord("z") + 1)}

    for file in world.local.files("INBOX"):
        world.local.change_flags("INBOX", file, add=["\\Seen"])
    assert world.sync().done().totals == {"flags_remote": 42}
    assert world.client.flags("INBOX") == {uid: flags | {"\\Seen"} for uid, flags in wanted.items()}
    world.sync().quiet()


@pytest.mark.dovecot
def test_a_keyword_beyond_the_letters_follows_a_move(dovecot: object, world_on: Callable[..., World]) -> None:
    world = world_on(dovecot)
    world.client.create("B")
    names = [f"key{number}" for number in range(30)]
    world.client.append("INBOX", note("m1"), names)
    world.sync().done()
    world.local.move("INBOX", world.local.files("INBOX")[0], "B", keep_name=True)
    world.sync().done()
    assert list(world.client.flags("B").values()) == [frozenset(names)]
    world.sync().quiet()


@pytest.mark.dovecot
def test_info_that_is_not_understood_stays(world: World) -> None:
    world.client.append("INBOX", note("m1"), ["\\Seen"])
    world.sync().done()
    (file,) = world.local.files("INBOX")
    odd = file.path.with_name(f"{file.unique}:2,XSQ")
    file.path.rename(odd)
    world.sync().quiet()
    world.client.store("INBOX", world.client.uids("INBOX"), "+FLAGS", ["\\Flagged"])
    world.sync().done()
    (file,) = world.local.files("INBOX")
    assert sorted(file.letters) == sorted("FQSX")
    world.sync().quiet()
