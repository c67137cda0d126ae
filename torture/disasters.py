"""What can happen to one side, the index or both, so that they do not belong together any more (T8)."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from e2e.world import World
from servers.dovecot import Dovecot
from servers.mail import token_of

from torture.survivors import BOX, Survivors


@dataclass(frozen=True)
class Disaster:
    """What happens, on a server that keeps its mail in the format `fmt`."""

    name: str
    strike: Callable[[Survivors], None]
    held: bool | None = None
    """The next sync must end with 4 (True), must not (False), or may."""
    fmt: str = "sdbox"
    afterwards: Callable[[Survivors], None] | None = None
    """What happens after that sync, instead of a way out."""


def _recreated(case: Survivors, choose: Callable[[list[str]], list[str]]) -> None:
    """DELETE, CREATE and APPEND: another UIDVALIDITY."""
    case.meanwhile()
    client = case.world.client
    before = client.uidvalidity(BOX)
    messages = {token_of(m.octets): (m.octets, m.flags, m.date) for m in client.messages(BOX)}
    client.delete_mailbox(BOX)
    client.create(BOX)
    assert client.uidvalidity(BOX) != before
    chosen = choose(list(messages))
    case.tell(f"server: {BOX} made anew with {len(chosen)} of {len(messages)} messages")
    if chosen:
        client.fill(BOX, [messages[token] for token in chosen])
    case.meanwhile()


def same(case: Survivors) -> None:
    """The same messages in the same order."""
    _recreated(case, lambda tokens: tokens)


def shuffled(case: Survivors) -> None:
    """The same messages under each other's UIDs."""
    _recreated(case, lambda tokens: case.rng.sample(tokens, len(tokens)))


def subset(case: Survivors) -> None:
    """Some of them."""
    _recreated(case, lambda tokens: case.rng.sample(tokens, case.rng.randrange(len(tokens))))


def disjoint(case: Survivors) -> None:
    """Others only."""
    _recreated(case, lambda tokens: [])
    case.new("server", case.rng.randint(1, 12))


def without_uidlist(case: Survivors) -> None:
    """The files with the UIDs are gone: the server numbers the same messages anew."""
    case.meanwhile()
    before = case.world.client.uidvalidity(BOX)
    case.log_out()
    directory = _server(case).mail(case.world.user) / BOX
    for path in (directory / "dovecot-uidlist", *directory.glob("dovecot.index*")):
        path.unlink()
    assert case.world.client.uidvalidity(BOX) != before
    case.tell("server: UIDs given anew")
    case.meanwhile()


def restored(case: Survivors) -> None:
    """The server goes back to a backup, and gives the UIDs of what it lost to other messages, or to more than those."""
    case.log_out()
    backup = _copy(_home(case), case.place / "backup")
    lost = case.rng.randint(0, 6)
    for _ in range(case.rng.randint(0, 2)):
        case.meanwhile()
    case.new(case.rng.choice(["server", "server", "local"]), lost)
    case.world.sync().done()
    case.forget_deletions()
    case.log_out()
    _put_back(backup, _home(case))
    case.tell(f"server: restored from a backup, without the last {lost}")
    case.new("server", max(0, lost + case.rng.randint(-3, 4)))
    case.meanwhile("local")
    if case.rng.random() < 0.4:
        case.meanwhile("server")


def modseq_back(case: Survivors) -> None:
    """The same from a backup before which only flags were changed: UIDNEXT fits, HIGHESTMODSEQ does not."""
    case.log_out()
    backup = _copy(_home(case), case.place / "backup")
    case.change_flags("server")
    case.change_flags("server")
    case.world.sync().done()
    case.log_out()
    _put_back(backup, _home(case))
    case.tell("server: restored from a backup, the flags are older")
    case.meanwhile("local")


def shrunk(case: Survivors) -> None:
    """Most or all of the mailbox is expunged."""
    case.meanwhile()
    client = case.world.client
    uids = client.uids(BOX)
    case.fill_up("server", 22)
    case.world.sync().done()
    uids = client.uids(BOX)
    keep = case.rng.choice([0, 1, 2])
    client.expunge(BOX, case.rng.sample(uids, len(uids) - keep))
    case.tell(f"server: {len(uids) - keep} of {len(uids)} expunged")
    case.forget_deletions()
    case.change_flags("local")


def emptied_here(case: Survivors) -> None:
    """Most or all of the message files vanish."""
    case.fill_up("server", 22)
    case.world.sync().done()
    files = case.world.local.files(BOX)
    keep = case.rng.choice([0, 1, 2])
    for file in case.rng.sample(files, len(files) - keep):
        case.world.local.delete(file)
    case.tell(f"local: {len(files) - keep} of {len(files)} files vanish")
    case.forget_deletions()
    case.meanwhile("server")


