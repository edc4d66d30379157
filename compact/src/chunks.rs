//! The chunks of the bundle: compiled modules by name.
use crate::values::arguments;
use core::ffi::{c_char, c_int, c_void, CStr};
use core::ptr::null_mut;
use lz4_flex::block::decompress_into_with_dict;
use rquickjs_sys::*;

/// Packed chunks (LZ4) refer to so many bytes at the beginning of the bundle that they are in.
pub const DICTIONARY: usize = 32 << 10;

/// A compiled chunk as ../build/compile.rs writes it. The bytecode is packed if it is smaller than its size.
pub struct Chunk<'a> {
    pub name: &'a CStr,
    size: usize,
    stored: &'a [u8],
}

/// The next chunk of a bundle. One without a name stands between those of the image and the others, and one at the end.
pub fn next<'a>(bundle: &mut &'a [u8]) -> Option<Chunk<'a>> {
    let name = CStr::from_bytes_until_nul(bundle).ok()?;
    let (size, rest) = bundle[name.count_bytes() + 1..].split_first_chunk()?;
    let (stored, rest) = rest.split_first_chunk()?;
    let (stored, rest) = rest.split_at_checked(u32::from_le_bytes(*stored) as usize)?;
    *bundle = rest;
    Some(Chunk { name, size: u32::from_le_bytes(*size) as usize, stored })
}

/// The module of a chunk of the bundle. The exception is pending when it cannot be read.
unsafe fn read(context: *mut JSContext, chunk: &Chunk, bundle: &[u8]) -> JSValue {
    let flags = JS_READ_OBJ_BYTECODE as c_int;
    if chunk.stored.len() == chunk.size {
        return JS_ReadObject(context, chunk.stored.as_ptr(), chunk.size as _, flags);
    }
    let code = js_mallocz(context, chunk.size as _) as *mut u8;
    if code.is_null() {
        return JS_EXCEPTION;
    }
    let room = core::slice::from_raw_parts_mut(code, chunk.size);
    let dictionary = &bundle[..DICTIONARY.min(bundle.len())];
    let module = match decompress_into_with_dict(chunk.stored, room, dictionary) {
        Ok(_) => JS_ReadObject(context, code, chunk.size as _, flags),
        Err(_) => JS_ThrowTypeError(context, c"a chunk is faulty".as_ptr()),
    };
    js_free(context, code as _);
    module
}

/// Reads the chunk of this name from a bundle, so that the engine knows the module.
pub unsafe extern "C" fn read_named(
    context: *mut JSContext,
    name: *const c_char,
    bundle: *mut c_void,
) -> *mut JSModuleDef {
    let bundle = *(bundle as *const &[u8]);
    let mut rest = bundle;
    while let Some(chunk) = next(&mut rest) {
        if chunk.name == CStr::from_ptr(name) {
            let module = read(context, &chunk, bundle);
            if JS_IsException(module) {
                return null_mut();
            }
            // The engine's list of modules keeps it.
            JS_FreeValue(context, module);
            return JS_VALUE_GET_PTR(module) as *mut JSModuleDef;
        }
    }
    JS_ThrowTypeError(context, c"there is no chunk %s".as_ptr(), name);
    null_mut()
}

/// `load(name)`: what `import()` of a chunk behind the image would be, a promise of its exports.
pub unsafe extern "C" fn load(context: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    let [name] = arguments(argc, argv);
    let name = JS_ToCString(context, name);
    if name.is_null() {
        return JS_EXCEPTION;
    }
    let promise = JS_LoadModule(context, c"".as_ptr(), name);
    JS_FreeCString(context, name);
    promise
}
