"""Rules: from facts to findings. All judgement lives here; nothing here parses."""
