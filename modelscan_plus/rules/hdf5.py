"""HDF5 files: what leads out of them, what needs code from elsewhere, and what is larger than it is."""

from collections.abc import Iterator

from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.core.text import human_bytes
from modelscan_plus.formats.hdf5.facts import Hdf5Facts, Outside
from modelscan_plus.rules.interface import Context, Rule, judges

_LINKS = "https://docs.hdfgroup.org/documentation/hdf5/latest/_h5_l__u_g.html"
OTHER_FILES = Rule(
    id="MSP3120",
    slug="hdf5-reads-other-files",
    title="The HDF5 file reads parts of other files",
    severity=Severity.HIGH,
    why=(
        "External links, raw data in other files and virtual datasets make a reader open whatever path the file names, "
        "with the rights of the user. Weights that are saved or sent on afterwards hold a local file's content, and "
        "Keras opened such paths from untrusted models (CVE-2026-1669). Models keep their weights in themselves."
    ),
    fix="Do not load the file. Ask for weights that are whole.",
    bad='f["w"] = h5py.ExternalLink("/etc/passwd", "/")',
    good='f["w"] = numpy.zeros((2, 2))',
    cwe=("CWE-73", "CWE-610"),
    references=(_LINKS, "https://nvd.nist.gov/vuln/detail/CVE-2026-1669"),
)
FOREIGN_CODE = Rule(
    id="MSP3121",
    slug="hdf5-needs-plugin",
    title="The HDF5 file needs code that HDF5 does not bring",
    severity=Severity.LOW,
    why=(
        "For a filter that it does not know HDF5 loads a library from the folders of HDF5_PLUGIN_PATH. Compressors "
        "such as Blosc are usual with PyTables. What the data is cannot be seen without them."
    ),
    fix="Save the file again without the filter, or set no plugin path for readers of foreign files.",
    bad='create_dataset("w", data=x, compression=40000)',
    good='create_dataset("w", data=x, compression="gzip")',
    cwe=("CWE-829",),
    references=("https://github.com/HDFGroup/hdf5_plugins",),
)
BOMB = Rule(
    id="MSP3122",
    slug="hdf5-shape-bomb",
    title="A dataset of the HDF5 file is far larger than the file",
    severity=Severity.MEDIUM,
    why=(
        "A loader takes memory for what the shape says, not for what is stored. A few bytes can so take all memory of "
        "a machine (CVE-2026-0897)."
    ),
    fix="Do not load the file where other work runs.",
    bad="shape (1000000, 1000000) in a file of 2 kB",
    good="shape (1000, 1000) in a file of 4 MB",
    cwe=("CWE-789",),
    references=("https://nvd.nist.gov/vuln/detail/CVE-2026-0897",),
)
_USUAL = frozenset((305, 307, *range(32000, 32040)))
"""Compressors that are registered with the HDF Group and in use: LZO, bzip2, LZF, Blosc, LZ4, Zstandard, …"""
_WHAT = {
    "external-link": "a link leads into another file",
    "external-data": "its data stands in another file",
    "virtual": "it is put together from other files",
    "user-link": "a link is of an application's own kind",
    "filter": "its data is behind a filter that HDF5 does not know",
}


@judges(Hdf5Facts)
def outside(facts: Hdf5Facts, context: Context) -> Iterator[Finding]:
    """One finding for each place that leads out."""
    for place in facts.outside:
        rule, severity = _graded(place)
        yield context.finding(
            rule,
            f"{place.path}: {_WHAT[place.kind]}: {place.target}.",
            TextEvidence(f"{place.path} → {place.target}"),
            subject=f"{place.kind}\0{place.path}\0{place.target}",
            severity=severity,
        )


def _graded(place: Outside) -> tuple[Rule, Severity]:
    if place.kind == "filter":
        return FOREIGN_CODE, Severity.LOW if int(place.target) in _USUAL else Severity.MEDIUM
    if place.kind == "user-link":
        return FOREIGN_CODE, Severity.MEDIUM
    return OTHER_FILES, Severity.HIGH


@judges(Hdf5Facts)
def bombs(facts: Hdf5Facts, context: Context) -> Iterator[Finding]:
    """One finding for each dataset."""
    for bomb in facts.bombs:
        shape = " × ".join(f"{size:,}" for size in bomb.shape)
        yield context.finding(
            BOMB,
            f"{bomb.path} has the shape {shape}, {human_bytes(bomb.bytes_needed)} in a file of "
            f"{human_bytes(bomb.bytes_stored)}.",
            TextEvidence(shape),
            subject=bomb.path,
        )
