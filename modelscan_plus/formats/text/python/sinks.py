"""Functions by what they do when they are called, by dotted name.

Sources: the documentation of the standard library and of the named packages. `families.py` has those of which every
function does the same. What is neither here nor there computes, as far as this scanner is concerned.
"""

import re

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.commands import BROWSER_FILES
from modelscan_plus.formats.text.python.families import family

_PROCESS = """os.fork os.forkpty os.system os.popen os.popen2 os.popen3 os.popen4 os.execl os.execle os.execlp os.execlpe os.execv
os.execve
os.execvp os.execvpe os.spawnl os.spawnle os.spawnlp os.spawnlpe os.spawnv os.spawnve os.spawnvp os.spawnvpe
os.posix_spawn os.posix_spawnp os.startfile posix.system nt.system subprocess.run subprocess.call subprocess.check_call
subprocess.check_output subprocess.Popen subprocess.getoutput subprocess.getstatusoutput pty.spawn pty.fork
commands.getoutput commands.getstatusoutput asyncio.create_subprocess_exec asyncio.create_subprocess_shell
asyncio.subprocess.create_subprocess_shell pexpect.spawn pexpect.run plumbum.local sh.bash sh.sh invoke.run
fabric.Connection pip.main pip._internal.main pip._internal.cli.main.main ensurepip.bootstrap _posixsubprocess.fork_exec
setuptools.sandbox.run_setup distutils.spawn.spawn platform.popen
torch.distributed.elastic.multiprocessing.start_processes torch.distributed.launcher.api.elastic_launch sh.Command execnet.makegateway
trio.run_process trio.open_process trio.lowlevel.open_process anyio.run_process anyio.open_process psutil.Popen
docker.from_env docker.DockerClient docker.APIClient podman.PodmanClient kubernetes.config.load_kube_config
kubernetes.config.load_incluster_config win32api.ShellExecute win32api.WinExec win32process.CreateProcess wmi.WMI jpype.startJVM
jnius.autoclass matlab.engine.start_matlab oct2py.octave.eval oct2py.Oct2Py js2py.eval_js js2py.EvalJs dbus.SystemBus dbus.SessionBus
System.Diagnostics.Process.Start twisted.internet.reactor.spawnProcess twisted.internet.utils.getProcessOutput asyncio.subprocess.create_subprocess_exec
win32com.shell.shell.ShellExecuteEx pythonnet.load subprocess32.Popen subprocess32.check_output distutils.spawn.spawnv
multiprocessing.util.spawnv_passfds IPython.utils.process.system IPython.utils.process.getoutput numpy.distutils.exec_command.exec_command
webbrowser.open webbrowser.get cgitb.enable pydoc.pipepager pydoc.tempfilepager rpy2.robjects.r
crontab.CronTab huggingface_hub.utils.run_subprocess ptyprocess.PtyProcess.spawn winpty.PtyProcess.spawn"""
_CODE = """builtins.object.__subclasses__ builtins.exec builtins.eval builtins.execfile code.interact code.InteractiveInterpreter
code.InteractiveConsole timeit.timeit timeit.repeat timeit.Timer typing.ForwardRef
ctypes.pythonapi.PyRun_SimpleString ctypes.pythonapi.PyRun_String ctypes.pythonapi.Py_CompileString cProfile.run profile.run bdb.Bdb trace.Trace types.FunctionType
types.LambdaType types.CodeType pdb.run doctest.testfile IPython.embed IPython.start_ipython sympy.sympify numexpr.evaluate
pandas.eval pandas.core.computation.eval.eval sympy.parse_expr sympy.parsing.sympy_parser.parse_expr sympy.lambdify
cProfile.runctx profile.runctx pdb.runeval pdb.runcall doctest.run_docstring_examples doctest.debug doctest.debug_src
doctest.testmod numpy.testing.runstring numpy.testing.rundocs numpy.f2py.crackfortran.myeval cython.inline Cython.inline
torch._inductor.codecache.PyCodeCache.load torch.fx.graph_module._exec_with_source _xxsubinterpreters.run_string
_interpreters.exec _interpreters.run_string concurrent.interpreters.create mako.template.Template
tornado.template.Template"""
_MODULE = """runpy.run_path runpy.run_module importlib.util.spec_from_file_location importlib.util.module_from_spec
importlib.machinery.SourceFileLoader imp.load_source imp.load_module imp.load_compiled imp.load_dynamic
zipimport.zipimporter pkgutil.find_loader importlib.machinery.ExtensionFileLoader
importlib.machinery.SourcelessFileLoader transformers.dynamic_module_utils.get_class_from_dynamic_module
torch.hub.load kernels.get_kernel kernels.LayerRepository kernels.FuncRepository torch.package.PackageImporter site.addsitedir"""
NAMED_FIRST = frozenset(
    """importlib.util.spec_from_file_location importlib.machinery.SourceFileLoader imp.load_source imp.load_compiled
    imp.load_dynamic importlib.machinery.SourcelessFileLoader importlib.machinery.ExtensionFileLoader sys.path.insert
    transformers.dynamic_module_utils.get_class_from_dynamic_module sympy.lambdify _xxsubinterpreters.run_string _interpreters.exec _interpreters.run_string pydoc.pipepager
    """.split()
)
"""Functions whose path or code stands behind a name, number or other value."""
_SEARCH_PATH = "sys.path.append sys.path.insert sys.path.extend"
_DOWNLOAD = """urllib.request.urlopen urllib.request.urlretrieve urllib2.urlopen urllib.urlopen urllib.urlretrieve
requests.get niquests.get httpcore.request requests.head requests.options httpx.get httpx.stream wget.download aiohttp.request
gdown.download curl_cffi.requests.get
torch.hub.download_url_to_file"""
_SEND = """urllib3.request pycurl.Curl scapy.all.send scapy.all.sendp scapy.all.sr1 scapy.all.sr scapy.sendrecv.send torch.distributed.rpc.rpc_sync
torch.distributed.rpc.rpc_async torch.distributed.rpc.remote requests.post requests.put requests.patch requests.delete requests.request httpx.post httpx.put httpx.patch
httpx.request boto3.client boto3.resource telegram.Bot slack_sdk.WebClient"""
_CONNECT = """socket.create_connection websocket.create_connection
websockets.connect asyncio.open_connection dns.resolver.resolve dns.resolver.query socket.gethostbyname
socket.getaddrinfo asyncssh.connect xmlrpc.client.ServerProxy Pyro4.Proxy rpyc.connect rpyc.classic.connect
socks.socksocket"""
_LISTEN = """uvicorn.run hypercorn.asyncio.serve waitress.serve aiohttp.web.run_app bottle.run werkzeug.serving.run_simple
wsgiref.simple_server.make_server pyngrok.ngrok.connect pydoc.serve pydoc.browse http.server.test grpc.server asyncssh.listen
debugpy.listen ptvsd.enable_attach rpdb.set_trace rpdb.Rpdb remote_pdb.RemotePdb remote_pdb.set_trace IPython.embed_kernel
IPython.kernel.embed_kernel ipykernel.embed.embed_kernel manhole.install rpyc.utils.server.ThreadedServer rpyc.utils.server.ForkingServer
notebook.notebookapp.main jupyter_server.serverapp.main jupyterlab.labapp.main notebook.app.main aiomonitor.start_monitor
pyftpdlib.servers.FTPServer web_pdb.set_trace madbg.set_trace telepythy.server socketserver.TCPServer http.server.HTTPServer http.server.ThreadingHTTPServer socketserver.ThreadingTCPServer socket.create_server asyncio.start_server
xmlrpc.server.SimpleXMLRPCServer multiprocessing.managers.BaseManager"""
_UNPICKLE = """pickle.load pickle.loads pickle.Unpickler cPickle.load cPickle.loads _pickle.load _pickle.loads dill.load
dill.loads cloudpickle.load cloudpickle.loads joblib.load marshal.load marshal.loads shelve.open yaml.load
yaml.unsafe_load yaml.full_load yaml.load_all jsonpickle.decode torch.load pandas.read_pickle numpy.load
sklearn.externals.joblib.load"""
_NATIVE = """ctypes.CDLL ctypes.PyDLL ctypes.WinDLL ctypes.OleDLL ctypes.cdll.LoadLibrary ctypes.windll.* ctypes.memmove
ctypes.CFUNCTYPE cffi.FFI torch.ops.load_library torch.classes.load_library tensorflow.load_op_library tensorflow.load_library
numpy.ctypeslib.load_library _ctypes.dlopen mmap.mmap torch._inductor.aoti_load_package torch._inductor.package.load_package
torch._export.aot_load tvm.runtime.load_module"""
_BUILD = """torch.utils.cpp_extension.load torch.utils.cpp_extension.load_inline cupy.RawModule cupy.RawKernel
cpp_extension.load cpp_extension.load_inline numba.cuda.jit"""
_SHELL_ENDS = "os.dup2"
_DELETE = "shutil.rmtree os.remove os.unlink os.rmdir os.removedirs os.truncate"
_WRITE = "shutil.unpack_archive shutil.copy shutil.copy2 shutil.copyfile shutil.copytree shutil.move os.rename os.replace os.symlink os.link os.chmod os.chown"
_SECRETS = """keyring.get_credential keyboard.hook keyboard.record keyboard.read_event keyboard.start_recording keyboard.add_hotkey pynput.mouse.Listener
mss.mss pyscreenshot.grab pyautogui.screenshots browser_cookie3.edge browser_cookie3.brave browser_cookie3.opera evdev.InputDevice
pyxhook.HookManager win32gui.GetDC ctypes.windll.user32.GetAsyncKeyState ctypes.windll.user32.SetWindowsHookExA
ctypes.windll.user32.SetWindowsHookExW secretstorage.dbus_init browser_cookie3.load browser_cookie3.chrome browser_cookie3.firefox win32crypt.CryptUnprotectData
pyperclip.paste pyperclip.waitForNewPaste clipboard.paste win32clipboard.GetClipboardData PIL.ImageGrab.grabclipboard
pandas.io.clipboard.paste xerox.paste PIL.ImageGrab.grab pyautogui.screenshot pynput.keyboard.Listener keyboard.on_press"""
HUB_TOKENS = frozenset(
    """huggingface_hub.get_token huggingface_hub.HfFolder.get_token huggingface_hub.utils.get_token
    huggingface_hub.utils.build_hf_headers huggingface_hub.build_hf_headers""".split()
)
"""Functions that give the token of the hub."""
KEY_READS = frozenset(("keyring.get_password", "google.colab.userdata.get", "streamlit.secrets.get"))
"""Functions that give one credential by its name."""
_HOST = """platform.node platform.uname platform.platform socket.gethostname socket.getfqdn getpass.getuser os.getlogin
os.uname uuid.getnode psutil.users psutil.process_iter os.listdir os.walk glob.glob os.getcwd"""
_HUB = """huggingface_hub.model_info huggingface_hub.dataset_info huggingface_hub.space_info huggingface_hub.list_repo_commits
huggingface_hub.ModelCard.load huggingface_hub.DatasetCard.load huggingface_hub.RepoCard.load huggingface_hub.list_models
huggingface_hub.get_repo_discussions huggingface_hub.get_discussion_details huggingface_hub.list_repo_refs
huggingface_hub.get_collection huggingface_hub.metadata_load huggingface_hub.hf_hub_download huggingface_hub.snapshot_download huggingface_hub.cached_download
transformers.utils.cached_file transformers.utils.hub.cached_file modelscope.snapshot_download
torch.hub.load_state_dict_from_url"""
OPENS = frozenset(("builtins.open", "io.open", "codecs.open", "io.FileIO", "_io.open", "_io.FileIO", "_pyio.open"))
"""Functions that open a file by its path, with the mode second."""
_TEMPORARY = """tempfile.NamedTemporaryFile tempfile.TemporaryFile tempfile.SpooledTemporaryFile tempfile.TemporaryDirectory
tempfile.mkstemp tempfile.mkdtemp tempfile.mktemp tempfile.gettempdir os.memfd_create os.tmpfile os.tempnam"""
_INPUT = "builtins.input sys.stdin.read"
_DECODE = """base64.b64decode base64.b32decode base64.b16decode base64.b85decode base64.a85decode
base64.urlsafe_b64decode base64.standard_b64decode base64.decodebytes codecs.decode binascii.unhexlify binascii.a2b_hex
binascii.a2b_base64 zlib.decompress bz2.decompress lzma.decompress gzip.decompress builtins.bytes.fromhex
builtins.bytearray.fromhex marshal.loads cryptography.fernet.Fernet"""

