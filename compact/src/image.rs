//! Takes the image: runs the engine until the sources are loaded, and writes the pages of its heap to standard output.
//!
//! This is what the program does until it has an image, so the finished program never does it. Nothing of the machine that
//! builds gets into the image: no variable, argument, clock or random number. The sources cannot call the system meanwhile.
use crate::values::string;
use crate::{chunks, memory, system, FUNCTIONS};
use core::ffi::{c_int, CStr};
use core::ptr::null_mut;
use core::slice;
use rquickjs_sys::*;

/// What the start needs of the image.
#[derive(Clone, Copy)]
pub struct Made {
    pub runtime: *mut JSRuntime,
    pub context: *mut JSContext,
    /// The global object that src/engine/compact.ts knows.
    pub host: JSValue,
    /// Its empty `environment`.
    pub environment: JSValue,
    /// Its `chunks`: the modules of the image by name.
    pub modules: JSValue,
    /// The chunks that are not in the image, as the bundle has them.
    pub chunks: &'static [u8],
}

/// Ends the build with a message.
unsafe fn give_up(what: &[u8]) -> ! {
    system::write_all(2, what);
    system::write_all(2, b"\n");
    system::end(1)
}

/// Ends the build: the heap has outgrown its room (memory.rs), or one object of it has.
pub unsafe fn is_full() -> ! {
    give_up(b"the image of the heap has no more room")
}

/// Ends the build with the pending exception.
unsafe fn give_up_with_exception(context: *mut JSContext, what: &CStr) -> ! {
    system::write_all(2, what.to_bytes());
    let error = JS_GetException(context);
    for text in [error, JS_GetPropertyStr(context, error, c"stack".as_ptr())] {
        let text = JS_ToCStringLen2(context, null_mut(), text, false);
        if !text.is_null() {
            system::write_all(2, b": ");
            system::write_all(2, CStr::from_ptr(text).to_bytes());
        }
    }
    give_up(b"")
}

/// The object `host`.
unsafe fn make_host(context: *mut JSContext, environment: JSValue, modules: JSValue) -> JSValue {
    let host = JS_NewObject(context);
    let set = |name: &CStr, value| JS_SetPropertyStr(context, host, name.as_ptr(), value);
    JS_SetPropertyFunctionList(context, host, FUNCTIONS.0.as_ptr(), FUNCTIONS.0.len() as c_int);
    set(c"architecture", string(context, if cfg!(target_arch = "aarch64") { b"arm64" } else { b"x64" }));
    set(c"environment", JS_DupValue(context, environment));
    set(c"modules", JS_DupValue(context, modules));
    let global = JS_GetGlobalObject(context);
    JS_SetPropertyStr(context, global, c"host".as_ptr(), JS_DupValue(context, host));
    JS_FreeValue(context, global);
    host
}

/// All of standard input, in memory outside of the image.
unsafe fn read_input() -> &'static [u8] {
    const MOST: usize = 16 << 20;
    let start = system::map(0, MOST) as *mut u8;
    let mut length = 0;
    while !start.is_null() && length < MOST {
        let count = system::read(0, slice::from_raw_parts_mut(start.add(length), MOST - length));
        if count == 0 {
            return slice::from_raw_parts(start, length);
        }
        length += usize::try_from(count).unwrap_or(MOST);
    }
    give_up(b"the bundle on standard input cannot be read, or is too large")
}

/// What follows the chunks of the image in a bundle.
unsafe fn others(bundle: &'static [u8]) -> &'static [u8] {
    let mut left = bundle;
    let mut ends = [&[][..]; 2];
    while let Some(chunk) = chunks::next(&mut left) {
        if chunk.name.is_empty() {
            ends = [ends[1], left];
        }
    }
    // The last nameless chunk ends the bundle, the one before it the chunks of the image.
    if ends[0].is_empty() || !left.is_empty() {
        give_up(b"the bundle is not whole");
    }
    ends[0]
}

/// Makes the heap and writes its image: `bridgehead < BUNDLE > IMAGE`.
pub unsafe fn take() -> ! {
    let mut bundle = read_input();
    let others = others(bundle);
    memory::begin_image();
    let functions = JSMallocFunctions {
        js_calloc: Some(memory::allocate_zeroed),
        js_malloc: Some(memory::allocate),
        js_free: Some(memory::release),
        js_realloc: Some(memory::resize),
        js_malloc_usable_size: Some(memory::usable),
    };
    let runtime = JS_NewRuntime2(&functions, null_mut());
    let context = JS_NewContextRaw(runtime);
    // Without JS_AddIntrinsicEval the linker leaves the parser out, and there is no eval.
    if JS_AddIntrinsicBaseObjects(context) != 0
        || JS_AddIntrinsicRegExp(context) != 0
        || JS_AddIntrinsicJSON(context) != 0
        || JS_AddIntrinsicMapSet(context) != 0
        || JS_AddIntrinsicTypedArrays(context) != 0
        || JS_AddIntrinsicPromise(context) != 0
        || JS_AddIntrinsicBigInt(context) != 0
    {
        give_up_with_exception(context, c"the engine cannot be set up");
    }
    JS_SetModuleLoaderFunc(runtime, None, Some(chunks::load), &raw mut bundle as _);
    let environment = JS_NewObjectProto(context, JS_NULL);
    let modules = JS_NewObjectProto(context, JS_NULL);
    let host = make_host(context, environment, modules);
    let mut rest = bundle;
    while let Some(chunk) = chunks::next(&mut rest).filter(|chunk| !chunk.name.is_empty()) {
        let promise = chunks::evaluate(context, chunk.name);
        while JS_ExecutePendingJob(runtime, &mut null_mut()) > 0 {}
        if JS_PromiseState(context, promise) != JSPromiseStateEnum_JS_PROMISE_FULFILLED {
            if !JS_IsException(promise) {
                JS_Throw(context, JS_PromiseResult(context, promise));
            }
            give_up_with_exception(context, chunk.name);
        }
        JS_SetPropertyStr(context, modules, chunk.name.as_ptr(), JS_PromiseResult(context, promise));
        JS_FreeValue(context, promise);
    }
    JS_SetModuleLoaderFunc(runtime, None, None, null_mut());
    JS_RunGC(runtime);
    // Collecting costs a walk over all objects, and most calls end long before they need one.
    JS_SetGCThreshold(runtime, 8 << 20);
    let made = Made { runtime, context, host, environment, modules, chunks: &[] };
    system::write_all(1, memory::end_image(made, others));
    system::write_all(1, others);
    system::end(0)
}
