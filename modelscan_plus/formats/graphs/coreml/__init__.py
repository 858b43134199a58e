"""Core ML: models, programs and their files of weights."""