_CARRIERS = """PIL.Image.open PIL.ExifTags cv2.imread imageio.imread imageio.v2.imread imageio.v3.imread skimage.io.imread
matplotlib.image.imread matplotlib.pyplot.imread torchvision.io.read_image torchvision.io.decode_image piexif.load exifread.process_file
wave.open soundfile.read soundfile.SoundFile librosa.load torchaudio.load torchaudio.info scipy.io.wavfile.read
scipy.io.loadmat mutagen.File eyed3.load numpy.load numpy.fromfile numpy.loadtxt numpy.genfromtxt numpy.memmap torch.load
torch.from_file safetensors.safe_open safetensors.torch.load_file safetensors.torch.load safetensors.numpy.load_file
h5py.File gguf.GGUFReader onnx.load pandas.read_csv pandas.read_json pandas.read_parquet pandas.read_excel
pandas.read_pickle json.load zipfile.ZipFile tarfile.open sqlite3.connect linecache.getline linecache.getlines
inspect.getsource inspect.getcomments inspect.getdoc tokenize.open tokenizers.Tokenizer.from_file
sentencepiece.SentencePieceProcessor configparser.ConfigParser tomllib.load yaml.safe_load pkgutil.get_data
os.getxattr xattr.getxattr xattr.xattr importlib.resources.read_text importlib.resources.read_binary importlib.resources.files importlib.metadata.metadata"""
"""Functions that read a file of some format: what it holds is data, whatever a program does with it."""
_SPELLS = "numpy.packbits builtins.chr builtins.bytes builtins.bytearray array.array struct.pack"
"""Functions that make texts of numbers."""

