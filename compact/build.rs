//! Says how the program is linked; the C library is given as a file, since the linker must not take its shared twin.
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // The engine is an archive, which must stand before the library that it needs.
    println!("cargo:rustc-link-arg-bin=bridgehead=-l:libc.a");
    println!("cargo:rustc-link-arg-bin=bridgehead=-lgcc");
    // The heap has an address of its own, far from the code, so that its image fits in at the end of the file.
    println!("cargo:rustc-link-arg-bin=bridgehead=-Wl,--section-start=.heap=0x10000000");
}
