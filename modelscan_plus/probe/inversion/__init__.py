"""Trigger inversion: the search that image and tabular classifiers share, and the statistic that judges its costs."""
