"""Symbolic execution of TorchScript code: each call of an operator becomes a node, all else is known or followed.

Functions and methods of the archive are executed where they are called; both sides of an `if` on something that only
running would tell are executed and joined by a `phi`, the body of a loop twice. An operator that changes its first
argument in place (its name ends in an underscore) gives that argument a new value, and so the tensor that it is a
view of. All of it draws on one budget of nodes and of statements.
"""

import ast
import math
from collections.abc import Mapping, Sequence

from modelscan_plus.formats.graphs.torchscript import TorchScriptFacts
from modelscan_plus.graph.ir import Const, Graph, Number
from modelscan_plus.graph.torchscript.arithmetic import FOLDED, binary, known, unary
from modelscan_plus.graph.torchscript.containers import container_operator, item_of
from modelscan_plus.graph.torchscript.operators import call
from modelscan_plus.graph.torchscript.signature import Given, called, give_ranks, named_fields
from modelscan_plus.graph.torchscript.values import Function, Loader, Module, Opaque, Ref
from modelscan_plus.graph.torchscript.writer import NODES, Full, Writer, refs

STATEMENTS = 300_000
_DEPTH = 80
_UNROLLED = 8
"""Turns of a loop of known length that are executed one by one."""
_METHODS = 20
_VIEWS = frozenset(
    """slice select narrow view reshape expand squeeze unsqueeze transpose permute t flatten detach alias
    expand_as""".split()
)
Environment = dict[str, object]


def lower(facts: TorchScriptFacts) -> list[Graph]:
    """A graph for each method of the module that is no part of another one."""
    root = Loader(facts.storages, "data").load(facts.data)
    constants = Loader(facts.storages, "constants").load(facts.constants)
    example = Loader(facts.storages, "traced_inputs").load(facts.example)
    classes: dict[str, ast.ClassDef] = {}
    functions: dict[str, ast.FunctionDef] = {}
    for file in facts.code:
        for item in file.tree.body:
            if isinstance(item, ast.ClassDef):
                classes[f"{file.module}.{item.name}"] = item
            elif isinstance(item, ast.FunctionDef):
                functions[f"{file.module}.{item.name}"] = item
    if not isinstance(root, Module) or root.kind not in classes:
        return [Graph(truncated="the module's class is not in the code")]
    methods = {item.name: item for item in classes[root.kind].body if isinstance(item, ast.FunctionDef)}
    names = ["forward"] if "forward" in methods else []
    inner = called(methods, "forward")
    names += [name for name in methods if name not in names and name not in inner and not name.startswith("__")]
    graphs = []
    for name in names[:_METHODS]:
        lowering = _Lowering(classes, functions, constants if isinstance(constants, list) else [])
        shapes = example.get(name) if isinstance(example, dict) else example if name == "forward" else None
        graphs.append(lowering.run(root, methods[name], shapes))
    return graphs


