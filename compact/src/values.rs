//! Text and bytes of the engine.
use core::ffi::c_int;
use core::ptr::{copy_nonoverlapping, null_mut};
use core::slice;
use rquickjs_sys::*;

/// The arguments of a function that the engine calls. Those that are missing are undefined.
pub unsafe fn arguments<const COUNT: usize>(argc: c_int, argv: *mut JSValue) -> [JSValue; COUNT] {
    core::array::from_fn(|index| if index < argc as usize { *argv.add(index) } else { JS_UNDEFINED })
}

/// Where the bytes of a typed array lie, and how many they are. None: an exception is pending, since it is none, or
/// detached. The engine may move or free them as soon as it runs again.
pub unsafe fn memory_of(context: *mut JSContext, value: JSValue) -> Option<(*mut u8, usize)> {
    let (mut offset, mut length, mut whole) = (0, 0, 0);
    let buffer = JS_GetTypedArrayBuffer(context, value, &mut offset, &mut length, null_mut());
    if JS_IsException(buffer) {
        return None;
    }
    let start = JS_GetArrayBuffer(context, &mut whole, buffer);
    JS_FreeValue(context, buffer);
    (!start.is_null()).then(|| (start.add(offset as usize), length as usize))
}

/// The bytes themselves, for as long as the engine does not run.
unsafe fn bytes_of<'a>(context: *mut JSContext, value: JSValue) -> Option<&'a [u8]> {
    memory_of(context, value).map(|(start, size)| slice::from_raw_parts(start, size))
}

/// Runs `use_bytes` with a string's UTF-8 or an array's bytes.
pub unsafe fn with_bytes(context: *mut JSContext, value: JSValue, use_bytes: impl FnOnce(&[u8]) -> JSValue) -> JSValue {
    if !JS_IsString(value) {
        return bytes_of(context, value).map_or(JS_EXCEPTION, use_bytes);
    }
    let mut length = 0;
    let start = JS_ToCStringLen2(context, &mut length, value, false);
    if start.is_null() {
        return JS_EXCEPTION;
    }
    let result = use_bytes(slice::from_raw_parts(start as *const u8, length as usize));
    JS_FreeCString(context, start);
    result
}

/// A string of bytes. What is not UTF-8 becomes U+FFFD, as the Encoding Standard says (maximal subparts); if it is
/// `fatal`, the value is undefined instead.
pub unsafe fn text(context: *mut JSContext, bytes: &[u8], fatal: bool) -> JSValue {
    if core::str::from_utf8(bytes).is_ok() {
        return JS_NewStringLen(context, bytes.as_ptr() as _, bytes.len() as _);
    }
    if fatal {
        return JS_UNDEFINED;
    }
    // U+FFFD has three bytes, and stands for one or more.
    let room = js_malloc(context, 3 * bytes.len() as u64) as *mut u8;
    if room.is_null() {
        return JS_EXCEPTION;
    }
    let mut end = room;
    for chunk in bytes.utf8_chunks() {
        for piece in [chunk.valid(), if chunk.invalid().is_empty() { "" } else { "\u{fffd}" }] {
            copy_nonoverlapping(piece.as_ptr(), end, piece.len());
            end = end.add(piece.len());
        }
    }
    let result = JS_NewStringLen(context, room as _, end.offset_from(room) as _);
    js_free(context, room as _);
    result
}

/// `encode(text, array)`: writes the whole characters that fit, and the value is their number of bytes. Without an array
/// the value is a new one.
pub unsafe extern "C" fn encode(context: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    let [text, array] = arguments(argc, argv);
    with_bytes(context, text, |text| {
        if JS_IsUndefined(array) {
            return JS_NewUint8ArrayCopy(context, text.as_ptr(), text.len() as _);
        }
        let Some((start, size)) = memory_of(context, array) else { return JS_EXCEPTION };
        let mut end = text.len().min(size);
        while end < text.len() && text[end] & 0xc0 == 0x80 {
            end -= 1;
        }
        copy_nonoverlapping(text.as_ptr(), start, end);
        JS_NewNumber(context, end as f64)
    })
}

/// `decode(bytes, fatal)`.
pub unsafe extern "C" fn decode(context: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    let [bytes, fatal] = arguments(argc, argv);
    bytes_of(context, bytes).map_or(JS_EXCEPTION, |bytes| text(context, bytes, JS_VALUE_GET_BOOL(fatal)))
}

/// `sameBytes(a, b)`.
pub unsafe extern "C" fn same_bytes(context: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    let [a, b] = arguments(argc, argv);
    match (bytes_of(context, a), bytes_of(context, b)) {
        (Some(a), Some(b)) => JS_MKVAL(JS_TAG_BOOL, (a == b).into()),
        _ => JS_EXCEPTION,
    }
}

extern "C" {
    fn memmem(bytes: *const u8, length: usize, part: *const u8, part_length: usize) -> *const u8;
}

/// `indexOfBytes(bytes, part, from)`: where `part` begins, not before `from`, or -1.
pub unsafe extern "C" fn index_of(context: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    let [bytes, part, from] = arguments(argc, argv);
    let mut skipped = 0;
    if JS_ToInt64Ext(context, &mut skipped, from) != 0 {
        return JS_EXCEPTION;
    }
    let (Some(bytes), Some(part)) = (bytes_of(context, bytes), bytes_of(context, part)) else { return JS_EXCEPTION };
    let rest = usize::try_from(skipped).ok().and_then(|skipped| bytes.get(skipped..)).unwrap_or(&[]);
    let found = memmem(rest.as_ptr(), rest.len(), part.as_ptr(), part.len());
    JS_NewNumber(context, if found.is_null() { -1.0 } else { found.offset_from(bytes.as_ptr()) as f64 })
}
