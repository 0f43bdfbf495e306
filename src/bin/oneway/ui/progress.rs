//! What a run is doing: a frame at the bottom of a terminal, a line now and then in a log, and nothing elsewhere.
//!
//! Workers note what they do in numbers that cost nothing to change; a thread of its own makes something to look at of them.

mod frame;
mod pace;

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use oneway::compare::Side;
use oneway::execute::{Event, Observer};
use oneway::model::{Cancel, RelPath, escape};
use oneway::plan::{Action, Actions, Deed};

use crate::args::When;
use crate::ui::progress::frame::{Count, Doing, Look, UnderWay, View, lines, sentence};
use crate::ui::progress::pace::{Done, Pace};
use crate::ui::say::{paint, show_named};
use crate::ui::terminal;

/// Shows what a run does on standard error.
pub(crate) struct Progress {
    /// `None` where nothing is shown.
    state: Option<Arc<State>>,
    /// In place, and not line by line.
    redraws: bool,
    shower: Mutex<Option<JoinHandle<()>>>,
}

/// What is known of the run.
struct State {
    begun: Instant,
    cancel: Cancel,
    /// One of the constants below.
    stage: AtomicU8,
    source: AtomicUsize,
    destination: AtomicUsize,
    bytes: AtomicU64,
    /// Of these, bytes that were there before.
    kept: AtomicU64,
    all_bytes: AtomicU64,
    files: AtomicUsize,
    all_files: AtomicUsize,
    others: AtomicUsize,
    all_others: AtomicUsize,
    workers: Vec<Worker>,
    is_over: AtomicBool,
}

#[derive(Default)]
struct Worker {
    /// What it has under way, and how many bytes that is.
    file: Mutex<Option<(RelPath, u64)>>,
    bytes: AtomicU64,
}

const SCANNING: u8 = 0;
const COMPARING: u8 = 1;
const DOING: u8 = 2;

/// More sessions can't be asked for.
const MOST_WORKERS: usize = 64;

/// What a file costs beside its bytes, and another change, in bytes that would have moved meanwhile: a guess for the estimate of the time.
const FILE_WORK: u64 = 64 << 10;
const OTHER_WORK: u64 = 8 << 10;

impl Progress {
    /// Shows nothing when it is to be quiet.
    pub(crate) fn new(when: When, quiet: bool, cancel: &Cancel) -> Self {
        let redraws = terminal::can_redraw();
        let is_shown = !quiet
            && match when {
                When::Never => false,
                When::Always => true,
                When::Auto => redraws,
            };
        let state = is_shown.then(|| Arc::new(State::new(cancel)));
        let shower = state.clone().map(|state| {
            thread::spawn(move || if redraws { state.show_frames() } else { state.show_lines() })
        });
        Self { state, redraws, shower: Mutex::new(shower) }
    }

    /// Returns whether all that is shown will be taken away.
    pub(crate) fn is_redrawn(&self) -> bool {
        self.state.is_some() && self.redraws
    }

