"""Patterns of commands that run what cannot be read, give secrets away, or have git run something.

prose.py has the patterns of downloads, shells and persistence; both are looked for by `prose.hostile_command`.
"""

import itertools
import re

from modelscan_plus.core.patterns import lazy

_DECODER = (
    r"(?:base64\s+(?:-d|-D|--decode)|openssl\s+(?:enc|base64)\b[^\n|]{0,80}\s-d|xxd\s+(?:-\w+\s+)*-\w*r|uudecode|"
    r"\|\s*rev\b|gpg\s+(?:-d|--decrypt)|\|\s*rot13|\|\s*tr\s+[\"']?[A-Za-z\\-]{2,20}[\"']?\s+[\"']?[A-Za-z\\-]{2,20})"
)
_SHELL = r"(?:sudo\s+(?:-\w+\s+)*)?(?:/(?:usr/)?bin/)?(?:env\s+)?(?:(?:ba|z|da|k)?sh|python[\d.]*|perl)\b"
DECODED_COMMAND = lazy(
    rf"(?:\beval|\b(?:ba|z|da|k)?sh\s+(?:-\w+\s+)*-\w*c|\bsource|(?:^|[;&|]\s*)\.)\s+[\"']?(?:\$\(|`|<\()[^\n]{{0,4000}}?{_DECODER}"
    rf"|{_DECODER}[^\n|;&]{{0,400}}\|\s*{_SHELL}"
    rf"|(?:^|[;&|{{]\s*|\bthen\s+|\bdo\s+)(?:\$\(|`)[^\n`)]{{0,4000}}?{_DECODER}"
    r"|\b(?:xz\s+-\w*d\w*|unxz|xzcat|unlzma|lzma\s+-\w*d\w*|gzip\s+-\w*d\w*|gunzip|zcat|bzip2\s+-\w*d\w*|bunzip2|bzcat|zstd\s+-\w*d\w*|zstdcat|lz4\s+-\w*d\w*)\b"
    r"[^\n|;&]{0,200}(?:\|[^\n|;&]{0,100}){0,3}\|\s*(?:sudo\s+)?(?:/(?:usr/)?bin/)?(?:ba|z|da|k)?sh\b(?:\s+-s?)?\s*(?:$|[;&|)\"'\n])"
    rf"|\b(?:ba|z|da|k)?sh\s+(?:-\w+\s+)*<<<\s*[\"']?(?:\$\(|`)[^\n]{{0,4000}}?{_DECODER}"
    rf"|\b(?P<kept>\w+)=[\"']?(?:\$\(|`)[^\n]{{0,4000}}?(?:{_DECODER}|\b(?:curl|wget)\b)[^\n]{{0,400}}(?:\n[^\n]{{0,400}}){{0,3}}?"
    r"(?:\beval|\b(?:ba|z|da|k)?sh\s+(?:-\w+\s+)*-\w*c)\s+[\"']?\$\{?(?P=kept)\b"
    r"|(?:printf|echo\s+-e)\s+[\"']?(?:[^\n|\"']{0,40}?\\(?:x[0-9a-f]{2}|[0-7]{3})){4}[^\n|]{0,4000}\|\s*" + _SHELL,
    re.I | re.M,
)
"""A text is decoded and run at once, so that nobody who reads the script knows what it does."""
BROWSER_FILES = r"(?:Login Data|cookies\.sqlite|logins\.json|key[34]\.db)"
"""Files in which browsers keep passwords, cookies and the keys to them."""
PRIVATE = (
    r"(?:\.ssh\b(?!/?\S*(?:\.pub|known_hosts|config)\b)|\.aws\b|\.gnupg\b|\.kube/config|\.netrc\b|\.npmrc\b|\.pypirc\b|\.git-credentials|"
    r"\.docker/config|\.(?:bash|zsh)_history|\.config/gcloud|huggingface/(?:token|stored_tokens)|/etc/(?:passwd|shadow)\b|"
    r"/proc/(?:self|\d+)/environ|\bid_(?:rsa|ed25519|ecdsa)\b(?!\.pub)|wallet\.dat|"
    rf"(?<![\w./-])(?:\./)?\.env\b(?![.\w-])|{BROWSER_FILES}\b|stored_tokens\b)"
)
"""Files of credentials."""
_ENVIRONMENT = r"(?:(?:\$\(|`|<\()\s*(?:env|printenv|export\s+-p|set)\b(?!\s+-)|(?:gci|dir|ls|Get-ChildItem)\s+env:|toJson\(\s*secrets\s*\))"
_CLIENT = r"\b(?:curl|wget|nc|ncat|netcat|socat|iwr|irm|invoke-webrequest|invoke-restmethod)\b"
_DATA_FILE = (
    r"\.(?:safetensors|bin|gguf|pt|pth|onnx|json|png|jpe?g|svg|model|npy|npz|h5|dat|woff2?|ttf|otf|eot|ico|gif|webp|"
    r"bmp|mp[34]|wav|flac|pdf|csv|tsv|parquet|css|map|log|lock)\b"
)
CARRIED_COMMAND = lazy(
    rf"\b(?:tail|dd|head|cat|strings|cut|sed|awk|unzip)\s[^\n|;&]{{0,300}}?(?:{_DATA_FILE}|[\"']?\$(?:0\b|\{{?BASH_SOURCE))[^\n|;&]{{0,200}}\|\s*"
    rf"(?:{_SHELL}|(?:base64|tar|xxd|openssl|gunzip|gzip|zcat)\b[^\n]{{0,200}}?(?:\|\s*{_SHELL}|(?:&&|;)\s*(?:\./|sh\s|bash\s)))"
    rf"|(?:^|[;&|]\s*)(?:sudo\s+)?(?:ba|z|da|k)?sh\s+[\w./-]{{1,100}}{_DATA_FILE}"
    rf"|(?:^|[;&|]\s*)(?:\w+=\S*\s+)*\b(?:python[\d.]*|perl|ruby|node)\s+(?!-)[\w./-]{{1,100}}{_DATA_FILE}"
    rf"|\$\{{?\w+\}}?\S*\s[^\n|;&]{{0,100}}https?://[^\s|;&]+[\"']?\s*\|\s*{_SHELL}"
    r"|\b(?:eval|assert|system|exec|shell_exec|passthru|popen|proc_open)\s*\(\s*(?:@?\$_(?:GET|POST|REQUEST|COOKIE|SERVER)\b|(?:base64_decode|gzinflate|str_rot13)\s*\()"
    rf"|(?:(?:^|[;&]\s*)\.|\bpython[\d.]*|\bperl)\s+<\(\s*(?:curl|wget)\b",
    re.I | re.M,
)
"""What runs stands in a file of data, in the script's own tail, or behind a name that is put together."""
FROM_MEMORY = lazy(
    r"\[(?:System\.)?Reflection\.Assembly\]::Load\s*\(\s*(?:\$|\[|\()|\bVirtualAlloc(?:Ex)?\b[\s\S]{0,2000}?\bCreate(?:Remote)?Thread\b",
    re.I,
)
"""A program that stands in no file is loaded from memory."""
TAKES_OVER = lazy(
    r"\b(?:useradd|adduser|usermod)\b(?=[^\n|;&]{0,200}\s-o\b)[^\n|;&]{0,200}\s-u\s*0\b|\b(?:echo|printf)\b[^\n|;&]{0,80}:0:0:[^\n|;&]{0,80}>>\s*/etc/passwd|\bpam_exec\.so\b[^\n]{0,80}\bexpose_authtok\b|\bchmod\s+(?:\+s|u\+s|[246][0-7]{3})\s+\S*/(?:bash|sh|dash|zsh|python[\d.]*|env)\b|:\s*\(\)\s*\{\s*:\s*\|\s*:\s*&\s*\}\s*;\s*:",
    re.I | re.M,
)
"""A shell that gives everybody the rights of its owner, or one that starts itself without end."""
MINES = lazy(
    r"\bstratum\d?\+(?:tcp|ssl|tls|udp)://|(?:^|[\s/;&|\"'`])(?:xmrig|xmr-stak|nbminer|lolminer|phoenixminer|teamredminer|srbminer\S*|"
    r"cpuminer|minerd|ethminer|gminer|t-rex|bzminer|rigel)(?:\.exe)?[\"']?,?\s+[\"']?(?:-{1,2}\w)|(?:\bimage\s*:|^[^\S\n]*FROM)\s*\S*(?:xmrig|nbminer|lolminer|cpuminer|minerd|ethminer|srbminer)|--donate-level\b|--randomx\b",
    re.I | re.M,
)
"""The machine computes coins for somebody else."""
GIVES_ROOT = lazy(
    r"NOPASSWD\s*:[^\n]{0,200}(?:>>?|\btee\b)[^\n]{0,60}sudoers|(?:>>?|\btee\b)[^\n]{0,60}/etc/sudoers[^\n]{0,80}<<",
    re.I,
)
"""A user may do everything without a password."""
LEADS_ELSEWHERE = lazy(
    r"[\"'\s](?!127\.|0\.0\.0\.0|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.)(?:\d{1,3}\.){3}\d{1,3}\s+(?:[\w-]+\.)+[a-z]{2,}[^\n]{0,200}"
    r"(?:>>?|\btee\b(?:\s+-a)?)\s*[\"']?/etc/hosts"
    r"|\bnameserver\s+(?!127\.|10\.|192\.168\.|172\.|8\.8\.|1\.[01]\.|9\.9\.9|114\.114|223\.[56]\.|119\.29|208\.67)(?:\d{1,3}\.){3}\d{1,3}[^\n]{0,80}>>?\s*[\"']?/etc/resolv\.conf"
    r"|(?:^[^\S\n]*-\s+[\"']?|--add-host[= ][\"']?)(?:[\w-]+\.)+[a-z]{2,}[:=](?!127\.|0\.0\.0\.0|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.)(?:\d{1,3}\.){3}\d{1,3}[\"']?\s*(?:$|\s)",
    re.I | re.M,
)
"""The name of a host leads to an address that the script names."""
MADE_PROGRAM = lazy(
    r"\b(?:curl|wget|aria2c)\b[^\n|;&]{0,300}(?:https?|ftp)://(?P<host>[^\s/\"']{1,200})[^\n|;&]{0,300}(?:&&|;|\n)[^\n;&]{0,200}?\bchmod\s+"
    r"(?:[ugoa]*\+\w*x\w*|[0-7]?[1357][0-7]{2})\s",
    re.I,
)
"""What is downloaded becomes a program."""
BUILD_FETCHES_AND_RUNS = lazy(
    r"\bfile\s*\(\s*DOWNLOAD\s+\S{8,400}\s+[\"']?(?P<made>[^\s\"')]{2,200})[\"']?[\s\S]{0,4000}?\bexecute_process\s*\(\s*COMMAND\s+"
    r"(?:(?:[\"']?\$\{\w+\}[\"']?|(?:ba|z|da)?sh|python[\d.]*|perl|cmd|powershell)\s+(?:[-/]\w+\s+)*)?[\"']?(?P=made)(?![\w.])",
    re.I,
)
"""CMake fetches a program or script and starts it while the build is set up."""
ADDED_AND_RUN = lazy(
    r"^[^\S\n]*ADD\s+(?:--(?!checksum=)\S+\s+)*https?://\S+\s+(?P<file>\S{2,100})\s*\n(?:[^\n]*\n){0,3}?\s*RUN\s[^\n]{0,300}?(?<!\S)(?P=file)(?![\w.])",
    re.M,
)
"""A container fetches a file and runs it."""
SECRETS_SENT = lazy(
    rf"{_CLIENT}[^\n]{{0,400}}?(?:\s-d|\s-F|\s-T|\s--(?:data|form|upload-file|post|body|json)\S{{0,20}}|\s-body|\?\S{{0,80}}=|@|<)[^\n]{{0,300}}?"
    rf"(?:{PRIVATE}|{_ENVIRONMENT})"
    rf"|(?:(?:^[ \t@-]*(?:RUN\s+|CMD\s+)?|[;&|(:{{`\"']\s*|\bsudo\s+)(?:env|printenv|export\s+-p|set)\b(?!\s+-)|\b(?:cat|tar|zip|base64|gzip|xxd|openssl)\b[^\n|]{{0,200}}?{PRIVATE}|\b(?:echo|printf)\b[^\n|]{{0,200}}?{_ENVIRONMENT})[^\n;]{{0,300}}?\|\s*"
    rf"{_CLIENT}"
    rf"|\b(?:scp|sftp|rsync|rclone|aws\s+s3|gsutil|azcopy|gh\s+gist|(?:hf|huggingface-cli)\s+upload|git\s+add)\b"
    rf"(?:\s+(?:-i\s+\S+|(?!-i\b)\S+)){{0,12}}?\s+(?!-)\S*{PRIVATE}"
    r"|\b(?:dig|nslookup|host|ping|curl|wget)\b[^\n]{0,120}?(?:\$\(|`)\s*(?:whoami|hostname|id|env|printenv|cat|echo\s+\$)[^\n)`]{0,200}[)`]"
    r"[\"']?\.[\w-]{1,60}\.[a-z]{2,}",
    re.I | re.M,
)
"""Files of credentials or the whole environment go to another machine."""
KEY_SENT = lazy(
    rf"{_CLIENT}[^\n]{{0,400}}?(?:\s-d|\s-F|\s--(?:data|form|post|body|json)\S{{0,20}}|\s-body|\?\S{{0,80}}=)[^\n]{{0,200}}?"
    r"\$(?:\{\{\s*secrets\.|\{|env:)?(?P<key>\w*(?:TOKEN|SECRET|PASSWORD|API_?KEY|ACCESS_KEY|PRIVATE_KEY)\w*)",
    re.I | re.M,
)
"""One credential, by its name, goes along in the data or address of a request."""
_GIT_VALUE = r"(?:[^\n]{0,200}?(?:\b(?:ba|z|da)?sh\s+-c|\bcurl\b|\bwget\b|&&|;|\|)|\s*[\"']?!)"
GIT_RUNS = lazy(
    r"\bgit\s+config\s+(?:--?[\w-]+(?:=\S+)?\s+){0,4}[\"']?(?:filter\.[\w.-]{1,60}\.(?:smudge|clean|process)|"
    rf"credential\.(?:\S{{1,80}}\.)?helper[\"']?[=\s][\"']?![^\n]{{0,200}}?{_CLIENT}|core\.(?:fsmonitor|sshCommand|gitProxy|askPass|editor|pager)|diff\.[\w.-]{1, 60}\.(?:textconv|command)|"
    rf"merge\.[\w.-]{{1,60}}\.driver|submodule\.\S{{1,60}}\.update)[\"']?[=\s](?![\"'\s]*git[- ]lfs){_GIT_VALUE}",
    re.I | re.M,
)
"""git is set up to start a shell when files are checked out, shown or fetched."""
GIT_SETTINGS = lazy(
    r"^[^\S\n]*(?:smudge|clean|process|fsmonitor|sshCommand|gitProxy|askPass|textconv|driver|editor|pager|update)\s*=\s*"
    rf"(?![\"'\s]*git[- ]lfs){_GIT_VALUE}[^\n]{{0,200}}"
    r"|^[^\S\n]*(?:url|path)\s*=\s*[\"']?(?:-|[^\n]*(?:\$\{?IFS|\$\(|`))[^\n]{0,200}",
    re.I | re.M,
)
"""The same in a file of settings that git reads."""

