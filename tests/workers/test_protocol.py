"""The words between parent and child: exact for strings of hostile models, strict for hostile children."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan_plus.core.coverage import Coverage, CoverageReason, CoverageState
from modelscan_plus.inspection import FileResult
from modelscan_plus.workers.frames import HEADER, MAX_REPLY, ProtocolError, decode, encode, frame_length
from modelscan_plus.workers.interface import Reply, Task

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()))
"""Lone surrogates included."""


@given(ANY_TEXT, st.integers(0, 1 << 63))
def test_a_task_arrives_as_it_was_sent(name: str, size: int) -> None:
    frame = encode(Task(name, size))
    assert frame_length(frame) == len(frame) - HEADER.size
    assert decode(frame[HEADER.size :], Task) == Task(name, size)


@given(ANY_TEXT)
def test_a_result_arrives_as_it_was_sent(text: str) -> None:
    reason = CoverageReason("unknown-format", text, executable=True)
    reply = Reply(FileResult(("pickle",), Coverage(CoverageState.PARTIAL, (reason,), 7)))
    assert decode(encode(reply)[HEADER.size :], Reply) == reply


@given(st.binary(max_size=200))
def test_any_other_bytes_are_a_protocol_error(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(body, Reply)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b"9" * 100_000,
        b"{}",
        b'{"result": null}',
        b'{"result": {"formats": [], "coverage": {"state": "perfect"}}}',
        b'{"result": {"formats": [], "coverage": {"state": "analysed", "bytes_read": "many"}}}',
        b'{"result": {"formats": [], "coverage": {"state": "analysed"}, "findings": [{"rule": "MSP1001"}]}}',
    ],
    ids=["deep", "long number", "empty", "null", "unknown state", "wrong type", "half a finding"],
)
def test_a_child_cannot_make_the_parent_believe_nonsense(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(body, Reply)


def test_a_frame_too_large_to_hold_is_refused_before_it_is_read() -> None:
    assert frame_length(HEADER.pack(MAX_REPLY)) == MAX_REPLY
    with pytest.raises(ProtocolError):
        frame_length(HEADER.pack(MAX_REPLY + 1))
