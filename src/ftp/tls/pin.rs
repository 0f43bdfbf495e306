//! A certificate known by its fingerprint.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// The SHA-256 of a certificate as it goes over the wire (DER), which `openssl x509 -fingerprint -sha256` shows too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin([u8; 32]);

impl Pin {
    /// Returns the pin of a certificate.
    pub fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }
}

/// In lower-case hexadecimal digits.
impl Display for Pin {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Reads 64 hexadecimal digits, with colons between bytes or without, and `sha256:` before them or not.
impl FromStr for Pin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "a pin is the SHA-256 of a certificate: 64 hexadecimal digits";
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        let digits: Vec<u8> = digits.bytes().filter(|&b| b != b':').collect();
        if digits.len() != 64 {
            return Err(WRONG);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let digit = |d: u8| char::from(d).to_digit(16).and_then(|d| u8::try_from(d).ok());
            *byte = digit(pair[0]).zip(digit(pair[1])).map(|(high, low)| high << 4 | low).ok_or(WRONG)?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pin_is_read_as_it_is_written() {
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Pin::of(b"abc").to_string(), text);
        let bytes: Vec<String> =
            text.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).to_uppercase()).collect();
        for written in [text.to_owned(), format!("sha256:{text}"), bytes.join(":")] {
            assert_eq!(written.parse(), Ok(Pin::of(b"abc")), "{written}");
        }
        for wrong in ["", "sha256:", &text[1..], &text.replace('b', "g"), "sha1:ba78"] {
            assert!(wrong.parse::<Pin>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_pin_or_none(text: String) {
            if let Ok(pin) = text.parse::<Pin>() {
                prop_assert_eq!(pin.to_string().parse(), Ok(pin));
            }
        }
    }
}
