"""A batch of messages on its way into a mailbox.

The order is the promise: every file is written to `tmp/`, then all are made durable, then each becomes visible under
its name and never over another file, then the directories are made durable. Killed anywhere, what is visible is whole.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self

from syncer.errors import NoSuchMailboxError
from syncer.maildir import eol, fsops
from syncer.maildir.box import Box
from syncer.maildir.filename import with_delta
from syncer.maildir.scan import Where
from syncer.maildir.state import CUR, NEW, TMP
from syncer.maildir.temporary import remove_stale, temporary_name
from syncer.reconcile.flags import FlagDelta, Flags
from syncer.reconcile.identity import UniqueName
from syncer.reconcile.observations import Fingerprint
from syncer.turns import waiting

_LATEST = 2**33


class Batch:
    """The Delivery port. `check` makes sure that the root is still the one that was opened."""

    def __init__(self, box: Box, check: Callable[[], None], *, sweep: bool, together: bool = True) -> None:
        self._box = box
        self._together = together
        self._check = check
        self._sweep = sweep
        self._tmp = os.path.join(box.path, TMP)
        self._waiting: dict[UniqueName, tuple[bytes, Flags]] = {}
        self._directory = -1
        self._mode_holds = False

    def __enter__(self) -> Self:
        self._check()
        if not os.path.isdir(self._box.path):
            raise NoSuchMailboxError(f"{self._box.name}: the mailbox's directory is gone; the next pass looks again")
        with fsops.explained(f"deliver to {self._box.name}:"):
            for sub in (TMP, NEW, CUR):
                fsops.make_directory(os.path.join(self._box.path, sub))
            if self._sweep:
                remove_stale(self._box.path)
            self._mode_holds = fsops.umask_is_harmless()
            # Opened before anything is written: syncfs reports the errors since then.
            self._directory = os.open(self._tmp, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._directory)
        for path, _ in self._waiting.values():
            with contextlib.suppress(OSError):  # left for the sweep; an error that is under way counts more
                fsops.unlink(path)
        self._waiting.clear()

    def add(self, name: UniqueName, flags: Flags, internaldate: int, body: Iterable[bytes]) -> Fingerprint:
        """Write one message to `tmp/`."""
        path = temporary_name(self._box.path)
        fingerprint = write_file(self._box, path, internaldate, body, mode_holds=self._mode_holds)
        if name in self._waiting:
            fsops.unlink_if_there(self._waiting.pop(name)[0])
        self._waiting[name] = path, flags
        return fingerprint

    def commit(self) -> frozenset[UniqueName]:
        """Make every file durable, then visible, then the directories durable."""
        if not self._waiting:
            return frozenset()
        self._check()
        with fsops.explained(f"deliver to {self._box.name}:"):
            paths = [path for path, _ in self._waiting.values()]
            with waiting():
                fsops.flush_files(self._directory, paths, together=self._together)
            with self._box.turn:
                places, present = self._make_visible()
            with waiting():
                for sub in sorted({sub for sub, _ in places.values()} | {sub for sub, _ in present.values()}):
                    fsops.fsync_directory(os.path.join(self._box.path, sub))
        self._check()
        return frozenset(present)

    def _make_visible(self) -> tuple[dict[UniqueName, Where], dict[UniqueName, Where]]:
        """Give every file its name; returns where ours are now, and where others had the name already."""
        distinct = {flags for _, flags in self._waiting.values()}
        mapping = self._box.mapping_for(frozenset().union(*distinct))
        present = self._box.present(self._waiting)
        infos = {flags: with_delta("", FlagDelta(add=flags), mapping) for flags in distinct}
        places: dict[UniqueName, Where] = {}
        for name, (path, flags) in list(self._waiting.items()):
            where = (NEW if not infos[flags] else CUR, name + infos[flags])
            if name in present:
                fsops.unlink(path)
            elif self._publish(path, where):
                places[name] = where
            else:
                present[name] = where
            del self._waiting[name]
        self._box.delivered(places)
        return places, present

    def _publish(self, path: bytes, where: Where) -> bool:
        """Make it visible; False if the very file is there already."""
        try:
            fsops.publish(path, self._box.path_of(where))
        except FileExistsError:
            fsops.unlink(path)
            return False
        return True


def write_file(box: Box, path: bytes, internaldate: int, body: Iterable[bytes], *, mode_holds: bool) -> Fingerprint:
    """Write a message from the server to a new file in `tmp/`, not durable yet; returns what it is recognised by.

    Raises:
        StoreError: it cannot be written. The file is gone.
        OSError: of the connection that `body` comes from. The file is gone.
    """
    try:
        with fsops.explained(f"write a message of {box.name} to"):
            return _write(path, internaldate, _told_apart(body), mode_holds=mode_holds)
    except _BodyError as failed:
        raise failed.error from None


class _BodyError(Exception):
    """Carries an OSError of the connection past the explanation of the Maildir's own."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error)
        self.error = error


def _told_apart(body: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from body
    except OSError as error:
        raise _BodyError(error) from error


def _write(path: bytes, internaldate: int, body: Iterable[bytes], *, mode_holds: bool) -> Fingerprint:
    fd = fsops.open_new(path, mode_holds=mode_holds)
    try:
        with fsops.named(path):
            fingerprint = eol.write(fd, body)
        with contextlib.suppress(OSError):  # best effort: not every file system keeps every date
            fsops.set_mtime(fd, min(max(internaldate, 0), _LATEST))
    except BaseException:
        fsops.unlink_if_there(path)
        raise
    finally:
        os.close(fd)
    return fingerprint
