"""How the files of a mailbox are named, in as little time for each of them as can be.

A file that is named as the base says did not change, so the first look at a Maildir asks for these names and nothing
else. SQLite joins them to one text, separated by the one octet that cannot stand in a file name, and Python takes it
apart: that costs half of fetching rows. Which info to append is decided by SQLite as well, for the flags that a few
rows of the mailbox show to be common; messages with others are fetched as rows.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from syncer.index.codec import CODE, Lookup, to_bytes, to_text
from syncer.index.session import Session
from syncer.reconcile.flags import Flags
from syncer.reconcile.observations import PairState

COMMON = 8
"""At most so many kinds of flags are decided upon by SQLite, which tries one after the other."""

SAMPLE = 500
"""So many rows are looked at on both ends of the mailbox."""

SPAN = 2**20
"""At most so many names are joined at once: SQLite's texts are limited to 10**9 octets, and memory is not free."""

_SURROGATE = b"\xed"
"""The first octet of a surrogate as it is stored, and of the last few thousand characters below them."""

_FILES = f"FROM pair WHERE mailbox_id = ? AND state <> {PairState.SERVER_ONLY:d}"
_SAMPLE = f"SELECT {CODE} {_FILES} ORDER BY uid {{}} LIMIT {SAMPLE}"
_NEXT = "SELECT min(uid) FROM pair WHERE mailbox_id = ? AND uid >= ?"
_JOINED = f"""
    SELECT count(*), CAST(group_concat(name || CASE {CODE} {{}} END, '/') AS BLOB) {_FILES} AND uid BETWEEN ? AND ?
"""
_ROWS = f"SELECT name, {CODE} {_FILES} AND {CODE} NOT IN ({{}})"


def file_names(session: Session, id_: int, info: Callable[[Flags], str]) -> set[bytes]:
    """For every pair whose state is not SERVER_ONLY, its unique name followed by `info` of its flags.

    The name is as the file system has it, with its own octets where they are not UTF-8.
    """
    flags = session.codec.decoded
    infos: Mapping[int, bytes] = Lookup(lambda code: to_bytes(info(flags[code])))
    common = {code: infos[code] for code in _common(session, id_)}
    found: set[bytes] = set()
    rare = 0
    for count, joined in _joined(session, id_, common):
        names = [] if joined is None else joined.split(b"/")
        rare += count - len(names)
        found.update(_as_files(names) if joined and _SURROGATE in joined else names)
    if rare:
        rows = session.connection.execute(_ROWS.format(",".join("?" * len(common))), (id_, *common))
        found.update(_as_files([name + infos[code] for name, code in rows]))
    return found


def _common(session: Session, id_: int) -> list[int]:
    seen: Counter[int] = Counter()
    for direction in ("ASC", "DESC"):
        seen.update(code for (code,) in session.connection.execute(_SAMPLE.format(direction), (id_,)))
    return [code for code, _ in seen.most_common(COMMON)]


def _joined(session: Session, id_: int, infos: Mapping[int, bytes]) -> Iterator[tuple[int, bytes | None]]:
    if not infos:
        return
    statement = _JOINED.format("WHEN ? THEN ? " * len(infos))
    choices = [value for item in infos.items() for value in item]
    (start,) = session.connection.execute(_NEXT, (id_, 0)).fetchone()
    while start is not None:
        yield session.connection.execute(statement, (*choices, id_, start, start + SPAN - 1)).fetchone()
        (start,) = session.connection.execute(_NEXT, (id_, start + SPAN)).fetchone()


def _as_files(names: list[bytes]) -> list[bytes]:
    return [_as_file(name) if _SURROGATE in name else name for name in names]


def _as_file(stored: bytes) -> bytes:
    try:
        return to_text(stored).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return stored  # no file can have such a name
