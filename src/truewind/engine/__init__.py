"""The one path: events in, commands and facts out; synchronous, single-threaded, deterministic."""
