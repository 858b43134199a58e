"""What the statements of a source bind names to."""

import ast


def note_assignment(assigned: dict[str, list[ast.expr | None]], node: ast.AST) -> None:
    """Put to each name what the statement gives it; None where that is not one expression."""
    match node:
        case ast.Assign():
            for target in node.targets:
                _bind(assigned, target, node.value)
        case ast.AnnAssign() | ast.NamedExpr() if node.value and isinstance(node.target, ast.Name):
            assigned.setdefault(node.target.id, []).append(node.value)
        case (
            ast.For(target=target, iter=ast.List(elts=items) | ast.Tuple(elts=items))
            | ast.comprehension(target=target, iter=ast.List(elts=items) | ast.Tuple(elts=items))
        ):
            for item in items[:20]:
                _bind(assigned, target, item)
        case ast.AugAssign(target=ast.Name(id=name)) | ast.For(target=ast.Name(id=name)):
            assigned.setdefault(name, []).append(None)
        case ast.withitem(optional_vars=ast.Name(id=name)):
            assigned.setdefault(name, []).append(node.context_expr)
        case ast.Call(func=ast.Attribute(attr="register_buffer"), args=[ast.Constant(value=str(name)), value, *_]):
            assigned.setdefault(f".{name}", []).append(value)
        case ast.arg():
            assigned.setdefault(node.arg, []).append(None)


def _bind(assigned: dict[str, list[ast.expr | None]], target: ast.expr, value: ast.expr) -> None:
    if isinstance(target, ast.Name):
        assigned.setdefault(target.id, []).append(value)
    elif (
        isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id in ("self", "cls")
    ):
        assigned.setdefault(f".{target.attr}", []).append(value)
    elif isinstance(target, (ast.Tuple, ast.List)):
        values = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
        for number, item in enumerate(target.elts):
            if len(values) == len(target.elts):
                _bind(assigned, item, values[number])
            elif isinstance(item, ast.Name):
                assigned.setdefault(item.id, []).append(None)
