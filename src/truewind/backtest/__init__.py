"""Backtest: the engine on a replay of the lake, and the folder that a run leaves behind."""
