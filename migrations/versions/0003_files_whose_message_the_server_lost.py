"""Files whose message the server lost when the mailbox got another epoch: a person decides about them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "stray",
        sa.Column("mailbox_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("mailbox_id", "name", name=op.f("pk_stray")),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], name=op.f("fk_stray_mailbox_id_mailbox")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    raise NotImplementedError("an index is not taken back; the copy <index>.before-<revision> is what it was")
