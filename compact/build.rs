//! Says how the program is linked.
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=layout.ld");
    if std::env::var_os("CARGO_FEATURE_SANITIZED").is_some() {
        for library in ["asan", "m", "c", "gcc"] {
            println!("cargo:rustc-link-arg-bin=bridgehead=-l{library}");
        }
        return;
    }
    // The engine is an archive, which must stand before the library that it needs. The C library is given as a file, since
    // the linker must not take its shared twin.
    println!("cargo:rustc-link-arg-bin=bridgehead=-l:libc.a");
    println!("cargo:rustc-link-arg-bin=bridgehead=-lgcc");
    // Each function of the engine is a section, so that layout.ld can say where it lies.
    println!("cargo:rustc-link-arg-bin=bridgehead=-ffunction-sections");
    let folder = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets its variables");
    println!("cargo:rustc-link-arg-bin=bridgehead=-Wl,-T,{folder}/layout.ld");
    // There is no dynamic linker that would write-protect memory after its work. Room for that would be padding only.
    println!("cargo:rustc-link-arg-bin=bridgehead=-Wl,-z,norelro");
}
