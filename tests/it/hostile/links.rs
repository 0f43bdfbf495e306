//! Symbolic links: those a server speaks of, those that are there, and those that are put there during a run.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::{Outside, Trial, Way, all, assert_nothing_beside, files};
use crate::support::Files;

/// CVE-2014-4877: a link first, then a directory of the same name, whose files would go where the link leads.
#[test]
fn d2_07_no_link_is_made_and_a_directory_of_its_name_is_left_out() {
    const MLSD: &str = "type=OS.unix=slink:../outside; d\\r\\n";
    const LIST: &str = "lrwxrwxrwx    1 ftp      ftp            10 May 06  2024 d -> ../outside\\r\\n";
    all([Way::Mlsd, Way::List, Way::Stat], |way| {
        eprintln!("{way:?}");
        let link = if way == Way::Mlsd { MLSD } else { LIST };
        let script =
            way.script(&["a.txt", "d/"]).replace(&way.line("d/"), &format!("{link}{}", way.line("d/")));
        let files = files! {"a.txt" => "content of a", "d/file" => "evil", "d/new" => "evil"};
        let trial = Trial::with(files, &script).having(files! {"extra" => "stays"});
        let outside = Outside::new(&trial);
        let output = trial.pull(&["--delete", "--listing", way.option()]).expect_status(3);
        output.tells(&["`d` is listed twice"]);
        assert_eq!(trial.local(), "a.txt = \"content of a\"\nextra = \"stays\"\n", "{way:?}");
        outside.assert_untouched();
        assert_nothing_beside(&trial);
        assert_eq!(trial.finish().sent(&["RETR"]), ["RETR /a.txt"], "{way:?}");

        // The link alone.
        let script =
            way.script(&["a.txt"]).replace(&way.line("a.txt"), &format!("{link}{}", way.line("a.txt")));
        let trial = Trial::with(files! {"a.txt" => "content of a"}, &script);
        trial.pull(&["--listing", way.option()]).expect_status(0).tells(&["1 symbolic link was left out"]);
        assert!(!trial.here.has("d"), "{way:?}");
        trial.finish();
    });
}

fn evil_files() -> Files {
    files! {
        "d/dir/file" => "evil", "d/file" => "evil", "d/new" => "evil", "f" => "evil", "gone" => "evil",
        "deep/er/d/file" => "evil", "good" => "good",
    }
}

/// Puts links into the destination that lead out of it wherever the server has something.
fn plant_links(trial: &Trial) {
    trial.here.add(files! {"deep/er/"});
    for (target, name) in [
        ("../outside", "d"),
        ("../outside/file", "f"),
        ("../outside/none", "gone"),
        ("../../../outside", "deep/er/d"),
        ("../outside/dir", "extra dir"),
        ("../outside/file", "extra file"),
    ] {
        symlink(target, trial.here.at(name)).expect("links can be made");
    }
}

#[test]
fn d2_08_links_in_the_destination_are_not_followed() {
    all(
        [
            &[][..],
            &["--delete", "--max-delete", "100%"],
            &["--compare", "always"],
            &["--compare", "checksum"],
        ],
        |options| {
            let trial = Trial::with(evil_files(), "");
            let outside = Outside::new(&trial);
            plant_links(&trial);
            let output = trial.pull(options).expect_status(3);
            output.tells(&["`d`", "`deep/er/d`"]);
            outside.assert_untouched();
            assert_eq!(trial.here.read("good"), b"good");
            let is_link =
                |name: &str| fs::symlink_metadata(trial.here.at(name)).expect("it is there").is_symlink();
            assert!(is_link("d") && is_link("deep/er/d"), "{output}");
            // A link in the place of a file gives way or stays, and what it leads to is not written.
            for name in ["f", "gone"] {
                assert!(is_link(name) || trial.here.read(name) == b"evil", "{name}");
            }
            assert_nothing_beside(&trial);
            // A second run changes nothing about that.
            trial.pull(options).any_status();
            outside.assert_untouched();
            trial.finish();
        },
    );
}

/// Sources are read no further than their links, either.
#[test]
fn d2_08_links_in_a_source_are_not_followed() {
    let trial = Trial::with(files! {}, "");
    let outside = Outside::new(&trial);
    plant_links(&trial);
    trial.push(&["--compare", "checksum"]).expect_status(0).tells(&["6 symbolic links were left out"]);
    outside.assert_untouched();
    assert_eq!(trial.finish().tree(), "deep/\ndeep/er/\n");
}

