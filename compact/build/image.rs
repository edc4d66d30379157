//! Takes the image: loads the sources, and writes the pages of the engine's heap to standard output.
//!
//! This is what the program does until it has an image. The finished program does not have it (../layout.ld).
use crate::memory::{class_of, Made, FUNCTIONS, HEADER, HEAP, MAPPED_FROM, ROOM};
use crate::sources::{give_up, load};
use crate::system;
use core::ffi::c_void;
use core::ptr::null_mut;
use core::slice;
use rquickjs_sys::*;

/// All of standard input, in memory outside of the image.
unsafe fn read_input() -> &'static [u8] {
    const READ: i64 = if system::ARM { 63 } else { 0 };
    const MOST: usize = 16 << 20;
    let start = system::map(0, MOST) as *mut u8;
    let mut length = 0;
    while !start.is_null() && length < MOST {
        let at = start.add(length);
        match usize::try_from(system::call(READ, [0, at as i64, (MOST - length) as i64, 0, 0, 0])) {
            Ok(0) => return slice::from_raw_parts(start, length),
            Ok(count) => length += count,
            Err(_) => break,
        }
    }
    give_up(c"the bundle on standard input cannot be read, or is too large")
}

const MOST_BLOCKS: usize = 1 << 16;
const MOST_OUTSIDE: usize = 64 << 20;

/// Where the engine's blocks lie while the image is made. It frees many of them again. So the sources are loaded twice: the
/// first time tells which blocks these are, and the second time they lie outside of the image, which so has no holes.
struct Plan {
    is_second: bool,
    /// How many blocks the engine has asked for.
    count: usize,
    /// Whether it gave back the block of this number.
    freed: [bool; MOST_BLOCKS],
    /// Ends of what is in use inside of the image, and outside.
    inside: usize,
    outside: usize,
    last: usize,
}

/// In memory outside of the image.
static mut PLAN: *mut Plan = null_mut();

/// The header of a block in the image is its size, as in memory.rs. Outside it has the number of the block above that.
const NUMBER: u32 = 32;

unsafe extern "C" fn allocate(_: *mut c_void, wanted: u64) -> *mut c_void {
    let plan = &mut *PLAN;
    let (_, size) = class_of((wanted as usize).min(MOST_OUTSIDE) + HEADER);
    plan.count += 1;
    if plan.count == MOST_BLOCKS || plan.outside + size > plan.last {
        return null_mut();
    }
    let is_inside = plan.is_second && !plan.freed[plan.count];
    if is_inside && (size > MAPPED_FROM || plan.inside + size > &raw const HEAP.room as usize + ROOM) {
        give_up(c"the image of the heap has no more room, or none for an object of this size");
    }
    let end = if is_inside { &mut plan.inside } else { &mut plan.outside };
    let block = *end as *mut usize;
    *end += size;
    *block = if is_inside { size } else { plan.count << NUMBER | size };
    block.byte_add(HEADER) as _
}

/// Memory that was not in use before has zeros.
unsafe extern "C" fn allocate_zeroed(opaque: *mut c_void, count: u64, size: u64) -> *mut c_void {
    allocate(opaque, count.saturating_mul(size))
}

unsafe extern "C" fn release(_: *mut c_void, block: *mut c_void) {
    let number = *(block.sub(HEADER) as *const usize) >> NUMBER;
    if number == 0 {
        give_up(c"the sources do not load as they did before");
    }
    (*PLAN).freed[number] = true;
}

unsafe extern "C" fn resize(opaque: *mut c_void, block: *mut c_void, wanted: u64) -> *mut c_void {
    let moved = allocate(opaque, wanted);
    if !moved.is_null() {
        core::ptr::copy_nonoverlapping(block as *const u8, moved as *mut u8, usable(block).min(wanted) as usize);
        release(opaque, block);
    }
    moved
}

unsafe extern "C" fn usable(block: *const c_void) -> u64 {
    (*(block.sub(HEADER) as *const u32) as usize - HEADER) as u64
}

/// What the engine calls until the image is taken.
const PLANNED: JSMallocFunctions = JSMallocFunctions {
    js_calloc: Some(allocate_zeroed),
    js_malloc: Some(allocate),
    js_free: Some(release),
    js_realloc: Some(resize),
    js_malloc_usable_size: Some(usable),
};

/// Makes the heap and writes its image: `bridgehead < BUNDLE > IMAGE`.
pub unsafe fn take() -> Made {
    let bundle = read_input();
    PLAN = system::map(0, size_of::<Plan>()) as _;
    let outside = system::map(0, MOST_OUTSIDE) as usize;
    if PLAN.is_null() || outside == 0 {
        give_up(c"there is too little memory");
    }
    (*PLAN).inside = &raw const HEAP.room as usize;
    (*PLAN).outside = outside;
    (*PLAN).last = outside + MOST_OUTSIDE;
    load(bundle, &PLANNED);
    let asked = (*PLAN).count;
    (*PLAN).count = 0;
    (*PLAN).is_second = true;
    let mut made = load(bundle, &PLANNED);
    if (*PLAN).count != asked {
        give_up(c"the sources do not load as they did before");
    }
    // Behind the image memory is memory.rs' matter. The engine has its functions at the beginning of the runtime.
    let used = JS_GetRuntime(made.context) as *mut JSMallocFunctions;
    if (*used).js_malloc != PLANNED.js_malloc {
        give_up(c"the engine keeps the functions of memory at another place");
    }
    *used = FUNCTIONS;
    // The other chunks come behind the pages in use.
    let end = (*PLAN).inside.next_multiple_of(4096);
    let rest = made.chunks;
    made.chunks = slice::from_raw_parts(end as *const u8, rest.len());
    HEAP.made = Ok(made);
    let start = &raw const HEAP as *const u8;
    system::write_all(1, slice::from_raw_parts(start, end - start as usize));
    system::write_all(1, rest);
    system::end(0)
}
