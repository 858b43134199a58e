"""Outputs: one file per format, each a pure function of the report. An output never computes a verdict."""
