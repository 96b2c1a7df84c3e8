"""Recordings: raw streams of a venue, as somebody stored them, read into one table of order-book events."""
