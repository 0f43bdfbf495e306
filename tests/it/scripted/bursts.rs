//! Several commands at once: with whom, and what becomes of it where that fails.

use super::{Trial, all, two_files};
use crate::support::{Files, Output, files};

/// What the client wrote about the dialogue, `> EPSV`, `< 229 ok`, of all sessions behind the login of each.
fn dialogue(output: &Output) -> Vec<String> {
    let lines =
        output.stderr.lines().filter_map(|line| line.split_once("] ").map(|(_, said)| said.to_owned()));
    let lines: Vec<String> =
        lines.filter(|said| ["> ", "< ", "* "].iter().any(|sign| said.starts_with(sign))).collect();
    let treated = lines.iter().position(|said| said.starts_with("* treated as")).expect("a login");
    lines[treated..].to_vec()
}

/// Returns whether some command was sent while another was unanswered. A transfer is one command to its end.
fn has_bursts(dialogue: &[String]) -> bool {
    let commands: Vec<bool> =
        dialogue.iter().filter(|said| !said.starts_with('*')).map(|said| said.starts_with('>')).collect();
    commands.windows(2).any(|pair| pair == [true, true])
}

fn many(n: usize) -> Files {
    Files((0..n).map(|i| (format!("d{i}/f").into(), Some("content".into()))).collect())
}

#[test]
fn an_unknown_server_that_answers_a_burst_in_order_gets_more_of_them() {
    let trial = Trial::with(many(4), "");
    let output = trial.pull(&["-vv"]).expect_status(0);
    let said = dialogue(&output);
    assert!(said[0].contains("unknown, takes several commands at once"), "{output}");
    let opens_at_once = said.windows(2).any(|two| two[0] == "> EPSV" && two[1].starts_with("> RETR"));
    assert!(opens_at_once, "{output}");
    // What comes before a closing reply may be lost by a server that nobody knows.
    let pos = |what: &str| said.iter().position(|line| line.starts_with(what)).expect("it is there");
    assert!(pos("> EPSV") < pos("< 226"), "{output}");
    trial.finish();
}

#[test]
fn an_unknown_server_gets_stor_when_its_data_connection_is_there() {
    let trial = Trial::with(files! {}, "").having(many(4));
    let output = trial.push(&["-vv"]).expect_status(0);
    let said = dialogue(&output);
    assert!(has_bursts(&said), "{output}");
    let too_early = said.windows(2).any(|two| two[0] == "> EPSV" && two[1].starts_with("> STOR"));
    assert!(!too_early, "{output}");
    assert_eq!(trial.finish().tree().matches("content").count(), 4);
}

#[test]
fn an_unknown_server_that_fails_at_a_burst_is_asked_one_thing_at_a_time() {
    all(
        [
            ("out of order", "on NOOP\n< 257 \"/\"\nonce PWD\n< 200 ok"),
            ("another answer", "once SIZE .oneway-*\n< 500 what?"),
            ("one answer too many", "once SIZE .oneway-*\n< 550 no\n< 550 no"),
            ("hangs up", "once SIZE .oneway-*\ndrop"),
            ("says nothing", "once SIZE .oneway-*\npause 60s"),
        ],
        |(what, script)| {
            eprintln!("{what}");
            let trial = Trial::with(many(3), script);
            let output = trial.pull(&["-vv", "--retries", "0"]).expect_status(0);
            assert!(!has_bursts(&dialogue(&output)), "{what}\n{output}");
            trial.finish();
        },
    );
}

#[test]
fn the_probe_is_made_once_for_all_sessions() {
    let trial = Trial::with(many(8), "once RETR\ndrop");
    trial.pull(&["--sessions", "3", "--retries", "2"]).expect_status(0);
    let transcript = trial.finish();
    assert!(transcript.connections() >= 2);
    let probes = transcript.sent(&["SIZE"]).iter().filter(|line| line.contains(".oneway-")).count();
    // Of twice two questions; sessions that open side by side may each ask.
    assert!(probes <= 4 * 3, "{probes}");
}

