//! A line in short, for the tables of the families' tests.

use crate::ftp::listing::{Line, ListingFormat};

/// Returns kind, size (`~` before one that is rounded), time, owner, group and name of an entry; of other lines what they
/// are.
pub(super) fn shown(format: &dyn ListingFormat, line: &str) -> String {
    let now = "2026-11-21T12:00:00Z".parse().unwrap();
    let listed = match format.parse(line.as_bytes(), now) {
        Some(Line::Entry(listed) | Line::Perhaps(listed)) => listed,
        Some(other) => return format!("{other:?}").to_lowercase(),
        None => return "none".into(),
    };
    let text = |bytes: Option<Vec<u8>>| bytes.map_or_else(|| "-".into(), |b| String::from_utf8(b).unwrap());
    let near = if listed.rounded { "~" } else { "" };
    let size = listed.size.map_or_else(|| "-".into(), |size| format!("{near}{size}"));
    let time = listed.mtime.map_or_else(
        || "-".into(),
        |m| format!("{} {}", m.at.format("%Y-%m-%dT%H:%M:%S"), m.precision.as_str()),
    );
    let (owner, group, name) = (text(listed.owner), text(listed.group), text(Some(listed.name)));
    format!("{} {size} {time} {owner} {group} [{name}]", listed.kind.as_str())
}
