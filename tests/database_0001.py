"""A database of version 0001 with two trials, one of them deleted, as the truewind of that time left it."""

SQL = """
CREATE TABLE universes (id VARCHAR(16) NOT NULL, members TEXT NOT NULL, PRIMARY KEY (id));
INSERT INTO universes VALUES ('88276cb6570718bc', '["binance_usdm:BTCUSDT"]');
CREATE TABLE trials (
    id VARCHAR(64) NOT NULL, kind VARCHAR(16) NOT NULL, name TEXT NOT NULL, parent VARCHAR(64) NOT NULL,
    family TEXT NOT NULL, universe VARCHAR(16) NOT NULL, timeframe VARCHAR(16) NOT NULL, start_us BIGINT NOT NULL,
    end_us BIGINT NOT NULL, config VARCHAR(64) NOT NULL, data_snapshot VARCHAR(64) NOT NULL,
    code_version VARCHAR(64) NOT NULL, seed BIGINT NOT NULL, params TEXT NOT NULL, metrics TEXT NOT NULL,
    days INTEGER NOT NULL, sharpe DOUBLE PRECISION, skew DOUBLE PRECISION, kurtosis DOUBLE PRECISION,
    sketch {bytes} NOT NULL, created_us BIGINT NOT NULL, run_dir TEXT NOT NULL, deleted_us BIGINT,
    PRIMARY KEY (id), FOREIGN KEY (universe) REFERENCES universes (id)
);
INSERT INTO trials VALUES (
    'first', 'backtest', 'a test', '', 'ideas.py:Momentum', '88276cb6570718bc', '1h', 0, 8640000000000, 'c', 'd', 'v',
    42, '{{"fast":5}}', '{{"net_return":0.1}}', 100, 0.05, -0.2, 4.0, {sketch}, 5, 'runs/a', NULL
);
INSERT INTO trials VALUES (
    'second', 'backtest', 'a test', '', 'ideas.py:Momentum', '88276cb6570718bc', '1h', 0, 8640000000000, 'c', 'd', 'v',
    42, '{{"fast":5}}', '{{"net_return":0.1}}', 100, NULL, -0.2, 4.0, {sketch}, 6, '', 1795205344000000
);
CREATE INDEX ix_trials_family ON trials (family, start_us);
CREATE INDEX ix_trials_parent ON trials (parent);
CREATE INDEX ix_trials_created ON trials (created_us);
CREATE TABLE truewind_version (
    version_num VARCHAR(32) NOT NULL, CONSTRAINT truewind_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO truewind_version VALUES ('0001');
"""


def make(database: str) -> None:
    """Write it to a file, or to a PostgreSQL server."""
    sketch = "01" * 512
    if "://" in database:
        import psycopg

        with psycopg.connect(database) as connection:
            connection.execute(SQL.format(bytes="BYTEA", sketch=f"'\\x{sketch}'").encode())
        return
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(SQL.format(bytes="BLOB", sketch=f"X'{sketch}'"))
