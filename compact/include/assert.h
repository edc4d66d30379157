/*
 * What the engine includes as <assert.h>. It is compiled with NDEBUG, since without that it can dump its state, and asks
 * before each instruction whether it should. Its assertions hold nevertheless: a false one ends the call with an error object
 * (src/failure.rs).
 */
#undef assert
#define assert(condition) ((condition) ? (void)0 : abort())
_Noreturn void abort(void);
