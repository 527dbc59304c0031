#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A control client that misbehaves: client.py SOCKET CASE [ARGUMENT]. Prints what control.sh looks at."""
import json
import os
import random
import socket
import sys
import time

PATH = sys.argv[1]


def connect():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(5)
    s.connect(PATH)
    return s


def read_line(s):
    pieces = [b""]
    while not pieces[-1].endswith(b"\n"):
        try:
            piece = s.recv(1 << 20)
        except ConnectionResetError:
            piece = b""
        if not piece:
            break
        pieces.append(piece)
    return b"".join(pieces)


def ask(s, line):
    s.sendall(line)
    return json.loads(read_line(s))


def alive():
    """The switch answers someone else at once."""
    start = time.monotonic()
    assert ask(connect(), b"version\n")["ok"]
    return time.monotonic() - start


def bytes_case():
    """Lines that are no text: each is refused with a sentence, and the connection goes on."""
    s = connect()
    for line in (b"\xff\xfe\n", b"fdb\0show\n", b"fdb show \x01\n", b"'open\n", b"x" * 65536 + b"\n",
                 b"\xc3\n", b"a " * 300 + b"\n", b'fdb "show\n', b"link add " + "\u20ac".encode() * 7 + b"\n"):
        answer = ask(s, line)
        assert answer["ok"] is False and answer["error"] and answer["errno"] == "EINVAL", (line[:20], answer)
    assert ask(s, b"\n") == {"ok": True}
    assert ask(s, b"# comment\n") == {"ok": True}
    assert ask(s, b"version\r\n")["ok"]


def garbage_case():
    """Random bytes of every kind of chunk; nothing is expected but that the switch lives."""
    random.seed(int(sys.argv[3]))
    for _ in range(20):
        s = connect()
        try:
            for _ in range(50):
                s.sendall(random.randbytes(random.randrange(4000)))
        except (BrokenPipeError, ConnectionResetError, socket.timeout):
            pass
        s.close()
    alive()


def long_case():
    """A line over 64 KiB is refused and the client closed, also when its end never comes."""
    for end in (b"\n", b""):
        s = connect()
        try:
            s.sendall(b"x" * 200000 + end)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = json.loads(read_line(s))
        assert answer["errno"] == "E2BIG", answer
        assert read_line(s) == b""
    alive()


def half_case():
    """Half a line, then silence or the end: others are served meanwhile, half a command is none."""
    waiting = connect()
    waiting.sendall(b"set ageing_time 1")
    gone = connect()
    gone.sendall(b"link del dev swp1")
    gone.close()
    shut = connect()
    shut.sendall(b"version\nset ageing_time 1s")
    shut.shutdown(socket.SHUT_WR)
    assert json.loads(read_line(shut))["ok"]
    assert read_line(shut) == b""
    assert ask(connect(), b"show\n")["result"]["ageing_time"] == 30000
    assert ask(waiting, b"5s\n") == {"ok": True}
    assert ask(connect(), b"show\n")["result"]["ageing_time"] == 1500
    assert ask(connect(), b"set ageing_time 300s\n")["ok"]


def many_case():
    """The 17th client is told so; a place is free again when one leaves."""
    clients = [connect() for _ in range(16)]
    for s in clients:
        assert ask(s, b"version\n")["ok"]
    late = connect()
    answer = json.loads(read_line(late))
    assert answer["errno"] == "EBUSY", answer
    assert read_line(late) == b""
    clients.pop().close()
    for _ in range(50):
        answer = ask(connect(), b"version\n")
        if answer["ok"]:
            return
        time.sleep(0.02)
    raise AssertionError("no place became free")


def pipeline_case():
    """Many commands at once are answered in order."""
    s = connect()
    s.sendall(b"".join(b"fdb get 02:00:00:00:00:%02x\n" % (i % 256) if i % 2 else b"version\n" for i in range(2000)))
    reader = s.makefile("rb")
    for i in range(2000):
        assert json.loads(reader.readline())["ok"] is (i % 2 == 0)


def rss(pid):
    with open("/proc/%s/statm" % pid) as statm:
        return int(statm.read().split()[1]) * 4096


def stuck_case():
    """Clients that ask for a long table and never read: no memory, no wait for others, closed after ten seconds."""
    pid = sys.argv[3]
    ask(connect(), b"show\n")
    before = rss(pid)
    stuck = []
    for _ in range(8):
        s = connect()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.sendall(b"fdb show\nfdb show\n")
        stuck.append(s)
    time.sleep(1)
    worst = max(alive() for _ in range(50))
    grown = rss(pid) - before
    start = time.monotonic()
    while os.listdir("/proc/%s/fd" % pid) and time.monotonic() - start < 15:
        sockets = sum(1 for fd in os.listdir("/proc/%s/fd" % pid)
                      if os.readlink("/proc/%s/fd/%s" % (pid, fd)).startswith("socket:"))
        if sockets <= int(sys.argv[4]):
            break
        time.sleep(0.1)
    closed = time.monotonic() - start
    print("stuck: +%d KiB, others wait %.1f ms, closed after %.1f s" % (grown // 1024, worst * 1000, closed + 1))
    assert grown < 8 << 20 and worst < 0.5 and 7 < closed < 13
    assert read_all(stuck[0]) < 4 << 20


def read_all(s):
    total = 0
    try:
        while piece := s.recv(1 << 20):
            total += len(piece)
    except ConnectionResetError:
        pass
    return total


def table_case():
    """A long table arrives whole while the switch goes on answering others."""
    want = int(sys.argv[3])
    s = connect()
    s.settimeout(30)
    start = time.monotonic()
    s.sendall(b"fdb show\n")
    worst = alive()
    answer = json.loads(read_line(s))
    taken = time.monotonic() - start
    macs = {e["mac"] for e in answer["result"]}
    print("table: %d entries in %.2f s, another client waits %.1f ms" % (len(macs), taken, worst * 1000))
    assert len(macs) >= want and worst < 0.2


def slow_monitor_case():
    """A monitor that does not read hears how many events it lost, and then of new ones again."""
    s = connect()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    assert ask(s, b"monitor fdb\n")["ok"]
    other = connect()
    for i in range(6000):
        other.sendall(b"fdb replace 02:00:00:01:%02x:%02x dev swp1 vlan 0 dynamic\n" % (i >> 8, i & 255))
        assert json.loads(read_line(other))["ok"]
    reader = s.makefile("rb")
    seen = lost = 0
    s.settimeout(3)
    while seen + lost < 6000:
        event = json.loads(reader.readline())
        if event["event"] == "lost":
            lost += event["count"]
        else:
            seen += 1
    assert lost > 0 and seen > 100, (seen, lost)
    assert ask(other, b"fdb del 02:00:00:01:00:00 dev swp1\n")["ok"]
    event = json.loads(reader.readline())
    assert event["event"] == "fdb" and event["deleted"] is True, event
    print("monitor: %d seen, %d lost" % (seen, lost))


{"bytes": bytes_case, "garbage": garbage_case, "long": long_case, "half": half_case, "many": many_case,
 "pipeline": pipeline_case, "stuck": stuck_case, "table": table_case, "slow-monitor": slow_monitor_case}[sys.argv[2]]()
