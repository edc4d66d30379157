/*
 * Runs programs and measures them, so that nothing of the JavaScript that drives the benchmark is in a figure.
 * It stays in one scratch host and takes requests on standard input:
 *
 *   "time PAUSE COUNT\n"   COUNT programs started at once, after a pause of PAUSE microseconds
 *   "census 0 1\n"         one program, traced: its system calls, programs started, peak memory
 *
 * each followed, COUNT times, by "ARGC ENVC STDIN\n", ARGC and ENVC strings that end with NUL, and STDIN bytes.
 * It answers with one line of JSON. Standard input, output and error of the programs are pipes, as runtimes use; they
 * are filled before the start and read after the end, so what goes through one must fit into it (64 KiB).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/ptrace.h>

struct call {
	char **argv, **envp;
	char *in;
	size_t in_length;
	int in_pipe, out_pipe, err_pipe;
	int child_out, child_err;
	pid_t pid;
	int64_t start, wall, cpu;
	long maxrss;
	int exit;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int64_t cpu_of(const struct rusage *usage)
{
	return (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000000LL +
	       (usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1000LL;
}

/* ---- requests and answers ---- */

static char **read_strings(int count)
{
	char **strings = calloc(count + 1, sizeof *strings);
	for (int i = 0; i < count; i++) {
		size_t size = 0;
		if (getdelim(&strings[i], &size, '\0', stdin) < 0)
			die("request");
	}
	return strings;
}

static void make_pipe(int *read_end, int *write_end)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		die("pipe2");
	*read_end = ends[0];
	*write_end = ends[1];
}

static void read_call(struct call *call)
{
	int argc, envc, feed;
	char *line = NULL;
	size_t size = 0;
	if (getline(&line, &size, stdin) < 0 || sscanf(line, "%d %d %zu", &argc, &envc, &call->in_length) != 3)
		die("request");
	free(line);
	call->argv = read_strings(argc);
	call->envp = read_strings(envc);
	call->in = malloc(call->in_length + 1);
	if (fread(call->in, 1, call->in_length, stdin) != call->in_length)
		die("request");
	make_pipe(&call->in_pipe, &feed);
	fcntl(feed, F_SETFL, O_NONBLOCK);
	if (write(feed, call->in, call->in_length) != (ssize_t)call->in_length)
		die("standard input does not fit into a pipe");
	close(feed);
	make_pipe(&call->out_pipe, &call->child_out);
	make_pipe(&call->err_pipe, &call->child_err);
}

static void print_pipe(const char *key, int fd)
{
	static unsigned char text[1 << 17];
	size_t length = 0;
	ssize_t got;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (length < sizeof text && (got = read(fd, text + length, sizeof text - length)) > 0)
		length += got;
	close(fd);
	printf(",\"%s\":\"", key);
	for (size_t i = 0; i < length; i++) {
		if (text[i] < 0x20 || text[i] == '"' || text[i] == '\\')
			printf("\\u%04x", text[i]);
		else
			putchar(text[i]);
	}
	putchar('"');
}

static void free_call(struct call *call)
{
	for (char **string = call->argv; *string; string++)
		free(*string);
	for (char **string = call->envp; *string; string++)
		free(*string);
	free(call->argv);
	free(call->envp);
	free(call->in);
}

static int exit_code(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- time ---- */

static void start_call(struct call *call)
{
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, call->in_pipe, 0);
	posix_spawn_file_actions_adddup2(&actions, call->child_out, 1);
	posix_spawn_file_actions_adddup2(&actions, call->child_err, 2);
	call->start = now();
	int error = posix_spawn(&call->pid, call->argv[0], &actions, NULL, call->argv, call->envp);
	if (error) {
		fprintf(stderr, "cannot start %s: %s\n", call->argv[0], strerror(error));
		exit(1);
	}
	posix_spawn_file_actions_destroy(&actions);
}

