"""What modules do of which every function does the same, by the name of the module, class or function.

An entry stands for itself and for everything below it: `pip` for `pip.main` and `pip._internal.cli.main.main`. The
longest entry that a name begins with decides, and one that is "-" takes a part out again. `sinks.py` names single
functions of modules that otherwise compute; what stands there goes first.

Sources: the documentation of the standard library and of the named packages.
"""

_PROCESS = """imaplib.IMAP4_stream pexpect ptyprocess winpty setuptools._distutils.spawn distutils.spawn setuptools.sandbox
setuptools.command.easy_install distutils.core.run_setup test.support.script_helper test.support.run_in_subinterp tornado.process.Subprocess
paramiko.ProxyCommand paramiko.proxy.ProxyCommand torch.utils.collect_env.run torch.utils.collect_env.run_and_read_all
torch.utils.collect_env.run_and_parse_first_match torch.distributed.run torch.distributed.launch torch.distributed.launcher
torch.distributed.elastic.multiprocessing.subprocess_handler torch.distributed.elastic.agent.server
accelerate.commands deepspeed.launcher _winapi.CreateProcess pip ensurepip pipx conda.cli mamba.api micropip mim.install
webbrowser.GenericBrowser webbrowser.BackgroundBrowser webbrowser.UnixBrowser webbrowser.register pydoc.ttypager pipes.Template
multiprocessing.set_executable multiprocessing.spawn.set_executable multiprocessing.util.spawnv_passfds
_posixsubprocess subprocess32 commands popen2 sarge delegator envoy easyprocess command_runner pyshell xonsh nodejs
IPython.utils.process IPython.utils._process_posix IPython.utils._process_common IPython.utils._process_win32
gevent.subprocess eventlet.green.subprocess eventlet.green.os trio.run_process anyio.run_process
twisted.internet.utils.getProcessOutput twisted.internet.utils.getProcessValue twisted.internet.utils.getProcessOutputAndValue
spacy.util.run_command spacy._util.run_command sagemaker.local sky.launch sky.exec fastcore.xtras.run fastcore.all.run fastcore.utils.run
click.edit numpy.f2py.compile numpy.distutils.exec_command
ansible_runner libvirt docker podman python_on_whales kubernetes kubernetes_asyncio pykube lxd pylxd proxmoxer vagrant
win32com.shell win32process win32serviceutil pywinauto wmi winrm pypsrp pypowershell pywinrm jpype.startJVM jpype.java jpype.JPackage jnius py4j.java_gateway.launch_gateway
pyspark.SparkContext.addPyFile rpy2.robjects.r rpy2.rinterface juliacall julia oct2py matlab.engine matlab_wrapper lupa js2py
py_mini_racer execjs calmjs dukpy quickjs javascript pythonnet clr System.Diagnostics.Process
nbclient.execute nbconvert.preprocessors.ExecutePreprocessor papermill.execute_notebook jupyter_client.manager.start_new_kernel
jupyter_client.KernelManager runhouse modal.Sandbox daytona e2b e2b_code_interpreter
interpreter.interpreter langchain_community.tools.ShellTool langchain_experimental.llm_bash mcp.client.stdio mcp.StdioServerParameters
mcp.stdio_client metaflow.Runner submitit.AutoExecutor submitit.LocalExecutor readline.read_init_file
sphinx.cmd.build.main pytest.main py.test nox.main tox.main invoke.run invoke.Context fabric.Connection fabric.Group
fabric.api.run fabric.api.local fabric.api.sudo fab spur parallel_ssh pssh.clients plumbum.local plumbum.cmd sh
crontab daemon.DaemonContext apt.Cache dnf dbus pydbus gi.repository.GLib.spawn_command_line_async
gi.repository.GLib.spawn_async gi.repository.Gio.Subprocess PyQt5.QtCore.QProcess PyQt6.QtCore.QProcess PySide6.QtCore.QProcess
PySide2.QtCore.QProcess wx.Execute dvc.api.make_checkpoint mlflow.projects yt_dlp.postprocessor.ExecPP
stem.process pyppeteer.launch luigi.contrib.external_program luigi.contrib.ssh airflow.operators.bash prefect_shell
prefect.serve ray.job_submission"""
_CODE = """lib2to3.main idlelib.run rlcompleter.Completer doctest.debug doctest.debug_src doctest.debug_script doctest.script_from_examples
timeit.main concurrent.futures.InterpreterPoolExecutor runpy._run_code runpy._run_module_code runpy._run_module_as_main bdb cProfile.run cProfile.runctx profile.run profile.runctx
_testcapi.run_in_subinterp _xxsubinterpreters _interpreters concurrent.interpreters interpreters_backport
torch.fx.graph_module._forward_from_src torch.fx.graph_module._method_from_src torch.fx.graph_module._exec_with_source
torch.fx.graph_module.reduce_graph_module torch._inductor.codecache torch._inductor.async_compile.AsyncCompile
torch._dynamo.bytecode_transformation transformers.PythonInterpreterTool transformers.ReactCodeAgent transformers.CodeAgent
transformers.agents smolagents.PythonInterpreterTool smolagents.LocalPythonExecutor smolagents.CodeAgent
smolagents.Tool.from_code smolagents.evaluate_python_code smolagents.local_python_executor smolagents.remote_executors
langchain_experimental.utilities langchain_experimental.tools langchain_experimental.agents langchain.utilities.PythonREPL
langchain.tools.python dspy.PythonInterpreter autogen.UserProxyAgent autogen.code_utils autogen.coding llama_index.tools.code_interpreter
Cython.Build.Inline Cython.inline cython.inline Cython.Shadow.inline sympy.S sympy.utilities.autowrap
asteval.Interpreter simpleeval.simple_eval RestrictedPython.compile_restricted chameleon.PageTemplate Cheetah.Template.Template
bottle.template bottle.SimpleTemplate PIL.ImageMath.eval PIL.ImageMath.unsafe_eval mmengine.Config.fromstring mmcv.Config.fromstring
mmengine.config.Config.fromstring executing pyodide.code pyjs.js code.interact code.compile_command pdb.runeval pdb.runcall
numpy.testing.measure numpy.testing.runstring numpy.testing.rundocs scipy.weave weave.inline instant.inline
numba.core.serialize numba.serialize cloudpickle.cloudpickle._make_function dill._dill._create_function dill._dill._create_code
jinja2.nativetypes evalidate.Expr py_expression_eval dataclasses._create_fn"""
_MODULE = """importlib._bootstrap._load importlib._bootstrap_external _frozen_importlib._load _frozen_importlib_external _imp.create_dynamic
_imp.exec_dynamic site.addpackage site.execsitecustomize site.execusercustomize pkg_resources.run_script torch._C.import_ir_module
transformers.dynamic_module_utils.get_class_in_module
diffusers.utils.dynamic_modules_utils transformers.load_tool smolagents.load_tool datasets.load.import_main_class
sentence_transformers.util.import_from_string sentence_transformers.util.import_module_class vllm.utils.import_from_path
spacy.util.import_file mmengine.Config.fromfile mmcv.Config.fromfile
mmengine.utils.import_modules_from_strings fairseq.utils.import_user_module speechbrain.utils.importutils
speechbrain.inference.foreign_class speechbrain.pretrained.interfaces.foreign_class dynaconf.Dynaconf gunicorn.app
django.setup kernels.load_kernel kernels.get_local_kernel transformers.integrations.hub_kernels paddle.hub.load langchain.prompts.load_prompt cppimport pyximport"""
_CONNECT = """asyncore.dispatcher asynchat.async_chat paramiko.Transport pexpect.pxssh sshtunnel netmiko scrapli napalm
ldap3.Connection ldap.initialize smb.SMBConnection smbclient smbprotocol impacket pysmb nmb
telnetlib telnetlib3 socks stem.socket websocket websockets socketio engineio nats pika kombu aio_pika stomp
asyncssh twisted.internet.reactor.connectTCP twisted.internet.reactor.connectSSL twisted.internet.endpoints.clientFromString
gevent.socket.create_connection eventlet.connect xmlrpc.client.ServerProxy Pyro4 Pyro5 rpyc zerorpc execnet jsonrpclib
ldap3 bluetooth.BluetoothSocket aiocoap dnspython aiodns pycares web3 solana.rpc slixmpp sleekxmpp irc.client irc.bot
libtorrent qbittorrentapi transmission_rpc tvm.rpc.connect scapy socket.gethostbyname_ex _socket.socket"""
_LISTEN = """smtpd aiosmtpd rpdb remote_pdb web_pdb madbg manhole aiomonitor debugpy.listen ptvsd pydevd pydevd_pycharm pyngrok ngrok
flask_ngrok flask_cloudflared pycloudflared localtunnel bore frp zrok gevent.backdoor eventlet.backdoor
twisted.conch twisted.internet.reactor.listenTCP twisted.internet.reactor.listenUNIX celery.contrib.rdb socketserver.UDPServer
socketserver.ForkingUDPServer socketserver.ForkingTCPServer socketserver.ThreadingUDPServer logging.config.listen pyftpdlib
multiprocessing.connection.Listener multiprocessing.managers.SyncManager wsgiref.simple_server tvm.rpc.Server xmlrpc.server
http.server.test http.server.HTTPServer http.server.ThreadingHTTPServer http.server.ThreadingHTTPSServer impacket.smbserver
pyrasite.reverse IPython.start_kernel IPython.embed_kernel ipykernel.embed ipykernel.kernelapp pydoc.browse jax.profiler.start_server
tensorflow.profiler.experimental.server tensorflow.data.experimental.service.DispatchServer tensorflow.data.experimental.service.WorkerServer
streamlit.web.cli streamlit.web.bootstrap rpyc.utils.server uvicorn.Server hypercorn gunicorn.app.wsgiapp waitress
cherrypy.quickstart twisted.web tornado.tcpserver huggingface_hub.WebhooksServer"""
_UNPICKLE = """jsonpickle klepto compress_pickle hickle.load gensim.utils.unpickle joblib.numpy_pickle.load
ray.cloudpickle ray.pickle distributed.protocol.pickle srsly.pickle_loads srsly.cloudpickle
dill.load_session dill.load_module sqlalchemy.ext.serializer celery.utils.serialization networkx.read_gpickle igraph.Graph.Read_Pickle
langchain_community.vectorstores.FAISS.load_local pyarrow.deserialize pyarrow.PyExtensionType.set_auto_load polars.DataFrame.deserialize
torch.distributed.distributed_c10d._tensor_to_object fastai.learner.load_learner fastai.vision.all.load_learner"""
_NATIVE = """torch._C._aoti torch._inductor.package jax.ffi.register_ffi_target jaxlib.xla_client.register_custom_call_target llvmlite.binding.load_library_permanently llvmlite.binding.parse_assembly llvmlite.binding.parse_bitcode
mxnet.library.load tflite_runtime.interpreter.load_delegate tensorflow.lite.experimental.load_delegate onnxruntime.register_execution_provider_library
_ctypes.dlopen ctypes.windll cppyy polars.plugins.register_plugin_function wasmtime wasmer jax.experimental.serialize_executable unicorn"""
_BUILD = """torch.utils.cpp_extension.load torch.utils.cpp_extension._jit_compile torch.cuda._compile_kernel triton.runtime.build
triton.backends.nvidia.driver.compile_module_from_src pythran.compile_pythrancode
paddle.utils.cpp_extension.load"""
_TOOL = """frida pyrasite hypno pyinjector ptrace pymem pwn pwnlib impacket nmap masscan shodan scapy.layers mitmproxy
sslstrip pypykatz lazagne mimikatz pycryptominer browser_cookie3 browsercookie pycookiecheat rookiepy
chromepass win32crypt pythonmemorymodule sys.remote_exec pyautogui pynput keyboard.hook keyboard.write keyboard.press
mouse.hook mouse.move Xlib.display evdev pyscreenshot mss d3dshot dxcam python_evdev uinput
sys.settrace sys.setprofile threading.settrace threading.setprofile sys.addaudithook sys.meta_path.insert sys.meta_path.append
sys.path_hooks.insert sys.path_hooks.append os.setuid os.seteuid os.setreuid os.setresuid os.chroot"""
_SECRETS = """keyring.get_credential secretstorage pypass pykeepass readline.read_history_file google.auth.default
spwd kaggle_secrets pandas.read_clipboard"""
_NONE = """pexpect.exceptions pexpect.EOF pexpect.TIMEOUT pexpect.ExceptionPexpect pip.__version__ pip._vendor docker.errors kubernetes.client.rest
kubernetes.client.exceptions websockets.exceptions pika.exceptions docker.types websocket.enableTrace paramiko.ssh_exception
accelerate.commands.config accelerate.commands.estimate docker.utils nats.errors setuptools.sandbox.override_temp stem.control pykeepass.exceptions
pip._internal.utils pip._internal.operations.freeze pip._internal.req pip._internal.models pip._internal.network
web3.Web3.toHex web3.Web3.keccak torch._inductor.config torch._inductor.codecache.FxGraphCache torch._inductor.codecache.cache_dir
smolagents.local_python_executor.BASE_BUILTIN_MODULES wasmtime.Engine wasmtime.Store triton.runtime.build.platform_key"""
_OF_INTERPRETERS = " ".join(
    f"{module}.{name}"
    for module in ("_xxsubinterpreters", "_interpreters", "concurrent.interpreters", "interpreters_backport")
    for name in "get_current get_main list_all is_running is_shareable get_config whence destroy InterpreterError".split()
)
"""What asks after interpreters, and runs nothing in them."""
FAMILIES: dict[str, str] = {
    name: kind
    for kind, names in {
        "process": _PROCESS, "code": _CODE, "module": _MODULE, "connect": _CONNECT, "listen": _LISTEN,
        "unpickle": _UNPICKLE, "native": _NATIVE, "native-build": _BUILD, "secret": _SECRETS, "tool": _TOOL,
        "-": f"{_NONE} {_OF_INTERPRETERS}",
    }.items()
    for name in names.split()
}  # fmt: skip
_TOPS = frozenset(name.partition(".")[0] for name in FAMILIES)


def family(dotted: str) -> str | None:
    """What a function does by the longest entry that its name begins with, None for nothing."""
    if dotted.partition(".")[0] not in _TOPS:
        return None
    name = dotted
    while name:
        if kind := FAMILIES.get(name):
            return None if kind == "-" else kind
        name = name.rpartition(".")[0]
    return None
