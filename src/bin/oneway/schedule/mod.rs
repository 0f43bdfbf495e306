//! Jobs at their times, each run a process of its own: what one of them does to itself harms no other, and a file that was changed is read
//! anew by each.

mod children;
mod http;
mod keeper;
mod page;
mod timetable;
mod when;

pub(crate) use keeper::{ScheduleArgs, run};
pub(crate) use when::When;
