/* SPDX-License-Identifier: MIT */
/*
 * spec: a port as the user writes it, `tap:tap0,mtu=9000`, and the tables it is checked against.
 *
 * Parsing, --help and the manual come from the kinds' option tables. The surprising rule: the bare
 * form `NAME` has no kind yet; its options are kept as text until port_spec_resolve() knows the
 * kind. Plain data without ownership; pure. Used by the configuration model and by those who open
 * ports.
 */
#ifndef PORTS_SPEC_H
#define PORTS_SPEC_H

#include <stddef.h>
#include <stdint.h>

#include "ports/error.h"

#define PORT_NAME_MAX 16u /* IFNAMSIZ, the final NUL included */
#define PORT_OPTIONS_MAX 16u

struct port_ops;

enum port_option_type {
	PORT_OPT_FLAG,   /* on|off; without "=" it means on */
	PORT_OPT_NUMBER, /* min..max */
	PORT_OPT_TEXT,
};

/* One option of a kind; the tables make parsing, --help and the man page. */
struct port_option {
	const char *name;
	enum port_option_type type;
	uint64_t min, max;
	const char *words; /* PORT_OPT_TEXT: what it may be, "share|drop"; NULL = anything */
	const char *help;  /* "MTU of the interface that is created, 68..65521 (default 1500)" */
};

/*
 * A port as the user wrote it: `kind:address,option=value`, taken apart and checked against the
 * option table.
 */
struct port_spec {
	const struct port_ops *ops; /* NULL for the bare-name form until it is resolved */
	char name[PORT_NAME_MAX];   /* name= or the interface's; "": the host makes one up */
	char address[256];          /* interface name, path, host:port; "" if the kind needs none */
	unsigned n_options;
	struct {
		const struct port_option *option;
		uint64_t number; /* PORT_OPT_FLAG (0/1) and PORT_OPT_NUMBER */
		char text[256];
	} option[PORT_OPTIONS_MAX];
};

/*
 * Takes @text (`NAME`, `KIND:ADDRESS`, each with `,option=value`...) apart into @spec and checks it
 * against the kind's table. For the bare form spec->ops is NULL, options are kept unchecked as text
 * until port_spec_resolve(). Returns 0 or -EINVAL with a sentence in @err that names the word at
 * fault and what is allowed.
 */
int port_spec_parse(const char *text, struct port_spec *spec, struct error *err);

/*
 * Decides a bare @spec to be of kind @ops and checks its options. Returns 0 or -EINVAL with a
 * sentence.
 */
int port_spec_resolve(struct port_spec *spec, const struct port_ops *ops, struct error *err);

/* Prints @spec as port_spec_parse() reads it, canonically, into @text (@size bytes). */
void port_spec_print(const struct port_spec *spec, char *text, size_t size);

/* Returns the value of option @name in @spec or @fallback. */
uint64_t port_spec_number(const struct port_spec *spec, const char *name, uint64_t fallback);
/* Returns the text of option @name in @spec or NULL. */
const char *port_spec_text(const struct port_spec *spec, const char *name);

/*
 * Checks that @name can name a port: 1..15 bytes, no '/', ':', ',', '%', no white space, not "." or
 * "..".
 */
int port_name_check(const char *name, struct error *err);

#endif
