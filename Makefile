# uswitch: `make`, `make demo`, `make check`, `make help`
# SPDX-License-Identifier: MIT
# The sources of a folder are all its *.c files; a new file needs no change here.

BUILD ?= build
PREFIX ?= /usr/local
CC ?= gcc
CFLAGS ?= -O2 -g
VERSION = $(shell cat VERSION)
Q = $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' $(1) $(2))

WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wpointer-arith -Wvla $(WERROR)
HARDEN = -fPIE -fstack-protector-strong $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer,-D_FORTIFY_SOURCE=2)
PKGS = libevent_core libmnl libpcap jansson
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -DUSWITCH_VERSION='"$(VERSION)"' -I. $(WARN) $(HARDEN) $(PKG_CFLAGS) -MMD -MP $(CFLAGS)
LINK = $(CC) $(CFLAGS) $(HARDEN) -pie -Wl,-z,relro,-z,now $(LDFLAGS) -o
LIBS := $(or $(shell pkg-config --libs $(PKGS) 2>/dev/null),-levent_core -lmnl -lpcap -ljansson)
CHECK_LIBS := $(or $(shell pkg-config --libs check 2>/dev/null),-lcheck)

# The pure core first, then the drivers, then the process: a folder knows only those to its left.
objects = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(1)))
PURE_PORTS = frame drop offload coalesce csum headers spec error
CORE = $(call objects,vlan/*.c fdb/*.c $(PURE_PORTS:%=ports/%.c) switch/*.c)
PORTS = $(filter-out $(CORE),$(call objects,ports/*.c))
DAEMON = $(call objects,switch/daemon/*.c)
CTL = $(call objects,tools/uswitchctl/*.c)
UNIT = $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/*.c))
FUZZ = $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/*.c))
BENCH = $(patsubst tools/bench/%.c,$(BUILD)/bench-%,$(wildcard tools/bench/*.c))
ARCHIVES = -Wl,--start-group $(BUILD)/libports.a $(BUILD)/libcore.a -Wl,--end-group
ARCHIVE_FILES = $(BUILD)/libports.a $(BUILD)/libcore.a

all: $(BUILD)/uswitch $(BUILD)/uswitchctl $(BUILD)/uswitch-bridge-helper  ## the programs, in build/

$(BUILD)/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/libcore.a: $(CORE)
$(BUILD)/libports.a: $(PORTS)
$(BUILD)/lib%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

$(BUILD)/uswitch: $(DAEMON) $(ARCHIVE_FILES)
	$(call say,LD,$@)
	$(Q)$(LINK) $@ $(DAEMON) $(ARCHIVES) $(LIBS)

$(BUILD)/uswitchctl: $(CTL) $(ARCHIVE_FILES)
	$(call say,LD,$@)
	$(Q)$(LINK) $@ $(CTL) $(ARCHIVES) $(LIBS)

# May be setuid: the C library alone.
$(BUILD)/uswitch-bridge-helper: $(BUILD)/tools/bridge-helper/main.o
	$(call say,LD,$@)
	$(Q)$(LINK) $@ $<

# Unit tests may use the parts of the process too, all but its main().
TESTABLE = $(filter-out %/main.o,$(DAEMON))
$(UNIT): %: %.o $(TESTABLE) $(ARCHIVE_FILES)
	$(call say,LD,$@)
	$(Q)$(LINK) $@ $< $(TESTABLE) $(ARCHIVES) $(CHECK_LIBS) $(LIBS)

SCENARIO = $(call objects,tests/scenario/*.c)
$(BUILD)/scenario: $(SCENARIO) $(ARCHIVE_FILES)
	$(call say,LD,$@)
	$(Q)$(LINK) $@ $(filter %.o,$^) $(ARCHIVES) $(LIBS)

DIFF = $(call objects,tests/diff/*.c)
$(BUILD)/diff: $(DIFF) $(ARCHIVE_FILES)
	$(call say,LD,$@)
	$(Q)$(LINK) $@ $(DIFF) $(ARCHIVES) $(LIBS)

LIVE = $(call objects,tests/live/*.c tests/diff/*.c)
$(BUILD)/live: $(LIVE) $(ARCHIVE_FILES)
	$(call say,LD,$@)
	$(Q)$(LINK) $@ $(filter-out %/diff.o,$(LIVE)) $(ARCHIVES) $(LIBS)

# With clang these are libFuzzer programs (make fuzz); with gcc each replays the files it is given.
$(FUZZ): %: %.o $(if $(FUZZER),,$(BUILD)/tests/replay.o) $(ARCHIVE_FILES)
	$(call say,LD,$@)
	$(Q)$(LINK) $@ $< $(if $(FUZZER),-fsanitize=fuzzer,$(BUILD)/tests/replay.o) $(ARCHIVES) $(LIBS)

$(BUILD)/bench-%: $(BUILD)/tools/bench/%.o $(ARCHIVE_FILES)
	$(call say,LD,$@)
	$(Q)$(LINK) $@ $< $(ARCHIVES) $(LIBS) -lm -pthread

tests: all $(UNIT) $(BUILD)/scenario $(BUILD)/diff $(BUILD)/live $(FUZZ) $(BENCH)

deps:
	$(Q)tools/install-deps

demo: deps  ## two hosts talk through uswitch, in throw-away namespaces
	$(Q)$(MAKE) --no-print-directory all
	$(Q)BUILD=$(BUILD) tools/demo

check: deps  ## every test that this machine can run, plain and under ASan and UBSan
	$(Q)$(MAKE) --no-print-directory tests
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/asan SANITIZE=address,undefined tests
	$(Q)BUILD=$(BUILD) tests/run $(TESTS)

fuzz:  ## libFuzzer on frames and control lines, FUZZ_S seconds each (needs clang)
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=clang FUZZER=1 SANITIZE=address,undefined,fuzzer-no-link \
		$(FUZZ:$(BUILD)/%=$(BUILD)/fuzz/%)
	$(Q)for f in $(notdir $(FUZZ)); do mkdir -p $(BUILD)/corpus/$$f && $(BUILD)/fuzz/tests/fuzz/$$f \
		-max_total_time=$(or $(FUZZ_S),60) -timeout=5 $(BUILD)/corpus/$$f tests/fuzz/corpus/$$f || exit 1; done

lint: $(BUILD)/libcore.a  ## the project's own rules, format, static checks
	$(Q)for c in tools/check-*; do BUILD=$(BUILD) $$c || exit 1; done
	$(Q)$(MAKE) --no-print-directory format-check
	$(Q)shellcheck $$(git ls-files | xargs -r grep -lE '^#!/bin/(ba)?sh')

SOURCES = $(shell git ls-files '*.c' '*.h')
format-check:  ## is everything as clang-format would write it?
	$(Q)clang-format --dry-run -Werror $(SOURCES)

bench: deps all $(BENCH)  ## uswitch beside other switches; BENCH_ARGS=--quick for the short one
	$(Q)BUILD=$(BUILD) tools/bench/run $(BENCH_ARGS)

install: all  ## into DESTDIR and PREFIX
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/lib/uswitch $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 755 $(BUILD)/uswitch $(BUILD)/uswitchctl $(DESTDIR)$(PREFIX)/sbin/
	install -m 755 $(BUILD)/uswitch-bridge-helper $(DESTDIR)$(PREFIX)/lib/uswitch/
	install -m 644 switch/daemon/uswitch.8 tools/uswitchctl/uswitchctl.8 \
		tools/bridge-helper/uswitch-bridge-helper.8 $(DESTDIR)$(PREFIX)/share/man/man8/

clean:
	rm -rf $(BUILD)

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

.PHONY: all tests deps demo check fuzz lint format-check bench install clean help
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' -type f 2>/dev/null)
