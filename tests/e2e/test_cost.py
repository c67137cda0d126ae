"""What a sync costs in which something changed: as much as the change, however much there is beside it."""

from collections.abc import Callable

import pytest
from e2e.costs import (
    ASKS,
    CONDSTORE,
    COURIER,
    CYRUS,
    DIGITS,
    LISTS,
    PLAIN,
    QRESYNC,
    STATUS,
    TELLS,
    TELLS_APART,
    Cost,
    Metered,
    on,
)
from servers.mail import note, token_of

MeteredOn = Callable[..., Metered]

ABSENT = "UID SEARCH RETURN (ALL) ALL"
EVERYTHING = "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE"

LOOKS = "SELECT, UID FETCH, SELECT, 2 UID FETCH, SELECT, UID FETCH"
LOOKS_AND_COUNTS = LOOKS.replace("SELECT", "SELECT, STATUS")
"""At all of three mailboxes; something differs in the second one."""

MOVED_LOOKS = "SELECT, 2 UID FETCH, SELECT, UID FETCH, SELECT"
"""At the two mailboxes of a move, and back to the first."""

COPIES = "UID COPY, UID STORE, UID EXPUNGE, UID FETCH"
"""A move by hand, and whether the old copies are gone."""


def changed_on_the_server(metered: Metered, messages: int) -> tuple[dict[str, int], Cost]:
    """20 flags changed, 10 messages new and 10 expunged: what the next sync does, and what it costs."""
    metered.fill("INBOX", 0, messages)
    metered.sync().done()
    metered.settle()
    uids = metered.client.uids("INBOX")
    metered.client.store("INBOX", uids[10:30], "+FLAGS", ["\\Seen"])
    metered.client.expunge("INBOX", uids[50:60])
    metered.fill("INBOX", 9000, 10)
    return metered.measured()


@pytest.mark.parametrize(
    ("server", "commands", "round_trips"),
    on(
        (QRESYNC, f"{TELLS}, SELECT, 3 UID FETCH, LOGOUT", 3 + 1),
        (CONDSTORE, f"{TELLS}, SELECT, 3 UID FETCH, NOOP, UID SEARCH, UID FETCH, LOGOUT", 4 + 1),
        (STATUS, f"{TELLS_APART}, SELECT, 3 UID FETCH, LOGOUT", 4 + 1),
        (PLAIN, f"{LISTS}, SELECT, 4 UID FETCH, LOGOUT", 5 + 1),
        (CYRUS, f"{TELLS}, SELECT, 3 UID FETCH, LOGOUT", 3 + 1),
        (COURIER, f"{ASKS}, STATUS, SELECT, STATUS, 4 UID FETCH, LOGOUT", 7 + 1),
    ),
)
def test_what_changed_on_the_server_is_asked_for_and_nothing_else(
    server: str, commands: str, round_trips: int, metered_on: MeteredOn
) -> None:
    metered = metered_on(server)
    done, cost = changed_on_the_server(metered, 1000)
    octets = sum(len(note(f"m{number}")) for number in range(9000, 9010))
    assert done == {"downloaded": 10, "flags_local": 20, "deleted_local": 10, "bytes_down": octets}
    assert cost.without_octets() == (commands, round_trips)
    assert cost.begins("UID SEARCH") == [ABSENT] * (server == CONDSTORE)
    tokens = [f"m{number}" for number in [*range(50), *range(60, 1000), *range(9000, 9010)]]
    seen = {f"m{number}" for number in range(10, 30)}
    expected = sorted(("INBOX", token, frozenset({"\\Seen"} if token in seen else ())) for token in tokens)
    assert metered.on_disk() == metered.on_server() == expected
    metered.settle()
    metered.same()


@pytest.mark.parametrize("server", on((QRESYNC,), (CONDSTORE,), (STATUS,), (CYRUS,)))
def test_what_changed_on_the_server_costs_the_same_among_3000_messages_as_among_300(
    server: str, metered_on: MeteredOn
) -> None:
    done, few = changed_on_the_server(metered_on(server), 300)
    done_too, many = changed_on_the_server(metered_on(server), 3000)
    assert done == done_too
    assert few.without_octets() == many.without_octets()
    assert many.sent - few.sent <= DIGITS
    assert many.received - few.received <= 2 * DIGITS
    assert many.octets < 9_000


