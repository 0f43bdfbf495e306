//! What becomes of a file whose try broke off: it is gone on with where enough of it is there, begun anew, or given up.

use std::collections::VecDeque;

use crate::execute::Event;
use crate::execute::copy::{Attempt, Copier, Next, Tries, is_in_place};
use crate::execute::resume::{Partial, Rest, TAIL_BYTES, Wanted, length_of, open_rest, write_rest};
use crate::model::{Key, Remedy};
use crate::store::{ReadRequest, StoreError, StoreResult, WriteRequest};

/// How far a try came that went on with what was there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Went {
    /// The file is handed over.
    Through,
    /// What was there is not to be gone on with.
    Nowhere,
}

impl Copier<'_, '_> {
    /// Sends what is missing of a file, if what is there is a beginning of it. When it went through, the file is handed over and in
    /// `finished`.
    pub(super) fn go_on(
        &mut self,
        attempt: &mut Attempt,
        (read, write): &(ReadRequest, WriteRequest),
    ) -> StoreResult<Went> {
        let run = self.run;
        self.tell_start(attempt);
        let result = self.try_to_go_on(attempt, read, write);
        match result {
            Ok(Went::Through) => self.note_sent(write.path.clone(), attempt),
            Ok(Went::Nowhere) | Err(_) => {
                run.observer.event(&Event::TakenBack { bytes: attempt.kept + attempt.bytes });
            }
        }
        result
    }

    fn try_to_go_on(
        &mut self,
        attempt: &mut Attempt,
        read: &ReadRequest,
        write: &WriteRequest,
    ) -> StoreResult<Went> {
        let (run, partials, line) = (self.run, &self.shared.partials, self.line());
        let mtime = run.source_time(&self.shared.times, attempt.action);
        let (Some(partial), Some(size), Some(mtime)) = (&mut attempt.partial, read.size, mtime) else {
            return Ok(Went::Nowhere);
        };
        // A server may have gone on writing for a lost session, so that there is more by now.
        let bytes = match length_of(self.destination, &partial.path)? {
            Some(bytes) if partials.are_worth(bytes) && bytes <= size => bytes,
            _ => return Ok(Went::Nowhere),
        };
        partial.bytes = bytes;
        let whole_seconds = run.source.store().is_remote();
        let file = Wanted { path: &read.path, size, mtime, whole_seconds };
        let Some(Rest { mut incoming, version, begun }) = open_rest(self.source, &file, bytes)? else {
            return Ok(Went::Nowhere);
        };
        let write = WriteRequest { temporary: partial.path.clone(), ..write.clone() };
        let Some(mut outgoing) = write_rest(self.destination, &write, &begun, partials)? else {
            return Ok(Went::Nowhere);
        };
        attempt.began = true;
        attempt.kept = bytes;
        run.observer.event(&Event::Kept { worker: self.worker, bytes });
        line.pump(attempt, &mut *incoming, &mut *outgoing, self.block, |_| {})?;
        incoming.finish()?;
        if self.source.version(&read.path)? != version {
            return Ok(Went::Nowhere);
        }
        outgoing.finish().map(|()| Went::Through)
    }

