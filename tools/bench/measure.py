# SPDX-License-Identifier: MIT
"""Running workloads on switches and keeping the values: what `run` and `figures` share."""

import os
import random
import signal
import statistics
import sys
import time

from lab import Failed, Lab, busy_seconds, resident_kib

REFERENCE = "kernel bridge"


def say(text):
    print(text, file=sys.stderr, flush=True)


def programs(build_dir):
    """The measuring programs; a name in a command of the Lab stands for the built program."""
    found = {n: f"{os.path.abspath(build_dir)}/bench-{n}" for n in ("flowgen", "rr", "core")}
    for path in found.values():
        if not os.access(path, os.X_OK):
            sys.exit(f"bench: {path} is not built")
    return found


def preflight():
    if os.geteuid() != 0:
        sys.exit("bench: needs root: it makes network namespaces and TAP devices")
    for number in (signal.SIGTERM, signal.SIGHUP):  # so that `with Lab` cleans up
        signal.signal(number, lambda n, _: sys.exit(128 + n))


def wait_for_quiet(seconds):
    """Others on the machine spoil ratios too: waits until they use little, but not for ever."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = busy_seconds()
        time.sleep(0.5)
        if busy_seconds() - before < 0.1:
            return
    say("the machine is busy with something else: measuring nevertheless")


def rounds(chosen, todo, tools, args, record):
    for n in range(args.rounds):
        for s in random.sample(chosen, len(chosen)):
            say(f"round {n + 1} of {args.rounds}: {s.name}")
            wait_for_quiet(5 if args.seconds * args.rounds < 5 else 20)
            now = [w for w in todo if not w.long or n % 2 == 0]
            measure(s, now, tools, args.seconds, record)


def measure(switch, todo, tools, seconds, record):
    """One switch, one round: a fresh network for each size needed, all its workloads on it."""
    for hosts, stations in sorted({(w.hosts, w.stations) for w in todo}):
        mine = [w for w in todo if (w.hosts, w.stations) == (hosts, stations)]
        if hosts > switch.max_hosts:
            for w in mine:
                record.failed[(switch.name, w.name)] = f"{switch.max_hosts} hosts at most"
            continue
        with Lab(tools, hosts, stations) as lab:
            try:
                switch.build(lab)
                time.sleep(0.3)
                if hosts == 2 and switch.pids:
                    rss = sum(resident_kib(p) for p in switch.pids)
                    record.add(switch.name, {"rss": rss / 1024})
            except Failed as e:
                for w in mine:
                    record.failed[(switch.name, w.name)] = str(e)
                continue
            record.commands.setdefault(switch.name, list(lab.commands))
            for w in mine:
                try:
                    record.add(switch.name, w.run(lab, seconds))
                except Failed as e:
                    record.failed[(switch.name, w.name)] = str(e)


class Record:
    """values[row key][switch name] = one number a round."""

    def __init__(self):
        self.values, self.failed, self.commands = {}, {}, {}

    def add(self, name, values):
        for key, v in values.items():
            self.values.setdefault(key, {}).setdefault(name, []).append(v)

    def ratios(self, key, name, reference=REFERENCE):
        """Within each round; empty unless both were measured in every round."""
        mine, base = self.values[key].get(name, []), self.values[key].get(reference, [])
        if len(mine) != len(base):
            return []
        return [m / b for m, b in zip(mine, base) if b]

    def cell(self, key, name):
        v = self.values[key].get(name)
        if not v:
            return "-"
        median = statistics.median(v)
        spread = 50 * (max(v) - min(v)) / median if median else 0
        ratio = self.ratios(key, name)
        text = f"{median:.3g}" if median < 100 else f"{median:.0f}"
        text += f" ±{spread:.0f}%"
        return text + (f" {statistics.median(ratio):5.2f}x" if ratio else "       ")