#[test]
fn a_window_that_fails_makes_careful_for_the_rest_of_the_run() {
    // Known to take windows, and yet one reply too many; each further burst would bring another.
    let script = "on CONNECT\n< 220 (vsFTPd 3.0.3)\nonce DELE\n< 250 gone\n< 250 gone\nnormally";
    let trial = Trial::with(many(12), script).having(files! {"keep" => "k"});
    let output = trial.push(&["--delete", "--max-delete", "100%", "-vv", "--retries", "2"]).expect_status(0);
    assert!(output.stderr.contains("one at a time from here on"), "{output}");
    let said = dialogue(&output);
    let from = said.iter().position(|line| line.contains("one at a time from here on")).expect("just seen");
    assert!(!has_bursts(&said[from..]), "{output}");
    assert_eq!(trial.finish().tree(), "keep = \"k\"\n");
}

#[test]
fn a_listing_behind_a_directory_that_could_not_be_entered_is_not_believed() {
    // The second directory is closed; LIST behind its CWD shows the one before.
    let feat = "on FEAT\n< 211-F\n<  SIZE\n<  MDTM\n<  EPSV\n< 211 E\n";
    let script = format!("on CONNECT\n< 220 ProFTPD\n{feat}on STAT\n< 502 no\non CWD /closed\n< 550 no\n");
    let tree = files! {"a/1" => "x", "b/2" => "x", "closed/secret" => "x", "z/3" => "x"};
    let trial = Trial::with(tree, &script).having(files! {"closed/old" => "stays"});
    let output = trial.pull(&["--delete", "--listing", "list", "-vv"]).expect_status(3);
    let said = dialogue(&output);
    assert!(said.windows(2).any(|two| two[0] == "> EPSV" && two[1].starts_with("> LIST")), "{output}");
    assert!(trial.here.has("closed/old"), "{output}");
    assert!(trial.here.has("a/1") && trial.here.has("b/2") && trial.here.has("z/3"), "{output}");
    assert!(!trial.here.has("closed/1") && !trial.here.has("closed/2"), "{output}");
    trial.finish();
}

#[test]
fn a_file_that_grew_since_its_listing_is_had_although_the_next_was_announced() {
    // In active mode the next download is announced while this one runs.
    let script = "on CONNECT\n< 220 (vsFTPd 3.0.3)\non STAT\n< 502 no\n\
                  on MLSD\n< 150 here\ndata send \"type=file;size=3;modify=20200101000000; a.txt\\r\\n\
                  type=file;size=12;modify=20200101000000; b.txt\\r\\n\"\ndata close\n< 226 done\n";
    let trial = Trial::with(two_files(), script);
    trial.pull(&["--active", "--retries", "3"]).expect_status(0);
    assert_eq!(trial.local(), super::TWO_FILES);
    // Not finished: the server waited in vain for the one that was announced.
}

/// As ProFTPD does under TLS, and where a transfer takes longer.
#[test]
fn a_server_that_refuses_what_comes_during_a_transfer_is_told_behind_it_from_then_on() {
    let files = Files((0..6).map(|i| (format!("f{i}").into(), Some("content".into()))).collect());
    let script = "on CONNECT\n< 220 pyftpdlib 2.2.0 ready\n\
                  nth 3 EPSV\n< 450 EPSV: data transfer in progress\nnth 2 RETR\n< 425 Unable to build data connection";
    let trial = Trial::with(files, script);
    let output = trial.pull(&["-vv"]).expect_status(0);
    let said = dialogue(&output);
    let refused = said.iter().position(|line| line.starts_with("< 450")).expect("it was refused");
    let (before, after) = said.split_at(refused);
    let early = |part: &[String]| {
        let marks: Vec<&str> = part.iter().filter_map(|line| line.get(..5)).collect();
        let marks: Vec<&str> =
            marks.into_iter().filter(|mark| ["< 150", "< 226", "> EPS"].contains(mark)).collect();
        marks.windows(2).any(|two| two == ["< 150", "> EPS"])
    };
    assert!(early(before) && after.len() > 6, "{output}");
    assert!(!early(after), "{output}");
    assert_eq!(trial.local().matches("content").count(), 6);
    trial.finish();
}
