"""`make test-all`: run the tests under every supported Python that is installed here.

Each gets an environment of its own under .venvs/. Tests of libraries that are absent there skip with the reason.
"""

import shutil
import subprocess
import sys
from pathlib import Path

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
FOLDER = Path(".venvs")


def interpreters() -> dict[str, str]:
    """Version to path, for each that starts and is what its name says."""
    found: dict[str, str] = {}
    for version in VERSIONS:
        path = shutil.which(f"python{version}")
        if path is None:
            continue
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        done = subprocess.run([path, "-c", code], capture_output=True, text=True, check=False)
        if done.stdout.strip() == version:
            found[version] = path
    return found


def run(version: str, path: str) -> bool:
    """True when the tests pass under this Python."""
    folder = FOLDER / version
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([path, "-m", "venv", str(folder)], check=True)
    subprocess.run([str(python), "-m", "pip", "install", "-q", "-e", ".[all,test]"], check=True)
    return subprocess.run([str(python), "-m", "tools.run_tests"], check=False).returncode == 0


def main() -> int:
    """Exit status 1 when the tests fail under any of them."""
    pythons = interpreters()
    results = {version: run(version, path) for version, path in pythons.items()}
    for version in VERSIONS:
        print(
            f"Python {version}: {'not here' if version not in results else 'passed' if results[version] else 'FAILED'}"
        )
    return 0 if results and all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
