"""Whoever edits code: what is reached always counts, and nothing else ever does.

The edits follow a grammar:

    project  := module+                 five modules, two of them in a package
    module   := definition*             each holds one number of its own, and uses others
    definition := constant | function | default | class | entry
    use      := name, as seen within the module
              | module.name | alias.name | name | alias     (import, as, from, from as)
              | the same imported within the function, or through the package, or by getattr
    edit     := number of a definition | definition used by another | definition added
              | definition removed | comment | docstring | blank lines | parentheses | notation

What is reached is known in two ways that know nothing of syntax trees: by going through the
definitions drawn, and by running the code and looking at what comes out.
"""

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from psyrun.code import CodeImage
from psyrun.fingerprint import differences, fingerprint
from psyrun.loading import FrozenFinder, FrozenModule, run_module

TASK = "task_t"
MODULES = ["pkg.two", "pkg.one", "beta", "alpha", TASK]
"""In the order in which they may import each other: each only those before it."""

KINDS = ["constant", "function", "default", "class", "entry"]
STYLES = ["import", "as", "from", "from as", "inside", "inside from", "getattr", "package"]


@dataclass(frozen=True)
class Def:
    """A definition: its module, its number, and which others it uses in which style."""

    module: str
    kind: str
    number: int
    uses: tuple[tuple[int, str], ...] = ()
    dressing: tuple[str, ...] = ()


Project = dict[int, Def]
"""Definitions by number; each uses only some with lower numbers. The last is `execute`."""


def name_of(index: int, made: Def) -> str:
    return "TABLE" if made.kind == "entry" else f"d{index}"


def value_of(index: int, made: Def, expression: str) -> str:
    """Write how a definition's value is got, from an expression that leads to it."""
    return expression + {
        "constant": "",
        "function": "()",
        "default": "()",
        "class": "().m()",
        "entry": f"[{index}]",
    }.get(made.kind, "")


def use(user: Def, index: int, used: Def, style: str) -> tuple[str, str, str]:
    """Write a use as: an import at the top, an import inside, and an expression."""
    name, module = name_of(index, used), used.module
    if module == user.module:
        return "", "", value_of(index, used, name)
    inner = user.kind in {"function", "class", "execute"}
    if style == "package" and module.startswith("pkg."):
        leaf = module.partition(".")[2]
        if user.module.startswith("pkg."):
            top, expression = f"from . import {leaf}", f"{leaf}.{name}"
        else:
            top, expression = f"from pkg import again{index}", f"again{index}"
        return top, "", value_of(index, used, expression)
    top, expression = {
        "import": (f"import {module}", f"{module}.{name}"),
        "as": (f"import {module} as m{index}", f"m{index}.{name}"),
        "from": (f"from {module} import {name}", name),
        "from as": (f"from {module} import {name} as x{index}", f"x{index}"),
        "inside": (f"import {module} as i{index}", f"i{index}.{name}"),
        "inside from": (f"from {module} import {name} as j{index}", f"j{index}"),
        "getattr": (f"import {module}", f"getattr({module}, '{name}')"),
        "package": (f"import {module}", f"{module}.{name}"),
    }[style if name != "TABLE" or style != "from" else "from as"]
    at_top = not (inner and style.startswith("inside"))
    value = value_of(index, used, expression)
    return (top, "", value) if at_top else ("", top, value)


def write(project: Project, index: int) -> tuple[set[str], str]:
    """Write a definition as: the imports that it needs, and its lines."""
    made = project[index]
    uses = [use(made, other, project[other], style) for other, style in made.uses]
    tops = {top for top, _, _ in uses if top}
    inside = "".join(f"    {line}\n" for _, line, _ in uses if line)
    number = f"0x{made.number:x}" if "notation" in made.dressing else f"{made.number}"
    total = " + ".join([number, *(expression for _, _, expression in uses)])
    if "parentheses" in made.dressing:
        total = f"(\n        {total}\n    )"
    doc = "'''About it.'''" if "docstring" in made.dressing else ""
    comment = "  # why" if "comment" in made.dressing else ""
    name, deeper = f"d{index}", inside.replace("    ", "        ")
    lines = {
        "constant": f"{name} = {total}{comment}\n",
        "function": f"def {name}():{comment}\n    {doc}\n{inside}    return {total}\n",
        "default": f"def {name}(x={total}):\n    {doc}\n    return x{comment}\n",
        "class": f"class {name}:{comment}\n    {doc}\n    size = 1\n\n"
        f"    def m(self):\n{deeper}        return self.size + ({total})\n",
        "entry": f"TABLE[{index}] = {total}{comment}\n",
        "execute": f"def execute(a):\n    {doc}\n{inside}    return {{'y': a + ({total})}}\n",
    }[made.kind]
    return tops, ("\n\n" if "blank" in made.dressing else "") + lines


def sources(project: Project) -> dict[str, str]:
    """Write all modules of a project."""
    found = {"pkg": ""}
    for module in MODULES:
        mine = [index for index in sorted(project) if project[index].module == module]
        written = [write(project, index) for index in mine]
        tops = sorted({top for tops, _ in written for top in tops})
        table = "TABLE = {}\n" if any(project[i].kind == "entry" for i in mine) else ""
        found[module] = "\n".join([*tops, table, *(lines for _, lines in written)])
    for index, made in sorted(project.items()):
        if made.module.startswith("pkg."):
            found["pkg"] += (
                f"from {made.module} import {name_of(index, made)} as again{index}\n"
            )
    return found


