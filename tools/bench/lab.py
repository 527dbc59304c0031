# SPDX-License-Identifier: MIT
"""One throw-away network: namespaces for the switch and its hosts, and the processes in them.

Everything a Lab makes has this process's id in its name and is gone after close(); only
processes that the Lab started are ever ended. Needs root (network namespaces, TAP devices).
"""

import os
import shlex
import shutil
import subprocess
import tempfile
import time


class Failed(Exception):
    """A command failed or something did not appear in time; the text says which."""


def busy_seconds():
    """CPU seconds the whole machine has spent so far: softirq work belongs to no process."""
    with open("/proc/stat", encoding="ascii") as f:
        v = [int(x) for x in f.readline().split()[1:8]]
    return (v[0] + v[1] + v[2] + v[5] + v[6]) / os.sysconf("SC_CLK_TCK")


def wakeups(pid):
    """How often the threads of a process have gone to sleep so far."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as f:
            total += next(int(line.split()[1]) for line in f
                          if line.startswith("voluntary_ctxt_switches"))
    return total


def resident_kib(pid):
    """Resident memory; smaps_rollup counts pages, the figure in `status` may lag behind."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Rss:"))


class Lab:
    """Namespaces `sw`, `h1`, `h2`, ... and what runs in them."""

    count = 0

    def __init__(self, programs, hosts, stations=1000):
        Lab.count += 1
        self.programs = programs
        self.hosts = hosts
        self.stations = stations
        self.prefix = f"bench{os.getpid()}.{Lab.count}-"
        self.dir = tempfile.mkdtemp(prefix="bench-")
        self.children = []
        self.commands = []
        self.made = []

    def __enter__(self):
        try:
            for name in ["sw"] + [f"h{i}" for i in range(1, self.hosts + 1)]:
                self.call("ip", "netns", "add", self.prefix + name)
                self.made.append(name)
                self.call("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                          "net.ipv6.conf.default.disable_ipv6=1", ns=name)
                self.call("ip", "link", "set", "lo", "up", ns=name)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        for child in reversed(self.children):
            self.stop(child)
        for name in self.made:
            subprocess.run(["ip", "netns", "del", self.prefix + name], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    # ---- commands ----

    def argv(self, args, ns):
        args = [self.programs.get(args[0], args[0])] + [str(a) for a in args[1:]]
        return ["nsenter", f"--net=/run/netns/{self.prefix}{ns}"] + args if ns else args

    def call(self, *args, ns=None, timeout=120, check=True):
        """Runs a command to its end, in namespace `ns` or in ours, and returns its output."""
        argv = self.argv(args, ns)
        try:
            r = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired as e:
            raise Failed(f"{shlex.join(argv)}: no end after {timeout} s") from e
        if check and r.returncode:
            raise Failed(f"{shlex.join(argv)}: {(r.stderr or r.stdout).strip()[-300:]}")
        return r.stdout

    def start(self, *args, ns=None, env=None):
        """Starts a process that lives until stop() or close(); its output goes to a file."""
        self.commands.append(shlex.join(str(a) for a in args).replace(self.dir, "$DIR"))
        log = open(f"{self.dir}/log{len(self.commands)}", "a+", encoding="utf-8")
        child = subprocess.Popen(self.argv(args, ns), stdin=subprocess.PIPE, stdout=log,
                                 stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})
        child.log = log
        self.children.append(child)
        return child

    def tell(self, *args, ns=None):
        """Runs a command that belongs to what has to be done to build the switch: it is noted."""
        self.commands.append(shlex.join(str(a) for a in args).replace(self.dir, "$DIR"))
        return self.call(*args, ns=ns)

    def output(self, child):
        """What a started process has written so far."""
        child.log.seek(0)
        return child.log.read()

    def stop(self, child):
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(3)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        child.stdin.close()
        child.log.close()
        if child in self.children:
            self.children.remove(child)

    def wait_for(self, what, ready, child=None, seconds=10):
        """Polls ready() until it is true; `child` must stay alive meanwhile."""
        end = time.monotonic() + seconds
        while not ready():
            if child and child.poll() is not None:
                raise Failed(f"{what}: {shlex.join(child.args)} ended: {self.output(child)[-300:]}")
            if time.monotonic() > end:
                raise Failed(f"{what}: not there after {seconds} s")
            time.sleep(0.002)

    # ---- wiring: every host ends up with an interface eth0 and the address 10.77.0.N ----

    def veths(self):
        """A veth pair for each host; returns the names of the switch's ends."""
        for i in range(1, self.hosts + 1):
            self.call("ip", "link", "add", f"p{i}", "type", "veth", "peer", "name", "eth0",
                      "netns", f"{self.prefix}h{i}", ns="sw")
            self.call("ip", "link", "set", f"p{i}", "up", ns="sw")
            self.address(i)
        return [f"p{i}" for i in range(1, self.hosts + 1)]

    def give_taps(self):
        """Moves the TAP devices t1, t2, ... that the switch made into their hosts."""
        for i in range(1, self.hosts + 1):
            self.wait_for(f"t{i}", lambda n=f"t{i}": self.exists(n))
            self.call("ip", "link", "set", f"t{i}", "netns", f"{self.prefix}h{i}", "name", "eth0",
                      ns="sw")
            self.address(i)

    def address(self, i):
        if i <= 2:  # the first station of flowgen's two sides is the host itself
            self.call("ip", "link", "set", "eth0", "address", f"02:{0x90 + 16 * i:x}:00:00:00:00",
                      ns=f"h{i}")
        self.call("ip", "address", "add", f"10.77.0.{i}/24", "dev", "eth0", ns=f"h{i}")
        self.call("ip", "link", "set", "eth0", "up", ns=f"h{i}")

    def exists(self, ifname):
        return bool(self.call("ip", "-o", "link", "show", ifname, ns="sw", check=False))

    def offloads_off(self):
        for i in range(1, self.hosts + 1):
            self.call("ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off", "gro",
                      "off", ns=f"h{i}")

    def port(self, i):
        """What flowgen and rr call the interface of host i."""
        return f"{self.prefix}h{i}:eth0"
