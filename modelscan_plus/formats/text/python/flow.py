"""Where values come from: a few kinds of origin, followed through variables, calls and returns of one source file.

Origins: "download" (the network), "decoded" (base64 and the like), "secret" (the whole environment, files of credentials,
what a browser or keyboard gives away), "key:NAME" (one credential, taken by its name), "host" (names of machine and user,
listings), "file", "source:PATH" (a file of Python), "input", "config" (values that the model's configuration sets), "request" (what somebody outside asks of a program, handed.py), "given" (arguments of the methods by
which a model is used), "elsewhere" (a client of another machine, accounts.py), "fetched" (a file that was fetched, written.py), "weights", "scratch" (a temporary
file), "program" (where a program lies); more follow from places (places.py).
The analysis keeps one set of origins for each variable of each function and goes over the file a few times; it does not
follow containers or attributes of other objects than `self`.
"""

import ast
from collections.abc import Set

from modelscan_plus.formats.text.python.accounts import client
from modelscan_plus.formats.text.python.blocks import MODULE, Block, LoopHead
from modelscan_plus.formats.text.python.callers import deferred
from modelscan_plus.formats.text.python.clouds import of_cloud
from modelscan_plus.formats.text.python.handed import (
    ASKING,
    ASKING_ATTRIBUTES,
    NOTHING,
    REQUEST,
    TOLD,
    Handed,
    receives,
)
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.packed import packed
from modelscan_plus.formats.text.python.places import of_attribute, of_call, of_item
from modelscan_plus.formats.text.python.searched import SEARCHED, of_search
from modelscan_plus.formats.text.python.sinks import (
    GIVEN_NAMES,
    HUB_TOKENS,
    KEY_READS,
    OBJECTS,
    OPENS,
    SECRET_VARIABLE,
    TAG_OF,
    credential_at,
)
from modelscan_plus.formats.text.python.spoken import UNKNOWN, spoken
from modelscan_plus.formats.text.python.walk import walk
from modelscan_plus.formats.text.python.written import FETCHED, Places, is_fetched, moved

SOURCE = "source:"
"""Begins the origin of what was read from a file of Python; its path follows, as far as it is known."""
FROM = "from:"
"""Begins the origin of a program that the source fetched; the host and path of an address follow."""
JOINED = "joined"
"""The origin of a text that is put together from several items of a configuration or file."""
SPELT = "spelt"
"""The origin of a text that is made of numbers."""
DATA = frozenset(("config", "file"))
_PATH = 200
_ROUNDS = 4
_CONFIG_NAMES = frozenset("config cfg model_config hf_config model_args".split())
_LISTS = frozenset("list_models list_datasets list_spaces list_collections list_user_likes".split())
ACCOUNT = "whoami"
"""The origin of what the hub says of whoever runs the code."""
OF_ACCOUNT = "of-account"
"""The origin of what the account of whoever runs the code has on the hub."""
_WORDS = frozenset(
    """special_tokens_map additional_special_tokens all_special_tokens added_tokens_decoder added_tokens_encoder
    extra_special_tokens special_tokens_map_extended""".split()
)
"""Attributes of a tokenizer that are read from its files."""
_WHO = frozenset("USER LOGNAME USERNAME HOSTNAME COMPUTERNAME USERDOMAIN".split())
"""Variables that name the user or the machine."""
_DEPTH = 80
ASKED = "asked"
"""The origin of a handler that is told what is asked of it."""
WEIGHTS = "trained"
"""The origin of what a model has learned."""
_DUMPS = frozenset(("model_dump", "dict", "json", "model_dump_json"))
_SETTINGS = ("decouple.config", "environs.Env().str", "environ.Env()", "starlette.config.Config()")
"""Functions of libraries that give variables of the environment by their names."""
_BY_METHOD = {"state_dict": {WEIGHTS}, "use_artifact": {"hub"}, "download_artifacts": {"hub"}}
"""Origins of what methods give, whatever they are methods of."""
_OF_PLATFORMS = frozenset(
    """input_modifier chat_input_modifier output_modifier history_modifier bot_prefix_modifier state_modifier custom_generate_reply
    custom_generate_chat_prompt input_fn predict_fn transform_fn""".split()
)
"""Functions of a module by which text-generation-webui and SageMaker know it, which are told first what is asked."""
_TYPED = frozenset(("raw_cell", "user_ns", "history_manager", "input_hist_raw", "input_hist_parsed", "output_hist"))
"""What IPython tells of what was typed in a notebook, and of its variables."""
_GATHERS = frozenset("append add extend put put_nowait appendleft insert update setdefault".split())
"""Methods by which lists, queues and tables are given something."""
_KEPT = 50_000
"""Calls of which it is kept where their results come from."""


