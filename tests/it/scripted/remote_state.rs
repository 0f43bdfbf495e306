//! Receipts on a server that can't be believed: nothing of such a file counts, and a good one takes its place.

use oneway::model::{Receipts, RelPath};
use oneway::state::{MAGIC, PACK_LIMITS, pack, unpack};

use super::{TWO_FILES, Trial, all, two_files};
use crate::support::files;

const STATE: &str = ".oneway-state";

/// Returns a script in which RETR of the state gives these bytes, as they stand in a script.
fn state_is(bytes: &[u8]) -> String {
    let escaped: String = bytes.iter().map(|byte| format!("\\x{byte:02X}")).collect();
    format!(
        "on RETR /{STATE}\n< 150 here\ndata send \"{escaped}\"\ndata close\n< 226 done\non SIZE /{STATE}\n< 213 {}",
        bytes.len()
    )
}

fn sealed(content: &[u8]) -> Vec<u8> {
    [content, blake3::hash(content).as_bytes()].concat()
}

fn forged(path: &[u8]) -> Vec<u8> {
    sealed(&[MAGIC, &[1, 0, path.len() as u8], path, &[0x04, 0x0c, 5, 2], &[7; 32]].concat())
}

#[test]
fn a_file_that_cannot_be_believed_is_told_of_and_replaced() {
    let whole = pack(&Receipts::new(), PACK_LIMITS).unwrap();
    assert!(
        unpack(&forged(b"a.txt"), PACK_LIMITS).unwrap().contains_key(&RelPath::parse("a.txt").unwrap()),
        "a good forgery"
    );
    let newer = sealed(&[MAGIC, &[9], b"who knows"].concat());
    all(
        [
            ("truncated", whole[..whole.len() - 3].to_vec(), "damaged or cut short"),
            ("zeros", vec![0; 500], "no state file of oneway"),
            ("empty", vec![], "no state file of oneway"),
            ("newer", newer, "version 9"),
            ("a path that leads out", forged(b"../x"), "`.` and `..` are not names of their own"),
            ("an absolute path", forged(b"/etc/passwd"), "the path is absolute"),
            ("somebody's notes", b"buy milk".to_vec(), "no state file of oneway"),
        ],
        |(what, bytes, told)| {
            eprintln!("{what}");
            let script = state_is(&bytes);
            let trial = Trial::with(two_files(), &script).having(two_files());
            trial.here.write("new", "n");
            let output = trial.push(&["--remote-state"]).expect_status(0);
            output.tells(&["note: `.oneway-state`", told, "nothing of it was believed"]);
            let transcript = trial.finish();
            let (command, stored) = transcript.uploads().last().expect("receipts are written");
            assert!(command.starts_with("STOR /.oneway-"), "{what}: {command}");
            assert_eq!(unpack(stored, PACK_LIMITS).expect("it's a good one").len(), 3, "{what}");
            assert_eq!(transcript.sent(&["DELE"]), [""; 0], "{what}");
        },
    );
}

#[test]
fn a_file_without_an_end_is_read_no_further_than_one_of_ours_could_be() {
    for (first, told) in [("x", "no state file of oneway"), ("oneway-state\\n", "larger than can be kept")] {
        let script =
            format!("on RETR /{STATE}\n< 150 here\ndata send \"{first}\"\ndata endless \"0123456789\"");
        let trial = Trial::with(two_files(), &script).having(two_files());
        trial.push(&["--remote-state", "--retries", "0"]).expect_status(0).tells(&[told]);
        assert!(trial.finish().tree().contains(TWO_FILES));
    }
}

#[test]
fn a_server_that_does_not_take_it_gets_the_files_all_the_same() {
    // The number is that of the file's temporary names.
    let script = "on STOR *-4294967295-*\n< 553 read-only here";
    let trial = Trial::with(files! {}, script).having(two_files());
    let output = trial.push(&["--remote-state"]).expect_status(3);
    output.tells(&[
        "error: cannot write `.oneway-state`",
        "553 read-only here",
        "this run is not remembered",
    ]);
    let transcript = trial.finish();
    assert_eq!(transcript.tree(), TWO_FILES);
}

#[test]
fn a_refusal_to_read_it_is_no_reason_not_to_run() {
    for (reply, told) in [("550 no such file", None), ("501 what?", Some("cannot read `.oneway-state`"))] {
        let trial = Trial::with(files! {}, &format!("on RETR /{STATE}\n< {reply}")).having(two_files());
        let output = trial.push(&["--remote-state", "-q"]).expect_status(if told.is_some() { 3 } else { 0 });
        assert_eq!(told, told.filter(|told| output.stderr.contains(told)), "{output}");
        assert!(trial.finish().tree().contains(TWO_FILES));
    }
}

#[test]
fn what_would_look_as_before_is_not_sent_where_its_receipt_stays() {
    let trial = Trial::with(files! {}, "nth 2 STOR *-4294967295-*\n< 553 full").having(two_files());
    trial.push(&["--remote-state"]).expect_status(0);
    // The same size and time.
    trial.here.write("a.txt", "CONTENT OF A");
    trial.here.write("new", "n");
    let options = ["--remote-state", "--compare", "checksum"];
    let output = trial.push(&options).expect_status(3);
    output.tells(&["`a.txt`: what is remembered of it could not be taken back first", "553 full"]);
    let output = trial.push(&options).expect_status(0);
    assert!(output.stdout.contains("1 replaced"), "{output}");
    let transcript = trial.finish();
    assert!(transcript.tree().contains("a.txt = \"CONTENT OF A\""), "{}", transcript.tree());
}
