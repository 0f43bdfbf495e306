//! One control session as a [`Session`]: a tree's operations in the commands of FTP.

use std::collections::{HashMap, hash_map};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::ftp::client::{ChecksumWay, Client, Flight, TimeSetter, command};
use crate::ftp::command::{Command, Verb};
use crate::ftp::error::FtpError;
use crate::ftp::listing::Limits;
use crate::ftp::reply::Reply;
use crate::model::{Checksum, ChecksumKind, Entry, Mtime, RelPath, Remedy};
use crate::store::ftp::publish::{Publisher, Rider};
use crate::store::ftp::{
    Learned, ListingChoice, download, hold, links, listing, part, permit, questions, rename, resume, upload,
};
use crate::store::{
    Area, AsidePlace, Begun, Capabilities, Continued, Dating, DirListing, HeldFile, Incoming, LinkRequest,
    Outgoing, PartRequest, Parts, Permitting, ReadRequest, Referent, Renaming, ServerClock, Session, Settle,
    StoreError, StoreResult, Version, Way, WriteRequest, Written,
};

/// A session on an FTP server.
pub(crate) struct FtpSession {
    pub(super) client: Client,
    /// Absolute path of the directory that paths are of, without a separator at its end.
    root: Vec<u8>,
    /// That of the directory that they are not of at present: where things are set aside, or the tree. `None` where nothing is.
    other: Option<Vec<u8>>,
    pub(super) area: Area,
    pub(super) name: String,
    pub(super) choice: ListingChoice,
    /// How much of a listing is taken.
    pub(super) limits: Limits,
    pub(super) learned: Arc<Mutex<Learned>>,
    pub(super) clock: Arc<ServerClock>,
    /// What was sent for a transfer that is still to be opened.
    pub(super) ahead: Option<Ahead>,
    /// Uploads that don't have their final names yet.
    pub(super) publisher: Publisher,
    pub(super) written: Vec<(RelPath, StoreResult<Written>)>,
}

/// What the sessions of a store have in common.
pub(super) struct Ways {
    pub(super) choice: ListingChoice,
    pub(super) limits: Limits,
    pub(super) learned: Arc<Mutex<Learned>>,
    pub(super) clock: Arc<ServerClock>,
}

/// Where a round trip takes at least this long, it costs more than a data connection or a large answer.
const LONG_LINE: Duration = Duration::from_millis(4);

/// A transfer whose commands were sent before it is asked for.
#[derive(Debug)]
pub(super) enum Ahead {
    Read(ReadRequest, Flight),
    /// With what was sent before it for earlier uploads.
    Write(WriteRequest, Vec<Rider>, Flight),
}

impl FtpSession {
    pub(super) fn new(
        client: Client,
        root: Vec<u8>,
        other: Option<Vec<u8>>,
        name: String,
        ways: Ways,
    ) -> Self {
        let Ways { choice, limits, learned, clock } = ways;
        let (ahead, publisher, written) = (None, Publisher::default(), Vec::new());
        let area = Area::Tree;
        Self { client, root, other, area, name, choice, limits, learned, clock, ahead, publisher, written }
    }

    /// Returns the absolute path of `path` on the server.
    pub(super) fn full(&self, path: &RelPath) -> Vec<u8> {
        let separator: &[u8] = if path.is_root() && !self.root.is_empty() { b"" } else { b"/" };
        [&self.root, separator, path.as_bytes()].concat()
    }

    /// Returns the absolute path of `path` in one of the two directories.
    pub(super) fn full_in(&mut self, area: Area, path: &RelPath) -> Vec<u8> {
        let before = self.area;
        self.turn(area);
        let full = self.full(path);
        self.turn(before);
        full
    }

    /// Takes paths for those of another directory.
    pub(super) fn turn(&mut self, area: Area) {
        if let Some(other) = &mut self.other
            && self.area != area
        {
            std::mem::swap(&mut self.root, other);
            self.area = area;
        }
    }

    /// Returns the error of an operation on `path`. A session that can't be trusted after it is given up: it would be
    /// asked again otherwise, and its replies taken for what they are not.
    pub(super) fn fail(&mut self, operation: &'static str, path: &RelPath, error: FtpError) -> StoreError {
        if !error.keeps_session() {
            self.client.give_up();
        }
        StoreError::ftp(operation, path, &self.name, error)
    }

    /// Returns the directory above `path` that `path` is known to be; `None` where it isn't.
    fn leads_back(&self, path: &RelPath) -> Option<RelPath> {
        self.learned.lock().expect("no holder panics").loops.of(path).cloned()
    }

