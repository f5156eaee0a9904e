"""the desk's own form; what a conversation remembers of alarms and conduct"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("conversations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("crisis", sa.String(length=20), nullable=True))
        batch_op.add_column(sa.Column("crisis_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("insults", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("short_form", sa.JSON(none_as_null=True), nullable=True))
        batch_op.add_column(sa.Column("scrub_due", sa.Boolean(), nullable=False, server_default=sa.false()))
