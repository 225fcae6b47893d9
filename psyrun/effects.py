"""Own what top-level statements do: which only bind names, and which may do anything.

Knows Python's syntax trees, and nothing of files, tasks and other modules.
"""

import ast
import sys
from collections.abc import Collection, Iterable, Mapping

from psyrun import syntax
from psyrun.scopes import Import, attribute_chain, blocks, same_scope, scope_of, statements

_COMPOUND = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.TryStar, ast.Match)
_HARMLESS_BESIDE = (ast.Import, ast.ImportFrom, ast.Break, ast.Continue)
"""Statements that may stand beside the setting of settings."""

_TYPE_ALIAS: type = getattr(ast, "TypeAlias", ast.AnnAssign)

Origins = Mapping[str, Collection[Import | None]]
"""What names of a module stand for; None is what is defined in the module itself."""


def has_no_effect(node: ast.stmt, origins: Origins) -> bool:
    """Tell whether nothing that a row process does can depend on a statement."""
    if syntax.does_nothing(node):
        return True
    match node:
        case ast.If(test=test, orelse=[]):
            return _is_never(test, origins)
        case ast.Expr(value=ast.Call(func=func)):
            return _sets_up_logging(func, origins) and not scope_of([node]).names
        case _:
            return False


def _is_never(test: ast.expr, origins: Origins) -> bool:
    """Tell whether this is `__name__ == "__main__"` or `TYPE_CHECKING`."""
    match test:
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
            sides = {attribute_chain(side) for side in (left, right)}
            values = {getattr(side, "value", None) for side in (left, right)}
            return ("__name__",) in sides and "__main__" in values
        case ast.BoolOp(op=ast.And(), values=[first, *_]):
            return _is_never(first, origins)
        case _:
            chain = attribute_chain(test) or ("",)
            return chain[-1] == "TYPE_CHECKING" and _comes_from("typing", chain[0], origins)


def _sets_up_logging(func: ast.expr, origins: Origins) -> bool:
    """Tell whether a call is `logging.name(...)` or `logging.getLogger(...).name(...)`."""
    chain = attribute_chain(func)
    if chain is None and isinstance(func, ast.Attribute) and isinstance(func.value, ast.Call):
        chain = attribute_chain(func.value.func)
    return chain is not None and _comes_from("logging", chain[0], origins)


def _comes_from(module: str, name: str, origins: Origins) -> bool:
    """Tell whether a name is such a module of the standard library, or of it."""
    found = origins.get(name, ())
    return bool(found) and all(
        origin is not None and origin.module == module for origin in found
    )


def is_plain(node: ast.stmt, settings: Collection[str], origins: Origins) -> bool:
    """Tell whether all that a statement does is to bind names of its own module.

    Parameters
    ----------
    node : ast.stmt
        The statement.
    settings : collection of str
        Names that may also be changed.
    origins : dict
        What names of the module stand for.
    """
    match node:
        case (
            ast.FunctionDef(decorator_list=decorators)
            | ast.AsyncFunctionDef(decorator_list=decorators)
        ):
            return not _registers(decorators, origins)
        case ast.ClassDef():
            return _is_plain_class(node, origins)
        case _:
            return _only_names_are_bound(node) or _only_sets(node, settings, origins)


def _is_plain_class(node: ast.ClassDef, origins: Origins) -> bool:
    """Tell whether nobody gets to know a class, or changes, by its being defined."""
    return (
        all(map(_is_plain_metaclass, node.keywords))
        and not _registers(node.decorator_list, origins)
        and all(
            isinstance(one, ast.Import | ast.ImportFrom)
            or has_no_effect(one, origins)
            or is_plain(one, (), origins)
            for one in node.body
        )
    )


def _is_plain_metaclass(keyword: ast.keyword) -> bool:
    return keyword.arg == "metaclass" and (attribute_chain(keyword.value) or ("",))[-1] == (
        "ABCMeta"
    )


