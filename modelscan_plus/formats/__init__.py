"""Formats: from bytes to facts. A format declares what it claims and parses it; it never judges.

Adding one is a file here, an entry in `registry.py`, rules in `rules/`, samples in `fixtures/make/`.
"""
