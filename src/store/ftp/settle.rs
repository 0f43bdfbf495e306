//! From the session's side of publishing: what uploads still need is sent, alone or with what opens the next one, and each reply goes to
//! the file it is about.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use crate::ftp::client::{Client, command};
use crate::ftp::command::{Command, Verb};
use crate::ftp::error::{Answered, FtpError, is_unsupported};
use crate::ftp::reply::Reply;
use crate::model::{Key, RelPath, RunId, Temporary};
use crate::store::ftp::listing;
use crate::store::ftp::publish::{Lesson, Means, Rider};
use crate::store::ftp::recover::Unsettled;
use crate::store::ftp::session::FtpSession;
use crate::store::{Dating, HeldFile, Settle, StoreResult, WriteRequest, Written};

impl FtpSession {
    /// Takes a file whose upload is complete.
    pub(super) fn add_upload(&mut self, request: WriteRequest, bytes: u64) {
        let (temporary, path) = (self.full(&request.temporary), self.full(&request.path));
        self.publisher.add(request, temporary, path, bytes, Some(listing::now()));
    }

    /// Sends what uploads still need. The replies are to be heard before any other.
    pub(super) fn send_riders(&mut self) -> Result<Vec<Rider>, FtpError> {
        let (commands, riders): (Vec<Command>, Vec<Rider>) = self.riders()?.into_iter().unzip();
        for command in &commands {
            self.client.send(command)?;
        }
        Ok(riders)
    }

    /// Hears the replies to riders.
    pub(super) fn hear_riders(&mut self, riders: &[Rider]) -> Result<(), FtpError> {
        for (i, rider) in riders.iter().enumerate() {
            let reply = self.client.hear()?;
            self.take_reply(*rider, riders.get(i + 1), reply);
        }
        Ok(())
    }

    /// Does for all uploads what they still need, in as many flights as it takes.
    fn publish_all(&mut self) -> Result<(), FtpError> {
        loop {
            let (commands, riders): (Vec<Command>, Vec<Rider>) = self.riders()?.into_iter().unzip();
            if riders.is_empty() {
                match self.publisher.waiting().cloned() {
                    Some(request) => self.find_out(&request)?,
                    None => return Ok(()),
                }
                continue;
            }
            for (i, reply) in self.client.call_all(&commands).into_iter().enumerate() {
                self.take_reply(riders[i], riders.get(i + 1), reply?);
            }
        }
    }

    /// Finds out whether the server renames onto files, with two of our own beside this one, and goes on with what waited for that.
    fn find_out(&mut self, request: &WriteRequest) -> Result<(), FtpError> {
        let known = self.client.host().keeps_names.get().copied();
        let keeps_names = match known {
            Some(known) => known,
            None => {
                let [from, onto] = probes(&request.temporary).map(|path| self.full(&path));
                let keeps_names = keeps_names(&mut self.client, from, onto)?;
                // Others may have found it out meanwhile.
                let _ = self.client.host().keeps_names.set(keeps_names);
                keeps_names
            }
        };
        for (request, verdict) in self.publisher.go_on(keeps_names) {
            let verdict = verdict.map_err(|e| self.fail("write", &request.path, e));
            self.written.push((request.path, verdict));
        }
        Ok(())
    }

    /// Once the session is lost, nothing more becomes of what was still to be done. `lost` says how, where that is known.
    fn hear_of_lost(&mut self, lost: Option<&FtpError>) {
        if self.client.is_usable() {
            return;
        }
        let cause = || match lost {
            Some(FtpError::Timeout { clock, after }) => FtpError::Timeout { clock: *clock, after: *after },
            _ => FtpError::Closed,
        };
        let unsettled: Vec<(WriteRequest, Unsettled)> =
            self.publisher.unsettled().map(|(request, unsettled)| (request.clone(), unsettled)).collect();
        for (request, unsettled) in unsettled {
            self.leave_unsettled(&request, unsettled);
        }
        for (request, verdict) in self.publisher.give_up(cause) {
            let verdict = verdict.map_err(|e| self.fail("write", &request.path, e));
            self.written.push((request.path, verdict));
        }
    }

    fn riders(&mut self) -> Result<Vec<(Command, Rider)>, FtpError> {
        let clock = self.learned.lock().expect("no holder panics").clock;
        let (features, setter) = (self.client.features(), self.time_setter());
        let keeps_names = self.client.host().keeps_names.get() == Some(&true);
        let means = Means { features, setter, clock, keeps_names };
        self.publisher.riders(&means)
    }

    fn take_reply(&mut self, rider: Rider, next: Option<&Rider>, reply: Reply) {
        let last = next.is_none_or(|next| !next.is_for_the_file_of(&rider));
        let clock = self.learned.lock().expect("no holder panics").clock;
        let (lesson, published) = self.publisher.hear(rider, last, reply, clock, &self.clock);
        match lesson {
            Lesson::Nothing => {}
            Lesson::Lacks(verb) => self.client.refuse(verb),
            Lesson::Renames => self.client.host().renames.store(true, Ordering::Relaxed),
            Lesson::Clock(clock) => self.learned.lock().expect("no holder panics").clock = clock,
        }
        if let Some((request, verdict)) = published {
            let verdict = verdict.map_err(|e| self.without_renaming(e));
            let verdict = verdict.map_err(|e| self.fail("write", &request.path, e));
            self.written.push((request.path, verdict));
        }
    }

