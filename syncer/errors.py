"""Everything that can go wrong, told apart by how much stops and whether it may be tried again.

Each class says in its docstring what stops. `transient` says that the same thing may work later without anybody
changing anything; only the connection's retry policy and the report read it. Messages are for the person who reads
them: what happened, to which account, mailbox, UID or file, and what to do.
"""

from typing import Self


class SyncerError(Exception):
    """Anything this program raises on purpose. Shown as one line, without a traceback."""

    transient = False


class ConfigError(SyncerError):
    """The configuration cannot be used; nothing is tried. `problems` holds one line for each fault of the file."""

    def __init__(self, problems: list[str]) -> None:
        """Take one line for each problem."""
        super().__init__("\n".join(problems))
        self.problems = problems


class AccountError(SyncerError):
    """One account stops; the others go on."""

    pause: float | None = None
    """Seconds for which the server asks to be left alone."""

    def after(self, pause: float | None) -> Self:
        """The same error, with the pause that the server asks for."""
        self.pause = pause
        return self


class ConnectError(AccountError):
    """The server cannot be reached, or the connection was lost for good."""

    transient = True


class TlsError(AccountError):
    """The server's certificate or the TLS handshake was not acceptable."""


class LoginError(AccountError):
    """The server refused the credentials, or there are none."""


class LockedError(AccountError):
    """Another run works on this account."""


class WatchedError(LockedError):
    """A `watch` works on this account, which does not end by itself: nobody should wait for it."""


class IndexFileError(AccountError):
    """The index cannot be opened: newer than this program, damaged, or not writable."""


class StoreError(AccountError):
    """The Maildir as a whole cannot be used (not writable, not a directory)."""


class StoppedError(AccountError):
    """The person or the system asked to stop; what was done so far is recorded."""


class RefusedError(AccountError):
    """A guard stops the whole account, for instance because the Maildir's root is missing. Nothing was changed.

    `anew` says what comes of it if the index is removed: a sentence to which the command is added. None: nobody should.
    """

    def __init__(self, message: str, anew: str | None = None) -> None:
        """Take the message, and the sentence."""
        super().__init__(message)
        self.anew = anew


class ProtocolError(AccountError):
    """The server said something that is not IMAP, or broke a bound. The connection is closed."""

    transient = True


class ConnectionLostError(AccountError):
    """The connection broke during a command; whether the command took effect is unknown."""

    transient = True


class MailboxError(SyncerError):
    """One mailbox stops; the account goes on."""


class NoSuchMailboxError(MailboxError):
    """The server says that the mailbox does not exist (RFC 5530 NONEXISTENT), or the directory is gone."""


class MessageError(SyncerError):
    """One message is left as it is; the mailbox goes on."""


class VanishedError(MessageError):
    """The message or its file is not there any more; the next pass looks again."""

    transient = True


class ServerRefusedError(MessageError):
    """The server answered NO or BAD to a command about this message (over quota, bad header, not permitted)."""
