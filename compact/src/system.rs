//! System calls, signals and child processes.
use crate::failure::fail;
use crate::memory;
use crate::values::{arguments, bytes_of, integer_of, memory_of, number as value, throw};
use core::arch::asm;
use core::ffi::{c_char, c_int, c_void, CStr};
use core::ptr::null_mut;
use rquickjs_sys::*;

// What is taken from the C library, musl: what needs its knowledge of the kernel's entry points.
extern "C" {
    fn clock_gettime(clock: c_int, time: *mut [i64; 2]) -> c_int;
    fn sigaction(signal: c_int, action: *const Action, before: *mut Action) -> c_int;
    fn clone(
        start: unsafe extern "C" fn(*mut c_void) -> c_int,
        stack: *mut c_void,
        flags: c_int,
        argument: *mut c_void,
        ...
    ) -> c_int;
}

type SignalSet = [u64; 16];

/// struct sigaction of musl: handler, mask, flags, restorer.
#[repr(C)]
#[derive(Clone, Copy)]
struct Action {
    handler: usize,
    mask: SignalSet,
    flags: c_int,
    restorer: usize,
}

impl Action {
    const fn new(handler: usize) -> Action {
        Action { handler, mask: [0; 16], flags: 0, restorer: 0 }
    }
}

const EINTR: i64 = 4;
const EAGAIN: i64 = 11;
const SIGKILL: i64 = 9;
const SIG_SETMASK: i64 = 2;
const EBADF: i64 = 9;
const EMFILE: i64 = 24;
const CLOCK_MONOTONIC: c_int = 1;
const SIG_IGN: usize = 1;

/// The numbers of the calls that the host itself makes (asm/unistd_64.h, asm-generic/unistd.h).
pub mod number {
    const fn of(x64: i64, arm64: i64) -> i64 {
        if cfg!(target_arch = "aarch64") {
            arm64
        } else {
            x64
        }
    }
    pub const READ: i64 = of(0, 63);
    pub const WRITE: i64 = of(1, 64);
    pub const MMAP: i64 = of(9, 222);
    pub const MUNMAP: i64 = of(11, 215);
    pub const NANOSLEEP: i64 = of(35, 101);
    pub const OPENAT: i64 = of(257, 56);
    pub const FCNTL: i64 = of(72, 25);
    pub const GETPID: i64 = of(39, 172);
    pub const KILL: i64 = of(62, 129);
    pub const SETPGID: i64 = of(109, 154);
    pub const GETPPID: i64 = of(110, 173);
    pub const PRCTL: i64 = of(157, 167);
    pub const RT_SIGACTION: i64 = of(13, 134);
    pub const RT_SIGPROCMASK: i64 = of(14, 135);
    pub const DUP3: i64 = of(292, 24);
    pub const EXECVE: i64 = of(59, 221);
    pub const WAIT4: i64 = of(61, 260);
    pub const EXIT_GROUP: i64 = of(231, 94);
}

/// One system call by its number: the value, or the negative error number.
#[cfg(target_arch = "x86_64")]
pub unsafe fn call(number: i64, a: [i64; 6]) -> i64 {
    let mut value = number;
    asm!("syscall", inlateout("rax") value, in("rdi") a[0], in("rsi") a[1], in("rdx") a[2], in("r10") a[3],
        in("r8") a[4], in("r9") a[5], lateout("rcx") _, lateout("r11") _);
    value
}

#[cfg(target_arch = "aarch64")]
pub unsafe fn call(number: i64, a: [i64; 6]) -> i64 {
    let mut value = a[0];
    asm!("svc 0", in("x8") number, inlateout("x0") value, in("x1") a[1], in("x2") a[2], in("x3") a[3],
        in("x4") a[4], in("x5") a[5]);
    value
}

/// Goes on with `function` on the stack that ends at `top`.
pub unsafe fn continue_on<T>(top: usize, function: unsafe extern "C" fn(*const T) -> !, argument: *const T) -> ! {
    #[cfg(target_arch = "x86_64")]
    asm!("mov rsp, {}", "xor ebp, ebp", "call {}", in(reg) top, in(reg) function, in("rdi") argument, options(noreturn));
    #[cfg(target_arch = "aarch64")]
    asm!("mov sp, {}", "mov x29, xzr", "blr {}", in(reg) top, in(reg) function, in("x0") argument, options(noreturn))
}

