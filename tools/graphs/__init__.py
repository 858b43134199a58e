"""Real and hostile graphs to measure with: `python -m tools.graphs write DIR`, `python -m tools.graphs bench DIR`."""
