"""Whoever edits code: what is reached always counts, and nothing else ever does.

The edits follow a grammar:

    project  := module+                 five modules, two of them in a package, and a hub
    module   := definition*             each holds one number of its own, and uses others
    definition := constant | function | default | lambda | comprehension | closure
              | class | child of a class | class with attribute | cached function
              | entry of a table | registered function | function below `if`
    use      := name, as seen within the module
              | module.name | alias.name | name | alias     (import, as, from, from as, *)
              | the same imported within the function, or through the package, by getattr,
                through a module that hands it on, or through a module given as a value
              | a variable or parameter of the same name, which is no use at all
    edit     := number of a definition | definition used by another | definition added
              | definition removed | comment | docstring | blank lines | parentheses | notation

What is reached is known in two ways that know nothing of syntax trees: by going through the
definitions drawn, and by running the code and looking at what comes out.
"""

import dataclasses
import sys
import textwrap
from collections.abc import Iterator
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

CLASSES = {"class", "child", "attribute"}
RUN = {"entry", "registered", "conditional"}
"""Kinds that count wherever their module is run."""

KINDS = [
    *("constant", "function", "default", "lambda", "comprehension", "closure", "cached"),
    *sorted(CLASSES | RUN),
]
IN_BODY = {"function", "closure", "cached", "class", "child", "conditional", "execute"}
"""Kinds that can import within a function."""

STYLES = [
    *("import", "as", "from", "from as", "star", "inside", "inside from", "getattr"),
    *("package", "handed on", "through", "value", "variable", "inside variable", "parameter"),
]
NO_USE = {"variable", "inside variable", "parameter"}
HUB_STYLES = {"handed on": "from", "through": "import"}
"""Styles by which the task uses what it gets from the hub, and as what they come elsewhere."""


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
    if made.kind in CLASSES:
        return f"{expression}().m()"
    return expression + {"constant": "", "comprehension": "[0]", "entry": f"[{index}]"}.get(
        made.kind, "()"
    )


def style_of(user: Def, used: Def, style: str) -> str:
    """Tell in which style a use comes out, as not every one fits everywhere."""
    if user.module == used.module:
        return "here"
    if style in HUB_STYLES and user.module != TASK:
        style = HUB_STYLES[style]
    if user.kind not in IN_BODY:
        style = style.replace("inside from", "from").replace("inside", "import")
    if used.kind == "entry" and style in {"from", "star"}:
        style = "from as"  # there may be a table of its own
    if style == "package" and not used.module.startswith("pkg."):
        style = "import"
    if style == "value" and used.module != MODULES[0]:  # else it would hold other modules
        style = "import"
    return style


def hide(user: Def, index: int, style: str) -> tuple[str, str, str]:
    """Write what looks like a use, but is of a variable or parameter of that name."""
    name = f"d{index}"
    if style == "inside variable" and user.kind in IN_BODY:
        return "", f"{name} = 0", name
    if style == "parameter":
        return "", "", f"(lambda {name}: {name})(0)"
    return "", "", f"[{name} for {name} in [0]][0]"


def use(user: Def, index: int, used: Def, style: str) -> tuple[str, str, str]:
    """Write a use as: an import at the top, an import inside, and what leads to it."""
    name, module = name_of(index, used), used.module
    leaf = module.rpartition(".")[2]
    style = style_of(user, used, style)
    if style == "package":
        if user.module.startswith("pkg."):
            return f"from . import {leaf}", "", f"{leaf}.{name}"
        return f"from pkg import again{index}", "", f"again{index}"
    top, expression = {
        "here": ("", name),
        "import": (f"import {module}", f"{module}.{name}"),
        "as": (f"import {module} as m{index}", f"m{index}.{name}"),
        "from": (f"from {module} import {name}", name),
        "from as": (f"from {module} import {name} as x{index}", f"x{index}"),
        "star": (f"from {module} import *", name),
        "inside": (f"import {module} as i{index}", f"i{index}.{name}"),
        "inside from": (f"from {module} import {name} as j{index}", f"j{index}"),
        "getattr": (f"import {module}", f"getattr({module}, '{name}')"),
        "handed on": (f"from hub import far{index} as f{index}", f"f{index}"),
        "through": ("import hub", f"hub.via_{leaf}.{name}"),
        "value": (f"import {module}", f"(lambda m: m.{name})({module})"),
    }[style]
    return ("", top, expression) if style.startswith("inside") else (top, "", expression)


