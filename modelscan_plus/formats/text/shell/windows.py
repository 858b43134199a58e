"""Batch files and PowerShell in the spelling of a POSIX shell, as far as files, variables and the network go.

Sources: `help` of cmd, and the reference of Invoke-WebRequest, Start-BitsTransfer, Start-Process and Compress-Archive.
"""

import re

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.variables import expanded

_WEB = lazy(
    r"(?<![\w-])(?:Invoke-WebRequest|Invoke-RestMethod|iwr|irm|curl\.exe|wget|curl)(?P<given>(?:\s+[^|;\n)}]{0,800})?)",
    re.I,
)
_OPTION = lazy(
    r"-(?P<name>Uri|OutFile|Body|InFile|Headers)\s+(?P<value>\"[^\"\n]*\"|'[^'\n]*'|\([^()\n]{0,300}(?:\([^()\n]{0,200}\)[^()\n]{0,200}){0,3}\)|[^\s|;)}]+)",
    re.I,
)
_ADDRESS = lazy(r"(?P<url>[\"']?https?://[^\s\"')}]+[\"']?|\$\w+)", re.I)
_CLIENT = lazy(
    r"(?:\(\s*New-Object\s+[\w.]*WebClient\s*\)|\$\w+|\[[\w.]*WebClient\]::new\(\))\.(?P<how>DownloadFile|DownloadString|DownloadData|UploadString|UploadFile|UploadData)\s*"
    r"\(\s*(?P<first>[^,()\n]{1,400})(?:,\s*(?P<second>[^()\n]{1,400}(?:\([^()\n]{0,100}\))?))?\)",
    re.I,
)
_REQUEST = lazy(
    r"\[(?:System\.)?Net\.(?:Http)?WebRequest\]::Create\s*\(\s*(?P<one>[^()\n]{1,400})\)(?:\.Get\w+\(\))*|"
    r"\.Get(?:String|ByteArray|Stream)Async\s*\(\s*(?P<two>[^()\n]{1,400})\)(?:\.Result|\.GetAwaiter\(\)\.GetResult\(\))?",
    re.I,
)
_LOADED = lazy(
    r"\[(?:System\.)?(?:Reflection\.)?Assembly\]::(?:Load|LoadFile|LoadFrom|UnsafeLoadFrom)\s*\(\s*(?P<what>[^()\n]{1,400}(?:\(\))?)\)[^\n;]*",
    re.I,
)
_ARCHIVE = lazy(
    r"Compress-Archive\s+(?:-Path\s+)?(?P<what>[^\s]+)\s+(?:-DestinationPath\s+)?(?P<where>[^\s;|]+)[^\n;|]*", re.I
)
_BITS = lazy(r"Start-BitsTransfer\s+(?:-Source\s+)?(?P<url>\S+)\s+(?:-Destination\s+)?(?P<file>[^\s;|]+)[^\n;|]*", re.I)
_EXPAND = lazy(
    r"Expand-Archive\s+(?:-(?:Literal)?Path\s+)?(?P<what>\S+)\s+(?:-DestinationPath\s+)?(?P<where>[^\s;|-][^\s;|]*)?[^\n;|]*",
    re.I,
)
_SET = lazy(r"^\s*\$(?:\w+:)?(?P<name>\w+)\s*=\s*(?P<value>.+)$")
_PLAIN = lazy(r"^[\"'][^\"']*[\"']$|^[\w./\\:$~{}-]+$")
_WORDS = (
    (lazy(r"\b(?:Get-ChildItem|gci|dir|ls)\s+env:\S*", re.I), "env"),
    (lazy(r"\[(?:System\.)?Environment\]::GetEnvironmentVariables\(\)", re.I), "$(env)"),
    (lazy(r"\[(?:System\.)?IO\.File\]::ReadAll\w+\s*\(\s*([^()\n]+)\)", re.I), r"$(cat \1)"),
    (lazy(r"(?<![\w-])(?:Get-Content|gc|type)\s+(?:-(?:Raw|Path|LiteralPath|Encoding\s+\w+)\s+)*", re.I), "cat "),
    (lazy(r"(?<![\w-])(?:Start-Process|saps|Invoke-Item|ii)\s+(?:-(?:FilePath|WindowStyle\s+\w+|NoNewWindow|Wait)\s+)*", re.I), "start "),
    (lazy(r"(?<![\w-])(?:Invoke-Expression|iex)\s+", re.I), "eval "),
    (lazy(r"(?:^|(?<=[|;{]))\s*(?:%|ForEach-Object|foreach)\s*(?=\{)", re.I | re.M), " while read _ ; do "),
    (lazy(r"(?<![\w-])(?:ConvertTo-Json|Out-String|ConvertTo-Csv|Select-Object|Sort-Object|Format-\w+|Where-Object)\b[^|;\n}]*", re.I), "cat"),
    (lazy(r"(?<![\w-])Write-(?:Host|Output|Verbose|Information|Warning|Error|Debug)\b", re.I), "echo"),
    (lazy(r"\((\$\([^()\n]*\))\)"), r'"\1"'),
    (lazy(r"(?<![\w-])Copy-Item\s+(?:-(?:Path|Recurse|Force)\s+)*", re.I), "cp "),
    (lazy(r"\s-(?:Destination|Recurse|Force|UseBasicParsing|ErrorAction\s+\w+|Method\s+\w+|ContentType\s+\S+|TimeoutSec\s+\d+)\b", re.I), " "),
    (lazy(r"\$\{?env:(\w+)\}?", re.I), r"${\1}"),
)  # fmt: skip


