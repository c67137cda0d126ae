"""The person at another mail program: a plain IMAP client, which shares no code with the program under test."""

import base64
import imaplib
import re
import socket
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

Flags = frozenset[str]
Date = time.struct_time | None

LIST = re.compile(rb'^\((?P<attributes>[^)]*)\) (?:"(?P<separator>.*?)"|NIL) (?P<name>.+)$')
UID = re.compile(rb"UID (\d+)")
FLAGS = re.compile(rb"FLAGS \(([^)]*)\)")
DATE = re.compile(rb'INTERNALDATE "([^"]+)"')


class RefusedError(Exception):
    """The server answered NO or BAD."""


@dataclass(frozen=True, slots=True)
class ServerMessage:
    """A message as the server shows it."""

    uid: int
    octets: bytes
    flags: Flags
    date: int
    """INTERNALDATE in seconds since the epoch."""


def utf7(name: str) -> bytes:
    """A mailbox name in the modified UTF-7 of RFC 3501 section 5.1.3."""

    def shifted(run: str) -> str:
        return "&" + base64.b64encode(run.encode("utf-16-be"), b"+,").decode().rstrip("=") + "-"

    pieces = re.findall(r"[\x20-\x25\x27-\x7e]+|&+|[^\x20-\x7e]+", name)
    return "".join(piece.replace("&", "&-") if " " <= piece[0] <= "~" else shifted(piece) for piece in pieces).encode()


def un_utf7(name: bytes) -> str:
    """The inverse of `utf7`."""

    def plain(match: re.Match[str]) -> str:
        run = match.group(1)
        return base64.b64decode(run + "=" * (-len(run) % 4), b"+,").decode("utf-16-be") if run else "&"

    return re.sub(r"&([^-]*)-", plain, name.decode("ascii"))


class Quick(imaplib.IMAP4):
    """imaplib sends a literal and its line end apart and servers answer in pieces: neither shall wait for the other."""

    def _hurry(self) -> None:
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if option := getattr(socket, "TCP_QUICKACK", None):  # Linux; it does not last
            self.sock.setsockopt(socket.IPPROTO_TCP, option, 1)

    def send(self, data: bytes) -> None:
        """As imaplib does."""
        self._hurry()
        super().send(data)

    def read(self, size: int) -> bytes:
        """As imaplib does."""
        self._hurry()
        return super().read(size)

    def readline(self) -> bytes:
        """As imaplib does."""
        self._hurry()
        return super().readline()


