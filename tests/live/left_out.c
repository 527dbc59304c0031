// SPDX-License-Identifier: MIT
#include <string.h>

#include "tests/live/live.h"

#define BOTH (1u << SIDE_PACKET | 1u << SIDE_BACKEND)
#define KERNEL (1u << SIDE_BACKEND)

static const char *const slow_clock = "minutes would have to pass";

static const struct {
	const char *file;
	unsigned sides; /* bits by enum side_kind */
	const char *why;
} left_out[] = {
	{ "23-extern-learn-roams.txt", BOTH, slow_clock },
	{ "32-ageing-default.txt", BOTH, slow_clock },
	{ "32-ageing.txt", BOTH, "the clock would have to stand still between its steps" },
	{ "26-mtu.txt", BOTH,
	  "super-frames, and frames longer than what a port of a veth pair lets in" },
	{ "58-mtu-payload-tag.txt", BOTH, "frames longer than what a port of a veth pair lets in" },
	{ "40-host-down.txt", KERNEL, "a kernel bridge that is taken down stops forwarding" },
	{ "31-ageing-zero-taken-back.txt", KERNEL,
	  "the kernel forgets in the background, maybe after the next ageing time" },
	{ "56-accept.txt", KERNEL, "a kernel bridge has no such setting" },
};

const char *left_out_why(const char *file, enum side_kind kind)
{
	for (unsigned i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		if (left_out[i].sides & 1u << kind && strcmp(left_out[i].file, file) == 0)
			return left_out[i].why;
	return NULL;
}

const char *left_out_setting(const char *text, enum side_kind kind)
{
	static const struct {
		const char *part, *name;
	} parts[] = {
		{ "vlan ", "this kernel's bridge has no VLAN filtering" },
		{ "vlan_", "this kernel's bridge has no VLAN filtering" },
		{ " mab ", "this kernel's bridge has no mab" },
		{ "fdb_max_learned", "this kernel's bridge has no fdb_max_learned" },
	};

	for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (kind == SIDE_BACKEND && strstr(text, parts[i].part))
			return parts[i].name;
	return NULL;
}