static void time_calls(struct call *calls, int count, long pause)
{
	usleep(pause);
	int64_t begin = now();
	for (int i = 0; i < count; i++)
		start_call(&calls[i]);
	/* Children that a plugin leaves behind come to this process, the subreaper. Their time counts as well. */
	int orphans = 0;
	int64_t orphans_cpu = 0, end = begin;
	for (int open = count; open > 0;) {
		int status;
		struct rusage usage;
		pid_t pid = wait4(-1, &status, 0, &usage);
		int64_t at = now();
		if (pid < 0)
			die("wait4");
		struct call *call = NULL;
		for (int i = 0; i < count; i++)
			if (calls[i].pid == pid)
				call = &calls[i];
		if (!call) {
			orphans++;
			orphans_cpu += cpu_of(&usage);
			continue;
		}
		call->wall = at - call->start;
		call->cpu = cpu_of(&usage);
		call->maxrss = usage.ru_maxrss;
		call->exit = exit_code(status);
		end = at;
		open--;
	}
	/* Whoever is still there outlived its plugin. */
	int left = waitpid(-1, NULL, WNOHANG) != -1;
	printf("{\"wall\":%lld,\"orphans\":%d,\"orphansCpu\":%lld,\"left\":%s,\"calls\":[", (long long)(end - begin),
	       orphans, (long long)orphans_cpu, left ? "true" : "false");
	for (int i = 0; i < count; i++) {
		struct call *call = &calls[i];
		close(call->in_pipe);
		close(call->child_out);
		close(call->child_err);
		printf("%s{\"exit\":%d,\"wall\":%lld,\"cpu\":%lld,\"maxrss\":%ld", i ? "," : "", call->exit,
		       (long long)call->wall, (long long)call->cpu, call->maxrss);
		print_pipe("stdout", call->out_pipe);
		print_pipe("stderr", call->err_pipe);
		putchar('}');
	}
	puts("]}");
}

/* ---- census ---- */

/* A program that runs in a process, from execve to the next execve or the end. */
struct program {
	pid_t pid;
	int running;
	/* Resident memory: the most of it, and the most without pages of files, which other processes share. In KiB. */
	long peak, own;
	int born, died;
};

static struct program programs[4096];
static int program_count;

static pid_t process_of(pid_t tid)
{
	char path[64], line[256];
	int tgid = tid;
	snprintf(path, sizeof path, "/proc/%d/status", tid);
	FILE *file = fopen(path, "re");
	if (!file)
		return tid;
	while (fgets(line, sizeof line, file))
		if (sscanf(line, "Tgid: %d", &tgid) == 1)
			break;
	fclose(file);
	return tgid;
}

static struct program *running(pid_t pid)
{
	for (int i = program_count - 1; i >= 0; i--)
		if (programs[i].pid == pid && programs[i].running)
			return &programs[i];
	return NULL;
}

/* The kernel keeps the peak of all resident memory (VmHWM) itself. That of the rest is looked for at each system call. */
static void look_at_memory(pid_t tid)
{
	char path[64], line[256];
	long kib, own = 0;
	int tgid = tid;
	snprintf(path, sizeof path, "/proc/%d/status", tid);
	FILE *file = fopen(path, "re");
	if (!file)
		return;
	struct program *program = NULL;
	while (fgets(line, sizeof line, file)) {
		if (sscanf(line, "Tgid: %d", &tgid) == 1)
			program = running(tgid);
		else if (sscanf(line, "VmHWM: %ld", &kib) == 1 && program && kib > program->peak)
			program->peak = kib;
		else if (sscanf(line, "RssAnon: %ld", &kib) == 1 || sscanf(line, "RssShmem: %ld", &kib) == 1)
			own += kib;
	}
	fclose(file);
	if (program && own > program->own)
		program->own = own;
}

/* At most this much was in use at one time: the sums of the peaks of all programs that ran at that time. */
static void find_peaks_of_tree(long *peak, long *own)
{
	*peak = *own = 0;
	for (int i = 0; i < program_count; i++) {
		long peaks = 0, owns = 0;
		for (int j = 0; j < program_count; j++)
			if (programs[j].born <= programs[i].born && programs[j].died > programs[i].born) {
				peaks += programs[j].peak;
				owns += programs[j].own;
			}
		if (peaks > *peak)
			*peak = peaks;
		if (owns > *own)
			*own = owns;
	}
}

