//! Conversions between values of the engine and bytes, numbers and text.
use core::ffi::c_int;
use core::ptr::null_mut;
use core::slice;
use rquickjs_sys::*;

/// A function that the engine calls: its arguments are `arguments(argc, argv)`.
pub type Function = unsafe extern "C" fn(*mut JSContext, JSValue, c_int, *mut JSValue) -> JSValue;

/// The arguments of a call. The engine fills those that are missing, up to the declared number, with undefined.
pub unsafe fn arguments<'a>(argc: c_int, argv: *mut JSValue) -> &'a [JSValue] {
    slice::from_raw_parts(argv, argc as usize)
}

/// Where the bytes of an ArrayBuffer or a typed array lie, and how many they are. None: an exception is pending, since it is
/// neither, or detached. The engine may move or free them as soon as it runs again.
pub unsafe fn memory_of(context: *mut JSContext, value: JSValue) -> Option<(*mut u8, usize)> {
    let (mut offset, mut length, mut whole) = (0, 0, 0);
    let is_buffer = JS_IsArrayBuffer(value);
    let buffer = if is_buffer {
        JS_DupValue(context, value)
    } else {
        JS_GetTypedArrayBuffer(context, value, &mut offset, &mut length, null_mut())
    };
    if JS_IsException(buffer) {
        return None;
    }
    let start = JS_GetArrayBuffer(context, &mut whole, buffer);
    JS_FreeValue(context, buffer);
    let size = if is_buffer { whole } else { length };
    (!start.is_null()).then(|| (start.add(offset as usize), size as usize))
}

/// The bytes themselves, for as long as the engine does not run.
pub unsafe fn bytes_of<'a>(context: *mut JSContext, value: JSValue) -> Option<&'a [u8]> {
    memory_of(context, value).map(|(start, size)| slice::from_raw_parts(start, size))
}

/// A number as a whole one, a bigint modulo 2^64. None: an exception is pending.
pub unsafe fn integer_of(context: *mut JSContext, value: JSValue) -> Option<i64> {
    let mut number = 0;
    (JS_ToInt64Ext(context, &mut number, value) == 0).then_some(number)
}

/// Runs `use_text` with the UTF-8 of a string, in which lone surrogates are already U+FFFD. None: an exception is pending.
pub unsafe fn with_text<T>(context: *mut JSContext, value: JSValue, use_text: impl FnOnce(&[u8]) -> T) -> Option<T> {
    let mut length = 0;
    let start = JS_ToCStringLen2(context, &mut length, value, false);
    if start.is_null() {
        return None;
    }
    let text = || slice::from_raw_parts(start as *const u8, length as usize);
    // The engine writes a lone surrogate as ED A0..BF xx, three bytes, as many as U+FFFD has. Text with one is a copy that
    // the engine made for this call.
    let mut at = 0;
    while let Some(found) = text()[at..].iter().position(|&byte| byte == 0xed) {
        at += found + 1;
        if text().get(at).is_some_and(|&byte| byte >= 0xa0) && at + 1 < text().len() {
            core::ptr::copy_nonoverlapping("\u{fffd}".as_ptr(), (start as *mut u8).add(at - 1), 3);
        }
    }
    let result = use_text(text());
    JS_FreeCString(context, start);
    Some(result)
}

/// A string of valid UTF-8.
pub unsafe fn string(context: *mut JSContext, text: &[u8]) -> JSValue {
    JS_NewStringLen(context, text.as_ptr() as _, text.len() as _)
}

/// A string of any bytes; what is not UTF-8 becomes U+FFFD, as the Encoding Standard says (maximal subparts).
pub unsafe fn lossy_string(context: *mut JSContext, bytes: &[u8]) -> JSValue {
    if core::str::from_utf8(bytes).is_ok() {
        return string(context, bytes);
    }
    let mut size = 0;
    for chunk in bytes.utf8_chunks() {
        size += chunk.valid().len() + if chunk.invalid().is_empty() { 0 } else { 3 };
    }
    let room = js_malloc(context, size as _) as *mut u8;
    if room.is_null() {
        return JS_EXCEPTION;
    }
    let mut at = room;
    let mut add = |piece: &[u8]| {
        core::ptr::copy_nonoverlapping(piece.as_ptr(), at, piece.len());
        at = at.add(piece.len());
    };
    for chunk in bytes.utf8_chunks() {
        add(chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            add("\u{fffd}".as_bytes());
        }
    }
    let result = string(context, slice::from_raw_parts(room, size));
    js_free(context, room as _);
    result
}

/// A Uint8Array that holds a copy.
pub unsafe fn byte_array(context: *mut JSContext, bytes: &[u8]) -> JSValue {
    JS_NewUint8ArrayCopy(context, bytes.as_ptr(), bytes.len() as _)
}

/// Throws a TypeError. `message` ends with a NUL.
pub unsafe fn throw(context: *mut JSContext, message: &core::ffi::CStr) -> JSValue {
    JS_ThrowTypeError(context, message.as_ptr())
}

/// A number.
pub fn number(value: i64) -> JSValue {
    match i32::try_from(value) {
        Ok(small) => JS_MKVAL(JS_TAG_INT, small),
        Err(_) => __JS_NewFloat64(value as f64),
    }
}

pub fn boolean(value: bool) -> JSValue {
    if value {
        JS_TRUE
    } else {
        JS_FALSE
    }
}
