"""What a program in Python shows, or lets do, whoever asks it: files of any name, the whole disk, a shell, other hosts.

Told where the request alone decides and nothing in the function looks at it: a path that is joined to a folder of the
program, checked, or only a name, is none. Sources: the documentation of Flask, Starlette, gradio, aiohttp, bottle, Django,
rpyc and debugpy.
"""

import ast
import re
from collections.abc import Callable, Iterable, Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.python.blocks import Block
from modelscan_plus.formats.text.python.handed import libraries
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.spoken import spoken
from modelscan_plus.formats.text.python.walk import walk

READS, WRITES = (
    "shows whoever asks any file that a request names",
    "writes what a request holds to any file that it names",
)
DISK, PROXY = (
    "shows whoever asks the whole disk",
    "asks any address for whoever names it, with method and content of their choice",
)
SHELL, PAGE = "gives whoever asks a shell", "shows whoever visits the environment"
SERVED = "lets whoever connects run what they like"
TEMPLATE = "renders a template that a request holds"
SCRIPT = "has whoever visits run what another host gives"
INSTALLS = "installs what a request names"
_SENDS_FILE = lazy(
    r"^(?:flask\.(?:helpers\.)?send_file|quart\.send_file|(?:fastapi|starlette)\.responses\.FileResponse|aiohttp\.web\.FileResponse|sanic\.response\.file(?:_stream)?|"
    r"django\.http\.FileResponse|litestar\.response\.File)$"
)
ANSWERS = lazy(
    r"(?:^|\.)(?:Response|PlainTextResponse|HTMLResponse|StreamingResponse|HttpResponse|make_response|JSONResponse|jsonify|json_response|FileResponse)$"
)
ANSWERING = frozenset(("self.wfile.write", "self.write", "self.finish"))
_SERVES = lazy(
    r"(?:\.(?:StaticFiles|SimpleHTTPRequestHandler|set_static_paths|FileExplorer|static_file|send_from_directory|StaticFileHandler|FileExplorer)|\.(?:launch|mount_gradio_app|"
    r"add_static|static|Flask|partial|add_anonymous|add_user))$"
)
_OF_DISK = {
    "": ("directory", "root_dir", "static_folder", "root", "path", "paths"), ".Flask": ("static_folder",),
    ".launch": ("allowed_paths",), ".mount_gradio_app": ("allowed_paths",),
}  # fmt: skip
"""Arguments that say what is served, by method."""
_WEB = frozenset(
    "flask quart fastapi starlette aiohttp sanic bottle tornado django falcon litestar robyn cherrypy pyramid nicegui chainlit bentoml http".split()
)
_ROOTS = frozenset(
    ("/", "//", "/root", "/home", "/etc", "/proc", "/proc/self", "C:\\", "C:/", "c:\\", "/var", "/usr", "~")
)
_GUARDS = lazy(
    r"\b(?:is_relative_to|relative_to|startswith|basename|secure_filename|safe_join|commonpath|commonprefix|normpath|realpath|allowed\w*|ALLOWED\w*|abort|"
    r"compare_digest|fullmatch|isalnum|whitelist|in_?validate\w*|HTTPException)\b|\bnot\s+in\b|\bif\b[^:\n]{0,80}\bin\b|\bre\.(?:match|search|sub)\b"
)
_GIVEN_NAMES = frozenset(("filename", "name", "orig_name", "file", "path"))
"""What a library calls a file that was uploaded."""
_JOINS = frozenset(
    (
        "os.path.join",
        "pathlib.Path",
        "pathlib.PurePath",
        "builtins.str",
        "os.fspath",
        "os.path.abspath",
        "posixpath.join",
    )
)
_ASKING = frozenset(("request", "get", "post", "put", "stream", "send", "build_request", "urlopen", "fetch"))
_TEMPLATES = lazy(
    r"(?:^|\.)(?:render_template_string|jinja2\.Template|mako\.template\.Template|tornado\.template\.Template|\.from_string|Environment\(\)\.from_string)$"
)
_SHELLS = lazy(r"(?:\S*/)?(?:ba|z|da|k)?sh(?:\s+-[il]+)*\s*$|cmd(?:\.exe)?\s*$|powershell(?:\.exe)?\s*$", re.I)
_STARTS = lazy(
    r"^(?:pty\.spawn|os\.exec\w+|subprocess\.Popen|asyncio\.create_subprocess_exec|asyncio\.create_subprocess_shell|ptyprocess\.\w+\.spawn|pexpect\.spawn|winpty\.\w+\.spawn)$"
)
_PAGES = lazy(r"^(?:gradio|streamlit|nicegui|panel|dash)\.")
_ANYONE = lazy(r"0\.0\.0\.0|^\s*::\s*$|(?:^|\s)\*(?:\s|$)")
_INSTALLS = lazy(r"(?:\bpip3?|\buv\s+pip)\s+install\b|^install\b")
_NO_PIN = lazy(r"WERKZEUG_DEBUG_PIN\W{1,12}off\b")
_RUN_FUNCTIONS = frozenset(
    (
        "builtins.eval",
        "builtins.exec",
        "os.system",
        "os.popen",
        "subprocess.run",
        "subprocess.getoutput",
        "subprocess.check_output",
        "subprocess.Popen",
    )
)


