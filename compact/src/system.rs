//! System calls, the handler of signals, and the start of child processes.
use crate::failure::fail;
use crate::memory;
use crate::values::{arguments, memory_of};
use core::arch::asm;
use core::ffi::{c_int, c_void, CStr};
use core::ptr::null_mut;
use core::slice;
use rquickjs_sys::*;

// What is taken from the C library, musl: what needs its knowledge of the processor.
extern "C" {
    /// Where a signal's handler returns to: it makes the system call that goes on with the program.
    pub fn __restore_rt();
    fn clone(
        start: unsafe extern "C" fn(*mut c_void) -> c_int,
        stack: *mut c_void,
        flags: c_int,
        argument: *mut c_void,
        ...
    ) -> c_int;
}

const EINTR: i64 = 4;
const EAGAIN: i64 = 11;
const EBADF: i64 = 9;
const EMFILE: i64 = 24;

// The numbers of the calls that the host itself makes (asm/unistd_64.h, asm-generic/unistd.h).
pub const ARM: bool = cfg!(target_arch = "aarch64");
const WRITE: i64 = if ARM { 64 } else { 1 };
const MMAP: i64 = if ARM { 222 } else { 9 };
const MUNMAP: i64 = if ARM { 215 } else { 11 };
const WAIT4: i64 = if ARM { 260 } else { 61 };
const EXIT_GROUP: i64 = if ARM { 94 } else { 231 };
const CLOCK_GETTIME: i64 = if ARM { 113 } else { 228 };
const FCNTL: i64 = if ARM { 25 } else { 72 };
const OPENAT: i64 = if ARM { 56 } else { 257 };
const RT_SIGACTION: i64 = if ARM { 134 } else { 13 };

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
    for (word, value) in words.iter_mut().zip(arguments::<7>(argc, argv)) {
        *word = match JS_VALUE_GET_NORM_TAG(value) {
            JS_TAG_INT => JS_VALUE_GET_INT(value) as i64,
            JS_TAG_FLOAT64 => JS_VALUE_GET_FLOAT64(value) as i64,
            JS_TAG_NULL | JS_TAG_UNDEFINED => 0,
            JS_TAG_OBJECT => match memory_of(context, value) {
                Some((start, _)) => start as i64,
                None => return JS_EXCEPTION,
            },
            _ => return JS_ThrowTypeError(context, c"a system call takes numbers, arrays and null".as_ptr()),
        };
    }
    let [number, rest @ ..] = words;
    JS_NewNumber(context, call(number, rest) as f64)
}

/// `address(array)`: where its bytes lie, for a table in memory. The caller keeps the array.
pub unsafe extern "C" fn address(context: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    let [array] = arguments(argc, argv);
    memory_of(context, array).map_or(JS_EXCEPTION, |(start, _)| JS_NewNumber(context, start as usize as f64))
}

static mut STARTED: i64 = 0;

/// Nanoseconds of a clock that only goes forward.
unsafe fn clock() -> i64 {
    let mut time = [0i64; 2];
    const CLOCK_MONOTONIC: i64 = 1;
    call(CLOCK_GETTIME, [CLOCK_MONOTONIC, time.as_mut_ptr() as i64, 0, 0, 0, 0]);
    time[0] * 1_000_000_000 + time[1]
}

/// `now()`: milliseconds since the program was started.
pub unsafe extern "C" fn now(_: *mut JSContext, _: JSValue, _: c_int, _: *mut JSValue) -> JSValue {
    __JS_NewFloat64((clock() - STARTED) as f64 / 1e6)
}

/// Starts the clock, and sets what the caller may have left in any state: signals and the standard descriptors.
pub unsafe fn begin_call() {
    STARTED = clock();
    // A write to a pipe without a reader (SIGPIPE), or to a file that reached its limit (SIGXFSZ), is an error of the
    // call, not the end of the process.
    let ignore = [1i64 /* SIG_IGN */, 0, 0, 0];
    for signal in [13, 25] {
        call(RT_SIGACTION, [signal, ignore.as_ptr() as i64, 0, 8, 0, 0]);
    }
    for descriptor in 0..3 {
        const F_GETFD: i64 = 1;
        // Any other error, as of a filter that refuses fcntl, says nothing about the descriptor.
        if call(FCNTL, [descriptor, F_GETFD, 0, 0, 0, 0]) == -EBADF {
            fill(descriptor);
        }
    }
}

