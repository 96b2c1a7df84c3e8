"""Limiting: every new order passes the gate."""