def image_of(project: Project) -> CodeImage:
    texts = sources(project)
    modules = {
        name: FrozenModule(
            Path(name.replace(".", "/") + ("/__init__.py" if name == "pkg" else ".py")),
            text.encode(),
            name == "pkg",
        )
        for name, text in texts.items()
        if name != TASK
    }
    return CodeImage(f"{TASK}.py", texts[TASK].encode(), modules=modules)


def changes(old: Project, new: Project) -> list[str]:
    """Name what differs between the fingerprints of two projects."""
    found = [fingerprint(image_of(project), ()) for project in (old, new)]
    return [str(change) for change in differences(*found)]


def result(project: Project) -> int:
    """Run a project's task."""
    image = image_of(project)
    finder = FrozenFinder(image.modules)
    sys.meta_path.insert(0, finder)
    try:
        task = run_module(TASK, Path(image.task_file), image.task_source)
        value: int = task.execute(0)["y"]
    finally:
        sys.meta_path.remove(finder)
        for name in (*image.modules, TASK):
            sys.modules.pop(name, None)
    return value


def reached(project: Project) -> set[int]:
    """Go through the definitions from `execute` on."""
    found: set[int] = set()
    modules: set[str] = set()
    todo = [max(project)]
    while todo:
        index = todo.pop()
        if index in found:
            continue
        found.add(index)
        todo += [other for other, _ in project[index].uses]
        modules.add(project[index].module)
        todo += [i for i, d in project.items() if d.kind == "entry" and d.module in modules]
    return found


NUMBERS = st.integers(1, 10**9)


@st.composite
def projects(draw: st.DrawFn) -> Project:
    project: Project = {}
    for index in range(draw(st.integers(2, 9))):
        project[index] = draw(definitions(project, st.sampled_from(MODULES)))
    uses = draw(uses_of(project, TASK))
    project[len(project)] = Def(TASK, "execute", draw(NUMBERS), uses)
    return project


@st.composite
def definitions(draw: st.DrawFn, others: Project, modules: st.SearchStrategy[str]) -> Def:
    module = draw(modules)
    kind = draw(st.sampled_from(KINDS))
    return Def(module, kind, draw(NUMBERS), draw(uses_of(others, module)))


@st.composite
def uses_of(draw: st.DrawFn, others: Project, module: str) -> tuple[tuple[int, str], ...]:
    rank = MODULES.index(module)
    there = [i for i, made in others.items() if MODULES.index(made.module) <= rank]
    chosen = draw(st.lists(st.sampled_from(there), max_size=3, unique=True)) if there else []
    return tuple((index, draw(st.sampled_from(STYLES))) for index in chosen)


def edited(project: Project, index: int, **changed: Any) -> Project:
    return {**project, index: dataclasses.replace(project[index], **changed)}


@given(projects())
def test_the_code_runs(project):
    """Else the other laws would hold of nothing."""
    assert result(project) >= project[max(project)].number
    assert changes(project, project) == []


@given(projects(), st.data())
def test_a_reached_number_counts_and_no_other(project, data):
    index = data.draw(st.sampled_from(sorted(project)))
    other = edited(project, index, number=data.draw(NUMBERS))
    assume(other[index].number != project[index].number)
    found = changes(project, other)
    assert bool(found) == (index in reached(project))
    assert bool(found) or result(project) == result(other)


@given(projects(), st.data())
def test_a_changed_number_is_named(project, data):
    index = data.draw(st.sampled_from(sorted(reached(project))))
    made = project[index]
    assume(made.kind != "entry")
    name = "execute" if made.kind == "execute" else f"d{index}"
    label = name if made.module == TASK else f"{made.module}.{name}"
    assert changes(project, edited(project, index, number=made.number + 1)) == [f"`{label}`"]


@given(projects(), st.data())
def test_another_definition_used_counts(project, data):
    index = data.draw(st.sampled_from(sorted(project)))
    earlier = {i: d for i, d in project.items() if i < index}
    uses = data.draw(uses_of(earlier, project[index].module))
    other = edited(project, index, uses=uses)
    found = changes(project, other)
    assert bool(found) or result(project) == result(other)
    if index not in reached(project):
        assert found == []


@given(projects(), st.data())
def test_a_definition_more_never_counts(project, data):
    last = max(project)
    module = st.sampled_from(MODULES)
    new = data.draw(definitions({i: d for i, d in project.items() if i < last}, module))
    assume(new.kind != "entry")
    assert changes(project, {**project, last: new, last + 1: project[last]}) == []


@given(projects(), st.data())
def test_a_statement_more_counts_where_its_module_is_run(project, data):
    last = max(project)
    module = data.draw(st.sampled_from(MODULES))
    run = {project[index].module for index in reached(project)}
    other = {**project, last: Def(module, "entry", data.draw(NUMBERS)), last + 1: project[last]}
    assert bool(changes(project, other)) == (module in run)


@given(projects())
def test_what_is_not_reached_can_go(project):
    kept = reached(project)
    left = {i: d for i, d in project.items() if i in kept}
    assert changes(project, left) == []
    assert result(project) == result(left)


@given(projects(), st.data())
def test_dressing_never_counts(project, data):
    dressings = ["comment", "docstring", "blank", "parentheses", "notation"]
    other = {
        index: dataclasses.replace(
            made, dressing=tuple(data.draw(st.sets(st.sampled_from(dressings))))
        )
        for index, made in project.items()
    }
    assert changes(project, other) == []
