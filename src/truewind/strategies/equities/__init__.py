"""Strategies for shares."""