    /// Returns how this server sets times; `None` when it can't.
    pub(super) fn time_setter(&self) -> Option<TimeSetter> {
        TimeSetter::choose(self.client.features(), self.client.quirks())
    }

    /// Returns whether round trips are what costs.
    pub(super) fn is_far(&self) -> bool {
        self.client.round_trip() >= LONG_LINE
    }

    /// Returns whether the times of listings are exact.
    fn lists_exactly(&self) -> bool {
        let by_mlsd = matches!(self.choice, ListingChoice::Auto | ListingChoice::Mlsd | ListingChoice::Stat);
        let rounded = self.learned.lock().expect("no holder panics").rounds_times;
        by_mlsd && self.client.features().has_mlsd() && !rounded
    }

    /// Returns whether the next download may be announced behind the one that runs.
    pub(super) fn may_pair(&self) -> bool {
        self.client.has_pairs_ahead() && !self.learned.lock().expect("no holder panics").sizes_changed
    }

    /// Gives the session up, since a download was announced that now stands in the way. No session announces one so early again.
    pub(super) fn stop_pairing(&mut self) {
        self.learned.lock().expect("no holder panics").sizes_changed = true;
        self.leave_ahead();
    }

    /// Remembers that there was more of a file than there should be.
    pub(super) fn note_overrun(&self, file: &RelPath) {
        self.learned.lock().expect("no holder panics").overrun.insert(file.clone());
    }

    /// Returns whether there was more of a file than there should be, on whatever session.
    pub(super) fn overran(&self, file: &RelPath) -> bool {
        self.learned.lock().expect("no holder panics").overrun.contains(file)
    }

    /// Gives the session up because a transfer was announced that nobody asks for: the server waits for it now.
    pub(super) fn lose_track(&mut self) -> FtpError {
        self.client.give_up();
        FtpError::Closed
    }

    /// Makes sure that no announced transfer is in the way of other commands.
    pub(super) fn leave_ahead(&mut self) {
        if self.ahead.take().is_some() {
            self.lose_track();
        }
    }

    /// Sends one command for each path, in windows, and returns what was answered. A path that can't be sent has an error.
    pub(super) fn ask_each(&mut self, verb: Verb, paths: &[RelPath]) -> Vec<Result<Reply, FtpError>> {
        self.leave_ahead();
        let commands: Vec<Result<Command, FtpError>> =
            paths.iter().map(|path| command(verb, self.full(path))).collect();
        let sendable: Vec<Command> = commands.iter().filter_map(|c| c.as_ref().ok()).cloned().collect();
        let mut answers = self.client.call_all(&sendable).into_iter();
        commands
            .into_iter()
            .map(|command| command.and_then(|_| answers.next().expect("an answer for each command sent")))
            .collect()
    }

    /// Does the same to each path. Where the server refuses, `excuse` looks whether the wish is fulfilled all the same:
    /// the text of a 550 never says which. When it can't look, for a reason that passes, the change is as good as not tried.
    fn change_each(
        &mut self,
        operation: &'static str,
        verb: Verb,
        paths: &[RelPath],
        mut excuse: impl FnMut(&mut Self, &RelPath) -> Result<bool, FtpError>,
    ) -> Vec<StoreResult<()>> {
        let answers = self.ask_each(verb, paths);
        let mut results = Vec::with_capacity(paths.len());
        for (path, answer) in paths.iter().zip(answers) {
            results.push(match answer {
                Ok(reply) if reply.is_ok() => Ok(()),
                Ok(reply) => {
                    let excused =
                        if matches!(reply.code(), 521 | 550) { excuse(self, path) } else { Ok(false) };
                    match excused {
                        Ok(true) => Ok(()),
                        Err(e)
                            if matches!(
                                e.remedy(),
                                Remedy::Retry | Remedy::Wait | Remedy::Reconnect | Remedy::Abort
                            ) =>
                        {
                            Err(self.fail(operation, path, e))
                        }
                        Ok(false) | Err(_) => Err(self.fail(operation, path, FtpError::refused(verb, reply))),
                    }
                }
                Err(e) => Err(self.fail(operation, path, e)),
            });
        }
        results
    }

