"""A vocabulary in a few thousand numbers, so that two files of one model can be held against each other.

A model repository often holds its words twice or three times: tokenizer.json, vocab.json or vocab.txt, tokenizer.model,
GGUF. Programs read one of them each. For every 64 words there is a number that depends on their order and one that
does not: where the same words stand in another order somewhere, and nothing else differs, somebody exchanged them.
"""

import base64
import struct
import zlib
from collections.abc import Iterable, Mapping

from modelscan_plus.formats.summaries import VocabularySummary

SPAN = 64
"""Words that share a pair of numbers."""
_MOST = 1 << 20
_MASK = (1 << 64) - 1


class Digest:
    """Takes words in the order of their numbers."""

    def __init__(self) -> None:
        self.count = 0
        self._orders: list[int] = []
        self._sums: list[int] = []

    def add(self, word: bytes) -> None:
        """The next word."""
        if self.count < _MOST:
            place = self.count & (SPAN - 1)
            if not place:
                self._orders.append(0)
                self._sums.append(0)
            value = zlib.crc32(word)
            self._orders[-1] = zlib.crc32(struct.pack("<II", value, place), self._orders[-1])
            self._sums[-1] = (self._sums[-1] + value + (zlib.adler32(word) << 32)) & _MASK
        self.count += 1

    def summary(self) -> VocabularySummary | None:
        """None for too few words to tell anything."""
        full = min(self.count, _MOST) // SPAN
        if full < 4:
            return None
        orders = struct.pack(f"<{full}I", *self._orders[:full])
        sums = struct.pack(f"<{full}Q", *self._sums[:full])
        return VocabularySummary(self.count, base64.b64encode(orders).decode(), base64.b64encode(sums).decode())


def of_words(words: Iterable[str]) -> VocabularySummary | None:
    """The summary of words in the order of their numbers."""
    digest = Digest()
    for word in words:
        digest.add(word.encode("utf-8", "surrogatepass"))
    return digest.summary()


def of_numbers(words: Mapping[str, int]) -> VocabularySummary | None:
    """The same for words that each have a number; numbers without a word count as empty words."""
    if not words or len(words) > _MOST:
        return None
    last = max(words.values())
    if not 0 <= last < 2 * len(words) + 1000:
        return None
    ordered = [""] * (last + 1)
    for word, number in words.items():
        if number >= 0:
            ordered[number] = word
    return of_words(ordered)


def exchanged(one: VocabularySummary, other: VocabularySummary) -> list[tuple[int, int]]:
    """Ranges of numbers (first, last) in which two vocabularies hold the same words in another order; empty for
    vocabularies that are equal, or differ in more than a few words."""
    orders, sums = (_numbers(part, "I") for part in (one.orders, other.orders)), (
        _numbers(part, "Q") for part in (one.sums, other.sums)
    )  # fmt: skip
    (left, right), (left_sums, right_sums) = tuple(orders), tuple(sums)
    both = min(len(left), len(right), len(left_sums), len(right_sums))
    places = [place for place in range(both) if left[place] != right[place]]
    if not 0 < len(places) <= min(24, both // 4):
        return []
    found: set[int] = set()
    for number, place in enumerate(places):
        if left_sums[place] == right_sums[place]:
            found.add(place)
        for second in places[number + 1 :]:
            if place in found or second in found:
                continue
            if (left_sums[place] + left_sums[second] - right_sums[place] - right_sums[second]) & _MASK == 0:
                found |= {place, second}
    return [(place * SPAN, place * SPAN + SPAN - 1) for place in sorted(found)]


def _numbers(held: str, form: str) -> tuple[int, ...]:
    data = base64.b64decode(held)
    width = struct.calcsize(form)
    return struct.unpack(f"<{len(data) // width}{form}", data[: len(data) // width * width])
