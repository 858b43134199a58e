"""The words of a GGUF file and their merges, as they go by: whether the merges make them in the order of their numbers,
and a digest to hold against the other tokenizers of the model.
"""

from collections.abc import Callable, Iterator, Mapping

from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.summaries import VocabularySummary
from modelscan_plus.formats.tensors.gguf_reader import MERGES, WORDS
from modelscan_plus.formats.text.tokenizing import moved
from modelscan_plus.formats.text.vocabularies import Digest

_MOST = 1 << 20


class Words:
    """What is kept of a vocabulary."""

    def __init__(self) -> None:
        self._digest = Digest()
        self._numbers: dict[str, int] = {}
        self._merges: list[str] = []

    def takers(self) -> Mapping[str, Callable[[bytes], None]]:
        """For the keys of words and merges, what takes each."""
        return {WORDS: self._word, MERGES: self._merge}

    def _word(self, word: bytes) -> None:
        if self._digest.count < _MOST:
            self._numbers.setdefault(word.decode("utf-8", "replace"), self._digest.count)
        self._digest.add(word)

    def _merge(self, merge: bytes) -> None:
        if len(self._merges) < _MOST:
            self._merges.append(merge.decode("utf-8", "replace"))

    def exchanged(self) -> str:
        """Words under each other's numbers, "" for none."""
        return shorten(visible(", ".join(moved(self._numbers, self._merges))), 120)

    def summaries(self) -> Iterator[VocabularySummary]:
        """The digest, where there are words enough."""
        if summary := self._digest.summary():
            yield summary
