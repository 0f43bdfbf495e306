use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::model::escape;

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

fn at(seconds: i64) -> Mtime {
    Mtime::from_unix(seconds, 0).unwrap()
}

fn sent(size: u64, second: i64) -> Receipt {
    let listed = Mtime { zone: Zone::Unknown, ..at(second) };
    let source = Seen { size, listed: Some(listed), exact: Some(at(second)), fresh: false };
    let destination = Seen { listed: None, ..source };
    Receipt { source, destination, hash: Some([7; 32]), undated: false }
}

fn packed(receipts: &Receipts) -> Vec<u8> {
    pack(receipts, PACK_LIMITS).unwrap()
}

fn unpacked(file: &[u8]) -> Result<Receipts, PackError> {
    unpack(file, PACK_LIMITS)
}

/// Puts the right checksum behind what somebody forged.
fn sealed(content: &[u8]) -> Vec<u8> {
    [content, blake3::hash(content).as_bytes()].concat()
}

fn forged(records: &[u8]) -> Vec<u8> {
    sealed(&[MAGIC, &[VERSION], records].concat())
}

/// A record of a file without times and hash, whose path shares nothing.
fn record(name: &[u8]) -> Vec<u8> {
    [&[0, name.len() as u8], name, &flag::SAME_SIZE.to_le_bytes(), &[5]].concat()
}

#[test]
fn no_receipts_are_a_file_too() {
    assert_eq!(unpacked(&packed(&Receipts::new())), Ok(Receipts::new()));
}

#[test]
fn what_is_not_whole_is_not_believed() {
    let receipts: Receipts = (0..50).map(|i| (path(&format!("d/f{i}")), sent(i, 1_700_000_000))).collect();
    let file = packed(&receipts);
    for length in 0..file.len() {
        let why = unpacked(&file[..length]).unwrap_err();
        assert_eq!(why, if length < MAGIC.len() { PackError::Foreign } else { PackError::Checksum });
    }
    for i in 0..file.len() {
        let mut harmed = file.clone();
        harmed[i] ^= 0x10;
        assert!(unpacked(&harmed).is_err(), "byte {i}");
    }
    let more = [&file[..], b"x"].concat();
    assert_eq!(unpacked(&more), Err(PackError::Checksum));
    assert_eq!(unpacked(&vec![0; file.len()]), Err(PackError::Foreign));
    let newer = sealed(&[MAGIC, &[VERSION + 1], b"whatever comes then"].concat());
    assert_eq!(unpacked(&newer), Err(PackError::Version(VERSION + 1)));
}

#[test]
fn a_forged_file_is_not_believed() {
    use PackError::*;
    assert_eq!(unpacked(&forged(&record(b"a"))).unwrap().len(), 1, "the forger's tools are good");
    let again = |record: &[u8]| [record, record].concat();
    let huge = [0xff; 12];
    let exact_again = (flag::EXACT_AGAIN | flag::SAME_SIZE).to_le_bytes();
    for (records, why) in [
        (record(b"../x"), Path(PathError::Dots)),
        (record(b"/etc/passwd"), Path(PathError::Absolute)),
        (record(b"a//b"), Path(PathError::Empty)),
        (record(b"."), Path(PathError::Dots)),
        (record(b"a\nDELE b"), Path(PathError::Control)),
        (record(b""), Path(PathError::Empty)),
        (again(&record(b"a")), Malformed("its paths are not in order")),
        ([record(b"b"), record(b"a")].concat(), Malformed("its paths are not in order")),
        ([&[1, 1], &record(b"a")[2..]].concat(), Malformed("a path shares more than there is")),
        ([&huge[..], &record(b"a")].concat(), Malformed("a number has more than 64 bits")),
        (record(b"a")[..4].to_vec(), Malformed("a record is cut short")),
        (vec![0, 0x7f, b'a'], Malformed("a record is cut short")),
        (
            [&[0, 1, b'a', 0, 0x80], &[5][..]].concat(),
            Malformed("a record has flags that nothing is known of"),
        ),
        ([&[0, 1, b'a'], &exact_again[..], &[5]].concat(), Malformed("a time is the same as none")),
    ] {
        assert_eq!(unpacked(&forged(&records)), Err(why), "{}", escape(&records));
    }
}

