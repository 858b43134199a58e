"""The allow-list: honest pickles of real libraries use nothing else, and no gadget is on it."""

import enum
import importlib
import io
import pickle
import pickletools
import types
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from modelscan_plus.rules.allowlist import Permit, allow_list, is_stdlib, permit, provenance

Usage = set[tuple[str, str, Permit]]

NEVER = """
    os:system posix:system nt:system os:popen subprocess:Popen subprocess:check_output pty:spawn runpy:run_path
    builtins:eval builtins:exec builtins:compile builtins:open builtins:__import__ builtins:input builtins:globals
    builtins:vars builtins:setattr builtins:delattr builtins:map builtins:filter __builtin__:eval __builtin__:execfile
    __builtin__:apply __builtin__:file importlib:import_module pkgutil:resolve_name operator:call
    functools:partialmethod functools:singledispatch string:Formatter.get_field types:FunctionType
    types:CodeType types:ModuleType types:MethodType marshal:loads pickle:loads _pickle:loads pickle:Unpickler
    cPickle:loads dill:loads dill._dill:_create_code dill._dill:_create_function dill._dill:_import_module
    cloudpickle.cloudpickle:_make_function cloudpickle.cloudpickle:_make_skeleton_class
    cloudpickle.cloudpickle:subimport copyreg:add_extension copyreg:pickle atexit:register weakref:finalize
    threading:Thread socket:socket urllib.request:urlopen shutil:rmtree tempfile:mktemp io:open io:FileIO _io:FileIO
    logging:FileHandler logging.config:listen webbrowser:open ctypes:CDLL code:interact timeit:timeit trace:Trace.run
    profile:Profile.run cProfile:run pdb:run bdb:Bdb.run doctest:debug_script idlelib.run:Executive.runcode
    idlelib.pyshell:ModifiedInterpreter.runcode idlelib.autocomplete:AutoComplete.fetch_completions
    lib2to3.pgen2.grammar:Grammar.loads lib2to3.pgen2.pgen:ParserGenerator.make_label ensurepip:_run_pip
    distutils.file_util:write_file distutils.spawn:spawn pydoc:pipepager pydoc:locate pip:main pip._internal:main
    pip._internal.cli.main:main site:main _posixsubprocess:fork_exec uuid:_get_command_stdout
    _osx_support:_read_output _aix_support:_read_cmd_output _pyrepl.pager:pipe_pager imaplib:IMAP4_stream
    test.support.script_helper:assert_python_ok multiprocessing.util:spawnv_passfds
    asyncio.unix_events:_UnixSubprocessTransport._start torch:load torch.hub:load torch.hub:load_state_dict_from_url
    torch.serialization:load torch.serialization:_load torch.jit:load torch.jit._script:RecursiveScriptModule
    torch.jit.unsupported_tensor_ops:execWrapper torch.utils.bottleneck.__main__:run_cprofile
    torch.utils.bottleneck.__main__:run_autograd_prof torch.utils.collect_env:run
    torch.utils._config_module:ConfigModule.load_config torch.utils._config_module:load_config
    torch._dynamo.guards:GuardBuilder.get torch.utils.data.datapipes.utils.decoder:basichandlers
    torch.fx.experimental.symbolic_shapes:ShapeEnv.evaluate_guards_expression torch.fx.graph_module:_forward_from_src
    torch.fx.graph_module:reduce_graph_module torch._inductor.codecache:compile_file
    torch._inductor.utils:run_and_get_code torch._utils:_import_dotted_name torch.utils.cpp_extension:load_inline
    torch.package:PackageImporter torch.testing:assert_close torch.distributed.rpc:remote torch.onnx:export
    torch:compile torch:save numpy:load numpy:fromfile numpy:save numpy.testing._private.utils:runstring
    numpy.testing:rundocs numpy.f2py.crackfortran:getlincoef numpy.f2py:compile numpy.f2py.crackfortran:myeval
    numpy.f2py.capi_maps:load_f2cmap_file numpy.core._ufunc_reconstruct:x
    numpy.distutils.exec_command:exec_command numpy.ctypeslib:load_library
    numpy.lib.npyio:DataSource numpy.lib.npyio:load numpy.lib.utils:safe_eval pandas:read_pickle pandas:read_csv
    pandas:eval pandas.io.pickle:read_pickle pandas.io.parsers.readers:read_csv pandas.core.computation.eval:eval
    pandas.core.frame:DataFrame.query scipy.io:loadmat scipy.io.matlab._mio:loadmat scipy._lib._testutils:PytestTester
    sklearn.datasets:fetch_openml sklearn.datasets._base:load_files sklearn.utils._testing:run joblib:load
    joblib.numpy_pickle:load joblib.numpy_pickle:_unpickle joblib.memory:Memory joblib.parallel:Parallel nltk:download
    nltk.data:load nltk.downloader:download nltk.app:x nltk.internals:java nltk.classify.weka:config_weka
    transformers.pipelines:pipeline transformers.pipelines.base:Pipeline transformers.utils.hub:cached_file
    transformers.dynamic_module_utils:get_class_from_dynamic_module huggingface_hub.file_download:hf_hub_download
    sympy.core.sympify:sympify sympy.utilities.lambdify:lambdify patsy.eval:EvalEnvironment gensim.utils:unpickle
    gensim.downloader:load spacy.util:load_model
    statsmodels.base.data:PandasData torch.utils.data.dataloader:_MultiProcessingDataLoaderIter skops.io:load
    mlflow.projects.backend.local:_run_entry_point logging:os.system collections:OrderedDict.__init__
    collections:OrderedDict.__init__.__globals__ numpy:os.system
    """.split()


