//! The names of months in the languages servers speak.
//!
//! A server started under a locale other than C lists in its language, in whatever encoding that locale has; so a word of
//! a line is held against each name in UTF-8 and in Latin-1. A new language is a row. A word may stand in several rows,
//! but never for two months.

/// Returns which month `word` names, from 1. A full stop or comma behind the word doesn't matter, nor does case.
pub(super) fn month(word: &[u8]) -> Option<u32> {
    let word = word.strip_suffix(b",").unwrap_or(word);
    let word = word.strip_suffix(b".").unwrap_or(word);
    // Words of other shapes are most of what is asked for, and are no month in any language.
    if !(2..=12).contains(&word.len()) || word[0].is_ascii_digit() {
        return None;
    }
    LANGUAGES.iter().find_map(|language| {
        let found = language.months.iter().position(|names| names.iter().any(|name| same(name, word)))?;
        u32::try_from(found + 1).ok()
    })
}

fn same(name: &str, word: &[u8]) -> bool {
    if name.len() == word.len() {
        return name.as_bytes().eq_ignore_ascii_case(word);
    }
    // Shorter than in UTF-8 can only be Latin-1.
    word.len() < name.len()
        && name.chars().count() == word.len()
        && name.chars().zip(word).all(|(c, &b)| c.eq_ignore_ascii_case(&char::from(b)))
}

struct Language {
    months: [&'static [&'static str]; 12],
}

const LANGUAGES: &[Language] = &[
    // English; first, because nearly every server speaks it.
    Language {
        months: [
            &["jan", "january"],
            &["feb", "february"],
            &["mar", "march"],
            &["apr", "april"],
            &["may"],
            &["jun", "june"],
            &["jul", "july"],
            &["aug", "august"],
            &["sep", "sept", "september"],
            &["oct", "october"],
            &["nov", "november"],
            &["dec", "december"],
        ],
    },
    // German, with the Austrian January.
    Language {
        months: [
            &["jan", "januar", "jän", "jänner"],
            &["feb", "februar"],
            &["mär", "märz", "mrz"],
            &["apr", "april"],
            &["mai"],
            &["jun", "juni"],
            &["jul", "juli"],
            &["aug", "august"],
            &["sep", "sept", "september"],
            &["okt", "oktober"],
            &["nov", "november"],
            &["dez", "dezember"],
        ],
    },
    // French. `jui` is left out: it would be June and July.
    Language {
        months: [
            &["jan", "janv", "janvier"],
            &["fév", "févr", "février"],
            &["mar", "mars"],
            &["avr", "avril"],
            &["mai"],
            &["jun", "juin"],
            &["juil", "juillet"],
            &["aoû", "août"],
            &["sep", "sept", "septembre"],
            &["oct", "octobre"],
            &["nov", "novembre"],
            &["déc", "décembre"],
        ],
    },
    // Spanish.
    Language {
        months: [
            &["ene", "enero"],
            &["feb", "febrero"],
            &["mar", "marzo"],
            &["abr", "abril"],
            &["may", "mayo"],
            &["jun", "junio"],
            &["jul", "julio"],
            &["ago", "agosto"],
            &["sep", "sept", "septiembre"],
            &["oct", "octubre"],
            &["nov", "noviembre"],
            &["dic", "diciembre"],
        ],
    },
    // Italian.
    Language {
        months: [
            &["gen", "gennaio"],
            &["feb", "febbraio"],
            &["mar", "marzo"],
            &["apr", "aprile"],
            &["mag", "maggio"],
            &["giu", "giugno"],
            &["lug", "luglio"],
            &["ago", "agosto"],
            &["set", "settembre"],
            &["ott", "ottobre"],
            &["nov", "novembre"],
            &["dic", "dicembre"],
        ],
    },
    // Portuguese.
    Language {
        months: [
            &["jan", "janeiro"],
            &["fev", "fevereiro"],
            &["mar", "março"],
            &["abr", "abril"],
            &["mai", "maio"],
            &["jun", "junho"],
            &["jul", "julho"],
            &["ago", "agosto"],
            &["set", "setembro"],
            &["out", "outubro"],
            &["nov", "novembro"],
            &["dez", "dezembro"],
        ],
    },
    // Dutch.
    Language {
        months: [
            &["jan", "januari"],
            &["feb", "februari"],
            &["mrt", "maart"],
            &["apr", "april"],
            &["mei"],
            &["jun", "juni"],
            &["jul", "juli"],
            &["aug", "augustus"],
            &["sep", "sept", "september"],
            &["okt", "oktober"],
            &["nov", "november"],
            &["dec", "december"],
        ],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_month_is_known_in_any_case_and_encoding() {
        for (word, number) in [
            (&b"Jan"[..], Some(1)),
            (b"JAN", Some(1)),
            (b"Juli,", Some(7)),
            ("déc.".as_bytes(), Some(12)),
            (b"d\xe9c.", Some(12)),
            ("Mär".as_bytes(), Some(3)),
            (b"M\xe4r", Some(3)),
            (b"mrt", Some(3)),
            (b"lug", Some(7)),
            (b"out", Some(10)),
            (b"jui", None),
            (b"ja", None),
            (b"12", None),
            (b"", None),
            (b".", None),
        ] {
            assert_eq!(month(word), number, "{}", word.escape_ascii());
        }
    }

    #[test]
    fn no_word_names_two_months() {
        let mut seen = BTreeMap::new();
        for language in LANGUAGES {
            for (i, names) in language.months.iter().enumerate() {
                for name in *names {
                    assert_eq!(*seen.entry(name).or_insert(i), i, "{name}");
                    assert_eq!(month(name.as_bytes()), Some(i as u32 + 1), "{name}");
                }
            }
        }
    }
}