/// `syscall(number, …six)`: numbers as they are, arrays as their address, null and undefined as 0.
pub unsafe extern "C" fn syscall(context: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    if memory::refuses() {
        return JS_ThrowOutOfMemory(context);
    }
    let mut words = [0; 7];
    for (word, &value) in words.iter_mut().zip(arguments(argc, argv)) {
        *word = if JS_IsInt(value) {
            JS_VALUE_GET_INT(value) as i64
        } else if JS_IsNumber(value) {
            JS_VALUE_GET_FLOAT64(value) as i64
        } else if JS_IsObject(value) {
            match memory_of(context, value) {
                Some((start, _)) => start as i64,
                None => return JS_EXCEPTION,
            }
        } else if JS_IsNull(value) || JS_IsUndefined(value) {
            0
        } else {
            return throw(context, c"a system call takes numbers, arrays and null");
        };
    }
    let [number, rest @ ..] = words;
    value(call(number, rest))
}

/// Does nothing: the signal only ends the wait of the system call that it meets.
extern "C" fn heard(_: c_int) {}

/// What each signal did before interruptBy.
static mut BEFORE: [Option<Action>; 65] = [None; 65];

/// Ignores a signal.
pub unsafe fn ignore(signal: c_int) {
    sigaction(signal, &Action::new(SIG_IGN), null_mut());
}

/// The number of a signal, and the place of its action in BEFORE. None: an exception is pending.
unsafe fn signal_of(context: *mut JSContext, value: JSValue) -> Option<(c_int, *mut Option<Action>)> {
    let signal = integer_of(context, value)?;
    if !(1..65).contains(&signal) {
        throw(context, c"a signal has a number from 1 to 64");
        return None;
    }
    Some((signal as c_int, (&raw mut BEFORE as *mut Option<Action>).add(signal as usize)))
}

/// `interruptBy(signal)`: from now on the signal interrupts a waiting system call.
pub unsafe extern "C" fn interrupt_by(context: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    let Some((signal, place)) = signal_of(context, arguments(argc, argv)[0]) else { return JS_EXCEPTION };
    let mut before = Action::new(0);
    if sigaction(signal, &Action::new(heard as *const () as usize), &mut before) == 0 {
        *place = Some(before);
    }
    JS_UNDEFINED
}

/// `interruptNoMore(signal)`: the signal does what it did before interruptBy.
pub unsafe extern "C" fn interrupt_no_more(context: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    let Some((signal, place)) = signal_of(context, arguments(argc, argv)[0]) else { return JS_EXCEPTION };
    if let Some(before) = *place {
        sigaction(signal, &before, null_mut());
    }
    JS_UNDEFINED
}

/// Pointers to the strings in `bytes`, each of which ends with a NUL, and a last null. The caller frees the table.
unsafe fn table_of(context: *mut JSContext, bytes: &[u8]) -> *mut *mut c_char {
    let count = bytes.iter().filter(|&&byte| byte == 0).count();
    let table = js_malloc(context, ((count + 1) * size_of::<*mut c_char>()) as _) as *mut *mut c_char;
    if table.is_null() {
        return table;
    }
    let mut at = 0;
    for index in 0..count {
        *table.add(index) = bytes.as_ptr().add(at) as *mut c_char;
        at += bytes[at..].iter().position(|&byte| byte == 0).unwrap_or(0) + 1;
    }
    *table.add(count) = null_mut();
    table
}

/// `spawn(path, argv, variables, stdin, stdout, stderr)`: each text as bytes with a NUL behind each string. The program starts
/// in its own process group, with default handling of all signals, and is killed when this program is. The value is its
/// process id, or the negative errno.
pub unsafe extern "C" fn spawn(context: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    if memory::refuses() {
        return JS_ThrowOutOfMemory(context);
    }
    let values = arguments(argc, argv);
    let mut stdio = [0; 3];
    for (descriptor, &value) in stdio.iter_mut().zip(&values[3..]) {
        let Some(from) = integer_of(context, value) else { return JS_EXCEPTION };
        *descriptor = from as c_int;
    }
    let (Some(path), Some(words), Some(variables)) =
        (bytes_of(context, values[0]), bytes_of(context, values[1]), bytes_of(context, values[2]))
    else {
        return JS_EXCEPTION;
    };
    if path.last() != Some(&0) {
        return throw(context, c"the path of a program ends with a NUL");
    }
    let (words, variables) = (table_of(context, words), table_of(context, variables));
    let result = if words.is_null() || variables.is_null() {
        JS_EXCEPTION
    } else {
        value(start_child(path.as_ptr() as _, words, variables, stdio) as i64)
    };
    js_free(context, words as _);
    js_free(context, variables as _);
    result
}

