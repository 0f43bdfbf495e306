//! What both sides look like before anything is decided, and what is remembered of them.

use std::collections::BTreeSet;

use crate::compare::{CompareOptions, Side, Times};
use crate::execute::{Event, Observer};
use crate::model::{Links, RelPath, Remedy};
use crate::pool::{Pool, both};
use crate::report::Mode;
use crate::run::ends::Ends;
use crate::run::explain::Witness;
use crate::run::memory::Memory;
use crate::run::server_state::Fetched;
use crate::run::times::{Refined, refine};
use crate::run::{RunOptions, folding, heal, left_out, leftovers, server_state};
use crate::scan::{ScanOptions, Scanned, scan};
use crate::store::{Capabilities, StoreError, StoreResult};

/// Both sides, and what is to be told of them.
pub(super) struct Looked {
    pub(super) from: Scanned,
    pub(super) to: Scanned,
    pub(super) memory: Memory,
    /// The side that has the receipts; `None` where no server has them.
    pub(super) server: Option<Side>,
    pub(super) notes: Vec<String>,
    pub(super) remarks: Vec<String>,
    pub(super) troubles: Vec<String>,
}

/// What of both sides a plan that was made before is about.
pub(super) struct Within<'w> {
    /// Its directories, with those above them; no others are listed beside the root.
    pub(super) dirs: &'w BTreeSet<RelPath>,
    /// Its paths, where others are at work on other paths beside them; `None` where nobody is.
    pub(super) paths: Option<&'w BTreeSet<&'w RelPath>>,
}

/// How files are compared, with what the destination can do.
pub(super) struct Measure {
    pub(super) compare: CompareOptions,
    pub(super) able: Capabilities,
    /// Files get the times of their sources.
    pub(super) times_kept: bool,
    /// What listings told of files that were asked about, of the source and of the destination.
    pub(super) listed: [Refined; 2],
}

impl Looked {
    /// Looks at both sides; at nothing that is not `within`, where that is said.
    ///
    /// # Errors
    /// When a side can't be reached, or its root not be listed.
    pub(super) fn at(
        ends: &Ends,
        options: &RunOptions,
        within: Option<&Within<'_>>,
        observer: &dyn Observer,
        mut witness: Option<&mut Witness<'_>>,
    ) -> StoreResult<Self> {
        let Ends { source, destination, retry, run_id, now, .. } = ends;
        let server = options.state.as_ref().and_then(|state| state.server(source, destination));
        let look = |pool: &Pool, side: Side| -> StoreResult<(Option<Fetched>, Scanned)> {
            // Before the scan: whoever scans takes it that every session there may be is at its disposal.
            let fetched =
                (server == Some(side)).then(|| server_state::fetch(pool, side, retry)).transpose()?;
            let dirs = within.map(|within| within.dirs);
            Ok((fetched, scan_side(pool, side, options, dirs, observer)?))
        };
        let scans = || both(|| look(source, Side::Source), || look(destination, Side::Destination));
        let dry = options.mode != Mode::Sync;
        let remember =
            || Memory::open(options.state.as_ref(), dry, options.carry_times, &options.spill.share(1, 8));
        let (mut memory, (from, to)) = both(remember, scans);
        let ((fetched_from, mut from), (fetched_to, mut to)) = (from?, to?);
        if let Some(fetched) = fetched_from.or(fetched_to) {
            memory.take_over(fetched);
        }
        observer.event(&Event::Scanned);
        if let Some(witness) = &mut witness {
            witness.see([&from, &to], [source, destination]);
        }
        let own = within.and_then(|within| within.paths);
        let healed = heal::destination(destination, &mut to, &from.tree, (&options.filter, own), dry)?;
        heal::doubt_source(&mut from, &options.filter);
        // What a plan is about was not left out when it was made.
        let left_out = match within {
            None => left_out::leave_out(&mut from, &mut to, source, retry, options)?,
            Some(_) => left_out::LeftOut::default(),
        };
        if let Some(witness) = witness {
            witness.see_rules(&left_out.rules);
        }
        leftovers::keep_dirs(&mut to, *run_id, *now);
        let folding = folding::unfold(&mut from, &mut to, destination, dry, *run_id)?;
        if let (Some(model), Some(names)) = (source.store().names(), destination.store().names()) {
            names.follow(model, &to.tree);
        }
        Ok(Self {
            from,
            to,
            memory,
            server,
            notes: [healed.notes, folding.notes, left_out.notes].concat(),
            remarks: Vec::new(),
            troubles: [healed.troubles, folding.troubles, left_out.troubles].concat(),
        })
    }

    /// Asks for the times that listings told too roughly to decide, and returns how files are compared.
    ///
    /// # Errors
    /// When no session can be had.
    pub(super) fn measure(&mut self, ends: &Ends, options: &RunOptions) -> StoreResult<Measure> {
        let able = ends.destination.lease()?.session().capabilities();
        let times_kept = options.carry_times && able.sets_times;
        let times = if times_kept { options.compare.times } else { Times::NotOlder };
        self.memory.sets_times = times_kept;
        let compare = CompareOptions { times, ..options.compare };
        let mut refined = |pool: &Pool, side| -> StoreResult<Refined> {
            let trees = (&mut self.from.tree, &mut self.to.tree);
            let mut refined =
                refine(pool, side, trees, &self.memory.evidence, &compare, options.spill.share(1, 16))?;
            self.notes.append(&mut refined.notes);
            self.remarks.append(&mut refined.remarks);
            Ok(refined)
        };
        let listed = [refined(&ends.source, Side::Source)?, refined(&ends.destination, Side::Destination)?];
        Ok(Measure { compare, able, times_kept, listed })
    }
}

/// Scans one side. A destination that isn't there yet is an empty tree; a source must be there.
pub(super) fn scan_side(
    pool: &Pool,
    side: Side,
    options: &RunOptions,
    within: Option<&BTreeSet<RelPath>>,
    observer: &dyn Observer,
) -> StoreResult<Scanned> {
    let scan_options = ScanOptions {
        within,
        filter: &options.filter,
        max_depth: options.max_depth,
        max_bytes: options.max_bytes,
        spill: &options.spill.share(1, 4),
        links: if side == Side::Source { options.links } else { Links::Skip },
        cancel: &options.cancel,
    };
    let scanned = scan(pool, &scan_options, &|entries| observer.event(&Event::Listed { side, entries }));
    match scanned {
        // Only a root that can't be listed makes one ask whether there is one.
        Err(e) if e.remedy() == Remedy::Skip => {
            if pool.lease()?.session().root_exists()? {
                return Err(e);
            }
            if side == Side::Destination {
                return Ok(Scanned::default());
            }
            let missing = std::io::Error::new(std::io::ErrorKind::NotFound, "there is no such directory");
            Err(StoreError::io("list", &RelPath::root(), pool.store().name(), missing)
                .with_hint("the source must be a directory that exists"))
        }
        scanned => scanned,
    }
}
