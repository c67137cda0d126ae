"""Mailboxes as a whole: names and namespace, LIST, STATUS, and making, renaming and deleting them."""

from collections.abc import Iterable

from syncer.errors import MailboxError, NoSuchMailboxError
from syncer.imap.arguments import FORBIDDEN, Argument, Literal, string
from syncer.imap.early import Early
from syncer.imap.kept import Kept
from syncer.imap.names import UNSENDABLE, Namespace, separator_of, space_of
from syncer.imap.responses import Data, Response, Status, Value, names, pairs
from syncer.imap.selected import cursor_of
from syncer.imap.wire import Reply, Wire
from syncer.ports import ServerMailbox
from syncer.reconcile.epoch import Cursor
from syncer.reconcile.identity import INBOX, MailboxName

Told = dict[bytes, dict[str, Value]]
"""The items of STATUS by name, by the server's name for the mailbox."""

_SPECIAL_USE = frozenset({"\\all", "\\archive", "\\drafts", "\\flagged", "\\junk", "\\sent", "\\trash", "\\important"})
"""RFC 6154 section 2, RFC 8457."""
_ABSENT = ("NONEXISTENT", "TRYCREATE")


class Directory:
    """The mailboxes of one connection's account."""

    def __init__(self, wire: Wire, capabilities: frozenset[str], counters: bytes) -> None:
        """`capabilities` as after log-in; `counters` are the items of STATUS that tell a mailbox's epoch."""
        self._wire = wire
        self._capabilities = capabilities
        self._counters = b"(MESSAGES " + counters + b")"
        self._namespace: Namespace | None = None
        self._elsewhere: tuple[bytes, ...] = ()
        self._spaces: tuple[Value, ...] = ()
        self._asked = wire.send(b"NAMESPACE") if capabilities & {"NAMESPACE", "IMAP4REV2"} else None
        self._spaces_told = False
        self._early: Early | None = None

    def ask(self) -> None:
        """Ask for every mailbox with its counters.

        The answer serves the next `mailboxes(counters=True)`, unless anything else is asked before it: it may be out
        of date then, and is thrown away.
        """
        self._early = Early(self._wire, *_list_command(b'"*"', self._options(self._counters)))

    def confirm(self) -> None:
        """What was sent since `ask` makes no difference to the answer."""
        if self._early is not None:
            self._early.confirm()

    def begun(self) -> bool:
        """Wait for the reply to NAMESPACE, or to `ask` if that is all there is; False if it was refused."""
        return self._namespace_answered() if self._asked is not None else self._early is None or self._early.reply().ok

    def argument(self, mailbox: MailboxName) -> Argument:
        """The mailbox's name as an argument of a command. Raises MailboxError for one that cannot be."""
        return string(self.wire_name(mailbox))

    def wire_name(self, mailbox: MailboxName) -> bytes:
        """The server's name for the mailbox."""
        return b"INBOX" if mailbox == INBOX else self.namespace().to_wire(mailbox)

    def namespace(self) -> Namespace:
        """The personal namespace: from NAMESPACE (RFC 2342), else no prefix and LIST's separator."""
        if self._namespace is None:
            self._namespace = self._ask_namespace() or Namespace(b"", self._ask_separator())
        return self._namespace

    def mailboxes(self, *, counters: bool = False) -> tuple[ServerMailbox, ...]:
        """See `Server.mailboxes`."""
        items = self._counters if counters else None
        listed, told = self._list(b'"*"', items, self._take_early() if counters else None)
        space = self.namespace()
        if _key(space.prefix[:5]) not in (b"", b"INBOX") and not any(raw.startswith(space.prefix) for raw, _ in listed):
            # A namespace of a form like "#mh/" may be listed by its name only (RFC 2342 section 4).
            more, more_told = self._list(string(space.prefix + b"*"), items)
            listed, told = [*listed, *more], {**told, **more_told}
        found: dict[MailboxName, ServerMailbox] = {}
        for raw, attributes in listed:
            usable = raw and not raw.startswith(self._elsewhere) and not UNSENDABLE.search(raw)
            name = space.from_wire(raw) if usable else None
            if name is None or attributes & {"\\noselect", "\\nonexistent"}:
                continue
            use = min(attributes & _SPECIAL_USE, default=None)
            found.setdefault(name, ServerMailbox(name, use, self._cursor(told, raw)))
        return tuple(sorted(found.values(), key=lambda each: (each.name != INBOX, each.name)))

    def status(self, mailbox: MailboxName, items: bytes) -> dict[str, Value]:
        """STATUS items by name.

        Raises:
            NoSuchMailboxError: there is no such mailbox, or it cannot be selected.
            MailboxError: the server refused for another reason.
        """
        self._take_early()
        return self.counted(mailbox, self._wire.run(b"STATUS", self.argument(mailbox), items))

    def counted(self, mailbox: MailboxName, reply: Reply) -> dict[str, Value]:
        """The items in the reply to a STATUS of the mailbox; raises what `status` does."""
        name = self.wire_name(mailbox)
        if not reply.ok:
            raise self.refusal(mailbox, reply.status, "STATUS")
        for response in reversed(reply.untagged):
            if isinstance(response, Data) and response.kind == "STATUS" and len(response.values) > 1:
                told, values = response.values[0], response.values[1]
                if isinstance(told, bytes) and isinstance(values, list) and told.upper() == name.upper():
                    return pairs(values)
        raise MailboxError(f"{self._wire.where}: mailbox {mailbox!r}: the server answered STATUS with nothing")

    def create(self, mailbox: MailboxName) -> None:
        """See `Server.create`."""
        name = self.argument(mailbox)
        reply = self._wire.run(b"CREATE", name)
        if not reply.ok and not self.exists(mailbox):  # ALREADYEXISTS may be one that this login must not see
            raise self._refused(mailbox, reply, "CREATE")
        self._wire.run(b"SUBSCRIBE", name)

    def rename(self, mailbox: MailboxName, new_name: MailboxName) -> None:
        """See `Server.rename`; the subscriptions of the mailboxes below follow as well."""
        old, new = self.wire_name(mailbox), self.wire_name(new_name)
        self.status(mailbox, b"(UIDVALIDITY)")  # Courier says OK to a RENAME of what does not exist
        subscribed = self._subscribed(old)
        reply = self._wire.run(b"RENAME", string(old), string(new))
        if not reply.ok:
            raise self.refusal(mailbox, reply.status, "RENAME")
        for name in subscribed:
            self._wire.run(b"SUBSCRIBE", string(new + name[len(old) :]))
            self._wire.run(b"UNSUBSCRIBE", string(name))

    def delete(self, mailbox: MailboxName) -> None:
        """See `Server.delete`."""
        name = self.argument(mailbox)
        reply = self._wire.run(b"DELETE", name)
        if not reply.ok and not reply.status.has("NONEXISTENT") and self.exists(mailbox):
            raise self._refused(mailbox, reply, "DELETE")
        self._wire.run(b"UNSUBSCRIBE", name)

    def exists(self, mailbox: MailboxName) -> bool:
        """See `Server.exists`."""
        try:
            self.status(mailbox, b"(UIDVALIDITY)")
        except NoSuchMailboxError:
            return False
        return True

    def refusal(self, mailbox: MailboxName, status: Status, command: str) -> MailboxError:
        """What a NO or BAD about a mailbox means.

        A refusal without a code may mean anything, CANNOT (RFC 5530) nearly so: only if LIST does not show the mailbox
        either is it absent.
        """
        words = f"{self._wire.where}: mailbox {mailbox!r}: the server refused {command}: {status.words}"
        doubtful = status.kind == "NO" and (status.code is None or status.has("CANNOT"))
        if status.has(*_ABSENT) or (doubtful and not self._listed(mailbox)):
            return NoSuchMailboxError(words)
        return MailboxError(words)

    def _refused(self, mailbox: MailboxName, reply: Reply, command: str) -> MailboxError:
        words = reply.status.words
        return MailboxError(f"{self._wire.where}: mailbox {mailbox!r}: the server refused {command}: {words}")

    def _listed(self, mailbox: MailboxName) -> bool:
        name = self.wire_name(mailbox)
        found = dict(self._list(string(name))[0])
        return name in found and not found[name] & {"\\noselect", "\\nonexistent"}

    def _cursor(self, told: Told, raw: bytes) -> Cursor | None:
        values = told.get(_key(raw))
        return cursor_of(values, modseqs=b"HIGHESTMODSEQ" in self._counters) if values is not None else None

    def _list(
        self, pattern: Argument, items: bytes | None = None, reply: Reply | None = None
    ) -> tuple[list[tuple[bytes, frozenset[str]]], Told]:
        """Names with attributes in lower case; with `items`, what STATUS tells of each, where it tells.

        `reply` is the answer, if it is there already.
        """
        self._take_early()
        options = self._options(items)
        with_status = items is not None and "LIST-STATUS" in self._capabilities
        if reply is None and options:
            reply = self._wire.run(*_list_command(pattern, options))
        if reply is None or not reply.ok:
            with_status = False
            reply = self._wire.run(*_list_command(pattern, []))
        if not reply.ok:
            raise MailboxError(f"{self._wire.where}: the server refused to list mailboxes: {reply.status.words}")
        found = _listed(reply, "LIST")
        if items is None:
            return found, {}
        return found, _told(reply.untagged) if with_status else self._statuses((name for name, _ in found), items)

    def _options(self, items: bytes | None) -> list[bytes]:
        """What LIST is asked to RETURN (RFC 5258, RFC 5819, RFC 6154)."""
        able = self._capabilities
        options = [b"SPECIAL-USE"] if {"SPECIAL-USE", "LIST-EXTENDED"} <= able else []
        return options + ([b"STATUS " + items] if items is not None and "LIST-STATUS" in able else [])

    def _take_early(self) -> Reply | None:
        """The answer to `ask`, if nothing was asked since; it is not taken for another either way."""
        early = self._early
        if early is None:
            return None
        holds, reply = early.holds, early.reply()
        self._early = None
        return reply if holds else None

    def _statuses(self, mailboxes: Iterable[bytes], items: bytes) -> Told:
        """STATUS of every mailbox, all under way at once."""
        kept = Kept(self._wire)
        tags: list[bytes] = []
        for name in mailboxes:
            if FORBIDDEN.search(name):
                continue
            argument = string(name)
            if isinstance(argument, Literal) and self._wire.asks(len(argument.octets)):
                while tags:  # a literal that has to be asked for is sent while nothing else is under way
                    self._wire.wait(tags.pop(0), kept.add)
            tags.append(self._wire.send(b"STATUS", argument, items))
        for tag in tags:
            self._wire.wait(tag, kept.add)
        return _told(kept.responses)

    def _subscribed(self, name: bytes) -> list[bytes]:
        """The subscribed names among `name` and those below it."""
        separator = self.namespace().separator
        patterns = [name] if separator is None else [name, name + separator + b"*"]
        found = []
        for pattern in patterns:
            for raw, _ in _listed(self._wire.run(b'LSUB ""', string(pattern)), "LSUB"):
                below = separator is not None and raw.startswith(name + separator)
                if (raw == name or below) and raw not in found and not FORBIDDEN.search(raw):
                    found.append(raw)
        return found

    def hear(self, response: Response) -> None:
        """Take in the answers to NAMESPACE and `ask`, whenever they come."""
        if not isinstance(response, Data):
            return
        if response.kind == "NAMESPACE":
            if self._asked is not None and self._wire.awaits(self._asked):
                self._spaces = response.values
        elif response.kind in ("LIST", "STATUS") and self._early is not None:
            self._early.hear(response)

    def _namespace_answered(self) -> bool:
        if self._asked is not None:
            self._spaces_told = self._wire.wait(self._asked).kind == "OK"
            self._asked = None
        return self._spaces_told

    def _ask_namespace(self) -> Namespace | None:
        if not self._namespace_answered():
            return None
        spaces = [[space_of(entry) for entry in kind] if isinstance(kind, list) else [] for kind in self._spaces]
        personal = next((space for space in spaces[0] if space is not None), None) if spaces else None
        if personal is None:
            return None
        others = [space.prefix for kind in spaces for space in kind if space is not None and space is not personal]
        self._elsewhere = tuple(prefix for prefix in others if prefix and not personal.prefix.startswith(prefix))
        return personal

    def _ask_separator(self) -> bytes | None:
        for response in self._wire.run(b'LIST "" ""').untagged:
            if isinstance(response, Data) and response.kind == "LIST" and len(response.values) > 2:
                return separator_of(response.values[1])
        return None


def _list_command(pattern: Argument, options: list[bytes]) -> tuple[Argument, ...]:
    returning = (b"RETURN (" + b" ".join(options) + b")",) if options else ()
    return (b'LIST ""', pattern, *returning)


def _listed(reply: Reply, kind: str) -> list[tuple[bytes, frozenset[str]]]:
    """Names and attributes in lower case; an entry that is none is passed over."""
    found = []
    for response in reply.untagged:
        if isinstance(response, Data) and response.kind == kind and len(response.values) >= 3:
            name = response.values[2]
            if isinstance(name, bytes):
                words = names(response.values[0])
                found.append((name, frozenset(word.decode("ascii", "replace").lower() for word in words)))
    return found


def _told(untagged: Iterable[Response]) -> Told:
    """The items of every STATUS response, by mailbox."""
    found: Told = {}
    for response in untagged:
        match response:
            case Data("STATUS", (bytes(name), list(values))):
                found[_key(name)] = pairs(values)
    return found


def _key(name: bytes) -> bytes:
    """INBOX is the one name that may be spelled in any case (RFC 9051 section 5.1)."""
    return b"INBOX" if name.upper() == b"INBOX" else name
