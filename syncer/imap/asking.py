"""Questions about single messages: what describes them, and the digests of their headers.

Both can be sent ahead (see `ahead`), and for messages of which it is only likely that they will be asked about. The
answers to that are kept with the selection, and given out once: whoever asks again wants to know how it is now.
"""

import hashlib
from collections.abc import Callable, Collection, Container, Iterable
from contextlib import closing

from syncer.imap.ahead import Listener, Question
from syncer.imap.describing import described, described_by
from syncer.imap.kept import MAX_UNTAGGED
from syncer.imap.listing import FlagSets
from syncer.imap.responses import Response, Status
from syncer.imap.selected import Selected
from syncer.imap.sets import MAX_MESSAGES, MAX_UID
from syncer.imap.transfer import Download
from syncer.imap.wire import Wire
from syncer.reconcile.identity import Uid
from syncer.reconcile.observations import ServerMessage

Reading = tuple[FlagSets, Callable[[], float]]
"""What descriptions are read with: the sets of flags, and the time for those whose INTERNALDATE is not told."""

_DIGEST_OCTETS = 16


def items_for(capabilities: Container[str]) -> bytes:
    """What to ask FETCH for."""
    return b"(UID FLAGS INTERNALDATE RFC822.SIZE" + (b" EMAILID)" if "OBJECTID" in capabilities else b")")


class Descriptions:
    """Size, date and flags of messages."""

    def __init__(
        self, wire: Wire, items: bytes, sets: Iterable[bytes], wanted: Container[int], reading: Reading
    ) -> None:
        """`items` are those of `items_for`; `sets` are UID sets, one to a command, that have the `wanted` UIDs."""
        self.found: list[ServerMessage] = []
        """In the order of arrival; the last word counts for a message that comes twice."""
        self._wire = wire
        self._questions = [Question(wire, b"UID FETCH", each, items) for each in sets]
        self._wanted = wanted
        self._reading = reading
        self._lowest, self._highest = Uid(MAX_UID), Uid(0)
        self._again = 0

    @property
    def sent(self) -> bool:
        """Answers are on their way."""
        return any(question.sent for question in self._questions)

    def send(self) -> None:
        """See `Ahead`: the first command."""
        self._questions[0].send()

    def drop(self) -> None:
        """See `Ahead`."""
        for question in self._questions:
            question.drop()

    def wait(self, listener: Listener | None = None) -> Status | None:
        """Put the messages into `found`; returns the first refusal, if there was one.

        `listener` is who hears the answers: this object itself, with others if their answers may be among them.
        """
        hears = listener or self
        answers = [question.wait(hears.hear, hears.line) for question in self._questions]
        return next((status for status in answers if status.kind != "OK"), None)

    def line(self, text: bytes) -> bool:
        """See `Listener`."""
        return self._take(described_by(text, *self._reading))

    def hear(self, response: Response) -> None:
        """See `Listener`."""
        self._take(described(response, *self._reading))

    def _take(self, message: ServerMessage | None) -> bool:
        if message is not None and message.uid in self._wanted:
            self._count(message.uid)
            self.found.append(message)
        return message is not None

    def _count(self, uid: Uid) -> None:
        """Servers describe messages in order, up or down; one that does not is given less time, and not without end."""
        if not self._lowest <= uid <= self._highest:
            self._lowest, self._highest = min(self._lowest, uid), max(self._highest, uid)
            if len(self.found) > MAX_MESSAGES:
                self._wire.fail(f"the server described more than {MAX_MESSAGES} messages")
            self._wire.renew()
            return
        self._again += 1
        if self._again > MAX_UNTAGGED:
            self._wire.fail("the server answered one command with more than a million responses")


class Headers:
    """The digests of messages' header blocks (see `Fingerprint.header`).

    Servers do not agree on what BODY[HEADER] is where no empty line ends it (Courier cuts off the last LF), so such a
    message has to be read as a `whole`, which is not more.
    """

    def __init__(self, wire: Wire, uids: Collection[Uid], octets: int, *, whole: bool = False) -> None:
        """`octets` bounds a command."""
        items = b"(UID BODY.PEEK[])" if whole else b"(UID BODY.PEEK[HEADER])"
        self._whole = whole
        self._download = Download(wire, sorted(uids), items, {}, octets)
        self.endless: list[Uid] = []
        """Messages whose header block came without the empty line at its end: they have no digest."""

    @property
    def sent(self) -> bool:
        """Answers are on their way."""
        return self._download.sent

    def send(self) -> None:
        """See `Ahead`."""
        self._download.send()

    def drop(self) -> None:
        """See `Ahead`."""
        self._download.drop()

    def wait(self, aside: Listener | None = None) -> dict[Uid, bytes]:
        """The digests, as far as the messages are there; `aside` hears what is said besides."""
        digests: dict[Uid, bytes] = {}
        with closing(self._download.parts(aside)) as parts:
            for part in parts:
                digest, ended = _header_digest(part.body)
                if ended or self._whole:
                    digests[part.uid] = digest
                else:
                    self.endless.append(part.uid)
        return digests


def _header_digest(body: Iterable[bytes]) -> tuple[bytes, bool]:
    """The digest of everything up to and including the first empty line, and whether there is one."""
    digest = hashlib.sha256()
    before = b"\r\n"  # an empty first line is an empty line
    for chunk in body:
        at = (before + chunk).find(b"\r\n\r\n")
        if at >= 0:
            digest.update(chunk[: at + 4 - len(before)])
            return digest.digest()[:_DIGEST_OCTETS], True
        digest.update(chunk)
        before = (before + chunk)[-3:]
    return digest.digest()[:_DIGEST_OCTETS], False


class Likely:
    """What will most likely be asked once it is known what changed: about new messages, and about some known ones."""

    def __init__(self, newer: Descriptions, headers: Headers | None) -> None:
        """`newer` describes every message of a UIDNEXT and above."""
        self.newer = newer
        self._headers = headers

    def send(self) -> None:
        """See `Ahead`."""
        self.newer.send()
        if self._headers is not None:
            self._headers.send()

    def drop(self) -> None:
        """See `Ahead`. Whoever can pass over a large literal reads first."""
        if self._headers is not None:
            self._headers.drop()
        self.newer.drop()

    def keep(self, selected: Selected, listener: Listener) -> None:
        """Wait for the answers, if they were sent for, and keep them with the selection.

        `listener` hears whatever was asked together: Dovecot answers FETCHes that came together first, and says that
        they are done afterwards.
        """
        if self._headers is not None and self._headers.sent:
            selected.digests = self._headers.wait(listener)
        if self.newer.sent:
            self.newer.wait(listener)
            selected.described = self.newer.found
