//! Loads the sources: makes the engine, the global object `host`, and evaluates chunks.
//!
//! Nothing of the machine that builds gets into what is made: no variable, argument, clock or random number.
use crate::memory::{Made, HEAP};
use crate::{chunks, hashes, memory, system, values};
use core::ffi::{c_int, CStr};
use core::ptr::null_mut;
use rquickjs_sys::*;

/// A function of the global object `host`: its name, and the number of its arguments.
type Function = (&'static CStr, JSCFunction, c_int);

/// What src/engine/compact.ts finds there.
const FUNCTIONS_OF_HOST: [Function; 11] = [
    (c"syscall", Some(system::syscall), 1),
    (c"address", Some(system::address), 1),
    (c"spawn", Some(system::spawn), 1),
    (c"now", Some(system::now), 0),
    (c"encode", Some(values::encode), 2),
    (c"decode", Some(values::decode), 2),
    (c"sameBytes", Some(values::same_bytes), 2),
    (c"indexOfBytes", Some(values::index_of), 3),
    (c"hash", Some(hashes::hash), 3),
    (c"collectGarbage", Some(memory::collect_garbage), 0),
    (c"useReserve", Some(memory::use_reserve), 0),
];

/// This it finds when all sources are loaded: what they would import meanwhile should stand in the image.
const LOAD: Function = (c"load", Some(chunks::load), 1);

unsafe fn add_function(context: *mut JSContext, host: JSValue, (name, function, length): Function) {
    let kind = JSCFunctionEnum_JS_CFUNC_generic;
    let value = JS_NewCFunction2(context, function, name.as_ptr(), length, kind, 0);
    JS_SetPropertyStr(context, host, name.as_ptr(), value);
}

/// Makes the global object `host`.
unsafe fn make_host(context: *mut JSContext, environment: JSValue, modules: JSValue) -> JSValue {
    let host = JS_NewObject(context);
    let set = |name: &CStr, value| JS_SetPropertyStr(context, host, name.as_ptr(), value);
    for function in FUNCTIONS_OF_HOST {
        add_function(context, host, function);
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

/// Loads the chunks of the image from a bundle, with memory from these functions. The value tells what the start needs of
/// them.
pub unsafe fn load(mut bundle: &'static [u8], functions: &JSMallocFunctions) -> Made {
    let runtime = JS_NewRuntime2(functions, null_mut());
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
    // Until then a system call fails.
    HEAP.owes_failure = true;
    let mut rest = bundle;
    while let Some(chunk) = chunks::next(&mut rest).filter(|chunk| !chunk.name.is_empty()) {
        let promise = JS_LoadModule(context, c"".as_ptr(), chunk.name.as_ptr());
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
    add_function(context, host, LOAD);
    if !memory::refuses() {
        give_up(c"the sources call the system while they are loaded");
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
    Made { context, host, environment, chunks: rest }
}
