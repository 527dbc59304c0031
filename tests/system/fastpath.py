#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""fastpath.py PREFIX SOCKET USWITCHCTL CHECK...

Hosts of a switch as raw sockets in their namespaces, and checks of what the kernel forwards for it. Prints PASS and FAIL
lines; exit status 1 when one failed."""
import ctypes
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)
TYPE = 0x88B5  # for experiments
PACKET_AUXDATA, SOL_PACKET = 8, 263
PREFIX, SOCKET, CTL = sys.argv[1:4]


class Failed(Exception):
    pass


def need(condition, what):
    if not condition:
        raise Failed(what)


def ctl(*words):
    done = subprocess.run([CTL, "-S", SOCKET, *words], capture_output=True, text=True, check=False)
    need(done.returncode == 0, f"{' '.join(words)}: {done.stderr}")
    return done.stdout


def stats(port):
    return json.loads(ctl("-j", "stats", "dev", port))["ports"][0]


def ip(*words):
    subprocess.run(["ip", "-n", f"{PREFIX}-sw", *words], check=True)


class Host:
    """One interface: sends and receives whole frames with their tags, as (destination, source, tag, serial)."""

    def __init__(self, name, ifname="eth0", mac=None):
        own = os.open("/proc/self/ns/net", os.O_RDONLY)
        if PREFIX != "-":
            there = os.open(f"/run/netns/{PREFIX}-{name}", os.O_RDONLY)
            need(LIBC.setns(there, 0) == 0, "setns")
            os.close(there)
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(TYPE))
        self.sock.bind((ifname, TYPE))
        self.all = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.all.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        if PREFIX != "-":
            self.all.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
        self.all.bind((ifname, 3))
        self.all.setblocking(False)
        LIBC.setns(own, 0)
        os.close(own)
        self.mac = mac or self.sock.getsockname()[4]

    def send(self, to, serial=0, tag=None, source=None, length=60):
        mac = to.mac if isinstance(to, Host) else to
        frame = mac + (source or self.mac)
        if tag is not None:
            frame += struct.pack("!HH", 0x8100, tag)
        frame += struct.pack("!HI", TYPE, serial)
        self.sock.send(frame.ljust(length + (4 if tag is not None else 0), b"."))

    def received(self, wait=0.1):
        """What has come, once nothing more does for that long."""
        frames, end = [], time.monotonic() + wait
        while time.monotonic() < end:
            try:
                data, aux, _, source = self.all.recvmsg(2048, 64)
            except BlockingIOError:
                time.sleep(0.001)
                continue
            if source[2] == 4:  # PACKET_OUTGOING
                continue
            end = time.monotonic() + wait
            tag, at = None, 12
            for level, kind, value in aux:
                if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                    status, _, _, _, _, tci = struct.unpack("IIIHHH", value[:18])
                    tag = tci if status & 0x10 else None
            if data[12:14] == b"\x81\x00":
                tag, at = struct.unpack("!H", data[14:16])[0], 16
            if data[at:at + 2] == struct.pack("!H", TYPE):
                frames.append((data[:6], data[6:12], tag, struct.unpack("!I", data[at + 2:at + 6])[0]))
        return frames


def clear(*hosts):
    for host in hosts:
        host.received(0.02)


def talk(one, other, times):
    """Two hosts say something in turn, numbered, with time for the switch in between."""
    for i in range(times):
        other.send(one, i)
        time.sleep(0.004)
        one.send(other, i)
        time.sleep(0.004)


def train(one, port, other, tags=(None, None)):
    """Has two hosts talk until the kernel forwards what the first says, which comes in on @port."""
    end, before = time.monotonic() + 3, stats(port)["rx_fast"]
    while time.monotonic() < end:
        for _ in range(5):
            other.send(one, tag=tags[1])
            time.sleep(0.004)
            one.send(other, tag=tags[0])
            time.sleep(0.004)
        if stats(port)["rx_fast"] > before:
            clear(one, other)
            return
    raise Failed("the kernel does not begin to forward")


def serials(frames):
    return [f[3] for f in frames]


def hosts():
    four = [Host(n) for n in "abcd"]
    clear(*four)
    return four


def works():
    a, b, _, _ = hosts()
    train(a, "pa", b)
    train(b, "pb", a)


def counted():
    a, b, c, _ = hosts()
    train(a, "pa", b)
    clear(c)
    before = stats("pa"), stats("pb")
    for i in range(300):
        a.send(b, i, length=100)
    got = serials(b.received())
    need(got == list(range(300)), f"{len(got)} frames came of 300, {len(set(got))} different ones, from {got[:3]} to {got[-3:]}")
    need(not c.received(), "a third host got some")
    after = stats("pa"), stats("pb")
    grown = [{k: v - before[i][k] for k, v in after[i].items() if isinstance(v, int)} for i in (0, 1)]
    for key, value in (("rx_packets", 300), ("rx_bytes", 30000), ("forwarded", 300)):
        need(grown[0][key] == value, f"in: {key} grew by {grown[0][key]}, not {value}")
    for key, value in (("queued", 300), ("tx_packets", 300), ("tx_bytes", 30000), ("tx_segments", 300)):
        need(grown[1][key] == value, f"out: {key} grew by {grown[1][key]}, not {value}")
    need(grown[0]["rx_fast"] == 300, f"{grown[0]['rx_fast']} of 300 by the kernel")


def process():
    found = subprocess.run(["pgrep", "-f", f"uswitch -S {SOCKET}"], capture_output=True, text=True, check=True)
    return int(found.stdout.split()[-1])


def queue():
    """Frames that wait while the switch stands still are not overtaken by those that come after them."""
    a, b, _, _ = hosts()
    train(a, "pa", b)
    overtaken = 0
    for i in range(10):
        ctl("link", "set", "dev", "pd", "priority", str(i))
        a.send(b, 0)
        time.sleep(0.005)
        os.kill(process(), signal.SIGSTOP)
        for n in range(1, 400):
            a.send(b, n)
        time.sleep(0.04)
        os.kill(process(), signal.SIGCONT)
        for n in range(400, 900):
            a.send(b, n)
        got = serials(b.received())
        need(len(got) == 900, f"{len(got)} frames of 900 came")
        overtaken += sum(x > y for x, y in zip(got, got[1:])) > 3
    need(overtaken <= 2, f"frames were overtaken in {overtaken} of 10 tries")


def order():
    """A flow that begins and ends all the time."""
    a, b, _, _ = hosts()
    train(a, "pa", b)
    for i in range(2000):
        a.send(b, i)
        if i % 100 == 50:
            ctl("fdb", "replace", "02:00:00:00:00:77", "dev", "pd", "static")
            ctl("link", "set", "dev", "pd", "priority", str(i % 60))
    got = serials(b.received())
    need(sorted(got) == list(range(2000)), f"{len(got)} frames of 2000 came")
    back = sum(x > y for x, y in zip(got, got[1:]))
    need(back <= 10, f"frames of one flow overtook each other {back} times")


def text(mac):
    return ":".join(f"{x:02x}" for x in mac)


def forgotten():
    a, b, c, _ = hosts()
    train(a, "pa", b)
    clear(c)
    ctl("fdb", "del", text(b.mac), "dev", "pb")
    a.send(b, 7)
    need(serials(b.received()) == [7] and serials(c.received()) == [7], "not flooded after its address was deleted")
    train(a, "pa", b)
    clear(c)
    ctl("fdb", "flush", "dev", "pb")
    a.send(b, 8)
    need(serials(b.received()) == [8] and serials(c.received()) == [8], "not flooded after a flush")
    # the source's own entry: it is learned again, by the bridge
    train(a, "pa", b)
    ctl("fdb", "del", text(a.mac), "dev", "pa")
    a.send(b, 9)
    need(serials(b.received()) == [9], "lost after the source was deleted")
    need(text(a.mac) + " dev pa" in ctl("fdb", "show"), "the source was not learned again")


def moved():
    a, b, c, _ = hosts()
    train(a, "pa", b)
    c.send(a, 1, source=b.mac)
    need(1 in serials(a.received()), "the station's first frame from its new place was lost")
    clear(b, c)
    a.send(b, 2)
    need(serials(c.received()) == [2] and not b.received(), "a station that moved is not found where it is")
    b.send(a, 3)
    need(3 in serials(a.received()), "lost after it moved back")
    clear(b, c)
    a.send(b, 4)
    need(serials(b.received()) == [4] and not c.received(), "a station that moved back is not found")


def ends(what, port, *commands, undo=()):
    a, b, c, _ = hosts()
    train(a, "pa", b)
    before = stats(port)
    for words in commands:
        ctl(*words)
    clear(c)
    for i in range(20):
        a.send(b, i)
    need(not b.received(), f"frames pass although {what}")
    need(sum(stats("pa")["drop_in"].values()) >= sum(before["drop_in"].values()) + 20 or port != "pa",
         f"drops are not counted while {what}")
    for words in undo:
        ctl(*words)
    b.send(a)
    train(a, "pa", b)


def isolated():
    ends("both ports are isolated", "pa", ("link", "set", "dev", "pa", "isolated", "on"), ("link", "set", "dev", "pb", "isolated", "on"),
         undo=(("link", "set", "dev", "pa", "isolated", "off"), ("link", "set", "dev", "pb", "isolated", "off")))


def disabled():
    ends("the egress port is disabled", "pa", ("link", "set", "dev", "pb", "state", "disabled"),
         undo=(("link", "set", "dev", "pb", "state", "forwarding"),))


def locked():
    a = hosts()[0]
    ends("the port is locked and the source unknown", "pa", ("link", "set", "dev", "pa", "locked", "on"),
         ("fdb", "del", text(a.mac), "dev", "pa"), undo=(("link", "set", "dev", "pa", "locked", "off"),))


def down():
    a, b, c, _ = hosts()
    train(a, "pa", b)
    ip("link", "set", "dev", "pb", "down")
    time.sleep(0.2)
    clear(c)
    a.send(b, 5)
    need(serials(c.received()) == [5], "not flooded although the port of its station lost its link")
    ip("link", "set", "dev", "pb", "up")
    time.sleep(0.2)
    train(a, "pa", b)


def mtu():
    a, b, _, _ = hosts()
    train(a, "pa", b)
    ip("link", "set", "dev", "pb", "mtu", "1000")
    time.sleep(0.2)
    train(a, "pa", b)
    before = stats("pb")["drop_out"]["mtu"]
    a.send(b, 1, length=1018)
    a.send(b, 2, length=1019)
    a.send(b, 3, length=1500)
    need(serials(b.received()) == [1], "frames longer than the MTU pass, or others do not")
    need(stats("pb")["drop_out"]["mtu"] == before + 2, "frames over the MTU are not counted")
    ip("link", "set", "dev", "pb", "mtu", "1500")
    time.sleep(0.2)
    train(a, "pa", b)


def deleted():
    a, b, _, _ = hosts()
    train(a, "pa", b)
    ctl("link", "del", "dev", "pb")
    a.send(b, 1)
    need(not b.received(), "frames reach a port that was deleted")
    ctl("link", "add", "packet:pb")
    train(a, "pa", b)
    ctl("link", "del", "dev", "pa")
    a.send(b, 1)
    need(not b.received(), "frames come in by a port that was deleted")
    ctl("link", "add", "packet:pa")
    train(a, "pa", b)


def idle():
    """Flows that nobody uses end, and the switch sleeps."""
    works()
    pid = process()

    def sleeps():
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("voluntary"))

    time.sleep(4)
    before = sleeps()
    time.sleep(3)
    need(sleeps() - before <= 4, f"woke {sleeps() - before} times in 3 s without frames")


def crowd():
    """A host with more flows than the kernel's table has places does not keep others' from beginning."""
    a, b, c, d = hosts()
    macs = [[bytes([2, side, 0, 0, 0, i]) for i in range(150)] for side in (0xC0, 0xC1)]
    few = [bytes([2, 0xC2, 0, 0, 0, i]) for i in range(12)]
    for host, own in ((a, macs[0]), (b, macs[1]), (c, few), (d, [d.mac])):
        for mac in own:
            host.send(b"\xff" * 6, source=mac)
    pairs = [(x, y) for x in macs[0] for y in macs[1]]
    for x, y in pairs:
        for _ in range(5):
            a.send(y, source=x)
    held = stats("pa")["rx_fast"]
    fast, i, end = 0, 0, time.monotonic() + 5
    while time.monotonic() < end and fast < len(few):
        for _ in range(len(pairs) // 10):
            i += 1
            a.send(pairs[i % len(pairs)][1], source=pairs[i % len(pairs)][0])
        before = stats("pc")["rx_fast"]
        for mac in few:
            c.send(d, source=mac)
            time.sleep(0.002)
        fast = stats("pc")["rx_fast"] - before
    need(held > 10000, f"only {held} frames of the crowd were the kernel's")
    need(fast == len(few), f"only {fast} of {len(few)} flows of another host begin")


def tags():
    a, b, c, d = hosts()
    ctl("set", "vlan_filtering", "1")
    ctl("set", "vlan_stats_enabled", "1")
    for port, vid in (("pa", 10), ("pc", 10)):
        ctl("vlan", "del", "vid", "1", "dev", port)
        ctl("vlan", "add", "vid", str(vid), "dev", port, "pvid", "untagged")
    for port in ("pb", "pd"):
        ctl("vlan", "add", "vid", "10", "dev", port)
    train(a, "pa", b, (None, 10))
    a.send(b, 1)
    need(b.received() == [(b.mac, a.mac, 10, 1)], "access to trunk: the tag is not put on")
    train(b, "pb", a, (10, None))
    b.send(a, 2, tag=5 << 13 | 10)
    b.send(a, 3, tag=10)
    need(sorted(f[2:] for f in a.received()) == [(None, 2), (None, 3)], "trunk to access: the tag is not taken off")
    train(b, "pb", d, (10, 10))
    train(b, "pb", d, (5 << 13 | 10, 10))
    b.send(d, 4, tag=5 << 13 | 10)
    need(d.received() == [(d.mac, b.mac, 5 << 13 | 10, 4)], "trunk to trunk: the tag or its priority changed")
    train(a, "pa", c)
    a.send(c, 5)
    need(c.received() == [(c.mac, a.mac, None, 5)], "access to access: a tag was put on")
    # a tag of another protocol is payload
    before = json.loads(ctl("-j", "-s", "vlan", "show"))
    for i in range(50):
        a.send(b, i, length=100)
    need(len(b.received()) == 50, "lost frames")
    after = json.loads(ctl("-j", "-s", "vlan", "show"))
    grown = [sum(v.get("rx_packets", 0) for p in x if p["ifname"] == "pa" for v in p["vlans"] if v["vid"] == 10)
             for x in (before, after)]
    need(grown[1] - grown[0] == 50, f"the VLAN's statistics grew by {grown[1] - grown[0]}, not 50")
    train(a, "pa", b, (None, 10))
    ctl("vlan", "del", "vid", "10", "dev", "pb")
    a.send(b, 6)
    need(not b.received(), "frames pass to a port that left the VLAN")
    ctl("set", "vlan_filtering", "0")
    train(b, "pb", a, (10, None))
    b.send(a, 7, tag=10)
    need(a.received() == [(a.mac, b.mac, 10, 7)], "without filtering: the tag does not stay")


def ageing():
    """Frames by the kernel keep their source young, and not their destination."""
    a, b, c, _ = hosts()
    ctl("set", "ageing_time", "3s")
    train(a, "pa", b)
    clear(c)
    begin, flooded, i = time.monotonic(), None, 0
    while time.monotonic() < begin + 7 and not flooded:
        a.send(b, i := i + 1)
        time.sleep(0.01)
        flooded = time.monotonic() - begin if c.received(0.002) else None
    need(flooded, "a destination that is silent never becomes unknown")
    need(2 < flooded < 6, f"it became unknown after {flooded:.1f} s")
    while time.monotonic() < begin + 7:
        b.send(a)
        a.send(b)
        time.sleep(0.05)
    need(text(a.mac) in ctl("fdb", "show"), "the source was forgotten in the middle of its frames")
    time.sleep(5)
    need(text(a.mac) not in ctl("fdb", "show", "dynamic"), "the source was never forgotten")


def silent():
    a, b, _, _ = hosts()
    a.send(b, 1)
    need(not b.received(), "frames pass without a switch")


def came():
    """Host b's interface is in the switch's namespace now."""
    a, b = Host("a"), Host("sw")
    clear(a, b)
    train(a, "pa", b)
    a.send(b, 1)
    need(serials(b.received()) == [1], "lost")


def plain():
    a, b, _, _ = hosts()
    talk(a, b, 50)
    need(len(b.received()) == 50, "lost frames")
    need(stats("pa")["rx_fast"] == 0 and stats("pa")["rx_packets"] >= 50, "it is not off")


def namespaces():
    x1, x2, y1, y2 = (Host(n) for n in ("x1", "x2", "y1", "y2"))
    train(x1, "x1", x2)
    train(y1, "y1", y2)
    before = stats("x1")["rx_fast"]
    clear(x1, x2, y1, y2)
    talk(x1, y2, 50)
    need(serials(y2.received()) == list(range(50)), "lost frames between namespaces")
    need(not x2.received() and not y1.received(), "frames went to the interface of the same number")
    need(stats("x1")["rx_fast"] == before, "the kernel forwarded from one namespace to another")


def unprivileged():
    one, two = Host("", "e0"), Host("", "e1")
    talk(one, two, 20)
    need(len(two.received()) == 20, "lost frames")
    need(stats("v0")["rx_fast"] == 0, "it is not off")


def main():
    failed = False
    for name in sys.argv[4:]:
        try:
            globals()[name]()
            print(f"PASS fastpath-{name}", flush=True)
        except Failed as e:
            failed = True
            print(f"FAIL fastpath-{name}: {e}", flush=True)
    sys.exit(failed)


main()
