"""The initial schema."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )
    op.create_table(
        "mailbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("uidvalidity", sa.Integer()),
        sa.Column("uidnext", sa.Integer()),
        sa.Column("highestmodseq", sa.Integer()),
        sa.Column("object_id", sa.LargeBinary()),
        sa.Column("mapping", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("synced_at", sa.Integer()),
        sa.Column("held", sa.Text()),
        sa.Column("error", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailbox")),
        sa.UniqueConstraint("name", name=op.f("uq_mailbox_name")),
        sa.CheckConstraint(
            "uidvalidity IS NOT NULL OR (uidnext IS NULL AND highestmodseq IS NULL AND object_id IS NULL)",
            name=op.f("ck_mailbox_epoch"),
        ),
    )
    op.create_table(
        "keyword_set",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("names", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keyword_set")),
        sa.UniqueConstraint("names", name=op.f("uq_keyword_set_names")),
    )
    op.create_table(
        "pair",
        sa.Column("mailbox_id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Integer(), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("flags", sa.Integer(), nullable=False),
        sa.Column("keyword_set_id", sa.Integer()),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("header", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("email_id", sa.LargeBinary()),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("mailbox_id", "uid", name=op.f("pk_pair")),
        sa.UniqueConstraint("mailbox_id", "name", name=op.f("uq_pair_mailbox_id_name")),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], name=op.f("fk_pair_mailbox_id_mailbox")),
        sa.ForeignKeyConstraint(
            ["keyword_set_id"], ["keyword_set.id"], name=op.f("fk_pair_keyword_set_id_keyword_set")
        ),
        sa.CheckConstraint("uid BETWEEN 1 AND 4294967295", name=op.f("ck_pair_uid")),
        sa.CheckConstraint("flags BETWEEN 0 AND 31", name=op.f("ck_pair_flags")),
        sa.CheckConstraint("size >= 0", name=op.f("ck_pair_size")),
        sa.CheckConstraint("length(header) = 16 AND length(content) = 16", name=op.f("ck_pair_digests")),
        sa.CheckConstraint("state BETWEEN 0 AND 2", name=op.f("ck_pair_state")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "intent",
        sa.Column("mailbox_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("uidnext", sa.Integer()),
        sa.Column("internaldate", sa.Integer()),
        sa.Column("sent", sa.Integer()),
        sa.PrimaryKeyConstraint("mailbox_id", "name", name=op.f("pk_intent")),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], name=op.f("fk_intent_mailbox_id_mailbox")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "deletion",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mailbox", sa.LargeBinary(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("at", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deletion")),
        sa.CheckConstraint("side IN ('server', 'local')", name=op.f("ck_deletion_side")),
        sa.CheckConstraint("count > 0", name=op.f("ck_deletion_count")),
    )


def downgrade() -> None:
    raise NotImplementedError("an index is not taken back; the copy <index>.before-<revision> is what it was")
