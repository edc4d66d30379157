/*
 * Prints how many microseconds a CPUID instruction takes. A hypervisor traps it, for 10 to 70 µs, and a program that is
 * linked with the C library executes some 80 when it starts: so ratios differ from machine to machine.
 */
#include <stdio.h>
#include <time.h>

int main(void)
{
	struct timespec start, end;
	enum { TIMES = 1000 };

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (int i = 0; i < TIMES; i++) {
#ifdef __x86_64__
		unsigned a = 0, b, c = 0, d;
		__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
#endif
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%.2f\n", ((end.tv_sec - start.tv_sec) * 1e6 + (end.tv_nsec - start.tv_nsec) / 1e3) / TIMES);
	return 0;
}
