"""Which expressions of a template say what tools there are and what they are called with, and who speaks.

Ordinary templates list the tools and write down calls, whatever their names; a template that looks for a certain tool
and then gives orders was made for whoever has that tool.
"""

from jinja2 import nodes

from modelscan_plus.formats.text.jinja.scope import Scope, key_of

_TOOLS = frozenset(("tools", "tool", "functions", "builtin_tools", "available_tools", "xml_tools", "json_tools"))
_CALLS = frozenset(("tool_calls", "function_call", "tool_call", "function", "arguments", "parameters"))
_DOCUMENTS = frozenset(("documents", "document", "docs", "doc"))
_OF_DOCUMENTS = frozenset(("title", "source", "url", "snippet", "filename"))
ROLES = frozenset(
    """system user assistant tool function ipython developer model human gpt bot observation environment tool_response
    tool_call tool_calls tool_result tool_results tool_output function_call function_response documents document context
    thinking reasoning analysis final latest_reminder chatbot ai instruction input output available_tools critic judge
    user_system assistant_with_thought metadata character narrator root platform control title query passage""".split()
)
"""Roles that chat formats have."""


class Tools:
    """The variables of one template that hold tools or calls of them."""

    def __init__(self, tree: nodes.Template, scope: Scope) -> None:
        self._names = set(_TOOLS)
        self._scope = scope
        for _ in range(3):
            before = len(self._names)
            for node in tree.find_all(nodes.For):
                if isinstance(node.target, nodes.Name) and self.tells(node.iter):
                    self._names.add(node.target.name)
            for key, values in scope.assigned.items():
                if any(value is not None and self.tells(value) for value in values):
                    self._names.add(key)
            if before == len(self._names):
                break

    def tells(self, node: nodes.Node) -> bool:
        """True for an expression that holds a tool, a call, or a part of one."""
        return any(self._is_tool(part) for part in [node, *node.find_all((nodes.Name, nodes.Getattr, nodes.Getitem))])

    def of_document(self, node: nodes.Node) -> bool:
        """True for the title, source or address of a document that was retrieved for the question."""
        if last(node) not in _OF_DOCUMENTS:
            return False
        return any(
            name.name in _DOCUMENTS
            or any(isinstance(value, nodes.Name) and value.name in _DOCUMENTS for value in self._assigned(name.name))
            for name in node.find_all(nodes.Name)
        )

    def _assigned(self, name: str) -> list[nodes.Node | None]:
        return self._scope.assigned.get(name, [])

    def _is_tool(self, node: nodes.Node) -> bool:
        if isinstance(node, nodes.Name):
            return node.name in self._names
        if (key := key_of(node)) is not None and key in self._names:
            return True
        return last(node) in _CALLS


def last(node: nodes.Node) -> str:
    """The last name of `message.role` and `message["role"]`."""
    if isinstance(node, nodes.Getattr):
        return node.attr
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        return str(node.arg.value)
    return ""