static void begin_traced(struct call *call)
{
	call->pid = fork();
	if (call->pid < 0)
		die("fork");
	if (call->pid > 0)
		return;
	dup2(call->in_pipe, 0);
	dup2(call->child_out, 1);
	dup2(call->child_err, 2);
	ptrace(PTRACE_TRACEME, 0, 0, 0);
	raise(SIGSTOP);
	execve(call->argv[0], call->argv, call->envp);
	_exit(127);
}

static void take_census(struct call *call)
{
	int status, clock = 0;
	long syscalls = 0, processes = 1, threads = 1, peak, own;
	program_count = 0;
	begin_traced(call);
	if (waitpid(call->pid, &status, 0) < 0 || !WIFSTOPPED(status))
		die("the traced program does not start");
	long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
		       PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL;
	if (ptrace(PTRACE_SETOPTIONS, call->pid, 0, options) < 0)
		die("PTRACE_SETOPTIONS");
	ptrace(PTRACE_SYSCALL, call->pid, 0, 0);
	for (;;) {
		pid_t tid = waitpid(-1, &status, __WALL);
		if (tid < 0)
			break;
		if (!WIFSTOPPED(status)) {
			struct program *program = running(tid);
			if (program) {
				program->running = 0;
				program->died = ++clock;
			}
			if (tid == call->pid)
				call->exit = exit_code(status);
			continue;
		}
		int signal = WSTOPSIG(status), event = status >> 16, deliver = 0;
		if (signal == (SIGTRAP | 0x80)) {
			struct __ptrace_syscall_info info = { .op = PTRACE_SYSCALL_INFO_NONE };
			if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info) <= 0 && errno != ESRCH)
				die("PTRACE_GET_SYSCALL_INFO");
			/* Those that return count, from the first execve on: so does strace -f -c. */
			if (info.op == PTRACE_SYSCALL_INFO_EXIT && program_count > 0)
				syscalls++;
			else if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
				look_at_memory(tid);
		} else if (event == PTRACE_EVENT_EXEC) {
			struct program *before = running(tid);
			if (before) {
				before->running = 0;
				before->died = clock + 1;
			}
			if (program_count == sizeof programs / sizeof *programs)
				die("too many programs");
			programs[program_count++] = (struct program){ .pid = tid, .running = 1, .born = ++clock };
		} else if (event == PTRACE_EVENT_EXIT) {
			look_at_memory(tid);
		} else if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
			unsigned long child = 0;
			ptrace(PTRACE_GETEVENTMSG, tid, 0, &child);
			threads++;
			if (process_of(child) == (pid_t)child)
				processes++;
		} else if (signal != SIGSTOP && !(signal == SIGTRAP && event)) {
			/* SIGSTOP: a new thread shows itself. */
			deliver = signal;
		}
		ptrace(PTRACE_SYSCALL, tid, 0, deliver);
	}
	close(call->in_pipe);
	close(call->child_out);
	close(call->child_err);
	find_peaks_of_tree(&peak, &own);
	printf("{\"exit\":%d,\"syscalls\":%ld,\"programs\":%d,\"processes\":%ld,\"threads\":%ld,\"peak\":%ld,\"own\":%ld",
	       call->exit, syscalls, program_count, processes, threads, peak, own);
	print_pipe("stdout", call->out_pipe);
	print_pipe("stderr", call->err_pipe);
	puts("}");
}

int main(void)
{
	char *line = NULL, mode[16];
	size_t size = 0;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		die("PR_SET_CHILD_SUBREAPER");
	while (getline(&line, &size, stdin) > 0) {
		long pause;
		int count;
		if (sscanf(line, "%15s %ld %d", mode, &pause, &count) != 3 || count < 1)
			die("request");
		struct call *calls = calloc(count, sizeof *calls);
		for (int i = 0; i < count; i++)
			read_call(&calls[i]);
		if (strcmp(mode, "census") == 0)
			take_census(calls);
		else
			time_calls(calls, count, pause);
		fflush(stdout);
		for (int i = 0; i < count; i++)
			free_call(&calls[i]);
		free(calls);
	}
	return 0;
}
