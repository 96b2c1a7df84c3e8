"""What is kept: the lake of market data with its manifests and snapshots, and the append-only journal of runs."""
