//! Fingerprints of what was said.

use postcard::ser_flavors::Flavor;
use serde::Serialize;

/// A fingerprint of everything it was fed, the same on every platform: like FNV-1a, but eight bytes at a time.
#[derive(Clone, Debug)]
pub struct Digest {
    state: u64,
    word: u64,
    filled: u32, // Bits of `word`.
}

impl Default for Digest {
    fn default() -> Self {
        Self { state: 0xcbf2_9ce4_8422_2325, word: 0, filled: 0 }
    }
}

impl Digest {
    /// Feeds a value, encoded as postcard does, where the size of a machine word makes no difference.
    pub fn feed(&mut self, value: &impl Serialize) {
        postcard::serialize_with_flavor(value, Feed(self)).expect("a digest has room, and our words all encode");
    }

    /// The fingerprint so far.
    pub fn value(&self) -> u64 {
        let mut last = self.clone();
        last.mix(self.word);
        last.mix(self.filled.into()); // Tells trailing zeros from nothing.
        last.state
    }

    fn mix(&mut self, word: u64) {
        let mixed = (self.state ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.state = mixed ^ mixed >> 29; // Words are longer than FNV's bytes, so high bits must come down again.
    }

    fn byte(&mut self, byte: u8) {
        self.word |= u64::from(byte) << self.filled;
        self.filled += 8;
        if self.filled == 64 {
            self.mix(self.word);
            (self.word, self.filled) = (0, 0);
        }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        let (chunks, rest) = bytes.as_chunks::<8>();
        for chunk in chunks {
            let word = u64::from_le_bytes(*chunk);
            self.mix(self.word | word << self.filled);
            self.word = word.checked_shr(64 - self.filled).unwrap_or(0);
        }
        for byte in rest {
            self.byte(*byte);
        }
    }
}

struct Feed<'a>(&'a mut Digest);

impl Flavor for Feed<'_> {
    type Output = ();

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.0.bytes(data);
        Ok(())
    }

    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.0.byte(data);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Instant;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn hash(bytes: &[u8]) -> u64 {
        let mut digest = Digest::default();
        digest.bytes(bytes);
        digest.value()
    }

    proptest! {
        #[test]
        fn a_digest_does_not_see_how_bytes_were_cut(bytes: Vec<u8>, cut: usize) {
            let cut = cut % (bytes.len() + 1);
            let mut digest = Digest::default();
            digest.bytes(&bytes[..cut]);
            for byte in &bytes[cut..] {
                digest.byte(*byte);
            }
            prop_assert_eq!(digest.value(), hash(&bytes));
        }

        #[test]
        fn a_digest_sees_every_bit_and_every_byte(bytes in proptest::collection::vec(any::<u8>(), 1..40), bit: usize) {
            let mut changed = bytes.clone();
            changed[bit / 8 % bytes.len()] ^= 1 << (bit % 8);
            prop_assert_ne!(hash(&changed), hash(&bytes));
            changed = bytes.clone();
            changed.push(0);
            prop_assert_ne!(hash(&changed), hash(&bytes));
        }
    }

    #[test]
    fn a_digest_keeps_its_meaning() {
        let mut digest = Digest::default();
        digest.feed(&(Instant::from_millis(5), -3_i32, "text", 7_usize, [1.5_f64; 3]));
        assert_eq!(digest.value(), 8_040_843_289_115_469_641);
    }
}
