"""Functions of a source that something outside calls because it is given them, with what others decide.

Nobody in the source calls such a function: a decorator gives it to a library (`@app.post(…)`, `@registry.layers(…)`), a
class derives from one of a library that knows its methods (`class H(BaseHandler)`), it is handed over by its name
(`button.click(run)`, `{"handler": run}`), or its parameters are those by which a platform knows it (`event, context`).
In a source that imports a library by which other people or machines ask a program, what the function is given is a request.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.walk import walk

REQUEST = "request"
"""The origin of what somebody outside asks for."""
TOLD = "told"
"""The origin of what a library gives a function that it was given."""
ASKED_BY = frozenset(
    """gradio fastapi flask starlette aiohttp sanic quart bottle tornado django falcon litestar robyn cherrypy pyramid
    websockets socketio flask_socketio chainlit dash nicegui panel shiny discord nextcord telegram telebot aiogram pyrogram
    slack_bolt runpod modal functions_framework bentoml litserve kserve mlserver ts pytriton xmlrpc http socketserver cog
    sagemaker_inference streamlit taipy reflex flet mesop solara fasthtml mangum chalice potassium beam jsonrpcserver
    asyncssh zerorpc rpyc Pyro4 Pyro5 grpc zmq paho pika celery rq triton_python_backend_utils inferless ray seldon_core rasa_sdk
    botbuilder nonebot hypercorn uvicorn waitress blacksheep muffin japronto vibora apistar hug responder molten""".split()
)
"""Libraries by which a program is asked for something: servers, pages, bots, queues."""
_NEUTRAL = lazy(
    r"(?:^|[._])(?:static_?method|class_?method|\w*property|setter|getter|deleter|\w*cache\w*|memo\w*|wraps?|\w*jit|\w*no_grad|"
    r"inference_mode|enable_grad|tim(?:er|ed|eit|e_it)|profil\w*|deprecat\w*|overload|override|final|abstract\w*|dataclass\w*|"
    r"\w*contextmanager|patch\w*|skip\w*|mark|parametrize|rank_zero\w*|\w*main_process\w*|retry\w*|backoff\w*|compile\w*|"
    r"synchron\w*|singleton\w*|require\w*|replace_return\w*|\w*docstring\w*|can_return\w*|\w*validat\w*|\w*check\w*|\w*serializer|"
    r"beartype|typed|jaxtyped|define|attrs|frozen|total_ordering|runtime_checkable|unique|log\w*|trace\w*|suppress\w*|"
    r"given|settings|singledispatch\w*|vectorize|guvectorize|stencil|njit|checkpoint\w*|lru\w*|timeout|limit\w*|GPU|"
    r"custom_[fb]wd|custom_op|autocast\w*|script\w*|ignore|unused|export|custom_vjp|custom_jvp|defjvp|"
    r"partial|curry|pass_\w+|option|argument|group|command|version_option|main|cli|merge_with_config_defaults|experimental\w*|\w*magic\w*)$"
    r"|^(?:torch|numba|functools|typing|click|typer|abc|dataclasses|contextlib|tenacity|unittest|mock|pytest|jax|triton|flax|"
    r"hypothesis|attr|pydantic|tensorflow|tf|numpy|np|hydra|fire|atexit|enum|types|asyncio|warnings|operator|nn|transformers)\b",
    re.I,
)
"""Decorators that give back what they are given, or a function for the same callers."""
_BOTS = frozenset("discord nextcord telegram telebot aiogram nonebot slack_bolt botbuilder".split())
_COMMANDS = lazy(r"(?:^|[._])(?:command|group|hybrid_command)$")
_ROUTE = lazy(r"\.(?:get|post|put|patch|delete|route|api_route|websocket|head|options)$")
_OF_SERVERS = frozenset(("EndpointHandler", "InferlessPythonModel", "TritonPythonModel"))
"""Classes that a server knows by their name, whose methods it tells what is asked of it."""
_CALLED_BACK = lazy(r"^on_(?:message|data|command|request|event|publish|receive)\w*$|^(?:message|request)_callback$")
_PLAIN_BASES = lazy(
    r"^(?:builtins|abc|enum|typing|typing_extensions|dataclasses|collections|torch|nn|transformers|tokenizers|diffusers|pydantic|"
    r"unittest|argparse|logging|threading|multiprocessing|json|string|ast|io|contextlib|tensorflow|tf|keras|jax|flax|numpy|"
    r"pandas|datasets|evaluate|safetensors|huggingface_hub|setuptools|distutils|mlx|peft|accelerate|trl|pl|pytorch_lightning|"
    r"lightning|timm|einops|tqdm|click|types|queue|pathlib|string|configparser|html|xml|csv|pickle|codecs|ctypes|weakref|"
    r"traitlets|IPython|attr|attrs|msgspec|marshmallow|sqlalchemy|socket|select|selectors|subprocess|time|random|copy|importlib|docutils|"
    r"sphinx|nose|hypothesis|textual|rich|PyQt\d|PySide\d|tkinter|wx|kivy)\b"
)
"""Modules whose classes are derived from for other reasons than to be called by a program that serves."""
_HANDING = frozenset(
    """add_post add_get add_put add_patch add_delete add_route add_api_route add_url_rule add_websocket_route
    add_api_websocket_route click change select upload release input then success load blur clear stop edit like tick
    Interface ChatInterface Route WebSocketRoute serve start register_function register_instance start_server
    listen bind path re_path url add_handler subscribe add_event_handler on_click on_change before_request after_request
    start_unix_server message_loop register_view add_resource route rpc add_rpc set_handler connect expose create_task_handler
    exception_handler add_middleware on_message_callback basic_consume push_handlers post get put on api Depends Security""".split()
)
"""Methods and functions by which such libraries are given functions."""
_EVENT_NAMES = frozenset(("request", "req", "http_request", "websocket", "ws", "raw_data"))
_PLATFORM = (("event", "context"), ("data", "context"))
"""Parameters by which Lambda and TorchServe know a function."""
_OF_PAGES = frozenset(("__user__", "__event_emitter__", "__request__", "__metadata__", "__event_call__"))
"""Parameters by which Open WebUI gives tools what it knows."""
_WRITTEN = frozenset(("completions", "completion", "solution_str", "model_output", "llm_output"))
"""Parameters by which trainers and servers give functions what a model wrote."""
_WRAPS = lazy(
    r"\s*(?:(?:cd\s+\S+\s*(?:&&|;)|(?:\S*/)?(?:sudo|nohup|timeout|env|exec|eval|setsid|time|stdbuf|(?:ba|z|da|k)?sh|cmd(?:\.exe)?|"
    r"powershell|pwsh))(?:\s+(?:-\S+|/[cC]|\d+\w?|\w+=\S*))*\s*)+['\"(]?",
    re.I,
)
"""What stands before a command and runs it as it is."""
_OPTION = lazy(r"-\S*|/[cC]|\d+\w?|\w+=\S*")
_PASSING = frozenset(
    """str bytes bytearray list tuple split loads decode b64decode b32decode b85decode a85decode b16decode unhexlify unquote
    unquote_plus fromhex decompress strip BytesIO StringIO join escape quote dedent unescape literal_eval""".split()
)
"""Functions that give what they are given in another form."""
_FOLLOWS = lazy(r"[\s'\"]*(?:\d?>.*|[|;&].*)?", re.S)
_DEEPEST = 20
_OF_HANDLER = lazy(r"(?:Handler|View|Resource|Endpoint|Controller|ViewSet|Consumer|Servicer)\b")
ASKING_ATTRIBUTES = frozenset(
    """rfile headers path request get_argument get_arguments get_body_argument get_query_argument query_params""".split()
)
"""Attributes of a handler by which it is told what is asked of it."""
_RECEIVES = frozenset(
    """receive_text receive_json receive_bytes receive_message get_json get_data recv recvfrom recv_json recv_string recv_pyobj
    recv_multipart get_request_header get_all_request_header get_request_property blpop brpop lpop rpop brpoplpush basic_get FieldStorage""".split()
)
"""Methods that give what another machine says."""
_OF_OTHERS = {"parse_args": ("flask_restful", "flask_restx", "flask_restplus", "webargs"), "getvalue": ("cgi",)}
"""Those that say something else in most programs, argparse and io above all, with the packages in which they do."""
ASKING = lazy(
    r"^(?:(?:flask|bottle|quart|sanic|cherrypy|chalice)\.request\b|flask\.globals\.request\b|streamlit\.(?:sidebar\.)?(?:text_input|text_area|"
    r"chat_input|query_params|experimental_get_query_params|file_uploader)\b)"
)
"""Objects and functions that say what is asked of a program."""


class Handed(msgspec.Struct, frozen=True):
    """Functions by their dotted name in the file."""

    hooks: frozenset[str] = frozenset()
    """Those that something outside calls."""
    asked: Mapping[str, tuple[str, ...]] = {}
    """Those that are called when somebody asks for something, with the parameters that hold what is asked for."""
    told: Mapping[str, tuple[str, ...]] = {}
    """Others that a library calls, with their parameters."""
    written: Mapping[str, tuple[str, ...]] = {}
    """Those that trainers and benchmarks give what a model wrote, with their parameters."""
    passed: frozenset[str] = frozenset()
    """Functions of other modules that are handed over for what somebody asks, by their dotted names."""

    def serves(self, function: str) -> bool:
        """True for a function whose result somebody outside gets."""
        return function.partition("#")[0] in self.asked

    def knows(self, function: str, parameter: str) -> bool:
        """True for a parameter that something outside gives."""
        name = function.partition("#")[0]
        return parameter in self.asked.get(name, ()) or parameter in self.told.get(name, ())


NOTHING = Handed()


def handed(tree: ast.Module, names: Names) -> Handed:
    """The functions of a source that are given to something outside."""
    finder = _Finder(tree, names)
    return Handed(frozenset(finder.hooks), finder.asked, finder.told, finder.written, frozenset(finder.passed))


def is_neutral(decorator: str, imported: frozenset[str] = frozenset()) -> bool:
    """True for a decorator, by its name, that leaves a function to those who called it before."""
    if imported & _BOTS and _COMMANDS.search(decorator):
        return False
    return _NEUTRAL.search(decorator) is not None


def libraries(names: Names) -> frozenset[str]:
    """The packages that a source imports."""
    return frozenset(module.partition(".")[0] for module, _ in names.imports)


class _Finder:
    def __init__(self, tree: ast.Module, names: Names) -> None:
        self._names = names
        self._imported = libraries(names)
        self._is_asked = bool(self._imported & ASKED_BY) and _serves(self._imported, names)
        self.hooks: set[str] = set()
        self.asked: dict[str, tuple[str, ...]] = {}
        self.told: dict[str, tuple[str, ...]] = {}
        self.written: dict[str, tuple[str, ...]] = {}
        self.passed: set[str] = set()
        self._guards = _takes_away(tree)
        """It runs what is written only after it has taken the system away from it, as harnesses of benchmarks do."""
        self._functions: dict[str, tuple[str, tuple[str, ...]]] = {}
        """By its last name, a function's dotted name and its parameters."""
        self._own = {node.name for node in walk(tree) if isinstance(node, ast.ClassDef)}
        self._used = {node.attr for node in walk(tree) if isinstance(node, ast.Attribute)}
        self._walk(tree.body, "")
        for node in walk(tree):
            if isinstance(node, ast.Call):
                self._given(node)
            elif isinstance(node, ast.Assign):
                self._kept(node)

    def _walk(self, body: list[ast.stmt], owner: str) -> None:
        for statement in body:
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self._function(statement, owner)
                self._walk(statement.body, "")
            elif isinstance(statement, ast.ClassDef):
                self._class(statement)
            else:
                for part in ("body", "orelse", "finalbody"):
                    self._walk(getattr(statement, part, []), owner)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, owner: str) -> None:
        name = f"{owner}.{node.name}" if owner else node.name
        parameters = _parameters(node, is_method=bool(owner))
        self._functions.setdefault(node.name, (name, parameters))
        given = any(self._gives(decorator) for decorator in node.decorator_list)
        given = given or (owner == "Tools" and not node.name.startswith("_")) or not _OF_PAGES.isdisjoint(parameters)
        if given:
            self.hooks.add(name)
        if given:
            self._returned(node)
        given = given or (self._is_asked and any(map(_validates, node.decorator_list)))
        named = tuple(each for each in parameters if each in _EVENT_NAMES)
        if given:
            (self.asked if self._is_asked else self.told)[name] = parameters
        elif parameters[:2] in _PLATFORM and len(parameters) == 2:
            self.hooks.add(name)
            self.asked[name] = parameters[:1]
        elif not _WRITTEN.isdisjoint(parameters) and not self._guards:
            self.hooks.add(name)
            self.written[name] = parameters
        elif named and (self._is_asked or named[0] == "raw_data"):
            self.asked[name] = named

    def _returned(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Functions that a function gives back to what it is given to."""
        inner = {each.name: each for each in node.body if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))}
        for statement in node.body:
            given = statement.value if isinstance(statement, ast.Return) else None
            found = inner.get(given.id) if isinstance(given, ast.Name) else None
            if found is not None:
                self.hooks.add(found.name)
                self.told.setdefault(found.name, _parameters(found, is_method=False))

    def _gives(self, decorator: ast.expr) -> bool:
        """True for a decorator of a library, or of an object of one, that is not known to give the function back."""
        function = decorator.func if isinstance(decorator, ast.Call) else decorator
        said = _dotted(function)
        if isinstance(decorator, ast.Call) and any(item.arg == "autouse" for item in decorator.keywords):
            return True  # a fixture of pytest that every test uses
        if not said:
            return False
        if isinstance(decorator, ast.Call) and _ROUTE.search(said) and decorator.args and self._is_asked:
            path = self._names.folder.text(decorator.args[0])
            if path is not None and path.startswith("/"):
                return True  # a route of a program that a function is given
        root = said.partition(".")[0]
        if root in self._names.aliases:
            said = self._names.plain(function) or self._names.aliases[root] + said[len(root) :]
        elif root in self._names.defined or root not in self._names.single:
            return False  # a function of the source itself
        return not is_neutral(said, self._imported)

    def _class(self, node: ast.ClassDef) -> None:
        registered = any(self._gives(decorator) for decorator in node.decorator_list)
        foreign = [base for base in node.bases if self._is_foreign(base)]
        handles = any(_OF_HANDLER.search(_dotted(base)) for base in node.bases)
        for statement in node.body:
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self._function(statement, node.name)
                self._method(statement, node.name, given=registered or bool(foreign), handles=handles)
                self._walk(statement.body, "")
            elif isinstance(statement, ast.ClassDef):
                self._class(statement)

    def _method(self, node: ast.FunctionDef | ast.AsyncFunctionDef, owner: str, *, given: bool, handles: bool) -> None:
        name = f"{owner}.{node.name}"
        if given and not node.name.startswith("_") and node.name not in self._used:
            self.hooks.add(name)
            (self.asked if self._is_asked else self.told).setdefault(name, _parameters(node, is_method=True))
        if handles:
            self.asked[name] = ("self", *self.asked.get(name, ()))
        if owner in _OF_SERVERS and node.name in ("__call__", "infer", "execute"):
            self.hooks.add(name)
            self.asked.setdefault(name, _parameters(node, is_method=True))

    def _is_foreign(self, base: ast.expr) -> bool:
        """True for a class of a library that could know methods of those derived from it."""
        base = base.value if isinstance(base, ast.Subscript) else base
        said = _dotted(base)
        dotted = self._names.plain(base) or ""
        if not said or said.partition(".")[0] in self._own or not dotted or dotted.startswith("."):
            return False
        return not _PLAIN_BASES.match(dotted) and not dotted.endswith(("Error", "Exception", "Warning", "Config"))

    def _given(self, node: ast.Call) -> None:
        """Functions that a call of such a library is given by their names."""
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        registers = called.startswith("register_") and self._names.plain(node.func) is not None
        serves = called in _HANDING or called.endswith("Handler") or (called == "submit" and self._is_widget(node.func))
        if not registers and not (self._is_asked and serves):
            return
        for value in [*node.args, *(item.value for item in node.keywords)]:
            if isinstance(value, ast.Lambda):
                own = tuple(item.arg for item in value.args.args)
                self.asked[""] = (*self.asked.get("", ()), *(each for each in own if each not in self._names.single))
            if isinstance(value, (ast.Name, ast.Attribute)) and (dotted := self._names.plain(value)) and "." in dotted:
                self.passed.add(dotted)
            for last in _named(value):
                if last in self._functions:
                    name, parameters = self._functions[last]
                    self.hooks.add(name)
                    (self.asked if self._is_asked else self.told).setdefault(name, parameters)

    def _kept(self, node: ast.Assign) -> None:
        """`REGISTRY["x"] = f` of a table that a library keeps."""
        for target in node.targets:
            held = target.value if isinstance(target, ast.Subscript) else None
            given = node.value.id if isinstance(node.value, ast.Name) else ""
            if (
                isinstance(target, ast.Attribute)
                and self._is_asked
                and given in self._functions
                and _CALLED_BACK.match(target.attr)
            ):
                name, parameters = self._functions[given]
                self.hooks.add(name)
                self.asked.setdefault(name, parameters)
            if isinstance(held, ast.Name) and held.id in self._names.aliases and given in self._functions:
                name, parameters = self._functions[given]
                self.hooks.add(name)
                self.told.setdefault(name, parameters)

    def _is_widget(self, function: ast.expr) -> bool:
        """True for `box.submit` of gradio, as against that of a pool of threads."""
        holder = function.value if isinstance(function, ast.Attribute) else None
        made = self._names.single.get(holder.id) if isinstance(holder, ast.Name) else None
        return isinstance(made, ast.Call) and (self._names.plain(made.func) or "").startswith("gradio.")


class Around(msgspec.Struct, frozen=True):
    """What the function around a call says of its variables."""

    parameters: frozenset[str] = frozenset()
    loops: Mapping[str, ast.expr] = {}
    """By variable, what a loop takes it from."""


def leading(value: ast.expr, names: Names, around: Around, depth: int = 0) -> ast.expr | None:
    """The part of a command, code or data that says what it is; None where that stands in the source."""
    if depth > _DEEPEST:
        return None
    match value:
        case ast.Constant() | ast.Lambda():
            return None
        case ast.Name(id=name) if name in around.loops:
            return leading(around.loops[name], names, around, depth + 1)
        case ast.Name(id=name) if name not in around.parameters and (values := names.assigned(name)):
            found = (leading(each, names, around, depth + 1) for each in values)
            return next((each for each in found if each is not None), None)
        case ast.JoinedStr() | ast.BinOp() | ast.List() | ast.Tuple():
            return _of_parts(value, names, around, depth)
        case ast.ListComp(
            elt=ast.Name(id=item), generators=[ast.comprehension(target=ast.Name(id=name), iter=held)]
        ) if item == name:
            return leading(held, names, around, depth + 1)
        case ast.Call():
            return _of_call(value, names, around, depth)
        case ast.IfExp(body=one, orelse=other):
            return leading(one, names, around, depth + 1) or leading(other, names, around, depth + 1)
        case ast.Await(value=inner) | ast.NamedExpr(value=inner) | ast.Starred(value=inner):
            return leading(inner, names, around, depth + 1)
    return value


def _of_parts(value: ast.expr, names: Names, around: Around, depth: int) -> ast.expr | None:
    """The leading part of a text or command that is put together."""
    match value:
        case ast.JoinedStr(values=[ast.Constant(value=str(first)), *rest]) if rest and _WRAPS.fullmatch(first):
            return leading(ast.JoinedStr(rest), names, around, depth + 1)
        case ast.JoinedStr(values=[ast.FormattedValue(value=first), *rest]) if all(map(_only_follows, rest)):
            return leading(first, names, around, depth + 1)
        case ast.JoinedStr():
            return None
        case ast.BinOp(left=ast.Constant(value=str(first)), right=right) if _WRAPS.fullmatch(first.partition("%")[0]):
            return leading(right, names, around, depth + 1)
        case ast.BinOp(left=left):
            return leading(left, names, around, depth + 1)
        case ast.List(elts=[first, *rest]) | ast.Tuple(elts=[first, *rest]):
            program = names.folder.text(first)
            if program is not None and _WRAPS.fullmatch(f"{program} "):
                rest = [item for item in rest if not _OPTION.fullmatch(names.folder.text(item) or "")]
                return leading(ast.List(rest), names, around, depth + 1) if rest else None
            return leading(first, names, around, depth + 1)
    return None


_OF_TEXT = frozenset("split rsplit strip lstrip rstrip format encode".split())
"""Methods that leave in front what stands in front."""


def _of_call(value: ast.Call, names: Names, around: Around, depth: int) -> ast.expr | None:
    """The leading part of what a call gives: of a method's object, or of what a function is given to bring into form."""
    match value:
        case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="join"), args=[first]):
            return leading(first, names, around, depth + 1)
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format"), args=[first, *_]) if (
            not text.partition("{")[0].strip() or _WRAPS.fullmatch(text.partition("{")[0])
        ):
            return leading(first, names, around, depth + 1)
        case ast.Call(func=ast.Attribute(value=holder, attr=called), args=arguments) if called in _OF_TEXT:
            return leading(holder, names, around, depth + 1)
        case ast.Call(func=ast.Attribute(value=holder, attr=called), args=arguments):
            module = names.plain(holder) if isinstance(holder, ast.Name) else None
            if module is None or ASKING.match(module):
                if isinstance(holder, ast.JoinedStr):
                    return leading(holder, names, around, depth + 1)
                return None if isinstance(holder, ast.Constant) else value
            return leading(arguments[0], names, around, depth + 1) if arguments and called in _PASSING else None
        case ast.Call(func=ast.Name(id=called), args=[first, *_]):
            return leading(first, names, around, depth + 1) if called in _PASSING else None
    return value


