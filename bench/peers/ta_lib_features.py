"""The same features by TA-Lib's array functions. usage: ta_lib_features.py BARS REPEATS"""

import json
import sys

import talib

import workload as w


def works(table):
    high, low, close = table["high"], table["low"], table["close"]
    return {
        "sma(20)": lambda: talib.SMA(close, 20)[-1],
        "ema(20)": lambda: talib.EMA(close, 20)[-1],
        "rsi(14)": lambda: talib.RSI(close, 14)[-1],
        "atr(14)": lambda: talib.ATR(high, low, close, 14)[-1],
        "macd(12, 26, 9)": lambda: talib.MACD(close, 12, 26, 9)[0][-1],
        "bollinger(20, 2)": lambda: talib.BBANDS(close, 20, 2.0, 2.0)[2][-1],
        "stochastic(14, 3, 3)": lambda: talib.STOCH(high, low, close, 14, 3, 0, 3, 0)[0][-1],
        "adx(14)": lambda: talib.ADX(high, low, close, 14)[-1],
        "highest(20)": lambda: talib.MAX(high, 20)[-1],
        "lowest(20)": lambda: talib.MIN(low, 20)[-1],
        "returns(1)": lambda: talib.ROCP(close, 1)[-1],
        "roc(10)": lambda: talib.ROC(close, 10)[-1],
    }


if __name__ == "__main__":
    n, repeats = int(sys.argv[1]), int(sys.argv[2])
    print(json.dumps(w.each(works(w.bars(n)), n, talib.__version__, repeats)))
