"""`modelscan-plus doctor`: what protects a scan on this machine, what is installed, which policy is in force."""

import contextlib
import importlib.metadata
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from modelscan_plus.core.version import VERSION
from modelscan_plus.engines.registry import ENGINES
from modelscan_plus.pipeline import default_jobs
from modelscan_plus.policy.load import load_policy
from modelscan_plus.rules.registry import all_rules, ruleset_digest
from modelscan_plus.workers.layers import describe

_PROBE = ("torch", "transformers", "safetensors", "onnxruntime", "pillow", "numpy")
_LIBRARIES = ("click", "jinja2", "msgspec", "rich")


@click.command("doctor")
def command() -> None:
    """Show the sandbox layers that hold here, the versions in use and the policy in force."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES)
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        versions += f", huggingface-hub {importlib.metadata.version('huggingface-hub')}"
    policy = load_policy(None)
    facts = {
        "version": f"modelscan-plus {VERSION}",
        "rules": f"{len(all_rules())}, {ruleset_digest()}",
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "libraries": versions,
        "policy": f"{policy.name}, {policy.digest}",
        "configuration": str(Path(click.get_app_dir("modelscan-plus"))),
        "children": f"{default_jobs()} at a time",
        "output": f"{sys.stdout.encoding}",
    }
    for name, value in facts.items():
        click.echo(f"{name:<15}{value}")
    click.echo("engines")
    for engine in (make() for make in ENGINES):
        installed = engine.version()
        detail = f"{engine.title}; {engine.needs}" + ("" if installed else '; pip install "modelscan-plus[engines]"')
        click.echo(f"  {installed or 'absent':<8} {engine.name:<14} {detail}")
    click.echo(f"{'signatures':<15}{_signatures()}")
    click.echo(f"{'probes':<15}{_probes()}")
    click.echo("sandbox")
    layers = describe()
    for layer in layers:
        click.echo(f"  {'on ' if layer.active else 'OFF'}  {layer.name:<18} {layer.detail}")
    missing = [layer.name for layer in layers if not layer.active]
    if missing:
        click.echo(f"A layer that is off weakens the sandbox, not the analysis: {', '.join(missing)}.")


def _signatures() -> str:
    """The libraries that verify, and the trusted root that is shipped, with its age."""
    versions = [_version(name) for name in ("cryptography", "rfc3161-client", "sigstore")]
    if None in versions[:2]:
        return 'cannot be verified here; pip install "modelscan-plus[sign]"'
    from modelscan_plus.trust.root import shipped

    days = (datetime.now(UTC).date() - shipped()["sigstore"].dated).days
    root = f"trusted root sigstore of {shipped()['sigstore'].dated}, {days:,} days old"
    return f"cryptography {versions[0]}, rfc3161-client {versions[1]}, sigstore {versions[2] or 'absent'}; {root}"


def _probes() -> str:
    """The libraries that run models for the backdoor probes; none of them is imported."""
    versions = {name: _version(name) for name in _PROBE}
    stated = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    absent = [name for name, version in versions.items() if version is None]
    if not absent:
        return stated
    how = 'pip install "modelscan-plus[probe]"'
    return f"{stated}{'; ' if stated else ''}absent: {', '.join(absent)}; {how}"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
