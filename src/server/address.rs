//! Addresses of data connections as commands and replies write them: PORT and PASV (RFC 959 §4.1.2), EPRT and EPSV
//! (RFC 2428).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};

/// Reads the argument of PORT: `h1,h2,h3,h4,p1,p2`. `None` when it isn't one.
pub(super) fn parse_port(argument: &[u8]) -> Option<SocketAddr> {
    let mut numbers = [0_u8; 6];
    let mut parts = argument.split(|&b| b == b',');
    for number in &mut numbers {
        *number = digits(parts.next()?, 3)?;
    }
    let [a, b, c, d, high, low] = numbers;
    let address = SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low]));
    parts.next().is_none().then_some(address.into())
}

/// Why the argument of EPRT is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EprtError {
    /// Not of the form `|1|132.235.1.2|6275|`.
    Malformed,
    /// A network protocol other than 1 (IPv4) and 2 (IPv6).
    Protocol,
}

/// Reads the argument of EPRT: `|1|132.235.1.2|6275|`, with any printable character in the place of `|`.
pub(super) fn parse_eprt(argument: &[u8]) -> Result<SocketAddr, EprtError> {
    let Some((&delimiter, rest)) = argument.split_first().filter(|(d, _)| d.is_ascii_graphic()) else {
        return Err(EprtError::Malformed);
    };
    let parts: Vec<&[u8]> = rest.split(|&b| b == delimiter).collect();
    let &[protocol, address, port, b""] = parts.as_slice() else { return Err(EprtError::Malformed) };
    let address = str::from_utf8(address).map_err(|_| EprtError::Malformed)?;
    let address: Option<IpAddr> = match digits::<u16>(protocol, 5).ok_or(EprtError::Malformed)? {
        1 => address.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        2 => address.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => return Err(EprtError::Protocol),
    };
    match (address, digits(port, 5)) {
        (Some(address), Some(port)) => Ok(SocketAddr::new(address, port)),
        _ => Err(EprtError::Malformed),
    }
}

/// Returns the text of the reply to PASV.
pub(super) fn pasv_text(address: Ipv4Addr, port: u16) -> String {
    let [a, b, c, d] = address.octets();
    let [high, low] = port.to_be_bytes();
    format!("Entering Passive Mode ({a},{b},{c},{d},{high},{low}).")
}

/// Returns the text of the reply to EPSV.
pub(super) fn epsv_text(port: u16) -> String {
    format!("Entering Extended Passive Mode (|||{port}|)")
}

/// Reads one to `most` digits and nothing else.
fn digits<T: std::str::FromStr>(text: &[u8], most: usize) -> Option<T> {
    let form = !text.is_empty() && text.len() <= most && text.iter().all(u8::is_ascii_digit);
    str::from_utf8(text).ok().filter(|_| form)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn port_is_six_numbers() {
        assert_eq!(parse_port(b"127,0,0,1,4,5"), Some("127.0.0.1:1029".parse().unwrap()));
        assert_eq!(parse_port(b"010,0,0,1,255,255"), Some("10.0.0.1:65535".parse().unwrap()));
        for wrong in [
            "",
            "1,2,3,4,5",
            "1,2,3,4,5,6,7",
            "256,0,0,1,4,5",
            "1,2,3,4,5,-6",
            "1,2,3,4,5,+6",
            "1,2,3,4,5, 6",
            "1,,3,4,5,6",
            "1,2,3,4,5,6,",
        ] {
            assert_eq!(parse_port(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn eprt_takes_both_protocols_and_any_delimiter() {
        assert_eq!(parse_eprt(b"|1|127.0.0.1|1029|"), Ok("127.0.0.1:1029".parse().unwrap()));
        assert_eq!(parse_eprt(b"!2!::1!6446!"), Ok("[::1]:6446".parse().unwrap()));
        assert_eq!(parse_eprt(b"|3|127.0.0.1|1029|"), Err(EprtError::Protocol));
        for wrong in [
            "",
            "|",
            "|1|127.0.0.1|1029",
            "|1|::1|1029|",
            "|2|127.0.0.1|1029|",
            "|1|127.0.0.1|65536|",
            "|1|127.0.0.1||",
            "|1|127.0.0.1|1029|x",
            " 1 127.0.0.1 1029 ",
        ] {
            assert_eq!(parse_eprt(wrong.as_bytes()), Err(EprtError::Malformed), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_pasv_says_port_reads(address: Ipv4Addr, port: u16) {
            let text = pasv_text(address, port);
            let inner = text.split(['(', ')']).nth(1).unwrap();
            prop_assert_eq!(parse_port(inner.as_bytes()), Some((address, port).into()));
        }

        #[test]
        fn eprt_reads_what_rfc_2428_writes(address: IpAddr, port: u16) {
            let protocol = if address.is_ipv4() { 1 } else { 2 };
            let text = format!("|{protocol}|{address}|{port}|");
            prop_assert_eq!(parse_eprt(text.as_bytes()), Ok((address, port).into()));
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let _ = (parse_port(&bytes), parse_eprt(&bytes));
        }
    }
}
