"""Strategies for markets that never close."""