KIND_OF: dict[str, str] = {
    name: kind
    for kind, names in {
        "process": _PROCESS, "code": _CODE, "module": _MODULE, "download": _DOWNLOAD, "send": _SEND,
        "connect": _CONNECT, "listen": _LISTEN, "unpickle": _UNPICKLE, "native": _NATIVE, "native-build": _BUILD,
        "dup": _SHELL_ENDS, "delete": _DELETE, "write": _WRITE, "secret": _SECRETS,
        "search-path": _SEARCH_PATH,
    }.items()
    for name in names.split()
}  # fmt: skip
_WEIGHTS = """safetensors.safe_open safetensors.torch.load_file safetensors.torch.load safetensors.numpy.load_file
    safetensors.numpy.load safetensors.flax.load_file safetensors.tensorflow.load_file numpy.load numpy.fromfile numpy.memmap
    torch.load gguf.GGUFReader gguf.gguf_reader.GGUFReader onnx.load onnx.load_model"""
"""What reads weights, and what stands beside them in the file."""
TAG_OF: dict[str, str] = (
    dict.fromkeys(_CARRIERS.split(), "file")
    | dict.fromkeys(_DOWNLOAD.split(), "download")
    | dict.fromkeys(_SEND.split(), "download")
    | dict.fromkeys(_CONNECT.split(), "download")
    | dict.fromkeys(_DECODE.split(), "decoded")
    | dict.fromkeys(_SECRETS.split(), "secret")
    | dict.fromkeys(_HOST.split(), "host")
    | dict.fromkeys(_INPUT.split(), "input")
    | dict.fromkeys(_HUB.split(), "hub")
    | dict.fromkeys(_TEMPORARY.split(), "scratch")
    | dict.fromkeys(_WEIGHTS.split(), "weights")
    | {
        "shutil.which": "program",
        "pooch.retrieve": "fetched",
        "cached_path.cached_path": "fetched",
        "fsspec.open_local": "fetched",
    }
    | dict.fromkeys(_SPELLS.split(), "spelt")
    | {"keras.utils.get_file": "fetched", "tensorflow.keras.utils.get_file": "fetched"}
)
"""Where a call's result comes from."""

