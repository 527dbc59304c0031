/* SPDX-License-Identifier: MIT */
/*
 * print: a configuration as the commands that make it (`show config`).
 *
 * The surprising rule: it is a difference like any other: what turns an empty switch into the
 * model, so it cannot forget what the difference knows. Loading the commands into an empty model of
 * the same name gives an equal one. Pure.
 */
#ifndef SWITCH_PRINT_H
#define SWITCH_PRINT_H

#include "switch/model.h"

/*
 * Makes @lines the verbs whose verb_print() are the configuration @m, in an order in which they can
 * be loaded; they point into @m; free with verbs_fini(). Returns 0 or -ENOMEM.
 */
int model_print(const struct model *m, struct verbs *lines);

#endif
