"""The simulated venue: compiled matching, costs and latency, the same for backtest and paper."""
