//! Runs Bridgehead's bundled sources on quickjs-ng: the compact file. See ../README.md.
#![no_std]
#![no_main]

mod chunks;
mod failure;
mod hashes;
#[cfg_attr(not(feature = "sanitized"), path = "../build/image.rs")]
#[cfg_attr(feature = "sanitized", path = "../build/sanitized.rs")]
mod image;
mod memory;
#[path = "../build/sources.rs"]
mod sources;
mod system;
mod values;

use core::ffi::{c_char, c_int, c_void, CStr};
use core::ptr::null_mut;
use memory::Made;
use rquickjs_sys::*;

/// What main(3) was given, and the bytes of the stack.
struct Call {
    words: *const *const c_char,
    variables: *const *const c_char,
    stack: usize,
}

#[no_mangle]
unsafe extern "C" fn main(_: c_int, words: *const *const c_char, variables: *const *const c_char) -> c_int {
    let stack = memory::map_stack();
    system::continue_on(memory::STACK_TOP, start, &Call { words, variables, stack })
}

/// The engine leaves so many bytes of the stack to the functions of C that it calls, and to the handler of a signal.
const MARGIN: usize = 64 << 10;

/// Starts the sources from the image of the heap: calls the function `main` of the object `host`. The program that has no
/// image yet makes it.
unsafe extern "C" fn start(call: *const Call) -> ! {
    let Made { context, host, environment, mut chunks } = memory::made().unwrap_or_else(|take_image| take_image());
    memory::begin_call();
    system::begin_call();
    let Call { words, variables, stack } = *call;
    let runtime = JS_GetRuntime(context);
    JS_SetModuleLoaderFunc(runtime, None, Some(chunks::read_named), &raw mut chunks as _);
    JS_UpdateStackTop(runtime);
    JS_SetMaxStackSize(runtime, (stack - MARGIN) as _);
    let mut words = texts(words);
    let name = words.next().unwrap_or_default();
    set(context, host, b"programName", name);
    let list = JS_GetPropertyStr(context, host, c"programArguments".as_ptr());
    for (index, word) in words.enumerate() {
        check(JS_SetPropertyUint32(context, list, index as u32, values::text(context, word, false)));
    }
    for variable in texts(variables) {
        if let Some(end) = variable.iter().position(|&byte| byte == b'=') {
            set(context, environment, &variable[..end], &variable[end + 1..]);
        }
    }
    let main = JS_GetPropertyStr(context, host, c"main".as_ptr());
    JS_Call(context, main, JS_UNDEFINED, 0, null_mut());
    while JS_ExecutePendingJob(runtime, &mut null_mut()) > 0 {}
    // The sources end the process: whoever comes here has failed before.
    failure::fail()
}

/// The texts of a list that ends with a null pointer.
unsafe fn texts(list: *const *const c_char) -> impl Iterator<Item = &'static [u8]> {
    let each = (0..).map(move |index| *list.add(index)).take_while(|text| !text.is_null());
    each.map(|text| CStr::from_ptr(text).to_bytes())
}

/// Sets a property that the object lacks to a text: the first of two variables with one name counts, as for getenv(3).
unsafe fn set(context: *mut JSContext, object: JSValue, name: &[u8], text: &[u8]) {
    let key = values::text(context, name, false);
    let atom = JS_ValueToAtom(context, key);
    JS_FreeValue(context, key);
    if atom == JS_ATOM_NULL {
        failure::fail();
    }
    if JS_HasProperty(context, object, atom) == 0 {
        check(JS_SetProperty(context, object, atom, values::text(context, text, false)));
    }
    JS_FreeAtom(context, atom);
}

/// A property that could not be set ends the program: the call would mean something else without it.
fn check(result: c_int) {
    if result < 0 {
        failure::fail();
    }
}

/// The C library's clock, for the engine's random numbers only. The sources take theirs from the kernel, and the image
/// must not depend on the hour of the build.
#[no_mangle]
extern "C" fn gettimeofday(_: *mut c_void, _: *mut c_void) -> c_int {
    0
}
