"""The same features bar by bar in talipp, which keeps state as ours does. usage: talipp_features.py BARS REPEATS"""

import json
import sys
from importlib.metadata import version

import talipp.indicators as ta
from talipp.ohlcv import OHLCV

import workload as w


def works(table):
    closes = table["close"].tolist()
    bars = [OHLCV(*row) for row in zip(*(table[n].tolist() for n in ("open", "high", "low", "close", "volume")))]

    def over(make, values):
        def run():
            indicator = make()
            for value in values:
                indicator.add(value)
            return indicator[-1]

        return run

    def all_four():
        sma, ema, rsi, atr = ta.SMA(20), ta.EMA(20), ta.RSI(14), ta.ATR(14)
        for close, bar in zip(closes, bars):
            sma.add(close)
            ema.add(close)
            rsi.add(close)
            atr.add(bar)
        return atr[-1]

    return {
        "sma(20)": over(lambda: ta.SMA(20), closes),
        "ema(20)": over(lambda: ta.EMA(20), closes),
        "rsi(14)": over(lambda: ta.RSI(14), closes),
        "atr(14)": over(lambda: ta.ATR(14), bars),
        "all four": all_four,
    }


if __name__ == "__main__":
    n, repeats = int(sys.argv[1]), int(sys.argv[2])
    print(json.dumps(w.each(works(w.bars(n)), n, version("talipp"), repeats)))
