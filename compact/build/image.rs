//! Takes the image: runs the engine until the sources are loaded, and writes the pages of its heap to standard output.
//!
//! This is what the program does until it has an image, so the finished program never does it. Nothing of the machine that
//! builds gets into the image: no variable, argument, clock or random number.
use crate::memory::{class_of, Made, FUNCTIONS, HEADER, HEAP, MAPPED_FROM, ROOM};
use crate::{chunks, hashes, memory, system, values};
use core::ffi::{c_int, c_void, CStr};
use core::ptr::null_mut;
use core::slice;
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
unsafe fn give_up(what: &CStr) -> ! {
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
    const READ: i64 = if system::ARM { 63 } else { 0 };
    const MOST: usize = 16 << 20;
    let start = system::map(0, MOST) as *mut u8;
    let mut length = 0;
    while !start.is_null() && length < MOST {
        let at = start.add(length);
        match usize::try_from(system::call(READ, [0, at as i64, (MOST - length) as i64, 0, 0, 0])) {
            Ok(0) => return slice::from_raw_parts(start, length),
            Ok(count) => length += count,
            Err(_) => break,
        }
    }
    give_up(c"the bundle on standard input cannot be read, or is too large")
}

const MOST_BLOCKS: usize = 1 << 16;
const MOST_OUTSIDE: usize = 64 << 20;

/// Where the engine's blocks lie while the image is made. It frees many of them again. So the sources are loaded twice: the
/// first time tells which blocks these are, and the second time they lie outside of the image, which so has no holes.
struct Plan {
    is_second: bool,
    /// How many blocks the engine has asked for.
    count: usize,
    /// Whether it gave back the block of this number.
    freed: [bool; MOST_BLOCKS],
    /// Ends of what is in use inside of the image, and outside.
    inside: usize,
    outside: usize,
    last: usize,
}

/// In memory outside of the image.
static mut PLAN: *mut Plan = null_mut();

/// The header of a block in the image is its size, as in memory.rs. Outside it has the number of the block above that.
const NUMBER: u32 = 32;

unsafe extern "C" fn allocate(_: *mut c_void, wanted: u64) -> *mut c_void {
    let plan = &mut *PLAN;
    let (_, size) = class_of((wanted as usize).min(MOST_OUTSIDE) + HEADER);
    plan.count += 1;
    if plan.count == MOST_BLOCKS || plan.outside + size > plan.last {
        return null_mut();
    }
    let is_inside = plan.is_second && !plan.freed[plan.count];
    if is_inside && (size > MAPPED_FROM || plan.inside + size > &raw const HEAP.room as usize + ROOM) {
        give_up(c"the image of the heap has no more room, or none for an object of this size");
    }
    let end = if is_inside { &mut plan.inside } else { &mut plan.outside };
    let block = *end as *mut usize;
    *end += size;
    *block = if is_inside { size } else { plan.count << NUMBER | size };
    block.byte_add(HEADER) as _
}

/// Memory that was not in use before has zeros.
unsafe extern "C" fn allocate_zeroed(opaque: *mut c_void, count: u64, size: u64) -> *mut c_void {
    allocate(opaque, count.saturating_mul(size))
}

unsafe extern "C" fn release(_: *mut c_void, block: *mut c_void) {
    let number = *(block.sub(HEADER) as *const usize) >> NUMBER;
    if number == 0 {
        give_up(c"the sources do not load as they did before");
    }
    (*PLAN).freed[number] = true;
}

unsafe extern "C" fn resize(opaque: *mut c_void, block: *mut c_void, wanted: u64) -> *mut c_void {
    let moved = allocate(opaque, wanted);
    if !moved.is_null() {
        core::ptr::copy_nonoverlapping(block as *const u8, moved as *mut u8, usable(block).min(wanted) as usize);
        release(opaque, block);
    }
    moved
}

unsafe extern "C" fn usable(block: *const c_void) -> u64 {
    (*(block.sub(HEADER) as *const u32) as usize - HEADER) as u64
}

/// Loads the chunks of the image from a bundle. The value tells what the start needs of them.
unsafe fn load(mut bundle: &'static [u8]) -> Made {
    let functions = JSMallocFunctions {
        js_calloc: Some(allocate_zeroed),
        js_malloc: Some(allocate),
        js_free: Some(release),
        js_realloc: Some(resize),
        js_malloc_usable_size: Some(usable),
    };
    let runtime = JS_NewRuntime2(&functions, null_mut());
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
    // Behind the image memory is memory.rs' matter. The engine has its functions at the beginning of the runtime.
    let used = runtime as *mut JSMallocFunctions;
    if (*used).js_malloc != functions.js_malloc {
        give_up(c"the engine keeps the functions of memory at another place");
    }
    *used = FUNCTIONS;
    Made { context, host, environment, chunks: rest }
}

/// Makes the heap and writes its image: `bridgehead < BUNDLE > IMAGE`.
pub unsafe fn take() -> ! {
    let bundle = read_input();
    PLAN = system::map(0, size_of::<Plan>()) as _;
    let outside = system::map(0, MOST_OUTSIDE) as usize;
    if PLAN.is_null() || outside == 0 {
        give_up(c"there is too little memory");
    }
    (*PLAN).inside = &raw const HEAP.room as usize;
    (*PLAN).outside = outside;
    (*PLAN).last = outside + MOST_OUTSIDE;
    load(bundle);
    let asked = (*PLAN).count;
    (*PLAN).count = 0;
    (*PLAN).is_second = true;
    let mut made = load(bundle);
    if (*PLAN).count != asked {
        give_up(c"the sources do not load as they did before");
    }
    // The other chunks come behind the pages in use.
    let end = (*PLAN).inside.next_multiple_of(4096);
    let rest = made.chunks;
    made.chunks = slice::from_raw_parts(end as *const u8, rest.len());
    HEAP.made = Some(made);
    let start = &raw const HEAP as *const u8;
    system::write_all(1, slice::from_raw_parts(start, end - start as usize));
    system::write_all(1, rest);
    system::end(0)
}
