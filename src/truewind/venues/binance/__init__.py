"""Binance: spot (`binance`), USD-M futures (`binance_usdm`) and COIN-M futures (`binance_coinm`)."""