def _only_follows(part: ast.expr) -> bool:
    """True for what may stand behind a command without making it another one: ` 2>&1`."""
    return not isinstance(part, ast.Constant) or _FOLLOWS.fullmatch(str(part.value)) is not None


def shows_environment(value: ast.expr | None, names: Names) -> bool:
    """True for an answer that holds the whole environment: `dict(os.environ)`, `{"e": {**os.environ}}`."""
    match value:
        case ast.Attribute():
            return names.plain(value) == "os.environ"
        case ast.Name(id=name) if name in names.single and not isinstance(names.single[name], ast.Name):
            return shows_environment(names.single[name], names)
        case ast.Call(func=ast.Name(id="dict" | "str" | "repr" | "list"), args=[first, *_]):
            return shows_environment(first, names)
        case ast.Call(func=ast.Attribute(value=held, attr="copy" | "items")):
            return shows_environment(held, names)
        case ast.Call(args=[first, *_]):  # jsonify(dict(os.environ)), JSONResponse(…)
            inner = (ast.Call, ast.Dict, ast.GeneratorExp, ast.ListComp, ast.DictComp)
            return isinstance(first, inner) and shows_environment(first, names)
        case ast.Dict(values=values):
            return any(shows_environment(each, names) for each in values)
        case (
            ast.GeneratorExp(generators=[ast.comprehension(iter=held, ifs=[])])
            | ast.ListComp(generators=[ast.comprehension(iter=held, ifs=[])])
            | ast.DictComp(generators=[ast.comprehension(iter=held, ifs=[])])
        ):
            return shows_environment(held, names)
    return False


