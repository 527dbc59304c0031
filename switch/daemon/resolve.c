/* SPDX-License-Identifier: MIT */
#include "switch/daemon/resolve.h"

#include <errno.h>
#include <string.h>

#include "ports/kinds.h"

const char *resolve_option(const struct port_spec *spec, const char *name)
{
	size_t len = strlen(name);

	for (unsigned i = 0; i < spec->n_options; i++) {
		const struct port_option *option = spec->option[i].option;
		const char *text = spec->option[i].text;

		if (option && !strcmp(option->name, name))
			return text;
		if (!option && !strncmp(text, name, len) && (!text[len] || text[len] == '='))
			return text[len] ? text + len + 1 : text + len;
	}
	return NULL;
}

const struct port_ops *resolve_kind(const struct port_spec *spec, const struct rtnl_link *link)
{
	if (!link->link.present || (link->tap && !link->held) || resolve_option(spec, "guest"))
		return &tap_ops;
	return &packet_ops;
}

int resolve_check(const struct port_spec *spec, const struct rtnl_link *link, struct error *err)
{
	if (spec->ops == &packet_ops && link->link.present && !strcmp(link->kind, "bridge"))
		return error_set(
			err, -ELOOP,
			"%s is a bridge, which cannot be a port: connect the two switches with a veth pair",
			spec->address);
	return 0;
}
