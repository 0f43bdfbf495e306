//! Listings, in each form.

use super::*;

#[test]
fn list_writes_lines_of_ls() {
    let sandbox = Sandbox::new().file("b c.txt", "hello").file("d/x", "").file(".hidden", "");
    symlink("d", sandbox.path("link")).unwrap();
    fs::set_permissions(sandbox.path("b c.txt"), fs::Permissions::from_mode(0o644)).unwrap();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    client.expect("MFMT 20200102030405 b c.txt", 213);
    let listing = client.fetch("LIST");
    let lines: Vec<&str> = listing.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 4);
    assert!(lines[0].starts_with("-") && lines[0].ends_with(" .hidden"), "{listing}");
    assert!(
        lines[1].starts_with("-rw-r--r-- ") && lines[1].ends_with(" 5 Jan  2  2020 b c.txt"),
        "{listing}"
    );
    assert!(lines[2].starts_with("d") && lines[2].ends_with(" d"), "{listing}");
    assert!(lines[3].starts_with("lrwxrwxrwx ") && lines[3].ends_with(" link -> d"), "{listing}");
    for command in ["LIST -a", "LIST -la", "LIST -al .", "LIST /", "LIST -l -a /d/.."] {
        assert_eq!(client.fetch(command), listing, "{command}");
    }
    assert_eq!(client.fetch("LIST b c.txt"), format!("{}\r\n", lines[1]));
    assert_eq!(client.fetch("LIST link"), format!("{}\r\n", lines[3]));
    let status = client.ask("STAT -la /");
    let body: Vec<String> =
        status.body().iter().map(|line| String::from_utf8(line.clone()).unwrap()).collect();
    assert_eq!(body, lines.iter().map(|line| format!(" {line}")).collect::<Vec<_>>());
    assert_eq!(client.expect("STAT d", 213), "Status of /d");
}

#[test]
fn nlst_writes_names_that_retr_takes() {
    let sandbox = Sandbox::new().file("d/a b", "").file("d/.c", "").file("e/x", "");
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    assert_eq!(client.fetch("NLST"), "d\r\ne\r\n");
    assert_eq!(client.fetch("NLST d"), "d/.c\r\nd/a b\r\n");
    assert_eq!(client.fetch("NLST /d/"), "/d/.c\r\n/d/a b\r\n");
    assert_eq!(client.fetch("NLST d/a b"), "d/a b\r\n");
    client.expect("CWD d", 250);
    assert_eq!(client.fetch("NLST"), ".c\r\na b\r\n");
    assert_eq!(client.fetch("NLST ../e"), "../e/x\r\n");
}

#[test]
fn mlsd_and_mlst_write_facts() {
    let sandbox = Sandbox::new().file("d/ a;b ", "hello").file("d/e/x", "");
    symlink("e", sandbox.path("d/link")).unwrap();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    client.expect("MFMT 20200102030405 /d/ a;b ", 213);
    client.expect("SITE CHMOD 604 /d/ a;b ", 200);
    let meta = fs::metadata(sandbox.path("d/ a;b ")).unwrap();
    let facts = format!(
        "type=file;size=5;modify=20200102030405;perm=adfrw;unique={:x}g{:x};UNIX.mode=0604;",
        meta.dev(),
        meta.ino()
    );
    let listing = client.fetch("MLSD d");
    let lines: Vec<&str> = listing.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 3, "{listing}");
    assert_eq!(lines[0], format!("{facts}  a;b "));
    assert!(lines[1].starts_with("type=dir;modify=") && lines[1].ends_with("; e"), "{listing}");
    assert!(
        lines[2].starts_with("type=OS.unix=symlink;modify=") && lines[2].ends_with("; link"),
        "{listing}"
    );
    let reply = client.ask("MLST d/ a;b ");
    assert_eq!((reply.code(), reply.body()), (250, &[format!(" {facts} /d/ a;b ").into_bytes()][..]));
    client.expect("CWD d/e", 250);
    let reply = client.ask("MLST");
    assert!(reply.body()[0].ends_with(b"; /d/e"), "{reply}");
    client.expect("OPTS MLST type;size;", 200);
    assert_eq!(client.fetch("MLSD"), "type=file;size=0; x\r\n");
    client.expect("OPTS MLST", 200);
    assert_eq!(client.fetch("MLSD"), " x\r\n");
}

#[test]
fn an_empty_directory_has_an_empty_listing() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    for command in ["LIST", "NLST", "MLSD"] {
        assert_eq!(client.fetch(command), "");
    }
    assert_eq!(client.ask("STAT .").body().len(), 0);
}

#[test]
fn a_large_directory_is_listed_whole() {
    let sandbox = Sandbox::new();
    for i in 0..3000 {
        fs::write(sandbox.path(&format!("file-{i:04}")), "").unwrap();
    }
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    for command in ["LIST", "NLST", "MLSD"] {
        assert_eq!(client.fetch(command).lines().count(), 3000, "{command}");
    }
    assert_eq!(client.ask("STAT /").body().len(), 3000);
    assert_eq!(client.expect("NOOP", 200), "OK");
}
