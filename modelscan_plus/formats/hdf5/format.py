"""The HDF5 format: Keras models and weights, PyTables and pandas, MATLAB.

Of the whole file only metadata is read: where the objects stand (reader.py, groups.py), their attributes, and datasets
whose elements are bytes and not numbers (values.py). What stands there and could be JSON, a pickle or another file is
handed on.
"""

from collections.abc import Iterable

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget, BudgetExceeded
from modelscan_plus.formats.hdf5.reader import SIGNATURE, File, Malformed
from modelscan_plus.formats.hdf5.walk import Walk
from modelscan_plus.formats.interface import Format, Parsed, Region, View

_PLACES = (0, 512, 1024, 2048)
"""Where the signature may stand: behind a user block, whose size is a power of two."""


class Hdf5Format(Format):
    """HDF5 files."""

    name = "hdf5"
    title = "HDF5 (Keras .h5, PyTables, MATLAB)"
    extensions = (".h5", ".hdf5", ".hdf", ".he5", ".keras", ".mat", ".nc")
    variants = ("keras-h5", "pytables")
    executable = True
    description = (
        "Superblocks 0 to 3, object headers 1 and 2, old and new groups, attributes in the header and in heaps, also "
        "of variable length. Configurations of Keras (`model_config`, `training_config`, also in several attributes) "
        "are judged as JSON is; texts and bytes in attributes and datasets are looked into for pickles, as PyTables "
        "and pandas unpickle them. Found are links to and data in other files, virtual datasets, links and filters "
        "that need code from elsewhere, and datasets far larger than the file. Numbers are not read, and space that "
        "belongs to no object is not searched. Not read: datasets of bytes behind filters other than deflate, shuffle "
        "and fletcher32 or with newer indexes of chunks, shared message heaps, user blocks above 2,048 bytes. "
        "Loaders: Keras 2 and 3, tf.keras, h5py, PyTables, pandas.read_hdf."
    )

    def claims(self, view: View) -> bool:
        return any(view.head[at : at + 8] == SIGNATURE for at in _PLACES)

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        source = artifact.source
        start = next((at for at in _PLACES if source.pread(at, 8) == SIGNATURE), 0)
        try:
            file = File(source, start, budget)
        except Malformed as fault:
            gap = CoverageReason("malformed", f"the HDF5 file cannot be read: {fault}", executable=True)
            yield Parsed(regions=(Region(start, source.size - start, "structure"),), gaps=(gap,))
            return
        walk = Walk(artifact, file, budget)
        breach: BudgetExceeded | None = None
        try:
            walk.run()
        except BudgetExceeded as error:
            breach = error
        if file.truncated:
            walk.gaps[CoverageReason("malformed", "the file is shorter than it says", executable=True)] = None
        regions = (Region(start, max(0, file.end - start), "structure"),)
        yield Parsed((walk.facts,), regions, walk.nested, tuple(walk.gaps), variant=walk.variant)
        if breach is not None:
            raise breach
