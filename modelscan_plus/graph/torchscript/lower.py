"""Symbolic execution of TorchScript code: each call of an operator becomes a node, all else is known or followed.

Functions and methods of the archive are executed where they are called; both sides of an `if` on something that only
running would tell are executed and joined by a `phi`, the body of a loop twice. An operator that changes its first
argument in place (its name ends in an underscore) gives that argument a new value, and so the tensor that it is a
view of. All of it draws on one budget of nodes and of statements.
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence

from modelscan_plus.formats.graphs.torchscript import TorchScriptFacts
from modelscan_plus.graph.ir import Attribute, Const, Graph, Node, Number
from modelscan_plus.graph.torchscript.operators import call, constant
from modelscan_plus.graph.torchscript.signature import Given, called, give_ranks, named_fields
from modelscan_plus.graph.torchscript.values import Function, Loader, Module, Opaque, Ref

NODES = 100_000
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


class _Full(Exception):
    """A budget is used up."""


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
        self._graph = Graph()
        self._values: dict[int, int] = {}
        self._statements = 0
        self._path: tuple[str, ...] = ()
        self._current: dict[int, int] = {}
        """The value that a tensor has since it was changed in place."""
        self._base: dict[int, int] = {}
        """The tensor that another one is a view of."""
        self._module = ""

    def run(self, root: Module, method: ast.FunctionDef, shapes: object) -> Graph:
        graph = self._graph
        environment: Environment = {method.args.args[0].arg if method.args.args else "self": root}
        examples = shapes if isinstance(shapes, list) else []
        for place, argument in enumerate(method.args.args[1:]):
            environment[argument.arg] = self._input(argument, examples[place] if place < len(examples) else None)
        try:
            result = self._body(method, environment)
            for ref in _refs(result):
                graph.outputs.append(self._latest(ref.id))
        except _Full:
            graph.truncated = f"more than {NODES:,} operators once all calls stand in their places"
        except RecursionError:
            graph.truncated = "calls stand in each other too deeply"
        give_ranks(graph)
        graph.batched -= {number for number in graph.batched if self._is_stack(number)}
        return graph

    def _is_stack(self, number: int) -> bool:
        """True when an input is only ever taken apart along its first dimension, by fixed numbers: one part for each
        layer, and no batch."""
        graph = self._graph
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
        number = self._graph.value(name, kind, dims)
        self._graph.inputs.append(number)
        if not kind or dims:
            self._graph.batched.add(number)
        return Ref(number)

    # Emitter

    def value_of(self, given: object) -> int:
        graph = self._graph
        if isinstance(given, Ref):
            return self._latest(given.id)
        if given is None or isinstance(given, Opaque | Module):
            return -1
        if isinstance(given, Const):
            number = self._values.get(id(given))
            if number is None:
                number = self._values[id(given)] = graph.value("", given.kind, given.dims, given)
            return number
        if isinstance(given, bool | int | float | str):
            const = constant(given)
            return graph.value("", const.kind, const.dims, const)
        if isinstance(given, list):
            if all(isinstance(item, bool | int | float) for item in given):
                const = constant(list(given))
                return graph.value("", const.kind, const.dims, const)
            items = [self.value_of(item) for item in given if isinstance(item, Ref | Const | int | float)]
            return self.emit("concat", items, {"axis": 0}, "list")[0].id if items else -1
        if isinstance(given, dict):
            return self.value_of([item for item in given.values() if isinstance(item, Ref | Const)])
        return -1

    def emit(self, op: str, ins: Sequence[int], attrs: Mapping[str, Attribute], given: str, outs: int = 1) -> list[Ref]:
        graph = self._graph
        if len(graph.nodes) >= NODES:
            raise _Full
        results = [graph.value("") for _ in range(outs)]
        graph.add(Node(op, tuple(ins), tuple(results), dict(attrs), "", given, self._path))
        return [Ref(result) for result in results]

    def _latest(self, number: int) -> int:
        while (newer := self._current.get(number, number)) != number:
            number = newer
        return number

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
                raise _Full
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
                    self._assign(statement.target, self._binary(type(statement.op).__name__, left, right), environment)
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
                if isinstance(value, Ref) and not self._graph.values[value.id].name:
                    self._graph.values[value.id].name = target.id
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
        condition = self.value_of(test)
        before = dict(self._current)
        sides = []
        for name, body in (("then", statement.body), ("else", statement.orelse)):
            side = dict(environment)
            self._current = dict(before)
            path = self._path
            self._path = (*path, f"if.{name}")
            self._run(body, side)
            self._path = path
            sides.append((side, self._current))
        (then, changed), (other, also) = sides
        self._current = before
        for number in sorted({*changed, *also}):
            one, two = self._end(changed, number), self._end(also, number)
            if one != two:
                self._current[number] = self.emit("phi", (condition, one, two), {"controls": 1}, "if")[0].id
            elif one != number:
                self._current[number] = one
        for name in {**then, **other}:
            environment[name] = self._phi(condition, then.get(name), other.get(name), name)

    @staticmethod
    def _end(current: Mapping[int, int], number: int) -> int:
        while (newer := current.get(number, number)) != number:
            number = newer
        return number

    def _phi(self, condition: int, one: object, two: object, name: str = "", controls: int = 1) -> object:
        if one is two or one == two or two is None or isinstance(two, Opaque):
            return one
        if one is None or isinstance(one, Opaque):
            return two
        if isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
            return [self._phi(condition, left, right, name) for left, right in zip(one, two, strict=True)]
        if isinstance(one, list | dict | Module) or isinstance(two, list | dict | Module):
            return one
        sides = (self.value_of(one), self.value_of(two))
        found = self.emit("phi", (condition, *sides), {"controls": controls}, "if")[0]
        self._graph.values[found.id].name = name
        return found

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
        turn = self.emit("range", [trips], {"turn": 1}, "loop")[0]
        self._assign(statement.target, turn, environment)
        self._turns(statement.body, environment, trips, None)

    def _while(self, statement: ast.While, environment: Environment) -> None:
        test = self._eval(statement.test, environment)
        if test is False:
            return
        self._turns(statement.body, environment, self.value_of(test), statement.test)

    def _turns(self, body: Sequence[ast.stmt], environment: Environment, control: int, test: ast.expr | None) -> None:
        for _ in range(2):
            before = dict(environment)
            self._run(body, environment)
            if test is not None:
                after = self.value_of(self._eval(test, environment))
                control = self.emit("and", (control, after), {}, "loop")[0].id if control >= 0 else after
            for name, value in before.items():
                if environment.get(name) is not value and isinstance(value, Ref | Const | int | float):
                    joined = self._loop_phi(control, value, environment.get(name), name)
                    environment[name] = joined

    def _loop_phi(self, control: int, old: object, new: object, name: str) -> object:
        if not isinstance(new, Ref | Const | int | float):
            return new
        ins = (
            (control, self.value_of(old), self.value_of(new))
            if control >= 0
            else (self.value_of(old), self.value_of(new))
        )
        attrs: dict[str, Attribute] = {"controls": len(ins) - 2, "loop": 1}
        found = self.emit("phi", ins, attrs, "loop")[0]
        self._graph.values[found.id].name = name
        return found

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
                return self._item(self._eval(node.value, environment), self._eval(node.slice, environment))
            case ast.UnaryOp():
                return self._unary(type(node.op).__name__, self._eval(node.operand, environment))
            case ast.BinOp():
                left, right = self._eval(node.left, environment), self._eval(node.right, environment)
                return self._binary(type(node.op).__name__, left, right)
            case ast.BoolOp():
                values = [self._eval(value, environment) for value in node.values]
                result = values[0]
                for value in values[1:]:
                    result = self._binary(type(node.op).__name__, result, value)
                return result
            case ast.Compare():
                left, right = self._eval(node.left, environment), self._eval(node.comparators[0], environment)
                return self._binary(type(node.ops[0]).__name__, left, right)
            case ast.IfExp():
                test = self._eval(node.test, environment)
                if not isinstance(test, Ref | Opaque):
                    return self._eval(node.body if test else node.orelse, environment)
                one, two = self._eval(node.body, environment), self._eval(node.orelse, environment)
                return self._phi(self.value_of(test), one, two)
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

    def _item(self, owner: object, key: object) -> object:
        if isinstance(owner, dict):
            if isinstance(key, Ref) and owner:
                held = self.value_of([item for item in owner.values() if isinstance(item, bool | int | float)])
                return self.emit("gather", [held, self._latest(key.id)], {"axis": 0}, "__getitem__")[0]
            return owner[str(key)] if isinstance(owner, Given) else owner.get(str(key), Opaque())
        if isinstance(owner, list):
            if isinstance(key, int) and -len(owner) <= key < len(owner):
                return owner[key]
            if isinstance(key, Ref) and owner:
                ins = [self.value_of(item) for item in owner]
                stacked = self.emit("concat", ins, {"axis": 0, "new_axis": 1}, "list")[0]
                return self.emit("gather", [stacked.id, self.value_of(key)], {"axis": 0}, "__getitem__")[0]
            return Opaque()
        if isinstance(owner, Ref):
            return self.emit("gather", [self._latest(owner.id), self.value_of(key)], {"axis": 0}, "__getitem__")[0]
        return Opaque()

    def _unary(self, name: str, value: object) -> object:
        if isinstance(value, Ref):
            op = {"USub": "neg", "Not": "not", "Invert": "bit_not"}.get(name, "identity")
            return self.emit(op, [self._latest(value.id)], {}, op)[0]
        if isinstance(value, bool | int | float):
            return not value if name == "Not" else -value if name == "USub" else value
        return value is None if name == "Not" and value is None else Opaque()

    def _binary(self, name: str, left: object, right: object) -> object:
        if name in ("Is", "IsNot") and not isinstance(left, Opaque) and not isinstance(right, Opaque):
            return (left is None) == (right is None) if name == "Is" else (left is None) != (right is None)
        apply = _PYTHON.get(name)
        if apply is not None and _known(left) and _known(right):
            try:
                return apply(left, right)
            except (ArithmeticError, TypeError, ValueError):
                return Opaque()
        if isinstance(left, list) and isinstance(right, list) and name == "Add":
            return [*left, *right]
        if not isinstance(left, Ref | Const) and not isinstance(right, Ref | Const):
            return Opaque()
        op = _OPERATORS.get(name, "unknown")
        return self.emit(op, [self.value_of(left), self.value_of(right)], {}, op)[0]

    def _call(self, node: ast.Call, environment: Environment) -> object:
        arguments = [self._eval(argument, environment) for argument in node.args]
        keywords = {item.arg: self._eval(item.value, environment) for item in node.keywords if item.arg}
        dotted = _dotted(node.func)
        try:
            return self._called(node.func, dotted, arguments, keywords, environment)
        except (IndexError, KeyError, TypeError, ValueError, AttributeError, ArithmeticError):
            # Not how the operator is called: torch.jit.load would refuse it, and what it would do is not known.
            return self._unknown(dotted or "call", arguments)

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
        return self._unknown(dotted or "call", arguments)

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
            case "bool" | "int" | "float" if _known(value):
                return {"bool": bool, "int": _integer, "float": float}[name](value)  # type: ignore[operator]
            case "bool" | "int" | "float" | "str" if isinstance(value, Ref | Const):
                return call(self, name, arguments, keywords)
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
        return self._unknown(dotted, arguments)

    def _method(self, owner: Module, name: str, arguments: list[object], keywords: dict[str, object]) -> object:
        declared = self._classes.get(owner.kind)
        for item in declared.body if declared is not None else ():
            if isinstance(item, ast.FunctionDef) and item.name == name:
                label = f"{owner.kind.rpartition('.')[2]}.{name}"
                return self._enter(item, [owner, *arguments], keywords, label)
        if declared is not None and name == "__init__":
            return None
        return self._unknown(f"{owner.kind}.{name}", arguments)

    def _enter(
        self, function: ast.FunctionDef, arguments: list[object], keywords: dict[str, object], label: str
    ) -> object:
        if len(self._path) > _DEPTH:
            raise _Full
        names = [argument.arg for argument in function.args.args]
        environment: Environment = dict(zip(names, arguments, strict=False)) | keywords
        path = self._path
        self._path = (*path, label)
        result = self._body(function, environment)
        self._path = path
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
                return self._unknown(dotted, arguments)
        known = self._list_operator(name, arguments)
        if known is not NotImplemented:
            return known
        if not any(_has_ref(value) for value in (*arguments, *keywords.values())) and name in _FOLDED:
            try:
                return _FOLDED[name](*arguments[: 2 if name not in ("neg", "floor", "ceil", "sqrt") else 1])
            except (ArithmeticError, TypeError, ValueError):
                return Opaque(name)
        result = call(self, name, arguments, keywords)
        first = arguments[0] if arguments else None
        if isinstance(first, Ref) and isinstance(result, Ref):
            if name.endswith("_") and not name.endswith("__"):
                return self._changed(first, result, name, arguments)
            if name in _VIEWS:
                self._base[result.id] = first.id
        return result

    def _changed(self, first: Ref, result: Ref, name: str, arguments: list[object]) -> Ref:
        """An operator changed its first argument in place, and what that is a view of."""
        if name == "copy_" and len(arguments) > 1:
            result = self.emit("identity", [self.value_of(arguments[1])], {}, name)[0]
        number: int | None = first.id
        new = result.id
        while number is not None:
            old = self._latest(number)
            if old != new:
                self._current[old] = new
            number = self._base.get(number)
            if number is not None:
                new = self.emit("scatter", [self._latest(number), -1, new], {}, name)[0].id
        return result

    def _list_operator(self, name: str, arguments: list[object]) -> object:  # noqa: C901 - a case for each
        first = arguments[0] if arguments else None
        if name == "dict":
            pairs = first if isinstance(first, list) else []
            return {str(pair[0]): pair[1] for pair in pairs if isinstance(pair, list) and len(pair) == 2}
        if name in ("__range_length", "__derive_index"):
            return self._turn(name, arguments)
        if isinstance(first, list):
            match name:
                case "append" | "add_" if len(arguments) > 1 and len(first) < 4096:
                    first += arguments[1] if name == "add_" and isinstance(arguments[1], list) else [arguments[1]]
                    return first
                case "len":
                    return len(first)
                case "__getitem__" | "select":
                    return self._item(first, arguments[1] if len(arguments) > 1 else 0)
                case "list":
                    return list(first)
                case "slice" if all(item is None or isinstance(item, int) for item in arguments[1:]):
                    bounds = [item if isinstance(item, int) else None for item in arguments[1:4]]
                    return first[slice(*bounds)] if bounds else list(first)
                case "add" if isinstance(arguments[1], list):
                    return [*first, *arguments[1]]
                case "mul" if isinstance(arguments[1], int) and len(first) * arguments[1] < 4096:
                    return first * arguments[1]
                case "pop" if first:
                    return first.pop()
                case "_set_item" if isinstance(arguments[1], int) and -len(first) <= arguments[1] < len(first):
                    first[arguments[1]] = arguments[2]
                    return None
                case "extend" if isinstance(arguments[1], list) and len(first) < 4096:
                    first += arguments[1]
                    return None
        if isinstance(first, dict):
            if name == "__getitem__":
                return self._item(first, arguments[1])
            if name == "__contains__" and isinstance(key := arguments[1], Ref):
                keys = constant([float(word) for word in first if _is_number(word)])
                return self.emit("isin", [self._latest(key.id), self.value_of(keys)], {}, name)[0]
            if name == "_set_item" and len(arguments) > 2:
                first[str(arguments[1])] = arguments[2]
                return None
            if name in ("values", "keys"):
                return list(first.values()) if name == "values" else list(first)
            if name == "items":
                return [list(pair) for pair in first.items()]
        if name in ("format", "warn", "set_grad_enabled", "_assert", "manual_seed", "__is__", "__isnot__"):
            if name in ("__is__", "__isnot__") and not isinstance(first, Opaque):
                return (first is None) == (name == "__is__")
            return Opaque(name)
        if name == "size" and len(arguments) == 1 and isinstance(first, Ref):
            return self.emit("shape", [self._latest(first.id)], {}, name)[0]
        return NotImplemented

    def _turn(self, name: str, arguments: list[object]) -> object:
        """How often a loop over a range turns, and what its variable then is."""
        one, two, three = arguments[:3]
        if isinstance(one, int) and isinstance(two, int) and isinstance(three, int):
            return len(range(one, two, three)) if name == "__range_length" else one + two * three
        if name == "__range_length":
            return self._binary("FloorDiv", self._binary("Sub", two, one), three)
        return self._binary("Add", two, self._binary("Mult", one, three))

    def _prim(self, name: str, arguments: list[object]) -> object:
        if name in ("NumToTensor", "TupleConstruct", "min", "max", "abs", "data") and arguments:
            if len(arguments) == 1:
                return arguments[0]
            return call(self, name, arguments, {})
        if name == "shape":
            return call(self, "size", arguments[:1], {})
        return Opaque(name)

    def _quantised(self, name: str, arguments: list[object]) -> object:
        ins = [self.value_of(value) for value in arguments[:1]]
        op = "packed_matmul" if name.startswith(("linear", "conv")) else "identity"
        if name in ("add", "mul", "cat", "add_relu"):
            return call(self, name.removesuffix("_relu"), arguments[:2], {})
        return self.emit(op, ins, {}, f"quantized.{name}")[0]

    def _unknown(self, name: str, arguments: list[object]) -> object:
        ins = [ref for value in arguments for ref in _refs(value)]
        return self.emit("unknown", [self._latest(ref.id) for ref in ins], {}, name)[0]


def _refs(value: object) -> list[Ref]:
    if isinstance(value, Ref):
        return [value]
    if isinstance(value, list):
        return [ref for item in value for ref in _refs(item)]
    if isinstance(value, dict | Module):
        items = value.values() if isinstance(value, dict) else value.attributes.values()
        return [ref for item in items if not isinstance(item, Module) for ref in _refs(item)]
    return []


def _has_ref(value: object) -> bool:
    return isinstance(value, Ref | Const) or (isinstance(value, list) and any(_has_ref(item) for item in value))


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _known(value: object) -> bool:
    return isinstance(value, bool | int | float | str)


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
_PYTHON: dict[str, Callable[..., object]] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Div": operator.truediv,
    "FloorDiv": operator.floordiv,
    "Mod": operator.mod,
    "Eq": operator.eq,
    "NotEq": operator.ne,
    "Lt": operator.lt,
    "LtE": operator.le,
    "Gt": operator.gt,
    "GtE": operator.ge,
    "And": lambda a, b: bool(a) and bool(b),
    "Or": lambda a, b: bool(a) or bool(b),
    "Mult": lambda a, b: a * b if not isinstance(a, str) and not isinstance(b, str) else Opaque(),
}
_OPERATORS = {
    "Add": "add",
    "Sub": "sub",
    "Mult": "mul",
    "Div": "div",
    "FloorDiv": "div",
    "Mod": "mod",
    "Pow": "pow",
    "MatMult": "matmul",
    "Eq": "equal",
    "NotEq": "not_equal",
    "Lt": "less",
    "LtE": "less_equal",
    "Gt": "greater",
    "GtE": "greater_equal",
    "And": "and",
    "Or": "or",
    "BitAnd": "bit_and",
    "BitOr": "bit_or",
    "BitXor": "bit_xor",
    "LShift": "shift_left",
    "RShift": "shift_right",
}
_FOLDED: dict[str, Callable[..., object]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": lambda a, b: a * b if not isinstance(a, str | list) and not isinstance(b, str | list) else Opaque(),
    "div": operator.truediv,
    "floordiv": operator.floordiv,
    "floor_divide": operator.floordiv,
    "remainder": operator.mod,
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "neg": operator.neg,
    "floor": math.floor,
    "ceil": math.ceil,
    "sqrt": math.sqrt,
    "__and__": lambda a, b: a and b,
    "__or__": lambda a, b: a or b,
    "__not__": lambda a, *_: not a,
    "__contains__": lambda a, b: b in a,
}