class Routes:
    """The answers of one source to those that ask it."""

    def __init__(
        self, names: Names, asked: Callable[[ast.expr, Block], bool], touched: Callable[[ast.expr, Block], bool]
    ) -> None:
        self._names = names
        self._asked = asked
        """True for a value that a request decides as a whole."""
        self._touched = touched
        """True for a value of which a request decides a part."""
        self._guarded: dict[str, bool] = {}
        self._panel = "panel" in libraries(names)
        """Terminals of its pages start what they are told to."""
        self._web = not libraries(names).isdisjoint(_WEB)
        """Routes are asked by anybody who can reach the machine; a page of gradio gives paths of its own."""

    def lets(self, node: ast.Call, block: Block, *, returned: bool) -> str:
        """What the call lets somebody do, "" for nothing."""
        dotted = self._names.plain(node.func) or ""
        if self._shows_disk(node, dotted):
            return DISK
        if self._serves(node, dotted):
            return SERVED
        if self._panel and ast.unparse(node.func).endswith(".subprocess.run") and self._is_shell(node):
            return SHELL
        if _PAGES.match(dotted) and any(self._is_environment(value) for value in _values(node)):
            return PAGE
        if self._loads_elsewhere(node, dotted):
            return SCRIPT
        first = node.args[0] if node.args else None
        if _TEMPLATES.search(dotted) and first is not None and self._asked(first, block):
            return TEMPLATE
        if block.handed != "asked" and not block.name:
            return ""
        return self._for_request(node, dotted, block, returned=returned)

    def _for_request(self, node: ast.Call, dotted: str, block: Block, *, returned: bool) -> str:
        if _STARTS.match(dotted) and block.handed == "asked" and self._is_shell(node):
            return SHELL
        if self._installs(node, dotted, block):
            return INSTALLS
        path = self._path(node, dotted) if self._web else None
        if path is not None and self._decides(path, block) and not self._is_guarded(block):
            if _SENDS_FILE.match(dotted) or returned:
                return READS
            if self._writes(node, dotted, block):
                return WRITES
        return PROXY if self._passes_on(node, dotted, block) else ""

    def _loads_elsewhere(self, node: ast.Call, dotted: str) -> bool:
        """True for a page of Dash with a script of an address without a name, and a part of Streamlit that is another host's."""
        given = [item.value for item in node.keywords if item.arg in ("external_scripts", "url")]
        said = " ".join(spoken(part, self._names) for each in given for part in getattr(each, "elts", [each]))
        if dotted.endswith(".declare_component"):
            return re.match(r"https?://(?!localhost|127\.|0\.0)", said) is not None
        return dotted.endswith("dash.Dash") and prose.odd_url(said) is not None

    def _installs(self, node: ast.Call, dotted: str, block: Block) -> bool:
        """True for `pip install` of a package that a request names."""
        if not self._web or not dotted.startswith(("subprocess.", "os.system", "pip.")) or self._is_guarded(block):
            return False
        parts = [part for each in node.args[:1] for part in (each.elts if isinstance(each, ast.List) else [each])]
        said = " ".join(spoken(part, self._names) for part in parts)
        return _INSTALLS.search(said) is not None and any(self._touched(part, block) for part in parts)

    def _decides(self, path: ast.expr, block: Block) -> bool:
        path = self._begins(path)
        name = path.attr if isinstance(path, ast.Attribute) else ""
        own = isinstance(path, ast.Attribute) and isinstance(path.value, ast.Name) and path.value.id == "self"
        return name not in _GIVEN_NAMES - ({"path"} if own else set()) and self._asked(path, block)

    def _begins(self, path: ast.expr, depth: int = 0) -> ast.expr:
        """The part that a path begins with: of one that is joined to a folder, the folder."""
        match path:
            case ast.Name(id=name) if name in self._names.single and depth < 10:
                return self._begins(self._names.single[name], depth + 1)
            case ast.Call(args=[ast.Constant(value="/"), part, *_]) if (self._names.plain(path.func) or "") in _JOINS:
                return part
            case ast.Call(args=[first, *_]) if (self._names.plain(path.func) or "") in _JOINS and depth < 10:
                return self._begins(first, depth + 1)
            case ast.BinOp(left=ast.Constant(value="/" | "" | "//"), right=right):
                return right
            case ast.JoinedStr(values=[ast.Constant(value="/"), ast.FormattedValue(value=first), *_]):
                return first
            case ast.BinOp(left=left) if depth < 10:
                return self._begins(left, depth + 1)
        return path

    def _path(self, node: ast.Call, dotted: str) -> ast.expr | None:
        """The path that a call opens, sends or writes."""
        named = next(
            (item.value for item in node.keywords if item.arg in ("path", "path_or_file", "filename_or_fp")), None
        )
        first = node.args[0] if node.args else named
        if _SENDS_FILE.match(dotted) or dotted in ("builtins.open", "aiofiles.open", "io.open", "pathlib.Path"):
            return named or first
        if isinstance(node.func, ast.Attribute) and node.func.attr in (
            "read_text",
            "read_bytes",
            "write_text",
            "write_bytes",
        ):
            holder = node.func.value
            holder = self._names.single.get(holder.id, holder) if isinstance(holder, ast.Name) else holder
            made = isinstance(holder, ast.Call) and (self._names.plain(holder.func) or "") in (
                "pathlib.Path",
                "anyio.Path",
            )
            return holder.args[0] if made and isinstance(holder, ast.Call) and holder.args else None
        return None

    def _writes(self, node: ast.Call, dotted: str, block: Block) -> bool:
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("write_text", "write_bytes"):
            return any(self._touched(value, block) for value in node.args)
        mode = (
            node.args[1]
            if len(node.args) > 1
            else next((item.value for item in node.keywords if item.arg == "mode"), None)
        )
        said = (self._names.folder.text(mode) or "") if mode is not None else ""
        return (
            dotted in ("builtins.open", "aiofiles.open", "io.open")
            and bool(said)
            and said[:1] in "wax"
            and self._in_route(block)
        )

    def _in_route(self, block: Block) -> bool:
        return any(
            isinstance(each, ast.Call)
            and isinstance(each.func, ast.Attribute)
            and each.func.attr in ("write", "writelines")
            and any(self._touched(value, block) for value in each.args)
            for each in block.inner()
        )

    def _is_guarded(self, block: Block) -> bool:
        """True where the function looks at what it is asked for."""
        if block.name not in self._guarded:
            said = "\n".join(ast.unparse(each) for each in block.nodes if isinstance(each, (ast.stmt, ast.expr)))
            self._guarded[block.name] = _GUARDS.search(said[:20_000]) is not None
        return self._guarded[block.name]

    def _passes_on(self, node: ast.Call, dotted: str, block: Block) -> bool:
        """True for a request to an address that a request holds as a whole, with the method or content of that request."""
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if method not in _ASKING:
            return False
        by_method = method == "request" and len(node.args) > 1
        options = {item.arg: item.value for item in node.keywords}
        address = options.get("url") or (node.args[1] if by_method else node.args[0] if node.args else None)
        if address is None or not self._asked(address, block) or self._is_guarded(block):
            return False
        how = options.get("method") or (node.args[0] if by_method else None)
        carried = [options[name] for name in ("data", "content", "headers") if name in options]
        return (how is not None and self._touched(how, block)) or (
            len(carried) > 1 and all(self._touched(each, block) for each in carried)
        )

    def _shows_disk(self, node: ast.Call, dotted: str) -> bool:
        method = f".{node.func.attr}" if isinstance(node.func, ast.Attribute) else dotted
        if dotted == "os.chdir" and node.args and self._is_root(node.args[0]):
            return any(
                getattr(each, "attr", getattr(each, "id", "")) == "SimpleHTTPRequestHandler"
                for each in self._names.nodes
            )
        if not _SERVES.search(dotted) and not _SERVES.search(method):
            return False
        told = _OF_DISK.get(method, _OF_DISK[""])
        served = [item.value for item in node.keywords if item.arg in told]
        if method.endswith(("send_from_directory", "set_static_paths", "StaticFiles", "FileExplorer")):
            served += node.args[:1]
        if method.endswith((".add_static", ".static")):
            served += node.args[1:2]
        if dotted == "" and method in (".add_anonymous", ".add_user"):
            served += node.args[:1] if method == ".add_anonymous" else node.args[2:3]
        if method == ".partial" and not any("SimpleHTTPRequestHandler" in ast.unparse(each) for each in node.args[:1]):
            return False
        return any(self._is_root(value) for value in served)

    def _is_root(self, value: ast.expr) -> bool:
        if isinstance(value, ast.Name) and value.id in self._names.single:
            value = self._names.single[value.id]
        if isinstance(value, (ast.List, ast.Tuple)):
            return any(self._is_root(each) for each in value.elts[:50])
        if isinstance(value, ast.Call) and (self._names.plain(value.func) or "").endswith("Path") and value.args:
            return self._is_root(value.args[0])
        dotted = self._names.plain(value) or ""
        return (self._names.folder.text(value) or "") in _ROOTS or dotted == "os.sep"

    def _serves(self, node: ast.Call, dotted: str) -> bool:
        """True for a server that hands the process to whoever connects, and that other machines reach."""
        said = " ".join(spoken(value, self._names) for value in _values(node))
        if self._debugs(node, dotted, said):
            return True
        if dotted.startswith("rpyc.") and ("SlaveService" in ast.unparse(node) or "ClassicServer" in dotted):
            return not re.search(r"localhost|127\.0\.0\.1", said)
        if dotted in (
            "debugpy.listen",
            "ptvsd.enable_attach",
            "rpdb.Rpdb",
            "remote_pdb.RemotePdb",
            "web_pdb.set_trace",
            "madbg.set_trace",
            "pydevd.settrace",
        ):
            return _ANYONE.search(said) is not None
        registers = isinstance(node.func, ast.Attribute) and node.func.attr in (
            "register_function",
            "register",
            "add_method",
            "add_rpc_method",
        )
        return registers and any((self._names.plain(each) or "") in _RUN_FUNCTIONS for each in node.args[:2])

    def _debugs(self, node: ast.Call, dotted: str, said: str) -> bool:
        """True for Werkzeug's console where it asks for no number: whoever provokes an error runs what they like."""
        options = {item.arg: item.value for item in node.keywords}

        def is_set(name: str, value: object) -> bool:
            held = options.get(name)
            return isinstance(held, ast.Constant) and held.value is value

        if dotted.endswith("DebuggedApplication"):
            return is_set("pin_security", False) and not is_set("evalex", False)
        starts = dotted.endswith("run_simple") or (isinstance(node.func, ast.Attribute) and node.func.attr == "run")
        debugs = is_set("debug", True) or is_set("use_debugger", True)
        return starts and debugs and _ANYONE.search(said) is not None and self._asks_for_no_number()

    def _asks_for_no_number(self) -> bool:
        return any(
            isinstance(each, (ast.Assign, ast.Call)) and _NO_PIN.search(ast.unparse(each)[:400]) is not None
            for each in self._names.nodes
        )

    def _is_shell(self, node: ast.Call) -> bool:
        said = " ".join(spoken(value, self._names) for value in node.args[:3]).strip()
        words = said.split()
        return bool(words) and _SHELLS.match(" ".join(dict.fromkeys(words))) is not None

    def _is_environment(self, value: ast.expr) -> bool:
        match value:
            case ast.Attribute():
                return self._names.plain(value) == "os.environ"
            case ast.Call(func=ast.Name(id="dict" | "str" | "repr" | "list"), args=[first, *_]):
                return self._is_environment(first)
            case ast.Call(func=ast.Attribute(value=held, attr="copy" | "items")):
                return self._is_environment(held)
            case ast.Call(func=ast.Attribute(attr="dumps"), args=[first, *_]):
                return self._is_environment(first)
            case ast.DictComp(generators=[ast.comprehension(iter=held, ifs=[])]):
                return self._is_environment(held)
            case ast.Dict(values=values):
                return any(self._is_environment(each) for each in values)
            case ast.Name(id=name) if name in self._names.single and not isinstance(self._names.single[name], ast.Name):
                return self._is_environment(self._names.single[name])
        return False


def _values(node: ast.Call) -> Iterator[ast.expr]:
    yield from node.args
    yield from (item.value for item in node.keywords)


def answered(nodes: Iterable[ast.AST], names: Names) -> set[int]:
    """What stands inside of answers to a request."""
    calls = (node for node in nodes if isinstance(node, ast.Call))
    made = (
        node for node in calls if ANSWERS.search(names.plain(node.func) or "") or ast.unparse(node.func) in ANSWERING
    )
    return {id(each) for node in made for each in walk(node) if each is not node}
