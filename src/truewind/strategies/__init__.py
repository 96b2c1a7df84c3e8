"""Deciding: strategies, their sizing, entries and exits."""
