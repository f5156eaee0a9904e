"""since when the deadlines of a request count

Of requests from before nobody knows; their deadlines are counted again from the moment of the first change of hours.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    with op.batch_alter_table("tickets", schema=None) as batch_op:
        batch_op.add_column(sa.Column("clocks_from", sa.DateTime(timezone=True), nullable=True))
