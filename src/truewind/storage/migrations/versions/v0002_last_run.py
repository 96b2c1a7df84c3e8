"""When a trial was last run, beside when it was first tried: lists show what was done last."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("trials", sa.Column("last_us", sa.BigInteger, nullable=False, server_default="0"))
    op.execute("UPDATE trials SET last_us = created_us")
    op.drop_index("ix_trials_created", "trials")
    op.create_index("ix_trials_last", "trials", ["last_us"])
