//! The memory of the engine: blocks from one region that grows, recycled by size.
//!
//! The engine serves small objects itself, from pages of 4 KiB that it takes here. So blocks are few and mostly equal.
//!
//! The region begins in the section `.heap`. While the program is built, all that the engine makes until the sources are
//! loaded goes there, and its pages become the end of the file (image.rs). So a plugin starts with them.
use core::ffi::c_void;
use core::ptr::null_mut;

use crate::image::Made;
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
/// What stays back for the report that memory has run out.
const RESERVE: usize = 128 << 10;

/// Room for what the image holds.
const ROOM: usize = 4 << 20;

/// All memory that has its content when the program starts.
#[repr(C, align(4096))]
pub struct Heap {
    /// What was made before the image was taken; none in the program that takes it.
    pub made: Option<Made>,
    top: usize,
    end: usize,
    reserve: usize,
    free: [*mut c_void; CLASSES],
    room: [u8; ROOM],
}

#[link_section = ".heap"]
pub static mut HEAP: Heap =
    Heap { made: None, top: 0, end: 0, reserve: RESERVE, free: [null_mut(); CLASSES], room: [0; ROOM] };

/// Begins to fill the room of the image.
pub unsafe fn begin_image() {
    let heap = &mut *(&raw mut HEAP);
    heap.top = heap.room.as_ptr() as usize;
    heap.end = heap.top + ROOM;
}

/// Ends the image: from here on the region has the pages in use and no more. Behind them come the chunks `rest`, which
/// `made.chunks` is set to. Returns the pages.
pub unsafe fn end_image(mut made: Made, rest: &[u8]) -> &'static [u8] {
    let heap = &mut *(&raw mut HEAP);
    let start = &raw const HEAP as usize;
    heap.end = (heap.top + 4095) & !4095;
    made.chunks = core::slice::from_raw_parts(heap.end as *const u8, rest.len());
    heap.made = Some(made);
    core::slice::from_raw_parts(start as *const u8, heap.end - start)
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

/// So many bytes from the region, or 0. After the first 0 the reserve is there for the report.
unsafe fn take(size: usize) -> usize {
    let region = &mut *(&raw mut HEAP);
    if region.top + size + region.reserve > region.end {
        let more = map(STEP.max(size + RESERVE)) as usize;
        if more == 0 {
            region.reserve = 0;
            return 0;
        }
        if more != region.end {
            region.top = more;
        }
        region.end = more + STEP.max(size + RESERVE);
    }
    let at = region.top;
    region.top += size;
    at
}

pub unsafe extern "C" fn allocate(_: *mut c_void, wanted: u64) -> *mut c_void {
    let Some(size) = (wanted as usize).checked_add(HEADER) else { return null_mut() };
    if size > MAPPED_FROM {
        let Some(size) = size.checked_add(4095).map(|size| size & !4095) else { return null_mut() };
        let block = map(size);
        if block.is_null() {
            return block;
        }
        *(block as *mut usize) = size;
        return block.add(HEADER);
    }
    let (class, size) = class_of(size);
    let region = &mut *(&raw mut HEAP);
    let found = region.free[class];
    if !found.is_null() {
        region.free[class] = *(found as *mut *mut c_void);
        return found;
    }
    let block = take(size) as *mut usize;
    if block.is_null() {
        return null_mut();
    }
    *block = size;
    block.byte_add(HEADER) as *mut c_void
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
    let region = &mut *(&raw mut HEAP);
    *(block as *mut *mut c_void) = region.free[class];
    region.free[class] = block;
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
    if block.is_null() { 0 } else { (*(block.sub(HEADER) as *const usize) - HEADER) as u64 }
}
