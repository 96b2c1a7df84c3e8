"""Shared kernels: the arithmetic that several rooms need, compiled once."""
