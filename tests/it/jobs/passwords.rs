//! Where passwords of hosts come from, and where they don't go.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{PASSWORD, Served, config, config_with_mode};
use crate::support::{Sandbox, files, snapshot};

#[test]
fn each_source_of_a_password_opens_the_server_and_shows_it_nowhere() {
    let sandbox = Sandbox::new();
    let served = Served::new(&sandbox, "served");
    sandbox.tree("work/one", files! {"1.txt" => "one"});
    for (path, text) in [("work/secret", format!("{PASSWORD}\nmore")), ("home/.netrc", netrc())] {
        fs::write(sandbox.path(path), text).unwrap();
        fs::set_permissions(sandbox.path(path), fs::Permissions::from_mode(0o600)).unwrap();
    }
    for (number, source) in [
        format!("password = '{PASSWORD}'"),
        "password_env = 'WEB'".to_owned(),
        "password_file = 'secret'".to_owned(),
        "password_command = ['head', '-n', '1', 'secret']".to_owned(),
        "password_command = 'cat secret'".to_owned(),
        "# From .netrc.".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        let host = served.host("web");
        let text =
            format!("{host}user = 'anna'\n{source}\n[job.a]\nsource = 'one'\ndestination = 'web:{number}'\n");
        config_with_mode(&sandbox, &text, 0o600);
        for arguments in [&["run", "-vv", "--format", "json"][..], &["run", "--show"], &["config", "check"]] {
            let output = sandbox.command(arguments).env("WEB", PASSWORD).run().expect_status(0);
            assert!(!output.to_string().contains(PASSWORD), "{source}: {output}");
        }
        assert!(snapshot(&served.dir).contains(&format!("{number}/1.txt = \"one\"")), "{source}");
    }
}

fn netrc() -> String {
    format!("machine 127.0.0.1 login anna password \"{PASSWORD}\"\n")
}

#[test]
fn a_password_in_a_file_that_others_can_read_is_refused() {
    let sandbox = Sandbox::new();
    let served = Served::new(&sandbox, "served");
    sandbox.tree("work/one", files! {"1.txt" => "one"});
    let port = served.server.address().port();
    let host = served.host("web");
    let in_host =
        format!("{host}user = 'anna'\npassword = 'secret'\n[job.a]\nsource = 'one'\ndestination = 'web:'\n");
    let in_url = format!("[job.a]\nsource = 'one'\ndestination = 'ftp://anna:secret@127.0.0.1:{port}/'\n");
    for (text, place) in [(in_host, "oneway.toml:6:1"), (in_url, "oneway.toml:4:15")] {
        for mode in [0o644, 0o640, 0o602] {
            config_with_mode(&sandbox, &text, mode);
            for command in [&["run"][..], &["config", "check"]] {
                let output = sandbox.oneway(command).expect_status(2);
                output.tells(&[place, "others can read", "chmod 600"]);
                assert!(!output.to_string().contains("secret"), "{output}");
            }
        }
    }
    assert_eq!(snapshot(&served.dir), "");
}

#[test]
fn a_command_is_asked_once_in_a_run_and_what_it_says_is_not_repeated() {
    let sandbox = Sandbox::new();
    let served = Served::new(&sandbox, "served");
    sandbox.tree("work/one", files! {"1.txt" => "one"});
    let host = served.host("web");
    let jobs =
        "[job.a]\nsource = 'one'\ndestination = 'web:a'\n[job.b]\nsource = 'web:a'\ndestination = 'web:b'\n";
    let file = |command: &str| format!("{host}user = 'anna'\npassword_command = '''{command}'''\n{jobs}");
    config(&sandbox, &file(&format!("echo asked >> asked; echo for the terminal >&2; echo \"{PASSWORD}\"")));
    sandbox.oneway(["run"]).expect_status(0).tells(&["for the terminal"]);
    assert_eq!(fs::read_to_string(sandbox.path("work/asked")).unwrap(), "asked\n");
    config(&sandbox, &file("echo hunter2; exit 7"));
    let output = sandbox.oneway(["run", "--format", "json"]).expect_status(4);
    output.tells(&["a: error: the password_command of [host.web] ended with status 7", "b: error: "]);
    assert!(!output.stderr.contains("hunter2") && !output.stdout.contains("hunter2"), "{}", output.stderr);
    assert_eq!(output.events("summary").len(), 2);
    config(&sandbox, &file("echo wrong"));
    sandbox.oneway(["run", "--retries", "0"]).expect_status(4).tells(&["a: error: ", "530"]);
}

#[test]
fn a_source_that_has_no_password_says_what_is_missing() {
    let sandbox = Sandbox::new();
    let served = Served::new(&sandbox, "served");
    sandbox.tree("work/one", files! {"1.txt" => "one"});
    fs::write(sandbox.path("work/open"), PASSWORD).unwrap();
    fs::set_permissions(sandbox.path("work/open"), fs::Permissions::from_mode(0o644)).unwrap();
    for (source, told) in [
        ("password_env = 'WEB'", "$WEB is not set"),
        ("password_file = 'nowhere'", "nowhere"),
        ("password_file = 'open'", "chmod 600"),
        ("", "no password"),
    ] {
        let host = served.host("web");
        config(
            &sandbox,
            &format!("{host}user = 'anna'\n{source}\n[job.a]\nsource = 'one'\ndestination = 'web:'\n"),
        );
        sandbox.oneway(["run"]).expect_status(2).tells(&["oneway: a: error: ", told]);
    }
}