def base_of(project: Project, index: int) -> tuple[int, str] | None:
    """Return the use that a class has for its base, if it has one."""
    made = project[index]
    for other, style in made.uses[:1]:
        if style not in NO_USE and made.kind == "child" and project[other].kind in CLASSES:
            return other, style.removeprefix("inside ").replace("inside", "import")
    return None


def write(project: Project, index: int) -> tuple[set[str], str]:
    """Write a definition as: the imports that it needs, and its lines."""
    made = project[index]
    base = base_of(project, index)
    uses = []
    for other, style in made.uses[1 if base else 0 :]:
        if style in NO_USE:
            uses.append(hide(made, other, style))
        else:
            top, inner, expression = use(made, other, project[other], style)
            uses.append((top, inner, value_of(other, project[other], expression)))
    parent = ""
    if base:
        top, _, parent = use(made, base[0], project[base[0]], base[1])
        uses.append((top, "", "super().m()"))
    tops = {top for top, _, _ in uses if top}
    inside = "".join(f"    {line}\n" for _, line, _ in uses if line)
    number = f"0x{made.number:x}" if "notation" in made.dressing else f"{made.number}"
    total = " + ".join([number, *(expression for _, _, expression in uses)])
    if "parentheses" in made.dressing:
        total = f"(\n        {total}\n    )"
    doc = "'''About it.'''" if "docstring" in made.dressing else ""
    comment = "  # why" if "comment" in made.dressing else ""
    name, deeper = f"d{index}", inside.replace("    ", "        ")
    function = f"def {name}():{comment}\n    {doc}\n{inside}    return {total}\n"
    method = f"    def m(self):\n{deeper}        return {total}\n"
    lines = {
        "constant": f"{name} = {total}{comment}\n",
        "function": function,
        "default": f"def {name}(x={total}):\n    {doc}\n    return x{comment}\n",
        "lambda": f"{name} = lambda: {total}{comment}\n",
        "comprehension": f"{name} = [{total} for i in range(1)]{comment}\n",
        "closure": f"def {name}():\n    {doc}\n{inside}    def inner():{comment}\n"
        f"        return {total}\n    return inner()\n",
        "cached": f"@functools.cache\n{function}",
        "class": f"class {name}:{comment}\n    {doc}\n{method}",
        "child": f"class {name}({parent}):{comment}\n    {doc}\n{method}",
        "attribute": f"class {name}:\n    size = {total}\n\n    def m(self):{comment}\n"
        f"        {doc}\n        return self.size\n",
        "entry": f"TABLE[{index}] = {total}{comment}\n",
        "registered": f"@keep\n{function}",
        "conditional": "if True:\n" + textwrap.indent(function, "    "),
        "execute": f"def execute(a):\n    {doc}\n{inside}    return {{'y': a + ({total})}}\n",
    }[made.kind]
    return tops, ("\n\n" if "blank" in made.dressing else "") + lines


HELPS = {
    "cached": "import functools\n",
    "entry": "TABLE = {}\n",
    "registered": "KEPT = []\ndef keep(f):\n    KEPT.append(f)\n    return f\n",
}
"""What definitions of some kinds need in their module."""


def sources(project: Project) -> dict[str, str]:
    """Write all modules of a project."""
    found = {"pkg": "", "hub": ""}
    for module in MODULES:
        mine = [index for index in sorted(project) if project[index].module == module]
        written = [write(project, index) for index in mine]
        tops = sorted({top for tops, _ in written for top in tops})
        kinds = {project[index].kind for index in mine}
        helps = [text for kind, text in HELPS.items() if kind in kinds]
        found[module] = "\n".join([*tops, *helps, *(lines for _, lines in written)])
    for index, made in sorted(project.items()):
        name = name_of(index, made)
        if made.module.startswith("pkg."):
            found["pkg"] += f"from {made.module} import {name} as again{index}\n"
        if index in in_hub(project):
            found["hub"] += f"from {made.module} import {name} as far{index}\n"
            found["hub"] += f"import {made.module} as via_{made.module.rpartition('.')[2]}\n"
    return found


