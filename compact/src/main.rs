//! Runs Bridgehead's bundled sources on quickjs-ng: the compact file. See ../README.md.
#![no_std]
#![no_main]
#![allow(clippy::missing_safety_doc)]

mod chunks;
mod failure;
mod hashes;
mod image;
mod memory;
mod start;
mod system;
mod values;

use core::ffi::{c_char, c_int, c_void, CStr};
use rquickjs_sys::*;
use values::*;

unsafe extern "C" fn encode(context: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    with_text(context, arguments(argc, argv)[0], |text| byte_array(context, text)).unwrap_or(JS_EXCEPTION)
}

/// `encodeInto(text, array)`: writes the whole characters that fit; the value is their number of bytes.
unsafe extern "C" fn encode_into(context: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    let values = arguments(argc, argv);
    let written = with_text(context, values[0], |text| {
        let (start, size) = memory_of(context, values[1])?;
        let mut end = text.len().min(size);
        while end < text.len() && text[end] & 0xc0 == 0x80 {
            end -= 1;
        }
        core::ptr::copy_nonoverlapping(text.as_ptr(), start, end);
        Some(end)
    });
    written.flatten().map_or(JS_EXCEPTION, |count| number(count as i64))
}

/// `decode(bytes, fatal)`: undefined when `fatal` and the bytes are not UTF-8.
unsafe extern "C" fn decode(context: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    let values = arguments(argc, argv);
    let Some(bytes) = bytes_of(context, values[0]) else { return JS_EXCEPTION };
    if JS_VALUE_GET_BOOL(values[1]) && core::str::from_utf8(bytes).is_err() {
        return JS_UNDEFINED;
    }
    lossy_string(context, bytes)
}

/// Runs `use_bytes` with a string's UTF-8 or an array's bytes.
unsafe fn with_bytes(context: *mut JSContext, value: JSValue, use_bytes: impl FnOnce(&[u8]) -> JSValue) -> JSValue {
    if JS_IsString(value) {
        return with_text(context, value, use_bytes).unwrap_or(JS_EXCEPTION);
    }
    bytes_of(context, value).map_or(JS_EXCEPTION, use_bytes)
}

unsafe extern "C" fn hash64(context: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    let values = arguments(argc, argv);
    let Some(seed) = integer_of(context, values[1]) else { return JS_EXCEPTION };
    with_bytes(context, values[0], |data| JS_NewBigUint64(context, hashes::hash64(data, seed as u64)))
}

unsafe extern "C" fn hash32(context: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    let values = arguments(argc, argv);
    let Some(seed) = integer_of(context, values[1]) else { return JS_EXCEPTION };
    with_bytes(context, values[0], |data| number(hashes::hash32(data, seed as u32) as i64))
}

unsafe fn hexadecimal(context: *mut JSContext, digest: &[u8]) -> JSValue {
    let mut text = [0; 128];
    for (index, byte) in digest.iter().enumerate() {
        text[2 * index] = b"0123456789abcdef"[(byte >> 4) as usize];
        text[2 * index + 1] = b"0123456789abcdef"[(byte & 15) as usize];
    }
    string(context, &text[..2 * digest.len()])
}

unsafe extern "C" fn sha256(context: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    with_bytes(context, arguments(argc, argv)[0], |data| hexadecimal(context, &hashes::sha256(data)))
}

unsafe extern "C" fn sha512(context: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    with_bytes(context, arguments(argc, argv)[0], |data| hexadecimal(context, &hashes::sha512(data)))
}

/// `sameBytes(a, b)`.
unsafe extern "C" fn same_bytes(context: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    let values = arguments(argc, argv);
    let (Some(a), Some(b)) = (bytes_of(context, values[0]), bytes_of(context, values[1])) else { return JS_EXCEPTION };
    boolean(a == b)
}

