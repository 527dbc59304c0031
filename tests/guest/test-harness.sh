#!/bin/bash
#
# Proves on the host that `run` tells the truth: what passes, fails, hangs or panics in the guest is
# reported as such, files come back, and the guest can do what our tests need.
# Usage: tests/guest/test-harness.sh [options for run, for example -b FOLDER]

RUN=$(cd "$(dirname "$0")" && pwd)/run
TMP=$(mktemp -d)
trap 'rm -rf "$TMP"' EXIT
FAILED=0

# script NAME: makes a guest script of standard input.
script()
{
	{ echo '#!/bin/sh'; cat; } > "$TMP/$1"
	chmod +x "$TMP/$1"
}

# guest STATUS TEXT ARGUMENT...: `run ARGUMENT...` must end with STATUS and print TEXT, a regular
# expression for a whole line.
guest()
{
	local want=$1 text=$2 status
	shift 2
	"$RUN" "${OPTIONS[@]}" "$@" > "$TMP/log" 2>&1
	status=$?
	[ "$status" != 77 ] || [ "$want" = 77 ] || { cat "$TMP/log"; exit 77; }
	if [ "$status" = "$want" ] && grep -qxE "$text" "$TMP/log"; then
		echo "PASS $text"
		return
	fi
	echo "FAIL $text, status $status instead of $want"
	sed 's/^/    | /' "$TMP/log"
	FAILED=1
}

# same NAME A B: the two texts must be equal.
same()
{
	[ "$2" = "$3" ] && echo "PASS $1" && return
	echo "FAIL $1: $2 instead of $3"
	FAILED=1
}

OPTIONS=("$@")
script pass.sh <<'END'
echo "arguments: $*"
cat data.txt
echo "to standard error" > /dev/stderr
mkdir /out/folder
seq 100000 > /out/folder/numbers
sleep 1000 &
printf 'PASS without newline'
END
script clean.sh <<'END'
[ -z "$(pidof sleep)" ] && echo "PASS nothing is left of the script before"
END
script status.sh <<'END'
echo "last words"
exit 42
END
script line.sh <<'END'
echo "FAIL but status 0"
END
script skip.sh <<'END'
echo "SKIP all: no reason"
exit 77
END
script signal.sh <<'END'
kill -SEGV $$
END
script panic.sh <<'END'
echo "before the panic"
echo c > /proc/sysrq-trigger
END
script hang.sh <<'END'
echo "before the hang"
sleep 1000
END
echo "some data" > "$TMP/data.txt"

guest 0 "guest: pass.sh: passed \(1 PASS, 0 FAIL, 0 SKIP\)" -a "a b" -f "$TMP/data.txt" -o "$TMP/out" \
	"$TMP/pass.sh" "$TMP/clean.sh"
same "output" "$(head -n 5 "$TMP/log")" "arguments: a b
some data
to standard error
PASS without newline
PASS nothing is left of the script before"
same "files in /out" "$(cat "$TMP/out/folder/numbers")" "$(seq 100000)"
guest 42 "guest: status.sh: FAILED with status 42 .*" "$TMP/skip.sh" "$TMP/status.sh" "$TMP/line.sh" \
	"$TMP/signal.sh"
same "results" "$(sed -n 's/^guest: \(.*.sh: [^(]*\) (.*/\1/p' "$TMP/log")" "skip.sh: SKIPPED
status.sh: FAILED with status 42
line.sh: FAILED with a line that says so
signal.sh: FAILED with status 139"
guest 1 "guest: line.sh: FAILED with a line that says so .*" "$TMP/line.sh"
guest 77 "guest: skip.sh: SKIPPED .*" "$TMP/skip.sh"
guest 125 "guest: panic.sh: FAILED, the guest died" "$TMP/panic.sh" "$TMP/clean.sh"
same "kernel log of a panic" "$(grep -c "sysrq triggered crash" "$TMP/log")" 1
same "script after a panic" "$(grep -c "clean.sh: did not run" "$TMP/log")" 1
guest 124 "guest: hang.sh: FAILED, the guest's 12 s are over" -t 12 "$TMP/hang.sh"
same "output before a hang" "$(grep -c "before the hang" "$TMP/log")" 2
mkdir "$TMP/bin"
ln -s "$(command -v bash)" "$(command -v dirname)" "$(command -v uname)" "$(command -v env)" "$TMP/bin"
PATH=$TMP/bin "$RUN" "$TMP/pass.sh" > "$TMP/log" 2>&1
same "status without QEMU" $? 77
same "reason" "$(cat "$TMP/log")" "SKIP needs qemu-system-x86_64 (package qemu-system-x86)"
guest 2 "run: cannot read /nosuch" /nosuch
guest 0 "guest: network.sh: passed .*" "${RUN%/*}/network.sh"
exit $FAILED
