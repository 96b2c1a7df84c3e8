"""Strategies for markets that have hours: currencies and indices."""
