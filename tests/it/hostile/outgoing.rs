//! What is sent: no byte that could begin a command of its own, and nothing that depends on where the server believes us to be.

use super::{TWO_FILES, Trial, Way, all, assert_printable, files, two_files};
use crate::support::Transcript;

/// Asserts that all that was sent is lines of text, as many as there were commands.
#[track_caller]
fn assert_clean_wire(transcript: &Transcript) {
    for connection in 0..transcript.connections() {
        let raw = transcript.raw(connection);
        let lines = transcript.lines_of(connection).len();
        let count = |byte: u8| raw.iter().filter(|b| **b == byte).count();
        assert_eq!((count(b'\r'), count(b'\n')), (lines, lines));
        let others = raw.iter().filter(|b| **b < 0x20 || **b == 0x7f || **b == 0xff);
        assert_eq!(others.filter(|b| !b"\r\n".contains(b)).count(), 0);
    }
}

#[test]
fn d2_12_a_local_name_with_a_control_byte_is_not_sent_and_the_rest_is() {
    let mut names: Vec<Vec<u8>> =
        (1..0x20).map(|byte| vec![b'x', byte, b'D', b'E', b'L', b'E', b' ', b'a']).collect();
    names.push(b"x\r\nDELE good".to_vec());
    names.push(b"x\nDELE good".to_vec());
    let odd = names.len();
    let mut files = files! {"good" => "newer", "d/good" => "x"};
    let name = |bytes: Vec<u8>| std::os::unix::ffi::OsStringExt::from_vec(bytes);
    files.0.extend(names.into_iter().map(|bytes| (name(bytes), Some(b"x".to_vec()))));
    // A directory, too: what is in it can't be sent, either.
    files.0.push((name(b"dir\n/inner".to_vec()), Some(b"x".to_vec())));
    files.0.push((name(b"dir\x1b/inner".to_vec()), Some(b"x".to_vec())));
    let trial = Trial::with(files! {"good" => "old", "extra" => "stays"}, "").having(files);
    let output = trial.push(&["--delete", "--max-delete", "100%"]).expect_status(3);
    assert_printable(&output);
    // CR and LF make a name unbelievable at the door; the other control bytes make a file that can't be sent.
    output.tells(&["can't be carried by FTP", "control byte 0x1b", "control byte 0x01"]);
    let told = output.stderr.matches("control byte").count();
    assert!(told >= odd - 4, "{told} of {odd}\n{output}");
    let transcript = trial.finish();
    assert_eq!(transcript.tree(), "d/\nd/good = \"x\"\nextra = \"stays\"\ngood = \"newer\"\n");
    assert_eq!(transcript.sent(&["DELE"]), Vec::<String>::new());
    assert_clean_wire(&transcript);
}

#[test]
fn d2_14_control_bytes_in_a_url_or_a_password_are_refused_before_connecting() {
    let trial = Trial::with(two_files(), "");
    let port = trial.server.port();
    for byte in ["%0d%0a", "%0A", "%0d", "%00", "%1b", "%7F"] {
        for url in [
            format!("ftp://us{byte}DELE%20er:secret@127.0.0.1:{port}/"),
            format!("ftp://user:sec{byte}DELE%20ret@127.0.0.1:{port}/"),
            format!("ftp://user:secret@127.0.0.1:{port}/a{byte}DELE%20b"),
            format!("ftp://user:secret@127.0.0.1:{port}/%2Fa{byte}"),
            format!("ftp://user:secret@127.0{byte}.0.1:{port}/"),
        ] {
            for arguments in
                [vec!["ls", &url], vec!["sync", &url, &trial.here], vec!["sync", &trial.here, &url]]
            {
                let run = trial.sandbox.command(arguments).run();
                // What isn't decoded in a host name is no host name.
                let output = if url.contains(&format!("127.0{byte}")) {
                    run.any_status()
                } else {
                    run.expect_status(2)
                };
                assert!(!output.stderr.contains("secret") && !output.stderr.contains("ret@"), "{output}");
                assert_printable(&output);
            }
        }
    }
    for raw in ["ftp://user@127.0.0.1\r\n:1/", "ftp://us\ner@127.0.0.1:1/", "ftp://user@127.0.0.1:1/a\nb"] {
        trial.sandbox.command(["ls", raw]).env("ONEWAY_PASSWORD", "secret").run().expect_status(2);
    }
    for password in ["sec\r\nDELE x", "\nsecret", "secret\r", "\u{7}secret"] {
        let url = format!("ftp://user@127.0.0.1:{port}/");
        let output =
            trial.sandbox.command(["ls", &url]).env("ONEWAY_PASSWORD", password).run().expect_status(2);
        assert!(!output.stderr.contains("secret"), "{output}");
    }
    assert_eq!(trial.finish().connections(), 0);
}

/// There is no option that takes a command of the user's for the server.
#[test]
fn d2_15_nobody_can_have_commands_of_their_own_sent() {
    let help = crate::support::Sandbox::new().oneway(["sync", "--help"]).expect_status(0).stdout;
    for word in ["quote", "site-command", "--site", "raw command"] {
        assert!(!help.to_lowercase().contains(word), "{word}: give it a test of control bytes");
    }
}

#[test]
fn d2_51_a_directory_that_cannot_be_entered_changes_nothing_about_what_is_deleted() {
    all(Way::ALL, |way| {
        eprintln!("{way:?}");
        // It says yes to the listing, and no to every CWD behind it.
        let script = "once DELE\nnormally\non CWD /sub\n< 550 no";
        let files =
            files! {"a.txt" => "content of a", "b.txt" => "content of b", "sub/a.txt" => "x", "gone" => "x"};
        let trial = Trial::with(files, script).having(two_files());
        let _ = trial.push(&["--delete", "--max-delete", "100%", "--listing", way.option()]).any_status();
        let transcript = trial.finish();
        let removed = transcript.sent(&["DELE", "RMD", "RNFR", "RNTO", "STOR", "MKD"]);
        let is_absolute = |line: &String| line.split_once(' ').is_some_and(|(_, path)| path.starts_with('/'));
        assert!(removed.iter().all(is_absolute), "{removed:?}");
        assert!(transcript.tree().starts_with(TWO_FILES), "{}", transcript.tree());
    });
}

/// inetutils-ftpd removes an empty directory by DELE.
#[test]
fn d2_53_dele_is_for_what_is_listed_as_a_file() {
    let files = files! {"a.txt" => "content of a", "b.txt" => "content of b", "dir/sub/", "file" => "x", "dir/f" => "x"};
    let trial = Trial::with(files, "").having(two_files());
    trial.push(&["--delete", "--max-delete", "100%"]).expect_status(0);
    let transcript = trial.finish();
    let mut removed = transcript.sent(&["DELE", "RMD"]);
    removed.sort();
    assert_eq!(removed, ["DELE /dir/f", "DELE /file", "RMD /dir", "RMD /dir/sub"]);
    // A file that has become a directory since fails, and stays.
    let script = "on MLSD /\n< 150\ndata send \"type=file;size=1; was\\r\\n\"\ndata close\n< 226";
    let trial = Trial::with(files! {"was/kept" => "x"}, script);
    trial.push(&["--delete", "--allow-empty-source", "--max-delete", "100%"]).expect_status(3);
    assert_eq!(trial.finish().tree(), "was/\nwas/kept = \"x\"\n");
}
