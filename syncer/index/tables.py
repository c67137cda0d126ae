"""The schema of the index. One database for each account.

`migrations/` holds the same schema as steps, and `schema` as the SQL that makes a new database; a test keeps all
three equal. Whoever changes a table here changes it in `schema`, writes a revision and moves `revision.HEAD`. Loaded
for migrations and by tests only.
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from syncer.index.codec import to_bytes, to_text


class Verbatim(TypeDecorator[str]):
    """Any `str`, stored as bytes (see `codec`)."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002 (SQLAlchemy's)
        """To the database."""
        return None if value is None else to_bytes(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:  # noqa: ARG002 (SQLAlchemy's)
        """From the database."""
        return None if value is None else to_text(value)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

meta = Table(
    "meta",
    metadata,
    Column(
        "key",
        Text,
        nullable=False,
        comment="store_id, account (for people who look in), created (seconds), or recall:...",
    ),
    Column("value", Verbatim, nullable=False, comment="as text"),
    PrimaryKeyConstraint("key"),
)

mailbox = Table(
    "mailbox",
    metadata,
    Column("id", Integer, nullable=False, comment="stands for the mailbox in this database only; survives a rename"),
    Column("name", Verbatim, nullable=False, comment="MailboxName"),
    Column("uidvalidity", Integer, comment="NULL until a pass was finished for the first time"),
    Column("uidnext", Integer, comment="every message below it is paired or known not to be wanted; NULL: not told"),
    Column("highestmodseq", Integer, comment="every change up to it is applied; NULL: no CONDSTORE; up to 2**63 - 1"),
    Column("object_id", Verbatim, comment="MAILBOXID (RFC 8474); NULL: not told"),
    Column("mapping", Text, nullable=False, server_default="{}", comment="dovecot-keywords, JSON: letter to keyword"),
    Column("synced_at", Integer, comment="when a pass last ended without error, seconds since the epoch"),
    Column("held", Text, comment="sides on which deletions are held, comma separated; NULL: on none"),
    Column("error", Verbatim, comment="why the last pass did not end well; NULL: it did"),
    Column("messages", Integer, comment="EXISTS at these counters; NULL: the server's side has to be compared"),
    Column("local_state", Verbatim, comment="of the directories, as agreed; NULL: they have to be read"),
    Column("compared_at", Integer, comment="when both sides were last compared in full, seconds since the epoch"),
    Column("settings", Text, comment="fingerprint of the settings under which all this was recorded; NULL: not known"),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("name"),
    CheckConstraint(
        "uidvalidity IS NOT NULL OR (uidnext IS NULL AND highestmodseq IS NULL AND object_id IS NULL)", name="epoch"
    ),
)

keyword_set = Table(
    "keyword_set",
    metadata,
    Column("id", Integer, nullable=False, comment="never reused: rows are never deleted, so that spellings stand"),
    Column("names", Text, nullable=False, comment="JSON, a sorted list of keywords in the spelling first seen"),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("names"),
)

pair = Table(
    "pair",
    metadata,
    Column("mailbox_id", Integer, nullable=False, comment="the mailbox that holds both copies"),
    Column("uid", Integer, nullable=False, comment="valid in mailbox.uidvalidity; 1 to 2**32 - 1"),
    Column("name", LargeBinary, nullable=False, comment="UniqueName; in one pair of the mailbox only"),
    Column("flags", Integer, nullable=False, comment="the base: codec.SYSTEM_BITS of the system flags"),
    Column("keyword_set_id", Integer, comment="the base: the keywords; NULL: none"),
    Column("size", Integer, nullable=False, comment="Fingerprint.size, octets in the server's form"),
    Column("header", LargeBinary, nullable=False, comment="Fingerprint.header, 16 bytes"),
    Column("content", LargeBinary, nullable=False, comment="Fingerprint.content, 16 bytes"),
    Column("email_id", LargeBinary, comment="EMAILID (RFC 8474); NULL: not told"),
    Column("state", Integer, nullable=False, comment="PairState"),
    PrimaryKeyConstraint("mailbox_id", "uid"),
    UniqueConstraint("mailbox_id", "name"),
    ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"]),
    ForeignKeyConstraint(["keyword_set_id"], ["keyword_set.id"]),
    CheckConstraint("uid BETWEEN 1 AND 4294967295", name="uid"),
    CheckConstraint("flags BETWEEN 0 AND 31", name="flags"),
    CheckConstraint("size >= 0", name="size"),
    CheckConstraint("length(header) = 16 AND length(content) = 16", name="digests"),
    CheckConstraint("state BETWEEN 0 AND 2", name="state"),
    sqlite_with_rowid=False,
)

intent = Table(
    "intent",
    metadata,
    Column("mailbox_id", Integer, nullable=False, comment="the mailbox that the message is appended to"),
    Column("name", Verbatim, nullable=False, comment="UniqueName of the file that is appended"),
    Column("uidnext", Integer, comment="UIDNEXT before the first APPEND of it; NULL: not told"),
    Column("internaldate", Integer, comment="the date that is sent along, seconds since the epoch"),
    Column("sent", Integer, comment="which in the order of those that the server took without telling UIDs; else NULL"),
    PrimaryKeyConstraint("mailbox_id", "name"),
    ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"]),
    sqlite_with_rowid=False,
)

stray = Table(
    "stray",
    metadata,
    Column("mailbox_id", Integer, nullable=False, comment="the mailbox that the file is in"),
    Column("name", Verbatim, nullable=False, comment="UniqueName of a file whose message the server lost"),
    PrimaryKeyConstraint("mailbox_id", "name"),
    ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"]),
    sqlite_with_rowid=False,
)

parked = Table(
    "parked",
    metadata,
    Column("mailbox_id", Integer, nullable=False, comment="the mailbox that the message or the file is in"),
    Column("uid", Integer, nullable=False, comment="of a message that could not be downloaded; else 0"),
    Column("name", Verbatim, nullable=False, comment="UniqueName of a file that could not be uploaded; else empty"),
    Column("failures", Integer, nullable=False, comment="how often in a row"),
    Column("until", Integer, nullable=False, comment="when it may be tried again, seconds since the epoch"),
    Column("reason", Verbatim, nullable=False, comment="what went wrong the last time, for people"),
    PrimaryKeyConstraint("mailbox_id", "uid", "name"),
    ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"]),
    sqlite_with_rowid=False,
)

deletion = Table(
    "deletion",
    metadata,
    Column("id", Integer, nullable=False, comment="the order of recording"),
    Column("mailbox", Verbatim, nullable=False, comment="MailboxName; outlives the mailbox itself"),
    Column("side", Text, nullable=False, comment="where messages were deleted: server or local"),
    Column("count", Integer, nullable=False, comment="how many"),
    Column("at", Integer, nullable=False, comment="seconds since the epoch"),
    PrimaryKeyConstraint("id"),
    CheckConstraint("side IN ('server', 'local')", name="side"),
    CheckConstraint("count > 0", name="count"),
)

journal = Table(
    "journal",
    metadata,
    Column("id", Integer, nullable=False, comment="the order of writing"),
    Column("run", Integer, nullable=False, comment="the number of the pass"),
    Column("at", Integer, nullable=False, comment="seconds since the epoch"),
    Column("mailbox", Verbatim, nullable=False, comment="MailboxName at that time; outlives the mailbox"),
    Column("verb", Text, nullable=False, comment="what was done: events.VERBS"),
    Column("reason", Text, nullable=False, comment="what was observed, on which side"),
    Column("detail", Verbatim, nullable=False, comment="changed flags, or the mailbox on the other end of a move"),
    Column("count", Integer, nullable=False, comment="how many messages"),
    Column("uids", Text, nullable=False, comment="sequence set; empty: not told"),
    Column("names", LargeBinary, comment="UniqueNames joined by slashes; NULL: not told"),
    PrimaryKeyConstraint("id"),
)

version = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""The table that Alembic makes for itself; apart, because it is not part of what Alembic compares."""
