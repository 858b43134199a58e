"""A Git LFS pointer: what stands in a checkout where the large file was not fetched.

    version https://git-lfs.github.com/spec/v1 LF
    oid sha256:<64 hex> LF
    size <bytes> LF

Less than 1,024 bytes; keys other than `version` in alphabetical order. Source: the Git LFS specification, "pointer".
"""

import re

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.summaries import DigestList, StatedDigest

_OID = lazy(rb"^oid sha256:([0-9a-f]{64})\r?$", re.MULTILINE)
_SIZE = lazy(rb"^size ([0-9]{1,18})\r?$", re.MULTILINE)


def read_pointer(head: bytes) -> DigestList | None:
    """What the pointer stands for; the name is that of the pointer itself. None when it has no digest and size."""
    oid, size = _OID.search(head), _SIZE.search(head)
    if oid is None or size is None:
        return None
    return DigestList("lfs-pointer", (StatedDigest("", "sha256", oid[1].decode(), int(size[1])),))