/// Where `part` begins in `bytes`, not before `from`. Blocks without its first and last byte in their places are passed over,
/// which the compiler does for all of a block's bytes at once.
fn index_of(bytes: &[u8], part: &[u8], from: usize) -> Option<usize> {
    const BLOCK: usize = 32;
    let (&first, &last) = (part.first()?, part.last()?);
    let starts = bytes.len().checked_sub(part.len() - 1)?;
    let mut at = from;
    while at < starts {
        let end = starts.min(at + BLOCK);
        let (heads, tails) = (&bytes[at..end], &bytes[at + part.len() - 1..end + part.len() - 1]);
        let may_begin = match (<&[u8; BLOCK]>::try_from(heads), <&[u8; BLOCK]>::try_from(tails)) {
            (Ok(heads), Ok(tails)) => {
                heads.iter().zip(tails).fold(false, |found, (&a, &b)| found | ((a == first) & (b == last)))
            }
            _ => true,
        };
        if may_begin {
            if let Some(found) = (at..end).find(|&start| bytes[start..].starts_with(part)) {
                return Some(found);
            }
        }
        at = end;
    }
    None
}

/// `indexOfBytes(bytes, part, from)`.
unsafe extern "C" fn index_of_bytes(context: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    let values = arguments(argc, argv);
    let Some(from) = integer_of(context, values[2]) else { return JS_EXCEPTION };
    let (Some(bytes), Some(part)) = (bytes_of(context, values[0]), bytes_of(context, values[1])) else { return JS_EXCEPTION };
    number(index_of(bytes, part, from.max(0) as usize).map_or(-1, |at| at as i64))
}

unsafe extern "C" fn collect_garbage(context: *mut JSContext, _: JSValue, _: c_int, _: *mut JSValue) -> JSValue {
    JS_RunGC(JS_GetRuntime(context));
    JS_UNDEFINED
}

unsafe extern "C" fn use_reserve(_: *mut JSContext, _: JSValue, _: c_int, _: *mut JSValue) -> JSValue {
    memory::use_reserve();
    JS_UNDEFINED
}

/// A list that the engine only reads.
struct Functions<const COUNT: usize>([JSCFunctionListEntry; COUNT]);
unsafe impl<const COUNT: usize> Sync for Functions<COUNT> {}

/// A function of `length` arguments. The engine makes its object when a module first names it.
const fn function(name: &'static CStr, function: Function, length: u8) -> JSCFunctionListEntry {
    let function = JSCFunctionListEntry__bindgen_ty_1__bindgen_ty_1 {
        length,
        cproto: JSCFunctionEnum_JS_CFUNC_generic as u8,
        cfunc: JSCFunctionType { generic: Some(function) },
    };
    JSCFunctionListEntry {
        name: name.as_ptr(),
        prop_flags: 0,
        def_type: JS_DEF_CFUNC as u8,
        magic: 0,
        u: JSCFunctionListEntry__bindgen_ty_1 { func: function },
    }
}

/// What src/engine/compact.ts finds in the global object `host`.
static FUNCTIONS: Functions<20> = Functions([
    function(c"syscall", system::syscall, 1),
    function(c"interruptBy", system::interrupt_by, 1),
    function(c"interruptNoMore", system::interrupt_no_more, 1),
    function(c"spawn", system::spawn, 6),
    function(c"now", system::now, 0),
    function(c"pause", system::pause, 1),
    function(c"exit", system::exit, 1),
    function(c"abort", system::abort, 0),
    function(c"load", chunks::import, 1),
    function(c"encode", encode, 1),
    function(c"encodeInto", encode_into, 2),
    function(c"decode", decode, 2),
    function(c"hash64", hash64, 2),
    function(c"hash32", hash32, 2),
    function(c"sha256", sha256, 1),
    function(c"sha512", sha512, 1),
    function(c"sameBytes", same_bytes, 2),
    function(c"indexOfBytes", index_of_bytes, 3),
    function(c"collectGarbage", collect_garbage, 0),
    function(c"useReserve", use_reserve, 0),
]);

#[no_mangle]
unsafe extern "C" fn main(argc: c_int, argv: *const *const c_char, envp: *const *const c_char) -> c_int {
    let stack = memory::map_stack();
    system::continue_on(memory::STACK_TOP, run, &start::Call { argc, argv, envp, stack })
}

unsafe extern "C" fn run(call: *const start::Call) -> ! {
    match memory::made() {
        Some(made) => start::start(made, &*call),
        None => image::take(),
    }
}

/// The C library's clock, for the engine's random numbers only. The sources take theirs from the kernel, and the image must
/// not depend on the hour of the build.
#[no_mangle]
extern "C" fn gettimeofday(_: *mut c_void, _: *mut c_void) -> c_int {
    0
}
