//! Takes the image: runs the engine until the sources are loaded, and writes the pages of its heap to standard output.
//!
//! This is what the program does until it has an image, so the finished program never does it. Nothing of the machine that
//! builds gets into the image: no variable, argument, clock or random number.
use crate::{chunks, hashes, memory, system, values};
use core::ffi::{c_int, CStr};
use core::ptr::null_mut;
use rquickjs_sys::*;

/// What the start needs of the image.
#[derive(Clone, Copy)]
pub struct Made {
    pub context: *mut JSContext,
    /// The global object that src/engine/compact.ts knows.
    pub host: JSValue,
    /// Its empty `environment`.
    pub environment: JSValue,
    /// The chunks that are not in the image, as the bundle has them.
    pub chunks: &'static [u8],
}

/// What src/engine/compact.ts finds in the global object `host`: names, functions and the number of their arguments.
const FUNCTIONS: [(&CStr, JSCFunction, c_int); 12] = [
    (c"syscall", Some(system::syscall), 1),
    (c"address", Some(system::address), 1),
    (c"spawn", Some(system::spawn), 1),
    (c"now", Some(system::now), 0),
    (c"load", Some(chunks::load), 1),
    (c"encode", Some(values::encode), 2),
    (c"decode", Some(values::decode), 2),
    (c"sameBytes", Some(values::same_bytes), 2),
    (c"indexOfBytes", Some(values::index_of), 3),
    (c"hash", Some(hashes::hash), 3),
    (c"collectGarbage", Some(memory::collect_garbage), 0),
    (c"useReserve", Some(memory::use_reserve), 0),
];

/// Makes the global object `host`.
unsafe fn make_host(context: *mut JSContext, environment: JSValue, modules: JSValue) -> JSValue {
    let host = JS_NewObject(context);
    let set = |name: &CStr, value| JS_SetPropertyStr(context, host, name.as_ptr(), value);
    for (name, function, length) in FUNCTIONS {
        let kind = JSCFunctionEnum_JS_CFUNC_generic;
        set(name, JS_NewCFunction2(context, function, name.as_ptr(), length, kind, 0));
    }
    let architecture = if cfg!(target_arch = "aarch64") { c"arm64" } else { c"x64" };
    set(c"architecture", values::text(context, architecture.to_bytes(), true));
    set(c"handler", JS_NewNumber(context, system::handler as *const () as usize as f64));
    set(c"restorer", JS_NewNumber(context, system::__restore_rt as *const () as usize as f64));
    set(c"programArguments", JS_NewArray(context));
    set(c"environment", environment);
    set(c"modules", modules);
    let global = JS_GetGlobalObject(context);
    JS_SetPropertyStr(context, global, c"host".as_ptr(), JS_DupValue(context, host));
    JS_FreeValue(context, global);
    host
}

/// Ends the build with a message.
pub unsafe fn give_up(what: &CStr) -> ! {
    system::end_with(2, what.to_bytes())
}

/// Ends the build with the pending exception.
unsafe fn give_up_with_exception(context: *mut JSContext, what: &CStr) -> ! {
    system::write_all(2, what.to_bytes());
    system::write_all(2, b": ");
    let text = JS_ToCString(context, JS_GetException(context));
    give_up(if text.is_null() { c"an exception without a text" } else { CStr::from_ptr(text) })
}

/// All of standard input, in memory outside of the image.
unsafe fn read_input() -> &'static [u8] {
    const MOST: usize = 16 << 20;
    let start = system::map(0, MOST) as *mut u8;
    let mut length = 0;
    while !start.is_null() && length < MOST {
        let at = start.add(length);
        match usize::try_from(system::call(system::READ, [0, at as i64, (MOST - length) as i64, 0, 0, 0])) {
            Ok(0) => return core::slice::from_raw_parts(start, length),
            Ok(count) => length += count,
            Err(_) => break,
        }
    }
    give_up(c"the bundle on standard input cannot be read, or is too large")
}

/// Makes the heap and writes its image: `bridgehead < BUNDLE > IMAGE`.
pub unsafe fn take() -> ! {
    let mut bundle = read_input();
    memory::begin_image();
    let runtime = JS_NewRuntime2(&memory::FUNCTIONS, null_mut());
    let context = JS_NewContextRaw(runtime);
    // Without JS_AddIntrinsicEval the linker leaves the parser out, and there is no eval.
    let parts: [unsafe extern "C" fn(*mut JSContext) -> c_int; 7] = [
        JS_AddIntrinsicBaseObjects,
        JS_AddIntrinsicRegExp,
        JS_AddIntrinsicJSON,
        JS_AddIntrinsicMapSet,
        JS_AddIntrinsicTypedArrays,
        JS_AddIntrinsicPromise,
        JS_AddIntrinsicBigInt,
    ];
    if parts.iter().any(|add| add(context) != 0) {
        give_up_with_exception(context, c"the engine cannot be set up");
    }
    JS_SetModuleLoaderFunc(runtime, None, Some(chunks::read_named), &raw mut bundle as _);
    let environment = JS_NewObjectProto(context, JS_NULL);
    let modules = JS_NewObjectProto(context, JS_NULL);
    let host = make_host(context, environment, modules);
    let mut rest = bundle;
    while let Some(chunk) = chunks::next(&mut rest).filter(|chunk| !chunk.name.is_empty()) {
        let promise = chunks::evaluate(context, chunk.name.as_ptr());
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
    let mut left = rest;
    while chunks::next(&mut left).is_some_and(|chunk| !chunk.name.is_empty()) {}
    if rest.is_empty() || !left.is_empty() {
        give_up(c"the bundle is not whole");
    }
    JS_SetModuleLoaderFunc(runtime, None, None, null_mut());
    JS_RunGC(runtime);
    // Collecting costs a walk over all objects, and most calls end long before they need one.
    JS_SetGCThreshold(runtime, 8 << 20);
    system::write_all(1, memory::end_image(Made { context, host, environment, chunks: &[] }, rest));
    system::write_all(1, rest);
    system::end(0)
}
