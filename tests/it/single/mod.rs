//! Single operations on servers: what they do, and what they say where they can't.

mod copies;
mod ls;

use oneway::server::{Access, ServeOptions, Server};

use crate::support::{Dir, Sandbox, files, for_each_daemon, snapshot};

/// Runs a test against each real daemon, and against the embedded server.
fn for_each_server(test: impl Fn(&Sandbox, &str, &Dir)) {
    for_each_daemon(|daemon, sandbox| {
        let root = daemon.root().dir("tree");
        test(sandbox, daemon.url("/tree").trim_end_matches('/'), &root);
    });
    embedded(test);
}

/// Runs a test against the embedded server.
fn embedded(test: impl Fn(&Sandbox, &str, &Dir)) {
    let sandbox = Sandbox::new();
    let root = sandbox.dir("served");
    let served = ServeOptions { access: Access::Write, ..ServeOptions::new(root.path()) };
    let server = Server::start(served).expect("loopback has free ports");
    test(&sandbox, server.url().trim_end_matches('/'), &root);
    server.stop();
}

#[test]
fn each_does_what_it_says() {
    for_each_server(|sandbox, url, root| {
        root.add(files! {"a/f" => "hello\n", "a/b/sp ace.txt" => "x", "a/g" => ""});
        let run = |arguments: &[&str], status| {
            let arguments: Vec<String> = arguments
                .iter()
                .map(|argument| {
                    argument
                        .strip_prefix('@')
                        .map_or_else(|| argument.to_string(), |path| format!("{url}{path}"))
                })
                .collect();
            sandbox.oneway(arguments).expect_status(status)
        };
        assert_eq!(run(&["cat", "@/a/f", "@/a/g", "@/a/b/sp%20ace.txt"], 0).stdout, "hello\nx");
        run(&["mkdir", "@/new"], 0);
        run(&["mkdir", "-p", "@/p/q/r", "@/p/q"], 0);
        run(&["mv", "@/a/b/sp%20ace.txt", "@/new/"], 0);
        run(&["mv", "@/a/f", "@/f2"], 0);
        run(&["rmdir", "@/a/b"], 0);
        run(&["rm", "@/a/g"], 0);
        assert_eq!(snapshot(root), "a/\nf2 = \"hello\\n\"\nnew/\nnew/sp ace.txt = \"x\"\np/\np/q/\np/q/r/\n");
        run(&["rm", "-r", "--yes", "@/new", "@/p"], 0);
        assert_eq!(snapshot(root), "a/\nf2 = \"hello\\n\"\n");

        // One clear line each, and nothing is changed.
        for (arguments, status, told) in [
            (&["cat", "@/none"][..], 3, "cannot read `none`"),
            (&["cat", "@/a"], 3, "cannot read `a`"),
            (&["mkdir", "@/a"], 3, "it is there already"),
            (&["mkdir", "@/x/y"], 3, "cannot create `y`"),
            (&["rmdir", "@/f2"], 3, "cannot remove `f2`"),
            (&["rm", "@/a"], 3, "cannot remove `a`"),
            (&["mv", "@/none", "@/other"], 3, "cannot rename `"),
            (&["mv", "@/f2", "@/f2"], 2, "is there already"),
            (&["mv", "@/f2", "ftp://127.0.0.1:1/x"], 4, "cannot reach"),
            (&["rm", "-r", "@/a"], 2, "nobody is there to answer"),
            (&["cat", "a-local-path"], 2, "a URL such as"),
            (&["rm", "ftp://127.0.0.1:9"], 2, "has no name of its own"),
            (&["cat", "ftp://127.0.0.1:1/x"], 4, "cannot reach"),
        ] {
            let output = run(arguments, status);
            output.tells(&[told]);
            let errors = output.stderr.lines().filter(|line| line.starts_with("oneway: error")).count();
            assert_eq!((errors, output.stdout.as_str()), (1, ""), "{arguments:?}: {}", output.stderr);
        }
        assert_eq!(snapshot(root), "a/\nf2 = \"hello\\n\"\n");
    });
}
