"""One small graph representation for every format that carries a computation, and what can be said about its flow."""