    /// Takes away what is shown.
    pub(crate) fn finish(&self) {
        if let Some(state) = &self.state {
            state.is_over.store(true, Ordering::Relaxed);
        }
        let shower = self.shower.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(shower) = shower {
            shower.thread().unpark();
            // If it panicked, that was said.
            let _ = shower.join();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Observer for Progress {
    fn event(&self, event: &Event<'_>) {
        let Some(state) = &self.state else { return };
        state.note(event);
        if matches!(event, Event::Planned { dry: true, .. }) {
            self.finish();
        }
    }
}

impl State {
    fn new(cancel: &Cancel) -> Self {
        Self {
            begun: Instant::now(),
            cancel: cancel.clone(),
            stage: AtomicU8::new(SCANNING),
            source: AtomicUsize::new(0),
            destination: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
            kept: AtomicU64::new(0),
            all_bytes: AtomicU64::new(0),
            files: AtomicUsize::new(0),
            all_files: AtomicUsize::new(0),
            others: AtomicUsize::new(0),
            all_others: AtomicUsize::new(0),
            workers: std::iter::repeat_with(Worker::default).take(MOST_WORKERS).collect(),
            is_over: AtomicBool::new(false),
        }
    }

    fn note(&self, event: &Event<'_>) {
        let add = |to: &AtomicU64, bytes: u64| {
            to.fetch_add(bytes, Ordering::Relaxed);
        };
        match event {
            Event::Listed { side: Side::Source, entries } => {
                self.source.fetch_add(*entries, Ordering::Relaxed);
            }
            Event::Listed { side: Side::Destination, entries } => {
                self.destination.fetch_add(*entries, Ordering::Relaxed);
            }
            Event::Scanned => self.stage.store(COMPARING, Ordering::Relaxed),
            Event::Planned { plan, .. } => self.plan(&plan.actions),
            Event::Started { worker, action, bytes } => {
                if let Some(worker) = self.workers.get(*worker) {
                    worker.bytes.store(0, Ordering::Relaxed);
                    worker.put(Some((action.entry().path.clone(), *bytes)));
                }
            }
            Event::Moved { worker, bytes } | Event::Kept { worker, bytes } => {
                if matches!(event, Event::Kept { .. }) {
                    add(&self.kept, *bytes);
                }
                add(&self.bytes, *bytes);
                if let Some(worker) = self.workers.get(*worker) {
                    add(&worker.bytes, *bytes);
                }
            }
            Event::Recovered { bytes } => add(&self.bytes, *bytes),
            Event::TakenBack { bytes } => take_from(&self.bytes, *bytes),
            Event::Retried { .. } => {}
            Event::Idle { worker } => {
                if let Some(worker) = self.workers.get(*worker) {
                    worker.put(None);
                }
            }
            Event::Finished { action, outcome } => {
                let count = if is_transfer(action) { &self.files } else { &self.others };
                count.fetch_add(1, Ordering::Relaxed);
                if !outcome.is_done() {
                    // Its bytes won't come any more.
                    take_from(&self.all_bytes, action.bytes());
                }
            }
        }
    }

    fn plan(&self, actions: &Actions) {
        let count = |deed| actions.tally().all.get(&deed).copied().unwrap_or_default();
        let files = count(Deed::Copy) + count(Deed::Replace);
        self.all_files.store(files, Ordering::Relaxed);
        self.all_others.store(actions.len() - files, Ordering::Relaxed);
        self.all_bytes.store(actions.tally().bytes, Ordering::Relaxed);
        self.stage.store(DOING, Ordering::Relaxed);
    }

    fn show_frames(&self) {
        let look =
            Look { unicode: terminal::has_unicode(), colours: terminal::has_colours(&std::io::stderr()) };
        let mut pace = Pace::default();
        // What is over at once is not worth a flash.
        self.sleep(FIRST_PAUSE);
        while !self.is_over() {
            let view = self.view(&mut pace);
            if terminal::is_foreground() {
                paint(&lines(&view, terminal::size(), look));
            }
            self.sleep(FRAME_PAUSE);
        }
        paint(&[]);
    }

    fn show_lines(&self) {
        let mut pace = Pace::default();
        let mut next = LINE_PAUSE;
        while !self.is_over() {
            let view = self.view(&mut pace);
            let now = self.begun.elapsed();
            if now >= next {
                show_named(format_args!("{}", sentence(&view)));
                // The longer it takes, the less there is to say.
                next = now + (now / 10).clamp(LINE_PAUSE, MOST_LINE_PAUSE);
            }
            self.sleep(FRAME_PAUSE);
        }
    }

    fn view(&self, pace: &mut Pace) -> View {
        let count = |n: &AtomicUsize| n.load(Ordering::Relaxed);
        let (source, destination) = (count(&self.source), count(&self.destination));
        let elapsed = self.begun.elapsed();
        match self.stage.load(Ordering::Relaxed) {
            SCANNING => return View::Scanning { source, destination, elapsed },
            COMPARING => return View::Comparing { entries: source.saturating_add(destination), elapsed },
            _ => {}
        }
        let all_bytes = self.all_bytes.load(Ordering::Relaxed);
        let bytes = Count { done: self.bytes.load(Ordering::Relaxed).min(all_bytes), of: all_bytes };
        let files = Count { done: count(&self.files), of: count(&self.all_files) };
        let others = Count { done: count(&self.others), of: count(&self.all_others) };
        let work = |bytes: u64, files: usize, others: usize| {
            let more = (files as u64).saturating_mul(FILE_WORK) + (others as u64).saturating_mul(OTHER_WORK);
            bytes.saturating_add(more)
        };
        let done = work(bytes.done, files.done, others.done);
        let all = work(bytes.of, files.of, others.of).max(1);
        // What was there already says nothing of the speed.
        let kept = self.kept.load(Ordering::Relaxed);
        let sent = |done: u64| done.saturating_sub(kept);
        pace.note(elapsed, Done { bytes: sent(bytes.done), work: sent(done) });
        View::Doing(Doing {
            part: done as f64 / all as f64,
            bytes,
            files,
            others,
            rate: pace.bytes_per_second(),
            left: pace.time_for(all.saturating_sub(done)),
            is_stopping: self.cancel.is_cancelled(),
            under_way: self.workers.iter().filter_map(Worker::under_way).collect(),
        })
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn sleep(&self, time: Duration) {
        if !self.is_over() {
            thread::park_timeout(time);
        }
    }
}

impl Worker {
    fn put(&self, file: Option<(RelPath, u64)>) {
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = file;
    }

    fn under_way(&self) -> Option<UnderWay> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (path, size) = file.as_ref()?;
        let bytes = Count { done: self.bytes.load(Ordering::Relaxed), of: *size };
        Some(UnderWay { name: escape(path.as_bytes()), bytes })
    }
}

fn is_transfer(action: &Action) -> bool {
    matches!(action.deed, Deed::Copy | Deed::Replace)
}

fn take_from(number: &AtomicU64, bytes: u64) {
    // It always says what to store.
    let _ = number.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| Some(n.saturating_sub(bytes)));
}

const FIRST_PAUSE: Duration = Duration::from_millis(150);
const FRAME_PAUSE: Duration = Duration::from_millis(125);
/// Between two printed lines.
const LINE_PAUSE: Duration = Duration::from_secs(5);
const MOST_LINE_PAUSE: Duration = Duration::from_secs(60);
