//! The memory of the engine: a stack, and blocks from one region that grows, recycled by size.
//!
//! The engine serves small objects itself, from pages of 4 KiB that it takes here. So blocks are few and mostly equal. All
//! of them begin at a multiple of 8 bytes, and nothing in the engine needs more.
//!
//! The region begins in the section `.heap`. While the program is built, all that the engine makes until the sources are
//! loaded goes there, and its pages become the end of the file (../build/image.rs). So a plugin starts with them.
use crate::failure::fail;
use crate::image;
use crate::system::{map, unmap};
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use rquickjs_sys::*;

/// Before each block: its size, so that it can be freed and moved.
pub const HEADER: usize = 8;
/// Larger blocks are mapped one by one, so that they go back to the system when they are freed.
pub const MAPPED_FROM: usize = 256 << 10;
/// So many sizes there are up to MAPPED_FROM (class_of).
const CLASSES: usize = 321;
/// The region grows by so much.
const STEP: usize = 256 << 10;
/// It grows by whole pages of any kernel, since the system gives another place to what does not begin with a page.
const LARGEST_PAGE: usize = 64 << 10;
/// What it has when the call begins.
const FIRST: usize = STEP + RESERVE;
/// What stays back until the system refuses more. Then it lets the call come to its next system call, which fails for want
/// of memory as it could fail for any other reason, so that the call is undone (see `refuses`).
const RESERVE: usize = 1 << 20;
/// What of that stays back for the report, when the call needs all the rest without a system call.
const LAST_RESERVE: usize = 128 << 10;
/// Room for what the image holds.
pub const ROOM: usize = 4 << 20;
/// The stack lies below this address, and the region continues above it once the image is used up. It is not a multiple of
/// 2 MiB, since the kernel could make the first page of the stack a huge one.
pub const STACK_TOP: usize = 0x20100000;
const MOST_STACK: usize = 8 << 20;
const LEAST_STACK: usize = 128 << 10;

/// What the start needs of the image.
#[derive(Clone, Copy)]
pub struct Made {
    pub context: *mut JSContext,
    /// The global object that src/engine/compact.ts knows.
    pub host: JSValue,
    /// Its empty `environment`.
    pub environment: JSValue,
    /// The chunks that are not in the image, as the bundle has them.
    pub chunks: &'static [u8],
}

/// Makes the image and ends the program. Where the program is not to have one, it gives what an image would.
type TakeImage = unsafe fn() -> Made;

/// All memory that has its content when the program starts.
#[repr(C, align(4096))]
pub struct Heap {
    /// What was made before the image was taken; in the program that has none yet, the function that takes it.
    pub made: Result<Made, TakeImage>,
    top: usize,
    end: usize,
    reserve: usize,
    /// Whether the system has refused more memory.
    refused: bool,
    /// Whether a system call is still to fail for that.
    pub owes_failure: bool,
    free: [*mut c_void; CLASSES],
    pub room: [u8; ROOM],
}

/// There is one thread, and references to it do not outlive a statement. The build replaces its content.
#[link_section = ".heap"]
pub static mut HEAP: Heap = Heap {
    made: Err(image::take),
    top: 0,
    end: 0,
    reserve: RESERVE,
    refused: false,
    owes_failure: false,
    free: [null_mut(); CLASSES],
    room: [0; ROOM],
};

/// What the image has, or what makes one. It is read as memory that something else has written.
pub unsafe fn made() -> Result<Made, TakeImage> {
    (&raw const HEAP.made).read_volatile()
}

/// Whether the system has refused more memory.
pub unsafe fn has_run_out() -> bool {
    HEAP.refused
}

/// Whether a system call has to fail because memory is at its end: true once.
pub unsafe fn refuses() -> bool {
    (&raw mut HEAP.owes_failure).replace(false)
}

/// `useReserve()`: from here on no system call fails for want of memory: the call is undone or reported.
pub unsafe extern "C" fn use_reserve(_: *mut JSContext, _: JSValue, _: c_int, _: *mut JSValue) -> JSValue {
    HEAP.owes_failure = false;
    HEAP.reserve = HEAP.reserve.min(LAST_RESERVE);
    JS_UNDEFINED
}

/// `collectGarbage()`.
pub unsafe extern "C" fn collect_garbage(context: *mut JSContext, _: JSValue, _: c_int, _: *mut JSValue) -> JSValue {
    JS_RunGC(JS_GetRuntime(context));
    JS_UNDEFINED
}

/// Maps a stack for the program, so that neither the limit that the caller set for stacks nor one for its address space can
/// end it in the middle of a call. Returns the size in bytes.
pub unsafe fn map_stack() -> usize {
    let mut size = MOST_STACK;
    while map(STACK_TOP - size, size + FIRST) as usize != STACK_TOP - size {
        size /= 2;
        if size < LEAST_STACK {
            HEAP.refused = true;
            fail();
        }
    }
    if size < MOST_STACK {
        // A limit is near: most of what there is is for the region.
        let less = (size / 4).max(LEAST_STACK);
        unmap((STACK_TOP - size) as _, size - less);
        size = less;
    }
    size
}

