//! The chunks of the bundle: compiled modules by name.
use crate::memory;
use crate::values::{arguments, throw};
use core::ffi::{c_char, c_int, c_void, CStr};
use core::ptr::null_mut;
use rquickjs_sys::*;

/// A compiled chunk, as bin/compile.rs writes it: name, sizes and bytecode, which is packed (LZ4) when it is behind the image.
pub struct Chunk<'a> {
    pub name: &'a CStr,
    /// The size of the bytecode; packed it has fewer bytes.
    size: usize,
    stored: &'a [u8],
}

/// A C string, which the bundle goes on behind.
fn text<'a>(bundle: &mut &'a [u8]) -> Option<&'a CStr> {
    let text = CStr::from_bytes_until_nul(bundle).ok()?;
    *bundle = &bundle[text.count_bytes() + 1..];
    Some(text)
}

fn size(bundle: &mut &[u8]) -> Option<usize> {
    text(bundle)?.to_str().ok()?.parse().ok()
}

/// The next chunk of a bundle. One without a name stands between those of the image and the others, and one at the end.
pub fn next<'a>(bundle: &mut &'a [u8]) -> Option<Chunk<'a>> {
    let mut rest = *bundle;
    let (name, whole, packed) = (text(&mut rest)?, size(&mut rest)?, size(&mut rest)?);
    let (stored, rest) = rest.split_at_checked(packed)?;
    *bundle = rest;
    Some(Chunk { name, size: whole, stored })
}

/// The module of a chunk. The exception is pending when it cannot be read.
unsafe fn read(context: *mut JSContext, chunk: &Chunk) -> JSValue {
    let flags = JS_READ_OBJ_BYTECODE as c_int;
    if chunk.stored.len() == chunk.size {
        return JS_ReadObject(context, chunk.stored.as_ptr(), chunk.size as _, flags);
    }
    let room = js_malloc(context, chunk.size as _) as *mut u8;
    if room.is_null() {
        return JS_EXCEPTION;
    }
    let code = core::slice::from_raw_parts_mut(room, chunk.size);
    code.fill(0);
    let module = match lz4_flex::block::decompress_into(chunk.stored, code) {
        Ok(_) => JS_ReadObject(context, room, chunk.size as _, flags),
        Err(_) => throw(context, c"a chunk is faulty"),
    };
    js_free(context, room as _);
    module
}

/// Reads the chunk of this name from a bundle, so that the engine knows the module.
pub unsafe extern "C" fn load(context: *mut JSContext, name: *const c_char, bundle: *mut c_void) -> *mut JSModuleDef {
    let mut bundle = *(bundle as *const &[u8]);
    while let Some(chunk) = next(&mut bundle) {
        if chunk.name == CStr::from_ptr(name) {
            let module = read(context, &chunk);
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

/// Loads and evaluates a module and what it imports. The value is a promise of its exports.
pub unsafe fn evaluate(context: *mut JSContext, name: &CStr) -> JSValue {
    JS_LoadModule(context, c"".as_ptr(), name.as_ptr())
}

/// `load(name)`: what `import()` of the chunk would be. The build replaces each `import()` by it, since most modules are in
/// the image, and finding them there costs no more than a property.
pub unsafe extern "C" fn import(context: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    let name = arguments(argc, argv)[0];
    let Some(made) = memory::made() else { return throw(context, c"the sources import nothing while they are loaded") };
    let atom = JS_ValueToAtom(context, name);
    if atom == JS_ATOM_NULL {
        return JS_EXCEPTION;
    }
    let module = JS_GetProperty(context, made.modules, atom);
    JS_FreeAtom(context, atom);
    if !JS_IsUndefined(module) {
        return module;
    }
    let text = JS_ToCStringLen2(context, null_mut(), name, false);
    if text.is_null() {
        return JS_EXCEPTION;
    }
    let promise = evaluate(context, CStr::from_ptr(text));
    JS_FreeCString(context, text);
    promise
}
