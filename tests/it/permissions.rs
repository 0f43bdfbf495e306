//! `--perms`: permission bits of files, both ways.

use crate::support::{Dir, Sandbox, ScriptServer, files, for_each_daemon};

fn modes(dir: &Dir, names: &[&str]) -> Vec<u32> {
    names.iter().map(|name| dir.mode(name)).collect()
}

#[test]
fn permissions_are_carried_where_they_are_asked_for_and_sent_with_nothing() {
    for_each_daemon(|daemon, sandbox| {
        let src =
            sandbox.tree("src", files! {"run.sh" => "#!/bin/sh", "secret" => "x", "page" => "y", "s" => "z"});
        let names = ["run.sh", "secret", "page", "s"];
        for (name, mode) in names.into_iter().zip([0o755, 0o600, 0o644, 0o4755]) {
            src.set_mode(name, mode);
        }
        let url = daemon.url("/site");
        let sync = |options: &[&str], status: i32| {
            sandbox
                .oneway([&["sync", "--format", "json"], options, &[&src, &url]].concat())
                .expect_status(status)
        };
        sync(&["--perms"], 0);
        let there = || names.map(|name| daemon.root().mode(format!("site/{name}")));
        assert_eq!(there(), [0o755, 0o600, 0o644, 0o755], "no program runs as somebody else because of it");
        assert_eq!(sync(&["--perms"], 0).changes(), Vec::<String>::new());

        src.set_mode("run.sh", 0o700);
        src.set_mode("page", 0o664);
        assert_eq!(sync(&[], 0).changes(), Vec::<String>::new(), "nobody asked for it");
        let transfers = daemon.transfers().len();
        let diff = sandbox.oneway(["diff", "--perms", &src, &url]).expect_status(1).stdout;
        assert!(diff.contains("% run.sh") && diff.contains("permissions 755 → 700"), "{diff}");
        let output = sync(&["--perms"], 0);
        assert_eq!(output.changes(), ["chmod page", "chmod run.sh"]);
        assert_eq!(there(), [0o700, 0o600, 0o664, 0o755]);
        assert_eq!(daemon.transfers().len(), transfers, "nothing was sent");
        assert_eq!(sync(&["--perms"], 0).changes(), Vec::<String>::new());

        let back = sandbox.dir("back");
        sandbox.oneway(["sync", "--perms", &url, &back]).expect_status(0);
        assert_eq!(modes(&back, &names), [0o700, 0o600, 0o664, 0o755]);
        daemon.root().set_mode("site/page", 0o600);
        let pull = sandbox.oneway(["sync", "--perms", "--format", "json", &url, &back]).expect_status(0);
        assert_eq!((pull.changes(), back.mode("page")), (vec!["chmod page".to_owned()], 0o600));
    });
}

#[test]
fn a_server_that_refuses_fails_the_change_and_nothing_else() {
    let sandbox = Sandbox::new();
    let src = sandbox.tree("src", files! {"a" => "a", "new" => "n"});
    src.set_mode("a", 0o700);
    let script = "on MLSD\n< 150 here\ndata send \"type=file;size=1;modify=20240101000000;unix.mode=0644; a\\r\\n\"\n\
                  data send \"type=file;size=1;modify=20240101000000;unix.mode=0644; extra\\r\\n\"\ndata close\n< 226 done\n";
    src.set_time("a", "2024-01-01T00:00:00Z");
    let server = ScriptServer::plain(files! {"a" => "a", "extra" => "e"}, script);
    let options = ["sync", "--perms", "--delete", "--max-delete", "100%", "--format", "json"];
    let output = sandbox.oneway([&options[..], &[&src, &server.url("/")]].concat()).expect_status(3);
    output.tells(&["cannot change the permissions of `a`", "SITE was answered `502"]);
    let transcript = server.finish_unchecked();
    assert_eq!(transcript.tree(), "a = \"a\"\nnew = \"n\"\n", "the rest is done, deletions too");
}

#[test]
fn where_they_are_not_listed_that_is_told_and_nothing_is_done() {
    let sandbox = Sandbox::new();
    let src = sandbox.tree("src", files! {"a" => "a"});
    src.set_mode("a", 0o700);
    src.set_time("a", "2024-01-01T00:00:00Z");
    let script = "on MLSD\n< 150 here\ndata send \"type=file;size=1;modify=20240101000000; a\\r\\n\"\ndata close\n< 226 done\n";
    let server = ScriptServer::plain(files! {"a" => "a"}, script);
    let output = sandbox.oneway(["sync", "--perms", &src, &server.url("/")]).expect_status(0);
    output.tells(&["note: the permissions of 1 file are not listed on both sides, and stay as they are"]);
    assert!(server.finish_unchecked().sent(&["SITE"]).is_empty());
}
