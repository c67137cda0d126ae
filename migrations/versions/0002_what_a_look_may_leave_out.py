"""How far a pass came on both sides, so that the next one need not look at what did not change."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("mailbox", sa.Column("messages", sa.Integer()))
    op.add_column("mailbox", sa.Column("local_state", sa.LargeBinary()))
    op.add_column("mailbox", sa.Column("compared_at", sa.Integer()))
    op.add_column("mailbox", sa.Column("settings", sa.Text()))


def downgrade() -> None:
    raise NotImplementedError("an index is not taken back; the copy <index>.before-<revision> is what it was")