_LIBRARY = dict.fromkeys("system popen execl execlp execv execvp execve posix_spawn WinExec".split(), "process")
"""Functions of the C library that start programs."""
_HTTP = {
    "get": "download", "head": "download", "post": "send", "put": "send", "patch": "send", "request": "send",
    "stream": "download", "urlopen": "download", "open": "download", "send": "send",
}  # fmt: skip
_UPLOADS = dict.fromkeys(
    """upload_file upload_folder upload_large_folder create_commit update_repo_settings update_repo_visibility delete_repo delete_file
    delete_files delete_folder move_repo duplicate_space add_collection_item create_collection add_space_secret
    add_space_variable add_collaborator super_squash_history delete_branch merge_pull_request
    create_pull_request create_discussion grant_access accept_access_request create_webhook restart_space pause_space
    request_space_hardware create_inference_endpoint run_as_future run_job run_uv_job""".split(), "upload",
)  # fmt: skip
_SHELLS = """IPython.get_ipython IPython.core.interactiveshell.InteractiveShell IPython.core.getipython.get_ipython
IPython.InteractiveShell.instance"""
_OF_SHELLS = {
    "system": "process", "getoutput": "process", "system_raw": "process", "run_cell": "code", "ex": "code",
    "ev": "code", "runcode": "code", "safe_execfile": "module", "run_line_magic": "magic", "magic": "magic",
    "run_cell_magic": "magic",
}  # fmt: skip
_RUNNERS = """code.InteractiveInterpreter code.InteractiveConsole bdb.Bdb pdb.Pdb trace.Trace cProfile.Profile
profile.Profile asteval.Interpreter"""
_OF_RUNNERS = dict.fromkeys("runsource runcode push run runctx runeval eval".split(), "code")
_OF_CONTEXTS = dict.fromkeys("run sudo local".split(), "process")
_OF_WINDOWS = dict.fromkeys("Run ShellExecute Exec Create".split(), "process")
_OF_LOOPS = {"create_server": "listen", "create_connection": "connect", "create_datagram_endpoint": "connect"}
_OF_GIT = {"execute": "process", "config": "later"}
OBJECTS: dict[str, dict[str, str]] = {
    "huggingface_hub.HfApi": _UPLOADS, "huggingface_hub.hf_api.HfApi": _UPLOADS,
    "socket.socket": {
        "connect": "connect", "connect_ex": "connect", "send": "send", "sendall": "send", "sendto": "send",
        "bind": "bind", "listen": "listen", "accept": "listen",
    },
    "requests.Session": _HTTP, "requests.session": _HTTP, "httpx.Client": _HTTP, "httpx.AsyncClient": _HTTP,
    "aiohttp.ClientSession": _HTTP, "urllib3.PoolManager": _HTTP, "http.client.HTTPConnection": _HTTP,
    "http.client.HTTPSConnection": _HTTP, "urllib.request.build_opener": _HTTP,
    "ftplib.FTP": {"storbinary": "send", "storlines": "send", "retrbinary": "download"},
    "smtplib.SMTP": {"sendmail": "send", "send_message": "send"},
    "smtplib.SMTP_SSL": {"sendmail": "send", "send_message": "send"},
    "paramiko.SSHClient": {"connect": "connect", "exec_command": "process"},
    "ctypes.CDLL": _LIBRARY, "ctypes.PyDLL": _LIBRARY, "ctypes.WinDLL": _LIBRARY, "ctypes.cdll.LoadLibrary": _LIBRARY,
    **dict.fromkeys(_SHELLS.split(), _OF_SHELLS), **dict.fromkeys(_RUNNERS.split(), _OF_RUNNERS),
    "invoke.Context": _OF_CONTEXTS, "fabric.Connection": _OF_CONTEXTS, "win32com.client.Dispatch": _OF_WINDOWS,
    "win32com.client.DispatchEx": _OF_WINDOWS, "comtypes.client.CreateObject": _OF_WINDOWS,
    "flask.Flask": {"run": "listen"}, "gradio_client.Client": {"predict": "send", "submit": "send"},
    "yagmail.SMTP": {"send": "send"}, "apprise.Apprise": {"notify": "send"},
    **dict.fromkeys(("cloudscraper.create_scraper", "tls_client.Session", "niquests.Session", "curl_cffi.requests.Session",
                     "requests_html.HTMLSession", "treq.client.HTTPClient", "primp.Client"), _HTTP),
    "tkinter.Tcl": {"eval": "process", "evalfile": "process"}, "tkinter.Tk": {"eval": "process"},
    "lupa.LuaRuntime": {"eval": "process", "execute": "process"},
    "cffi.FFI": {"dlopen": "native", "verify": "native-build", "set_source": "native-build"},
    "git.Git": _OF_GIT, "git.cmd.Git": _OF_GIT,
    **dict.fromkeys(("urllib.request.URLopener", "urllib.request.FancyURLopener"), _HTTP | {"retrieve": "download"}),
    "openvino.Core": {"add_extension": "native", "register_plugin": "native"},
    "openvino.runtime.Core": {"add_extension": "native", "register_plugin": "native"},
    **dict.fromkeys(("asyncio.new_event_loop", "asyncio.get_event_loop", "asyncio.get_running_loop"), _OF_LOOPS),
    "telnetlib.Telnet": {"write": "send", "open": "connect"},
}  # fmt: skip
"""What the methods of an object do, by the function that makes it."""
METHOD_KINDS = {
    "sendall": "send", "sendmail": "send", "write_text": "write", "write_bytes": "write", "unlink": "delete",
    "exec_module": "module", "storbinary": "send", "exec_command": "process", "load_module": "module",
    "Popen": "process", "check_output": "process", "getoutput": "process", "getstatusoutput": "process", "popen": "process",
    "execvp": "process", "execve": "process", "posix_spawn": "process", "startfile": "process", "subprocess_exec": "process",
    "subprocess_shell": "process", "LoadLibrary": "native",
    "serve_forever": "listen", "create_datagram_endpoint": "connect", "load_extension": "native", "register_custom_ops_library": "native", "load_library": "library",
}  # fmt: skip
"""Methods that are telling whatever object they are called on."""