_INTO_FILE = lazy(
    r"(?:-OutFile\s+|-Destination\s+|\.DownloadFile\s*\([^,\n]{1,400},\s*|\bcurl(?:\.exe)?\s[^\n|]{0,300}?(?:-o|--output)\s+|"
    r"/transfer\s+\S+\s+(?:/\S+\s+\S+\s+){0,4}https?://\S+\s+|\bcertutil(?:\.exe)?\s+-\w*(?:decode|urlcache)\S*\s[^\n]{0,200}?\s)"
    r"[\"']?(?P<file>[^\s\"'(),;]{3,200})",
    re.I,
)
"""What Windows downloads, or decodes, into a file."""
_STARTED = r"(?:\b(?:Start-Process|Invoke-Item|start|call|rundll32|cmd)\s+(?:[-/]\w+\s+)*(?:\"[^\"\n]*\"\s+)?(?:/\w+\s+)*|&&?\s*|^\s*)[\"']?"


def fetched_and_started(text: str) -> str | None:
    """The part of a script for Windows that downloads a file and starts it, or None."""
    for found in itertools.islice(_INTO_FILE.finditer(text), 8):
        behind = text[found.end() : found.end() + 600]
        if found["file"].lower() not in behind.lower():
            continue
        if started := re.search(rf"{_STARTED}{re.escape(found['file'])}(?![\w.])", behind, re.I | re.M):
            return text[found.start() : found.end() + started.end()]
    return None
