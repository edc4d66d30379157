//! The chunks of the bundle: compiled modules by name.
use crate::memory;
use crate::values::{arguments, throw};
use core::ffi::{c_char, c_int, c_void, CStr};
use core::ptr::null_mut;
use rquickjs_sys::*;

/// A compiled chunk, as bin/compile.rs writes it: name, NUL, size in digits, NUL, bytecode.
pub struct Chunk<'a> {
    pub name: &'a CStr,
    code: &'a [u8],
}

/// The next chunk of a bundle. One without a name stands between those of the image and the others, and one at the end.
pub fn next<'a>(bundle: &mut &'a [u8]) -> Option<Chunk<'a>> {
    let name = CStr::from_bytes_until_nul(bundle).ok()?;
    let rest = &bundle[name.count_bytes() + 1..];
    let size = CStr::from_bytes_until_nul(rest).ok()?;
    let rest = &rest[size.count_bytes() + 1..];
    let (code, rest) = rest.split_at_checked(size.to_str().ok()?.parse().ok()?)?;
    *bundle = rest;
    Some(Chunk { name, code })
}

/// Reads the chunk of this name from a bundle, so that the engine knows the module.
pub unsafe extern "C" fn load(context: *mut JSContext, name: *const c_char, bundle: *mut c_void) -> *mut JSModuleDef {
    let mut bundle = *(bundle as *const &[u8]);
    while let Some(chunk) = next(&mut bundle) {
        if chunk.name == CStr::from_ptr(name) {
            let flags = JS_READ_OBJ_BYTECODE as c_int;
            let module = JS_ReadObject(context, chunk.code.as_ptr(), chunk.code.len() as _, flags);
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