@pytest.mark.parametrize(
    ("server", "commands", "round_trips"),
    on(
        (QRESYNC, f"{TELLS}, SELECT, 2 UID FETCH, 2 UID STORE, LOGOUT", 3 + 1),
        (CONDSTORE, f"{TELLS}, SELECT, 3 UID FETCH, 2 UID STORE, LOGOUT", 3 + 1),
        (STATUS, f"{TELLS_APART}, SELECT, 2 UID FETCH, 2 UID STORE, LOGOUT", 4 + 1),
        (PLAIN, f"{LISTS}, SELECT, 2 UID FETCH, 2 UID STORE, LOGOUT", 4 + 1),
        (CYRUS, f"{TELLS}, SELECT, 2 UID FETCH, 2 UID STORE, LOGOUT", 3 + 1),
        (COURIER, f"{ASKS}, STATUS, SELECT, STATUS, 2 UID FETCH, 2 UID STORE, LOGOUT", 6 + 1),
    ),
)
def test_200_flags_of_two_kinds_changed_in_the_maildir_are_two_commands_with_ranges(
    server: str, commands: str, round_trips: int, metered_on: MeteredOn
) -> None:
    metered = metered_on(server)
    metered.fill("INBOX", 0, 1000)
    metered.sync().done()
    metered.settle()
    files = metered.files_by_token("INBOX")
    uids = {token_of(message.octets): message.uid for message in metered.client.messages("INBOX")}
    for number in range(100):
        metered.local.change_flags("INBOX", files[f"m{100 + number}"], add=["\\Flagged"])
        metered.local.change_flags("INBOX", files[f"m{300 + 2 * number}"], add=["\\Seen"])

    done, cost = metered.measured()

    assert done == {"flags_remote": 200}
    assert cost.without_octets() == (commands, round_trips)
    seen = ",".join(str(uids[f"m{300 + 2 * number}"]) for number in range(100))
    assert sorted(cost.begins("UID STORE")) == [
        f"UID STORE {uids['m100']}:{uids['m199']} +FLAGS.SILENT (\\Flagged)",
        f"UID STORE {seen} +FLAGS.SILENT (\\Seen)",
    ]
    assert sum(cost.numbers.values()) <= 12
    metered.settle()
    metered.same()


@pytest.mark.parametrize(
    ("server", "commands", "round_trips"),
    on(
        (QRESYNC, f"{TELLS}, {MOVED_LOOKS}, UID MOVE, LOGOUT", 5 + 1),
        (CONDSTORE, f"{TELLS}, SELECT, 3 UID FETCH, SELECT, 2 UID FETCH, SELECT, UID MOVE, LOGOUT", 5 + 1),
        (STATUS, f"{TELLS}, 3 STATUS, {MOVED_LOOKS}, UID MOVE, LOGOUT", 6 + 1),
        (PLAIN, f"{LISTS}, {LOOKS}, SELECT, UID MOVE, LOGOUT", 7 + 1),
        (CYRUS, f"{TELLS}, {MOVED_LOOKS}, UID MOVE, LOGOUT", 5 + 1),
        (COURIER, f"{ASKS}, 3 STATUS, {LOOKS_AND_COUNTS}, SELECT, STATUS, {COPIES}, LOGOUT", 12 + 1),
    ),
)
def test_200_messages_moved_in_the_maildir_are_moved_and_neither_sent_nor_fetched(
    server: str, commands: str, round_trips: int, metered_on: MeteredOn
) -> None:
    metered = metered_on(server)
    for name in ("Here", "There"):
        metered.client.create(name)
    metered.fill("Here", 0, 300, size=2_000)
    metered.sync().done()
    metered.settle()
    files = metered.files_by_token("Here")
    for number in range(50, 250):
        metered.local.move("Here", files[f"m{number}"], "There", keep_name=False)

    done, cost = metered.measured()

    assert done == {"moved_remote": 200}
    assert cost.without_octets() == (commands, round_trips)
    assert cost.sent < 1_000
    assert not any(word in line for line in cost.lines for word in ("APPEND", "BODY.PEEK[]"))
    metered.settle()
    metered.same()
    assert (len(metered.client.uids("Here")), len(metered.client.uids("There"))) == (100, 200)


