"""The local exchange: a server that speaks Binance's protocols, fed by the lake or a made market."""
