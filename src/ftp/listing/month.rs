//! The names of months in the languages servers speak.
//!
//! A server started under a locale other than C lists in its language, in whatever encoding that locale has; so a word
//! of a line is held against each name in UTF-8 and in the encodings of one byte a letter. A new language is a row. A
//! word may stand in several rows, but never for two months.

/// Returns which month `word` names, from 1. A full stop or comma behind the word doesn't matter, nor does case.
pub(super) fn month(word: &[u8]) -> Option<u32> {
    let word = word.strip_suffix(b",").unwrap_or(word);
    let word = word.strip_suffix(b".").unwrap_or(word);
    // Words of other shapes are most of what is asked for, and are no month in any language.
    if !(2..=LONGEST).contains(&word.len()) || word[0].is_ascii_digit() {
        return None;
    }
    if let Ok(mut three) = <[u8; 3]>::try_from(word) {
        three.make_ascii_lowercase();
        if let Some(found) = COMMONEST.iter().position(|name| **name == three) {
            return u32::try_from(found + 1).ok();
        }
    }
    if word.is_ascii() {
        return named(|_, name| name.as_bytes().eq_ignore_ascii_case(word));
    }
    let text = std::str::from_utf8(word).map(str::to_lowercase).unwrap_or_default();
    // What is UTF-8 may still be a byte a letter: in DOS's encoding January is one Arabic letter.
    named(|_, name| name == text)
        .or_else(|| named(|language, name| language.letters.iter().any(|letter| same(name, word, *letter))))
}

/// Returns the month of the first name that is right.
fn named(is_right: impl Fn(&Language, &str) -> bool) -> Option<u32> {
    LANGUAGES.iter().find_map(|language| {
        let found =
            language.months.iter().position(|names| names.iter().any(|name| is_right(language, name)))?;
        u32::try_from(found + 1).ok()
    })
}

/// Returns whether `word` is `name` in an encoding of one byte a letter.
fn same(name: &str, word: &[u8], letter: Letter) -> bool {
    // The first letter tells most names apart. The word has letters above ASCII; a name that has them is longer in UTF-8,
    // up to twice as long.
    let (first, known) = (word[0], name.as_bytes()[0]);
    (first.to_ascii_lowercase() == known || !(first.is_ascii() || known.is_ascii()))
        && (word.len() + 1..=2 * word.len()).contains(&name.len())
        && name.chars().count() == word.len()
        && name.chars().zip(word).all(|(c, &b)| {
            let known = if b.is_ascii() { char::from(b) } else { letter(b) };
            known == c || known.to_lowercase().eq([c])
        })
}

/// Returns what a byte is in an encoding, above ASCII and as far as months need it.
type Letter = fn(u8) -> char;

fn latin2(byte: u8) -> char {
    match byte {
        0xb6 => 'ś',
        0xbc => 'ź',
        0xbe => 'ž',
        0xb9 => 'š',
        0xe8 => 'č',
        0xec => 'ě',
        0xf1 => 'ń',
        0xf5 => 'ő',
        0xf8 => 'ř',
        0xf9 => 'ů',
        _ => char::from(byte),
    }
}

fn windows1250(byte: u8) -> char {
    match byte {
        0x9c => 'ś',
        0x9f => 'ź',
        0x9e => 'ž',
        0x9a => 'š',
        _ => latin2(byte),
    }
}

fn windows1251(byte: u8) -> char {
    if byte >= 0xc0 { cyrillic(byte - 0xc0) } else { char::from(byte) }
}

fn iso8859_5(byte: u8) -> char {
    if (0xb0..0xf0).contains(&byte) { cyrillic(byte - 0xb0) } else { char::from(byte) }
}

fn dos866(byte: u8) -> char {
    match byte {
        0x80..=0xaf => cyrillic(byte - 0x80),
        0xe0..=0xef => cyrillic(byte - 0xb0),
        _ => char::from(byte),
    }
}

fn koi8(byte: u8) -> char {
    let letters = "юабцдефгхийклмнопярстужвьызшэщчъ";
    letters.chars().nth(usize::from(byte & 0x1f)).filter(|_| byte >= 0xc0).unwrap_or_else(|| char::from(byte))
}

/// Returns letter `i` of the alphabet in Unicode's order, capitals first.
fn cyrillic(i: u8) -> char {
    char::from_u32(u32::from('А') + u32::from(i)).unwrap_or_else(|| char::from(i))
}

/// What nearly every line has, so that it is found at once.
const COMMONEST: [&[u8; 3]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];

/// Bytes of the longest name.
const LONGEST: usize = 24;

struct Language {
    /// The encodings it is written in, UTF-8 aside.
    letters: &'static [Letter],
    months: [&'static [&'static str]; 12],
}