#[test]
fn d2_09_a_directory_that_is_swapped_for_a_link_leads_nowhere() {
    const FILES: usize = 1000;
    let mut files = files! {"file" => "evil", "dir/file" => "evil"};
    for i in 0..FILES {
        // Some are what is outside, too.
        files.0.push((format!("d/f{i}").into(), Some(format!("evil {i}").into_bytes())));
        files.0.push((format!("d/dir/f{i}").into(), Some(b"evil".to_vec())));
    }
    files.0.push(("d/file".into(), Some(b"evil".to_vec())));
    files.0.push(("d/dir/file".into(), Some(b"evil".to_vec())));
    let trial = Trial::with(files, "");
    let outside = Outside::new(&trial);
    trial.here.add(files! {"d/dir/"});
    let shared = Default::default();
    thread::scope(|scope| {
        let places = (trial.here.at("d"), trial.sandbox.path("aside"), outside.0.path().to_owned());
        let swapper = Swapper::start(scope, &shared, places);
        for round in 0..6 {
            let options: &[&str] = match round % 3 {
                0 => &["--sessions", "4", "--retries", "0"],
                1 => &["--sessions", "4", "--retries", "0", "--compare", "always"],
                _ => &[
                    "--sessions",
                    "4",
                    "--retries",
                    "0",
                    "--delete",
                    "--max-delete",
                    "100%",
                    "--compare",
                    "size",
                ],
            };
            let _ = trial.pull(options).any_status();
            outside.assert_untouched();
        }
        let swapped = swapper.swapped.load(Ordering::Relaxed);
        assert!(swapped > 100, "only {swapped} times");
    });
    // What was left behind goes, and then all is there.
    trial.pull(&["--sessions", "4"]).expect_status(0);
    outside.assert_untouched();
    let there = fs::read_dir(trial.here.at("d")).expect("readable").filter(|entry| {
        !entry.as_ref().expect("readable").file_name().to_string_lossy().contains(".oneway-")
    });
    assert_eq!(there.count(), FILES + 2);
    // Not finished: transfers were announced to the server whose files then had no place to go.
}

/// Somebody who puts a link in the place of a directory, for a moment and over and over, wherever and while there is one.
struct Swapper<'t> {
    over: &'t AtomicBool,
    swapped: &'t AtomicUsize,
}

impl<'t> Swapper<'t> {
    fn start<'s>(
        scope: &'s thread::Scope<'s, 't>,
        (over, swapped): &'t (AtomicBool, AtomicUsize),
        (place, aside, target): (PathBuf, PathBuf, PathBuf),
    ) -> Self {
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                swap(&place, &aside, &target);
                swapped.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { over, swapped }
    }
}

/// Ends with the test, also where that fails.
impl Drop for Swapper<'_> {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn swap(place: &Path, aside: &Path, target: &Path) {
    const MOMENT: Duration = Duration::from_micros(300);
    if fs::rename(place, aside).is_ok() {
        // Another directory may have come there already.
        let _ = symlink(target, place);
        thread::sleep(MOMENT);
        // A run that deletes may have done that, and one that needs a directory there may have made it.
        let _ = fs::remove_file(place);
        while fs::rename(aside, place).is_err() {
            let _ = fs::remove_dir_all(place);
        }
    }
    thread::sleep(MOMENT);
}

#[test]
fn d2_09_what_is_swapped_while_deleting_deletes_nothing_elsewhere() {
    // What is to be deleted has the names of what is outside.
    let trial = Trial::with(files! {"good" => "good"}, "");
    let outside = Outside::new(&trial);
    let fresh = trial.sandbox.dir("fresh");
    let shared = Default::default();
    thread::scope(|scope| {
        let places = (trial.here.at("d"), trial.sandbox.path("aside"), outside.0.path().to_owned());
        let _swapper = Swapper::start(scope, &shared, places);
        for _ in 0..40 {
            fresh.add(files! {"d/file" => "goes", "d/dir/file" => "goes", "d/dir/other" => "goes"});
            // Fails while what was left of the last one is there.
            let _ = fs::rename(fresh.at("d"), trial.here.at("d"));
            let _ = trial.pull(&["--delete", "--max-delete", "100%", "--retries", "0"]).any_status();
            outside.assert_untouched();
        }
    });
    trial.pull(&["--delete", "--max-delete", "100%"]).expect_status(0);
    assert_eq!(trial.local(), "good = \"good\"\n");
    outside.assert_untouched();
    trial.finish();
}
