//! The report of a whole plan that was carried out in parts.

use crate::execute::Outcome;
use crate::model::escape;
use crate::plan::{Action, Part, Plan};
use crate::planfile::{Manifest, Outcomes};
use crate::report::{Mode, Report};

/// Makes one report of all parts of a plan, each with its actions and what became of them, `None` where it was never carried out. Each
/// action is in it once.
pub fn whole(manifest: &Manifest, parts: Vec<(Part, Vec<Action>, Option<Outcomes>)>) -> Report {
    let [source, destination] =
        [&manifest.source, &manifest.destination].map(|place| escape(place.as_bytes()));
    let mut report = Report { early: None, ..Report::of_nothing(Mode::Sync, &source, &destination, 0) };
    report.plan = Plan { scanned: manifest.scanned, unchanged: manifest.unchanged, ..Plan::default() };
    let (mut all, mut span) = (Vec::new(), None);
    for (part, mut actions, outcomes) in parts {
        match outcomes {
            Some(outcomes) => {
                let (began, ended) = (outcomes.began, outcomes.ended);
                span = Some(span.map_or((began, ended), |(first, last)| (began.min(first), ended.max(last))));
                for i in outcomes.refused {
                    if let Some((action, Outcome { error: Some(error), .. })) =
                        actions.get_mut(i).zip(outcomes.of.get(i))
                    {
                        action.refuse(error.clone());
                    }
                }
                report.outcomes.extend(outcomes.of);
                for note in outcomes.notes {
                    if !report.notes.contains(&note) {
                        report.notes.push(note);
                    }
                }
            }
            None => {
                let untried = Outcome::untried(format!("{} was not applied", part.title(manifest.shards)));
                report.outcomes.extend(actions.iter().map(|_| untried.clone()));
            }
        }
        all.extend(actions);
    }
    report.plan.actions = all.into();
    report.at = span.map(|(began, _)| began);
    let span = span.and_then(|(began, ended)| (ended - began).to_std().ok());
    report.seconds = span.unwrap_or_default().as_secs_f64();
    report
}
