"""Trials, and the universes that they ran on."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "universes",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("members", sa.Text, nullable=False),
    )
    op.create_table(
        "trials",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("parent", sa.String(64), nullable=False),
        sa.Column("family", sa.Text, nullable=False),
        sa.Column("universe", sa.String(16), sa.ForeignKey("universes.id"), nullable=False),
        sa.Column("timeframe", sa.String(16), nullable=False),
        sa.Column("start_us", sa.BigInteger, nullable=False),
        sa.Column("end_us", sa.BigInteger, nullable=False),
        sa.Column("config", sa.String(64), nullable=False),
        sa.Column("data_snapshot", sa.String(64), nullable=False),
        sa.Column("code_version", sa.String(64), nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("params", sa.Text, nullable=False),
        sa.Column("metrics", sa.Text, nullable=False),
        sa.Column("days", sa.Integer, nullable=False),
        sa.Column("sharpe", sa.Double),
        sa.Column("skew", sa.Double),
        sa.Column("kurtosis", sa.Double),
        sa.Column("sketch", sa.LargeBinary, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("run_dir", sa.Text, nullable=False),
        sa.Column("deleted_us", sa.BigInteger),
    )
    op.create_index("ix_trials_family", "trials", ["family", "start_us"])
    op.create_index("ix_trials_parent", "trials", ["parent"])
    op.create_index("ix_trials_created", "trials", ["created_us"])
