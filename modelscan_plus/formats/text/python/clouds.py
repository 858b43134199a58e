"""Credentials that a cloud or a scheduler gives its programs: by the address, variable or method that they are asked by.

Each is one credential, which its own cloud may be shown (rules/data/vendors.toml). Sources: the documentation of the
instance metadata services of AWS, Google Cloud and Azure, of boto3, azure-identity, google-auth and Airflow.
"""

import ast

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.sinks import SECRET_VARIABLE
from modelscan_plus.formats.text.python.spoken import spoken

_ASKED = (
    (lazy(r"metadata\.google\.internal/\S*token"), "key:GOOGLE_ACCESS_TOKEN"),
    (lazy(r"169\.254\.170\.2\b"), "key:AWS_SECRET_ACCESS_KEY"),
    (lazy(r"/metadata/identity/oauth2/token"), "key:AZURE_ACCESS_TOKEN"),
)
_VARIABLES = (
    (lazy(r"\b(?:IDENTITY_ENDPOINT|MSI_ENDPOINT)\b"), "key:AZURE_ACCESS_TOKEN"),
    (lazy(r"\bAWS_CONTAINER_CREDENTIALS_(?:RELATIVE|FULL)_URI\b"), "key:AWS_SECRET_ACCESS_KEY"),
)
"""Variables that hold the address."""
_METHODS = {
    "get_frozen_credentials": "key:AWS_SECRET_ACCESS_KEY", "get_credentials": "key:AWS_SECRET_ACCESS_KEY",
    "create_access_key": "key:AWS_SECRET_ACCESS_KEY", "get_federation_token": "key:AWS_SECRET_ACCESS_KEY",
    "get_session_token": "key:AWS_SECRET_ACCESS_KEY", "assume_role": "key:AWS_SECRET_ACCESS_KEY",
    "list_secret_for_all_namespaces": "secret", "list_namespaced_secret": "secret", "read_namespaced_secret": "key:KUBERNETES_SECRET",
    "read_secret_version": "key:VAULT_SECRET", "read_secret": "key:VAULT_SECRET", "get_secret_value": "", "access_secret_version": "key:GOOGLE_SECRET",
}  # fmt: skip
OF_MACHINE = frozenset(("key:AWS_SECRET_ACCESS_KEY", "key:GOOGLE_ACCESS_TOKEN", "key:AZURE_ACCESS_TOKEN"))
"""Credentials of the machine's role."""
_IDENTITIES = ("azure.identity.",)


def of_cloud(node: ast.Call, dotted: str, names: Names) -> set[str]:
    """The credential that a call gives, nothing for other calls."""
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if method in ("get", "post", "request", "urlopen", "Request") or dotted.endswith((".urlopen", ".get")):
        said = " ".join(spoken(value, names) for value in node.args[:2])
        if found := next((key for pattern, key in _ASKED if pattern.search(said)), ""):
            return {found}
        written = " ".join(_strings(node))
        if found := next((key for pattern, key in _VARIABLES if pattern.search(written)), ""):
            return {found}
    if method == "get_token" and dotted.startswith(_IDENTITIES):
        return {"key:AZURE_ACCESS_TOKEN"}
    if method in ("get_connection", "get_connections") and dotted.startswith("airflow."):
        return {"key:AIRFLOW_CONNECTION_SECRET"}
    if dotted == "airflow.models.Variable.get" and node.args and SECRET_VARIABLE.search(spoken(node.args[0], names)):
        return {f"key:{spoken(node.args[0], names)[:80]}"}
    key = _METHODS.get(method, "")
    if method.endswith(("_secret", "_secret_for_all_namespaces", "_secret_version")) and key:
        return {key}
    return {key} if key and ("boto" in dotted or dotted.startswith("google.") or _of_aws(names)) else set()


def _strings(node: ast.Call) -> list[str]:
    """The constant texts in what a call is given first."""
    parts = (part for value in node.args[:1] for part in ast.walk(value))
    return [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]


def _of_aws(names: Names) -> bool:
    """True in a source that imports boto3 or botocore, where what it is a method of has no name of a library."""
    return any(
        module.partition(".")[0] in ("boto3", "botocore", "aioboto3", "sagemaker") for module, _ in names.imports
    )
