"""With MODELSCAN_PLUS_NO_SKIPS set, as in CI, a skip whose reason is not in allowed_skips.toml is a failure."""

import os
import signal
import tomllib
from pathlib import Path

import pytest

# numpy's OpenBLAS starts a thread for each processor when it is imported; children are forked only of one thread.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

ALLOWED = tomllib.loads((Path(__file__).parent / "allowed_skips.toml").read_text("utf-8"))["skip"]


@pytest.fixture(autouse=True)
def no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No variable or configuration of whoever runs the tests reaches a command."""
    for name in [name for name in os.environ if name.startswith("MODELSCAN_PLUS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "no-config"))


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts what runs in its background like this
    signal.signal(signal.SIGINT, signal.default_int_handler)
STRICT = bool(os.environ.get("MODELSCAN_PLUS_NO_SKIPS"))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail where there are skips that nobody allowed, and name them."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not STRICT or reporter is None:
        return
    for reason in _unknown(reporter):
        reporter.write_line(f"not an allowed skip: {reason}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _unknown(reporter: pytest.TerminalReporter) -> list[str]:
    reasons = [str(report.longrepr[-1]) for report in reporter.stats.get("skipped", []) if report.longrepr]
    return [reason for reason in reasons if not any(entry["reason"] in reason for entry in ALLOWED)]