@pytest.mark.parametrize("entry", NEVER)
def test_a_gadget_is_not_listed(entry: str) -> None:
    module, _, name = entry.partition(":")
    assert permit(module, name) is Permit.NONE
    assert provenance(module, name) is None


RECORDS = {
    "inspect": "Signature Parameter BoundArguments _empty _void".split(),
    "torch.distributed.checkpoint.metadata": """Metadata TensorStorageMetadata BytesStorageMetadata TensorProperties
    ChunkStorageMetadata MetadataIndex StorageMeta""".split(),
    "torch.distributed.checkpoint.filesystem": ["_StorageInfo", "_StoragePrefix"],
    "torch.distributed._shard.sharded_tensor.metadata": "TensorProperties ShardedTensorMetadata".split(),
    "torch.distributed._shard.metadata": ["ShardMetadata"],
}
"""Classes of dangerous modules that only hold values."""


@pytest.mark.parametrize(
    "package",
    """subprocess ctypes importlib runpy pkgutil shutil socket threading asyncio multiprocessing inspect idlelib lib2to3
    distutils pip setuptools torch.hub torch.jit torch._inductor torch._dynamo torch.fx torch.package torch.distributed
    torch.testing torch.utils.bottleneck numpy.f2py numpy.testing numpy.distutils pandas.io scipy.io sklearn.datasets
    joblib.externals transformers.pipelines nltk.app cloudpickle""".split(),
)
def test_nothing_but_values_of_a_dangerous_package_is_listed(package: str) -> None:
    reviewed = {
        "torch.jit._pickle"
    }  # five functions that give back what they are given; TorchScript archives call them
    table = allow_list().modules
    modules = [name for name in table if name == package or name.startswith(f"{package}.")]
    for module in set(modules) - reviewed:
        names = [name for group in table[module].values() for name in group.split()]
        for name in set(names) - set(RECORDS.get(module, ())):
            found = getattr(importlib.import_module(module), name)
            assert issubclass(found, BaseException | enum.Enum), f"{module}:{name}"


