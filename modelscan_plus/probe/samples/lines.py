"""Tables and texts out of .csv, .tsv, .jsonl and .txt: UTF-8, a sample to a line, columns found by their names."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from modelscan_plus.probe.interface import NotProbed
from modelscan_plus.probe.samples.values import Rows, Texts, class_numbers, finite, quoted, spread

MAX_FILE = 64 << 20
"""Bytes."""
LINE = 1 << 20
"""Bytes of a line of JSON."""
COLUMNS = 20_000
LABELS = ("label", "labels", "class", "target", "y", "category")
"""Names of the column of labels, in any case; the first that there is."""
TEXTS = ("text", "sentence", "content", "review", "document", "body", "comment", "question", "prompt", "input")
_NUMBERED = ("", "index", "unnamed: 0", "id")
"""Columns that number the rows; left out where there is one column more than the model takes."""
_FEATURES = ("features", "x", "values", "row")

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Table:
    """Lines as records; `names` are empty for rows without a header."""

    names: tuple[str, ...]
    records: list[Sequence[Any]]


def read_rows(data: bytes, name: str, features: int) -> Rows:
    """Rows of numbers. Raises `NotProbed`."""
    table = _table(data, name)
    label = _column(table, LABELS)
    kept = [place for place in range(_width(table)) if place != label]
    if len(kept) == features + 1:
        numbering = _column(table, _NUMBERED)
        kept = [place for place in kept if place != numbering]
    if len(kept) != features:
        hint = "" if label is not None else f"; a column of labels is found by a name ({', '.join(LABELS[:4])})"
        raise NotProbed(f"samples: {quoted(name)} has {len(kept)} columns for {features} features{hint}")
    records = [table.records[place] for place in spread(len(table.records), features)]
    try:
        values = np.array([[_number(record[place]) for place in kept] for record in records], dtype=np.float32)
    except (ValueError, TypeError, OverflowError) as error:
        raise NotProbed(f"samples: {quoted(name)} holds something that is not a number") from error
    finite(values, name)
    labels = class_numbers([_label(record[label]) for record in records]) if label is not None else None
    return Rows(values, labels, tuple(table.names[place] for place in kept) if table.names else ())


def read_texts(data: bytes, name: str) -> Texts:
    """Texts with their labels. Raises `NotProbed`."""
    if name.lower().endswith(".txt"):
        lines = [line for line in _decode(data, name).splitlines() if line.strip()]
        return Texts(tuple(lines[place] for place in spread(len(lines))))
    table = _table(data, name)
    place = _column(table, TEXTS)
    label = _column(table, LABELS)
    others = [other for other in range(_width(table)) if other != label]
    if place is None and len(others) == 1:
        place = others[0]
    if place is None:
        raise NotProbed(f"samples: no column of {quoted(name)} is called text or sentence")
    records = [table.records[kept] for kept in spread(len(table.records))]
    texts = tuple(record[place] for record in records)
    if not all(isinstance(text, str) for text in texts):
        raise NotProbed(f"samples: the texts of {quoted(name)} are not all texts")
    return Texts(texts, tuple(_label(record[label]) for record in records) if label is not None else None)


def _table(data: bytes, name: str) -> _Table:
    lower = name.lower()
    table = _json(data, name) if lower.endswith((".jsonl", ".ndjson", ".json")) else _csv(_decode(data, name), name)
    if not table.records:
        raise NotProbed(f"samples: {quoted(name)} is empty")
    return table


def _decode(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotProbed(f"samples: {quoted(name)} is not UTF-8") from error


def _csv(text: str, name: str) -> _Table:
    """Comma, semicolon or tab, whichever the first line has most of. A first line without a number is the header."""
    first = text[: text.find("\n")] if "\n" in text else text
    mark = max(",;\t", key=first.count)
    records: list[Sequence[Any]] = []
    try:
        for record in csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True):
            if not record:
                continue
            if len(record) > COLUMNS or (records and len(record) != len(records[0])):
                raise NotProbed(f"samples: line {len(records) + 1:,} of {quoted(name)} has {len(record):,} fields")
            records.append(record)
    except csv.Error as error:
        raise NotProbed(f"samples: {quoted(name)} is not a table of fields that can be read") from error
    header = records and not any(_is_number(field) for field in records[0])
    return _Table(tuple(records[0]), records[1:]) if header else _Table((), records)


def _json(data: bytes, name: str) -> _Table:
    """Objects with the same keys, or lists of numbers; an object may hold its features as one list."""
    names: tuple[str, ...] | None = None
    records: list[Sequence[Any]] = []
    for number, value in enumerate(_objects(data, name), 1):
        record = _flat(value) if isinstance(value, dict) else value
        keys = tuple(record) if isinstance(record, dict) else ()
        fields = list(record.values()) if isinstance(record, dict) else record
        if names is None:
            names = keys
        if isinstance(record, dict) and keys != names and set(keys) == set(names):
            fields = [record[key] for key in names]
        elif keys != names:
            raise NotProbed(f"samples: line {number:,} of {quoted(name)} has other keys than the first")
        if not isinstance(fields, list) or len(fields) > COLUMNS or (records and len(fields) != len(records[0])):
            raise NotProbed(f"samples: line {number:,} of {quoted(name)} is not a sample like the first")
        records.append(fields)
    return _Table(names or (), records)


def _objects(data: bytes, name: str) -> Iterator[Any]:
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        if len(line) > LINE:
            raise NotProbed(f"samples: line {number:,} of {quoted(name)} is longer than {LINE:,} bytes")
        try:
            yield msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError, ValueError) as error:
            raise NotProbed(f"samples: line {number:,} of {quoted(name)} is not JSON") from error


def _flat(record: Record) -> Record:
    """A record whose features stand in one list, with a column for each."""
    for key in record:
        value = record[key]
        if key.lower() in _FEATURES and isinstance(value, list):
            rest = {other: record[other] for other in record if other != key}
            return {**{f"{key}{place}": number for place, number in enumerate(value)}, **rest}
    return record


def _column(table: _Table, names: Sequence[str]) -> int | None:
    lower = [name.strip().lower() for name in table.names]
    return next((lower.index(name) for name in names if name in lower), None)


def _width(table: _Table) -> int:
    return len(table.records[0])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(value: Any) -> float:
    if isinstance(value, (str, int, float)):
        return float(value)
    raise TypeError


def _label(value: Any) -> str:
    if isinstance(value, (str, int, float)):
        return str(value)
    raise NotProbed("samples: a label is neither a name nor a number")
