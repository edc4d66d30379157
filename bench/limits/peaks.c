/*
 * Runs a program and prints, as its last line on standard error, what the kernel says of its memory when it exits:
 * peaks PEAK_RESIDENT PRIVATE PEAK_ADDRESS_SPACE, all in KiB. PRIVATE is what is not shared with the file at the end.
 * Exits as the program does.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static long field(const char *status, const char *name) {
  const char *at = strstr(status, name);
  return at == NULL ? -1 : atol(at + strlen(name));
}

static void print_peaks(pid_t pid) {
  char path[64], status[8192];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE *file = fopen(path, "r");
  if (file == NULL) return;
  status[fread(status, 1, sizeof status - 1, file)] = '\0';
  fclose(file);
  fprintf(stderr, "\npeaks %ld %ld %ld\n", field(status, "VmHWM:"), field(status, "RssAnon:"), field(status, "VmPeak:"));
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  pid_t pid = fork();
  if (pid == 0) {
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    execv(argv[1], argv + 1);
    _exit(127);
  }
  int status;
  /* The first stop is that of execv. */
  if (waitpid(pid, &status, 0) < 0 || !WIFSTOPPED(status)) return 1;
  ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACEEXIT);
  ptrace(PTRACE_CONT, pid, NULL, NULL);
  while (waitpid(pid, &status, 0) == pid) {
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    if (WIFSIGNALED(status)) return 128 + WTERMSIG(status);
    int is_exit = status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8);
    if (is_exit) print_peaks(pid);
    ptrace(PTRACE_CONT, pid, NULL, is_exit || WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status));
  }
  return 1;
}