class Flow:
    """Origins of the values of one file."""

    def __init__(self, names: Names, blocks: dict[str, Block], given: Handed = NOTHING) -> None:
        self._names = names
        self._blocks = blocks
        self.variables: dict[tuple[str, str], set[str]] = {}
        self._returns: dict[str, set[str]] = {}
        self._places = Places(names)
        self._settings = {
            node.name
            for node in names.nodes
            if isinstance(node, ast.ClassDef)
            and any(ast.unparse(base).endswith("BaseSettings") for base in node.bases)
            and any(
                isinstance(each, ast.AnnAssign) and SECRET_VARIABLE.search(ast.unparse(each.target))
                for each in node.body
            )
        }
        """Classes whose fields are variables of the environment, with keys among them."""
        self._in_notebook = any(getattr(node, "id", "") == "get_ipython" for node in names.nodes)
        self._fetched: set[str] = set()
        """Paths, as they stand in the source, of files that hold what was fetched."""
        self._packed: set[str] = set()
        """Paths of copies and archives of what is secret or the user's."""
        self._answers: dict[tuple[int, str], tuple[ast.Call, int, set[str]]] = {}
        """By call and block: the call, how deep in others it stood, and where its result comes from."""
        self._settled = False
        """Set when all that variables hold is known."""
        self._global = {
            node.id
            for node in (blocks[MODULE].inner() if MODULE in blocks else ())
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        for block in blocks.values():
            if not block.owner and block.last in _OF_PLATFORMS:
                self.variables |= {(block.name, name): {"given", TOLD} for name in block.parameters[:1]}
            if block.owner and block.last in GIVEN_NAMES:
                asked = {TOLD} if block.last != "__call__" else set[str]()
                self.variables |= {(block.name, name): {"given"} | asked for name in block.parameters[1:]}
            for name in _of_repository(block):
                self.variables.setdefault((block.name, name), set()).add("config")
            for name in given.asked.get(block.name.partition("#")[0], ()):
                self.variables.setdefault((block.name, name), set()).add(ASKED if name == "self" else REQUEST)
            for name in given.written.get(block.name.partition("#")[0], ()):
                self.variables.setdefault((block.name, name), set()).add("generated")
            for name in given.told.get(block.name.partition("#")[0], ()):
                self.variables.setdefault((block.name, name), set()).add(TOLD)
        for _ in range(_ROUNDS):
            before = sum(map(len, self.variables.values())) + sum(map(len, self._returns.values()))
            for block in blocks.values():
                self._pass(block)
            if before == sum(map(len, self.variables.values())) + sum(map(len, self._returns.values())):
                break
        self._settled = True

    def forget(self) -> None:
        """Forget where calls get their results: a variable came to hold something else."""
        self._answers.clear()

    def origins(self, node: ast.expr | None, block: str, depth: int = 0) -> set[str]:
        """Where the value of an expression in a block comes from."""
        if node is None or depth > _DEPTH:
            return set()
        match node:
            case ast.Name(id="In" | "Out" | "_ih" | "_oh") if self._is_of_notebook(node.id, block):
                return {"secret"}
            case ast.Name():
                asked = {REQUEST} if ASKING.match(self._names.aliases.get(node.id, "")) else set[str]()
                return self._variable(block, node.id) | asked | ({"config"} if node.id in _CONFIG_NAMES else set())
            case ast.Call():
                return self._result(node, block, depth)
            case ast.Attribute():
                return self._attribute(node, block, depth)
            case ast.Subscript():
                if self._names.plain(node.value) in ("os.environ", "os.environb", "streamlit.secrets"):
                    return self._credential(node.slice)
                taken = self.origins(node.value, block, depth + 1) | self.origins(node.slice, block, depth + 1)
                if isinstance(node.slice, ast.Slice) and isinstance(node.slice.step, ast.UnaryOp) and taken & DATA:
                    taken.add(JOINED)  # read backwards
                return taken | of_item(node)
            case ast.Constant(value=str(text)) if text in self._packed or text in self._fetched:
                return {"secret" if text in self._packed else FETCHED}
            case ast.Lambda():
                return self.origins(node.body, block, depth + 1)
        return self._parts(node, block, depth)

    def _parts(self, node: ast.expr, block: str, depth: int) -> set[str]:
        """Where what an expression is made of comes from."""
        found: set[str] = set()
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and not isinstance(node.right, ast.Constant):
            right = self.origins(node.right, block, depth + 1)
            found |= {JOINED} if right & DATA and self.origins(node.left, block, depth + 1) & DATA else set()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                found |= self.origins(child, block, depth + 1)
            elif isinstance(child, ast.comprehension):
                found |= self.origins(child.iter, block, depth + 1)
        if isinstance(node, ast.GeneratorExp | ast.ListComp) and isinstance(node.elt, ast.BinOp):
            found |= {"decoded"} if isinstance(node.elt.op, ast.BitXor) else set()
        return found

    def _result(self, node: ast.Call, block: str, depth: int) -> set[str]:
        if not self._settled:
            return self._call(node, block, depth)
        known = self._answers.get((id(node), block))
        if known is None or depth + _DEPTH // 2 <= known[1]:
            if len(self._answers) > _KEPT:
                self.forget()
            known = self._answers[(id(node), block)] = node, depth, self._call(node, block, depth)
        return set(known[2])

    def _variable(self, block: str, name: str) -> set[str]:
        return self.variables.get((block, name), set()) | self.variables.get((MODULE, name), set())

    def _attribute(self, node: ast.Attribute, block: str, depth: int) -> set[str]:
        dotted = self._names.plain(node)
        if dotted in ("os.environ", "os.environb"):
            return {"secret"}
        if dotted == "streamlit.secrets":
            return {"secret"}  # all of them
        if dotted is not None and dotted.startswith("streamlit.secrets."):
            return {f"key:{node.attr[:80]}"} if SECRET_VARIABLE.search(node.attr) else set()
        if (node.attr in _TYPED and self._in_notebook) or (node.attr == "hosts" and self._is_netrc(node.value)):
            return {"secret"}
        if self._holds_settings(node.value) and SECRET_VARIABLE.search(node.attr):
            return {f"key:{node.attr.upper()[:80]}"}
        if dotted in ("sys.modules",):
            return {SEARCHED}
        if dotted in ("sys.argv",):
            return {"input"}
        found = self.origins(node.value, block, depth + 1) | of_attribute(node, self._names)
        found = _told(found, node.attr) | ({"file"} if node.attr in _WORDS else set())
        if dotted is not None and ASKING.match(dotted):
            found = found | {REQUEST}
        if isinstance(node.value, ast.Name) and node.value.id == "self":
            found = found | self.variables.get(("self", node.attr), set())
            if node.attr in _CONFIG_NAMES:
                found = found | {"config"}
        return found

    def _is_of_notebook(self, name: str, block: str) -> bool:
        """True for what IPython keeps of what was typed and printed."""
        held = self._blocks.get(block)
        own = (held is not None and name in held.parameters) or name in self._names.aliases
        return not own and not self._names.assigned(name) and name not in self._names.defined

    def _is_netrc(self, node: ast.expr) -> bool:
        made = self._names.single.get(node.id) if isinstance(node, ast.Name) else node
        return isinstance(made, ast.Call) and self._names.plain(made.func) == "netrc.netrc"

    def _holds_settings(self, node: ast.expr) -> bool:
        """True for an object of a class of pydantic that takes its fields from the environment, keys among them."""
        made = self._names.single.get(node.id) if isinstance(node, ast.Name) else node
        return isinstance(made, ast.Call) and isinstance(made.func, ast.Name) and made.func.id in self._settings

    def _credential(self, name: ast.expr | None) -> set[str]:
        """`os.environ["HF_TOKEN"]` is a key, `os.environ["RANK"]` is nothing; a loop over such names takes them all."""
        texts = self._names.texts(name)
        found = [text for text in texts if SECRET_VARIABLE.search(text)]
        if not found and any(text in _WHO for text in texts):
            return {"host"}
        return {"secret"} if len(found) > 2 else {f"key:{text[:80]}" for text in found}

    def _call(self, node: ast.Call, block: str, depth: int) -> set[str]:
        dotted = self._names.plain(node.func) or ""
        if dotted in ("os.getenv", "os.environ.get", "os.environ.pop", "os.getenvb", "os.environb.get", *_SETTINGS):
            return self._credential(node.args[0] if node.args else None)
        if dotted in HUB_TOKENS:
            return {"key:HF_TOKEN"}
        if dotted in KEY_READS or (isinstance(node.func, ast.Attribute) and node.func.attr == "get_secret"):
            return {f"key:{self._names.folder.text(node.args[-1]) or ''}" if node.args else "key:"}
        found = set[str]()
        for argument in [*node.args, *(item.value for item in node.keywords)]:
            found |= self.origins(argument, block, depth + 1)
        found |= of_call(node, dotted, self._names) | of_cloud(node, dotted, self._names)
        found |= of_search(node, dotted, self._names)
        found |= client(node, dotted, self._names)
        found |= _of_hub(getattr(node.func, "attr", dotted.rpartition(".")[2]), found)
        if tag := REQUEST if ASKING.match(dotted) else TAG_OF.get(dotted):
            found = found | {tag}
        maker, made, method = dotted.rpartition("().")
        if made and OBJECTS.get(maker, {}).get(method) in ("download", "send", "connect"):
            found = found | {"download"}
        if made and maker == "socket.socket" and method in ("recv", "makefile"):
            found = found | {"download"}
        if dotted in OPENS:
            found = found | self._read(node.args[0] if node.args else None)
        if isinstance(node.func, ast.Attribute) and node.func.attr in _DUMPS and self._holds_settings(node.func.value):
            found.add("secret")
        found |= _BY_METHOD.get(getattr(node.func, "attr", ""), set())
        if isinstance(node.func, ast.Attribute):
            found = self._of_method(node.func, found, block, depth)
        elif isinstance(node.func, ast.Name):
            found = found | self._returns.get(node.func.id, set())
        return found

    def _of_method(self, func: ast.Attribute, given: set[str], block: str, depth: int) -> set[str]:
        """What a method of something gives, which is `given` arguments of these origins."""
        found = given | (self._read(func.value) if func.attr in ("read_text", "read_bytes") else set())
        found |= {JOINED} if func.attr in ("join", "reduce") and found & DATA else set()
        found |= (
            {SPELT}
            if func.attr in ("decode", "convert_tokens_to_string", "convert_ids_to_tokens") and "config" in found
            else set()
        )
        holder = answering(self.origins(func.value, block, depth + 1), given)
        said = receives(func.attr, self._names.imports)
        return (
            found | _told(holder, func.attr) | ({TOLD} if said else set()) | self._returns.get(f"*.{func.attr}", set())
        )

    def _read(self, place: ast.expr | None) -> set[str]:
        """What is read from a file."""
        path = spoken(place, self._names) if place is not None else UNKNOWN
        if UNKNOWN in path and place is not None and (held := self._looped(place)):
            return held
        if held := credential_at(path):
            return held
        return {SOURCE + path[-_PATH:]} if path.endswith(".py") else {"file"}

    def _looped(self, place: ast.expr, depth: int = 0) -> set[str]:
        """What a path leads to that a loop over constants gives."""
        found = set[str]()
        for part in walk(place):
            if isinstance(part, ast.Name):
                for text in self._names.looped(part.id):
                    found |= credential_at(text) if len(text) < _PATH and text.startswith(("~", "/", ".")) else set()
                if part.id in self._names.single and depth < _ROUNDS:
                    found |= self._looped(self._names.single[part.id], depth + 1)
        return found

    def _pass(self, block: Block) -> None:
        for node in block.inner():
            if isinstance(node, ast.Call):
                self._write(node, block.name)
                self._pack(node, block)
            match node:
                case ast.Assign():
                    self._assign(block.name, node.targets, node.value)
                case ast.AnnAssign() | ast.AugAssign() | ast.NamedExpr() if node.value is not None:
                    self._assign(block.name, [node.target], node.value)
                case LoopHead():  # a line or record of a file is data, not the file
                    self._assign(block.name, [node.target], node.iter, without="file")
                case ast.For() | ast.AsyncFor() | ast.comprehension():
                    self._assign(block.name, [node.target], node.iter)
                case ast.withitem() if node.optional_vars is not None:
                    self._assign(block.name, [node.optional_vars], node.context_expr)
                case ast.Return() if node.value is not None:
                    name = f"*.{block.last}" if block.owner else block.name
                    self._returns.setdefault(name, set()).update(self.origins(node.value, block.name))
                case ast.Call():
                    self._called(deferred(node) or node, block)

    def _called(self, node: ast.Call, block: Block) -> None:
        """A call of a function of the file, now or later."""
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in self._blocks:
                self._hand_over(node, block.name, self._blocks[name])
            case ast.Call(
                func=ast.Attribute(attr="save"), args=[value, ast.Name(id=name), *_]
            ):  # into a file in memory
                self.variables.setdefault((block.name, name), set()).update(self.origins(value, block.name) & {WEIGHTS})
            case ast.Call(func=ast.Attribute(value=holder, attr=attr)) if attr in _GATHERS:
                self._gather(node, holder, block)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=attr)) if block.owner:
                if target := self._blocks.get(f"{block.owner}.{attr}"):
                    self._hand_over(node, block.name, target, skip=1)

    def _gather(self, node: ast.Call, holder: ast.expr, block: Block) -> None:
        """What a list of the module, or of an object, is given, others find there: what people say, and what is secret."""
        found = set[str]()
        for value in [*node.args, *(item.value for item in node.keywords)]:
            found |= {
                flow
                for flow in self.origins(value, block.name)
                if flow in ("given", "secret", "user-files") or flow.startswith("key:")
            }
        match holder:
            case ast.Name(id=name) if found and name in self._global and name not in block.parameters:
                self.variables.setdefault((MODULE, name), set()).update(found)
            case ast.Attribute(value=ast.Name(id=name), attr="headers") if found:
                self.variables.setdefault((block.name, name), set()).update(found)
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="self"), attr=name), attr="headers") if found:
                self.variables.setdefault(("self", name), set()).update(found)
            case ast.Attribute(value=ast.Name(id="self"), attr=name) if found:
                self.variables.setdefault(("self", name), set()).update(found)

    def _hand_over(self, node: ast.Call, block: str, target: Block, skip: int = 0) -> None:
        """Arguments become parameters; what is written to a place that a function is given is written for its caller."""
        given = [*zip(target.parameters[skip:], node.args, strict=False)]
        given += [(item.arg, item.value) for item in node.keywords if item.arg in target.parameters]
        for parameter, argument in given:
            held = self.variables.setdefault((target.name, parameter), set())
            found = self.origins(argument, block)
            if FETCHED in held and FETCHED not in found:
                self._mark(argument, block)
            held.update(found)

    def _write(self, node: ast.Call, block: str) -> None:
        """Whatever leads to the place that fetched bytes are put into has their origin."""
        for source, place in moved(node, self._names):
            if source is None or is_fetched(self.origins(source, block)):
                self._mark(place, block)

    def _pack(self, node: ast.Call, block: Block) -> None:
        """The path of a copy or archive of what is secret stands for it."""
        for place in packed(node, self._names.plain(node.func) or "", self._names):
            if isinstance(place, ast.Name):
                at = MODULE if place.id in self._global and place.id not in block.parameters else block.name
                self.variables.setdefault((at, place.id), set()).add("secret")
            path = place if isinstance(place, str) else spoken(place, self._names)
            if UNKNOWN not in path:
                self._packed.add(path)

    def _mark(self, place: ast.expr, block: str) -> None:
        opened = place.args[0] if isinstance(place, ast.Call) and place.args else place
        if isinstance(opened, ast.Constant) and isinstance(opened.value, str):
            self._fetched.add(opened.value)
        for name in self._places.led(place, block):
            holder, _, attribute = name.rpartition(".")
            at = "self" if holder else MODULE if attribute in self._global else block
            self.variables.setdefault((at, attribute), set()).add(FETCHED)

    def _assign(self, block: str, targets: list[ast.expr], value: ast.expr, without: str = "") -> None:
        self._places.note(block, targets, value)
        found = self.origins(value, block) - {without}
        if not found:
            return
        for target in targets:
            for node in walk(target):
                if isinstance(node, ast.Name) and (node.id != "self" or target is node):  # one attribute is not all
                    self.variables.setdefault((block, node.id), set()).update(found)
                elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
                    self.variables.setdefault(("self", node.attr), set()).update(found)


def answering(holder: Set[str], given: Set[str]) -> set[str]:
    """The origins of a client, as far as its answer has them: what a model writes does not hold the key of its service."""
    return {flow for flow in holder if "generated" not in given or not flow.startswith("key:")}


def _of_hub(function: str, given: set[str]) -> set[str]:
    """What the hub says of whoever runs the code, and lists of his."""
    if function == "whoami":
        return {ACCOUNT}
    return {OF_ACCOUNT} if function in _LISTS and ACCOUNT in given else set()


def _told(holder: set[str], attribute: str) -> set[str]:
    """What an attribute of a handler says: some of them are what is asked of it."""
    if ASKED not in holder:
        return holder
    return (holder - {ASKED}) | ({REQUEST} if attribute in ASKING_ATTRIBUTES else set())


def _of_repository(block: Block) -> list[str]:
    """Parameters that hold what the repository says: all of a configuration's, and files of a tokenizer."""
    if block.owner.endswith("Config") and block.last in ("__init__", "from_dict", "from_pretrained"):
        return [*block.parameters[1:], "kwargs"]
    if "oken" in block.owner and block.last == "__init__":
        return [name for name in block.parameters[1:] if name.endswith("_file")]  # by vocab_files_names
    return []
