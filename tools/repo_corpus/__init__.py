"""Two corpora of small model repositories, honest and hostile, to measure how often the scanner is right.

Each repository is a dict of files by path, built from texts written here in the manner of what hubs hold. Payloads are
harmless: hosts are documentation names or addresses, commands do nothing. `make bench-repo` scans all of them.
"""

Repository = dict[str, bytes]
