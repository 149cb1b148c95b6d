"""A local cluster: who may talk to it, where its actors import from, and how it ends. Real processes of
Ray."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llasa_core.errors import UserError
from search.backends.ray.cluster import check_address_space, check_reachable, print_log
from search.backends.ray.watchdog import members

ROOT = Path(__file__).parents[4]
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
"""127.0.0.1, the same in IPv6, and ::1, as /proc/net/tcp writes them."""
CONNECT = "from search.backends.ray.cluster import Cluster; cluster = Cluster(None, cpus=2); "
FOLDER = "folder = cluster.ray._private.worker._global_node.get_session_dir_path(); "


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Ray's sockets lie in it, whose paths are 107 bytes long at most."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as folder:
        yield Path(folder)


def python(code: str, folder: Path, **settings: Any) -> subprocess.Popen[str]:
    """A driver that runs the code in a folder; its modules are those of this repository."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **settings.pop("env", {})}
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", code]
    return subprocess.Popen(command, cwd=folder, env=env, text=True, stdout=pipe, stderr=pipe, **settings)


def finished(driver: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    out, err = driver.communicate(timeout=120)
    return driver.returncode, out, err


def soon(met: Callable[[], bool], seconds: float = 20.0) -> bool:
    ends = time.monotonic() + seconds
    while not met() and time.monotonic() < ends:
        time.sleep(0.1)
    return met()


def listening(pids: set[int]) -> dict[str, str]:
    """Addresses at which these processes take connections, by inode, as /proc writes them."""
    inodes = set()
    for pid in pids:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            target = os.readlink(entry) if entry.is_symlink() else ""
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    found = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == "0A" and rest[5] in inodes:
                found[rest[5]] = local.split(":")[0]
    return found


ACTOR = """
import importlib, json, os, sys
class Probe:
    def look(self):
        import soxr, whisper
        importlib.import_module("search.backends.ray.worker")
        return [sys.path, soxr.__file__, whisper.__file__, sys.modules["search"].__file__, os.getpid()]
actor = cluster.ray.remote(num_cpus=0)(Probe).remote()
found = cluster.ray.get(actor.look.remote(), timeout=100)
"""


@pytest.mark.ray
@pytest.mark.processes
def test_a_local_cluster_is_reached_from_this_machine_only_and_imports_what_its_driver_imports(
    tmp_path: Path,
) -> None:
    """In a folder with modules that would be imported if the working directory were on the actors' path."""
    foreign = tmp_path / "work"
    for name in ("soxr.py", "whisper/__init__.py", "search/__init__.py", "verifiers/__init__.py", "torch.py"):
        file = foreign / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("import pathlib\npathlib.Path(__file__ + '.imported').touch()\n")
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    script = tmp_path / "driver.py"
    show = "\nprint(json.dumps([*found, folder]), flush=True)\nsys.stdin.read()\ncluster.close()\n"
    script.write_text(f"{CONNECT}{FOLDER}{ACTOR}{show}")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(home)}
    with subprocess.Popen(
        [sys.executable, str(script)],
        cwd=foreign,
        env=env,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as driver:
        assert driver.stdin is not None and driver.stdout is not None
        path, soxr, whisper, search, _, folder = json.loads(driver.stdout.readline())
        assert str(foreign) not in path and "" not in path
        assert search == str(ROOT / "search/__init__.py")
        assert not {soxr, whisper} & {str(foreign / name) for name in ("soxr.py", "whisper/__init__.py")}
        pids = {*members(folder), driver.pid}
        assert len(pids) >= 6
        addresses = listening(pids)
        assert len(addresses) >= 4 and set(addresses.values()) <= LOOPBACK
        # the token of this cluster is in the memory of its processes alone
        assert not list(home.iterdir())
        driver.stdin.close()
        assert driver.wait(60) == 0
    assert not list(foreign.rglob("*.imported"))
    assert soon(lambda: not members(folder))


@pytest.mark.ray
@pytest.mark.processes
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_of_a_local_cluster_when_its_driver_is_killed(
    tmp_path: Path, number: signal.Signals
) -> None:
    """SIGTERM does what it does without Ray: no stacks are printed."""
    code = f"{CONNECT}{FOLDER}print(folder, flush=True); import time; time.sleep(100)"
    driver = python(code, tmp_path)
    assert driver.stdout is not None
    folder = driver.stdout.readline().strip()
    assert len(members(folder)) >= 5
    driver.send_signal(number)
    code, _, err = finished(driver)
    assert (code, err) == (-number, "")
    assert soon(lambda: not members(folder))


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.processes
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_of_a_local_cluster_whose_driver_is_killed_while_it_starts(
    tmp_path: Path, short_folder: Path, number: signal.Signals
) -> None:
    code = (
        "import signal, sys\n"
        "def end(number, _): raise SystemExit(128 + number)\n"
        "for number in (signal.SIGTERM, signal.SIGINT): signal.signal(number, end)\n"
        f"import ray, torch; print(flush=True); {CONNECT}import time; time.sleep(100)"
    )
    for seconds in (0.3, 1.0, 2.0, 3.0):
        driver = python(code, tmp_path, env={"RAY_TMPDIR": str(short_folder)})
        assert driver.stdout is not None
        driver.stdout.readline()
        time.sleep(seconds)
        driver.send_signal(number)
        status, _, err = finished(driver)
        assert (status, err) == (-number if number == signal.SIGKILL else 128 + number, "")
        assert soon(lambda: not (members(str(short_folder)) or list(short_folder.iterdir()))), seconds


@pytest.mark.ray
@pytest.mark.processes
def test_a_handler_of_sigterm_works_and_ends_the_cluster(tmp_path: Path) -> None:
    code = (
        "import signal, sys, time\n"
        "def handle(*_): raise KeyboardInterrupt\n"
        "signal.signal(signal.SIGTERM, handle)\n"
        f"{CONNECT}{FOLDER}\n"
        "try:\n    print(folder, flush=True)\n    time.sleep(100)\n"
        "except KeyboardInterrupt:\n    cluster.close()\n    print('ended')\n    sys.exit(143)\n"
    )
    driver = python(code, tmp_path)
    assert driver.stdout is not None
    folder = driver.stdout.readline().strip()
    driver.terminate()
    assert finished(driver) == (143, "ended\n", "")
    assert soon(lambda: not members(folder))


@pytest.mark.ray
@pytest.mark.processes
def test_when_ray_s_node_dies_one_line_says_so(tmp_path: Path) -> None:
    """In the middle of a search: the driver ends by our error, with no word of Ray's, and nothing is left."""
    code = (
        f"{CONNECT}{FOLDER}\n"
        "import os, signal\n"
        "from llasa_core.request import Request\n"
        "from search.backends.ray.options import RayOptions\n"
        "from search.backends.ray.watchdog import members\n"
        "from search.engine import Searcher\n"
        "from search.strategies.registry import build\n"
        "def kill(*_):\n"
        "    for pid in members(folder):\n"
        "        if os.readlink(f'/proc/{pid}/exe').endswith('/raylet'):\n"
        "            os.kill(pid, signal.SIGKILL)\n"
        "print(folder, flush=True)\n"
        "strategy = build('best-of-n?n=4&select=wer', {'wer': False})\n"
        "try:\n"
        "    options = RayOptions(actors=1, threads=1)\n"
        "    with Searcher.from_preset('nano', verifiers=['whisper:nano'], ray=options) as searcher:\n"
        "        searcher.run(Request('the king is late'), strategy, progress=kill)\n"
        "except ValueError as error:\n"
        "    cluster.close()\n"
        "    print(f'error: {error}', flush=True)\n"
    )
    driver = python(code, tmp_path, env={"HF_HUB_OFFLINE": "1"})
    status, out, err = finished(driver)
    folder, _, said = out.partition("\n")
    assert (status, err) == (0, "")
    assert said.startswith("error: Ray's node on this machine has died") and said.count("\n") == 1
    assert soon(lambda: not members(folder))


@pytest.mark.ray
@pytest.mark.parametrize("kind", ["a file", "not writable", "a long path"])
def test_a_temporary_folder_that_ray_cannot_use_is_one_line(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "tmp"
    if kind == "a file":
        folder.write_text("")
    elif kind == "not writable":
        folder = Path("/proc/none")  # also for root
    else:
        folder = tmp_path.joinpath(*["long" * 20] * 2)
        folder.mkdir(parents=True)
    code = f"from llasa_core.errors import UserError\ntry: {CONNECT}\nexcept UserError as error: print(error)"
    status, out, err = finished(python(code, tmp_path, env={"RAY_TMPDIR": str(folder)}))
    assert (status, err, out.count("\n")) == (0, "", 1)
    assert out.startswith("Ray cannot start on this machine (") and "RAY_TMPDIR" in out


def test_too_little_address_space_is_found_before_ray_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    unlimited = resource.RLIM_INFINITY
    for limit, refused in ((2**30, True), (unlimited, False), (64 * 2**30, False)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: (limit, unlimited))
        if refused:
            with pytest.raises(UserError, match=r"ulimit -v leaves 1\.0 GiB .* raise the limit"):
                check_address_space()
        else:
            check_address_space()


@pytest.mark.processes
def test_sigterm_stays_with_its_handler_when_ray_is_imported() -> None:
    code = (
        "import signal; from search.backends.ray.cluster import import_ray; handle = lambda *_: None; "
        "signal.signal(signal.SIGTERM, handle); import_ray(); "
        "assert signal.getsignal(signal.SIGTERM) is handle"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize(
    "address", ["127.0.0.1:1", "ray://127.0.0.1:1", "host.invalid:6379", "127.0.0.1:99999"]
)
def test_an_address_where_nothing_answers_is_told_of_at_once(address: str) -> None:
    with pytest.raises(UserError, match=f"nothing answers at {address} .*`ray start --head`"):
        check_reachable(address)


def test_what_answers_is_reachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        check_reachable(f"127.0.0.1:{server.getsockname()[1]}")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain, with äöü and 你好", "plain, with äöü and 你好"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("over\rwritten\b\x00", r"over\rwritten\x08\x00"),
        ("\u202eright to left\u2028\x9b1m", r"\u202eright to left\u2028\x9b1m"),
        ("x" * 5000, "x" * 1000),
    ],
)
def test_output_of_actors_holds_no_control_characters(
    line: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_log({"pid": 7, "actor_name": "Worker", "lines": [line]}, sys.stdout)
    assert capsys.readouterr() == ("", f"(Worker, process 7) {shown}\n")


def test_of_ray_s_own_messages_the_first_sentence_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    message = "A worker was killed: memory is low. It may help to.\n[state-dump] many lines\n"
    print_log({"pid": "raylet", "lines": [message]})
    print_log({"pid": "autoscaler", "lines": ["Resources", "0/8 CPU"]})
    print_log({"pid": "raylet", "lines": ["Raylet is terminated. Termination is unexpected.\n[state-dump]"]})
    assert capsys.readouterr().err == "(Ray) A worker was killed: memory is low\n"