@pytest.mark.parametrize(
    "entry",
    """builtins:getattr functools:partial operator:attrgetter collections:defaultdict torch.storage:_load_from_bytes
    _codecs:encode dill._dill:_load_type copyreg:_reconstructor copy_reg:_reconstructor
    torch._tensor:_rebuild_from_type_v2 numpy.random._pickle:__generator_ctor
    numpy.core.multiarray:_reconstruct numpy._core.multiarray:_reconstruct
    builtins:bytearray builtins:bytes re:_compile builtins:type functools:reduce operator:getitem numpy:memmap
    numpy.core:_ufunc_reconstruct spacy.vocab:unpickle_vocab""".split(),
)
def test_what_depends_on_its_arguments_is_guarded_and_never_free_to_call(entry: str) -> None:
    module, _, name = entry.partition(":")
    granted = permit(module, name)
    assert granted & Permit.GUARDED
    assert not granted & (Permit.CALL | Permit.REBUILD) or name == "defaultdict"


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        ("collections:OrderedDict", Permit.CALL),
        ("__builtin__:set", Permit.CALL),
        ("torch._utils:_rebuild_tensor_v2", Permit.CALL),
        ("numpy.core.multiarray:scalar", Permit.GUARDED),
        ("sklearn.ensemble.forest:RandomForestClassifier", Permit.REBUILD),
        ("sklearn.ensemble._forest:RandomForestClassifier", Permit.REBUILD),
        ("torch.nn.modules.linear:Linear", Permit.REBUILD),
        ("torch.optim.adam:Adam", Permit.REBUILD),
        ("transformers.training_args:TrainingArguments", Permit.REBUILD),
        ("transformers.trainer_utils:IntervalStrategy", Permit.CALL),
        ("pandas.core.frame:DataFrame", Permit.REBUILD),
        ("scipy.sparse._csr:csr_matrix", Permit.REBUILD),
        ("xgboost.sklearn:XGBClassifier", Permit.REBUILD),
        ("lightgbm.sklearn:LGBMClassifier", Permit.REBUILD),
        ("torch.nn.functional:relu", Permit.IMPORT),
    ],
)
def test_what_honest_pickles_use_is_listed(entry: str, wanted: Permit) -> None:
    module, _, name = entry.partition(":")
    assert permit(module, name) & wanted
    assert provenance(module, name)


def test_every_flag_comes_with_import() -> None:
    groups = {int(group) for names in allow_list().modules.values() for group in names}
    assert all(group & Permit.IMPORT for group in groups)


def test_a_name_stands_in_one_group_of_its_module() -> None:
    for module, groups in allow_list().modules.items():
        names = [name for group in groups.values() for name in group.split()]
        assert len(names) == len(set(names)), module


def test_no_listed_name_reaches_into_an_object() -> None:
    for module, groups in allow_list().modules.items():
        for name in " ".join(groups.values()).split():
            parts = name.split(".")
            assert not any(part.startswith("__") and part.endswith("__") for part in parts[:-1]), f"{module}:{name}"


def test_the_standard_library_is_known_without_asking_the_interpreter() -> None:
    assert is_stdlib("cPickle")
    assert is_stdlib("annotationlib")
    assert is_stdlib("os.path")
    assert not is_stdlib("numpy.os")


# -- real objects ---------------------------------------------------------------------------------------------------


class Recorder(pickle._Pickler):  # type: ignore[name-defined,misc]
    """A pickler that notes how the stream will use each name."""

    used: Usage

    def __init__(self, file: Any, protocol: int | None = None, **options: Any) -> None:
        super().__init__(file, protocol, **options)
        self.used = RECORDED

    def save_global(self, obj: Any, name: str | None = None) -> None:
        self.used.add((*_place(obj, name), Permit.IMPORT))
        super().save_global(obj, name)

    def save_type(self, obj: Any) -> None:
        if obj not in (type(None), type(NotImplemented), type(...)):
            self.used.add((*_place(obj, None), Permit.IMPORT))
        super().save_type(obj)

    def save_reduce(self, func: Any, args: Any, *rest: Any, **options: Any) -> None:
        if getattr(func, "__name__", "") in ("__newobj__", "__newobj_ex__") and self.proto >= 2:
            self.used.add((*_place(args[0], None), Permit.REBUILD))
        else:
            self.used.add((*_place(func, None), Permit.CALL))
        super().save_reduce(func, args, *rest, **options)

    dispatch = {**pickle._Pickler.dispatch, type: save_type, types.FunctionType: save_global}  # type: ignore[attr-defined]  # noqa: RUF012


RECORDED: Usage = set()


def _place(obj: Any, name: str | None) -> tuple[str, str]:
    shown = name or getattr(obj, "__qualname__", None) or obj.__name__
    return pickle.whichmodule(obj, shown), shown  # type: ignore[attr-defined]


def record(obj: object, protocol: int) -> None:
    Recorder(io.BytesIO(), protocol).dump(obj)