def _takes_away(tree: ast.Module) -> bool:
    """True for a source that sets `os.system`, `subprocess.Popen` and the like to None."""
    taken = {
        target.attr
        for node in walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and node.value.value is None
        for target in node.targets
        if isinstance(target, ast.Attribute)
    }
    return len(taken & {"system", "Popen", "kill", "fork", "rmtree", "putenv", "popen"}) > 2


def _validates(decorator: ast.expr) -> bool:
    """True for a validator of pydantic, which sees what a request holds."""
    function = decorator.func if isinstance(decorator, ast.Call) else decorator
    return _dotted(function).endswith("validator")


def _serves(imported: frozenset[str], names: Names) -> bool:
    """False where `http` or `ray` is imported for something else than to serve."""
    found = imported & ASKED_BY
    if found <= {"http", "ray", "xmlrpc", "telegram", "zmq", "grpc", "aiohttp", "websockets"}:
        modules = {module for module, _ in names.imports} | {
            f"{module}.{name}" for module, given in names.imports for name in given
        }
        return any(re.match(r"http\.server|ray\.serve|xmlrpc\.server|telegram\.ext|zmq|grpc|aiohttp\.web\b|websockets", each)
                   for each in modules)  # fmt: skip
    return bool(found)


def _parameters(node: ast.FunctionDef | ast.AsyncFunctionDef, *, is_method: bool) -> tuple[str, ...]:
    taken = node.args
    every = [item.arg for item in [*taken.posonlyargs, *taken.args]]
    static = any(isinstance(each, ast.Name) and each.id == "staticmethod" for each in node.decorator_list)
    if is_method and not static:
        every = every[1:]
    rest = (item.arg for item in [*taken.kwonlyargs, taken.vararg, taken.kwarg] if item is not None)
    return (*every, *rest)


def _dotted(node: ast.expr) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Call):  # app.route("/x").methods(…)
        return ".".join([_dotted(node.func), *reversed(parts)])
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _named(value: ast.expr, depth: int = 0) -> Iterator[str]:
    """Names that stand in an argument, also inside of lists and tables."""
    match value:
        case ast.Name():
            yield value.id
        case ast.Attribute():
            yield value.attr
        case ast.Call(func=ast.Name(id="partial") | ast.Attribute(attr="partial"), args=[first, *_]):
            yield from _named(first, depth + 1)
        case ast.List() | ast.Tuple() | ast.Set() if depth < 3:
            for item in value.elts[:50]:
                yield from _named(item, depth + 1)
        case ast.Dict() if depth < 3:
            for item in value.values[:50]:
                yield from _named(item, depth + 1)


def receives(method: str, imports: Iterable[tuple[str, tuple[str, ...]]]) -> bool:
    """True for a method that gives what another machine says, in a file with these imports."""
    packages = _OF_OTHERS.get(method)
    if packages is None:
        return method in _RECEIVES
    return any(module.partition(".")[0] in packages for module, _ in imports)