/// Opens a descriptor that the caller left closed, so that no file of the sources gets its number. It is open for reading
/// only: a result that cannot be delivered is an error.
unsafe fn fill(descriptor: i64) {
    const AT_FDCWD: i64 = -100;
    const O_RDONLY: i64 = 0;
    const O_PATH: i64 = 0o10000000;
    let open = |path: &CStr, flags| call(OPENAT, [AT_FDCWD, path.as_ptr() as i64, flags, 0, 0, 0]);
    // A root without /dev has at least itself; all that is done with it fails. Where no more descriptors are allowed, no
    // file can get the number.
    if open(c"/dev/null", O_RDONLY) != descriptor && ![descriptor, -EMFILE].contains(&open(c"/", O_PATH)) {
        fail();
    }
}

/// The handler of any signal. It does nothing: the signal only ends the wait of the system call that it meets.
pub extern "C" fn handler(_: c_int) {}

/// A step of a child: the number of a system call, its six arguments, and the value without which it fails. If that is
/// negative, any value will do.
type Step = [f64; 8];

/// What a child does until it is another program, in the memory that it shares with this one meanwhile.
struct Child<'a> {
    steps: &'a [Step],
    /// The negative error number of the step that failed.
    failure: i64,
}

/// `spawn(steps)`: starts a child with default handling of all signals, which makes system calls; the last is execve(2).
/// The value is its process id, or the negative error number of the step that failed.
pub unsafe extern "C" fn spawn(context: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    const CLONE_VM_VFORK: c_int = 0x100 | 0x4000;
    const SIGCHLD: c_int = 17;
    let [steps] = arguments(argc, argv);
    let Some((start, size)) = memory_of(context, steps) else { return JS_EXCEPTION };
    let mut child = Child { steps: slice::from_raw_parts(start as _, size / size_of::<Step>()), failure: 0 };
    let mut stack = [0u128; 1024];
    let top = stack.as_mut_ptr_range().end;
    let pid = clone(take_steps, top as _, CLONE_VM_VFORK | SIGCHLD, &raw mut child as _) as i64;
    let failure = (&raw const child.failure).read_volatile();
    if failure < 0 {
        while call(WAIT4, [pid, 0, 0, 0, 0, 0]) == -EINTR {}
    }
    let value = match pid {
        -1 => -EAGAIN,
        _ if failure < 0 => failure,
        _ => pid,
    };
    JS_NewNumber(context, value as f64)
}

unsafe extern "C" fn take_steps(child: *mut c_void) -> c_int {
    let child = child as *mut Child;
    let default = [0i64; 4];
    for signal in 1..=64 {
        call(RT_SIGACTION, [signal, default.as_ptr() as i64, 0, 8, 0, 0]);
    }
    for step in (*child).steps {
        let [number, arguments @ .., wanted] = step.map(|word| word as i64);
        let value = call(number, arguments);
        if wanted >= 0 && value != wanted {
            (&raw mut (*child).failure).write_volatile(if value < 0 { value } else { -EAGAIN });
            break;
        }
    }
    end(127)
}

/// Ends the process.
pub unsafe fn end(code: i64) -> ! {
    loop {
        call(EXIT_GROUP, [code, 0, 0, 0, 0, 0]);
    }
}

/// Ends the process with exit code 1 and a last text.
pub unsafe fn end_with(descriptor: i64, text: &[u8]) -> ! {
    write_all(descriptor, text);
    end(1)
}

/// Writes all bytes, without the engine. Stops at the first error.
pub unsafe fn write_all(descriptor: i64, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let written = call(WRITE, [descriptor, bytes.as_ptr() as i64, bytes.len() as i64, 0, 0, 0]);
        if written == -EINTR {
            continue;
        }
        if written <= 0 {
            return;
        }
        bytes = &bytes[written as usize..];
    }
}

/// Pages of zeros, or null: at this address if there is room, else anywhere.
pub unsafe fn map(address: usize, size: usize) -> *mut c_void {
    const READ_WRITE: i64 = 1 | 2;
    const PRIVATE_ANONYMOUS: i64 = 2 | 0x20;
    let found = call(MMAP, [address as i64, size as i64, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0]);
    if found < 0 {
        return null_mut();
    }
    found as _
}

pub unsafe fn unmap(start: *mut c_void, size: usize) {
    call(MUNMAP, [start as i64, size as i64, 0, 0, 0, 0]);
}
