//! The end when the engine itself has failed, so that the sources can make no error object any more.
use crate::{memory, system};

/// An error object with code 999 and the words of src/cni/error.ts.
macro_rules! error_object {
    ($message:literal) => {
        concat!("{\n    \"cniVersion\": \"1.1.0\",\n    \"code\": 999,\n    \"msg\": \"", $message, "\"\n}\n")
            .as_bytes()
    };
}

const NO_MEMORY: &[u8] = error_object!(
    "there is not enough memory for this call; send less at once, or raise the limits of this process (RLIMIT_AS)"
);
const FAULT: &[u8] = error_object!(
    "this is a fault of Bridgehead: its JavaScript engine ended early; please report it, with the configuration"
);

/// Prints one error object and ends the process.
pub fn fail() -> ! {
    unsafe { system::end_with(1, if memory::has_run_out() { NO_MEMORY } else { FAULT }) }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    fail()
}

/// The engine calls it where its state makes no sense, or an assertion of its own does not hold (../include/assert.h).
#[no_mangle]
extern "C" fn abort() -> ! {
    fail()
}

/// The compiler's own library names it for unwinding, which this program does not do.
#[no_mangle]
extern "C" fn rust_eh_personality() {}