const LANGUAGES: &[Language] = &[
    // English; first, because nearly every server speaks it.
    Language {
        letters: &[],
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
        letters: &[char::from],
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
        letters: &[char::from],
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
        letters: &[],
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
        letters: &[],
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
        letters: &[char::from],
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
        letters: &[],
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
    // Russian, the month alone and behind a day.
    Language {
        letters: &[windows1251, koi8, iso8859_5, dos866],
        months: [
            &["янв", "январь", "января"],
            &["фев", "февр", "февраль", "февраля"],
            &["мар", "март", "марта"],
            &["апр", "апрель", "апреля"],
            &["май", "мая"],
            &["июн", "июнь", "июня"],
            &["июл", "июль", "июля"],
            &["авг", "август", "августа"],
            &["сен", "сент", "сентябрь", "сентября"],
            &["окт", "октябрь", "октября"],
            &["ноя", "нояб", "ноябрь", "ноября"],
            &["дек", "декабрь", "декабря"],
        ],
    },
    // Polish.
    Language {
        letters: &[latin2, windows1250],
        months: [
            &["sty", "styczeń", "stycznia"],
            &["lut", "luty", "lutego"],
            &["mar", "marzec", "marca"],
            &["kwi", "kwiecień", "kwietnia"],
            &["maj", "maja"],
            &["cze", "czerwiec", "czerwca"],
            &["lip", "lipiec", "lipca"],
            &["sie", "sierpień", "sierpnia"],
            &["wrz", "wrzesień", "września"],
            &["paź", "październik", "października"],
            &["lis", "listopad", "listopada"],
            &["gru", "grudzień", "grudnia"],
        ],
    },
    // Swedish, Danish and Norwegian.
    Language {
        letters: &[],
        months: [
            &["jan", "januari", "januar"],
            &["feb", "februari", "februar"],
            &["mar", "mars", "marts"],
            &["apr", "april"],
            &["maj", "mai"],
            &["jun", "juni"],
            &["jul", "juli"],
            &["aug", "augusti", "august"],
            &["sep", "sept", "september"],
            &["okt", "oktober"],
            &["nov", "november"],
            &["dec", "des", "december", "desember"],
        ],
    },
    // Finnish. `mar` is left out: it is November here and March elsewhere.
    Language {
        letters: &[char::from],
        months: [
            &["tammi", "tam", "tammikuu"],
            &["helmi", "hel", "helmikuu"],
            &["maalis", "maa", "maaliskuu"],
            &["huhti", "huh", "huhtikuu"],
            &["touko", "tou", "toukokuu"],
            &["kesä", "kes", "kesäkuu"],
            &["heinä", "hei", "heinäkuu"],
            &["elo", "elokuu"],
            &["syys", "syy", "syyskuu"],
            &["loka", "lok", "lokakuu"],
            &["marras", "marraskuu"],
            &["joulu", "jou", "joulukuu"],
        ],
    },
    // Hungarian.
    Language {
        letters: &[latin2, windows1250],
        months: [
            &["jan", "január"],
            &["feb", "febr", "február"],
            &["már", "márc", "március"],
            &["ápr", "április"],
            &["máj", "május"],
            &["jún", "június"],
            &["júl", "július"],
            &["aug", "augusztus"],
            &["sze", "szep", "szept", "szeptember"],
            &["okt", "október"],
            &["nov", "november"],
            &["dec", "december"],
        ],
    },
    // Czech. `čer` is June, since July shortens to `čec` and `čvc`.
    Language {
        letters: &[latin2, windows1250],
        months: [
            &["led", "leden", "ledna"],
            &["úno", "únor", "února"],
            &["bře", "březen", "března"],
            &["dub", "duben", "dubna"],
            &["kvě", "květen", "května"],
            &["čer", "čen", "čvn", "červen", "června"],
            &["čec", "čvc", "červenec", "července"],
            &["srp", "srpen", "srpna"],
            &["zář", "září"],
            &["říj", "říjen", "října"],
            &["lis", "listopad", "listopadu"],
            &["pro", "prosinec", "prosince"],
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
            ("ФЕВ".as_bytes(), Some(2)),
            ("Сентября".as_bytes(), Some(9)),
            (b"\xed\xee\xff", Some(11)),
            (b"\xce\xcf\xd1", Some(11)),
            (b"\xdd\xde\xef", Some(11)),
            (b"\xad\xae\xef", Some(11)),
            (b"pa\xbc", Some(10)),
            (b"pa\x9f", Some(10)),
            (b"z\xe1\xf8\xed", Some(9)),
            (b"\xe1pr.", Some(4)),
            ("Ápr.".as_bytes(), Some(4)),
            ("KESÄ".as_bytes(), Some(6)),
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
    fn no_encoding_turns_one_month_into_another() {
        for language in LANGUAGES {
            for (i, name) in
                language.months.iter().enumerate().flat_map(|(i, names)| names.iter().map(move |n| (i, n)))
            {
                for letter in language.letters {
                    let bytes: Option<Vec<u8>> = name
                        .chars()
                        .map(|c| {
                            if c.is_ascii() {
                                u8::try_from(c).ok()
                            } else {
                                (0x80..=0xff).find(|&b| letter(b) == c)
                            }
                        })
                        .collect();
                    if let Some(bytes) = bytes {
                        assert_eq!(month(&bytes), Some(i as u32 + 1), "{name}");
                    }
                }
            }
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
