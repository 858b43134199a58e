"""Places at which code may turn what a model says: the functions of a source that hold answers, and what is found in them."""

import ast
from collections.abc import Iterator

import msgspec

DECODES = frozenset(
    """decode _decode batch_decode convert_tokens_to_string convert_ids_to_tokens _convert_id_to_token detokenize
    decode_batch clean_up_tokenization id_to_token""".split()
)
"""Methods of a tokenizer that turn tokens into text."""
ANSWERS = DECODES | frozenset(
    """postprocess post_process generate _generate chat stream_chat chat_stream batch_chat generate_stream stream_generate
    infer inference predict handle output_fn predict_fn output_modifier outlet postprocess_text on_finalized_text put end
    respond reply answer complete _call invoke encode_response""".split()
)
"""Methods whose result is what a model answers."""


class Turn(msgspec.Struct, frozen=True):
    """One place at which the code turns something."""

    function: str
    """As its block is named (blocks.py)."""
    node: ast.stmt | ast.expr
    said: str
    """What it does, as the end of a sentence that begins with the function."""


class Part(msgspec.Struct):
    """A function with what stands in it, functions inside of it left out."""

    name: str
    owner: str
    nodes: list[ast.AST]
    parameters: tuple[str, ...]

    @property
    def last(self) -> str:
        """The function's own name."""
        return self.name.rpartition(".")[2]


def parts(tree: ast.Module) -> Iterator[Part]:
    """The functions of a source, and the module itself, "" by name."""
    todo: list[tuple[ast.AST, str, str]] = [(tree, "", "")]
    while todo:
        top, name, owner = todo.pop()
        nodes: list[ast.AST] = []
        stack: list[tuple[ast.AST, str]] = [(child, "") for child in reversed(list(ast.iter_child_nodes(top)))]
        while stack:
            node, inside = stack.pop()
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                todo.append((node, f"{inside}.{node.name}" if inside else node.name, inside))
                stack += [(item, inside) for item in node.decorator_list]
                continue
            inner = node.name if isinstance(node, ast.ClassDef) else inside
            nodes.append(node)
            stack += [(child, inner) for child in reversed(list(ast.iter_child_nodes(node)))]
        arguments = top.args if isinstance(top, (ast.FunctionDef, ast.AsyncFunctionDef)) else None
        given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs] if arguments else []
        yield Part(name, owner, nodes, tuple(item.arg for item in given))
