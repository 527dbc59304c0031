# uswitch: `make`, `make demo`, `make check`, `make help`
# SPDX-License-Identifier: MIT
# The sources of a folder are all its *.c files; a new file needs no change here.

BUILD ?= build
PREFIX ?= /usr/local
CC ?= gcc
CFLAGS ?= -O2 -g
WERROR ?=
V ?= 0
Q = $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' $(1) $(2))

WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wpointer-arith -Wvla
HARDEN = -fPIE -fstack-protector-strong -D_FORTIFY_SOURCE=2
PKGS = libevent_core libmnl libpcap jansson
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -I. $(WARN) $(WERROR) $(HARDEN) $(PKG_CFLAGS) -MMD -MP $(CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(LDFLAGS)
LIBS = $(shell pkg-config --libs $(PKGS) 2>/dev/null || echo -levent_core -lmnl -lpcap -ljansson)
CHECK_LIBS = $(shell pkg-config --libs check 2>/dev/null || echo -lcheck)

# The pure core first, then the drivers, then the process (design: a folder knows only those to its left).
CORE = $(patsubst %.c,$(BUILD)/%.o,$(wildcard vlan/*.c fdb/*.c ports/frame.c ports/drop.c ports/offload.c \
	ports/csum.c ports/headers.c ports/spec.c ports/error.c switch/*.c))
PORTS = $(filter-out $(CORE),$(patsubst %.c,$(BUILD)/%.o,$(wildcard ports/*.c)))
DAEMON = $(patsubst %.c,$(BUILD)/%.o,$(wildcard switch/daemon/*.c))
CTL = $(patsubst %.c,$(BUILD)/%.o,$(wildcard tools/uswitchctl/*.c))
UNIT = $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/*.c))
BENCH = $(patsubst tools/bench/%.c,$(BUILD)/bench-%,$(wildcard tools/bench/*.c))

all: $(BUILD)/uswitch $(BUILD)/uswitchctl

$(BUILD)/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/libcore.a: $(CORE)
	$(call say,AR,$@)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

$(BUILD)/libports.a: $(PORTS)
	$(call say,AR,$@)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

$(BUILD)/uswitch: $(DAEMON) $(BUILD)/libports.a $(BUILD)/libcore.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/uswitchctl: $(CTL) $(BUILD)/libcore.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/libports.a $(BUILD)/libcore.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(CHECK_LIBS) $(LIBS)

$(BUILD)/bench-%: $(BUILD)/tools/bench/%.o $(BUILD)/libcore.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lm -pthread

.PHONY: all
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
