use chrono::TimeDelta;

use super::*;

fn at(minute: i64) -> DateTime<Utc> {
    "2026-11-22T02:30:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minute)
}

fn beginning(job: Option<&str>, minute: i64) -> Beginning {
    Beginning {
        job: job.map(str::to_owned),
        source: "ftp://host/pub/".to_owned(),
        destination: "/srv/pub".to_owned(),
        pid: 4711,
        at: at(minute),
    }
}

fn ending(exit: u8) -> Ending {
    Ending {
        seconds: 1.25,
        exit,
        changes: [("copy".to_owned(), 3), ("delete".to_owned(), 1)].into(),
        bytes: 1 << 40,
        failed: u64::from(exit > 0),
        unchanged: 12,
        backup: Some("/srv/backup/20261122".to_owned()),
        messages: vec!["a message".to_owned()],
        details: vec![Change { action: "copy".to_owned(), path: "a/b".to_owned(), bytes: 5, error: None }],
    }
}

#[test]
fn a_run_is_read_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("made/history.sqlite");
    assert!(History::peek(&path).unwrap().is_none(), "looking makes nothing");
    let (mut history, aside) = History::open(&path).unwrap();
    assert!(aside.is_none());
    let first = history.begin(&beginning(Some("nightly"), 0)).unwrap();
    let reader = History::peek(&path).unwrap().unwrap();
    let under_way = PastRun { number: first, beginning: beginning(Some("nightly"), 0), ending: None };
    assert_eq!(reader.runs(Which::All, 9).unwrap(), [under_way]);
    history.end(first, &ending(0)).unwrap();
    let second = history.begin(&beginning(None, 1)).unwrap();
    history.end(second, &ending(3)).unwrap();
    assert_eq!(reader.run(first).unwrap().unwrap().ending, Some(ending(0)));
    let bare = |exit| Ending { messages: Vec::new(), details: Vec::new(), ..ending(exit) };
    let all: Vec<_> = reader.runs(Which::All, 9).unwrap().into_iter().map(|run| run.ending).collect();
    assert_eq!(all, [Some(bare(3)), Some(bare(0))], "the last first");
    let runs = reader.runs(Which::Job("nightly"), 9).unwrap();
    assert_eq!(runs.iter().map(|run| run.number).collect::<Vec<_>>(), [first]);
    assert_eq!(reader.runs(Which::Job("night"), 9).unwrap(), []);
    assert_eq!(reader.jobs().unwrap(), ["nightly"]);
    assert_eq!(reader.run(77).unwrap(), None);
    assert_eq!(reader.last_success(Which::Job("nightly")).unwrap().map(|run| run.number), Some(first));
    let places = Which::Places("ftp://host/pub/", "/srv/pub");
    assert_eq!(reader.runs(places, 9).unwrap().iter().map(|run| run.number).collect::<Vec<_>>(), [second]);
    assert_eq!(reader.last_success(places).unwrap(), None, "that of a job is none of theirs");
}

#[test]
fn what_is_long_ago_is_forgotten_for_each_job_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let (mut history, _) = History::open(&dir.path().join("history.sqlite")).unwrap();
    let rare = history.begin(&beginning(Some("rare"), 0)).unwrap();
    history.end(rare, &ending(0)).unwrap();
    let mut numbers = Vec::new();
    for minute in 0..i64::from(MOST_RUNS) + 5 {
        let number = history.begin(&beginning(Some("often"), minute)).unwrap();
        // All at once at the end is what is tried, without a thousand flushes.
        if minute >= i64::from(MOST_RUNS) {
            history.end(number, &ending(0)).unwrap();
        }
        numbers.push(number);
    }
    let kept = history.runs(Which::Job("often"), u32::MAX).unwrap();
    assert_eq!(kept.len(), MOST_RUNS as usize);
    assert_eq!(kept.last().map(|run| run.number), Some(numbers[5]));
    assert!(history.run(rare).unwrap().unwrap().ending.is_some_and(|ending| !ending.messages.is_empty()));
}

#[test]
fn of_old_runs_the_details_are_forgotten_first() {
    let dir = tempfile::tempdir().unwrap();
    let (mut history, _) = History::open(&dir.path().join("history.sqlite")).unwrap();
    let first = history.begin(&beginning(Some("often"), 0)).unwrap();
    history.end(first, &ending(0)).unwrap();
    let mut last = first;
    for minute in 1..=i64::from(MOST_DETAILED) {
        last = history.begin(&beginning(Some("often"), minute)).unwrap();
    }
    history.end(last, &ending(0)).unwrap();
    let bare = Ending { messages: Vec::new(), details: Vec::new(), ..ending(0) };
    assert_eq!(history.run(first).unwrap().unwrap().ending, Some(bare));
    assert_eq!(history.run(last).unwrap().unwrap().ending, Some(ending(0)));
}

#[test]
fn a_damaged_file_is_set_aside_and_a_foreign_one_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history.sqlite");
    let whole = {
        let (mut history, _) = History::open(&path).unwrap();
        history.begin(&beginning(None, 0)).unwrap();
        std::fs::read(&path).unwrap()
    };
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let (history, aside) = History::open(&path).unwrap();
    assert!(aside.is_some_and(|aside| aside.to.exists()));
    assert_eq!(history.runs(Which::All, 9).unwrap(), []);
    drop(history);
    for foreign in [b"a letter to somebody".to_vec(), Vec::from(*b"[job.a]\n")] {
        std::fs::write(&path, &foreign).unwrap();
        assert!(History::open(&path).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), foreign);
    }
    std::fs::remove_file(&path).unwrap();
    // A state file is a database, too.
    let pair = crate::state::Pair { source: "a".to_owned(), destination: "b".to_owned() };
    drop(crate::state::State::open(&path, &pair, &crate::spill::Spill::never()).unwrap());
    assert!(History::open(&path).unwrap_err().to_string().contains("is no history of oneway"));
}