def _only_names_are_bound(node: ast.stmt) -> bool:
    """Tell whether this is a plain assignment: to names, no attributes and no items."""
    match node:
        case ast.Assign(targets=targets):
            return all(map(_is_name, targets))
        case ast.AnnAssign(target=target):
            return _is_name(target)
        case _:
            return isinstance(node, _TYPE_ALIAS)


def _is_name(target: ast.expr) -> bool:
    match target:
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            return all(map(_is_name, elements))
        case ast.Starred(value=value):
            return _is_name(value)
        case _:
            return isinstance(target, ast.Name)


def _only_sets(node: ast.stmt, settings: Collection[str], origins: Origins) -> bool:
    """Tell whether all that a statement does is to set, or change, some of the settings."""
    sets_any = False
    todo = [node]
    while todo:
        one = todo.pop()
        if isinstance(one, _COMPOUND):
            todo += blocks(one)
            continue
        targets = _targets(one)
        if targets and all(_root(target) in settings for target in targets):
            sets_any = True
        elif not (isinstance(one, _HARMLESS_BESIDE) or has_no_effect(one, origins)):
            return False
    return sets_any


def _targets(node: ast.stmt) -> list[ast.expr]:
    match node:
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            return targets
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            return [target]
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=receiver))):
            return [receiver]  # as in `scheduler_args.update(...)`
        case _:
            return []


def _root(target: ast.expr) -> str:
    """Name what `name.attribute[item]` starts with."""
    while isinstance(target, ast.Attribute | ast.Subscript):
        target = target.value
    return target.id if isinstance(target, ast.Name) else ""


def changed_names(node: ast.stmt) -> set[str]:
    """Name what a statement sets or changes, also by its attributes and items."""
    return {_root(target) for one in statements(node) for target in _targets(one)} - {""}


def calls_anything(node: ast.stmt) -> bool:
    """Tell whether running a statement calls a function, so that its place can matter."""
    todo: list[ast.AST] = [node]
    while todo:
        one = todo.pop()
        if isinstance(one, ast.Call):
            return True
        todo += same_scope(one)
        todo += one.body if isinstance(one, ast.ClassDef) else []
    return False


_PURE_DECORATORS = {
    "attr": {"attrs", "dataclass", "define", "frozen", "mutable", "s"},
    "attrs": {"define", "frozen", "mutable"},
    "jax": {"grad", "jit", "vmap"},
    "numba": {"cfunc", "guvectorize", "jit", "njit", "stencil", "vectorize"},
    "numpy": {"vectorize"},
    "torch": {"inference_mode", "no_grad"},
}
"""Decorators of packages that register nothing: by package, the last names."""

_BUILT_IN_DECORATORS = {"classmethod", "property", "staticmethod"}

_OF_PROPERTIES = {"deleter", "getter", "setter"}

_HOOKS = {"atexit", "codecs", "gc", "sys", "threading"}
"""Modules of the standard library that functions can be registered with."""


def _registers(decorators: Iterable[ast.expr], origins: Origins) -> bool:
    """Tell whether a decorator may make known to somebody what it decorates.

    Those of the standard library don't, nor do some well-known ones; any other may.
    """
    called = [node.func if isinstance(node, ast.Call) else node for node in decorators]
    return not all(_is_pure(attribute_chain(node) or ("",), origins) for node in called)


def _is_pure(chain: tuple[str, ...], origins: Origins) -> bool:
    found = origins.get(chain[0], ())
    if not found:
        is_of_property = len(chain) > 1 and chain[-1] in _OF_PROPERTIES
        return is_of_property or chain[0] in _BUILT_IN_DECORATORS
    for origin in found:
        if origin is None:
            return False
        package = origin.module.partition(".")[0]
        last = chain[-1] if len(chain) > 1 else origin.name or ""
        in_library = package in sys.stdlib_module_names and package not in _HOOKS
        is_known = last in _PURE_DECORATORS.get(package, ())
        if last == "partial" or not (in_library or is_known):  # a partial function calls any
            return False
    return True
