//! What a tree is made of, and how it is shown: `--name value`, each once.

use crate::tree::{Differences, Tree};

/// All parameters of a server.
#[derive(Debug)]
pub(crate) struct Parameters {
    /// Where it listens; 0 lets the system choose.
    pub(crate) port: u16,
    pub(crate) listing: Listing,
    pub(crate) tree: Tree,
}

/// How directories are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listing {
    /// As a server that has MLSD, with times to the second.
    Mlsd,
    /// As vsftpd does: LIST, or STAT on the control connection, with times to the minute, and MDTM for those who want to know.
    List,
}

/// Name, default, and what it means.
const KNOWN: &[(&str, u64, &str)] = &[
    ("port", 0, "where it listens on 127.0.0.1; 0 lets the system choose"),
    ("list", 0, "1: times to the minute, by LIST and STAT, as vsftpd shows them; 0: MLSD"),
    ("seed", 1, "what names, sizes and times are made of"),
    ("entries", 10_000, "files and directories, the root apart"),
    ("per-dir", 200, "files in each directory"),
    ("fan-out", 40, "directories in each directory"),
    ("wide", 0, "of the files, so many are in one directory `wide`"),
    ("smallest", 0, "of a file, bytes"),
    ("largest", 100_000, "of a file, bytes"),
    ("newest", 1_790_000_000, "no time is later, seconds since 1970"),
    ("missing", 0, "of each 10,000 files, so many are not there"),
    ("resized", 0, "of each 10,000, so many have another size"),
    ("redated", 0, "of each 10,000, so many have another time, an hour earlier"),
    ("extra", 0, "beside so many of each 10,000 there is one more"),
];

impl Parameters {
    /// Reads the words of a command line.
    pub(crate) fn parse(words: &[String]) -> Result<Self, String> {
        let mut values: Vec<u64> = KNOWN.iter().map(|(_, default, _)| *default).collect();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let place = KNOWN.iter().position(|(name, ..)| word.strip_prefix("--") == Some(name));
            let place = place.ok_or_else(|| format!("there is no parameter `{word}`\n{}", Self::help()))?;
            let value = words.next().and_then(|value| value.parse().ok());
            values[place] = value.ok_or_else(|| format!("{word} takes a number"))?;
        }
        let value =
            |name| values[KNOWN.iter().position(|(known, ..)| *known == name).expect("it is in the table")];
        let differences = Differences {
            missing: value("missing"),
            resized: value("resized"),
            redated: value("redated"),
            extra: value("extra"),
        };
        Ok(Self {
            port: u16::try_from(value("port")).map_err(|e| format!("--port: {e}"))?,
            listing: if value("list") == 0 { Listing::Mlsd } else { Listing::List },
            tree: Tree::new(
                value("seed"),
                (value("entries"), value("per-dir"), value("fan-out"), value("wide")),
                value("smallest")..=value("largest"),
                value("newest"),
                differences,
            )?,
        })
    }

    /// Returns what there is to say.
    pub(crate) fn help() -> String {
        let lines = KNOWN.iter().map(|(name, default, what)| format!("  --{name:10} {what} ({default})\n"));
        format!("server serve|totals [--NAME NUMBER]...\n{}", lines.collect::<String>())
    }
}