#[test]
fn few_bytes_do_not_become_many() {
    // Each record repeats a long path for some bytes.
    let long = [b'a'; 4000];
    let mut records = [&[0, 0xa0, 0x1f][..], &long, &flag::SAME_SIZE.to_le_bytes(), &[0]].concat();
    for _ in 0..1000 {
        // All of the path before, and one more byte.
        let shared = 4000 + (records.len() - 4006) / 7;
        records.extend([shared as u8 & 0x7f | 0x80, (shared >> 7) as u8, 1, b'a']);
        records.extend(flag::SAME_SIZE.to_le_bytes());
        records.push(0);
    }
    let file = forged(&records);
    assert_eq!(unpack(&file, PACK_LIMITS), Err(PackError::TooLarge), "a path of more than 4096 bytes");
    let longer = PackLimits { path_bytes: usize::MAX, ..PACK_LIMITS };
    assert_eq!(unpack(&file, longer).unwrap().len(), 1001);
    assert_eq!(unpack(&file, PackLimits { all_path_bytes: 1 << 20, ..longer }), Err(PackError::TooLarge));
    assert_eq!(unpack(&file, PackLimits { receipts: 1000, ..longer }), Err(PackError::TooLarge));
    assert_eq!(unpack(&file, PackLimits { bytes: 1000, ..longer }), Err(PackError::TooLarge));
}

#[test]
fn what_could_not_be_read_again_is_not_written() {
    let receipts = Receipts::from([(path("abc"), sent(1, 0)), (path("d"), sent(1, 0))]);
    for limits in [
        PackLimits { bytes: 100, ..PACK_LIMITS },
        PackLimits { receipts: 1, ..PACK_LIMITS },
        PackLimits { path_bytes: 2, ..PACK_LIMITS },
        PackLimits { all_path_bytes: 3, ..PACK_LIMITS },
    ] {
        assert_eq!(pack(&receipts, limits), Err(PackError::TooLarge), "{limits:?}");
    }
}

#[test]
fn a_file_costs_some_fifty_bytes() {
    let receipts: Receipts = (0u64..1000)
        .map(|i| {
            let name = format!("assets/images/{}/picture-{i:05}.webp", i % 40);
            (path(&name), sent(1000 + i * 7919 % 90_000, 1_790_000_000 + (i * 13 % 100) as i64))
        })
        .collect();
    let bytes = packed(&receipts).len();
    assert!(bytes < 60 * receipts.len(), "{bytes} bytes");
}

fn mtime() -> impl Strategy<Value = Mtime> {
    let precisions = prop_oneof![Just(Precision::Second), Just(Precision::Minute), Just(Precision::Day)];
    (-4_000_000_000i64..9_000_000_000, precisions).prop_map(|(s, precision)| Mtime {
        precision,
        zone: Zone::Unknown,
        ..at(s)
    })
}

fn seen() -> impl Strategy<Value = Seen> {
    let exact = option::of(prop_oneof![Just(at(0)), (-4_000_000_000i64..9_000_000_000).prop_map(at)]);
    let epoch = Mtime { zone: Zone::Unknown, ..at(0) };
    let listed = option::of(prop_oneof![Just(epoch), mtime()]);
    (prop_oneof![0..3u64, any::<u64>()], listed, exact, any::<bool>())
        .prop_map(|(size, listed, exact, fresh)| Seen { size, listed, exact, fresh })
}

fn receipt() -> impl Strategy<Value = Receipt> {
    (seen(), seen(), option::of(any::<[u8; 32]>()), any::<bool>())
        .prop_map(|(source, destination, hash, undated)| Receipt { source, destination, hash, undated })
}

proptest! {
    #[test]
    fn receipts_come_back_as_they_were(all in btree_map("[a-c.é]{1,3}(/[a-c -]{1,3}){0,3}", receipt(), 0..20)) {
        let receipts: Receipts =
            all.into_iter().filter_map(|(name, receipt)| Some((RelPath::parse(name).ok()?, receipt))).collect();
        let file = packed(&receipts);
        prop_assert_eq!(packed(&receipts), file.clone(), "the same receipts are the same file");
        prop_assert_eq!(unpacked(&file), Ok(receipts));
    }

    #[test]
    fn any_bytes_are_receipts_or_an_error(bytes: Vec<u8>, sealing in 0..3) {
        let file = match sealing {
            0 => bytes,
            1 => sealed(&[MAGIC, &bytes].concat()),
            _ => forged(&bytes),
        };
        if let Ok(receipts) = unpacked(&file) {
            prop_assert_eq!(unpacked(&packed(&receipts)), Ok(receipts));
        }
    }

    /// Records with something changed in them, for arbitrary bytes seldom get far.
    #[test]
    fn what_was_tampered_with_is_receipts_or_an_error(
        all in btree_map("[a-c]{1,3}", receipt(), 1..5), at: prop::sample::Index, with in vec(any::<u8>(), 0..4),
    ) {
        let receipts: Receipts = all.into_iter().map(|(name, receipt)| (path(&name), receipt)).collect();
        let file = packed(&receipts);
        let mut content = file[..file.len() - HASH_BYTES].to_vec();
        let at = MAGIC.len() + 1 + at.index(content.len() - MAGIC.len() - 1);
        content.splice(at..(at + 1).min(content.len()), with);
        if let Ok(receipts) = unpacked(&sealed(&content)) {
            prop_assert_eq!(unpacked(&packed(&receipts)), Ok(receipts));
        }
    }
}