def styles(project: Project, index: int) -> Iterator[tuple[int, str]]:
    """Yield what a definition really uses, and in which style that comes out."""
    made = project[index]
    for other, style in made.uses:
        if style not in NO_USE:
            yield other, style_of(made, project[other], style)


def in_hub(project: Project) -> set[int]:
    """List the definitions that the hub hands on."""
    return {o for i in project for o, style in styles(project, i) if style in HUB_STYLES}


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
    found, run = {max(project)}, {TASK}
    while True:
        more = {other for index in found for other, _ in styles(project, index)}
        more |= {i for i in project if project[i].kind in RUN and project[i].module in run}
        more |= {i for i in project if project[i].module in taken_whole(project, found, run)}
        modules = run_by(project, run | {project[index].module for index in found | more})
        if any(style in HUB_STYLES for i in found for _, style in styles(project, i)):
            modules |= {project[index].module for index in in_hub(project)}
        if more <= found and modules <= run:
            return found
        found |= more
        run |= modules


def taken_whole(project: Project, found: set[int], run: set[str]) -> set[str]:
    """List the modules of which everything counts."""
    return {
        project[other].module
        for index, made in project.items()
        for other, style in styles(project, index)
        if (style == "star" and made.module in run) or (style == "value" and index in found)
    }


def run_by(project: Project, run: set[str]) -> set[str]:
    """Add the modules of a package, which imports them all."""
    everything = {made.module for made in project.values()}
    in_package = {module for module in everything if module.startswith("pkg.")}
    return run | (in_package if run & in_package else set())


def imports_more(project: Project, index: int) -> bool:
    """Tell whether how a definition is written makes modules run, or binds what others use.

    A name that others of its module get by `*` is bound once more by an import of its own.
    """
    mine = project[index].module
    by_star = {
        other
        for i, made in project.items()
        for other, style in styles(project, i)
        if style == "star" and made.module == mine
    }
    return any(
        style in {"star", *HUB_STYLES} or (style == "from" and other in by_star)
        for other, style in styles(project, index)
    )


NUMBERS = st.integers(1, 10**9)


@st.composite
def projects(draw: st.DrawFn) -> Project:
    project: Project = {}
    for index in range(draw(st.integers(2, 9))):
        project[index] = draw(definitions(project))
    uses = draw(uses_of(project, TASK))
    project[len(project)] = Def(TASK, "execute", draw(NUMBERS), uses)
    return project


@st.composite
def definitions(draw: st.DrawFn, others: Project) -> Def:
    module, kind = draw(st.sampled_from(MODULES)), draw(st.sampled_from(KINDS))
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
    assume(made.kind not in RUN)
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
    imports = imports_more(project, index) or imports_more(other, index)
    if index not in reached(project) | reached(other) and not imports:
        assert found == []


@given(projects(), st.data())
def test_a_definition_more_never_counts(project, data):
    last = max(project)
    new = data.draw(definitions({i: d for i, d in project.items() if i < last}))
    other = {**project, last: new, last + 1: project[last]}
    assume(last not in reached(other))
    assume(not imports_more(other, last))
    assert changes(project, other) == []


@given(projects(), st.data())
def test_a_statement_more_counts_where_its_module_is_run(project, data):
    last = max(project)
    module = data.draw(st.sampled_from(MODULES))
    other = {**project, last: Def(module, "entry", data.draw(NUMBERS)), last + 1: project[last]}
    assert bool(changes(project, other)) == (last in reached(other))


@given(projects())
def test_what_is_not_reached_can_go(project):
    kept = reached(project)
    left = {i: d for i, d in project.items() if i in kept}
    assume(not any(imports_more(project, index) for index in project if index not in kept))
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
