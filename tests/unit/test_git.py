"""What git says of a folder, also of a repository that is hostile, odd or huge."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from psyrun import git
from psyrun.git import CUT, MOST_BYTES, git_state


class Repository:
    """A repository in a folder, and git in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self("init", "-q", "-b", "main")

    def __call__(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=A", "-c", "user.email=a@b", *arguments]
        done = subprocess.run(
            command, cwd=self.root, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def write(self, name: str, data: str | bytes = "x\n") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def commit(self) -> str:
        self("add", "--all")
        self("commit", "-q", "-m", "message")
        return self("rev-parse", "HEAD")


@pytest.fixture(autouse=True)
def _own_configuration(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)


@pytest.fixture
def repository(tmp_path):
    made = Repository(tmp_path / "project")
    made.write("tasks/task_a.py")
    made.write("other.txt")
    made.commit()
    return made


@pytest.fixture
def tasks(repository):
    return repository.root / "tasks"


def test_a_clean_tree(repository, tasks):
    state = git_state(tasks, ["task_a.py", "../other.txt"])
    assert state is not None
    assert (state.commit, state.branch) == (repository("rev-parse", "HEAD"), "main")
    assert (state.dirty, state.untracked, state.diff, state.cut) == (False, (), b"", False)


@pytest.mark.parametrize("staged", [False, True])
def test_a_change_anywhere_in_the_tree_is_in_the_diff(repository, tasks, staged):
    repository.write("other.txt", "y\n")
    if staged:
        repository("add", "other.txt")
    state = git_state(tasks, [])
    assert state is not None
    assert state.dirty
    assert b"diff --git a/other.txt b/other.txt\n" in state.diff
    assert state.diff.endswith(b"-x\n+y\n")


def test_the_diff_makes_the_tree_from_the_commit(repository, tasks):
    repository.write("tasks/task_a.py", "y\nλ no newline")
    repository.write("new file.py", "z\n")
    repository("add", "new file.py")
    (repository.root / "other.txt").unlink()
    for setting in ("diff.noprefix", "diff.mnemonicPrefix", "diff.relative"):
        repository("config", setting, "true")
    repository("config", "diff.context", "0")
    repository("config", "color.ui", "always")
    state = git_state(tasks, [])
    assert state is not None
    clone = repository.root.with_name("clone")
    repository("clone", "-q", ".", str(clone))
    subprocess.run(["git", "apply"], cwd=clone, input=state.diff, check=True)
    assert (clone / "tasks/task_a.py").read_text() == "y\nλ no newline"
    assert (clone / "new file.py").exists()
    assert not (clone / "other.txt").exists()


def test_a_touched_file_is_no_change(repository, tasks):
    os.utime(repository.root / "other.txt", (1, 1))
    state = git_state(tasks, [])
    assert state is not None
    assert not state.dirty


def test_untracked_files_do_not_make_it_dirty_but_those_of_the_code_are_named(
    repository, tasks, tmp_path
):
    repository.write(".gitignore", "ignored.py\n")
    repository.commit()
    names = ["helper.py", "ignored.py", "a b.py", "a\nb.py", "é.py", "*.py", ":(top)x", "-n.py"]
    for name in names:
        repository.write(f"tasks/{name}")
    (tmp_path / "outside.py").write_text("")
    state = git_state(tasks, [*names, "task_a.py", "../../outside.py", "gone.py"])
    assert state is not None
    assert not state.dirty
    assert state.untracked == (*names, "../../outside.py", "gone.py")


def test_tracked_files_of_any_name_are_known(repository, tasks):
    names = ["a b.py", "a\nb.py", "é.py", "*.py", ":(top)x", "-n.py", "deep/er/x.py"]
    for name in names:
        repository.write(f"tasks/{name}")
    repository.commit()
    state = git_state(tasks, names)
    assert state is not None
    assert state.untracked == ()


def test_a_name_that_is_no_unicode(repository, tasks):
    name = os.fsdecode(b"\xff.py")
    try:
        repository.write(f"tasks/{name}")
    except OSError:
        pytest.skip("this file system has only names that are Unicode")
    state = git_state(tasks, [name])
    assert state is not None
    assert state.untracked == (name,)
    repository.commit()
    state = git_state(tasks, [name])
    assert state is not None
    assert state.untracked == ()


def test_no_branch(repository, tasks):
    repository("checkout", "-q", "--detach")
    state = git_state(tasks, [])
    assert state is not None
    assert state.branch is None


def test_a_link_to_the_folder_leads_to_its_repository(repository, tasks, tmp_path):
    other = Repository(tmp_path / "other")
    (other.root / "link").symlink_to(tasks)
    state = git_state(other.root / "link", ["task_a.py"])
    assert state is not None
    assert state.commit == repository("rev-parse", "HEAD")
    assert state.untracked == ()


def test_a_worktree_has_its_own_commit(repository, tmp_path):
    repository("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    (tmp_path / "side" / "other.txt").write_text("changed\n")
    state = git_state(tmp_path / "side" / "tasks", ["task_a.py"])
    assert state is not None
    assert (state.branch, state.dirty, state.untracked) == ("side", True, ())
    here = git_state(repository.root / "tasks", [])
    assert here is not None
    assert (here.branch, here.dirty) == ("main", False)


@pytest.fixture
def submodule(repository, tmp_path):
    library = Repository(tmp_path / "library")
    library.write("lib.py")
    commit = library.commit()
    allow = ("-c", "protocol.file.allow=always")
    repository(*allow, "submodule", "--quiet", "add", str(library.root), "tasks/lib")
    repository.commit()
    return commit


def test_files_of_a_submodule_are_tracked_by_it(repository, tasks, submodule):
    state = git_state(tasks, ["task_a.py", "lib/lib.py"])
    assert state is not None
    assert (state.dirty, state.untracked) == (False, ())
    repository.write("tasks/lib/new.py")
    repository.write("tasks/lib/lib.py", "changed\n")
    state = git_state(tasks, ["lib/lib.py"])
    assert state is not None
    assert f"+Subproject commit {submodule}-dirty\n".encode() in state.diff


def test_tasks_in_a_submodule_are_at_its_commit(tasks, submodule):
    state = git_state(tasks / "lib", ["lib.py", "../task_a.py"])
    assert state is not None
    assert state.commit == submodule
    assert state.untracked == ("../task_a.py",)


def test_another_repository_within_is_untracked(repository, tasks):
    Repository(tasks / "lib").write("lib.py")
    state = git_state(tasks, ["lib/lib.py"])
    assert state is not None
    assert state.untracked == ("lib/lib.py",)


def test_a_conflict_is_dirty(repository, tasks):
    repository("checkout", "-q", "-b", "side")
    repository.write("other.txt", "side\n")
    repository.commit()
    repository("checkout", "-q", "main")
    repository.write("other.txt", "main\n")
    repository.commit()
    with pytest.raises(subprocess.CalledProcessError):
        repository("merge", "side")
    state = git_state(tasks, [])
    assert state is not None
    assert state.dirty
    assert b"other.txt" in state.diff


def test_of_a_binary_file_only_that_it_differs_is_kept(repository, tasks):
    repository.write("data.bin", b"\0secret" * 100)
    repository.commit()
    repository.write("data.bin", b"\0changed" * 100)
    state = git_state(tasks, [])
    assert state is not None
    assert b"Binary files a/data.bin and b/data.bin differ\n" in state.diff
    assert b"secret" not in state.diff


@pytest.mark.parametrize(
    "text", ["a line\n" * MOST_BYTES, "one line" * MOST_BYTES], ids=["lines", "line"]
)
def test_a_huge_diff_is_cut_at_the_end_of_a_line_and_says_so(repository, tasks, text):
    repository.write("other.txt", text)
    state = git_state(tasks, [])
    assert state is not None
    assert state.cut
    assert len(state.diff) <= MOST_BYTES
    assert state.diff.startswith(b"diff --git")
    *_, before, last, end = state.diff.split(b"\n")
    assert (last + b"\n", end) == (CUT, b"")
    assert before in (b"+a line", b"-x")


def test_nothing_that_git_is_told_to_run_for_a_diff_is_run(repository, tasks, monkeypatch):
    harm = repository.root.with_name("harm")
    script = repository.write("../run.sh", f"#!/bin/sh\ntouch '{harm}'\n").resolve()
    script.chmod(0o755)
    repository.write(".gitattributes", "*.txt diff=mine\n")
    repository.commit()
    repository.write("other.txt", "y\n")
    for name in ("diff.external", "diff.mine.command", "diff.mine.textconv", "core.pager"):
        repository("config", name, str(script))
    repository("config", "core.fsmonitor", str(script))
    repository("config", "core.hooksPath", str(script.parent))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(script))
    monkeypatch.setenv("GIT_PAGER", str(script))
    harm.unlink(missing_ok=True)
    state = git_state(tasks, ["task_a.py"])
    assert state is not None
    assert state.diff.endswith(b"-x\n+y\n")
    assert not harm.exists()


def test_nothing_in_the_repository_changes(repository, tasks):
    index = repository.root / ".git" / "index"
    os.utime(repository.root / "other.txt", (1, 1))  # git would like to note that
    before = (index.read_bytes(), index.stat().st_mtime_ns, sorted(index.parent.iterdir()))
    git_state(tasks, ["task_a.py"])
    after = (index.read_bytes(), index.stat().st_mtime_ns, sorted(index.parent.iterdir()))
    assert before == after


def test_a_lock_that_another_git_holds_is_no_obstacle(repository, tasks):
    repository.write(".git/index.lock", "")
    assert git_state(tasks, []) is not None


def test_variables_of_a_hook_do_not_mislead(repository, tasks, tmp_path, monkeypatch):
    other = Repository(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(other.root / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.root))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.root / "no"))
    state = git_state(tasks, ["task_a.py"])
    assert state is not None
    assert (state.branch, state.dirty, state.untracked) == ("main", False, ())


