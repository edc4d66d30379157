//! Stands for image.rs in the program that AddressSanitizer watches (test/faults/memory.ts): it has no image. The bundle is
//! part of it, and each block of the engine comes from the C library, so that each is watched.
use crate::memory::Made;
use crate::sources::load;
use core::arch::global_asm;
use core::ffi::{c_char, c_void, CStr};
use rquickjs_sys::JSMallocFunctions;

static BUNDLE: &[u8] = include_bytes!(env!("SANITIZED_BUNDLE"));

extern "C" {
    fn calloc(count: u64, size: u64) -> *mut c_void;
    fn malloc(size: u64) -> *mut c_void;
    fn free(block: *mut c_void);
    fn realloc(block: *mut c_void, size: u64) -> *mut c_void;
    fn malloc_usable_size(block: *const c_void) -> u64;
}

unsafe extern "C" fn allocate_zeroed(_: *mut c_void, count: u64, size: u64) -> *mut c_void {
    calloc(count, size)
}

unsafe extern "C" fn allocate(_: *mut c_void, size: u64) -> *mut c_void {
    malloc(size)
}

unsafe extern "C" fn release(_: *mut c_void, block: *mut c_void) {
    free(block)
}

unsafe extern "C" fn resize(_: *mut c_void, block: *mut c_void, size: u64) -> *mut c_void {
    realloc(block, size)
}

pub unsafe fn take() -> Made {
    let functions = JSMallocFunctions {
        js_calloc: Some(allocate_zeroed),
        js_malloc: Some(allocate),
        js_free: Some(release),
        js_realloc: Some(resize),
        js_malloc_usable_size: Some(malloc_usable_size),
    };
    load(BUNDLE, &functions)
}

/// A plugin ends without giving back its memory, so leaks say nothing. An end by a signal is none that a plugin has.
const OPTIONS: &CStr = c"detect_leaks=0:abort_on_error=1:allocator_may_return_null=1:detect_stack_use_after_return=0";

#[no_mangle]
extern "C" fn __asan_default_options() -> *const c_char {
    OPTIONS.as_ptr()
}

// What the plugins' program has from musl, and glibc keeps to itself.
#[cfg(target_arch = "x86_64")]
global_asm!(".globl __restore_rt", "__restore_rt:", "mov rax, 15", "syscall");
#[cfg(target_arch = "aarch64")]
global_asm!(".globl __restore_rt", "__restore_rt:", "mov x8, 139", "svc 0");