class Client:
    """One logged-in connection. Mailboxes are named with `/` between levels and without the namespace's prefix."""

    def __init__(self, host: str, port: int, user: str, password: str, *, separator: str, prefix: str) -> None:
        """Connect without TLS and log in."""
        self.separator, self.prefix = separator, prefix
        self.imap = Quick(host, port, timeout=60)
        self.imap.login(user, password)
        self.capabilities = self._ask(self.imap.capability())[0].decode().split()
        self.selected: str | None = None

    def close(self) -> None:
        """Log out."""
        self.imap.logout()

    @staticmethod
    def _ask(answer: tuple[str, list[bytes]]) -> list[bytes]:
        if answer[0] != "OK":
            raise RefusedError(answer[1])
        return answer[1]

    def wire(self, mailbox: str) -> str:
        """The name as an argument of a command."""
        name = mailbox.replace("/", self.separator)
        if name != "INBOX":
            name = self.prefix + name
        return '"' + utf7(name).decode().replace("\\", "\\\\").replace('"', '\\"') + '"'

    def select(self, mailbox: str) -> None:
        """Select it afresh, so that everything that happened meanwhile is seen."""
        if self.selected == mailbox:
            self._ask(self.imap.noop())
        else:
            self._ask(self.imap.select(self.wire(mailbox)))
            self.selected = mailbox

    def _unselect(self) -> None:
        if self.selected is not None:
            self._ask(self.imap.select('"INBOX"'))
            self.selected = "INBOX"

    def takes_keywords(self) -> bool:
        """Whether the server lets a client make keywords (PERMANENTFLAGS of INBOX has `\\*`)."""
        self._unselect()
        self._ask(self.imap.select('"INBOX"'))
        return any(b"\\*" in (said or b"") for said in self.imap.response("PERMANENTFLAGS")[1])

    def mailboxes(self) -> set[str]:
        """Every mailbox that can be selected."""
        names = set()
        for line in self._ask(self.imap.list()):
            if line is None:
                continue
            if isinstance(line, tuple):  # the name came as a literal
                found, raw = LIST.match(line[0].rpartition(b" ")[0] + b" -"), line[1]
            else:
                found = LIST.match(line)
                assert found, line
                raw = found["name"]
                if raw.startswith(b'"'):
                    raw = re.sub(rb"\\(.)", rb"\1", raw[1:-1])
            assert found, line
            if rb"\noselect" in found["attributes"].lower() or rb"\nonexistent" in found["attributes"].lower():
                continue
            name = un_utf7(raw)
            name = "INBOX" if name.upper() == "INBOX" else name.removeprefix(self.prefix)
            names.add(name.replace(self.separator, "/"))
        return names

    def create(self, mailbox: str) -> None:
        """Create it."""
        self._ask(self.imap.create(self.wire(mailbox)))

    def delete_mailbox(self, mailbox: str) -> None:
        """Delete it with everything in it."""
        self._unselect()
        self._ask(self.imap.delete(self.wire(mailbox)))

    def rename_mailbox(self, mailbox: str, new_name: str) -> None:
        """Rename it."""
        self._unselect()
        self._ask(self.imap.rename(self.wire(mailbox), self.wire(new_name)))

    def append(self, mailbox: str, octets: bytes, flags: Iterable[str] = (), date: int | None = None) -> None:
        """Append one message."""
        when = imaplib.Time2Internaldate(date) if date is not None else None
        self._ask(self.imap.append(self.wire(mailbox), f"({' '.join(sorted(flags))})", when, octets))

    def fill(self, mailbox: str, messages: Sequence[tuple[bytes, Flags, int]]) -> None:
        """Append many (octets, flags, date) at once, where the server has MULTIAPPEND and LITERAL+."""
        if not {"MULTIAPPEND", "LITERAL+"} <= set(self.capabilities):
            for octets, flags, date in messages:
                self.append(mailbox, octets, flags, date)
            return
        for start in range(0, len(messages), 500):
            pieces = [f"fill{start} APPEND {self.wire(mailbox)}".encode()]
            for octets, flags, date in messages[start : start + 500]:
                head = f" ({' '.join(sorted(flags))}) {imaplib.Time2Internaldate(date)} {{{len(octets)}+}}\r\n"
                pieces += [head.encode(), octets]
            self.imap.send(b"".join([*pieces, b"\r\n"]))
            while not (line := self.imap.readline()).startswith(b"fill"):
                assert line.startswith(b"* "), line
            if b" OK " not in line:
                raise RefusedError(line)

    def uids(self, mailbox: str) -> list[int]:
        """Every UID, ascending."""
        self.select(mailbox)
        return [int(uid) for uid in (self._ask(self.imap.uid("SEARCH", "ALL"))[0] or b"").split()]

    def messages(self, mailbox: str, uids: str = "1:*") -> list[ServerMessage]:
        """Every message, or those of a UID set, with its octets, ascending by UID. No `\\Seen` is set."""
        self.select(mailbox)
        answer = self._ask(self.imap.uid("FETCH", uids, "(UID FLAGS INTERNALDATE BODY.PEEK[])"))
        found: list[ServerMessage] = []
        for number, item in enumerate(answer):
            if isinstance(item, tuple):
                # What follows the literal is an item of its own in imaplib's answer.
                after = answer[number + 1] if number + 1 < len(answer) else b""
                said = item[0] + (after if isinstance(after, bytes) else b"")
                found.append(_message(said, item[1]))
        return sorted(found, key=lambda message: message.uid)

    def tokens(self, mailbox: str, first: int, last: int) -> dict[int, str]:
        """The `X-Token` of every message with a UID in this range."""
        self.select(mailbox)
        fields = "BODY.PEEK[HEADER.FIELDS (X-TOKEN)]"
        found = {}
        for item in self._ask(self.imap.uid("FETCH", f"{first}:{last}", f"(UID {fields})")):
            if isinstance(item, tuple):
                uid = UID.search(item[0])
                assert uid, item
                found[int(uid.group(1))] = item[1].split()[1].decode()
        return found

    def flags(self, mailbox: str) -> dict[int, Flags]:
        """Every UID with its flags."""
        self.select(mailbox)
        found = {}
        for item in self._ask(self.imap.uid("FETCH", "1:*", "(UID FLAGS)")):
            if isinstance(item, bytes) and (uid := UID.search(item)):
                found[int(uid.group(1))] = _flags(item)
        return found

    def uidvalidity(self, mailbox: str) -> int:
        """The mailbox's UIDVALIDITY."""
        answer = self._ask(self.imap.status(self.wire(mailbox), "(UIDVALIDITY)"))[0]
        found = re.search(rb"UIDVALIDITY (\d+)", answer)
        assert found, answer
        return int(found.group(1))

    def store(self, mailbox: str, uids: Collection[int], change: str, flags: Iterable[str]) -> None:
        """`change` is `+FLAGS` or `-FLAGS`."""
        self.select(mailbox)
        self._ask(self.imap.uid("STORE", _set(uids), f"{change}.SILENT", f"({' '.join(sorted(flags))})"))

    def expunge(self, mailbox: str, uids: Collection[int]) -> None:
        """Delete exactly these."""
        if uids:
            self.store(mailbox, uids, "+FLAGS", ["\\Deleted"])
            self._ask(self.imap.uid("EXPUNGE", _set(uids)))

    def copy(self, mailbox: str, uids: Collection[int], target: str) -> None:
        """Copy into another mailbox."""
        self.select(mailbox)
        self._ask(self.imap.uid("COPY", _set(uids), self.wire(target)))

    def move(self, mailbox: str, uids: Collection[int], target: str) -> None:
        """Move into another mailbox, by hand where the server has no MOVE."""
        if "MOVE" in self.capabilities:
            self.select(mailbox)
            self._ask(self.imap.uid("MOVE", _set(uids), self.wire(target)))
        else:
            self.copy(mailbox, uids, target)
            self.expunge(mailbox, uids)


def _set(uids: Collection[int]) -> str:
    assert uids, "an empty set would be a syntax error"
    return ",".join(str(uid) for uid in sorted(uids))


def _flags(said: bytes) -> Flags:
    found = FLAGS.search(said)
    assert found, said
    return frozenset(found.group(1).decode().split()) - {"\\Recent"}


def _message(said: bytes, octets: bytes) -> ServerMessage:
    uid, date = UID.search(said), DATE.search(said)
    assert uid, said
    assert date, said
    when = imaplib.Internaldate2tuple(b'INTERNALDATE "' + date.group(1) + b'"')
    assert when, said
    return ServerMessage(int(uid.group(1)), octets, _flags(said), int(time.mktime(when)))
