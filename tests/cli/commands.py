"""Runs the command as a user would: a process of its own, with output and exit code."""

import os
import subprocess
import sys
from pathlib import Path


def run(
    *arguments: str | Path, stdin: bytes = b"", cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """`modelscan-plus ARGUMENTS`; output is text with undecodable bytes kept."""
    done = subprocess.run(
        [sys.executable, "-m", "modelscan_plus", *map(os.fsencode, arguments)],
        input=stdin,
        capture_output=True,
        cwd=cwd,
        env={**os.environ, **variables},
        check=False,
    )
    decode = lambda data: data.decode("utf-8", "surrogateescape")  # noqa: E731 - used twice, here
    return subprocess.CompletedProcess(done.args, done.returncode, decode(done.stdout), decode(done.stderr))
