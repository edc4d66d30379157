//! The hashes that are on disk and in names: equal, byte for byte, to those of the other engine.
use crate::values::{arguments, with_bytes};
use core::ffi::c_int;
use rquickjs_sys::*;
use sha2::{Digest, Sha256, Sha512};

/// `hash(bits, data, seed)`: wyhash has 64 bits and is a bigint, xxHash has 32 and is a number. SHA-2 has 256 or 512 and
/// is bytes, and no seed.
pub unsafe extern "C" fn hash(context: *mut JSContext, _: JSValue, argc: c_int, argv: *mut JSValue) -> JSValue {
    let [bits, data, number] = arguments(argc, argv);
    let mut seed = 0;
    if JS_ToInt64Ext(context, &mut seed, number) != 0 {
        return JS_EXCEPTION;
    }
    let array = |digest: &[u8]| JS_NewUint8ArrayCopy(context, digest.as_ptr(), digest.len() as _);
    with_bytes(context, data, |data| match JS_VALUE_GET_INT(bits) {
        32 => JS_NewNumber(context, xxhash_rust::xxh32::xxh32(data, seed as u32).into()),
        64 => JS_NewBigUint64(context, wyhash(data, seed as u64)),
        256 => array(&Sha256::digest(data)),
        _ => array(&Sha512::digest(data)),
    })
}

const SECRET: [u64; 4] = [0xa0761d6478bd642f, 0xe7037ed1a0b428db, 0x8ebc6af09c88c6e3, 0x589965cc75374cc3];

fn mix(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}

/// The `size` bytes at `at`, at most eight.
fn word(data: &[u8], at: usize, size: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes[..size].copy_from_slice(&data[at..at + size]);
    u64::from_le_bytes(bytes)
}

/// wyhash of 64 bits in the variant of Zig's standard library.
fn wyhash(data: &[u8], seed: u64) -> u64 {
    let length = data.len();
    let mut state = [seed ^ mix(seed ^ SECRET[0], SECRET[1]); 3];
    let (a, b) = match length {
        0 => (0, 0),
        1..4 => ((data[0] as u64) << 16 | (data[length >> 1] as u64) << 8 | data[length - 1] as u64, 0),
        4..17 => {
            let (quarter, end) = (length >> 3 << 2, length - 4);
            let pair = |first, second| word(data, first, 4) << 32 | word(data, second, 4);
            (pair(0, quarter), pair(end, end - quarter))
        }
        _ => {
            let mut at = 0;
            while at + 48 < length {
                for lane in 0..3 {
                    let (first, second) = (word(data, at, 8), word(data, at + 8, 8));
                    state[lane] = mix(first ^ SECRET[lane + 1], second ^ state[lane]);
                    at += 16;
                }
            }
            state[0] ^= state[1] ^ state[2];
            while at + 16 < length {
                state[0] = mix(word(data, at, 8) ^ SECRET[1], word(data, at + 8, 8) ^ state[0]);
                at += 16;
            }
            (word(data, length - 16, 8), word(data, length - 8, 8))
        }
    };
    let product = (a ^ SECRET[1]) as u128 * (b ^ state[0]) as u128;
    mix(product as u64 ^ SECRET[0] ^ length as u64, (product >> 64) as u64 ^ SECRET[1])
}
