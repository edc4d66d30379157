//! The memory of the engine: a stack, and blocks from one region that grows, recycled by size.
//!
//! The engine serves small objects itself, from pages of 4 KiB that it takes here. So blocks are few and mostly equal.
//! All of them begin at a multiple of 8 bytes, and nothing in the engine needs more.
//!
//! The region begins in the section `.heap`. While the program is built, all that the engine makes until the sources are
//! loaded goes there, and its pages become the end of the file (image.rs). So a plugin starts with them.
use core::ffi::c_void;
use core::ptr::null_mut;

use crate::failure::fail;
use crate::image::{self, Made};
use crate::system::{map, unmap};

/// Before each block: its size, so that it can be freed and moved.
const HEADER: usize = 8;
/// Up to this size blocks differ by steps of FINE bytes: the engine's pages have one size, and little is lost with them.
const FINE_UP_TO: usize = 8 << 10;
const FINE: usize = 16;
/// Above there are eight sizes for each power of two.
const CLASSES: usize = FINE_UP_TO / FINE + 1 + 8 * 6;
/// Larger blocks are mapped one by one, so that they go back to the system when they are freed.
const MAPPED_FROM: usize = 256 << 10;
/// The region grows by so much.
const STEP: usize = 256 << 10;
/// What stays back for the report that memory has run out, and for undoing what the call did.
const RESERVE: usize = 128 << 10;

/// Room for what the image holds.
const ROOM: usize = 4 << 20;

/// The stack lies below this address, and the region continues above it once the image is used up. It is not a multiple of
/// 2 MiB, since the kernel could make the first page of the stack a huge one.
pub const STACK_TOP: usize = 0x20100000;
const MOST_STACK: usize = 8 << 20;
const LEAST_STACK: usize = 128 << 10;

/// All memory that has its content when the program starts.
#[repr(C, align(4096))]
pub struct Heap {
    /// What was made before the image was taken; none in the program that takes it.
    made: Option<Made>,
    top: usize,
    end: usize,
    reserve: usize,
    free: [*mut c_void; CLASSES],
    room: [u8; ROOM],
}

/// The build replaces its content, so it is read as memory that something else has written.
#[link_section = ".heap"]
static mut HEAP: Heap = Heap { made: None, top: 0, end: 0, reserve: RESERVE, free: [null_mut(); CLASSES], room: [0; ROOM] };

/// There is one thread, and no reference to HEAP is kept: all goes by this pointer.
const fn heap() -> *mut Heap {
    &raw mut HEAP
}

/// What the image has; none while it is made.
pub unsafe fn made() -> Option<Made> {
    (&raw const (*heap()).made).read_volatile()
}

/// Whether the system has refused more memory.
pub unsafe fn has_run_out() -> bool {
    (*heap()).reserve == 0
}

/// Maps a stack for the program, so that neither the limit that the caller set for stacks nor one for its address space can
/// end it in the middle of a call. Returns the size in bytes.
pub unsafe fn map_stack() -> usize {
    let mut size = MOST_STACK;
    while map(STACK_TOP - size, size + STEP) as usize != STACK_TOP - size {
        size /= 2;
        if size < LEAST_STACK {
            (*heap()).reserve = 0;
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
    (*heap()).top = STACK_TOP;
    (*heap()).end = STACK_TOP + STEP;
}

/// Begins to fill the room of the image.
pub unsafe fn begin_image() {
    (*heap()).top = &raw const (*heap()).room as usize;
    (*heap()).end = (*heap()).top + ROOM;
}

/// Ends the image: returns the pages in use. Behind them come the chunks `rest`, which `made.chunks` is set to.
pub unsafe fn end_image(mut made: Made, rest: &[u8]) -> &'static [u8] {
    let start = heap() as usize;
    let end = ((*heap()).top + 4095) & !4095;
    made.chunks = core::slice::from_raw_parts(end as *const u8, rest.len());
    (*heap()).made = Some(made);
    core::slice::from_raw_parts(start as *const u8, end - start)
}

/// Class and size of the smallest block that holds `size` bytes, header included.
fn class_of(size: usize) -> (usize, usize) {
    if size <= FINE_UP_TO {
        let class = size.div_ceil(FINE);
        return (class, class * FINE);
    }
    let power = usize::BITS - 1 - (size - 1).leading_zeros();
    let eighth = ((size - 1) >> (power - 3)) & 7;
    let above = (power - FINE_UP_TO.ilog2()) as usize;
    (FINE_UP_TO / FINE + 1 + 8 * above + eighth, (eighth + 9) << (power - 3))
}

/// So many bytes from the region, at most MAPPED_FROM, or 0. After the first 0 the reserve is there for the report.
unsafe fn take(size: usize) -> usize {
    let heap = heap();
    if (*heap).top + size + (*heap).reserve > (*heap).end {
        if (*heap).made.is_none() {
            image::is_full();
        }
        let step = STEP.max(size + RESERVE);
        let more = map((*heap).end, step) as usize;
        if more == 0 {
            (*heap).reserve = 0;
            return 0;
        }
        if more != (*heap).end {
            (*heap).top = more;
        }
        (*heap).end = more + step;
    }
    let at = (*heap).top;
    (*heap).top += size;
    at
}

/// A block of pages of its own.
unsafe fn map_block(size: usize) -> *mut c_void {
    if (*heap()).made.is_none() {
        image::is_full();
    }
    let Some(size) = size.checked_add(4095).map(|size| size & !4095) else { return null_mut() };
    let block = map(0, size) as *mut usize;
    if block.is_null() {
        return null_mut();
    }
    *block = size;
    block.byte_add(HEADER) as _
}

pub unsafe extern "C" fn allocate(_: *mut c_void, wanted: u64) -> *mut c_void {
    let Some(size) = (wanted as usize).checked_add(HEADER) else { return null_mut() };
    if size > MAPPED_FROM {
        return map_block(size);
    }
    let (class, size) = class_of(size);
    let free = &raw mut (*heap()).free[class];
    let found = *free;
    if !found.is_null() {
        *free = *(found as *mut *mut c_void);
        return found;
    }
    let block = take(size) as *mut usize;
    if block.is_null() {
        return null_mut();
    }
    *block = size;
    block.byte_add(HEADER) as _
}

pub unsafe extern "C" fn allocate_zeroed(opaque: *mut c_void, count: u64, size: u64) -> *mut c_void {
    let Some(size) = count.checked_mul(size) else { return null_mut() };
    let block = allocate(opaque, size);
    if !block.is_null() {
        core::ptr::write_bytes(block as *mut u8, 0, size as usize);
    }
    block
}

pub unsafe extern "C" fn release(_: *mut c_void, block: *mut c_void) {
    if block.is_null() {
        return;
    }
    let start = block.sub(HEADER);
    let size = *(start as *mut usize);
    if size > MAPPED_FROM {
        unmap(start, size);
        return;
    }
    let (class, _) = class_of(size);
    let free = &raw mut (*heap()).free[class];
    *(block as *mut *mut c_void) = *free;
    *free = block;
}

pub unsafe extern "C" fn resize(opaque: *mut c_void, block: *mut c_void, wanted: u64) -> *mut c_void {
    if block.is_null() {
        return allocate(opaque, wanted);
    }
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

pub unsafe extern "C" fn usable(block: *const c_void) -> u64 {
    if block.is_null() {
        return 0;
    }
    (*(block.sub(HEADER) as *const usize) - HEADER) as u64
}