KUBERNETES_PATH = lazy(r"/run/secrets/(?:kubernetes\.io|eks\.amazonaws\.com|azure/tokens|tokens?)\b")
"""Where a container finds the token of its account."""
STORES = lazy(
    rf"\b{BROWSER_FILES}\b|"
    r"(?:Default|Profile\b[^/]*|\*)[\\/](?:Network[\\/])?Cookies\b|\bWeb Data\b|exodus\.wallet|electrum[\\/]wallets|"
    r"\bwallet\.dat\b|Local Extension Settings|nkbihfbeogaeaoehlefnkodbefgpgknn|\.config[\\/]solana|Ethereum[\\/]keystore|discord[\\/]Local Storage"
)
"""Where browsers and wallets keep passwords, cookies and keys."""
SENSITIVE_PATH = lazy(
    r"(?:^|[/\\~])\.(?:ssh|aws|gnupg|kube|docker/config|netrc|pypirc|npmrc|git-credentials|bash_history|zsh_history|"
    r"config/gcloud|cache/huggingface/token|huggingface/token|env)\b|/etc/(?:passwd|shadow|sudoers)|/proc/self/environ"
    rf"|(?:{BROWSER_FILES}|Cookies|Local State|wallet\.dat|keychain|id_rsa|id_ed25519|credentials\.json)\b"
    r"|User Data[\\/]+Default|(?:google-chrome|chromium|Chrome|Edge|Brave-Browser)[\\/](?:User Data[\\/]+)?(?:Default|Profile[^\\/]*)[\\/](?:History|Bookmarks|Web Data|Network|Sessions|Top Sites)|\.mozilla/firefox|Firefox/Profiles|\.(?:bitcoin|ethereum|electrum|monero|solana|password-store|azure)\b"
    r"|\.config/(?:gh|rclone|solana|google-chrome|chromium|hub)\b|(?:Exodus|Electrum|Atomic)[\\/](?:\w*wallets?|leveldb)"
    r"|Telegram Desktop[\\/]tdata|discord[\\/]Local Storage|stored_tokens\b|keyrings/"
    r"|\*\.(?:env|pem|ppk|kdbx|p12|pfx)\b|\*(?:key|secret|token|credential|passw)\w*\*?\.\w+$"
    r"|\.streamlit[\\/]secrets\.toml|/run/secrets/kubernetes\.io/|(?:^|/)token$|metadata\.google|169\.254\.169\.254",
    re.I,
)
HUB_TOKEN_PATH = lazy(r"(?:^|/)\.?(?:cache/)?huggingface/token$", re.I)
"""The file that holds the token of the hub, and nothing else."""
START_PATH = lazy(
    r"\.(?:bashrc|zshrc|profile|bash_profile|bash_login|zprofile|zshenv|xprofile)\b|authorized_keys|crontab|/etc/cron|"
    r"/etc/(?:rc\.local|profile|init|systemd|ld\.so\.preload)|systemd/(?:user|system)|LaunchAgents|LaunchDaemons|"
    r"Start Menu|\\Startup\\|CurrentVersion\\Run|autostart/|sitecustomize\.py|usercustomize\.py|site-packages|\.pth$|"
    r"\.git/hooks/|ipython/profile|\.jupyter/",
    re.I,
)
"""Files that something else runs later."""
SECRET_VARIABLE = lazy(r"TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_KEY|CREDENTIAL|PRIVATE_KEY", re.I)
HOOK_VARIABLE = lazy(
    r"^(?:LD_PRELOAD|LD_LIBRARY_PATH|DYLD_INSERT_LIBRARIES|PYTHONPATH|PYTHONSTARTUP|PYTHONHOME|PATH|BASH_ENV|PROMPT_COMMAND|"
    r"PYTHONHTTPSVERIFY|CURL_CA_BUNDLE|GIT_SSL_NO_VERIFY|NODE_TLS_REJECT_UNAUTHORIZED|TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD|HF_DATASETS_TRUST_REMOTE_CODE|"
    r"HF_ENDPOINT|PIP_INDEX_URL|PIP_EXTRA_INDEX_URL|PIP_CONFIG_FILE|PIP_FIND_LINKS|UV_\w*INDEX\w*|HTTPS?_PROXY|SSL_CERT_FILE|REQUESTS_CA_BUNDLE|"
    r"GIT_SSH(?:_COMMAND)?|GIT_CONFIG(?:_\w+)?|GIT_TEMPLATE_DIR|GIT_EXTERNAL_DIFF|GIT_PROXY_COMMAND|GIT_EXEC_PATH|LD_AUDIT|"
    r"PYTHONBREAKPOINT|PYTHONUSERBASE|NODE_OPTIONS|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS|SSLKEYLOGFILE|CUDA_INJECTION64_PATH|"
    r"NCCL_NET_PLUGIN|NCCL_TUNER_PLUGIN|NCCL_PROFILER_PLUGIN|CC|CXX|CUDAHOSTCXX|NVCC|BROWSER|EDITOR|VISUAL|PAGER|MANPAGER|GIT_EDITOR|GIT_PAGER|SHELL|PERL5OPT|RUBYOPT|LESSOPEN|RAY_RUNTIME_ENV_HOOK)$",
    re.I,
)
GIVEN_NAMES = frozenset(
    """__call__ forward generate tokenize _tokenize encode decode input_modifier chat_input_modifier output_modifier history_modifier preprocess postprocess handle inference predict chat
    stream_chat chat_stream batch_chat generate_stream stream_generate infer apply_chat_template input_fn predict_fn
    _encode_plus _batch_encode_plus encode_plus batch_encode_plus batch_encode _call_one prepare_for_tokenization prepare_for_model
    _batch_prepare_for_model decode batch_decode _decode encode_batch __forward _forward encode_image encode_text encode_prompt
    get_text_features get_image_features embed_documents embed_query _call _acall invoke ainvoke predict_stream predict_raw
    transform_input inlet outlet pipe stream decode_request encode_query encode_document rerank compute_score""".split()
)
"""Methods of a model, tokenizer or handler whose arguments are what its user gives it."""
ENTRY_NAMES = frozenset(
    """__init__ __new__ __post_init__ __call__ __enter__ __setstate__ __reduce__ __reduce_ex__ __del__ __getattr__
    __getattribute__ __getitem__ __len__ __iter__ __repr__ __str__ forward generate from_pretrained _from_pretrained
    from_config _load_from_state_dict load_state_dict load load_model load_weights setup initialize init_weights
    _init_weights post_init tokenize _tokenize encode decode __bool__ preprocess postprocess handle inference predict
    load_context _load_pretrained_model prepare_inputs_for_generation register_for_auto_class tie_weights to eval train
    reset_parameters convert_tokens_to_ids save_pretrained save_vocabulary apply_chat_template get_vocab _set_seed
    _encode_plus _batch_encode_plus encode_plus batch_encode_plus batch_encode encode_batch _call_one prepare_for_tokenization
    prepare_for_model _batch_prepare_for_model batch_decode _decode _forward _sanitize_parameters encode_image encode_text
    encode_prompt get_text_features get_image_features embed_documents embed_query _call _acall invoke ainvoke predict_stream
    predict_raw transform_input decode_request encode_response encode_query encode_document rerank compute_score
    build_inputs_with_special_tokens create_token_type_ids_from_sequences get_special_tokens_mask _convert_token_to_id
    _convert_id_to_token convert_tokens_to_string convert_ids_to_tokens added_tokens_encoder vocab_size _add_tokens pad _pad
    get_input_embeddings get_output_embeddings set_input_embeddings resize_token_embeddings _reorder_cache
    _update_model_kwargs_for_generation _prepare_cache_for_generation can_generate get_encoder get_decoder compute_loss
    training_step validation_step test_step configure_optimizers compute_metrics _preprocess post_process on_train_begin
    on_train_end on_step_end on_epoch_end on_init_end from_dict to_dict from_json_file to_json_string to_diff_dict
    backward setup_context right_inverse on_save on_log on_evaluate on_predict on_epoch_begin on_step_begin on_substep_end on_prediction_step
    inlet outlet pipe pipes stream on_startup on_shutdown on_valves_updated load_adapter set_timesteps scale_model_input add_noise
    compute_logits embed_multimodal get_multimodal_embeddings get_placeholder_str explain finalize IS_CHANGED INPUT_TYPES
    VALIDATE_INPUTS _prepare_inputs prepare_inputs download_and_prepare as_dataset _split_generator
    chat stream_chat chat_stream batch_chat generate_stream stream_generate infer execute _info _split_generators _generate_examples _generate_tables _compute _download_and_prepare
    input_modifier chat_input_modifier output_modifier history_modifier bot_prefix_modifier state_modifier custom_generate_reply
    _load_pyfunc load_pyfunc model_fn input_fn predict_fn output_fn transform_fn
    build_wheel build_sdist build_editable get_requires_for_build_wheel get_requires_for_build_sdist
    get_requires_for_build_editable prepare_metadata_for_build_wheel prepare_metadata_for_build_editable
    pytest_configure pytest_sessionstart pytest_collection_modifyitems pytest_load_initial_conftests pytest_addoption
    pytest_plugin_registered pytest_runtest_setup""".split()
)
"""Methods and functions that loaders and users of a model call without naming them: transformers, torch, diffusers, datasets,
evaluate, MLflow, SageMaker, Triton, Cog, build front ends (PEP 517, 660), pytest."""
PUBLIC_ENTRIES = {
    "hubconf.py": "functions",
    "gunicorn.conf.py": "functions",
    "preload.py": "functions",
    "pipeline_registry.py": "functions",
    "setup.py": "methods",
    "hatch_build.py": "methods",
}
"""Files of which loaders call every public function (torch.hub) or the methods of the classes in them (setuptools, hatch)."""
IMPORT_HOOKS = frozenset("__init_subclass__ __set_name__ __class_getitem__ __prepare__ __instancecheck__".split())


def kind_of(dotted: str) -> str | None:
    """What the function does, None for one that computes."""
    maker, made, method = dotted.rpartition("().")
    if made and maker in OBJECTS:
        of_maker = OBJECTS[maker]
        return of_maker.get(method) or of_maker.get(method.rpartition(".")[2])
    return KIND_OF.get(dotted) or family(dotted)


def credential_at(path: str) -> set[str]:
    """The origin of what a file holds, by its path: a key of a service, a secret, or nothing of the kind."""
    if HUB_TOKEN_PATH.search(path):
        return {"key:HF_TOKEN"}
    if KUBERNETES_PATH.search(path):
        return {"key:KUBERNETES_TOKEN"}
    return {"secret"} if SENSITIVE_PATH.search(path) else set()