/// What a child needs between clone(2) and execve(2), in the memory that it shares with this program until then.
struct Child {
    path: *const c_char,
    words: *const *mut c_char,
    variables: *const *mut c_char,
    stdio: [c_int; 3],
    parent: i64,
    /// The negative error number of the call that failed.
    failure: i64,
}

unsafe fn start_child(
    path: *const c_char,
    words: *const *mut c_char,
    variables: *const *mut c_char,
    stdio: [c_int; 3],
) -> c_int {
    const CLONE_VM: c_int = 0x100;
    const CLONE_VFORK: c_int = 0x4000;
    const SIGCHLD: c_int = 17;
    let mut stack = [0u128; 1024];
    let mut child = Child { path, words, variables, stdio, parent: call(number::GETPID, [0; 6]), failure: 0 };
    // No handler of this program runs in the child.
    let mut mask = 0u64;
    call(number::RT_SIGPROCMASK, [SIG_SETMASK, &u64::MAX as *const _ as i64, &mut mask as *mut _ as i64, 8, 0, 0]);
    let top = stack.as_mut_ptr_range().end;
    let pid = clone(become_program, top as _, CLONE_VM | CLONE_VFORK | SIGCHLD, &raw mut child as _);
    call(number::RT_SIGPROCMASK, [SIG_SETMASK, &mask as *const _ as i64, 0, 8, 0, 0]);
    let failure = (&raw const child.failure).read_volatile() as c_int;
    if pid < 0 {
        return -(EAGAIN as c_int);
    }
    if failure < 0 {
        call(number::WAIT4, [pid as i64, 0, 0, 0, 0, 0]);
        return failure;
    }
    pid
}

unsafe extern "C" fn become_program(child: *mut c_void) -> c_int {
    let child = child as *mut Child;
    (&raw mut (*child).failure).write_volatile(prepare_and_run(&*child));
    call(number::EXIT_GROUP, [127, 0, 0, 0, 0, 0]);
    0
}

/// Only comes back when a call fails: the negative error number.
unsafe fn prepare_and_run(child: &Child) -> i64 {
    const PR_SET_PDEATHSIG: i64 = 1;
    const F_SETFD: i64 = 2;
    call(number::SETPGID, [0; 6]);
    // When this program is killed the child ends with it, before the caller can know: what the child would
    // write after that, no DEL would remove.
    call(number::PRCTL, [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0, 0]);
    if call(number::GETPPID, [0; 6]) != child.parent {
        return -EAGAIN;
    }
    let default = [0u64; 4];
    for signal in 1..=64 {
        call(number::RT_SIGACTION, [signal, &default as *const _ as i64, 0, 8, 0, 0]);
    }
    for (from, to) in child.stdio.into_iter().zip(0..) {
        let done = if from as i64 == to {
            call(number::FCNTL, [to, F_SETFD, 0, 0, 0, 0])
        } else {
            call(number::DUP3, [from as i64, to, 0, 0, 0, 0])
        };
        if done < 0 {
            return done;
        }
    }
    call(number::RT_SIGPROCMASK, [SIG_SETMASK, &0u64 as *const _ as i64, 0, 8, 0, 0]);
    call(number::EXECVE, [child.path as i64, child.words as i64, child.variables as i64, 0, 0, 0])
}

/// Nanoseconds of a clock that only goes forward.
unsafe fn nanoseconds() -> i64 {
    let mut time = [0; 2];
    clock_gettime(CLOCK_MONOTONIC, &mut time);
    time[0] * 1_000_000_000 + time[1]
}

static mut STARTED: i64 = 0;

/// From here on `now` counts.
pub unsafe fn start_clock() {
    STARTED = nanoseconds();
}

