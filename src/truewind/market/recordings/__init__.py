"""Recordings: raw streams of a venue, as somebody stored them, read into rows of one form."""
