/* SPDX-License-Identifier: MIT */
/*
 * uswitch(8): starts, in this order, the configuration, the ports, the control socket and the loop.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ports/log.h"
#include "switch/daemon/backends.h"
#include "switch/daemon/control.h"
#include "switch/daemon/daemon.h"
#include "switch/daemon/loop.h"
#include "switch/daemon/notify.h"
#include "switch/daemon/options.h"
#include "switch/daemon/socket.h"

#define RUN_DIR "/run/uswitch"
#define EXIT_USAGE 2

/* A port takes a few descriptors: have as many as we are allowed. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * In the parent of -D: waits until the child has started (a byte) or failed (its end), and exits
 * accordingly.
 */
static _Noreturn void wait_for_child(int fd, pid_t child)
{
	int status = 0;
	char byte;

	if (read(fd, &byte, 1) == 1)
		_exit(EXIT_SUCCESS);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	_exit(WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

/* Goes on in a child. Returns the descriptor for detach_end(), or -errno with a sentence. */
static int detach_begin(struct error *err)
{
	int fds[2];
	pid_t child;

	if (pipe2(fds, O_CLOEXEC))
		return error_set(err, -errno, "cannot detach: %s", strerror(errno));
	child = fork();
	if (child < 0)
		return error_set(err, -errno, "cannot detach: %s", strerror(errno));
	if (child) {
		close(fds[1]);
		wait_for_child(fds[0], child);
	}
	close(fds[0]);
	setsid();
	return fds[1];
}

/* Lets the parent go and leaves its terminal or pipes; a log file on standard error stays. */
static void detach_end(int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct stat st;

	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		if (fstat(STDERR_FILENO, &st) || !S_ISREG(st.st_mode))
			dup2(null, STDERR_FILENO);
		close(null);
	}
	if (write(fd, "", 1) != 1)
		log_warning("the starting process is gone");
	close(fd);
}

/*
 * Brings everything up. Returns 0, or -errno with a sentence; stop() takes down what there is in
 * either case.
 */
static int start(struct daemon *d, struct error *err)
{
	int ret = options_socket(&d->options, RUN_DIR, err);

	if (!ret)
		ret = control_socket_check(d->options.socket,
					   err); /* its ports must not be touched */
	if (!ret)
		ret = daemon_read_config(d, &d->base, err);
	if (ret)
		return ret;
	raise_limits();
	d->loop = loop_new(d);
	if (!d->loop)
		return error_set(err, -ENOMEM, "cannot make an event loop");
	ret = backends_open(d, err);
	if (ret)
		return ret;
	d->control = control_open(d, err);
	if (!d->control)
		return -EIO;
	d->started = true;
	return 0;
}

static void stop(struct daemon *d)
{
	control_close(d->control);
	d->control = NULL; /* closing ports is news that nobody hears */
	backends_close(d);
	loop_free(d->loop);
}

static void log_start(const struct daemon *d)
{
	char ports[512] = "";
	size_t at = 0;

	for (unsigned i = 0; i < d->wanted.n_ports && at < sizeof(ports) - PORT_NAME_MAX - 8; i++)
		at += (size_t)snprintf(ports + at, sizeof(ports) - at, " %s",
				       d->wanted.port[i].name);
	log_notice("%s: %u port%s%s%s%s, control socket %s", d->options.name, d->wanted.n_ports,
		   d->wanted.n_ports == 1 ? "" : "s", at ? ":" : "", ports,
		   at >= sizeof(ports) - PORT_NAME_MAX - 8 ? " ..." : "", d->options.socket);
}

/* The whole life after the command line is understood. Returns the exit status. */
static int run(struct daemon *d)
{
	struct error err = { "" };
	int detached = -1, ret = 0;

	if (d->options.detach)
		ret = detached = detach_begin(&err);
	if (ret >= 0)
		ret = start(d, &err);
	if (!ret) {
		log_start(d);
		if (notify("READY=1"))
			log_warning("$NOTIFY_SOCKET: cannot say READY=1");
		if (detached >= 0)
			detach_end(detached);
		ret = loop_run(d->loop);
		if (ret)
			error_set(&err, ret, "waiting for events: %s", strerror(-ret));
		notify("STOPPING=1");
	}
	if (ret)
		log_error("%s", err.text);
	stop(d);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Whether the ports of the command line make sense together; what does not is an error of usage. */
static int check_usage(const struct daemon *d, struct error *err)
{
	struct model m;
	int ret;

	model_init(&m, d->options.name);
	ret = daemon_read_options(d, &m, err);
	model_fini(&m);
	return ret;
}

/* Runs the switch that the command line describes. Returns the exit status. */
static int serve(struct daemon *d)
{
	struct error err;
	int ret;

	if (check_usage(d, &err)) {
		log_error("%s", err.text);
		return EXIT_USAGE;
	}
	log_set_level(d->options.verbose > 1   ? LOG_LEVEL_DEBUG
		      : d->options.verbose > 0 ? LOG_LEVEL_INFO
					       : LOG_LEVEL_NOTICE);
	model_init(&d->base, d->options.name);
	model_init(&d->wanted, d->options.name);
	ret = run(d);
	model_fini(&d->base);
	model_fini(&d->wanted);
	json_decref(d->drift);
	return ret;
}

int main(int argc, char **argv)
{
	struct daemon d = { .started = false };
	struct error err;
	int action, status = EXIT_SUCCESS;

	action = options_parse(&d.options, argc, argv, &err);
	if (action == OPTIONS_RUN) {
		status = serve(&d);
	} else if (action == OPTIONS_HELP) {
		options_help(stdout);
	} else if (action == OPTIONS_VERSION) {
		puts("uswitch " USWITCH_VERSION);
	} else {
		log_error("%s", err.text);
		status = EXIT_USAGE;
	}
	options_fini(&d.options);
	return status;
}
