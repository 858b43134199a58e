"""The opcode machine: runs a pickle's bytes on symbols.

It keeps the real stack, marks and memo, so that it sees every import and call that an unpickler would perform, with
byte offsets, and it performs none of them. Where unpicklers differ (C, pure Python, torch's, older Pythons) it
takes the lenient way and notes the place, so that nothing which any reader would run is missed.

It ends at STOP, or where every unpickler gives up: unknown opcode, empty stack, missing memo entry, end of data.
What happened before that is kept: a real unpickler has run it by then.

The loop is written for speed: the ten commonest opcodes stand inline in order of frequency, the rest is
dispatched to methods.
"""

import struct

from modelscan_plus.core.limits import BudgetExceeded
from modelscan_plus.formats.pickle import joblib
from modelscan_plus.formats.pickle.facts import PickleFacts
from modelscan_plus.formats.pickle.opcodes import OPCODES
from modelscan_plus.formats.pickle.operations import DISPATCH, Operations
from modelscan_plus.formats.pickle.state import ENCODED, F8, I4, U2, U4, Fault
from modelscan_plus.formats.pickle.values import Value

_CHECK_EVERY = 1 << 16
_MAX_MARKS = 100_000
_MAX_STACK = 2_000_000
"""Values on the stack at a time; picklers write containers in batches of 1000."""


