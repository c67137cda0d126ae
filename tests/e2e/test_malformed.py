"""Malformed messages go everywhere to the octet, or are refused out loud, and harm nobody else. See `journey`."""

import pathlib
from collections.abc import Callable, Iterator

import pytest
from e2e.costs import DATE
from e2e.journey import BOX, Message, Travels, place, shown, stored, write
from e2e.maildirs import stored_form
from e2e.malformed import corpus
from e2e.world import World
from servers.base import Server
from servers.dovecot import Dovecot
from servers.mail import note

pytestmark = pytest.mark.dovecot


@pytest.fixture
def travels(tmp_path: pathlib.Path) -> Iterator[Travels]:
    with Travels(tmp_path / "travels") as made:
        yield made


@pytest.fixture(scope="module")
def begun(dovecot_with: Callable[..., Dovecot], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Message]:
    """The corpus, when it has come down from a first server; each message in Dovecot's Maildir if nowhere else."""
    with Travels(tmp_path_factory.mktemp("journey") / "first") as travels:
        return travels.begin(dovecot_with(fmt="maildir"), corpus())


RAW = {"bare LF in the body, as sent", "binary, as sent", "header ended by LF LF, as sent", "mixed line ends, as sent"}
"""What has line feeds of its own."""
NUL = {"NUL in a header field, as sent", "NUL in the body, as sent"}
CR = {"CR CR LF", "CR at the end"}
REFUSED = {
    "dovecot": {"no octets"},
    "courier": {"no octets"},
    "cyrus": {
        "no octets", "no header, no empty line", "no body, no newline", "one octet", "header line without colon",
        "a field without a name", "space before the colon", "quoted From line first", *NUL, *RAW,
    },
}  # fmt: skip
REWRITTEN = {
    "dovecot": {*CR, *NUL, *RAW},  # CR CR LF and LF become CR LF, a CR at the end goes, NUL becomes 0x80
    "courier": {
        *CR, *RAW, "bare CR", "bare CR in a header field", "binary", "mixed line ends",  # CR and LF that are alone
        "no final newline", "no body, no newline", "one octet", "Ctrl-Z", "parts that never end", "a lonely dot",
        "a literal at the end",  # a newline comes to the end
    },
    "cyrus": {  # other octets than ASCII become X in a header
        "8 bit in a header field", "UTF-8 in a header field", "not UTF-8", "no such charset", "byte order mark first",
        "NUL in a header field",  # which was sent as 0x80
    },
}  # fmt: skip
"""What each server makes of what it is sent; everything else it keeps to the octet."""

SERVERS = ["dovecot", *(pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("courier", "cyrus"))]


@pytest.mark.parametrize("name", SERVERS)
def test_every_message_goes_up_and_comes_down_again(
    name: str, begun: dict[str, Message], travels: Travels, server_named: Callable[[str], Server]
) -> None:
    verdicts = travels.onward(server_named(name), begun)
    odd = {
        verdict: {message for message, found in verdicts.items() if found == verdict}
        for verdict in ("refused", "rewritten")
    }
    assert odd == {"refused": REFUSED[name], "rewritten": REWRITTEN[name]}


YEAR_10000 = 253_402_300_800


@pytest.mark.parametrize("mtime", [-(10**9), -1, 0, 1, 2**31, 2**32 + 1, YEAR_10000], ids=str)
def test_a_file_of_any_date_goes_up(mtime: int, world: World) -> None:
    world.local.create(BOX)
    world.local.deliver(BOX, note("odd"), date=mtime)
    world.local.deliver(BOX, note("plain"))
    world.sync().done()
    world.converged()
    world.sync("--full").quiet()


@pytest.mark.parametrize("mtime", [-(10**9), -1, 0, 1, 2**31, 2**32 + 1, YEAR_10000], ids=str)
def test_a_message_of_any_internaldate_comes_down(
    mtime: int, world_on: Callable[..., World], dovecot_with: Callable[..., Dovecot]
) -> None:
    dovecot = dovecot_with(fmt="maildir")
    world = world_on(dovecot, here=True)
    world.client.create(BOX)
    place(dovecot, world.user, "odd.M1.disk", note("odd"), mtime)
    world.client.append(BOX, note("plain"))
    world.sync().done()
    world.converged()
    world.sync("--full").quiet()


@pytest.mark.parametrize("files", [["one", "two"], ["two", "one"], ["two"], ["one"]], ids=" ".join)
def test_twins_that_differ_in_their_body_alone_are_told_apart(
    files: list[str], travels: Travels, dovecot: Dovecot
) -> None:
    twins = {name: corpus()[f"the same Message-ID, {name}"] for name in ("one", "two")}
    world = travels.world(dovecot)
    world.client.create(BOX)
    world.client.fill(BOX, [(octets, frozenset(), DATE) for octets in twins.values()])
    write(world, {name: Message(twins[name], stored_form(twins[name])) for name in files})
    assert world.sync().done().totals.get("downloaded", 0) == 2 - len(files)
    assert stored(world) == {uid: stored_form(octets) for uid, octets in shown(world).items()}
    assert sorted(shown(world).values()) == sorted(twins.values())
    world.sync().quiet()
