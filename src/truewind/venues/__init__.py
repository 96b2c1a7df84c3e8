"""Venues: what is true of a venue, whoever talks to it. Its instruments, fees, margin tiers and error texts."""
