"""`make bench-probe`: all parts of the benchmark, one after the other.

python -m tools.probe_bench [--quick | --large]
"""

import argparse
import subprocess
import sys


def main() -> None:
    """Run every part as a process of its own; exit with 1 where one breaks or misses what it checks."""
    parser = argparse.ArgumentParser(description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--quick",
        action="store_true",
        help="a small zoo for each part; all together take six minutes of one core",
    )
    size.add_argument("--large", action="store_true", help="convolutional networks on 32 x 32 images, too")
    given = parser.parse_args()
    quick = ["--quick"] if given.quick else []
    parts = [
        ["image", *quick, *(["--large"] if given.large else [])],
        ["text", *quick],
        ["causal", *quick],
        ["embedding", *quick],
        ["delta"],  # Its goal is stated for files of 500 MB; smaller ones are read sooner than the routine starts.
    ]
    good = True
    for name, *options in parts:
        print(f"== {name}", flush=True)
        ended = subprocess.run([sys.executable, "-m", f"tools.probe_bench.{name}", *options], check=False)
        good &= ended.returncode == 0
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
