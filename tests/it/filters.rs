//! What is left out by size, by age, and by rules that lie in the tree.

use oneway::server::{Access, ServeOptions, Server};

use crate::support::{Dir, Files, Sandbox, files, snapshot};

/// A local directory and one on a server.
struct Pair {
    sandbox: Sandbox,
    here: Dir,
    there: Dir,
    server: Server,
}

impl Pair {
    fn new(here: Files, there: Files) -> Self {
        let sandbox = Sandbox::new();
        let (here, there) = (sandbox.tree("here", here), sandbox.tree("there", there));
        let options = ServeOptions { access: Access::Write, ..ServeOptions::new(there.path()) };
        let server = Server::start(options).expect("it listens");
        Self { sandbox, here, there, server }
    }

    fn url(&self) -> String {
        format!("ftp://127.0.0.1:{}/", self.server.address().port())
    }

    /// Makes a mirror of the local directory on the server.
    fn push(&self, options: &[&str], status: i32) -> String {
        let url = self.url();
        let arguments =
            [&["sync", "--delete", "--max-delete", "100%"], options, &[self.here.as_ref(), &url]].concat();
        self.sandbox.oneway(arguments).expect_status(status).stderr.clone()
    }

    fn pull(&self, options: &[&str], status: i32) -> String {
        let url = self.url();
        let arguments =
            [&["sync", "--delete", "--max-delete", "100%"], options, &[&url, self.here.as_ref()]].concat();
        self.sandbox.oneway(arguments).expect_status(status).stderr.clone()
    }
}

#[test]
fn a_file_that_is_too_large_on_one_side_stays_as_it_is_on_the_other() {
    let large = "x".repeat(2000);
    for (options, expected) in [
        (&["--max-size", "1k"][..], "d/\nd/large\nempty\ngrown=old\nsmall\n"),
        (&["--max-size", "1k", "--min-size", "1"], "d/\nd/large\ngrown=old\nsmall\nzero=\n"),
        (&["--min-size", "1k"], "d/\nd/gone\nd/new\nextra\ngrown=old\nzero=\n"),
    ] {
        let pair = Pair::new(
            files! {"grown" => large.clone(), "small" => "s", "d/new" => large.clone(), "empty" => ""},
            files! {"grown" => "old", "d/large" => large.clone(), "d/gone" => "g", "extra" => "e", "zero" => ""},
        );
        let told = pair.push(options, 0);
        assert!(told.contains("left out by size or age"), "{told}");
        let mut there: Vec<&str> = expected.lines().collect();
        there.sort_unstable();
        let snapshot = snapshot(&pair.there);
        let shown: Vec<String> = snapshot
            .lines()
            .map(|line| match line.split_once(" = ") {
                Some(("grown", content)) => format!("grown={}", content.trim_matches('"')),
                Some(("zero", _)) => "zero=".to_owned(),
                Some((name, _)) => name.to_owned(),
                None => line.to_owned(),
            })
            .collect();
        assert_eq!(shown, there, "{options:?}");
    }
}

#[test]
fn what_changed_just_now_waits_and_what_is_old_stays_behind() {
    for (option, age, expected) in [
        // A file that appeared at the destination just now is left alone, too.
        ("--min-age", "1h", "just = \"j\"\nold = \"o\"\n"),
        ("--max-age", "30d", "gone = \"g\"\nnew = \"n\"\n"),
    ] {
        let pair = Pair::new(files! {"old" => "o"}, files! {"gone" => "g"});
        pair.here.set_time("old", "2020-01-02T03:04:05Z");
        pair.there.set_time("gone", "2020-01-02T03:04:05Z");
        std::fs::write(pair.here.at("new"), "n").expect("it is written");
        std::fs::write(pair.there.at("just"), "j").expect("it is written");
        pair.push(&[option, age], 0);
        assert_eq!(snapshot(&pair.there), expected, "{option}");
    }
}

#[test]
fn rules_in_the_source_count_on_both_sides() {
    let source = || {
        files! {
            ".onewayignore" => "*.log\n!keep.log\n/build/\n", "a.log" => "1", "keep.log" => "2", "build/x" => "3",
            "d/.onewayignore" => "secret\n", "d/secret" => "4", "d/open" => "5", "secret" => "6",
        }
    };
    let destination = || files! {"old.log" => "a", "build/y" => "b", "d/secret" => "c", "gone" => "d"};
    let expected = "build/\nbuild/y = \"b\"\nd/\nd/open = \"5\"\nd/secret = \"c\"\nkeep.log = \"2\"\nold.log = \"a\"\nsecret = \"6\"\n";
    let push = Pair::new(source(), destination());
    push.push(&[], 0);
    assert_eq!(snapshot(&push.there), expected);
    let pull = Pair::new(destination(), source());
    pull.pull(&[], 0);
    assert_eq!(snapshot(&pull.here), expected);
    // What is typed comes first.
    let typed = Pair::new(source(), destination());
    typed.push(&["--include", "a.log"], 0);
    assert!(typed.there.has("a.log"));
}

#[test]
fn rules_that_are_none_leave_everything_beside_them_alone() {
    let pair = Pair::new(
        files! {"d/.onewayignore" => "ok\n[z-a]\n", "d/new" => "1", "d/e/new" => "2", "other" => "3"},
        files! {"d/old" => "4", "gone" => "5"},
    );
    let told = pair.push(&[], 3);
    assert!(told.contains("`d/.onewayignore` line 2") && told.contains("left alone"), "{told}");
    assert_eq!(snapshot(&pair.there), "d/\nd/old = \"4\"\nother = \"3\"\n");
}

#[test]
fn a_path_is_told_its_rule() {
    let sandbox = Sandbox::new();
    let root = sandbox.tree("root", files! {".onewayignore" => "*.log\n", "d/.onewayignore" => "!x.log\n"});
    let rules = sandbox.tree("rules", files! {"rules" => "# all of it\n/build/\n"});
    let file = rules.at("rules");
    let options = ["--exclude", "*.map", "--filter-from", file.to_str().expect("UTF-8")];
    let paths = ["a.map", "build/x", "build/", "a.log", "d/x.log", "plain"];
    let arguments = [&["filter", "--root", root.as_ref()], &options[..], &paths].concat();
    let output = sandbox.oneway(arguments).expect_status(0);
    let place = file.display();
    let expected = format!(
        "left alone  a.map  --exclude: `*.map`\n\
         left alone  build/x  {place} line 2: `/build/`, which is about `build/`\n\
         left alone  build/  {place} line 2: `/build/`\n\
         left alone  a.log  .onewayignore line 1: `*.log`\n\
         mirrored    d/x.log  d/.onewayignore line 1: `x.log`\n\
         mirrored    plain  no rule is about it\n"
    );
    assert_eq!(output.stdout, expected);
    sandbox.oneway(["filter", "../x"]).expect_status(2).tells(&["`../x` is no path below the root"]);
    sandbox.oneway(["filter", "--exclude", "", "x"]).expect_status(2).tells(&["an empty pattern"]);
}