def batch(text: str) -> str:
    """A batch file, line by line."""
    text = text.replace("^\n", " ").replace("\\", "\\\\")
    lines = []
    for line in text.split("\n"):
        bare = line.strip().lstrip("@(")
        if re.match(r"(?i)rem\b|::", bare):
            lines.append("")
            continue
        found = re.match(r"(?i)set\s+(?:/\w\s+)?\"?(\w+)=([^\"\n&|]*)\"?", bare)
        bare = f'{found[1]}="{found[2].strip()}"' if found else bare
        bare = re.sub(r"(?i)^type\s+", "cat ", bare)
        bare = re.sub(r"%~?(\w+)%", r"${\1}", bare)
        lines.append(re.sub(r"!(\w+)!", r"${\1}", bare))
    return "\n".join(lines).replace("'", "\\'")


def powershell(text: str) -> str:
    """A PowerShell script, line by line; what it sets is written out first (variables.py)."""
    text = expanded("powershell", text.replace("`\n", " "))
    lines = []
    for line in text.split("\n"):
        bare = _ARCHIVE.sub(lambda found: f"zip {found['where']} {found['what']}", line.strip())
        bare = _EXPAND.sub(lambda found: f"unzip {found['what']} -d {found['where'] or '.'}", bare)
        bare = _BITS.sub(lambda found: f"lwp-download {found['url']} {found['file']}", bare)
        bare = _WEB.sub(_web, bare)
        bare = _CLIENT.sub(_client, bare)
        bare = _REQUEST.sub(lambda found: f"$(curl {found['one'] or found['two']})", bare)
        bare = _LOADED.sub(lambda found: f"eval {found['what']}", bare)
        for pattern, written in _WORDS:
            bare = pattern.sub(written, bare)
        bare = re.sub(r"(?:^|(?<=[|;{]))\s*[&.]\s+(?=[\"'$\w])", " ", bare)
        found = _SET.match(bare)
        if found:
            value = found["value"].strip().rstrip(";")
            if re.fullmatch(r"\$\([^()]*\)", value):
                value = f'"{value}"'  # what a client answered
            else:
                value = value if _PLAIN.match(value) else f'"$({value})"'
            bare = f"{found['name']}={value}"
        lines.append(
            bare.replace("\\", "\\\\").replace("{", " ; ").replace("}", " ; ")
            if "${" not in bare
            else bare.replace("\\", "\\\\")
        )
    return "\n".join(lines)


def _web(found: "re.Match[str]") -> str:
    given = {option["name"].lower(): option["value"] for option in _OPTION.finditer(found["given"] or "")}
    rest = _OPTION.sub(" ", found["given"] or "")
    address = given.get("uri") or (url["url"] if (url := _ADDRESS.search(rest)) else "")
    if not address:
        return found.group()
    body = given.get("body", "")
    if body.startswith("("):
        body = f'"$({body[1:-1]})"'
    parts = ["curl", f"-o {given['outfile']}" if "outfile" in given else "", f"-d {body}" if body else "",
             f"-T {given['infile']}" if "infile" in given else "", address.replace("$_", "${_}")]  # fmt: skip
    return " ".join(part for part in parts if part)


def _client(found: "re.Match[str]") -> str:
    how, first, second = found["how"].lower(), found["first"].strip(), (found["second"] or "").strip()
    if how == "downloadfile":
        return f"curl -o {second or 'file'} {first}"
    if how == "uploadfile":
        return f"curl -T {second} {first}"
    if how.startswith("upload"):
        return f'curl -d "{second}" {first}' if second.startswith("$") else f"curl -d {second or '-'} {first}"
    return f"$(curl {first})"
