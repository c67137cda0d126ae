"""The schema of the index as SQL, so that a new database is made without loading SQLAlchemy.

`tables` says the same for SQLAlchemy, with what each column means, and `migrations/` as steps; a test keeps all three
equal.
"""

TABLES: tuple[str, ...] = (
    """
    CREATE TABLE meta (
        "key" TEXT NOT NULL,
        value BLOB NOT NULL,
        CONSTRAINT pk_meta PRIMARY KEY ("key")
    )
    """,
    """
    CREATE TABLE mailbox (
        id INTEGER NOT NULL,
        name BLOB NOT NULL,
        uidvalidity INTEGER,
        uidnext INTEGER,
        highestmodseq INTEGER,
        object_id BLOB,
        mapping TEXT DEFAULT '{}' NOT NULL,
        synced_at INTEGER,
        held TEXT,
        error BLOB,
        messages INTEGER,
        local_state BLOB,
        compared_at INTEGER,
        settings TEXT,
        CONSTRAINT pk_mailbox PRIMARY KEY (id),
        CONSTRAINT uq_mailbox_name UNIQUE (name),
        CONSTRAINT ck_mailbox_epoch CHECK (
            uidvalidity IS NOT NULL OR (uidnext IS NULL AND highestmodseq IS NULL AND object_id IS NULL)
        )
    )
    """,
    """
    CREATE TABLE keyword_set (
        id INTEGER NOT NULL,
        names TEXT NOT NULL,
        CONSTRAINT pk_keyword_set PRIMARY KEY (id),
        CONSTRAINT uq_keyword_set_names UNIQUE (names)
    )
    """,
    """
    CREATE TABLE pair (
        mailbox_id INTEGER NOT NULL,
        uid INTEGER NOT NULL,
        name BLOB NOT NULL,
        flags INTEGER NOT NULL,
        keyword_set_id INTEGER,
        size INTEGER NOT NULL,
        header BLOB NOT NULL,
        content BLOB NOT NULL,
        email_id BLOB,
        state INTEGER NOT NULL,
        CONSTRAINT pk_pair PRIMARY KEY (mailbox_id, uid),
        CONSTRAINT uq_pair_mailbox_id_name UNIQUE (mailbox_id, name),
        CONSTRAINT fk_pair_mailbox_id_mailbox FOREIGN KEY (mailbox_id) REFERENCES mailbox (id),
        CONSTRAINT fk_pair_keyword_set_id_keyword_set FOREIGN KEY (keyword_set_id) REFERENCES keyword_set (id),
        CONSTRAINT ck_pair_uid CHECK (uid BETWEEN 1 AND 4294967295),
        CONSTRAINT ck_pair_flags CHECK (flags BETWEEN 0 AND 31),
        CONSTRAINT ck_pair_size CHECK (size >= 0),
        CONSTRAINT ck_pair_digests CHECK (length(header) = 16 AND length(content) = 16),
        CONSTRAINT ck_pair_state CHECK (state BETWEEN 0 AND 2)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE intent (
        mailbox_id INTEGER NOT NULL,
        name BLOB NOT NULL,
        uidnext INTEGER,
        internaldate INTEGER,
        sent INTEGER,
        CONSTRAINT pk_intent PRIMARY KEY (mailbox_id, name),
        CONSTRAINT fk_intent_mailbox_id_mailbox FOREIGN KEY (mailbox_id) REFERENCES mailbox (id)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE stray (
        mailbox_id INTEGER NOT NULL,
        name BLOB NOT NULL,
        CONSTRAINT pk_stray PRIMARY KEY (mailbox_id, name),
        CONSTRAINT fk_stray_mailbox_id_mailbox FOREIGN KEY (mailbox_id) REFERENCES mailbox (id)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE parked (
        mailbox_id INTEGER NOT NULL,
        uid INTEGER NOT NULL,
        name BLOB NOT NULL,
        failures INTEGER NOT NULL,
        until INTEGER NOT NULL,
        reason BLOB NOT NULL,
        CONSTRAINT pk_parked PRIMARY KEY (mailbox_id, uid, name),
        CONSTRAINT fk_parked_mailbox_id_mailbox FOREIGN KEY (mailbox_id) REFERENCES mailbox (id)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE deletion (
        id INTEGER NOT NULL,
        mailbox BLOB NOT NULL,
        side TEXT NOT NULL,
        count INTEGER NOT NULL,
        at INTEGER NOT NULL,
        CONSTRAINT pk_deletion PRIMARY KEY (id),
        CONSTRAINT ck_deletion_side CHECK (side IN ('server', 'local')),
        CONSTRAINT ck_deletion_count CHECK (count > 0)
    )
    """,
    """
    CREATE TABLE journal (
        id INTEGER NOT NULL,
        run INTEGER NOT NULL,
        at INTEGER NOT NULL,
        mailbox BLOB NOT NULL,
        verb TEXT NOT NULL,
        reason TEXT NOT NULL,
        detail BLOB NOT NULL,
        count INTEGER NOT NULL,
        uids TEXT NOT NULL,
        names BLOB,
        CONSTRAINT pk_journal PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE alembic_version (
        version_num VARCHAR(32) NOT NULL,
        CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
    )
    """,
)
"""What makes an empty database one of revision `revision.HEAD`, but for the row that says so."""
