"""Real files of real libraries: nothing above info, and nothing left out.

Written by the libraries themselves, in this process, and never loaded.
"""

import collections
import datetime
import decimal
import io
import pickle
import tarfile
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import pytest

from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.inspection import FileResult
from tests.samples import above_info, inspect


def assert_quiet(name: str, data: bytes) -> FileResult:
    result = inspect(data, name)
    assert [(finding.rule, finding.message) for finding in above_info(result)] == []
    assert result.coverage.state is CoverageState.ANALYSED, result.coverage
    return result


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
def test_torch_checkpoints(tmp_path: Path, new: bool) -> None:
    torch = pytest.importorskip("torch", reason="real checkpoints need torch")
    nn = torch.nn
    net = nn.Sequential(
        nn.Linear(4, 8),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.TransformerEncoderLayer(8, 2),
        nn.LSTM(8, 8),
        nn.Conv2d(1, 2, 3),
    )
    optimizer = torch.optim.Adam(net.parameters())
    optimizer.zero_grad()
    contents = {
        "state": net.state_dict(),
        "module": net,
        "tensor": torch.randn(100_000),
        "training": {
            "model": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "rng": torch.get_rng_state(),
            "bfloat": torch.zeros(3, dtype=torch.bfloat16), "sparse": torch.eye(3).to_sparse(), "size": torch.Size([1]),
            "parameter": nn.Parameter(torch.ones(2)), "dtype": torch.float16, "device": torch.device("cpu"),
            "strided": torch.arange(10)[::2], "bool": torch.tensor([True]), "complex": torch.tensor([1j]),
            "arguments": collections.OrderedDict(lr=0.1, betas=(0.9, 0.999)), "path": PurePosixPath("a/b"),
        },
    }  # fmt: skip
    for name, content in contents.items():
        torch.save(content, tmp_path / name, _use_new_zipfile_serialization=new)
        result = assert_quiet(f"{name}.pt", (tmp_path / name).read_bytes())
        assert result.formats == (("torch-zip",) if new else ("torch-legacy",))


def test_torchscript_is_analysed_without_findings(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="real checkpoints need torch")
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(tmp_path / "a.pt"))
    result = inspect((tmp_path / "a.pt").read_bytes(), "a.pt")
    assert result.formats == ("torchscript",)
    assert above_info(result) == []
    assert result.coverage.state is CoverageState.ANALYSED


def estimators() -> Iterator[tuple[str, object]]:
    """Every estimator of scikit-learn that can be fitted on one of a few small tables."""
    import warnings

    import numpy as np
    from sklearn.datasets import make_classification
    from sklearn.linear_model import LogisticRegression
    from sklearn.utils import all_estimators

    warnings.simplefilter("ignore")
    table, labels = make_classification(60, 6, random_state=0)
    positive = np.abs(table) + 0.1
    for name, kind in all_estimators():
        estimator = None
        for arguments in ((), (LogisticRegression(),), ([("a", LogisticRegression())],)):
            try:
                estimator = kind(*arguments)
                break
            except (TypeError, ValueError):
                continue
        if estimator is None:
            continue
        for data in ((table, labels), (positive, labels), (table[:, 0], labels), (table, np.c_[labels, labels])):
            try:
                estimator.fit(*data)
                break
            except Exception:  # noqa: S112 - an estimator that cannot be fitted this way is pickled as it is
                continue
        yield name, estimator


