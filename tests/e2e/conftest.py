"""Fixtures of the end-to-end tests."""

import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.register_assert_rewrite("e2e.world", "e2e.history", "e2e.ledger", "e2e.costs", "e2e.damage")

from e2e.costs import Metered  # noqa: E402  (only what is imported later explains what its assertions found)
from e2e.damage import filled  # noqa: E402
from e2e.world import World  # noqa: E402
from servers.base import Server  # noqa: E402


@pytest.fixture
def world_on(tmp_path: pathlib.Path) -> Iterator[Callable[..., World]]:
    """`world_on(server, **settings)` makes a world with an account of its own."""
    made: list[World] = []

    def make(server: Server, **settings: Any) -> World:
        directory = tmp_path / f"world{len(made)}"
        directory.mkdir()
        made.append(World(server, directory, **settings))
        return made[-1]

    yield make
    for world in made:
        world.close()


@pytest.fixture
def server_named(request: pytest.FixtureRequest, dovecot_with: Callable[..., Server]) -> Callable[[str], Server]:
    """The server of a name: that of a fixture, or `dovecot-hides-` and the capabilities not announced, with commas."""

    def get(name: str) -> Server:
        name, _, hidden = name.partition("-hides-")
        server: Server = dovecot_with(hide=tuple(hidden.split(","))) if hidden else request.getfixturevalue(name)
        return server

    return get


@pytest.fixture
def metered_on(tmp_path: pathlib.Path, server_named: Callable[[str], Server]) -> Iterator[Callable[..., Metered]]:
    """`metered_on(name, **settings)` makes a world that counts, on the server of this name (see `server_named`)."""
    made: list[Metered] = []

    def make(name: str, **settings: Any) -> Metered:
        directory = tmp_path / f"metered{len(made)}"
        directory.mkdir()
        made.append(Metered(server_named(name), directory, **settings))
        return made[-1]

    yield make
    for metered in made:
        metered.close()


@pytest.fixture
def world(world_on: Callable[..., World], request: pytest.FixtureRequest) -> World:
    """A world on Dovecot."""
    made: World = world_on(request.getfixturevalue("dovecot"))
    return made


@pytest.fixture
def world_at(server_named: Callable[[str], Server], world_on: Callable[..., World]) -> Callable[..., World]:
    """`world_at(name, **settings)` is a filled world on the server of this name."""
    return lambda name, **settings: filled(world_on(server_named(name), here=True, **settings))


@pytest.fixture
def whole(world_at: Callable[..., World]) -> World:
    """A filled world on Dovecot."""
    return world_at("dovecot")
