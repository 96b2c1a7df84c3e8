"""Market data: what users have or the embedded market makes, checked, on its way into the lake."""
