"""Running on what comes in now: live feeds into the engine that backtests run, and the audit of it."""