def fake_git(folder, monkeypatch, program):
    """Put a program that is called git first on the path."""
    folder.mkdir()
    (folder / "git").write_text(f"#!{sys.executable}\n{program}")
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


def test_no_git(tasks, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert git_state(tasks, ["task_a.py"]) is None


def test_no_repository(tmp_path):
    assert git_state(tmp_path, []) is None


def test_no_folder(tmp_path):
    assert git_state(tmp_path / "none", []) is None


def test_no_commit_yet(tmp_path):
    made = Repository(tmp_path / "new")
    made.write("a.py")
    assert git_state(made.root, ["a.py"]) is None
    made("add", "a.py")
    assert git_state(made.root, ["a.py"]) is None


def test_a_bare_repository(tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    subprocess.run(["git", "init", "-q", "--bare", "."], cwd=bare, check=True)
    assert git_state(bare, []) is None
    Repository(tmp_path / "mixed")("config", "core.bare", "true")
    assert git_state(tmp_path / "mixed", []) is None


def test_a_damaged_repository(repository, tasks, capfd):
    repository.write(".git/HEAD", "nonsense")
    assert git_state(tasks, []) is None
    assert capfd.readouterr() == ("", "")


def test_a_repository_of_another_user(tasks, monkeypatch, capfd):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert git_state(tasks, []) is None
    assert capfd.readouterr() == ("", "")


def test_a_git_that_hangs_is_ended_with_what_it_started(tasks, tmp_path, monkeypatch):
    program = "import os, time\nif os.fork():\n    os._exit(0)\ntime.sleep(60)\n"
    fake_git(tmp_path / "bin", monkeypatch, program)
    monkeypatch.setattr(git, "_PATIENCE_SECONDS", 0.5)
    began = time.monotonic()
    git_state(tasks, [])
    assert time.monotonic() - began < 20


def test_a_git_that_speaks_no_sense(tasks, tmp_path, monkeypatch):
    fake_git(tmp_path / "bin", monkeypatch, "print('# branch.oid')")
    assert git_state(tasks, ["task_a.py"]) is None
