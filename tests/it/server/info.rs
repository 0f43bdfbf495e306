//! What the server says of itself.

use super::*;

#[test]
fn features_have_a_space_before_them() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    let features = |client: &mut Client| -> Vec<String> {
        client.ask("FEAT").body().iter().map(|line| String::from_utf8(line.clone()).unwrap()).collect()
    };
    assert_eq!(
        features(&mut client),
        [
            " EPRT",
            " EPSV",
            " MDTM",
            " MFMT",
            " MLST type*;size*;modify*;perm*;unique*;UNIX.mode*;",
            " PASV",
            " REST STREAM",
            " SIZE",
            " TVFS",
            " UTF8",
        ]
    );
    assert_eq!(client.expect("OPTS MLST size;modify;", 200), "MLST OPTS size;modify;");
    assert!(features(&mut client).contains(&" MLST type;size*;modify*;perm;unique;UNIX.mode;".into()));
}

#[test]
fn parameters_that_change_nothing_are_taken_and_others_refused() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    for (command, code) in [
        ("SYST", 215),
        ("TYPE A", 200),
        ("type a n", 200),
        ("TYPE L 8", 200),
        ("TYPE E", 504),
        ("TYPE", 501),
        ("MODE S", 200),
        ("MODE Z", 504),
        ("STRU F", 200),
        ("STRU R", 504),
        ("ALLO 1000", 202),
        ("OPTS UTF8 ON", 200),
        ("OPTS utf8", 200),
        ("OPTS UTF8 OFF", 504),
        ("OPTS HASH", 501),
        ("NOOP", 200),
        ("HELP", 214),
        ("SITE HELP", 214),
        ("SITE EXEC ls", 504),
        ("AUTH TLS", 502),
        ("XYZZY", 500),
        ("", 500),
        ("REST -1", 501),
        ("REST 1x", 501),
        ("REST 99999999999999999999", 501),
        ("CWD a\tb", 501),
    ] {
        client.expect(command, code);
    }
    let status = client.ask("STAT").to_string();
    assert!(status.starts_with("211 ") && status.contains("Logged in as anonymous"), "{status}");
}