/// Ends the room of the image: what is new comes from the memory above the stack, which map_stack has mapped.
pub unsafe fn begin_call() {
    HEAP.top = STACK_TOP;
    HEAP.end = STACK_TOP + FIRST;
}

/// Class and size of the smallest block that holds `size` bytes, header included. Up to 1 KiB sizes differ by 16 bytes.
/// Above there are 32 sizes for each power of two.
pub fn class_of(size: usize) -> (usize, usize) {
    let step = (size.next_power_of_two() / 64).max(16);
    let steps = size.div_ceil(step);
    (32 * (step / 16).ilog2() as usize + steps, steps * step)
}

/// Makes room for so many bytes: from the system, or else from the reserve. After `false` there is more of the reserve.
unsafe fn grow(size: usize) -> bool {
    let step = STEP.max((size + RESERVE).next_multiple_of(LARGEST_PAGE));
    let more = map(HEAP.end, step) as usize;
    if more != 0 {
        if more != HEAP.end {
            HEAP.top = more;
        }
        HEAP.end = more + step;
        return true;
    }
    HEAP.refused = true;
    HEAP.owes_failure |= HEAP.reserve == RESERVE;
    HEAP.reserve = HEAP.reserve.min(LAST_RESERVE);
    let fits = HEAP.top + size + HEAP.reserve <= HEAP.end;
    if !fits {
        // This fails, so no system call needs to.
        HEAP.owes_failure = false;
        HEAP.reserve = 0;
    }
    fits
}

/// A block of pages of its own, or null.
unsafe fn map_block(size: usize) -> *mut c_void {
    let Some(size) = size.checked_next_multiple_of(4096) else { return null_mut() };
    let block = map(0, size) as *mut usize;
    if block.is_null() {
        return null_mut();
    }
    *block = size;
    block.byte_add(HEADER) as _
}

/// The block of a class that was freed last, or null.
unsafe fn reuse(class: usize) -> *mut c_void {
    let found = HEAP.free[class];
    if !found.is_null() {
        HEAP.free[class] = *(found as *mut *mut c_void);
    }
    found
}

unsafe extern "C" fn allocate(_: *mut c_void, wanted: u64) -> *mut c_void {
    let size = (wanted as usize).saturating_add(HEADER);
    if size > MAPPED_FROM {
        return map_block(size);
    }
    let (class, size) = class_of(size);
    let found = reuse(class);
    if !found.is_null() {
        return found;
    }
    if HEAP.top + size + HEAP.reserve <= HEAP.end || grow(size) {
        let block = HEAP.top as *mut usize;
        HEAP.top += size;
        *block = size;
        return block.byte_add(HEADER) as _;
    }
    // A larger block serves as well, though it is better kept for its own size.
    let mut larger = (class + 1..CLASSES).map(|class| reuse(class));
    larger.find(|found| !found.is_null()).unwrap_or(null_mut())
}

unsafe extern "C" fn allocate_zeroed(opaque: *mut c_void, count: u64, size: u64) -> *mut c_void {
    let Some(size) = count.checked_mul(size) else { return null_mut() };
    let block = allocate(opaque, size);
    if !block.is_null() {
        core::ptr::write_bytes(block as *mut u8, 0, size as usize);
    }
    block
}

unsafe extern "C" fn release(_: *mut c_void, block: *mut c_void) {
    let start = block.sub(HEADER);
    let size = *(start as *const usize);
    if size > MAPPED_FROM {
        return unmap(start, size);
    }
    let (class, _) = class_of(size);
    *(block as *mut *mut c_void) = HEAP.free[class];
    HEAP.free[class] = block;
}

unsafe extern "C" fn resize(opaque: *mut c_void, block: *mut c_void, wanted: u64) -> *mut c_void {
    let holds = usable(block);
    if wanted <= holds && wanted > holds / 2 {
        return block;
    }
    let moved = allocate(opaque, wanted);
    if !moved.is_null() {
        core::ptr::copy_nonoverlapping(block as *const u8, moved as *mut u8, holds.min(wanted) as usize);
        release(opaque, block);
    }
    moved
}

unsafe extern "C" fn usable(block: *const c_void) -> u64 {
    (*(block.sub(HEADER) as *const usize) - HEADER) as u64
}

/// What the engine calls. It passes no null pointer.
pub const FUNCTIONS: JSMallocFunctions = JSMallocFunctions {
    js_calloc: Some(allocate_zeroed),
    js_malloc: Some(allocate),
    js_free: Some(release),
    js_realloc: Some(resize),
    js_malloc_usable_size: Some(usable),
};