def test_every_estimator_of_scikit_learn(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    joblib = pytest.importorskip("joblib", reason="joblib is not installed")
    count = 0
    for name, estimator in estimators():
        try:
            data = pickle.dumps(estimator)
            joblib.dump(estimator, tmp_path / "e.joblib")
        except (TypeError, AttributeError, pickle.PicklingError):
            continue
        assert_quiet(f"{name}.pkl", data)
        assert_quiet(f"{name}.joblib", (tmp_path / "e.joblib").read_bytes())
        count += 1
    assert count > 180


@pytest.mark.parametrize("protocol", range(6))
def test_values_of_the_standard_library_numpy_pandas_and_scipy(protocol: int) -> None:
    np = pytest.importorskip("numpy", reason="numpy is not installed")
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    sparse = pytest.importorskip("scipy.sparse", reason="scipy is not installed")
    frame = pd.DataFrame(
        {
            "a": [1, 2],
            "b": ["x", "y"],
            "c": pd.to_datetime(["2020-01-01", "2021-01-01"]),
            "d": pd.Categorical(["u", "v"]),
        }
    )
    values = {
        "array": np.arange(5), "objects": np.array([{"a": 1}], dtype=object), "scalar": np.float32(1), "set": {1, 2},
        "ordered": collections.OrderedDict(a=1), "default": collections.defaultdict(list), "complex": 1j,
        "time": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), "decimal": decimal.Decimal("1.2"),
        "path": PurePosixPath("a"), "id": uuid.UUID(int=5), "state": np.random.RandomState(0),
        "generator": np.random.default_rng(0), "frame": frame, "series": frame["c"], "index": frame.index,
        "csr": sparse.csr_matrix(np.eye(3)), "coo": sparse.coo_array(np.eye(2)), "structured": np.zeros(2, "i4,f8"),
    }  # fmt: skip
    assert_quiet("values.pkl", pickle.dumps(values, protocol))


@pytest.mark.parametrize("compress", [0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
def test_joblib_in_every_compression(tmp_path: Path, compress: object) -> None:
    np = pytest.importorskip("numpy", reason="numpy is not installed")
    joblib = pytest.importorskip("joblib", reason="joblib is not installed")
    joblib.dump(
        {"table": np.eye(200), "names": np.array(["a", None], dtype=object)}, tmp_path / "a.joblib", compress=compress
    )
    assert_quiet("a.joblib", (tmp_path / "a.joblib").read_bytes())


def test_boosted_trees() -> None:
    np = pytest.importorskip("numpy", reason="numpy is not installed")
    lightgbm = pytest.importorskip("lightgbm", reason="lightgbm is not installed")
    xgboost = pytest.importorskip("xgboost", reason="xgboost is not installed")
    table, labels = np.random.default_rng(0).random((60, 4)), np.arange(60) % 2
    for model in (lightgbm.LGBMClassifier(n_estimators=2, verbose=-1), xgboost.XGBClassifier(n_estimators=2)):
        assert_quiet("model.pkl", pickle.dumps(model.fit(table, labels)))


def npz(np: object, *, compressed: bool) -> bytes:
    buffer = io.BytesIO()
    save: Callable[..., None] = np.savez_compressed if compressed else np.savez  # type: ignore[attr-defined]
    save(buffer, a=np.eye(30), b=np.arange(3))  # type: ignore[attr-defined]
    return buffer.getvalue()


def test_archives_of_honest_files() -> None:
    np = pytest.importorskip("numpy", reason="numpy is not installed")
    assert assert_quiet("a.npz", npz(np, compressed=False)).formats == ("npz",)
    assert assert_quiet("a.npz", npz(np, compressed=True)).formats == ("npz",)
    content = pickle.dumps({"a": np.arange(3)})
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            archive.writestr("model/a.pkl", content)
            archive.writestr("model/b.npz", npz(np, compressed=True))
        assert_quiet("a.zip", buffer.getvalue())
    for mode in ("w", "w:gz", "w:bz2", "w:xz"):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode=mode) as tar:
            info = tarfile.TarInfo("model/a.pkl")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        assert_quiet("a.tar", buffer.getvalue())


def test_safetensors_of_the_library() -> None:
    torch = pytest.importorskip("torch", reason="real tensors need torch")
    save = pytest.importorskip("safetensors.torch", reason="safetensors is not installed").save
    tensors = {name: value.clone() for name, value in torch.nn.LSTM(8, 8).state_dict().items()}
    assert_quiet("model.safetensors", save(tensors, metadata={"format": "pt"}))
