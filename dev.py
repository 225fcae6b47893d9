"""Set up a virtual environment in `.venv`, and run the examples, the tests or the docs in it.

    python3 dev.py examples       run the example tasks, and print a result
    python3 dev.py test [ARG]...  check format, style and types, run pytest (with the ARGs)
    python3 dev.py docs           build the documentation
    python3 dev.py venv           only make the environment

Needs Python and nothing else. What pip is told by its configuration and environment holds here
too. A second time, nothing is installed unless pyproject.toml has changed.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - any Python may be asked to run this
    sys.exit(f"ERROR Psyrun needs Python 3.11 or newer; this is {sys.version.split()[0]}")

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")

EXAMPLES = "psy-tasks-examples"
CHECKS = (
    ("ruff", "format", "--check"),
    ("ruff", "check"),
    ("mypy",),
)
DOCS = ("sphinx", "-E", "-W", "--keep-going", "-q", "-b", "html", "docs", "docs/_build/html")


def main(arguments: list[str]) -> int:
    """Do what the first argument says; return the exit code."""
    command, *rest = arguments or [""]
    if rest and command != "test":
        command = ""
    if command == "examples":
        return run_examples()
    if command == "test":
        return run_tests(rest)
    if command == "docs":
        return build_docs()
    if command == "venv":
        make_environment()
        return 0
    print(__doc__)
    return 0 if arguments in (["-h"], ["--help"]) else 2


def run_examples() -> int:
    """Run all example tasks, and print what one of them found."""
    install("examples")
    return run_all(
        ("psyrun", "--taskdir", EXAMPLES, "run"),
        (f"{EXAMPLES}/best_digits.py",),
    )


def run_tests(arguments: list[str]) -> int:
    """Run the checks, then the tests; the first failure ends it."""
    install("test")
    return run_all(*CHECKS, ("pytest", *arguments))


def build_docs() -> int:
    """Build the documentation; a warning is an error."""
    install("docs")
    return run_all(DOCS)


def run_all(*commands: tuple[str, ...]) -> int:
    """Run modules and scripts of the environment one after the other, until one fails."""
    for module, *arguments in commands:
        start = [module] if module.endswith(".py") else ["-m", module]
        print("$", "python", *start, *arguments, flush=True)
        code = subprocess.run([PYTHON, *start, *arguments], cwd=ROOT, check=False).returncode
        if code:
            return code
    return 0


def install(extra: str) -> None:
    """Install Psyrun and what an extra of it needs, unless that has been done."""
    make_environment()
    stamp = VENV / f"installed-{extra}"
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"installing Psyrun and its extra {extra!r} into {VENV} ...", flush=True)
    options = ["--quiet", "--disable-pip-version-check", "--no-user"]
    # a plain path entry: the default hook costs every process 20 ms
    mode = ["--config-settings", "editable_mode=compat"]
    command = [*pip(), "install", *options, *mode, "--editable", f".[{extra}]"]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        sys.exit("ERROR the installation failed; pip says why above")
    stamp.write_text(wanted)


def pip() -> list[str]:
    """Return the command that installs into the environment."""
    if works(PYTHON, "-m", "pip", "--version"):
        return [str(PYTHON), "-m", "pip"]
    return [sys.executable, "-m", "pip", "--python", str(PYTHON)]


def make_environment() -> None:
    """Make the virtual environment, unless one is there that works."""
    if works(PYTHON, "-c", IS_FIT) and works(*pip(), "--version"):
        return
    print(f"making a virtual environment in {VENV}", flush=True)
    fault = create()
    if fault:
        # without ensurepip an environment has no pip; a pip outside can install into it
        create("--without-pip")
    if not works(*pip(), "--version"):
        shutil.rmtree(VENV, ignore_errors=True)
        sys.exit(f"{fault}\nERROR {sys.executable} cannot make a virtual environment{advice()}")


def create(*options: str) -> str:
    """Create the environment anew; return what is said if that fails."""
    shutil.rmtree(VENV, ignore_errors=True)
    command = [sys.executable, "-m", "venv", *options, str(VENV)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr or "venv failed") if done.returncode else ""


def advice() -> str:
    """Say what to install, where that is the fault."""
    if importlib.util.find_spec("ensurepip"):
        return ""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return (
        ", for its module ensurepip is not installed; on Debian and Ubuntu it comes with:\n"
        f"    apt-get install python{version}-venv   (or: python3-venv)"
    )


IS_FIT = "import sys; sys.exit(sys.version_info < (3, 11))"


def works(*command: str | Path) -> bool:
    """Run a command whose output does not matter, and tell whether it succeeds."""
    try:
        done = subprocess.run(command, capture_output=True, check=False, cwd=ROOT)
    except OSError:
        return False
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
