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
/// What it has when the call begins.
const FIRST: usize = STEP + RESERVE;
/// What stays back until the system refuses more. Then it lets the call come to its next system call, which fails for want
/// of memory as it could fail for any other reason, so that the call is undone (see `refuses`).
const RESERVE: usize = 1 << 20;
/// What of that stays back for the report, when the call needs all the rest without a system call.
const LAST_RESERVE: usize = 128 << 10;

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
    /// Whether the system has refused more memory.
    refused: bool,
    /// Whether a system call is still to fail for that.
    owes_failure: bool,
    free: [*mut c_void; CLASSES],
    room: [u8; ROOM],
}

/// The build replaces its content, so it is read as memory that something else has written.
#[link_section = ".heap"]
static mut HEAP: Heap = Heap {
    made: None,
    top: 0,
    end: 0,
    reserve: RESERVE,
    refused: false,
    owes_failure: false,
    free: [null_mut(); CLASSES],
    room: [0; ROOM],
};

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
    (*heap()).refused
}

/// Whether a system call has to fail because memory is at its end: true once.
pub unsafe fn refuses() -> bool {
    let owes = &raw mut (*heap()).owes_failure;
    owes.replace(false)
}

/// From here on no system call fails for want of memory: the call is undone or reported.
pub unsafe fn use_reserve() {
    (*heap()).owes_failure = false;
    (*heap()).reserve = (*heap()).reserve.min(LAST_RESERVE);
}

/// Maps a stack for the program, so that neither the limit that the caller set for stacks nor one for its address space can
/// end it in the middle of a call. Returns the size in bytes.
pub unsafe fn map_stack() -> usize {
    let mut size = MOST_STACK;
    while map(STACK_TOP - size, size + FIRST) as usize != STACK_TOP - size {
        size /= 2;
        if size < LEAST_STACK {
            (*heap()).refused = true;
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
    (*heap()).end = STACK_TOP + FIRST;
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

/// So many bytes from the region, at most MAPPED_FROM, or 0.
unsafe fn take(size: usize) -> usize {
    let heap = heap();
    if (*heap).top + size + (*heap).reserve > (*heap).end && !grow(size) {
        return 0;
    }
    let at = (*heap).top;
    (*heap).top += size;
    at
}

/// Makes room for so many bytes: from the system, or else from the reserve. After `false` there is more of the reserve.
unsafe fn grow(size: usize) -> bool {
    let heap = heap();
    if (*heap).made.is_none() {
        image::is_full();
    }
    let step = STEP.max(size + RESERVE);
    let more = map((*heap).end, step) as usize;
    if more != 0 {
        if more != (*heap).end {
            (*heap).top = more;
        }
        (*heap).end = more + step;
        return true;
    }
    (*heap).refused = true;
    if (*heap).reserve == RESERVE {
        use_reserve();
        (*heap).owes_failure = true;
    }
    let fits = (*heap).top + size + (*heap).reserve <= (*heap).end;
    if !fits {
        // This fails, so no system call needs to.
        (*heap).owes_failure = false;
        (*heap).reserve = 0;
    }
    fits
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

/// The block of a class that was freed last, or null.
unsafe fn reuse(class: usize) -> *mut c_void {
    let free = &raw mut (*heap()).free[class];
    let found = *free;
    if !found.is_null() {
        *free = *(found as *mut *mut c_void);
    }
    found
}

pub unsafe extern "C" fn allocate(_: *mut c_void, wanted: u64) -> *mut c_void {
    let Some(size) = (wanted as usize).checked_add(HEADER) else { return null_mut() };
    if size > MAPPED_FROM {
        return map_block(size);
    }
    let (class, size) = class_of(size);
    let found = reuse(class);
    if !found.is_null() {
        return found;
    }
    let block = take(size) as *mut usize;
    if block.is_null() {
        // A larger block serves as well, though it is better kept for its own size.
        let mut larger = (class + 1..CLASSES).map(|class| reuse(class));
        return larger.find(|found| !found.is_null()).unwrap_or(null_mut());
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

/// What the compiler asks for where a crate can allocate. None of those here does in this program.
struct NoAllocator;

unsafe impl core::alloc::GlobalAlloc for NoAllocator {
    unsafe fn alloc(&self, _: core::alloc::Layout) -> *mut u8 {
        null_mut()
    }
    unsafe fn dealloc(&self, _: *mut u8, _: core::alloc::Layout) {}
}

#[global_allocator]
static NO_ALLOCATOR: NoAllocator = NoAllocator;
