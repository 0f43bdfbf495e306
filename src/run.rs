//! A run from its two stores to its report: scan both sides, compare, plan, guard, execute.

mod apply;
mod ask;
pub mod backup;
mod carry;
mod contents;
mod ends;
mod exact;
pub mod explain;
mod folding;
mod heal;
mod held;
mod left_out;
mod leftovers;
mod look;
mod memory;
mod notes;
mod options;
mod remote_lock;
mod server_state;
mod times;

use std::borrow::Cow;
use std::sync::Arc;

use crate::compare::{Basis, CompareOptions, newly_dated};
use crate::execute::Observer;
use crate::filter::Filter;
use crate::model::Tree;
use crate::plan::{
    Deed, Plan, PlanOptions, Presence, candidates, check, check_conditions, come_last, plan_within, rename,
};
use crate::pool::Pool;
use crate::report::{Mode, Report};
use crate::run::carry::{Course, Decision, carry_out};
use crate::run::contents::{Trust, can_be_known, compare_contents, equal_sizes, know_candidates};
use crate::run::ends::Ends;
use crate::run::explain::{Decided, Witness};
use crate::run::look::{Looked, Measure};
use crate::run::memory::Memory;
use crate::run::remote_lock::Loss;
use crate::scan::Scanned;
use crate::spill::Spill;
use crate::store::{Store, StoreResult};

pub use crate::run::apply::apply;
pub use crate::run::options::{RunOptions, StateOptions};
pub use crate::run::remote_lock::LockOptions;

/// Mirrors `source` to `destination`, or says what that would do.
///
/// # Errors
/// When a side can't be reached or its root can't be listed; nothing was changed then. Everything else is in the report.
pub fn run(
    source: &Arc<dyn Store>,
    destination: &Arc<dyn Store>,
    options: &RunOptions,
    observer: &dyn Observer,
) -> StoreResult<Report> {
    let lost = Loss::default();
    mirror(source, destination, options, observer, &lost, None).map_err(|error| lost.or(error))
}

fn mirror(
    source: &Arc<dyn Store>,
    destination: &Arc<dyn Store>,
    options: &RunOptions,
    observer: &dyn Observer,
    lost: &Loss,
    mut witness: Option<&mut Witness<'_>>,
) -> StoreResult<Report> {
    let ends = Ends::new(source, destination, options);
    let lock = ends.lock(options, lost)?;
    let options = &*apart(options, &ends)?;
    let mut looked = Looked::at(&ends, options, None, observer, witness.as_deref_mut())?;
    let measure = looked.measure(&ends, options)?;
    let sides = (&ends.source, &ends.destination);
    let trees = (&looked.from.tree, &looked.to.tree);
    look_into(&mut looked.memory, sides, trees, &measure.compare, options.presence)?;
    let mut plan = decide(&ends, options, &looked, &measure)?;
    if options.keeps_plan {
        exact::sharpen(&mut plan, &ends, &options.spill.share(1, 4))?;
    }
    if measure.compare.basis == Basis::Adopt {
        looked.notes.push(adopt(&mut plan));
    }
    options.spill.check()?;
    let refusal = check(&plan, &looked.from.tree, &looked.to.tree, &options.guard)
        .and_then(|()| check_conditions(&plan, &looked.from.tree, &looked.to.tree, &options.fail_if))
        .err();
    if let Some(witness) = witness {
        let [from, to] = &measure.listed;
        witness.see_plan(&Decided {
            trees: [&looked.from.tree, &looked.to.tree],
            listed: [&from.listed, &to.listed],
            evidence: &looked.memory.evidence,
            compare: &measure.compare,
            plan: &plan,
            refusal: refusal.as_ref(),
        });
    }
    let dry = options.mode != Mode::Sync || refusal.is_some();
    let decision = Decision { plan, refusal, dry, times_kept: measure.times_kept, held: Vec::new() };
    let course = Mirroring { measure, filter: &options.filter };
    if let Some(found) = options.found.as_ref().filter(|_| dry) {
        looked.memory.keep_apart(found, options.state.as_ref(), &options.spill);
        course.before(&looked.memory, &looked.from, &looked.to);
    }
    Ok(carry_out((&ends, lock), options, looked, decision, &course, observer))
}