def missing() -> list[str]:
    """How the recorded names are used beyond what the list grants."""
    granting = {Permit.CALL: Permit.CALL | Permit.GUARDED, Permit.REBUILD: Permit.REBUILD | Permit.GUARDED}
    return sorted(
        f"{module}:{name} {needed.name}"
        for module, name, needed in RECORDED
        if not permit(module, name) & granting.get(needed, needed)
    )


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    RECORDED.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def check(share: float = 1.0) -> None:
    lacking = missing()
    print(f"{len(RECORDED)} uses, {len(lacking)} not granted", *lacking, sep="\n")
    assert RECORDED
    assert len(lacking) <= (1 - share) * len(RECORDED), lacking


def test_scikit_learn_estimators() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    pytest.importorskip("pandas", reason="pandas is not installed")
    fitted = 0
    refused: list[str] = []
    for estimator in _estimators(refused):
        fitted += hasattr(estimator, "n_features_in_")
        for protocol in (2, 4):
            record(estimator, protocol)
    assert fitted > 150  # 166 of scikit-learn 1.9
    assert len(refused) < 50, refused
    assert len(RECORDED) > 150
    check(0.99)


def _estimators(refused: list[str]) -> Iterator[object]:
    """Every estimator, fitted where it takes such rows; the names of those that do not are added to `refused`."""
    import numpy as np
    from sklearn.utils import all_estimators

    rng = np.random.RandomState(0)
    rows = np.abs(rng.rand(24, 3)) + 0.1
    classes = np.arange(24) % 2
    slow = {"GaussianProcessClassifier", "DictionaryLearning", "MiniBatchDictionaryLearning", "TSNE", "MLPRegressor"}
    for name, cls in all_estimators():
        try:
            estimator = cls(n_estimators=2) if name.startswith(("RandomForest", "Extra", "Bagging", "Ada")) else cls()
        except TypeError:
            continue
        # Some estimators are made for other data than these numbers (texts, several targets, one column) and refuse
        # them; unfitted they still get pickled, with their parameters. How many may refuse is asserted above.
        try:
            if name not in slow:
                estimator.fit(rows, classes)
        except (ValueError, TypeError, AttributeError, IndexError):
            refused.append(name)
        try:
            pickle.dumps(estimator)
        except (TypeError, AttributeError, pickle.PicklingError):
            continue
        yield estimator


def test_scikit_learn_pieces() -> None:
    np = pytest.importorskip("numpy", reason="numpy is not installed")
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from sklearn import compose, gaussian_process, metrics, model_selection, neighbors, pipeline, preprocessing, svm
    from sklearn.gaussian_process import kernels

    rows = np.random.RandomState(1).rand(20, 2)
    search = model_selection.GridSearchCV(svm.SVC(), {"C": [1, 2]}, cv=2, scoring=metrics.make_scorer(metrics.f1_score))
    objects = [
        pipeline.make_pipeline(preprocessing.FunctionTransformer(np.mean), search),
        compose.make_column_transformer((preprocessing.StandardScaler(), [0])),
        gaussian_process.GaussianProcessRegressor(kernels.RBF() + kernels.WhiteKernel()).fit(rows, rows[:, 0]),
        neighbors.KDTree(rows),
        neighbors.BallTree(rows),
        metrics.DistanceMetric.get_metric("minkowski", p=3),
    ]
    for protocol in (2, 5):
        record(objects, protocol)
    check()


def test_numpy() -> None:
    np = pytest.importorskip("numpy", reason="numpy is not installed")
    objects = [
        np.arange(3), np.array([{}], dtype=object), np.float32(2), np.dtype([("a", "i4")]),
        np.ma.array([1], mask=[True]),
        np.random.default_rng(0), np.random.RandomState(0), np.datetime64("2020-01-01"), np.matrix([[1]]), np.float64,
        np.rec.array([(1, 2.0)], names="a,b"), np.random.SeedSequence(1), np.poly1d([1, 2]),
    ]  # fmt: skip
    for protocol in (2, 3, 4, 5):
        record(objects, protocol)
    check()


def test_pandas() -> None:
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pd.DataFrame(
        {"a": [1, 2], "b": ["x", "y"], "c": pd.Categorical(["u", "v"]), "d": pd.date_range("2020", periods=2)}
    )
    frame["e"] = pd.array([1, None], dtype="Int64")
    frame["f"] = pd.array([0.0, 1.0], dtype="Sparse")
    objects = [
        frame, frame["a"], frame.set_index(["a", "b"]), pd.Timestamp("2020"), pd.Timedelta("1d"), pd.Period("2020"),
        pd.NaT,
        pd.interval_range(0, 2), pd.period_range("2020", periods=2, freq="M"), pd.offsets.MonthEnd(), pd.NA,
        pd.CategoricalDtype(["a"]), pd.date_range("2020", periods=2, tz="UTC"), pd.RangeIndex(3),
        pd.timedelta_range("1D", periods=2),
    ]  # fmt: skip
    for protocol in (2, 5):
        record(objects, protocol)
    check()


