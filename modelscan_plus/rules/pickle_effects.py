"""The effects of one pickle, judged one by one: which of them need a finding, and why."""

import enum

import msgspec

from modelscan_plus.core.finding import Severity
from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.pickle import render
from modelscan_plus.formats.pickle.facts import Effect, PickleFacts
from modelscan_plus.formats.pickle.values import COMPUTED, Call, Global, Items, PersistentId, Value, sequence, text_of
from modelscan_plus.formats.stdlib import STDLIB
from modelscan_plus.rules.acting_states import evaluated_text, judge_state
from modelscan_plus.rules.allowlist import Permit, is_listed_library
from modelscan_plus.rules.callables import Known, Standing, known, spoken
from modelscan_plus.rules.dtypes import is_dtype, judge_dtype
from modelscan_plus.rules.guards import judge_arguments, judge_cost
from modelscan_plus.rules.pickle_functions import only_computes
from modelscan_plus.rules.pickle_states import (
    IMITATIONS,
    OVERRIDABLE,
    RECONSTRUCTORS,
    SETTERS,
    SHARED,
    made_by,
    made_of,
    state_of,
)

_CLASS = lazy(r"(?:[A-Z][A-Za-z0-9]*\.)?[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*")
_ACTS = lazy(
    r"Popen|Process|Shell|Command|Exec|Run|Thread|Client|Server|Connection|Session|Socket|Channel|Api|Loader|Reader|Writer|"
    r"Open|File|Path|Repo|Driver|Browser|Console|Interpreter|Engine|Import|Download|Script|Library|Module|Dll|Daemon|Job|Task"
    r"Runner|Pool|Worker|Database|Store|Cache|Dataset|Model|Pipeline|Tokenizer|Processor"
)
"""Parts of names of classes that act when they are made, whatever little they are given."""
_WORD = lazy(r"[A-Za-z][A-Za-z_]{0,39}")
_KEPT = 5
"""Judgements kept per concern and subject; the rest is counted."""
_CALLS = frozenset({"REDUCE", "OBJ", "INST"})
_REBUILDS = frozenset({"NEWOBJ", "NEWOBJ_EX"})
_VALUE_TYPES = frozenset("slice range complex int float str bytes tuple list dict set frozenset bool object".split())
"""Types that dill loads by name and that keep what they are called with."""
_SHAPED = frozenset({"ndarray", "recarray", "matrix", "chararray", "memmap"})
"""Classes whose __new__ allocates or opens what its arguments say."""


class Concern(enum.Enum):
    """What is wrong with an effect; rules/pickle.py has the rule for each."""

    DANGEROUS_CALL = enum.auto()
    LIBRARY_CALL = enum.auto()
    FOREIGN_CALL = enum.auto()
    UNVETTED_CLASS = enum.auto()
    DANGEROUS_IMPORT = enum.auto()
    COMPUTED_CALL = enum.auto()
    PATCH = enum.auto()
    EXTENSION = enum.auto()
    DANGEROUS_ARGUMENT = enum.auto()
    UNVETTED_IMPORT = enum.auto()
    IMPOSSIBLE_NAME = enum.auto()


class Judgement(msgspec.Struct, frozen=True):
    """One effect that needs a finding."""

    concern: Concern
    effect: Effect
    subject: str
    """"module:name" of what the finding is about; a policy's `[pickle] allow` vouches for exactly this."""
    message: str
    severity: Severity | None = None
    """Where it differs from the rule's."""
    repeats: int = 1


def judge_effects(facts: PickleFacts) -> list[Judgement]:
    """Every concern about the pickle, in the order of its effects; repeats of one subject are folded."""
    judge = _Judge()
    if only_computes(facts.effects):
        message = "makes a function of bytecode that uses no names: it computes with what it is given"
        subject = "cloudpickle.cloudpickle:_make_function"
        return [Judgement(Concern.UNVETTED_CLASS, facts.effects[0], subject, message)]
    for effect in facts.effects:
        if isinstance(effect, Call):
            judge.call(effect)
    for effect in facts.effects:
        if isinstance(effect, Global):
            judge.imported(effect)
    return sorted(judge.judgements.values(), key=lambda judgement: judgement.effect.offset)


