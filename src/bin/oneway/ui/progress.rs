//! A progress line on a terminal, and nothing of it elsewhere.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use oneway::compare::Side;
use oneway::execute::{Event, Observer};
use oneway::plan::{Action, Deed};

use crate::args::When;
use crate::ui::say::complain;

/// Shows what a run does on standard error.
pub(crate) struct Progress {
    bar: ProgressBar,
    source: AtomicUsize,
    destination: AtomicUsize,
    files: AtomicUsize,
    finished: AtomicUsize,
    /// Where no line can be redrawn, one is printed now and then.
    lines: Option<std::sync::Mutex<Instant>>,
}

/// Between two printed lines.
const LINE_PAUSE: Duration = Duration::from_secs(5);

impl Progress {
    pub(crate) fn new(when: When, quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let shown = !quiet && (when == When::Always || (when == When::Auto && terminal));
        let bar = ProgressBar::with_draw_target(
            None,
            if shown && terminal {
                ProgressDrawTarget::stderr_with_hz(8)
            } else {
                ProgressDrawTarget::hidden()
            },
        );
        bar.set_style(style("{spinner} {msg}"));
        let lines = (shown && !terminal).then(|| std::sync::Mutex::new(Instant::now()));
        Self {
            bar,
            source: AtomicUsize::new(0),
            destination: AtomicUsize::new(0),
            files: AtomicUsize::new(0),
            finished: AtomicUsize::new(0),
            lines,
        }
    }

    /// Takes the line away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn scanned(&self) {
        let count = |side: &AtomicUsize| side.load(Ordering::Relaxed);
        let (source, destination) = (count(&self.source), count(&self.destination));
        self.say(format!("scanning: {source} entries at the source, {destination} at the destination"));
    }

    fn planned(&self, actions: &[Action]) {
        let files = actions.iter().filter(|action| is_transfer(action)).count();
        self.files.store(files, Ordering::Relaxed);
        self.bar.set_length(actions.iter().map(Action::bytes).fold(0, u64::saturating_add));
        self.bar.set_style(style("{bar:20} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta} {wide_msg}"));
        self.say(format!("0/{files} files"));
    }

    fn finished(&self, action: &Action) {
        if is_transfer(action) {
            let finished = self.finished.fetch_add(1, Ordering::Relaxed) + 1;
            self.say(format!("{finished}/{} files  {}", self.files.load(Ordering::Relaxed), action.path));
        }
    }

    fn say(&self, text: String) {
        if let Some(last) = &self.lines
            && let Ok(mut last) = last.try_lock()
            && last.elapsed() >= LINE_PAUSE
        {
            *last = Instant::now();
            complain!("{text}");
        }
        self.bar.set_message(text);
    }
}

impl Observer for Progress {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Listed { side, entries } => {
                let count = match side {
                    Side::Source => &self.source,
                    Side::Destination => &self.destination,
                };
                count.fetch_add(*entries, Ordering::Relaxed);
                self.scanned();
            }
            Event::Planned { dry: true, .. } => self.finish(),
            Event::Planned { plan, dry: false } => self.planned(&plan.actions),
            Event::Started { .. } => {}
            Event::Moved { bytes } | Event::Kept { bytes } => self.bar.inc(*bytes),
            Event::TakenBack { bytes } => self.bar.set_position(self.bar.position().saturating_sub(*bytes)),
            Event::Finished { action, .. } => self.finished(action),
        }
    }
}

fn is_transfer(action: &Action) -> bool {
    matches!(action.deed, Deed::Copy | Deed::Replace)
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is a literal").progress_chars("━╸ ")
}
