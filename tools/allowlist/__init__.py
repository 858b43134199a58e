"""The generator of the allow-list for pickles: `python -m tools.allowlist build`.

It downloads wheels of the libraries whose objects people pickle, several versions of each (sources.toml), reads their
sources as text, never importing them, and decides for every class and function what a pickle may do with it. The
words that decide stand in policy.toml, the reviewed exceptions in modelscan_plus/rules/data/allow_seed.toml.

    fetch.py     wheels into a cache outside the repository; wheel to sources
    symbols.py   one module: its imports, classes and functions
    cython.py    the same for .pyx, by a tolerant reader of lines
    universe.py  names across modules and libraries; method resolution order
    reach.py     what the body of a function reaches: nothing, something unknown, or a side effect
    verdicts.py  class or function to permit
    merge.py     versions and seed to allow.json
"""
