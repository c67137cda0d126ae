"""The words that name things: one type for each, so that they cannot be confused.

`MailboxName` is the name of a mailbox in the one form used inside the program: hierarchy levels joined by `/`
whatever the server's separator, the personal namespace's prefix left off, and `INBOX` in capitals. A character that
cannot stand there for itself (a `/` within a level, a control character, a byte that is not valid modified UTF-7)
is written `%XX` with two upper-case hexadecimal digits; a `%` is written `%25` only where two hexadecimal digits
follow it. The mapping is reversible, so any name of any server has exactly one `MailboxName`, and it can be
printed.
"""

from typing import Literal, NewType

Uid = NewType("Uid", int)
"""A message's number in one mailbox and one UIDVALIDITY (RFC 9051 section 2.3.1.1): 1 to 2**32 - 1."""

UidValidity = NewType("UidValidity", int)
"""The epoch in which the UIDs of a mailbox are valid (RFC 9051 section 2.3.1.1)."""

ModSeq = NewType("ModSeq", int)
"""A modification sequence (RFC 7162 section 3.1): 1 to 2**63 - 1."""

UniqueName = NewType("UniqueName", str)
"""A Maildir file's name up to its info (`:2,FS`); bytes that are not UTF-8 are kept by surrogate escapes."""

MailboxName = NewType("MailboxName", str)

INBOX = MailboxName("INBOX")

Side = Literal["server", "local"]
"""Where something is or is done."""
