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

/// The bytes that an ArrayBuffer or a view of one refers to. An exception is pending when it is neither.
pub unsafe fn bytes_of<'a>(context: *mut JSContext, value: JSValue) -> Option<&'a mut [u8]> {
    let (mut offset, mut length, mut whole) = (0, 0, 0);
    if JS_IsArrayBuffer(value) {
        let start = JS_GetArrayBuffer(context, &mut whole, value);
        return Some(if start.is_null() { &mut [] } else { slice::from_raw_parts_mut(start, whole as usize) });
    }
    let buffer = JS_GetTypedArrayBuffer(context, value, &mut offset, &mut length, null_mut());
    if JS_IsException(buffer) {
        return None;
    }
    let start = JS_GetArrayBuffer(context, &mut whole, buffer);
    JS_FreeValue(context, buffer);
    Some(if start.is_null() { &mut [] } else { slice::from_raw_parts_mut(start.add(offset as usize), length as usize) })
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
    // The engine writes a lone surrogate as ED A0..BF xx, three bytes, as many as U+FFFD has.
    let text = slice::from_raw_parts_mut(start as *mut u8, length as usize);
    let mut at = 0;
    while let Some(found) = text[at..].iter().position(|&byte| byte == 0xed) {
        at += found + 1;
        if at + 1 < text.len() && text[at] >= 0xa0 {
            text[at - 1..at + 2].copy_from_slice("\u{fffd}".as_bytes());
        }
    }
    let result = use_text(text);
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
    if value { JS_TRUE } else { JS_FALSE }
}
