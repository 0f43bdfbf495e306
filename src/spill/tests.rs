use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Word(pub(super) Vec<u8>, pub(super) u64, pub(super) i64);

impl Record for Word {
    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }

    fn weight(&self) -> usize {
        self.0.len() + 40
    }

    fn pack(&self, packer: &mut Packer<'_>) {
        packer.similar(&self.0);
        packer.number(self.1);
        packer.signed(self.2);
    }

    fn unpack(unpacker: &mut Unpacker<'_>) -> Option<Self> {
        let word = unpacker.similar()?.to_vec();
        Some(Self(word, unpacker.number()?, unpacker.signed()?))
    }
}

fn sorted(words: &[Word], spill: &Spill) -> Sorted<Word> {
    let mut sorter = Sorter::new(spill.clone());
    for word in words {
        sorter.push(word.clone()).unwrap();
    }
    sorter.sorted().unwrap()
}

fn words() -> impl Strategy<Value = Vec<Word>> {
    let word = (proptest::collection::vec(0_u8..4, 0..300), any::<u64>(), any::<i64>());
    proptest::collection::vec(word.prop_map(|(bytes, a, b)| Word(bytes, a, b)), 0..600)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn on_disk_is_as_in_memory(mut words in words(), most in 0_u64..100_000, in_order in 0_usize..=600) {
        // What is in order goes from one file to the next without a look at it.
        let in_order = in_order.min(words.len());
        words[..in_order].sort_unstable();
        let dir = tempfile::tempdir().unwrap();
        let spill = Spill::to(dir.path().to_owned(), most);
        let (held, put) = (sorted(&words, &Spill::never()), sorted(&words, &spill));
        prop_assert!(held.as_held().is_some());
        prop_assert_eq!(put.len(), words.len());
        prop_assert!(held.iter().eq(put.iter()));
        for word in words.iter().step_by(7) {
            let found = put.find(|other| other.cmp(word));
            prop_assert_eq!(found.as_deref(), Some(word));
            prop_assert!(held.iter_from(|other| other < word).eq(put.iter_from(|other| other < word)));
            let other = Word(word.0.clone(), word.1.wrapping_add(1), word.2);
            prop_assert_eq!(put.find(|o| o.cmp(&other)), held.find(|o| o.cmp(&other)));
        }
        prop_assert!(spill.check().is_ok());
        prop_assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing has a name");
    }

    #[test]
    fn neighbours_may_be_given_together(
        words in words(),
        lengths in proptest::collection::vec(1_usize..20, 600),
        order in any::<u64>(),
        most in 0_u64..200_000,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let spill = Spill::to(dir.path().to_owned(), most);
        let held = sorted(&words, &Spill::never());
        let mut rest: &[Word] = held.as_held().unwrap();
        let mut stretches = Vec::new();
        for length in lengths {
            let (stretch, behind) = rest.split_at(length.min(rest.len()));
            stretches.push(stretch);
            rest = behind;
        }
        stretches.sort_by_key(|stretch| stretch.first().map_or(0, |word| word.1 ^ order));
        let mut sorter = Sorter::new(spill.clone());
        for stretch in stretches {
            match stretch {
                [word] => sorter.push(word.clone()).unwrap(),
                _ => sorter.push_neighbours(stretch.iter().cloned()).unwrap(),
            }
        }
        let put = sorter.sorted().unwrap();
        prop_assert_eq!(put.len(), held.len());
        prop_assert!(held.iter().eq(put.iter()));
        for word in words.iter().step_by(5) {
            let found = put.find(|other| other.cmp(word));
            prop_assert_eq!(found.as_deref(), Some(word));
            prop_assert!(held.iter_from(|other| other < word).eq(put.iter_from(|other| other < word)));
        }
        prop_assert!(spill.check().is_ok());
    }

    #[test]
    fn arbitrary_bytes_are_read_or_not_but_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut unpacker = Unpacker::new(&bytes);
        while !unpacker.is_done() && Word::unpack(&mut unpacker).is_some() {}
    }
}

#[test]
fn a_directory_that_is_not_there_is_told() {
    let spill = Spill::to("/nowhere/at/all".into(), 0);
    let error = Sorter::new(spill).push(Word(Vec::new(), 1, 1)).unwrap_err();
    assert!(error.to_string().starts_with("cannot write what memory is not meant for, in /nowhere/at/all: "));
}
