"""What a model's weights say about how it came from its base, without running either."""