class _Judge:
    def __init__(self) -> None:
        self.judgements: dict[tuple[Concern, str, int], Judgement] = {}
        self.settled: set[int] = set()
        """Ids of globals about whose use everything is said; their import is no news."""
        self.handed: dict[int, Call] = {}
        """Ids of globals that are an argument of a call, with that call."""
        self.overridden: dict[int, dict[str, Value]] = {}
        """Ids of rebuilt objects whose state puts something in place of a method that opcodes call."""

    def _add(
        self, concern: Concern, effect: Effect, subject: str, message: str, severity: Severity | None = None
    ) -> None:
        for slot in range(_KEPT):
            known_already = self.judgements.get((concern, subject, slot))
            if known_already is None:
                self.judgements[concern, subject, slot] = Judgement(concern, effect, subject, message, severity)
                return
            if known_already.message == message or slot == _KEPT - 1:
                repeats = known_already.repeats + 1
                self.judgements[concern, subject, slot] = msgspec.structs.replace(known_already, repeats=repeats)
                return

    # -- imports -----------------------------------------------------------------------------------------------

    def imported(self, effect: Global) -> None:
        """A name that is imported; what calls make of it was judged before."""
        status = known(effect.module, effect.name)
        subject, shown = _subject(effect), visible(shorten(spoken(effect.module, effect.name), 120))
        if effect.opcode.startswith("EXT") and effect.module == "copyreg extension":
            self._add(
                Concern.EXTENSION,
                effect,
                subject,
                f"uses extension code {effect.name}, whose meaning is not in the file",
            )
        elif effect.module == COMPUTED:
            if id(effect) not in self.settled:
                message = "imports a name that the pickle puts together at run time"
                self._add(Concern.COMPUTED_CALL, effect, COMPUTED, message)
        elif id(effect) in self.settled or status.standing is Standing.PERMITTED:
            return
        elif status.standing is Standing.IMPOSSIBLE:
            message = f"imports {shown}, a name that cannot exist"
            self._add(Concern.IMPOSSIBLE_NAME, effect, subject, message)
        elif status.standing is Standing.DANGEROUS:
            self._dangerous_import(effect, status, subject, shown)
        elif "__main__" in effect.module.split(".")[1:]:
            self._add(Concern.DANGEROUS_IMPORT, effect, subject, f"imports {shown}, and importing it runs a program")
        else:
            package = effect.module.partition(".")[0]
            origin = "the standard library" if status.standing is Standing.STDLIB else f"package {visible(package)}"
            self._add(
                Concern.UNVETTED_IMPORT, effect, subject, f"imports {shown} from {origin} and keeps a reference to it"
            )

    def _dangerous_import(self, effect: Global, status: Known, subject: str, shown: str) -> None:
        if "__main__" in effect.module.split(".")[1:]:
            self._add(Concern.DANGEROUS_IMPORT, effect, subject, f"imports {shown}, and importing it runs a program")
            return
        taker = self.handed.get(id(effect))
        if taker is not None and status.exact:
            message = f"hands {shown} to {_callee(taker)}: it {status.does}"
            self._add(Concern.DANGEROUS_CALL, taker, subject, message)
        else:
            severity = None if status.exact or status.crosses or _in_stdlib(effect) else Severity.MEDIUM
            message = f"imports {shown}, which {status.does} when called"
            self._add(Concern.DANGEROUS_IMPORT, effect, subject, message, severity)

    # -- calls -------------------------------------------------------------------------------------------------

    def call(self, call: Call) -> None:
        """One call, rebuild, state or item transfer."""
        for argument in _globals_in(call.arguments):
            self.handed.setdefault(id(argument), call)
        function = call.function
        if call.opcode in _CALLS or call.opcode in _REBUILDS:
            if isinstance(function, Global):
                self._call_global(call, function)
            elif isinstance(function, Call):
                self._call_computed(call, function)
            elif isinstance(function, PersistentId):
                self._add(
                    Concern.COMPUTED_CALL,
                    call,
                    "persistent-id",
                    "calls an object that the loader supplies by persistent id",
                )
        elif isinstance(function, Global):
            self._patch(call, function)
        elif isinstance(function, Call):
            self._method(call, function)

    def _method(self, call: Call, target: Call) -> None:
        """BUILD, APPEND and the like on an object of the pickle's own: they look their method up on the object."""
        own = self.overridden.get(id(target), {})
        method = next((name for name in SETTERS.get(call.opcode, ()) if name in own), None)
        if method is not None:
            shown = shorten(render.value(own[method]), 80)
            arguments = shorten(render.value(call.arguments), 80)
            message = f"calls {shown} in place of an object's own {method}, with {arguments}"
            self._add(Concern.COMPUTED_CALL, call, f"{method}()", message)
        function = target.function
        if isinstance(function, Global) and (_canonical(function.module), function.name) in SHARED:
            what = f"{visible(function.dotted)}({shorten(render.arguments(target), 80)})"
            message = f"changes what {what} gives, which the whole process shares"
            self._add(Concern.PATCH, call, _subject(function), message)
        if call.opcode == "BUILD":
            attributes, slots = state_of(call.arguments)
            self._class_state(call, target, attributes)
            self._attributes(call, target, attributes, slots)

    def _class_state(self, call: Call, target: Call, attributes: dict[str, Value]) -> None:
        """Classes whose __setstate__ acts on what it is given."""
        made = made_by(target)
        if is_dtype(made):
            problem = judge_dtype(made_of(target), call.arguments)
            if problem is not None:
                message = f"rebuilds a numpy dtype that {problem}"
                self._add(Concern.DANGEROUS_ARGUMENT, call, "numpy:dtype", message)
        elif isinstance(made, Global):
            readable = isinstance(call.arguments, Items | tuple) or bool(attributes)
            problem = judge_state(made.module, made.name, attributes if readable else None)
            if problem is not None:
                message = f"rebuilds {visible(made.dotted)}, which {problem}"
                self._add(Concern.DANGEROUS_ARGUMENT, call, _subject(made), message, Severity.CRITICAL)

    def _attributes(self, call: Call, target: Call, attributes: dict[str, Value], slots: dict[str, Value]) -> None:
        """Attributes that take the place of the object's class or of a method that opcodes and containers call."""
        for name, value in slots.items():
            if name.startswith("__") and name.endswith("__") and name != "__dict__":
                shown = shorten(render.value(value), 80)
                self._add(Concern.PATCH, call, name, f"sets {name} of an object to {shown}")
        for name, value in (*attributes.items(), *slots.items()):
            if name in OVERRIDABLE and isinstance(value, Global | Call | PersistentId):
                self.overridden.setdefault(id(target), {})[name] = value
                if name == "__setstate__" or _unvouched(value):
                    # Whoever appends to the object calls it: an opcode, or a container that hands the item on.
                    message = f"puts {shorten(render.value(value), 80)} in place of an object's own {name}"
                    self._add(Concern.PATCH, call, name, message)

    def _call_global(self, call: Call, function: Global) -> None:
        made = made_by(call)
        if isinstance(made, Global) and made.module.partition(".")[0] == "sympy":
            text = evaluated_text(call.arguments)
            if text is not None:
                message = f"hands {visible(made.dotted)} the text {shorten(text, 80)!r}, which sympy evaluates as code"
                self._add(Concern.DANGEROUS_ARGUMENT, call, _subject(made), message, Severity.CRITICAL)
        if function.module == COMPUTED:
            self._settle(function)
            self._add(Concern.COMPUTED_CALL, call, COMPUTED, "calls a name that the pickle puts together at run time")
            return
        status = known(function.module, function.name)
        subject, shown = _subject(function), visible(shorten(spoken(function.module, function.name), 120))
        rebuild = call.opcode in _REBUILDS
        text = f"{shown}({shorten(render.arguments(call), 160)})"
        if function.name == "add_extension":
            self._settle(function)
            self._add(Concern.EXTENSION, call, subject, f"registers an extension code: {text}")
        elif status.standing is Standing.DANGEROUS:
            self._settle(function)
            concern = Concern.COMPUTED_CALL if status.crosses and not status.exact else Concern.DANGEROUS_CALL
            severity = Severity.HIGH if rebuild else Severity.CRITICAL
            self._add(concern, call, subject, f"calls {text}: it {status.does}", severity)
        elif status.standing is Standing.IMPOSSIBLE:
            return
        elif status.standing is Standing.PERMITTED:
            self._call_permitted(call, function, status, text)
        elif rebuild and status.standing is Standing.STDLIB:
            # For types in C this is the constructor: map.__new__(map, f, items) holds f and calls it when walked.
            self._settle(function)
            message = f"makes an object by {text} of the standard library, which is not known to be harmless"
            self._add(Concern.LIBRARY_CALL, call, subject, message)
        elif rebuild:
            self._settle(function)
            self._add(Concern.UNVETTED_CLASS, call, subject, f"rebuilds an object of {shown}")
        else:
            self._settle(function)
            self._unlisted(call, function, status, text)

    def _unlisted(self, call: Call, function: Global, status: Known, text: str) -> None:
        subject = _subject(function)
        package = visible(function.module.partition(".")[0])
        if status.standing is Standing.STDLIB:
            message = f"calls {text} of the standard library, which is not known to be harmless"
            self._add(Concern.LIBRARY_CALL, call, subject, message)
        elif is_listed_library(function.module):
            message = f"calls {text} of {package}, which is not known to be harmless"
            self._add(Concern.LIBRARY_CALL, call, subject, message)
        elif _is_member(function, call):
            message = f"rebuilds {text}, as members of an enumeration are"
            self._add(Concern.UNVETTED_CLASS, call, subject, message)
        else:
            self._add(Concern.FOREIGN_CALL, call, subject, f"calls {text}: runs code from package {package}")

    def _call_permitted(self, call: Call, function: Global, status: Known, text: str) -> None:
        subject, shown = _subject(function), visible(function.dotted)
        rebuild = call.opcode in _REBUILDS
        if status.permit & Permit.GUARDED and (
            not rebuild or function.name in _SHAPED or not status.permit & Permit.REBUILD
        ):
            problem = judge_arguments(function.module, function.name, call.arguments, call.keywords)
            if problem is not None:
                self._add(Concern.DANGEROUS_ARGUMENT, call, subject, f"calls {text} with arguments that {problem}")
            elif function.name in RECONSTRUCTORS:
                self._reconstructed(call)
        elif status.permit & Permit.CALL or (rebuild and status.permit & Permit.REBUILD):
            problem = None if rebuild else judge_cost(function.module, function.name, call.arguments)
            if problem is None and not rebuild and _in_stdlib(function) and _imitates(call.arguments):
                problem = "stand for an object that it calls methods of"
            if problem is not None:
                self._add(Concern.DANGEROUS_ARGUMENT, call, subject, f"calls {text} with arguments that {problem}")
        elif rebuild and _in_stdlib(function):
            message = f"makes an object by {text}, which is not known to be harmless when called"
            self._add(Concern.LIBRARY_CALL, call, subject, message)
        elif rebuild:
            self._add(Concern.UNVETTED_CLASS, call, subject, f"rebuilds an object of {shown}, which is no plain value")
        else:
            self._add(
                Concern.LIBRARY_CALL, call, subject, f"calls {text}, which is not known to be harmless when called"
            )

    def _reconstructed(self, call: Call) -> None:
        """copyreg._reconstructor(cls, base, state): a rebuild of `cls` in the clothes of a call."""
        arguments = sequence(call.arguments)
        target = arguments[0] if arguments else None
        if isinstance(target, Global) and known(target.module, target.name).standing in (
            Standing.UNKNOWN,
            Standing.STDLIB,
        ):
            self._settle(target)
            shown = visible(shorten(target.dotted, 120))
            self._add(Concern.UNVETTED_CLASS, call, _subject(target), f"rebuilds an object of {shown}")

    def _call_computed(self, call: Call, function: Call) -> None:
        origin = resolve(function)
        arguments = shorten(render.arguments(call), 160)
        status = known(*origin) if origin else None
        if status is not None and status.standing is Standing.DANGEROUS:
            subject = f"{status.module}:{status.name}"
            shown = f"{visible(status.module)}.{visible(status.name)}"
            message = f"calls {shown}({arguments}), looked up at run time: it {status.does}"
            self._add(Concern.COMPUTED_CALL, call, subject, message, Severity.CRITICAL)
        elif status is not None and "." in status.name and status.permit & (Permit.CALL | Permit.GUARDED):
            shown = f"{visible(status.module)}.{visible(status.name)}"
            problem = judge_arguments(status.module, status.name, call.arguments, call.keywords)
            if problem is not None:
                message = f"calls {shown}({arguments}) with arguments that {problem}"
                self._add(Concern.DANGEROUS_ARGUMENT, call, f"{status.module}:{status.name}", message)
        elif _type_by_name(function) in _VALUE_TYPES:
            return
        else:
            inner = function.function
            subject = f"{_subject(inner)}()" if isinstance(inner, Global) else "computed"
            message = (
                f"calls the result of {_callee(function)}({shorten(render.arguments(function), 80)}) with ({arguments})"
            )
            self._add(Concern.COMPUTED_CALL, call, subject, message)

    def _patch(self, call: Call, target: Global) -> None:
        self._settle(target)
        shown = visible(shorten(target.dotted, 120))
        state = shorten(render.value(call.arguments), 160)
        what = f"sets the state of {shown}" if call.opcode == "BUILD" else f"puts items into {shown}"
        severity = Severity.CRITICAL if known(target.module, target.name).standing is Standing.DANGEROUS else None
        self._add(Concern.PATCH, call, _subject(target), f"{what}, which it imported: {state}", severity)

    def _settle(self, function: Global) -> None:
        self.settled.add(id(function))