    /// Tells a server that has no renaming from one that refuses this one.
    fn without_renaming(&self, error: FtpError) -> FtpError {
        match error {
            FtpError::Refused { verb: Answered::Command(verb @ (Verb::Rnfr | Verb::Rnto)), reply }
                if is_unsupported(&reply) && !self.client.host().renames.load(Ordering::Relaxed) =>
            {
                FtpError::CannotRename { verb, reply }
            }
            error => error,
        }
    }

    /// Gives files that have their names already the times they are to have. Returns for each whether it has it.
    pub(super) fn date(&mut self, files: &[Dating]) -> Vec<StoreResult<bool>> {
        if self.time_setter().is_none() {
            return files.iter().map(|_| Ok(false)).collect();
        }
        let mut dated = self.publish_apart(|session| {
            for file in files {
                let path = session.full(&file.path);
                // What can't be sent was never listed, either.
                if command(Verb::Mdtm, path.as_slice()).is_ok() {
                    session.publisher.add_dating(file, path);
                }
            }
        });
        let mut results = Vec::with_capacity(files.len());
        for file in files {
            results.push(match dated.remove(&file.path) {
                Some(Ok(written)) => Ok(written.time_set),
                Some(Err(_)) => Err(self.fail("set the time of", &file.path, FtpError::Closed)),
                None => Ok(false),
            });
        }
        results
    }

    /// Gives files that were checked before their final names. Returns what became of each, by their paths.
    pub(super) fn publish_checked(&mut self, files: &[HeldFile]) -> HashMap<RelPath, StoreResult<Written>> {
        self.publish_apart(|session| {
            for file in files {
                let (temporary, path) = (session.full(&file.temporary), session.full(&file.path));
                session.publisher.add_checked(file, temporary, path);
            }
        })
    }

    /// Does at once what is needed by the files that `add` adds. Uploads that are not published yet are not waited for.
    fn publish_apart(&mut self, add: impl FnOnce(&mut Self)) -> HashMap<RelPath, StoreResult<Written>> {
        let others = (std::mem::take(&mut self.publisher), std::mem::take(&mut self.written));
        add(self);
        let lost = self.publish_all().err();
        if lost.is_some() {
            self.client.give_up();
        }
        self.hear_of_lost(lost.as_ref());
        self.publisher = others.0;
        std::mem::replace(&mut self.written, others.1).into_iter().collect()
    }

    /// Does what uploads still need, as far as it can't ride on a next one, and returns what became of those that are decided.
    pub(super) fn settle_uploads(&mut self, which: Settle) -> Vec<(RelPath, StoreResult<Written>)> {
        // Careful servers have no next flight that anything could ride on.
        let waits = self.ahead.is_none() && self.publisher.waiting().is_some();
        let now = which == Settle::All || waits || !self.client.has_flights(Verb::Stor);
        if now {
            self.leave_ahead();
        }
        // A loss shows below, for each file it concerns.
        let lost = if now && self.client.is_usable() { self.publish_all().err() } else { None };
        if lost.is_some() {
            self.client.give_up();
        }
        self.hear_of_lost(lost.as_ref());
        std::mem::take(&mut self.written)
    }
}

/// Returns two names beside a temporary one, by which the next run knows them for what they are if this one doesn't come to remove them.
fn probes(temporary: &RelPath) -> [RelPath; 2] {
    let unknown = Temporary { run: RunId { owner: 0, run: 0 }, key: Key::Other, number: 0, serial: 0 };
    let name = Temporary::parse(temporary.name()).unwrap_or(unknown);
    // No try has these numbers.
    [0, 1].map(|n| Temporary { key: Key::Other, serial: u32::MAX - n, ..name }.beside(temporary))
}

/// Returns whether the server refuses to rename one file of ours onto another.
fn keeps_names(client: &mut Client, from: Vec<u8>, to: Vec<u8>) -> Result<bool, FtpError> {
    let mut made = Ok(());
    for path in [&from, &to] {
        made = made.and_then(|()| {
            let mut upload = client.store(path, 0)?;
            upload.write(client, b"?")?;
            upload.finish(client).map(drop)
        });
    }
    let renamed = made.and_then(|()| client.rename(&from, &to));
    // Whatever is there no more is none to be removed.
    let cleared = client.call_all(&[command(Verb::Dele, from)?, command(Verb::Dele, to)?]);
    match renamed {
        Ok(()) => Ok(false),
        Err(e) if !e.keeps_session() => Err(e),
        Err(e) => {
            cleared.into_iter().collect::<Result<Vec<Reply>, FtpError>>()?;
            // Where no file could be made, nobody knows: then nothing steps aside.
            Ok(e.is_refusal_of(Verb::Rnto))
        }
    }
}
