"""Clean samples that a user gives with --samples: pictures, arrays, tables and texts, read within bounds.

What is not taken ends as `NotProbed` with one plain reason. Importing this imports numpy; `preload` the rest.
"""

from modelscan_plus.probe.samples.read import preload, read_images, read_rows, read_texts
from modelscan_plus.probe.samples.values import Images, Rows, Texts

__all__ = ["Images", "Rows", "Texts", "preload", "read_images", "read_rows", "read_texts"]