def test_scipy() -> None:
    sparse = pytest.importorskip("scipy.sparse", reason="scipy is not installed")
    from scipy import interpolate, spatial
    from scipy.optimize import OptimizeResult

    grid = [0.0, 1.0, 2.0, 3.0]
    objects = [
        *(sparse.random(3, 3, density=0.5, format=kind) for kind in ("csr", "csc", "coo", "lil", "dok", "bsr", "dia")),
        sparse.csr_array([[1, 0]]), interpolate.interp1d(grid, grid), interpolate.CubicSpline(grid, grid),
        interpolate.BSpline(grid, [1.0, 2.0], 1), spatial.cKDTree([[0, 1]]), spatial.KDTree([[0, 1]]),
        OptimizeResult(x=1),
    ]  # fmt: skip
    for protocol in (2, 5):
        record(objects, protocol)
    check()


def test_torch_in_both_file_formats() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.ReLU(), torch.nn.LSTM(2, 2), torch.nn.Dropout(),
        torch.nn.TransformerEncoderLayer(4, 2), torch.nn.Embedding(3, 2), torch.nn.LayerNorm(2), torch.nn.ModuleDict(),
    )  # fmt: skip
    optimizer = torch.optim.Adam(net.parameters())
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    module = types.ModuleType("recording")
    module.__dict__.update(vars(pickle) | {"Pickler": Recorder})
    values = [
        net.state_dict(), net, optimizer, optimizer.state_dict(), schedule.state_dict(), torch.eye(2).to_sparse(),
        torch.quantize_per_tensor(torch.eye(2), 0.1, 0, torch.qint8), torch.device("cpu"), torch.Size([1]),
        torch.float16,
        torch.distributions.Normal(0.0, 1.0),
    ]  # fmt: skip
    for value in values:
        for zipped in (True, False):
            torch.save(value, io.BytesIO(), pickle_module=module, _use_new_zipfile_serialization=zipped)
        for protocol in (2, 5):
            record(value, protocol)
    check()


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_boosting(library: str) -> None:
    boosting = pytest.importorskip(library, reason=f"{library} is not installed")
    np = pytest.importorskip("numpy", reason="numpy is not installed")
    prefix = {"xgboost": "XGB", "lightgbm": "LGBM"}[library]
    rows = np.random.RandomState(0).rand(40, 3)
    for kind, target in (("Classifier", np.arange(40) % 2), ("Regressor", rows[:, 0])):
        record(getattr(boosting, prefix + kind)(n_estimators=2).fit(rows, target), 4)
    check()


def test_standard_library_values() -> None:
    import collections
    import datetime
    import decimal
    import fractions
    import functools
    import ipaddress
    import math
    import pathlib
    import random
    import re
    import uuid

    objects = [
        datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), datetime.timedelta(1), decimal.Decimal("1.5"),
        fractions.Fraction(1, 3), uuid.UUID(int=1), pathlib.PurePosixPath("a/b"), ipaddress.ip_address("127.0.0.1"),
        collections.Counter("ab"), collections.deque([1]), collections.defaultdict(list), collections.OrderedDict(a=1),
        functools.partial(int, base=2), re.compile("a+"), random.Random(1), complex(1, 2), bytearray(b"a"),
        slice(1), range(3),
        {1}, frozenset({1}), b"\xff", ValueError("x"), types.SimpleNamespace(a=1), math.sqrt,
    ]  # fmt: skip
    for protocol in (2, 3, 4, 5):
        record(objects, protocol)
    check()


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_names_of_python_2_are_listed_too(protocol: int) -> None:
    data = pickle.dumps([{1}, b"\xff", ValueError("x"), slice(1), complex(1)], protocol)
    names = [argument.split(" ") for opcode, argument, _ in pickletools.genops(data) if opcode.name == "GLOBAL"]
    assert names
    assert all(permit(module, name) for module, name in names), names