/// Leaves the directory of backups out, where it is in the destination.
fn apart<'o>(options: &'o RunOptions, ends: &Ends) -> StoreResult<Cow<'o, RunOptions>> {
    let mut options = Cow::Borrowed(options);
    if options.backup.is_some()
        && let Some(dir) = backup::inside(&ends.destination)?
    {
        options.to_mut().filter.set_apart(dir);
    }
    Ok(options)
}

/// Plans what makes the destination a mirror of the source.
fn decide(ends: &Ends, options: &RunOptions, looked: &Looked, measure: &Measure) -> StoreResult<Plan> {
    let Looked { from, to, memory, .. } = looked;
    let plan_options = PlanOptions {
        compare: measure.compare,
        delete: options.delete,
        presence: options.presence,
        leave_times: memory.is_on_server(),
        permissions: options.carry_permissions,
        links: options.links,
        makes_links: measure.able.makes_links,
    };
    // What is carried out is in memory, where each action is looked at again and again.
    let spill = if options.mode == Mode::Sync { Spill::never() } else { options.spill.share(1, 4) };
    let mut plan = plan_within(&from.tree, &to.tree, &to.keeps, &memory.evidence, &plan_options, &spill)?;
    let may_rename = options.renames && !matches!(measure.compare.basis, Basis::Adopt | Basis::Always);
    let planned = &plan.actions.tally().all;
    if may_rename
        && [Deed::Delete, Deed::Copy].iter().all(|deed| planned.contains_key(deed))
        && can_be_known(&memory.evidence, &ends.source, &ends.destination)?
    {
        let mut candidates = candidates(&plan, &to.tree);
        let known = know_candidates(&memory.evidence, &ends.source, &ends.destination, &mut candidates)?;
        rename(&mut plan, &candidates, (&known.gone, &known.new), &spill)?;
    }
    come_last(&mut plan, &options.last, &spill)?;
    if options.backup.is_some() {
        backup::guard(&mut plan, &to.tree, &spill)?;
    }
    Ok(plan)
}

/// The course of a run that decides itself.
struct Mirroring<'m> {
    measure: Measure,
    filter: &'m Filter,
}

impl Course for Mirroring<'_> {
    fn before(&self, memory: &Memory, from: &Scanned, to: &Scanned) {
        let [listed_from, listed_to] = &self.measure.listed;
        let listed = (&listed_from.listed, &listed_to.listed);
        memory.keep_unchanged(&from.tree, &to.tree, listed, &self.measure.compare);
    }

    fn after(&self, memory: &Memory, from: &Scanned, to: &Scanned) {
        memory.forget_gone(&from.tree, &to.tree, self.filter);
    }
}

/// Finds out which files have one content, as far as that decides, or is to be remembered.
fn look_into(
    memory: &mut Memory,
    (source, destination): (&Pool, &Pool),
    (from, to): (&Tree, &Tree),
    options: &CompareOptions,
    presence: Presence,
) -> StoreResult<()> {
    match options.basis {
        Basis::Checksum => {
            compare_contents(memory, source, destination, equal_sizes(from, to), Trust::Server)
        }
        Basis::SizeTime if presence != Presence::OnlyNew => {
            let pairs = newly_dated(from, to, &memory.evidence, options, memory.empty_side());
            compare_contents(memory, source, destination, pairs.into_iter(), Trust::Receipts)
        }
        // Another machine has nothing but contents to know these files by.
        Basis::Adopt if memory.is_on_server() => {
            compare_contents(memory, source, destination, equal_sizes(from, to), Trust::Person)
        }
        Basis::SizeTime | Basis::Size | Basis::Adopt | Basis::Always => Ok(()),
    }
}

/// Leaves everything as it is, and says what that means.
fn adopt(plan: &mut Plan) -> String {
    let differing = std::mem::take(&mut plan.actions).len();
    let files = |n: usize| if n == 1 { "1 file".to_owned() } else { format!("{n} files") };
    let adopted = format!("{} of equal size taken as equal", files(plan.unchanged));
    match differing {
        0 => adopted,
        1 => format!("{adopted}; 1 path differs and was left as it is"),
        _ => format!("{adopted}; {differing} paths differ and were left as they are"),
    }
}

#[cfg(test)]
mod laws;