def hidden(case: Survivors) -> None:
    """The server does not see its message files for a moment."""
    case.fill_up("server", 22)
    case.world.sync().done()
    case.log_out()
    directory, aside = _server(case).mail(case.world.user) / BOX, case.place / "aside"
    files = [path for part in ("cur", "new") for path in (directory / part).iterdir()]
    aside.mkdir()
    for path in case.rng.sample(files, len(files) - case.rng.choice([0, 0, 1, 2])):
        path.rename(aside / path.name)
    case.tell(f"server: {len(os.listdir(aside))} of {len(files)} message files are not to be seen")


def seen_again(case: Survivors) -> None:
    """They are back."""
    case.log_out()
    directory = _server(case).mail(case.world.user) / BOX
    for path in (case.place / "aside").iterdir():
        path.rename(directory / "cur" / (path.name if ":2," in path.name else f"{path.name}:2,"))
    case.tell("server: they are back")
    case.forget_deletions()


def flapping(case: Survivors) -> None:
    """The server shows one of two mailboxes, now this one, now that one."""
    case.log_out()
    first = _copy(_home(case), case.place / "first")
    client = case.world.client
    messages = [(m.octets, m.flags, m.date) for m in client.messages(BOX)]
    client.delete_mailbox(BOX)
    client.create(BOX)
    client.fill(BOX, case.rng.sample(messages, len(messages)))
    case.log_out()
    second = _copy(_home(case), case.place / "second")
    for number in range(case.rng.randint(1, 4)):
        case.log_out()
        _put_back(first if number % 2 else second, _home(case))
        case.tell(f"server: shows its {'first' if number % 2 else 'second'} self")
        case.change_flags("local")
        case.world.sync().done()
        case.log_out()  # flags went there, to be seen in the other self no more
        if number % 2:
            first = _copy(_home(case), case.place / f"first {number}")
        else:
            second = _copy(_home(case), case.place / f"second {number}")
        case.forget_deletions()
    case.meanwhile("local")


def index_deleted(case: Survivors) -> None:
    """The index is gone."""
    case.meanwhile()
    _index(case).unlink()
    case.tell("the index is deleted")
    case.forget_deletions()


def index_older(case: Survivors) -> None:
    """An older index is put back."""
    older = shutil.copy2(_index(case), case.place / "older.db")
    _go_on_without(case)
    shutil.copy2(older, _index(case))
    case.tell("an older index is put back")
    case.meanwhile("local")


def maildir_older(case: Survivors) -> None:
    """The Maildir is restored from an older copy: what came since then is missing, what was deleted is back."""
    root = case.world.local.root
    older = _copy(root, case.place / "older")
    _go_on_without(case)
    _put_back(older, root)
    case.tell("an older Maildir is put back")
    case.forget_deletions()
    case.meanwhile("server")


def index_of_another(case: Survivors) -> None:
    """The index is another account's."""
    place = case.place / "other"
    place.mkdir()
    other = World(_server(case), place, here=True)
    other.client.append("INBOX", case.octets("x00"))
    other.sync().done()
    other.close()
    mine = shutil.copy2(_index(case), case.place / "mine.db")
    shutil.copy2(place / "state" / "test.db", _index(case))
    case.tell("the index is another account's")
    case.meanwhile("server")
    case.world.sync().failed(4, str(case.world.local.root))
    shutil.copy2(mine, _index(case))


def _go_on_without(case: Survivors) -> None:
    """Some life, synced, that the older copy knows nothing of."""
    for _ in range(case.rng.randint(1, 3)):
        case.meanwhile()
        case.world.sync().done()
    case.forget_deletions()


def _server(case: Survivors) -> Dovecot:
    assert isinstance(case.world.server, Dovecot)
    return case.world.server


def _home(case: Survivors) -> Path:
    return _server(case).home(case.world.user)


def _index(case: Survivors) -> Path:
    return case.world.directory / "state" / "test.db"


def _copy(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    return target


def _put_back(copy: Path, target: Path) -> None:
    owner = target.stat()
    shutil.rmtree(target)
    shutil.copytree(copy, target)
    for path in (target, *target.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)


DISASTERS = (
    Disaster("UIDVALIDITY changed, the same messages", same),
    Disaster("UIDVALIDITY changed, in another order", shuffled),
    Disaster("UIDVALIDITY changed, some of the messages", subset, held=True),
    Disaster("UIDVALIDITY changed, other messages", disjoint, held=True),
    Disaster("UIDs given anew", without_uidlist, fmt="maildir"),
    Disaster("a restored backup", restored),
    Disaster("a restored backup", restored, fmt="maildir"),
    Disaster("modseq going back", modseq_back),
    Disaster("a mailbox expunged", shrunk, held=True),
    Disaster("files gone from the Maildir", emptied_here, held=True),
    Disaster("a shrunk view", hidden, held=True, fmt="maildir", afterwards=seen_again),
    Disaster("UIDVALIDITY flaps", flapping),
    Disaster("the index deleted", index_deleted, held=False),
    Disaster("an older index", index_older),
    Disaster("an older Maildir", maildir_older),
    Disaster("another account's index", index_of_another),
    Disaster("a restored backup", restored),
)
"""In turn."""
