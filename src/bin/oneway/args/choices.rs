//! The words that options take.

use clap::ValueEnum;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compare {
    /// Size, or modification time
    SizeTime,
    /// Size alone
    Size,
    /// Content: local files are read, the others' checksums asked or remembered; what has none goes by size and time
    Checksum,
    /// Send every file
    Always,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LinksHow {
    /// Leave them out
    Skip,
    /// Mirror what they lead to, as if it stood there
    Follow,
    /// Make links
    Copy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TlsWhen {
    /// In clear text
    Off,
    /// In clear text where the server has no TLS
    Try,
    /// Or nothing is sent
    Require,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Listing {
    /// As costs least with what the server has
    Auto,
    /// For machines, times to the second
    Mlsd,
    /// On the control connection, many directories in a few round trips
    Stat,
    /// As `ls` writes it
    List,
    /// Names alone, with a question for each
    Nlst,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// One JSON object a line, for programs
    Json,
    /// One line a change, for spreadsheets
    Csv,
    /// One page with a table to search and sort, for a browser
    Html,
}

impl Format {
    /// Returns the name the library knows it by.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Html => "html",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LsFormat {
    /// For people
    Text,
    /// One JSON object a line, for programs
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    Auto,
    Always,
    Never,
}