/// `now()`: milliseconds since the program was started.
pub unsafe extern "C" fn now(_: *mut JSContext, _: JSValue, _: c_int, _: *mut JSValue) -> JSValue {
    __JS_NewFloat64((nanoseconds() - STARTED) as f64 / 1e6)
}

/// `pause(milliseconds)`: blocks.
pub unsafe extern "C" fn pause(context: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    let mut milliseconds = 0.0;
    if JS_ToFloat64(context, &mut milliseconds, arguments(argc, argv)[0]) != 0 {
        return JS_EXCEPTION;
    }
    let nanoseconds = (milliseconds * 1e6).max(0.0) as i64;
    let mut left = [nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000];
    let at = left.as_mut_ptr() as i64;
    // A signal ends the wait early; the kernel then writes what is left.
    while call(number::NANOSLEEP, [at, at, 0, 0, 0, 0]) == -EINTR {}
    JS_UNDEFINED
}

/// `exit(code)`.
pub unsafe extern "C" fn exit(context: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    end(integer_of(context, arguments(argc, argv)[0]).unwrap_or(1))
}

/// Ends the process.
pub unsafe fn end(code: i64) -> ! {
    loop {
        call(number::EXIT_GROUP, [code, 0, 0, 0, 0, 0]);
    }
}

/// `abort()`: SIGABRT ends the process.
pub unsafe extern "C" fn abort(_: *mut JSContext, _: JSValue, _: c_int, _: *mut JSValue) -> JSValue {
    const SIGABRT: i64 = 6;
    call(number::KILL, [call(number::GETPID, [0; 6]), SIGABRT, 0, 0, 0, 0]);
    end(128 + SIGABRT)
}

/// Writes all bytes, without the engine. Stops at the first error.
pub unsafe fn write_all(descriptor: i64, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let written = call(number::WRITE, [descriptor, bytes.as_ptr() as i64, bytes.len() as i64, 0, 0, 0]);
        if written == -EINTR {
            continue;
        }
        let Some(left) = usize::try_from(written).ok().filter(|&count| count > 0).and_then(|count| bytes.get(count..))
        else {
            return;
        };
        bytes = left;
    }
}

/// Opens the descriptors 0 to 2 that the caller left closed, so that no file of the sources gets their number. They are open
/// for reading only: a result that cannot be delivered is an error.
pub unsafe fn fill_standard_descriptors() {
    const F_GETFD: i64 = 1;
    const AT_FDCWD: i64 = -100;
    const O_RDONLY: i64 = 0;
    const O_PATH: i64 = 0o10000000;
    for descriptor in 0..3 {
        // Any other error, as of a filter that refuses fcntl, says nothing about the descriptor.
        if call(number::FCNTL, [descriptor, F_GETFD, 0, 0, 0, 0]) != -EBADF {
            continue;
        }
        // A root without /dev has at least itself; all that is done with it fails.
        let open = |path: &CStr, flags| call(number::OPENAT, [AT_FDCWD, path.as_ptr() as i64, flags, 0, 0, 0]);
        if open(c"/dev/null", O_RDONLY) == descriptor {
            continue;
        }
        // Where no more descriptors are allowed, no file can get the number.
        if ![descriptor, -EMFILE].contains(&open(c"/", O_PATH)) {
            fail();
        }
    }
}

/// Reads once; the value is the number of bytes.
pub unsafe fn read(descriptor: i64, bytes: &mut [u8]) -> i64 {
    call(number::READ, [descriptor, bytes.as_mut_ptr() as i64, bytes.len() as i64, 0, 0, 0])
}

/// Pages of zeros, or null: at this address if there is room, else anywhere.
pub unsafe fn map(address: usize, size: usize) -> *mut c_void {
    const READ_WRITE: i64 = 1 | 2;
    const PRIVATE_ANONYMOUS: i64 = 2 | 0x20;
    let found = call(number::MMAP, [address as i64, size as i64, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0]);
    if (-4095..0).contains(&found) {
        null_mut()
    } else {
        found as _
    }
}

pub unsafe fn unmap(start: *mut c_void, size: usize) {
    call(number::MUNMAP, [start as i64, size as i64, 0, 0, 0, 0]);
}
