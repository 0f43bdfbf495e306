//! How a run is made.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::compare::{CompareOptions, Side};
use crate::execute::Held;
use crate::filter::{Filter, Limits};
use crate::model::{Cancel, Links};
use crate::plan::{Condition, GuardOptions, Presence};
use crate::pool::{Pool, SessionCount};
use crate::report::Mode;
use crate::run::LockOptions;
use crate::run::backup::Backup;
use crate::spill::Spill;
use crate::state::Pair;
use crate::store::RetryPolicy;

/// How a run is made.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// What is meant to happen.
    pub mode: Mode,
    /// Sessions of a remote store.
    pub sessions: SessionCount,
    /// What belongs to the mirror.
    pub filter: Filter,
    /// Files of which sizes and ages belong to it. A file that doesn't on one side is left alone on both.
    pub limits: Limits,
    /// Files `.onewayignore` of the source leave out what they name, and themselves.
    pub ignore_files: bool,
    /// How files are compared.
    pub compare: CompareOptions,
    /// Remove what only the destination has.
    pub delete: bool,
    /// Rename at the destination what would be deleted under one name and sent under another with the same content.
    pub renames: bool,
    /// Which files are sent, by whether the destination has them.
    pub presence: Presence,
    /// What becomes of symbolic links of the source.
    pub links: Links,
    /// What a plan must not exceed.
    pub guard: GuardOptions,
    /// What a plan must not be like.
    pub fail_if: Vec<Condition>,
    /// Write files under their final names instead of temporary ones. What is interrupted is there in part then, until another run.
    pub in_place: bool,
    /// Give files the modification times of their sources.
    pub carry_times: bool,
    /// Give files the permission bits of their sources, for user, group and others, as far as both sides list them.
    pub carry_permissions: bool,
    /// Whose temporary files are this run's to go on with, or to remove: the same in all runs of one pair of places by one user on one
    /// machine, and in no others. `None` where nobody knows; then those of earlier runs are taken for somebody else's.
    pub owner: Option<u64>,
    /// Files that were broken off are gone on with where so many bytes of them are there; `None` begins them anew.
    pub resume_from: Option<u64>,
    /// The plan is kept to be carried out later: all its files are told apart as exactly as they can be. Of use where nothing is changed.
    pub keeps_plan: bool,
    /// A file that gets the receipts of what a plan leaves alone, as a run would keep them, where they are kept in a file of this machine;
    /// `None` forgets them. Of use where nothing is changed.
    pub found: Option<PathBuf>,
    /// Others carry out other parts of the same plan meanwhile, on this machine or elsewhere. Of use where a plan is carried out.
    pub beside_others: bool,
    /// What is sent after everything else: whatever one of its rules matches, with all below.
    pub last: Filter,
    /// Files get their final names together, when all of them are there under temporary ones.
    pub delay_updates: bool,
    /// Files are sent, and another run gives them their final names: where they are until then is told by the outcomes. Of use where a plan
    /// is carried out that has nothing else to do.
    pub only_sends: bool,
    /// Files that runs have sent which did no more; one that is still there is not sent again. Of use where a plan is carried out.
    pub held: Vec<Arc<Held>>,
    /// Where what is replaced or deleted is set aside instead; `None` lets it go.
    pub backup: Option<Backup>,
    /// Bytes of files that may move in a second, over all sessions; `None` for as many as can.
    pub rate: Option<NonZeroU64>,
    /// Downloads of more bytes than this are fetched over several sessions; `None` chooses by the line.
    pub split_bytes: Option<u64>,
    /// Where it is remembered what was the same on both sides; `None` for nowhere.
    pub state: Option<StateOptions>,
    /// Lock the destination on its server for as long as the run takes; `None` for no lock. Of no effect on a run that changes nothing, and
    /// on a destination of this machine.
    pub remote_lock: Option<LockOptions>,
    /// How long it may take. What it was about to do then is stopped as if asked to. `None` for as long as it takes.
    pub max_duration: Option<Duration>,
    /// Tries after the first one.
    pub retries: u32,
    /// The pause before the first of them; each further one is twice as long. Default: 200 milliseconds.
    pub first_pause: Duration,
    /// Directories deeper than this are not entered.
    pub max_depth: usize,
    /// What the entries of one side may take, in bytes of memory, roughly, wherever they are.
    pub max_bytes: u64,
    /// How much of what is known of both sides stays in memory, and where the rest goes.
    pub spill: Spill,
    /// The wish to stop.
    pub cancel: Cancel,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            mode: Mode::Sync,
            sessions: SessionCount::AUTO,
            filter: Filter::default(),
            limits: Limits::default(),
            ignore_files: true,
            compare: CompareOptions::default(),
            delete: false,
            renames: true,
            presence: Presence::default(),
            links: Links::default(),
            guard: GuardOptions::default(),
            fail_if: Vec::new(),
            in_place: false,
            carry_times: true,
            carry_permissions: false,
            owner: None,
            resume_from: Some(1 << 20),
            keeps_plan: false,
            found: None,
            beside_others: false,
            last: Filter::default(),
            delay_updates: false,
            only_sends: false,
            held: Vec::new(),
            backup: None,
            rate: None,
            split_bytes: None,
            state: None,
            remote_lock: None,
            max_duration: None,
            retries: 5,
            first_pause: RetryPolicy::FIRST_PAUSE,
            max_depth: 256,
            max_bytes: 8 << 30,
            spill: Spill::never(),
            cancel: Cancel::new(),
        }
    }
}

/// Where receipts are kept.
#[derive(Clone, Debug)]
pub enum StateOptions {
    /// In a file of this machine.
    File {
        /// Where it is, or will be.
        file: PathBuf,
        /// Of what it is.
        pair: Pair,
    },
    /// In a file in the root of the server; of two servers, the destination.
    OnServer,
}

impl StateOptions {
    /// Returns which side has the receipts; `None` when neither has.
    pub(super) fn server(&self, source: &Pool, destination: &Pool) -> Option<Side> {
        match self {
            Self::File { .. } => None,
            Self::OnServer if destination.store().is_remote() => Some(Side::Destination),
            Self::OnServer => source.store().is_remote().then_some(Side::Source),
        }
    }
}