    /// Removes each path. A refusal is excused when a proven listing of the directory above shows nothing of that name.
    fn remove_each(&mut self, verb: Verb, paths: &[RelPath]) -> Vec<StoreResult<()>> {
        let mut seen: HashMap<RelPath, DirListing> = HashMap::new();
        self.change_each("remove", verb, paths, |session, path| {
            let Some(parent) = path.parent() else { return Ok(false) };
            let listing = match seen.entry(parent) {
                hash_map::Entry::Occupied(listing) => listing.into_mut(),
                hash_map::Entry::Vacant(place) => {
                    let listing = listing::list_dir(session, place.key())?;
                    place.insert(listing)
                }
            };
            Ok(listing.doubt.is_none() && listing.entries.iter().all(|entry| entry.path != *path))
        })
    }
}

impl Session for FtpSession {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            sets_times: self.time_setter().is_some(),
            exact_times: self.lists_exactly(),
            is_far: self.is_far(),
            makes_links: false,
        }
    }

    fn is_usable(&self) -> bool {
        self.client.is_usable() && !self.client.is_spent()
    }

    fn root_exists(&mut self) -> StoreResult<bool> {
        self.leave_ahead();
        let root = RelPath::root();
        let refusal = match self.client.change_dir(&self.full(&root)) {
            Ok(()) => return Ok(true),
            Err(e) if e.reply().is_none_or(|reply| reply.code() / 10 != 55) => {
                return Err(self.fail("open", &root, e));
            }
            Err(refusal) => refusal,
        };
        // A refused CWD may be a missing directory or a closed one. It is missing only if the nearest directory above that
        // can be entered is whole and doesn't name the next one.
        let mut path = self.root.clone();
        while let Some(cut) = path.iter().rposition(|&b| b == b'/') {
            let name = path.split_off(cut)[1..].to_vec();
            let above = if path.is_empty() { b"/".to_vec() } else { path.clone() };
            match listing::list_names(self, &above) {
                Ok(Some(names)) if !names.contains(&name) => return Ok(false),
                Ok(_) => break,
                Err(e) if e.reply().is_some() => {}
                Err(e) => return Err(self.fail("open", &root, e)),
            }
        }
        Err(self.fail("open", &root, refusal).with_remedy(Remedy::Skip))
    }

    fn make_root(&mut self) -> StoreResult<()> {
        self.leave_ahead();
        let root = RelPath::root();
        if self.client.change_dir(&self.full(&root)).is_ok() {
            return Ok(());
        }
        let mut refusal = None;
        let ends = (1..self.root.len()).filter(|&i| self.root[i] == b'/').chain([self.root.len()]);
        for end in ends.collect::<Vec<_>>() {
            let made = command(Verb::Mkd, &self.root[..end]).and_then(|mkd| self.client.call(&mkd));
            match made {
                Ok(reply) if reply.is_ok() => refusal = None,
                // It may be there already, or be closed while what is below it isn't: the last step tells.
                Ok(reply) => refusal = Some(FtpError::refused(Verb::Mkd, reply)),
                Err(e) => return Err(self.fail("create", &root, e)),
            }
        }
        let entered = self.client.change_dir(&self.full(&root));
        entered.map_err(|e| self.fail("create", &root, refusal.unwrap_or(e)))
    }

    fn list(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<DirListing>> {
        self.leave_ahead();
        let listed = listing::list_dirs(self, dirs);
        dirs.iter().zip(listed).map(|(dir, listed)| listed.map_err(|e| self.fail("list", dir, e))).collect()
    }

    fn mtimes(&mut self, files: &[RelPath]) -> Vec<StoreResult<Option<Mtime>>> {
        questions::mtimes(self, files)
    }

    fn checksum_kind(&self) -> Option<ChecksumKind> {
        ChecksumWay::choose(self.client.features()).map(|way| way.kind)
    }

    fn checksums(&mut self, kind: ChecksumKind, files: &[RelPath]) -> Vec<StoreResult<Option<Checksum>>> {
        self.leave_ahead();
        questions::checksums(self, kind, files)
    }

    fn follow(&mut self, links: &[RelPath]) -> Vec<StoreResult<Referent>> {
        self.leave_ahead();
        let followed = links::follow(self, links).into_iter().zip(links);
        followed
            .map(|(referent, link)| match self.leads_back(link) {
                Some(above) => Err(StoreError::endless(link, &above, &self.name)),
                None => referent.map_err(|e| self.fail("follow", link, e)),
            })
            .collect()
    }

    fn list_links(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<Vec<Entry>>> {
        self.leave_ahead();
        let listed = links::list(self, dirs).into_iter().zip(dirs);
        listed.map(|(links, dir)| links.map_err(|e| self.fail("list", dir, e))).collect()
    }

    /// `SITE SYMLINK` of ProFTPD's mod_site_misc makes each target absolute, demands that it exists, and takes no blanks: what it makes
    /// is not the link that was asked for.
    fn make_links(&mut self, links: &[LinkRequest]) -> Vec<StoreResult<()>> {
        let refuse = |link: &LinkRequest| {
            StoreError::new("create", &link.path, &self.name, Remedy::Skip, "FTP can't make symbolic links")
        };
        links.iter().map(|link| Err(refuse(link))).collect()
    }

    fn make_dirs(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<()>> {
        self.change_each("create", Verb::Mkd, dirs, |session, dir| {
            session.client.change_dir(&session.full(dir)).map(|()| true)
        })
    }

    /// MKD is atomic where the server's mkdir(2) is, and fails for what is there (RFC 959 §5.4 has 521 and 550 for that).
    fn claim_dir(&mut self, dir: &RelPath) -> StoreResult<bool> {
        self.leave_ahead();
        let reply = command(Verb::Mkd, self.full(dir)).and_then(|mkd| self.client.call(&mkd));
        match reply {
            Ok(reply) if reply.is_ok() => Ok(true),
            Ok(reply) => match self.client.change_dir(&self.full(dir)) {
                Ok(()) => Ok(false),
                Err(e) if e.reply().is_none() => Err(self.fail("create", dir, e)),
                Err(_) => Err(self.fail("create", dir, FtpError::refused(Verb::Mkd, reply))),
            },
            Err(e) => Err(self.fail("create", dir, e)),
        }
    }

    fn remove_files(&mut self, files: &[RelPath]) -> Vec<StoreResult<()>> {
        self.remove_each(Verb::Dele, files)
    }

    fn remove_dirs(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<()>> {
        self.remove_each(Verb::Rmd, dirs)
    }

    fn rename_files(&mut self, files: &[Renaming]) -> Vec<StoreResult<()>> {
        self.leave_ahead();
        rename::rename_files(self, files)
    }

    fn publish_files(&mut self, files: &[HeldFile]) -> Vec<StoreResult<()>> {
        self.leave_ahead();
        hold::publish_files(self, files)
    }

    fn switch(&mut self, area: Area) {
        // A transfer that was announced is of the directory that paths were of then.
        if self.area != area {
            self.leave_ahead();
        }
        self.turn(area);
    }

    fn aside_place(&mut self) -> StoreResult<AsidePlace> {
        Ok(self.other.as_ref().map_or(AsidePlace::Apart, |aside| AsidePlace::of(&self.root, aside)))
    }

    fn carry_files(&mut self, files: &[Renaming], way: Way) -> Vec<StoreResult<()>> {
        self.leave_ahead();
        rename::carry_files(self, files, way)
    }

    fn set_times(&mut self, files: &[Dating]) -> Vec<StoreResult<bool>> {
        self.leave_ahead();
        self.date(files)
    }

    fn set_modes(&mut self, files: &[Permitting]) -> Vec<StoreResult<()>> {
        permit::set_modes(self, files)
    }

    fn read<'s>(
        &'s mut self,
        file: &ReadRequest,
        next: Option<&ReadRequest>,
    ) -> StoreResult<Box<dyn Incoming + 's>> {
        download::read(self, file, next)
    }

    fn version(&mut self, file: &RelPath) -> StoreResult<Version> {
        self.leave_ahead();
        part::version(self, file).map_err(|e| self.fail("look at", file, e))
    }

    fn read_part<'s>(&'s mut self, part: &PartRequest) -> StoreResult<Box<dyn Incoming + 's>> {
        self.leave_ahead();
        part::read(self, part)
    }

    /// A server has one writer for a file.
    fn write_parts(&mut self, _: &WriteRequest) -> StoreResult<Option<Box<dyn Parts>>> {
        Ok(None)
    }

    fn write<'s>(
        &'s mut self,
        file: &WriteRequest,
        next: Option<&WriteRequest>,
    ) -> StoreResult<Box<dyn Outgoing + 's>> {
        upload::write(self, file, next)
    }

    fn recover(&mut self, file: &WriteRequest) -> StoreResult<bool> {
        self.recover_upload(file)
    }

    fn write_on<'s>(&'s mut self, file: &WriteRequest, begun: &Begun) -> StoreResult<Continued<'s>> {
        resume::write_on(self, file, begun)
    }

    fn settle(&mut self, which: Settle) -> Vec<(RelPath, StoreResult<Written>)> {
        self.settle_uploads(which)
    }
}
