"""Operator tables."""
