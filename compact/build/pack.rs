//! Packs chunks in the format of LZ4, with a dictionary, as small as can be without many steps to unpack them.
use std::collections::{HashMap, HashSet};

/// As in ../src/chunks.rs.
pub const DICTIONARY: usize = 32 << 10;

/// How long a piece of bytecode is that two chunks may share.
const PIECE: usize = 6;

fn pieces_of(code: &[u8]) -> HashSet<Vec<u8>> {
    code.windows(PIECE).map(<[u8]>::to_vec).collect()
}

/// Puts those chunks first that repeat most of other chunks for their length, as many as the dictionary takes.
pub fn put_dictionary_first<T>(chunks: &mut [T], code_of: impl Fn(&T) -> &[u8]) {
    let mut holders = HashMap::new();
    for piece in chunks.iter().flat_map(|chunk| pieces_of(code_of(chunk))) {
        *holders.entry(piece).or_insert(0) += 1;
    }
    let (mut first, mut length) = (0, 0);
    while first < chunks.len() && length < DICTIONARY {
        let worth = |chunk: &T| {
            let shared: usize = pieces_of(code_of(chunk)).iter().map(|piece| holders[piece] - 1).sum();
            1000 * shared / code_of(chunk).len().max(1)
        };
        let best = (first..chunks.len()).max_by_key(|&index| worth(&chunks[index])).expect("one is left");
        chunks.swap(first, best);
        // The dictionary needs each piece once.
        for piece in pieces_of(code_of(&chunks[first])) {
            holders.insert(piece, 1);
        }
        length += code_of(&chunks[first]).len();
        first += 1;
    }
}

/// The format's limits: the shortest match, how far from the end the last one begins, and how far from it it ends.
const SHORTEST: usize = 4;
const LAST_BEGIN: usize = 12;
const LAST_END: usize = 5;

/// What a match counts: its three bytes, and two more for the time that it takes. Without those the file would be 12 KB
/// smaller, and CHECK would execute 0.5 % more instructions.
const MATCH: usize = 5;

/// A match: its length, and how far back what it repeats begins. A length of 1 is a byte as it is.
type Step = (usize, usize);

/// The longest match at each place of `code`, which stands in `all` behind the dictionary.
fn longest_matches(all: &[u8], code: &[u8]) -> Vec<Step> {
    let mut places: HashMap<&[u8], Vec<usize>> = HashMap::new();
    let start = all.len() - code.len();
    let mut found = vec![(1, 0); code.len()];
    for (at, key) in all.windows(SHORTEST).enumerate() {
        let earlier = places.entry(key).or_default();
        if at >= start && at + LAST_BEGIN <= all.len() {
            let room = &all[at..all.len() - LAST_END];
            let length = |from: usize| room.iter().zip(&all[from..]).take_while(|(a, b)| a == b).count();
            let best = earlier.iter().map(|&from| (length(from), at - from)).max_by_key(|&(length, _)| length);
            found[at - start] = best.unwrap_or((1, 0));
        }
        earlier.push(at);
    }
    found
}

/// The bytes that a length takes beside its half of a byte.
fn more(length: usize) -> Vec<u8> {
    if length < 15 {
        return Vec::new();
    }
    let mut bytes = vec![255; (length - 15) / 255];
    bytes.push(((length - 15) % 255) as u8);
    bytes
}

/// Adds bytes as they are, and a match behind them if there is one.
fn add(packed: &mut Vec<u8>, plain: &[u8], (length, distance): Step) {
    let matched = length.saturating_sub(SHORTEST);
    packed.push((plain.len().min(15) << 4 | matched.min(15)) as u8);
    packed.extend(more(plain.len()));
    packed.extend(plain);
    if distance > 0 {
        packed.extend((distance as u16).to_le_bytes());
        packed.extend(more(matched));
    }
}

/// The packed bytes. What they repeat begins in them or in the dictionary.
pub fn pack(code: &[u8], dictionary: &[u8]) -> Vec<u8> {
    let all = [dictionary, code].concat();
    assert!(all.len() < 1 << 16, "a chunk is too large for the format's distances");
    let mut steps = longest_matches(&all, code);
    // From the end: the least that all that follows costs.
    let mut costs = vec![0; code.len() + 1];
    for at in (0..code.len()).rev() {
        let (longest, distance) = steps[at];
        costs[at] = costs[at + 1] + 1;
        steps[at] = (1, 0);
        for length in SHORTEST..=longest {
            let cost = costs[at + length] + MATCH + more(length - SHORTEST).len();
            if cost < costs[at] {
                costs[at] = cost;
                steps[at] = (length, distance);
            }
        }
    }
    let mut packed = Vec::new();
    let (mut plain, mut at) = (0, 0);
    while at < code.len() {
        let step = steps[at];
        if step.1 > 0 {
            add(&mut packed, &code[plain..at], step);
            plain = at + step.0;
        }
        at += step.0;
    }
    add(&mut packed, &code[plain..], (0, 0));
    packed
}
