//! Starts the sources from the image of the heap.
use crate::image::Made;
use crate::values::lossy_string;
use crate::{chunks, fail, system};
use core::ffi::{c_char, c_int, CStr};
use core::ptr::null_mut;
use core::slice;
use rquickjs_sys::*;

unsafe fn bytes_of<'a>(text: *const c_char) -> &'a [u8] {
    CStr::from_ptr(text).to_bytes()
}

/// Sets `programName`, `programArguments` and `environment` of the object `host`.
unsafe fn describe(made: Made, argc: c_int, argv: *const *const c_char, mut envp: *const *const c_char) {
    let Made { context, host, environment, .. } = made;
    let words = slice::from_raw_parts(argv, argc as usize);
    let name = words.first().map_or(&b""[..], |&word| bytes_of(word));
    JS_SetPropertyStr(context, host, c"programName".as_ptr(), lossy_string(context, name));
    let list = JS_NewArray(context);
    for (index, &word) in words.iter().skip(1).enumerate() {
        JS_SetPropertyUint32(context, list, index as u32, lossy_string(context, bytes_of(word)));
    }
    JS_SetPropertyStr(context, host, c"programArguments".as_ptr(), list);
    while !(*envp).is_null() {
        let entry = bytes_of(*envp);
        if let Some(end) = entry.iter().position(|&byte| byte == b'=') {
            let key = lossy_string(context, &entry[..end]);
            let atom = JS_ValueToAtom(context, key);
            JS_FreeValue(context, key);
            // The first of two variables with one name counts, as for getenv(3).
            if JS_HasProperty(context, environment, atom) == 0 {
                JS_SetProperty(context, environment, atom, lossy_string(context, &entry[end + 1..]));
            }
            JS_FreeAtom(context, atom);
        }
        envp = envp.add(1);
    }
}

/// Bytes of stack that the engine may use: what the limit of this process allows, less a margin for the kernel and C.
unsafe fn stack_size() -> u64 {
    let most = system::stack_limit().min(8 << 20);
    most - most.min(64 << 10).min(most / 4)
}

/// Calls the function that src/main.ts gave to `begin` (src/engine).
pub unsafe fn start(made: Made, argc: c_int, argv: *const *const c_char, envp: *const *const c_char) -> c_int {
    system::start_clock();
    system::fill_standard_descriptors();
    // A write to a pipe without a reader, or to a file that reached its limit, is an error of the call, not the end of the
    // process.
    const SIGPIPE: c_int = 13;
    const SIGXFSZ: c_int = 25;
    system::ignore(SIGPIPE);
    system::ignore(SIGXFSZ);
    let Made { runtime, context, host, .. } = made;
    let mut chunks = made.chunks;
    JS_SetModuleLoaderFunc(runtime, None, Some(chunks::load), &raw mut chunks as _);
    JS_UpdateStackTop(runtime);
    JS_SetMaxStackSize(runtime, stack_size());
    describe(made, argc, argv, envp);
    let main = JS_GetPropertyStr(context, host, c"main".as_ptr());
    JS_Call(context, main, JS_UNDEFINED, 0, null_mut());
    while JS_ExecutePendingJob(runtime, &mut null_mut()) > 0 {}
    // The sources end the process by `exit`: whoever comes here has failed before.
    fail()
}