def _type_by_name(call: Call) -> str | None:
    """The name that dill's _load_type looks up in the module types, where `call` is one of it."""
    function, arguments = call.function, sequence(call.arguments)
    if not isinstance(function, Global) or function.name != "_load_type" or not arguments:
        return None
    return text_of(arguments[0]) if function.module in ("dill._dill", "dill.dill") else None


def _is_member(function: Global, call: Call) -> bool:
    """True for `Class(3)` and `Class("step")`: so pickle writes a member of an enumeration."""
    arguments = sequence(call.arguments) or []
    if len(arguments) != 1 or call.keywords is not None or not _CLASS.fullmatch(function.name):
        return False
    value = arguments[0]
    if _ACTS.search(function.name):
        return False
    return (isinstance(value, int) and abs(value) < 1 << 31) or (
        isinstance(value, str) and _WORD.fullmatch(value) is not None
    )


def _imitates(arguments: Value) -> bool:
    """True when an argument is an object whose attributes can be anything."""
    made = [made_by(item) for item in sequence(arguments) or () if isinstance(item, Call)]
    return any(isinstance(cls, Global) and (cls.module, cls.name) in IMITATIONS for cls in made)


def _canonical(module: str) -> str:
    return "builtins" if module == "__builtin__" else module


def _unvouched(value: Value) -> bool:
    """True for a callable that is not on the allow-list, or that is computed."""
    if isinstance(value, Global):
        return known(value.module, value.name).standing is not Standing.PERMITTED
    return isinstance(value, Call) and value.opcode in _CALLS


