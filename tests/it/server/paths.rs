//! Nobody gets out of the directory.

use super::*;

#[test]
fn dots_lead_nowhere_but_to_the_root() {
    let sandbox = Sandbox::new().file("a.txt", "hello");
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    client.expect("CWD ..", 250);
    client.expect("CDUP", 250);
    assert_eq!(client.expect("PWD", 257), "\"/\" is the working directory");
    client.expect("CWD ../../../..", 250);
    for command in [
        "RETR ../outside/secret",
        "RETR /../outside/secret",
        "RETR a.txt/../../outside/secret",
        "SIZE ../outside/secret",
        "DELE ../outside/secret",
        "CWD ../outside",
        "RNFR ../outside/secret",
        "RETR /etc/passwd",
    ] {
        client.expect(command, 550);
    }
    client.put("STOR ../../b.txt", "inside");
    assert_eq!(sandbox.read("b.txt"), "inside");
    assert!(!sandbox.temp.path().join("b.txt").exists());
}

#[test]
fn links_are_shown_and_removed_but_never_followed() {
    let sandbox = Sandbox::new().file("d/x", "hello");
    symlink("../outside", sandbox.path("out")).unwrap();
    symlink("../outside/secret", sandbox.path("file")).unwrap();
    symlink("/etc", sandbox.path("etc")).unwrap();
    symlink("d", sandbox.path("within")).unwrap();
    symlink("gone", sandbox.path("dangling")).unwrap();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    for command in [
        "RETR file",
        "RETR out/secret",
        "RETR etc/passwd",
        "RETR within/x",
        "STOR file",
        "STOR dangling",
        "APPE file",
        "STOR out/new",
        "CWD out",
        "CWD within",
        "CWD etc",
        "SIZE file",
        "SIZE out/secret",
        "MDTM file",
        "MFMT 20200101000000 file",
        "MFMT 20200101000000 out/secret",
        "SITE CHMOD 777 file",
        "SITE CHMOD 777 out",
        "LIST out/secret",
        "MLST out/secret",
        "STAT etc/passwd",
        "DELE out/secret",
        "MKD out/new",
        "RMD out",
        "RNFR out/secret",
    ] {
        client.epsv();
        client.expect(command, 550);
    }
    client.expect("MLSD out", 501);
    client.expect("RNFR d/x", 350);
    client.expect("RNTO out/x", 550);
    assert_eq!(client.fetch("LIST out").lines().count(), 1);
    client.expect("DELE out", 250);
    client.expect("DELE file", 250);
    client.expect("DELE dangling", 250);
    assert_eq!(fs::read_to_string(sandbox.temp.path().join("outside/secret")).unwrap(), "secret");
    assert_eq!(fs::read_dir(sandbox.temp.path().join("outside")).unwrap().count(), 1);
}

#[test]
fn a_directory_swapped_for_a_link_at_any_moment_lets_nobody_out() {
    let sandbox = Sandbox::new().file("a/secret", "harmless");
    symlink("../outside", sandbox.path("link")).unwrap();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    let (way, dir, link) = (sandbox.path("way"), sandbox.path("a"), sandbox.path("link"));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for thing in [&dir, &link] {
                    fs::rename(thing, &way).unwrap();
                    fs::rename(&way, thing).unwrap();
                }
            }
        });
        for _ in 0..300 {
            assert!(
                ["8", "Not a directory", "No such file or directory"]
                    .contains(&String::from_utf8_lossy(client.ask("SIZE way/secret").text()).as_ref())
            );
            client.ask("DELE way/new");
            client.ask("MKD way/new");
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(fs::read_dir(sandbox.temp.path().join("outside")).unwrap().count(), 1);
}

#[test]
fn special_files_are_shown_but_never_opened() {
    let sandbox = Sandbox::new();
    assert!(Command::new("mkfifo").arg(sandbox.path("fifo")).status().unwrap().success());
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    assert!(client.fetch("LIST").starts_with('p'));
    assert!(client.fetch("MLSD").starts_with("type=OS.unix=special;"));
    for command in ["RETR fifo", "STOR fifo", "APPE fifo", "SIZE fifo", "SITE CHMOD 600 fifo"] {
        client.epsv();
        client.expect(command, 550);
    }
    client.expect("DELE fifo", 250);
}

#[test]
fn names_with_line_ends_are_not_listed() {
    let sandbox = Sandbox::new().file("good", "").file("forged\r\n-rw-r--r-- 1 0 0 0 Jan 1 2020 x", "");
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    for command in ["LIST", "MLSD", "NLST"] {
        assert_eq!(client.fetch(command).lines().count(), 1, "{command}");
    }
}
