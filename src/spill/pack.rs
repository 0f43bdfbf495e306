//! Values as bytes, in as few as they need: most numbers are small, and most paths begin as the one before them.

/// Writes the values of one record after the other.
#[derive(Debug)]
pub struct Packer<'o> {
    out: &'o mut Vec<u8>,
    before: &'o mut Vec<u8>,
}

impl<'o> Packer<'o> {
    /// Writes to `out`; `before` is what the last path was, empty at the beginning.
    pub fn new(out: &'o mut Vec<u8>, before: &'o mut Vec<u8>) -> Self {
        Self { out, before }
    }

    /// Writes a number, seven bits to a byte.
    pub fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.out.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.out.push(number as u8);
    }

    /// Writes a number that may be below 0.
    pub fn signed(&mut self, number: i64) {
        self.number(((number << 1) ^ (number >> 63)) as u64);
    }

    /// Writes which of a few things it is.
    pub fn place<T: PartialEq + Copy>(&mut self, all: &[T], one: T) {
        self.number(all.iter().position(|other| *other == one).unwrap_or_default() as u64);
    }

    /// Writes bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    /// Writes bytes that are likely to begin as those did that were last written so.
    pub fn similar(&mut self, bytes: &[u8]) {
        let shared = same_bytes(bytes, self.before);
        self.number(shared as u64);
        self.bytes(&bytes[shared..]);
        self.before.truncate(shared);
        self.before.extend_from_slice(&bytes[shared..]);
    }
}

/// Reads what a [`Packer`] wrote. What isn't that is `None`.
#[derive(Debug)]
pub struct Unpacker<'b> {
    rest: &'b [u8],
    before: Vec<u8>,
}

impl<'b> Unpacker<'b> {
    /// Reads from the beginning.
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes, before: Vec::new() }
    }

    /// Goes on where another one was left.
    pub(super) fn resume(rest: &'b [u8], before: Vec<u8>) -> Self {
        Self { rest, before }
    }

    /// Returns what is left, as a number of bytes, and what [`Unpacker::resume`] takes beside them.
    pub(super) fn leave(self) -> (usize, Vec<u8>) {
        (self.rest.len(), self.before)
    }

    /// Returns whether nothing is left.
    pub fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// Reads a number.
    pub fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// Reads a number that may be below 0.
    pub fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// Reads which of a few things it is.
    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        all.get(usize::try_from(self.number()?).ok()?).copied()
    }

    /// Reads bytes.
    pub fn bytes(&mut self) -> Option<&'b [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }

    /// Reads bytes that were written as similar to those before.
    pub fn similar(&mut self) -> Option<&[u8]> {
        let shared = usize::try_from(self.number()?).ok()?;
        let own = self.bytes()?;
        if shared > self.before.len() {
            return None;
        }
        self.before.truncate(shared);
        self.before.extend_from_slice(own);
        Some(&self.before)
    }
}

/// Returns how many bytes are the same at the beginning of both. Paths of one directory have many, so eight are looked at together.
pub fn same_bytes(a: &[u8], b: &[u8]) -> usize {
    let words = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    let (a_words, b_words) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    let same = a_words.iter().zip(b_words).take_while(|(a, b)| words(a) == words(b)).count() * 8;
    same + a[same..].iter().zip(&b[same..]).take_while(|(a, b)| a == b).count()
}
