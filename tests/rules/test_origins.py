"""Registries of containers and packages that are not known, and names of packages that are mistyped."""

import pytest

from modelscan_plus.core.finding import Severity
from modelscan_plus.formats.text.lookalikes import resembles
from tests.samples import inspect

WRAPPER = "gradle-wrapper.properties"
SERVICES = "services:\n  a:\n    image: {}\n"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("Dockerfile", "FROM registry.fast.example/pytorch:2 AS b\n", Severity.HIGH),
        ("Dockerfile", "FROM --platform=linux/amd64 203.0.113.4/pytorch:2\n", Severity.HIGH),
        ("Dockerfile", "ARG BASE=registry.fast.example/pytorch:2\nFROM ${BASE}\n", Severity.HIGH),
        ("Dockerfile", "ARG BASE=registry.acme.com:5000/pytorch:2\nFROM ${BASE}\n", Severity.MEDIUM),
        ("Dockerfile", "FROM harbor.lab.univ.edu/pytorch:2\n", Severity.MEDIUM),
        ("Dockerfile", "FROM pytorch/pytorch:2.3.0\nFROM nvcr.io/nvidia/pytorch:24.01-py3\nFROM base AS x.y\n", None),
        ("compose.yaml", SERVICES.format("registry.fast.example/api:1"), Severity.HIGH),
        ("compose.yaml", SERVICES.format("ghcr.io/acme/api:1"), None),
        ("_config.yml", "title: x\nimage: cdn.fast.example/logo\n", None),
        ("mkdocs.yml", "services:\n  a: 1\nimage: cdn.fast.example/logo.png\n", None),
        ("run.sh", "docker run --gpus all -v $PWD:/w registry.fast.example/api:1 serve\n", Severity.HIGH),
        ("run.sh", "docker run --rm -it alpine:3 wget files.fast.example/x.txt\n", None),
        ("environment.yml", "channels:\n  - https://conda.fast.example/main\n  - defaults\n", Severity.HIGH),
        ("environment.yml", "channels:\n  - pytorch\n  - conda-forge\ndependencies:\n  - python\n", None),
        (".npmrc", "registry=https://npm.fast.example/\n", Severity.HIGH),
        (".npmrc", "@acme:registry=https://npm.acme.com/\n", None),
        (WRAPPER, "distributionUrl=https\\://gradle.fast.example/gradle-8.zip\n", Severity.HIGH),
        (WRAPPER, "distributionUrl=https\\://services.gradle.org/gradle-8.zip\n", None),
        ("Dockerfile", "FROM golang\nENV GOPROXY=https://go.fast.example\n", Severity.HIGH),
        ("Dockerfile", "FROM golang\nENV GOPROXY=direct\n", None),
        ("s.sh", "echo 'deb [trusted=yes] https://apt.fast.example/ ./' > x.list\n", Severity.HIGH),
        ("values.yaml", "image:\n  repository: registry.fast.example/api\n  tag: 1\n", Severity.HIGH),
        ("values.yaml", "repository: git.fast.example/api\nname: x\n", None),
        ("Dockerfile", "# syntax=registry.fast.example/front:1\nFROM python\n", Severity.HIGH),
        (".env", "HF_ENDPOINT=https://hub.fast.example\n", Severity.HIGH),
        (".env", "HF_ENDPOINT=https://hf-mirror.com\n", None),
        ("README.md", "# M\n\nIn China use `export HF_ENDPOINT=https://hf-mirror.com`.\n", None),
        ("README.md", "# M\n\nIn China use `export HF_ENDPOINT=https://hub.fast.example`.\n", Severity.HIGH),
        ("s.sh", "git config --global url.https://git.fast.example/.insteadOf https://github.com/\n", Severity.HIGH),
        ("s.sh", 'git config --global url."https://x:$T@github.com/".insteadOf "https://github.com/"\n', None),
        ("env.yaml", "dependencies:\n- pip:\n  - --index-url https://p.fast.example/simple\n", Severity.HIGH),
        ("requirements.txt", "torch\ntranformers>=4.30\n", Severity.HIGH),
        ("requirements.txt", "reqeusts\n", Severity.HIGH),
        ("Dockerfile", "FROM python\nRUN pip install -q hugginface-hub torch\n", Severity.HIGH),
        ("requirements.txt", "transformers\nctransformers\ndataset\ntensorboardX\nfaiss-gpu\nscikit_learn\n", None),
        ("s.sh", "# tranformers\necho tranformers\n", None),
    ],
)  # fmt: skip
def test_where_programs_come_from(name: str, text: str, expected: Severity | None) -> None:
    worst = max(
        (each.severity for each in inspect(text.encode(), name).findings), key=lambda each: each.rank, default=None
    )
    assert worst == expected


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("tranformers", "transformers"), ("numyp", ""), ("nmupy", "numpy"), ("pandsa", ""), ("padnas", "pandas"),
        ("transformerss", "transformers"), ("transsformers", "transformers"), ("tensorflqw", "tensorflow"),
        ("numpy", ""), ("grequests", ""),
    ],
)  # fmt: skip
def test_what_a_hand_mistypes(name: str, meant: str) -> None:
    assert resembles(name) == meant
