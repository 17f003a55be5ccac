"""Ports for servers that cannot choose one by themselves."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from tools.processes import PORTS, free_port

ROOT = Path(__file__).parents[1]
CLAIM_ALL = """
import sys, tools.processes as processes
processes.PORTS = range(int(sys.argv[1]), int(sys.argv[2]))
try:
    while True:
        print(processes.free_port(), flush=True)
except OSError:
    print("none", flush=True)
    sys.stdin.read()
"""


def test_no_two_processes_get_the_same_port() -> None:
    command = [sys.executable, "-c", CLAIM_ALL, str(PORTS.stop), str(PORTS.stop + 40)]
    processes = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    claimed = []
    for process in processes:  # both live until both have said what they got
        assert process.stdout
        while (line := process.stdout.readline().strip()) != "none":
            claimed.append(int(line))
    for process in processes:
        process.communicate()
    assert len(claimed) == len(set(claimed)) > 30


def test_a_port_is_given_once_and_never_one_that_is_in_use() -> None:
    first = free_port()
    assert first in PORTS
    assert free_port(first) != first
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        assert free_port(taken) != taken
    assert free_port(taken) == taken
