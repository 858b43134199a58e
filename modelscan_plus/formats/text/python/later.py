"""Places from which something else runs later what is written there: shells, editors, git, interpreters, the system.

START_PATH of sinks.py has those that no honest program writes. Installers, generators of projects and their scripts write
these here for good reasons; what a loader of a model reaches does not.
"""

import re

from modelscan_plus.core.patterns import lazy

_HOOKS = (
    "applypatch-msg|pre-applypatch|post-applypatch|pre-commit|pre-merge-commit|prepare-commit-msg|commit-msg|post-commit|pre-rebase|post-checkout|"
    "post-merge|pre-push|pre-receive|post-receive|post-update|push-to-checkout|pre-auto-gc|post-rewrite|sendemail-validate|fsmonitor-watchman"
)
_OF_SHELLS = r"(?:de)?activate\.d/|(?:bin|Scripts)/activate(?:\.\w+)?$|fish/(?:config\.fish$|conf\.d/|functions/)|[^/]*profile\.ps1$"
_OF_EDITORS = (
    r"(?:Code|Code - Insiders|VSCodium|Cursor|Windsurf)/User/|\.(?:vscode|cursor|windsurf)(?:-server|-insiders)?/extensions/|\.vscode/launch\.json$|"
    r"n?vim/(?:init\.(?:lua|vim)$|plugin/|after/)|\.vim/(?:plugin|autoload|after|ftplugin)/|\.emacs\.d/|emacs/init\.el$|\.devcontainer/"
)
_OF_INTERPRETERS = r"profile_[\w-]+/startup/|jupyter_(?:\w+_)?config\.(?:py|json)$|kernels/[^/]+/kernel\.json$|julia/config/startup\.jl$|[^/]*\.(?:dist|egg)-info/"
_FILES_OF_HOME = (
    r"\.(?:g?vimrc|emacs(?:\.el)?|tmux\.conf|screenrc|gdbinit|lldbinit|pdbrc(?:\.py)?|pythonrc(?:\.py)?|Rprofile|Renviron|perlrc|irbrc|pryrc|ghci|"
    r"sqliterc|psqlrc|mailcap|xinitrc|xsession(?:rc)?|xsessionrc|kshrc|mkshrc|t?cshrc|login|bash_aliases|bash_logout|zlogin|zlogout|envrc|hgrc|"
    r"yarnrc(?:\.yml)?|curlrc|wgetrc|gemrc|ssh/rc|netrc|pypirc|inputrc|gnupg/gpg\.conf|huggingface/(?:token|stored_tokens)|aws/config|docker/config\.json|kube/config)$|tmux/tmux\.conf$"
)
_OF_TOOLS = (
    r"uv/uv\.toml$|\.cargo/config(?:\.toml)?$|\.m2/settings\.xml$|\.gradle/init|(?:\.config|…)/git/(?:config|attributes)$|\.git/config$|"
    rf"hooks/(?:{_HOOKS})$|\.github/(?:workflows|actions)/|\.gitlab-ci\.yml$|\.pre-commit-config\.yaml$|conftest\.py$"
)
_OF_DESKTOP = r"share/applications/[^/]+\.desktop$|Desktop/[^/]+\.(?:desktop|lnk|url|command|bat)$"
_OF_PROJECT = r"^(?:\./)?(?:Dockerfile|docker-compose\.ya?ml|compose\.ya?ml|Makefile|package\.json|requirements\.txt|pyproject\.toml|\.npmrc)$"
"""Files of the folder that a program was started in, by which the user's own project is built."""
_OF_SYSTEM = (
    r"etc/(?:update-motd\.d|udev|NetworkManager/dispatcher\.d|apt/apt\.conf\.d|dpkg|X11|xdg|bash\.bashrc|zsh|skel|inittab|modules-load\.d|"
    r"modprobe\.d|logrotate\.d|anacrontab|gitconfig|fstab|supervisor)"
)
LATER = lazy(
    rf"(?:^|[/\\])(?:{_OF_SHELLS}|{_OF_EDITORS}|{_OF_INTERPRETERS}|{_FILES_OF_HOME}|{_OF_TOOLS}|{_OF_SYSTEM})"
    rf"|(?:^|[/\\])(?:{_OF_DESKTOP})|{_OF_PROJECT}"
    r"|^(?:~/(?:\.local/)?|/(?:usr/(?:local/)?)?|/opt/\w+/)s?bin/[^/\s]"
)
DEVICE = lazy(
    r"^/dev/(?:sd[a-z]|hd[a-z]|vd[a-z]|xvd[a-z]|nvme\d|mmcblk\d|disk\d|mapper/|dm-\d)|^\\\\\.\\(?:PhysicalDrive|[A-Z]:)"
)
"""Disks as a whole."""
GIT_KEYS = (
    r"(?:core\.(?:hooksPath|fsmonitor|sshCommand|gitProxy|askPass|editor|pager|attributesFile|alternateRefsCommand)|init\.templateDir|"
    r"include\.path|includeIf\.\S+\.path|diff\.(?:external|[\w.-]+\.(?:textconv|command))|(?:diff|merge)tool\.[\w.-]+\.cmd|"
    r"merge\.[\w.-]+\.driver|gpg\.(?:\w+\.)?program|sequence\.editor|interactive\.diffFilter|pager\.\w+|browser\.\w+\.cmd|"
    r"man\.\w+\.cmd|trailer\.\w+\.(?:command|cmd)|uploadpack\.packObjectsHook|protocol\.ext\.allow|remote\.\S+\.(?:uploadpack|receivepack|vcs)"
    r"|filter\.[\w.-]+\.(?:smudge|clean|process)(?=[\s=]+[\"']?(?!git[- ]lfs\b))"
    r"|credential\.(?:\S+\.)?helper(?=[\s=]+[\"']?(?!store\b|cache\b|manager|osxkeychain\b|libsecret\b|wincred\b|git-credential|gh\b|!gh\b|huggingface))"
    r"|alias\.[\w-]+(?=[\s=]+[\"']?!)"
    r"|url\.\S*?://(?:[^\s/@]*@)?+(?!(?:[\w-]+\.)*(?:github\.com|gitlab\.com|huggingface\.co|hf\.co|hf-mirror\.com|bitbucket\.org)\b)\S*\.(?:push)?insteadOf)"
)
GIT_KEY = lazy(rf"^{GIT_KEYS}", re.I)
"""Settings by which git starts a program, or goes elsewhere, whenever it is used later."""