@pytest.mark.parametrize(
    ("server", "commands", "round_trips"),
    on(
        (QRESYNC, f"{TELLS}, SELECT, 2 UID FETCH, SELECT, 2 APPEND, LOGOUT", 4 + 1),
        (CONDSTORE, f"{TELLS}, SELECT, 3 UID FETCH, SELECT, 2 APPEND, LOGOUT", 4 + 1),
        (STATUS, f"{TELLS_APART}, SELECT, 2 UID FETCH, SELECT, 2 APPEND, LOGOUT", 5 + 1),
        (PLAIN, f"{LISTS}, SELECT, 2 UID FETCH, SELECT, 2 APPEND, LOGOUT", 5 + 1),
        (CYRUS, f"{TELLS}, SELECT, 2 UID FETCH, SELECT, 2 APPEND, LOGOUT", 4 + 1),
        (COURIER, f"{ASKS}, STATUS, SELECT, STATUS, 2 UID FETCH, 200 APPEND, LOGOUT", 5 + 400 + 1),
    ),
)
def test_200_small_messages_leave_in_as_few_commands_as_the_server_takes(
    server: str, commands: str, round_trips: int, metered_on: MeteredOn
) -> None:
    metered = metered_on(server)
    metered.fill("INBOX", 0, 300)
    metered.sync().done()
    metered.settle()
    octets = 0
    for number in range(200):
        metered.local.deliver("INBOX", note(f"u{number}"))
        octets += len(note(f"u{number}"))

    done, cost = metered.measured()

    assert done == {"uploaded": 200, "bytes_up": octets}
    assert cost.commands == commands
    # The server may have done with the first of two commands when the second one leaves.
    assert round_trips <= cost.round_trips <= round_trips + (server != COURIER)
    assert cost.sent - octets < 200 * (60 if server != COURIER else 80)
    metered.settle()
    metered.same()


def pulled(metered: Metered) -> Cost:
    """What the first sync costs, with INBOX empty and 20 messages in each of five mailboxes."""
    octets = 0
    for box in range(5):
        metered.client.create(f"Box {box}")
        metered.fill(f"Box {box}", 20 * box, 20)
        octets += sum(len(note(f"m{number}")) for number in range(20 * box, 20 * box + 20))
    done, cost = metered.measured()
    assert done == {"downloaded": 100, "bytes_down": octets}
    metered.settle()
    metered.same()
    return cost


@pytest.mark.parametrize(
    ("server", "begin", "select", "round_trips"),
    on(
        (QRESYNC, "LOGIN, ENABLE, NAMESPACE, LIST", "SELECT", 2 + 11 + 1),
        (CONDSTORE, "LOGIN, ENABLE, NAMESPACE, LIST", "SELECT", 2 + 11 + 1),
        (STATUS, "LOGIN, ENABLE, NAMESPACE, LIST, 6 STATUS", "SELECT", 3 + 11 + 1),
        (PLAIN, "LOGIN, NAMESPACE, LIST", "SELECT", 2 + 11 + 1),
        (CYRUS, "LOGIN, ENABLE, NAMESPACE, LIST", "SELECT", 2 + 11 + 1),
        (COURIER, "LOGIN, CAPABILITY, NAMESPACE, LIST, 6 STATUS", "SELECT, STATUS", 4 + 11 + 1),
    ),
)
def test_the_first_pull_looks_into_a_mailbox_in_one_flight_and_fetches_in_another(
    server: str, begin: str, select: str, round_trips: int, metered_on: MeteredOn
) -> None:
    cost = pulled(metered_on(server))
    looks, fetches = [f"{select}, UID FETCH"] * 6, [f"{select}, UID FETCH"] * 5
    assert cost.without_octets() == (", ".join([begin, *looks, *fetches, "LOGOUT"]), round_trips)


@pytest.mark.parametrize("server", on((QRESYNC,), (CYRUS,), (COURIER,)))
@pytest.mark.parametrize(("connections", "opened"), [(3, 3), (16, 6)])
def test_the_first_pull_opens_no_more_connections_than_it_may_and_has_use_for(
    server: str, connections: int, opened: int, metered_on: MeteredOn
) -> None:
    cost = pulled(metered_on(server, connections=connections))
    assert (cost.numbers["LOGIN"], cost.numbers["LOGOUT"]) == (opened, opened)
    assert len(cost.begins(EVERYTHING)) == 6
    assert [line.count("BODY.PEEK[]") for line in cost.begins("UID FETCH")].count(1) == 5
    # Once to look, and once to fetch unless the same connection has it selected still.
    assert 6 <= cost.numbers["SELECT"] <= 6 + 5
