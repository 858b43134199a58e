"""Pickle: the opcode machine, its values, and the formats that are pickles (raw, stacked, legacy torch, joblib)."""