class _Lowering:
    def __init__(
        self, classes: Mapping[str, ast.ClassDef], functions: Mapping[str, ast.FunctionDef], constants: list[object]
    ) -> None:
        self._classes = classes
        self._functions = functions
        self._constants = constants
        self._writer = Writer()
        self._statements = 0

    def run(self, root: Module, method: ast.FunctionDef, shapes: object) -> Graph:
        graph = self._writer.graph
        environment: Environment = {method.args.args[0].arg if method.args.args else "self": root}
        examples = shapes if isinstance(shapes, list) else []
        for place, argument in enumerate(method.args.args[1:]):
            environment[argument.arg] = self._input(argument, examples[place] if place < len(examples) else None)
        try:
            result = self._body(method, environment)
            for ref in refs(result):
                graph.outputs.append(self._writer.latest(ref.id))
        except Full:
            graph.truncated = f"more than {NODES:,} operators once all calls stand in their places"
        except RecursionError:
            graph.truncated = "calls stand in each other too deeply"
        give_ranks(graph)
        graph.batched -= {number for number in graph.batched if self._is_stack(number)}
        return graph

    def _is_stack(self, number: int) -> bool:
        """True when an input is only ever taken apart along its first dimension, by fixed numbers: one part for each
        layer, and no batch."""
        graph = self._writer.graph
        readers = [node for node in graph.nodes if number in node.ins and node.op not in ("shape", "size")]
        return bool(readers) and all(
            node.op == "gather"
            and node.given == "select"
            and node.attrs.get("axis") == 0
            and graph.values[node.ins[1]].const is not None
            for node in readers
        )

    def _input(self, argument: ast.arg, example: object) -> object:
        text = ast.unparse(argument.annotation) if argument.annotation is not None else "Tensor"
        return self._typed(argument.arg, text, example)

    def _typed(self, name: str, text: str, example: object) -> object:
        if text.startswith(("List", "Tuple")):
            inner = text[text.index("[") + 1 : -1] if "[" in text else "Tensor"
            parts = _split_types(inner) if text.startswith("Tuple") else [inner, inner]
            return [self._typed(f"{name}[{place}]", part, None) for place, part in enumerate(parts[:16])]
        if text.startswith("Optional"):
            return self._typed(name, text[text.index("[") + 1 : -1], example)
        if text.startswith("Dict"):
            inner = _split_types(text[text.index("[") + 1 : -1])[-1] if "[" in text else "Tensor"
            return Given(lambda key: self._typed(f"{name}[{key}]", inner, None))
        kind = {"int": "int", "bool": "bool", "float": "float", "str": "string"}.get(text, "")
        dims: tuple[int | None, ...] | None = () if kind else None
        if isinstance(example, Const) and not kind:
            kind = example.kind
            dims = (None, *example.dims[1:]) if len(example.dims) > 1 else (None,) * len(example.dims)
        number = self._writer.graph.value(name, kind, dims)
        self._writer.graph.inputs.append(number)
        if not kind or dims:
            self._writer.graph.batched.add(number)
        return Ref(number)

    # Emitter

    # Statements

    def _body(self, function: ast.FunctionDef, environment: Environment) -> object:
        for place, argument in enumerate(reversed(function.args.args)):
            if argument.arg not in environment:
                defaults = function.args.defaults
                value = defaults[-1 - place] if place < len(defaults) else None
                environment[argument.arg] = self._eval(value, {}) if value is not None else None
        self._run(function.body, environment)
        return environment.get("return")

    def _run(self, body: Sequence[ast.stmt], environment: Environment) -> None:  # noqa: C901 - a case for each kind
        for statement in body:
            self._statements += 1
            if self._statements > STATEMENTS:
                raise Full
            match statement:
                case ast.Assign():
                    value = self._eval(statement.value, environment)
                    for target in statement.targets:
                        self._assign(target, value, environment)
                case ast.AnnAssign() if statement.value is not None:
                    self._assign(statement.target, self._eval(statement.value, environment), environment)
                case ast.AugAssign():
                    left = self._eval(_load(statement.target), environment)
                    right = self._eval(statement.value, environment)
                    result = binary(self._writer, type(statement.op).__name__, left, right)
                    self._assign(statement.target, result, environment)
                case ast.Expr():
                    self._eval(statement.value, environment)
                case ast.Return():
                    environment["return"] = self._eval(statement.value, environment) if statement.value else None
                case ast.If():
                    self._if(statement, environment)
                case ast.For():
                    self._for(statement, environment)
                case ast.While():
                    self._while(statement, environment)
                case ast.With():
                    self._run(statement.body, environment)

    def _assign(self, target: ast.expr, value: object, environment: Environment) -> None:
        match target:
            case ast.Name():
                environment[target.id] = value
                if isinstance(value, Ref) and not self._writer.graph.values[value.id].name:
                    self._writer.graph.values[value.id].name = target.id
            case ast.Tuple() | ast.List():
                items = value if isinstance(value, list) else [value] * len(target.elts)
                for place, element in enumerate(target.elts):
                    self._assign(element, items[place] if place < len(items) else Opaque(), environment)
            case ast.Attribute():
                owner = self._eval(target.value, environment)
                if isinstance(owner, Module):
                    owner.attributes[target.attr] = value
            case ast.Subscript():
                owner, key = self._eval(target.value, environment), self._eval(target.slice, environment)
                if isinstance(owner, dict):
                    owner[str(key)] = value
                elif isinstance(owner, list) and isinstance(key, int) and -len(owner) <= key < len(owner):
                    owner[key] = value

    def _if(self, statement: ast.If, environment: Environment) -> None:
        test = self._eval(statement.test, environment)
        if not isinstance(test, Ref | Opaque):
            self._run(statement.body if test else statement.orelse, environment)
            return
        condition = self._writer.value_of(test)
        writer = self._writer
        before, path = dict(writer.current), writer.path
        sides = []
        for name, body in (("then", statement.body), ("else", statement.orelse)):
            side = dict(environment)
            writer.current, writer.path = dict(before), (*path, f"if.{name}")
            self._run(body, side)
            sides.append((side, writer.current))
        writer.current, writer.path = before, path
        (then, changed), (other, also) = sides
        writer.join(condition, changed, also)
        for name in {**then, **other}:
            environment[name] = self._writer.phi(condition, then.get(name), other.get(name), name)

    def _for(self, statement: ast.For, environment: Environment) -> None:
        items = self._eval(statement.iter, environment)
        if isinstance(items, list) and len(items) <= _UNROLLED:
            for item in items:
                self._assign(statement.target, item, environment)
                self._run(statement.body, environment)
            return
        trips = -1
        if isinstance(items, Ref):
            trips = items.id
        turn = self._writer.emit("range", [trips], {"turn": 1}, "loop")[0]
        self._assign(statement.target, turn, environment)
        self._turns(statement.body, environment, trips, None)

    def _while(self, statement: ast.While, environment: Environment) -> None:
        test = self._eval(statement.test, environment)
        if test is False:
            return
        self._turns(statement.body, environment, self._writer.value_of(test), statement.test)

    def _turns(self, body: Sequence[ast.stmt], environment: Environment, control: int, test: ast.expr | None) -> None:
        for _ in range(2):
            before = dict(environment)
            self._run(body, environment)
            if test is not None:
                after = self._writer.value_of(self._eval(test, environment))
                control = self._writer.emit("and", (control, after), {}, "loop")[0].id if control >= 0 else after
            for name, value in before.items():
                if environment.get(name) is not value and isinstance(value, Ref | Const | int | float):
                    joined = self._writer.loop_phi(control, value, environment.get(name), name)
                    environment[name] = joined

    # Expressions

    def _eval(self, node: ast.expr | None, environment: Environment) -> object:  # noqa: C901 - a case for each kind
        match node:
            case ast.Constant():
                known = node.value
                return known if isinstance(known, bool | int | float | str) or known is None else Opaque()
            case ast.Name():
                return environment.get(node.id, _NAMES.get(node.id, Opaque(node.id)))
            case ast.Tuple() | ast.List():
                return [self._eval(item, environment) for item in node.elts]
            case ast.Dict():
                pairs = zip(node.keys, node.values, strict=True)
                return {str(self._eval(key, environment)): self._eval(value, environment) for key, value in pairs}
            case ast.Attribute():
                return self._attribute(node, environment)
            case ast.Subscript():
                return item_of(self._writer, self._eval(node.value, environment), self._eval(node.slice, environment))
            case ast.UnaryOp():
                return unary(self._writer, type(node.op).__name__, self._eval(node.operand, environment))
            case ast.BinOp():
                left, right = self._eval(node.left, environment), self._eval(node.right, environment)
                return binary(self._writer, type(node.op).__name__, left, right)
            case ast.BoolOp():
                values = [self._eval(value, environment) for value in node.values]
                result = values[0]
                for value in values[1:]:
                    result = binary(self._writer, type(node.op).__name__, result, value)
                return result
            case ast.Compare():
                left, right = self._eval(node.left, environment), self._eval(node.comparators[0], environment)
                return binary(self._writer, type(node.ops[0]).__name__, left, right)
            case ast.IfExp():
                test = self._eval(node.test, environment)
                if not isinstance(test, Ref | Opaque):
                    return self._eval(node.body if test else node.orelse, environment)
                one, two = self._eval(node.body, environment), self._eval(node.orelse, environment)
                return self._writer.phi(self._writer.value_of(test), one, two)
            case ast.Call():
                return self._call(node, environment)
        return Opaque()

    def _attribute(self, node: ast.Attribute, environment: Environment) -> object:
        if isinstance(node.value, ast.Name) and node.value.id == "CONSTANTS":
            place = int(node.attr[1:]) if node.attr[1:].isdigit() else -1
            return self._constants[place] if 0 <= place < len(self._constants) else Opaque("constant")
        dotted = _dotted(node)
        if dotted.startswith("__torch__."):
            return Function(dotted)
        owner = self._eval(node.value, environment)
        if isinstance(owner, Module):
            if node.attr in owner.attributes:
                return owner.attributes[node.attr]
            return self._class_value(owner.kind, node.attr)
        return Opaque(node.attr)

    def _class_value(self, kind: str, name: str) -> object:
        """A `Final` of a class: it stands in the code, not in the pickle."""
        declared = self._classes.get(kind)
        for item in declared.body if declared is not None else ():
            if (
                isinstance(item, ast.AnnAssign)
                and isinstance(item.target, ast.Name)
                and item.target.id == name
                and item.value
            ):
                return self._eval(item.value, {})
        return Opaque(name)

    def _call(self, node: ast.Call, environment: Environment) -> object:
        arguments = [self._eval(argument, environment) for argument in node.args]
        keywords = {item.arg: self._eval(item.value, environment) for item in node.keywords if item.arg}
        dotted = _dotted(node.func)
        try:
            return self._called(node.func, dotted, arguments, keywords, environment)
        except (IndexError, KeyError, TypeError, ValueError, AttributeError, ArithmeticError):
            # Not how the operator is called: torch.jit.load would refuse it, and what it would do is not known.
            return self._writer.unknown(dotted or "call", arguments)

    def _called(
        self,
        function: ast.expr,
        dotted: str,
        arguments: list[object],
        keywords: dict[str, object],
        environment: Environment,
    ) -> object:
        if dotted in _BUILTIN:
            return self._builtin(dotted, arguments, keywords)
        if dotted == "getattr" and len(arguments) == 2:
            owner, name = arguments
            return owner.attributes.get(str(name), Opaque(str(name))) if isinstance(owner, Module) else Opaque()
        if dotted.startswith("__torch__") and dotted not in environment:
            return self._own(dotted, arguments, keywords)
        head = dotted.partition(".")[0]
        if head in ("torch", "ops") and head not in environment:
            return self._operator(dotted, arguments, keywords)
        known = environment.get(dotted)
        if isinstance(known, Function):
            return self._own(known.dotted, arguments, keywords)
        if isinstance(function, ast.Attribute):
            owner = self._eval(function.value, environment)
            if isinstance(owner, Module):
                return self._method(owner, function.attr, arguments, keywords)
        return self._writer.unknown(dotted or "call", arguments)

    def _builtin(self, name: str, arguments: list[object], keywords: dict[str, object]) -> object:
        value = arguments[-1] if arguments else None
        match name:
            case "annotate" | "unchecked_cast" | "_unwrap_optional":
                return value
            case "uninitialized":
                return Opaque("uninitialized")
            case "range" if all(isinstance(item, int) for item in arguments):
                turns = range(*(int(str(item)) for item in arguments[:3]))
                return list(turns[: _UNROLLED + 1])
            case "range":
                return next((item for item in arguments if isinstance(item, Ref)), Opaque())
            case "isinstance":
                return Opaque("isinstance")
            case "len" if isinstance(value, list | dict):
                return len(value)
            case "bool" | "int" | "float" if known(value):
                return {"bool": bool, "int": _integer, "float": float}[name](value)  # type: ignore[operator]
            case "bool" | "int" | "float" | "str" if isinstance(value, Ref | Const):
                return call(self._writer, name, arguments, keywords)
        return Opaque(name)

    def _own(self, dotted: str, arguments: list[object], keywords: dict[str, object]) -> object:
        function = self._functions.get(dotted)
        if function is not None:
            return self._enter(function, arguments, keywords, function.name)
        if dotted.removesuffix(".__new__") in self._classes:
            module = Module(dotted.removesuffix(".__new__"))
            if dotted != module.kind:
                return module  # its method __init__ is called next
            fields = named_fields(self._classes[dotted])
            if fields:
                module.attributes = dict(zip(fields, arguments, strict=False)) | keywords
                return module
            self._method(module, "__init__", arguments, keywords)
            return module
        return self._writer.unknown(dotted, arguments)

    def _method(self, owner: Module, name: str, arguments: list[object], keywords: dict[str, object]) -> object:
        declared = self._classes.get(owner.kind)
        for item in declared.body if declared is not None else ():
            if isinstance(item, ast.FunctionDef) and item.name == name:
                label = f"{owner.kind.rpartition('.')[2]}.{name}"
                return self._enter(item, [owner, *arguments], keywords, label)
        if declared is not None and name == "__init__":
            return None
        return self._writer.unknown(f"{owner.kind}.{name}", arguments)

    def _enter(
        self, function: ast.FunctionDef, arguments: list[object], keywords: dict[str, object], label: str
    ) -> object:
        if len(self._writer.path) > _DEPTH:
            raise Full
        names = [argument.arg for argument in function.args.args]
        environment: Environment = dict(zip(names, arguments, strict=False)) | keywords
        path = self._writer.path
        self._writer.path = (*path, label)
        result = self._body(function, environment)
        self._writer.path = path
        return result

    def _operator(self, dotted: str, arguments: list[object], keywords: dict[str, object]) -> object:
        parts = dotted.split(".")
        name = parts[-1]
        if parts[0] == "ops":
            space = parts[1] if len(parts) > 2 else ""
            if space == "prim":
                return self._prim(name, arguments)
            if space == "quantized":
                return self._quantised(name, arguments)
            if space not in ("aten", "torchvision"):
                return self._writer.unknown(dotted, arguments)
        known = container_operator(self._writer, name, arguments)
        if known is not NotImplemented:
            return known
        if not any(_has_ref(value) for value in (*arguments, *keywords.values())) and name in FOLDED:
            try:
                return FOLDED[name](*arguments[: 2 if name not in ("neg", "floor", "ceil", "sqrt") else 1])
            except (ArithmeticError, TypeError, ValueError):
                return Opaque(name)
        result = call(self._writer, name, arguments, keywords)
        first = arguments[0] if arguments else None
        if isinstance(first, Ref) and isinstance(result, Ref):
            if name.endswith("_") and not name.endswith("__"):
                return self._writer.changed(first, result, name, arguments)
            if name in _VIEWS:
                self._writer.view(result, first)
        return result

    def _prim(self, name: str, arguments: list[object]) -> object:
        if name in ("NumToTensor", "TupleConstruct", "min", "max", "abs", "data") and arguments:
            if len(arguments) == 1:
                return arguments[0]
            return call(self._writer, name, arguments, {})
        if name == "shape":
            return call(self._writer, "size", arguments[:1], {})
        return Opaque(name)

    def _quantised(self, name: str, arguments: list[object]) -> object:
        ins = [self._writer.value_of(value) for value in arguments[:1]]
        op = "packed_matmul" if name.startswith(("linear", "conv")) else "identity"
        if name in ("add", "mul", "cat", "add_relu"):
            return call(self._writer, name.removesuffix("_relu"), arguments[:2], {})
        return self._writer.emit(op, ins, {}, f"quantized.{name}")[0]


def _has_ref(value: object) -> bool:
    return isinstance(value, Ref | Const) or (isinstance(value, list) and any(_has_ref(item) for item in value))


def _integer(value: Number) -> object:
    try:
        return int(value)
    except (ValueError, OverflowError):
        return Opaque("int")


def _dotted(node: ast.expr) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _load(target: ast.expr) -> ast.expr:
    return ast.Name(target.id, ast.Load()) if isinstance(target, ast.Name) else target


def _split_types(text: str) -> list[str]:
    parts, depth, last = [], 0, 0
    for place, character in enumerate(text):
        depth += (character == "[") - (character == "]")
        if character == "," and depth == 0:
            parts.append(text[last:place].strip())
            last = place + 1
    return [*parts, text[last:].strip()]


_NAMES: dict[str, object] = {"inf": math.inf, "nan": math.nan, "infj": Opaque(), "nanj": Opaque()}
_BUILTIN = frozenset(
    "annotate unchecked_cast _unwrap_optional uninitialized range isinstance len bool int float str".split()
)
