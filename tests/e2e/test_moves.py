"""Messages that were moved are moved on the other side, not sent again."""

from collections.abc import Callable

import pytest
from e2e.world import World
from servers.base import Server
from servers.mail import note
from servers.proxy import CountingProxy

SERVERS = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("dovecot", "cyrus", "courier")]


@pytest.mark.dovecot
@pytest.mark.parametrize("keep_name", [True, False], ids=["same unique name", "new unique name"])
def test_a_thousand_messages_moved_locally_cost_little(
    dovecot: Server, world_on: Callable[..., World], keep_name: bool
) -> None:
    with CountingProxy(dovecot.port) as proxy:
        world = world_on(dovecot, port=proxy.port)
        for mailbox in ("From here", "To there"):
            world.client.create(mailbox)
        world.client.fill("From here", [(note(f"m{n}", size=8_000), frozenset(), 1_500_000_000) for n in range(1000)])
        world.sync().done()
        for file in world.local.files("From here"):
            world.local.move("From here", file, "To there", keep_name=keep_name)
        sent = proxy.count.to_server

        outcome = world.sync().done()

        assert outcome.totals == {"moved_remote": 1000}
        assert proxy.count.to_server - sent < 200_000
    assert world.client.uids("From here") == []
    assert len(world.client.uids("To there")) == 1000
    world.configure(port=dovecot.port)
    world.sync().quiet()


@pytest.mark.dovecot
def test_a_thousand_messages_moved_on_the_server_are_not_downloaded(
    dovecot: Server, world_on: Callable[..., World]
) -> None:
    world = world_on(dovecot)
    for mailbox in ("From here", "To there"):
        world.client.create(mailbox)
    world.client.fill("From here", [(note(f"m{n}", size=8_000), frozenset(), 1_500_000_000) for n in range(1000)])
    world.sync().done()
    world.client.move("From here", world.client.uids("From here"), "To there")
    assert world.sync().done().totals == {"moved_local": 1000}
    world.converged()


@pytest.mark.parametrize("name", SERVERS)
def test_a_move_is_a_move_on_every_server(
    name: str, request: pytest.FixtureRequest, world_on: Callable[..., World]
) -> None:
    world = world_on(request.getfixturevalue(name), here=True)
    for mailbox in ("A", "B"):
        world.client.create(mailbox)
    for number in range(6):
        world.client.append("A", note(f"m{number}"), ["\\Seen", "work"])
    world.sync().done()
    for file in world.local.files("A")[:3]:
        world.local.move("A", file, "B", keep_name=False)
    assert world.sync().done().totals == {"moved_remote": 3}
    world.client.move("A", world.client.uids("A"), "B")
    assert world.sync().done().totals == {"moved_local": 3}
    assert {(mailbox, flags) for mailbox, _, flags in world.on_server()} == {("B", frozenset({"\\Seen", "work"}))}
    world.converged()


@pytest.mark.dovecot
@pytest.mark.parametrize("keep_name", [True, False], ids=["same unique name", "new unique name"])
def test_where_nothing_can_be_expunged_what_was_moved_away_does_not_come_back(
    dovecot_with: Callable[..., Server], world_on: Callable[..., World], keep_name: bool
) -> None:
    world = world_on(dovecot_with(hide=("MOVE", "UIDPLUS")), here=True)
    for mailbox in ("From here", "To there"):
        world.client.create(mailbox)
    for token in ("m1", "m2"):
        world.client.append("From here", note(token))
    world.sync().done()
    world.local.move("From here", world.local.files("From here")[0], "To there", keep_name=keep_name)
    world.sync().done()
    for _ in range(2):
        world.sync("--full").quiet()
    left = {token: flags for mailbox, token, flags in world.on_server() if mailbox == "From here"}
    assert left == {"m1": frozenset({"\\Deleted"}), "m2": frozenset()}
    assert [(mailbox, token) for mailbox, token, _ in world.on_disk()] == [("From here", "m2"), ("To there", "m1")]
