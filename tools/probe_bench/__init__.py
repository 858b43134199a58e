"""Benchmarks of the backdoor probes, on zoos that are trained from scratch."""
