"""What servers get wrong, as a table: how to recognise them, and what we do differently.

Only what the code uses is here; what can be handled by being lenient with everybody is handled where it occurs.
"""

from syncer.values import Struct


class Quirks(Struct, frozen=True):
    """How to treat one server."""

    line_octets: int = 8000
    """The longest command line, without literals (RFC 7162 section 4: servers should take 8192)."""
    status_mailboxid: bool = True
    """STATUS can be asked for MAILBOXID (RFC 8474 section 4.3)."""
    select_uidnext: bool = True
    """SELECT tells UIDNEXT, as RFC 9051 section 6.3.2 wants it."""
    company: frozenset[str] = frozenset()
    """The ways to log in behind which it takes further commands unread. Courier, for one, loses them: its log-in
    program hands the connection over together with what it has read of it."""
    distrusted: frozenset[str] = frozenset()
    """Extensions that it announces and does not keep to: the session does without them, one rung lower."""


_TABLE: tuple[tuple[bytes, Quirks], ...] = (
    # Answers BAD to longer lines (nextcloud/mail issue 6038).
    (b"Microsoft Exchange IMAP4", Quirks(line_octets=1000)),
    # STATUS: 3.6 answers with octets of freed memory now and then; SELECT tells the right one. What follows an
    # AUTHENTICATE with its response in it gets lost in 3.6, which then also answers that command twice.
    (b"Cyrus IMAP", Quirks(status_mailboxid=False, company=frozenset({"LOGIN"}))),
    # Tells it with STATUS only, and there as of the selection.
    (b"Courier-IMAP", Quirks(select_uidnext=False)),
    # 2.3 hands up to 2 KiB on, through its TLS proxy as well.
    (b"Dovecot", Quirks(company=frozenset({"LOGIN", "AUTHENTICATE"}))),
    # iCloud: sends VANISHED without having enabled it, and not as RFC 7162 wants it.
    (b"AUTH=ATOKEN", Quirks(distrusted=frozenset({"QRESYNC"}))),
)


def quirks_of(greeting: bytes) -> Quirks:
    """The quirks of the server that greeted so."""
    return next((quirks for mark, quirks in _TABLE if mark in greeting), Quirks())