    /// Puts the file back for another try, or gives it its outcome. Returns the error that ends this worker.
    pub(super) fn after_failure(&mut self, attempt: &Attempt, error: StoreError) -> StoreResult<()> {
        if attempt.partial.is_some() && error.remedy() == Remedy::Skip {
            // One of the servers doesn't go on where it is told to.
            self.shared.partials.refuse();
            self.begin_anew(attempt, VecDeque::push_front);
            return Ok(());
        }
        if error.remedy() == Remedy::Reconnect {
            match self.is_recovered(attempt) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(lost) => {
                    self.put_aside(attempt);
                    return self.leave_to_others(attempt, lost);
                }
            }
        }
        let tries = match self.keep_begun(attempt, &error) {
            Ok(true) => Tries { in_vain: 1, ..attempt.tries },
            Ok(false) => attempt.tries,
            Err(lost) => return self.leave_to_others(attempt, lost),
        };
        if error.remedy() == Remedy::Shrink {
            return self.leave_to_others(attempt, error);
        }
        if self.run.options.retry.again(error.remedy(), tries.in_vain) {
            let (action, number) = (self.run.action(attempt.action), attempt.tries.number);
            self.run.observer.event(&Event::Retried { action, tries: number, error: &error });
            self.queue_again(attempt.action, tries.next(), VecDeque::push_front);
            return Ok(());
        }
        let mut outcome = self.run.failure(&error, attempt.tries.number);
        if attempt.began && is_in_place(self.run, attempt.action) {
            let error = outcome.error.unwrap_or_default();
            let text = format!("{error}; it was written in place, and what is there may be a part of it");
            outcome.error = Some(text);
        }
        if error.is_absence() {
            self.shared.missing.lock().expect("no holder panics").push((attempt.action, outcome));
        } else {
            self.run.settle_sent(attempt.action, outcome);
        }
        Ok(())
    }

    /// Looks whether a file of which nothing more was heard has all its bytes at the destination, and may even have its name. If so, it is in
    /// `finished` again. Looking is no try.
    ///
    /// # Errors
    /// When there is no session of the destination any more: whoever asks again would wait for it again.
    pub(super) fn is_recovered(&mut self, attempt: &Attempt) -> StoreResult<bool> {
        let is_hopeless = attempt.found > self.run.options.retry.retries;
        if self.run.options.cancel.is_cancelled() || !attempt.began || is_hopeless {
            return Ok(false);
        }
        let (_, write) = self.requests(attempt.action, attempt.serial);
        let write = match &attempt.partial {
            Some(partial) => WriteRequest { temporary: partial.path.clone(), ..write },
            None => write,
        };
        match self.destination.recover(&write) {
            Ok(true) => {}
            Err(lost) if lost.remedy() == Remedy::Shrink => return Err(lost),
            // Whoever sends it again will see.
            Ok(false) | Err(_) => return Ok(false),
        }
        self.run.observer.event(&Event::Recovered { bytes: attempt.kept + attempt.bytes });
        self.finished.insert(write.path, Attempt { found: attempt.found + 1, ..attempt.clone() });
        Ok(true)
    }

    /// Gives all back that this worker has begun, since it has no session any more. What was handed over is done again, too: nothing
    /// was heard of it.
    pub(super) fn leave_to_others(&mut self, attempt: &Attempt, error: StoreError) -> StoreResult<()> {
        let begun = self.todo.drain(..).map(|next| next.action);
        let unheard = self.finished.drain().map(|(_, attempt)| attempt.action);
        self.shared.give_back(std::iter::once(attempt.action).chain(begun).chain(unheard));
        Err(error)
    }

    /// Puts aside what there may be of a file, without asking how much that is.
    fn put_aside(&self, attempt: &Attempt) {
        let bytes = attempt.partial.as_ref().map_or(0, |partial| partial.bytes);
        if self.may_keep(attempt, bytes.max(attempt.kept + attempt.bytes)) {
            self.keep(attempt, bytes, attempt.partial.as_ref().map_or(0, |partial| partial.vain));
        } else {
            self.leave_litter(attempt);
        }
    }

    /// Puts aside what a failed try left at the destination: to be gone on with, by this run or the next, or to be removed. Returns whether
    /// there is more of the file than before.
    ///
    /// # Errors
    /// When the destination can't be asked any more.
    fn keep_begun(&mut self, attempt: &Attempt, error: &StoreError) -> StoreResult<bool> {
        let passes = error.is_cancelled()
            || matches!(error.remedy(), Remedy::Retry | Remedy::Wait | Remedy::Reconnect | Remedy::Shrink);
        let before = attempt.partial.as_ref().map_or(0, |partial| partial.bytes);
        let vain = match &attempt.partial {
            Some(partial) if !attempt.began => partial.vain + 1,
            _ => 0,
        };
        let most = before.max(attempt.kept + attempt.bytes);
        if !(passes && vain < Partial::MOST_VAIN && self.may_keep(attempt, most)) {
            self.leave_litter(attempt);
            return Ok(false);
        }
        if error.is_cancelled() || error.remedy() == Remedy::Shrink || !attempt.began {
            self.keep(attempt, before, vain);
            return Ok(false);
        }
        let path = self.temporary_of(attempt);
        let now = match length_of(self.destination, &path) {
            Ok(now) => now.unwrap_or(0),
            Err(e) if e.remedy() == Remedy::Shrink => {
                self.keep(attempt, before, vain);
                return Err(e);
            }
            // Whoever goes on with it will see.
            Err(_) => {
                self.keep(attempt, before, vain);
                return Ok(false);
            }
        };
        if !self.shared.partials.are_worth(now) {
            self.leave_litter(attempt);
            return Ok(false);
        }
        self.keep(attempt, now, vain);
        Ok(now >= before.saturating_add(TAIL_BYTES))
    }

    /// Returns whether a temporary file of so many bytes may be gone on with.
    pub(super) fn may_keep(&self, attempt: &Attempt, bytes: u64) -> bool {
        let is_begun = attempt.began || attempt.partial.is_some();
        let is_known = matches!(self.run.key_of(&self.shared.times, attempt.action), Key::Of(_));
        is_begun && is_known && !attempt.tries.whole && self.shared.partials.are_worth(bytes)
    }

    pub(super) fn keep(&self, attempt: &Attempt, bytes: u64, vain: u32) {
        let (path, earlier) = (self.temporary_of(attempt), attempt.earlier());
        self.shared.partials.put(attempt.action, Partial { path, bytes, earlier, vain });
    }

    /// Sends a file from its beginning, since what is there of it is of no use. That was no try.
    pub(super) fn begin_anew(&mut self, attempt: &Attempt, push: impl FnOnce(&mut VecDeque<Next>, Next)) {
        self.add_litter(self.temporary_of(attempt), attempt.action);
        let whole = attempt.tries.whole || attempt.earlier() == 0;
        self.queue_again(attempt.action, Tries { whole, ..attempt.tries }, push);
    }

    /// Remembers what a failed try may have left at the destination.
    pub(super) fn leave_litter(&self, attempt: &Attempt) {
        if attempt.began || attempt.partial.is_some() {
            self.add_litter(self.temporary_of(attempt), attempt.action);
        }
    }
}

impl Attempt {
    /// Returns how many bytes of the file were sent by an earlier run.
    pub(super) fn earlier(&self) -> u64 {
        self.partial.as_ref().map_or(0, |partial| partial.earlier)
    }
}