def resolve(call: Call) -> tuple[str, str] | None:
    """The (module, name) that a look-up such as getattr(module.x, "name") or import_module("os") leads to."""
    function, arguments = call.function, sequence(call.arguments)
    if not isinstance(function, Global) or not arguments:
        return None
    first = arguments[0]
    name = text_of(arguments[1]) if len(arguments) > 1 else None
    if function.name == "getattr" and name is not None:
        if isinstance(first, Global):
            return first.module, f"{first.name}.{name}"
        module = _imported_module(first)
        return (module, name) if module else None
    if function.name in ("attrgetter", "methodcaller", "partial") and isinstance(first, Global):
        return first.module, first.name
    path = text_of(first)
    if function.name == "resolve_name" and path:
        module, _, attribute = path.replace(":", ".").rpartition(".")
        return module, attribute
    return None


def _imported_module(value: Value) -> str | None:
    """The module that `value` is the import of, where that can be read."""
    if not isinstance(value, Call) or not isinstance(value.function, Global):
        return None
    arguments = sequence(value.arguments)
    if value.function.name in ("import_module", "__import__", "subimport", "_import_module") and arguments:
        return text_of(arguments[0])
    return None


def _globals_in(value: Value, depth: int = 3) -> list[Global]:
    if isinstance(value, Global):
        return [value]
    items = value if isinstance(value, tuple) else value.items or () if isinstance(value, Items) else ()
    if not depth or not items:
        return []
    return [found for item in items for found in _globals_in(item, depth - 1)]


def _in_stdlib(effect: Global) -> bool:
    return effect.module.partition(".")[0] in STDLIB


def _subject(function: Global) -> str:
    return f"{function.module}:{function.name}"


def _callee(call: Call) -> str:
    return visible(shorten(call.function.dotted, 120)) if isinstance(call.function, Global) else "a computed callable"
