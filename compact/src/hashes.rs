//! The hashes that are on disk and in names: equal, byte for byte, to those of the other engine.
use sha2::{Digest, Sha256, Sha512};

const SECRET: [u64; 4] = [0xa0761d6478bd642f, 0xe7037ed1a0b428db, 0x8ebc6af09c88c6e3, 0x589965cc75374cc3];

fn mix(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}

fn word(data: &[u8], at: usize, size: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes[..size].copy_from_slice(&data[at..at + size]);
    u64::from_le_bytes(bytes)
}

/// wyhash of 64 bits in the variant of Zig's standard library.
pub fn hash64(data: &[u8], seed: u64) -> u64 {
    let first = seed ^ mix(seed ^ SECRET[0], SECRET[1]);
    let mut state = [first; 3];
    let length = data.len();
    let (a, b) = if length > 16 {
        let mut at = 0;
        if length >= 48 {
            while at + 48 < length {
                for lane in 0..3 {
                    let from = at + 16 * lane;
                    state[lane] = mix(word(data, from, 8) ^ SECRET[lane + 1], word(data, from + 8, 8) ^ state[lane]);
                }
                at += 48;
            }
            state[0] ^= state[1] ^ state[2];
        }
        while at + 16 < length {
            state[0] = mix(word(data, at, 8) ^ SECRET[1], word(data, at + 8, 8) ^ state[0]);
            at += 16;
        }
        (word(data, length - 16, 8), word(data, length - 8, 8))
    } else if length >= 4 {
        let quarter = (length >> 3) << 2;
        let end = length - 4;
        (word(data, 0, 4) << 32 | word(data, quarter, 4), word(data, end, 4) << 32 | word(data, end - quarter, 4))
    } else if length > 0 {
        let (first, middle, last) = (data[0], data[length >> 1], data[length - 1]);
        ((first as u64) << 16 | (middle as u64) << 8 | last as u64, 0)
    } else {
        (0, 0)
    };
    let product = (a ^ SECRET[1]) as u128 * (b ^ state[0]) as u128;
    mix(product as u64 ^ SECRET[0] ^ length as u64, (product >> 64) as u64 ^ SECRET[1])
}

pub fn hash32(data: &[u8], seed: u32) -> u32 {
    xxhash_rust::xxh32::xxh32(data, seed)
}

pub fn sha256(data: &[u8]) -> [u8; 32] {
    Sha256::digest(data).into()
}

pub fn sha512(data: &[u8]) -> [u8; 64] {
    Sha512::digest(data).into()
}
