"""The database's tables, as the newest migration leaves them. A float is stored as it is, NaN as NULL; times are int64
microseconds UTC; JSON is text; the members of a universe are kept once for all trials on it.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

universes = Table(
    "universes",
    metadata,
    Column("id", String(16), primary_key=True),  # hash of the members
    Column("members", Text, nullable=False),  # JSON: sorted instruments, "venue:SYMBOL"
)

trials = Table(
    "trials",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("name", Text, nullable=False),
    Column("parent", String(64), nullable=False),
    Column("family", Text, nullable=False),
    Column("universe", ForeignKey("universes.id"), nullable=False),
    Column("timeframe", String(16), nullable=False),
    Column("start_us", BigInteger, nullable=False),
    Column("end_us", BigInteger, nullable=False),
    Column("config", String(64), nullable=False),
    Column("data_snapshot", String(64), nullable=False),
    Column("code_version", String(64), nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("params", Text, nullable=False),
    Column("metrics", Text, nullable=False),
    Column("days", Integer, nullable=False),
    Column("sharpe", Double),
    Column("skew", Double),
    Column("kurtosis", Double),
    Column("sketch", LargeBinary, nullable=False),  # 128 float32, little endian
    Column("created_us", BigInteger, nullable=False),
    Column("run_dir", Text, nullable=False),
    Column("deleted_us", BigInteger),
    Column("last_us", BigInteger, nullable=False, server_default="0"),
    Index("ix_trials_family", "family", "start_us"),
    Index("ix_trials_parent", "parent"),
    Index("ix_trials_last", "last_us"),
)
