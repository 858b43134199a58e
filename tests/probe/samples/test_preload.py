"""After `preload` nothing is imported any more: in the sandbox no file can be opened."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL", reason="Pillow is not installed")

from tests.probe.samples.made import npz, picture

PROGRAM = """
import sys
from pathlib import Path
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.probe.files import ModelFiles
from modelscan_plus.probe.interface import NotProbed
from modelscan_plus.probe.samples import preload, read_images, read_rows, read_texts
preload()
files = {path.name: BytesSource(path.read_bytes()) for path in Path(sys.argv[1]).iterdir()}
before = set(sys.modules)
for name in sorted(files):
    done = 0
    for read in (lambda f: read_images(f, (3, 6, 6)), lambda f: read_rows(f, 3), read_texts):
        try:
            read(ModelFiles({name: files[name]}))
            done += 1
        except NotProbed:
            pass
    print(name, done)
print(sorted(set(sys.modules) - before))
"""


def test_nothing_is_imported_afterwards(tmp_path: Path) -> None:
    pixels = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    for kind in ("PNG", "JPEG", "BMP", "PPM", "WEBP"):
        (tmp_path / f"{kind}.bin").write_bytes(picture(pixels, kind))
    (tmp_path / "a.npz").write_bytes(npz(packed=True, x=np.ones((2, 3, 8, 8)), y=np.array(["a", "b"])))
    (tmp_path / "b.csv").write_text("a,b,c\n1,2,3\n")
    (tmp_path / "c.jsonl").write_text('{"text": "a"}\n')
    (tmp_path / "d.gif").write_bytes(b"GIF89a" + bytes(20))
    run = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=True)
    lines = run.stdout.split("\n")
    # Pictures, an array, a table and a text are read, a broken picture is not.
    counts = dict(line.rsplit(" ", 1) for line in lines[:-2])
    assert all((count != "0") == (name != "d.gif") for name, count in counts.items())
    assert lines[-2] == "[]"
