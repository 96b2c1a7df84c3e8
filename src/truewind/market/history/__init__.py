"""History: what sources still give of the past, brought into the lake. One file a source, one job for all of them."""