class Machine(Operations):
    """Runs one pickle that starts at `start`. `joblib_arrays` skips raw arrays as joblib's reader does."""

    def run(self) -> PickleFacts:
        """Run to the end and state what was seen. Never raises."""
        ended = "stop"
        try:
            self._loop()
        except Fault as fault:
            ended = "error"
            self._check_broken_frame()
            self._note(fault.code, self._end, fault.message)
        except BudgetExceeded as breach:
            ended = breach.code
            self._note(breach.code, self._end, breach.message)
        except MemoryError:
            ended = "memory"
        if ended == "memory":  # only here, where the traceback no longer holds what is let go
            self._stack, self._marks, self._dense, self._sparse = [], [], [], {}
            self._note("memory", self._end, "needs more memory than one file is given")
        self.budget.opcodes -= self._opcodes
        return PickleFacts(
            start=self.start,
            end=self._end,
            ended=ended,
            protocol=self._protocol,
            effects=tuple(self._effects),
            anomalies=tuple(self._anomalies),
            result=self._result,
            opcodes=self._opcodes,
            payloads=tuple(self._payloads),
            payloads_omitted=self._payloads_omitted,
            encoded=tuple(self._encoded),
        )

    def _loop(self) -> None:  # noqa: C901 - one loop on purpose: a call per opcode would double its time
        window = self._window
        window.move(0)
        buffer, base = window.buffer, window.base
        safe = len(buffer) - 300
        position = 0
        stack = self._stack
        dense = self._dense
        memo: list[Value] | dict[int, Value] = self._sparse if dense is None else dense
        pairs = 0
        dispatch = DISPATCH
        budget = self.budget
        count = 0
        limit = min(_CHECK_EVERY, budget.opcodes)
        try:
            while True:
                if position > safe and not window.ends:
                    window.move(position)
                    buffer, base = window.buffer, window.base
                    safe = len(buffer) - 300
                    position = 0
                count += 1
                if count > limit:
                    if count > budget.opcodes:
                        raise BudgetExceeded(
                            "budget-opcodes", f"more than {budget.limits.max_opcodes:,} pickle opcodes"
                        )
                    budget.check_time()
                    self._spend(pairs)
                    pairs = 0
                    if len(self._stack) + sum(map(len, self._marks)) > _MAX_STACK:
                        raise BudgetExceeded("budget-objects", f"more than {_MAX_STACK:,} values on the stack")
                    limit = min(limit + _CHECK_EVERY, budget.opcodes)
                opcode = buffer[position]
                if opcode == 0x94:  # MEMOIZE
                    if dense is not None:
                        dense.append(stack[-1])
                    else:
                        memo[len(memo)] = stack[-1]
                    position += 1
                elif opcode == 0x4B:  # BININT1
                    stack.append(buffer[position + 1])
                    position += 2
                elif opcode == 0x68:  # BINGET
                    stack.append(memo[buffer[position + 1]])
                    position += 2
                elif opcode == 0x8C:  # SHORT_BINUNICODE
                    body = position + 2
                    position = body + buffer[position + 1]
                    if position > len(buffer):
                        raise IndexError
                    text = buffer[body:position]
                    if text[:2] in ENCODED:
                        self._note_encoded(text, base + body, position - body)
                    stack.append(text.decode("ascii") if text.isascii() else self._decode(text))
                elif opcode == 0x71:  # BINPUT
                    index = buffer[position + 1]
                    if dense is not None and index == len(dense):
                        dense.append(stack[-1])
                    else:
                        memo = self._put(index)
                        dense = self._dense
                    position += 2
                elif opcode == 0x6A:  # LONG_BINGET
                    stack.append(memo[U4(buffer, position + 1)[0]])
                    position += 5
                elif opcode == 0x72:  # LONG_BINPUT
                    (index,) = U4(buffer, position + 1)
                    if dense is not None and index == len(dense):
                        dense.append(stack[-1])
                    else:
                        memo = self._put(index)
                        dense = self._dense
                    position += 5
                elif opcode == 0x4A:  # BININT
                    stack.append(I4(buffer, position + 1)[0])
                    position += 5
                elif opcode == 0x47:  # BINFLOAT
                    stack.append(F8(buffer, position + 1)[0])
                    position += 9
                elif opcode == 0x4D:  # BININT2
                    stack.append(U2(buffer, position + 1)[0])
                    position += 3
                elif opcode == 0x4E:  # NONE
                    stack.append(None)
                    position += 1
                elif opcode == 0x86:  # TUPLE2
                    right = stack.pop()
                    stack[-1] = (stack[-1], right)
                    pairs += 1
                    position += 1
                elif opcode == 0x28:  # MARK
                    self._marks.append(stack)
                    if len(self._marks) > _MAX_MARKS:
                        raise BudgetExceeded("budget-objects", f"more than {_MAX_MARKS:,} open marks")
                    self._stack = stack = []
                    position += 1
                elif opcode == 0x2E:  # STOP
                    self._result = stack.pop()
                    position += 1
                    self._check_frame(base + position)
                    return
                else:
                    position = dispatch[opcode](self, position)
                    stack = self._stack
                    if dense is not self._dense:
                        dense, memo = None, self._sparse
                    if buffer is not window.buffer:
                        buffer, base = window.buffer, window.base
                        safe = len(buffer) - 300
        except (KeyError, IndexError, struct.error) as error:
            raise _fault_at(buffer, position, error) from None
        finally:
            self._opcodes = count
            self._end = min(base + position, self.source.size)

    def _joblib_array(self, state: Value, position: int) -> int:
        """Step over what joblib's reader takes from the stream here: a raw array, or a pickle of an object array."""
        start = self._here(position)
        layout = joblib.array_layout(state, self.source, start)
        if layout is None:
            self._note("joblib-array", start, "the size of a raw array cannot be read from the stream")
            return position
        if self.array_at is None:
            self.array_at = start
        end = start + layout.skip
        if layout.pickled:
            inner = Machine(self.source, start, self.budget)
            facts = inner.run()
            self.embedded += [*inner.embedded, facts]
            end = facts.end
            if facts.ended != "stop":
                raise Fault("embedded", "the pickle of an object array does not end")
        if end > self.source.size:
            raise Fault("truncated", "the data ends inside a raw array")
        self._frame_end = None
        self._window.move(end - self._window.base)
        return 0


_MEMO_READS = {0x68: 2, 0x6A: 5}
"""BINGET and LONG_BINGET, with their lengths in bytes."""


def _fault_at(buffer: bytes, position: int, error: Exception) -> Fault:
    """What is wrong where the loop met a `LookupError` or ran out of bytes."""
    if position >= len(buffer):
        return Fault("truncated", "the data ends inside the pickle")
    opcode = buffer[position]
    length = _MEMO_READS.get(opcode)
    if length is not None and position + length <= len(buffer):
        index = int.from_bytes(buffer[position + 1 : position + length], "little")
        return Fault("memo-missing", f"reads memo entry {index}, which was never stored")
    if isinstance(error, KeyError):
        return Fault("unknown-opcode", f"byte 0x{opcode:02x} is no pickle opcode")
    if OPCODES[opcode][1]:
        return Fault("truncated", "the data ends inside the pickle")
    return Fault("underflow", "takes more from the stack than is there")
