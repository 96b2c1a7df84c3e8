"""One-second bars from trades by DuckDB. usage: duckdb_trade_bars.py TRADES REPEATS"""

import sys

import duckdb

import workload as w

# No two trades have the same time, so the first and last are those of least and greatest time.
QUERY = """
    select ts // 1000000 * 1000000 as ts, arg_min(price, ts) as open, max(price) as high, min(price) as low,
           arg_max(price, ts) as close, sum(quantity) as volume, sum(price * quantity) as quote_volume,
           count(*)::double as trades, coalesce(sum(quantity) filter (side > 0), 0) as taker_buy_volume
    from trades group by 1 order by 1
"""


def main(n: int, repeats: int) -> None:
    columns = w.trades(n)
    connection = duckdb.connect()
    connection.execute("create table trades as select ts, price, quantity, side::tinyint as side from columns")
    del columns
    w.tell_bars(n, duckdb.__version__, repeats, lambda: connection.sql(QUERY).fetchnumpy())


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
