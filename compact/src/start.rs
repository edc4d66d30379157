//! Starts the sources from the image of the heap.
use crate::failure::fail;
use crate::image::Made;
use crate::values::lossy_string;
use crate::{chunks, memory, system};
use core::ffi::{c_char, c_int, CStr};
use core::ptr::null_mut;
use core::slice;
use rquickjs_sys::*;

unsafe fn bytes_of<'a>(text: *const c_char) -> &'a [u8] {
    CStr::from_ptr(text).to_bytes()
}

/// Sets a property of an object. A value that could not be made, or a property, ends the program: the call would mean
/// something else without it.
unsafe fn set(context: *mut JSContext, object: JSValue, name: &CStr, value: JSValue) {
    if JS_IsException(value) || JS_SetPropertyStr(context, object, name.as_ptr(), value) < 0 {
        fail();
    }
}

/// Sets `programName`, `programArguments` and `environment` of the object `host`.
unsafe fn describe(made: &Made, call: &Call) {
    let &Made { context, host, environment, .. } = made;
    let words = slice::from_raw_parts(call.argv, call.argc as usize);
    let name = words.first().map_or(&b""[..], |&word| bytes_of(word));
    set(context, host, c"programName", lossy_string(context, name));
    let list = JS_NewArray(context);
    for (index, &word) in words.iter().skip(1).enumerate() {
        let word = lossy_string(context, bytes_of(word));
        if JS_IsException(word) || JS_SetPropertyUint32(context, list, index as u32, word) < 0 {
            fail();
        }
    }
    set(context, host, c"programArguments", list);
    let mut envp = call.envp;
    while !(*envp).is_null() {
        let entry = bytes_of(*envp);
        if let Some(end) = entry.iter().position(|&byte| byte == b'=') {
            describe_variable(context, environment, &entry[..end], &entry[end + 1..]);
        }
        envp = envp.add(1);
    }
}

/// The first of two variables with one name counts, as for getenv(3).
unsafe fn describe_variable(context: *mut JSContext, environment: JSValue, name: &[u8], value: &[u8]) {
    let key = lossy_string(context, name);
    let atom = JS_ValueToAtom(context, key);
    JS_FreeValue(context, key);
    if atom == JS_ATOM_NULL {
        fail();
    }
    if JS_HasProperty(context, environment, atom) == 0 {
        let text = lossy_string(context, value);
        if JS_IsException(text) || JS_SetProperty(context, environment, atom, text) < 0 {
            fail();
        }
    }
    JS_FreeAtom(context, atom);
}

/// What main(3) was given, and the bytes of the stack.
pub struct Call {
    pub argc: c_int,
    pub argv: *const *const c_char,
    pub envp: *const *const c_char,
    pub stack: usize,
}

/// The engine leaves so many bytes of the stack to the functions of C that it calls, and to the handler of a signal.
const MARGIN: usize = 64 << 10;

/// Calls the function that src/main.ts gave to `begin` (src/engine).
pub unsafe fn start(made: Made, call: &Call) -> ! {
    memory::begin_call();
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
    JS_SetMaxStackSize(runtime, (call.stack - MARGIN) as _);
    describe(&made, call);
    let main = JS_GetPropertyStr(context, host, c"main".as_ptr());
    JS_Call(context, main, JS_UNDEFINED, 0, null_mut());
    while JS_ExecutePendingJob(runtime, &mut null_mut()) > 0 {}
    // The sources end the process by `exit`: whoever comes here has failed before.
    fail()
}
