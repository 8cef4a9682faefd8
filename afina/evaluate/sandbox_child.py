"""What runs in the sandbox's process: limits, then the answer's code, then its tests (``sandbox.py``).

A script of its own that imports nothing of Afina: ``python -I -B sandbox_child.py FD SECONDS BYTES``, in
a folder with ``answer.py`` and ``tests.py``. Only behind the last test is ``passed`` written to FD, so
neither an early exit nor an exit code can be taken for it.
"""

from __future__ import annotations

import contextlib
import ctypes
import inspect
import os
import resource
import runpy
import sys
from collections.abc import Callable
from typing import Any

FILE_BYTES = 16 * 2**20
FILES = 64
PROCESSES = 4096
"""Of this user, this one among them; the kernel does not hold root to it."""
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {
    "os.chmod", "os.chown", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir",
    "os.symlink", "os.truncate", "os.utime", "shutil.rmtree", "sqlite3.connect",
}  # fmt: skip
_PROCESSES = {
    "os.exec", "os.fork", "os.forkpty", "os.kill", "os.killpg", "os.posix_spawn", "os.spawn",
    "os.system", "pty.spawn", "signal.pthread_kill", "subprocess.Popen",
}  # fmt: skip
_NETWORK = (
    "socket.bind",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostby",
    "socket.send",
)


def main() -> None:
    report, seconds, memory = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    sys.argv = ["answer.py"]
    if cut_network():
        os.write(report, b"network cut\n")
    limit(seconds, memory)
    folder = os.path.realpath(os.getcwd())
    answer, tests = (os.path.join(folder, name) for name in ("answer.py", "tests.py"))
    sys.addaudithook(guard(folder))
    given = runpy.run_path(answer, run_name="answer")
    run_cases(runpy.run_path(tests, init_globals=given, run_name="tests"), given)
    os.write(report, b"passed\n")


def cut_network() -> bool:
    """Whether the kernel has put this process into a network of its own, which reaches nothing."""
    unshare = getattr(ctypes.CDLL(None), "unshare", None)
    if unshare is None:
        return False
    user, group = os.getuid(), os.getgid()
    if unshare(_NEW_NETWORK) == 0:
        return True
    if unshare(_NEW_USER | _NEW_NETWORK) != 0:
        return False
    names = (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    )
    for name, text in names:  # without them the process is nobody, which is as good here
        with contextlib.suppress(OSError), open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    return True


def limit(seconds: int, memory: int) -> None:
    """What the process may use; no limit is ever raised."""
    for kind, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_NOFILE, FILES),
        (resource.RLIMIT_NPROC, PROCESSES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def guard(folder: str) -> Callable[[str, tuple[Any, ...]], None]:
    """A hook that refuses what code by accident does beyond its folder: writing, processes, network.

    Python asks it before it acts. Who wants to, gets round it (``ctypes``, a library in C).
    """

    def inside(path: Any) -> bool:
        if isinstance(path, int) or path is None or path in (os.devnull, ":memory:"):
            return True
        real = os.path.realpath(os.fsdecode(path))
        return real == folder or real.startswith(folder + os.sep)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            if args[2] & _WRITES and not inside(args[0]):
                raise PermissionError(f"code under test writes in its own folder only: {args[0]!r}")
        elif event in _CHANGES:
            paths = args[:2] if event in ("os.rename", "os.link", "os.symlink") else args[:1]
            if not all(map(inside, paths)):
                raise PermissionError(f"code under test changes its own folder only: {paths!r}")
        elif event in _PROCESSES:
            raise PermissionError(f"code under test starts and ends no processes: {event}")
        elif event.startswith(_NETWORK):
            raise PermissionError(f"code under test has no network: {event}")

    return hook


def run_cases(tests: dict[str, Any], given: dict[str, Any]) -> None:
    """Call what the tests define and do not call themselves: ``test…`` functions, unittest's cases."""
    own = {name: value for name, value in tests.items() if given.get(name) is not value}
    for name, value in own.items():
        if inspect.isfunction(value) and name.startswith("test"):
            value()
    if "unittest" not in sys.modules:
        return
    import unittest

    for name, value in own.items():
        if isinstance(value, type) and issubclass(value, unittest.TestCase):
            cases = unittest.defaultTestLoader.loadTestsFromTestCase(value)
            result = unittest.TextTestRunner(verbosity=0).run(cases)
            if not result.wasSuccessful():
                raise AssertionError(f"{name}: {len(result.failures) + len(result.errors)} failed")


if __name__ == "__main__":
    main()
