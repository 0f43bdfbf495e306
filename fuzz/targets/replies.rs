//! Replies: whatever comes, in whatever pieces, reads the same, and what was read can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oneway::ftp::reply::{Limits, Reply, ReplyParser};

fn read(pieces: impl Iterator<Item = Vec<u8>>) -> (Vec<Reply>, bool) {
    let (mut parser, mut replies) = (ReplyParser::default(), Vec::new());
    for piece in pieces {
        let mut rest = &piece[..];
        while !rest.is_empty() {
            match parser.push(rest, Limits::PLAIN) {
                Ok((taken, reply)) => {
                    rest = &rest[taken..];
                    replies.extend(reply);
                }
                Err(_) => return (replies, true),
            }
        }
    }
    (replies, false)
}

fuzz_target!(|bytes: &[u8]| {
    let (whole, failed) = read(std::iter::once(bytes.to_vec()));
    assert_eq!((whole.clone(), failed), read(bytes.chunks(1).map(<[u8]>::to_vec)));
    for reply in whole {
        let mut written = Vec::new();
        reply.encode(&mut written);
        let _ = reply.to_string();
    }
});
