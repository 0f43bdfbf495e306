//! Files of jobs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oneway::config::{JobFile, Known, OptionKey, OptionKind};

fuzz_target!(|bytes: &[u8]| {
    let key = |name: &str, kind| OptionKey {
        name: name.to_owned(),
        kind,
        is_of_connection: name == "pin",
        excludes: Vec::new(),
    };
    let keys = [
        key("delete", OptionKind::Switch),
        key("verbose", OptionKind::Count),
        key("timeout", OptionKind::Value),
        key("pin", OptionKind::List),
        key("exclude", OptionKind::Rule),
    ];
    let (file, problems) = JobFile::parse(bytes, &Known { keys: &keys, check: &|_, _| Ok(()), is_exposed: true });
    let lines = bytes.iter().filter(|&&b| b == b'\n').count() + 1;
    assert!(problems.iter().all(|problem| problem.at.line <= lines && problem.at.column > 0));
    for job in &file.jobs {
        for target in [&job.source, &job.destination] {
            if let Some(host) = &target.host {
                file.host(host).expect("a host that isn't there is a problem").url(&target.text);
            }
        }
    }
});
