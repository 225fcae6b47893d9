"""How tests make compiled modules: by the C compiler, or by Python without the source."""

import py_compile
import shutil
import subprocess
import sys
import sysconfig
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest


def build(folder: Path, name: str, value: int, *options: str) -> Path:
    """Compile a module whose function `answer` returns a value; the file is a new one.

    With the option `-DFROM_LIBRARY`, the value is in a library beside the module.
    """
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if shutil.which("gcc") is None or not header.exists() or sys.platform != "linux":
        pytest.skip("there is no C compiler, or no Python.h")
    path = folder / f"{name}{EXTENSION_SUFFIXES[0]}"
    path.unlink(missing_ok=True)
    source = Path(__file__).with_name("answer.c")
    compile_c = ["gcc", "-shared", "-fPIC", "-Wall", "-Werror"]
    if "-DFROM_LIBRARY" in options:
        library = ["-x", "c", "-", "-o", str(folder / f"lib{name}.so")]
        text = f"long number(void) {{ return {value}; }}"
        subprocess.run([*compile_c, *library], input=text, text=True, check=True)
        options += (f"-L{folder}", f"-l{name}", "-Wl,-rpath,$ORIGIN")
    macros = [f"-DNAME={name}", f"-DVALUE={value}", f"-I{header.parent}"]
    target = ["-o", str(path), str(source)]
    subprocess.run([*compile_c, *macros, *target, *options], check=True)
    return path


def compile_without_source(folder: Path, name: str, text: str) -> Path:
    """Leave of a module only what Python makes of its text."""
    source = folder / f"{name}.py"
    source.write_text(text)
    path = folder / f"{name}.pyc"
    py_compile.compile(
        str(source),
        str(path),
        doraise=True,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    source.unlink()
    return path
