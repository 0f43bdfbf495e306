//! What a server is and can do, found out by a login and a few questions that change nothing.

use std::time::{Duration, Instant};

use crate::ftp::client::{ChecksumWay, TimeSetter};
use crate::ftp::command::{Command, Verb};
use crate::ftp::error::FtpError;
use crate::ftp::listing::ListingFormat;
use crate::ftp::quirks::Quirks;
use crate::ftp::tls::Pin;
use crate::model::{ChecksumKind, RelPath, escape};
use crate::store::StoreResult;
use crate::store::ftp::session::FtpSession;
use crate::store::ftp::{FtpStore, ListingChoice, listing};

/// What is known of a server.
#[derive(Clone, Debug)]
pub struct Survey {
    /// Its answer to SYST; `None` where it has none.
    pub system: Option<String>,
    /// What it says it can do (FEAT), a line each.
    pub features: Vec<String>,
    /// What is known of it beyond that; its row of the table tempered by what was seen.
    pub quirks: Quirks,
    /// The directory a login begins in; `None` where the server doesn't tell.
    pub home: Option<String>,
    /// The pin of its certificate; `None` in clear text.
    pub pin: Option<Pin>,
    /// The middle one of several round trips of a command.
    pub round_trip: Duration,
    /// How directories are listed.
    pub way: ListingChoice,
    /// The family of what LIST gives; `None` where LIST was not asked.
    pub family: Option<&'static str>,
    /// Entries of the directory that was named.
    pub entries: usize,
    /// Why its listing may not be whole; `None` when it is proven.
    pub doubt: Option<String>,
    /// How long that listing took.
    pub listed_in: Duration,
    /// Times of listings are to the second.
    pub exact_listings: bool,
    /// Exact times can be asked for (MDTM).
    pub tells_times: bool,
    /// How times are set; `None` where they can't be.
    pub setter: Option<TimeSetter>,
    /// What checksums it computes; `None` for none.
    pub checksum: Option<ChecksumKind>,
    /// Broken transfers can be gone on with (REST).
    pub restarts: bool,
    /// It writes names in UTF-8, as it says.
    pub utf_8: bool,
}

/// Round trips that are measured.
const TRIPS: usize = 9;

impl FtpStore {
    /// Looks at the server.
    ///
    /// # Errors
    /// Why there is no session, or the directory can't be listed.
    pub fn survey(&self) -> StoreResult<Survey> {
        let mut session = self.open()?;
        let root = RelPath::root();
        look(&mut session).map_err(|e| session.fail("look at", &root, e))
    }
}

fn look(session: &mut FtpSession) -> Result<Survey, FtpError> {
    let mut trips = Vec::with_capacity(TRIPS);
    for _ in 0..TRIPS {
        let began = Instant::now();
        session.client.call(&Command::bare(Verb::Noop))?;
        trips.push(began.elapsed());
    }
    trips.sort();
    let system = session.client.call(&Command::bare(Verb::Syst))?;
    let feat = session.client.call(&Command::bare(Verb::Feat))?;
    let features = feat.body().iter().filter(|_| feat.is_ok());
    let began = Instant::now();
    let listing = listing::list_dir(session, &RelPath::root())?;
    let listed_in = began.elapsed();
    let way = listing::way(session);
    if way == ListingChoice::Stat {
        // Files need data connections all the same, which are what fails first behind firewalls.
        listing::list_over_data(session, &RelPath::root())?;
    }
    let client = &session.client;
    let (known, quirks) = (client.features(), client.quirks());
    let family = session.learned.lock().expect("no holder panics").format.map(ListingFormat::name);
    Ok(Survey {
        system: system.is_ok().then(|| escape(system.text())),
        features: features.map(|line| escape(line.trim_ascii())).collect(),
        quirks,
        home: client.home().map(escape),
        pin: client.pin(),
        round_trip: trips[TRIPS / 2],
        way,
        family: family.filter(|_| way == ListingChoice::List || way == ListingChoice::Stat),
        entries: listing.entries.len(),
        doubt: listing.doubt.map(|doubt| doubt.0),
        listed_in,
        exact_listings: way == ListingChoice::Mlsd,
        tells_times: known.lists("MDTM") || known.is_silent() && known.may(Verb::Mdtm),
        setter: TimeSetter::choose(known, quirks),
        checksum: ChecksumWay::choose(known).map(|way| way.kind),
        restarts: known.lists("REST"),
        utf_8: known.lists("UTF8"),
    })
}
