/*
 * Loaded into user-mode Linux (LD_PRELOAD) on processors whose extended state is longer than it knows, as with AMX: it
 * sets the first 2,696 bytes of a guest process's registers, the host's kernel takes the whole state or nothing
 * (EFAULT), and the guest panics at its first process. The rest is what the process has: nothing there uses it.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* The whole state of a process, its beginning as `begin` says. */
static long set_beginning(long pid, void *kind, const struct iovec *begin)
{
	static __thread char bytes[1 << 16];
	struct iovec whole = {bytes, sizeof bytes};
	if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, kind, &whole) < 0)
		return -1;
	if (begin->iov_len < whole.iov_len)
		memcpy(bytes, begin->iov_base, begin->iov_len);
	else
		whole = *begin;
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, kind, &whole);
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list arguments;
	va_start(arguments, request);
	long pid = va_arg(arguments, pid_t);
	void *address = va_arg(arguments, void *);
	void *data = va_arg(arguments, void *);
	va_end(arguments);
	if (request == PTRACE_SETREGSET && (long)address == NT_X86_XSTATE)
		return set_beginning(pid, address, data);
	if (request != PTRACE_PEEKTEXT && request != PTRACE_PEEKDATA && request != PTRACE_PEEKUSER)
		return syscall(SYS_ptrace, request, pid, address, data);
	/* The system call writes the word where the C library's function returns it. */
	long word = 0;
	if (syscall(SYS_ptrace, request, pid, address, &word) < 0)
		return -1;
	errno = 0;
	return word;
}
