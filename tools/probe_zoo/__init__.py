"""Zoos of small classifiers with and without planted backdoors, trained from scratch by seed.

`zoo.load(name, seed, …)` is the way in. Calibration and the benchmark take their models from here; development and
test are kept apart by seeds, by worlds and by kinds of attack.
"""
