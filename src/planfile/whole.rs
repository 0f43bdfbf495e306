//! The report of a whole plan that was carried out in parts.

use std::collections::HashMap;

use crate::execute::Outcome;
use crate::model::{RelPath, escape};
use crate::plan::{Action, Part, Plan};
use crate::planfile::{Manifest, Outcomes};
use crate::report::{Mode, Report};

/// Makes one report of all parts of a plan, each with its actions and what became of them, `None` where it was never carried out. Each
/// action is in it once: a file that a share sends and that gets its name last is told of as it is last.
pub fn whole(manifest: &Manifest, parts: Vec<(Part, Vec<Action>, Option<Outcomes>)>) -> Report {
    let [source, destination] =
        [&manifest.source, &manifest.destination].map(|place| escape(place.as_bytes()));
    let mut report = Report { early: None, ..Report::of_nothing(Mode::Sync, &source, &destination, 0) };
    report.plan = Plan { scanned: manifest.scanned, unchanged: manifest.unchanged, ..Plan::default() };
    let (mut all, mut span) = (Vec::new(), None);
    let mut sent: HashMap<RelPath, (Action, Outcome)> = HashMap::new();
    for (part, mut actions, outcomes) in parts {
        let is_over = outcomes.is_some();
        let mut of = match outcomes {
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
                for note in outcomes.notes {
                    if !report.notes.contains(&note) {
                        report.notes.push(note);
                    }
                }
                outcomes.of
            }
            None => {
                let untried = Outcome::untried(format!("{} was not applied", part.title(manifest.shards)));
                vec![untried; actions.len()]
            }
        };
        match part {
            Part::Shard(_) if manifest.delays_updates() => {
                sent.extend(actions.into_iter().zip(of).map(|one| (one.0.path.clone(), one)));
                continue;
            }
            Part::Last if !is_over => {
                for (action, outcome) in actions.iter_mut().zip(&mut of) {
                    // What was never sent has no other reason.
                    if let Some(unsent) = sent.remove(&action.path).filter(|(_, sent)| !sent.is_done())
                        && unsent.0.deed == action.deed
                    {
                        (*action, *outcome) = unsent;
                    }
                }
            }
            _ => {}
        }
        report.outcomes.extend(of);
        all.extend(actions);
    }
    report.plan.actions = all.into();
    report.at = span.map(|(began, _)| began);
    let span = span.and_then(|(began, ended)| (ended - began).to_std().ok());
    report.seconds = span.unwrap_or_default().as_secs_f64();
    report
}
