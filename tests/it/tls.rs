//! FTPS with real servers that take no data connection but one that goes on with the control connection's TLS session.

use std::time::Duration;

use oneway::server::{Access, ServeOptions, Server, TlsOptions, TlsVersions};

use crate::support::{
    Certificate, Daemon, Files, PASSWORD, Sandbox, SelfSigned, Software, assert_same_tree,
    assert_same_tree_and_times, files,
};

/// Runs a test against each way there is of FTPS.
fn for_each_way(
    certificate: impl Fn(&Sandbox) -> Certificate,
    test: impl Fn(&Daemon, &Sandbox, &Certificate),
) {
    for (software, implicit) in
        [(Software::Vsftpd, false), (Software::Vsftpd, true), (Software::Proftpd, false)]
    {
        let sandbox = Sandbox::new();
        let certificate = certificate(&sandbox);
        let options = Daemon::prepare(software);
        let options = if implicit { options.implicit_tls(&certificate) } else { options.tls(&certificate) };
        if let Some(daemon) = options.start(&sandbox) {
            eprintln!("{}, {}", software.name(), if implicit { "implicit" } else { "explicit" });
            test(&daemon, &sandbox, &certificate);
        }
    }
}

/// Some empty, some of a block, some of many.
fn many() -> Files {
    let file = |n: usize| {
        let size = if n % 50 == 7 { 300_000 } else { n * 83 % 8_000 };
        (format!("d{}/f{n}", n % 20).into(), Some(vec![b'x'; size]))
    };
    Files((0..400).map(file).collect())
}

#[test]
fn a_push_and_a_pull_of_many_files_go_over_eight_sessions() {
    for_each_way(Certificate::new, |daemon, sandbox, certificate| {
        let (src, back) = (sandbox.tree("src", many()), sandbox.dir("back"));
        let (url, ca) = (daemon.protected_url("/"), certificate.authority.display().to_string());
        for (from, to, verb) in [(&*src.path().to_string_lossy(), &*url, "push"), (&*url, &*back, "pull")] {
            let run = |options: &[&str]| {
                let arguments = [&["sync", "-j", "8", "--format", "json", "--ca", &ca], options, &[from, to]];
                sandbox
                    .command(arguments.concat())
                    .env("ONEWAY_PASSWORD", PASSWORD)
                    .time_limit(Duration::from_secs(120))
                    .run()
                    .expect_status(0)
            };
            let output = run(&[]);
            let done = output.events("done");
            assert!(output.events("failed").is_empty(), "{verb}: {output}");
            assert!(done.iter().all(|event| event["tries"] == 1), "{verb}: {output}");
            let before = daemon.transfers().len();
            let again = run(&["--no-state"]);
            assert_eq!(again.summary()["unchanged"], 400, "{verb}: {again}");
            assert_eq!(daemon.transfers().len(), before, "{verb}: files went over the line");
        }
        assert_same_tree_and_times(&src, daemon.root());
        assert_same_tree(&src, &back);
    });
}

#[test]
fn a_pin_is_trusted_for_what_no_authority_would_vouch_for() {
    for make in [Certificate::expired, Certificate::for_another] {
        for_each_way(make, |daemon, sandbox, certificate| {
            let (here, url) = (sandbox.dir("here"), daemon.protected_url("/"));
            daemon.root().add(files! {"a.txt" => "hi"});
            let ca = certificate.authority.display().to_string();
            let run = |trust: &[&str]| {
                let arguments = [&["sync", "--retries", "0"], trust, &[&*url, &*here]].concat();
                sandbox.command(arguments).env("ONEWAY_PASSWORD", PASSWORD).run()
            };
            let output = run(&["--ca", &ca]).expect_status(4);
            assert!(output.stderr.contains("is not trusted"), "{output}");
            assert!(output.stderr.contains(&certificate.pin), "{output}");
            run(&["--pin", &certificate.pin]).expect_status(0);
            assert_same_tree(daemon.root(), &here);
        });
    }
}

#[test]
fn a_server_that_wants_tls_says_so_in_the_hint() {
    for_each_way(Certificate::new, |daemon, sandbox, _| {
        let here = sandbox.dir("here");
        let url = daemon.protected_url("/").replace("ftpes://", "ftp://");
        if url.starts_with("ftps://") {
            return;
        }
        let run =
            sandbox.command(["sync", "--retries", "0", &url, &here]).env("ONEWAY_PASSWORD", PASSWORD).run();
        let output = run.expect_status(4);
        assert!(output.stderr.contains("ftpes://"), "{output}");
    });
}

#[test]
fn active_mode_goes_through_tls_as_well() {
    for_each_way(Certificate::new, |daemon, sandbox, certificate| {
        let (src, back) = (
            sandbox.tree("src", files! {"a" => "a", "b/c" => [7; 100_000], "void" => ""}),
            sandbox.dir("back"),
        );
        let url = daemon.protected_url("/");
        for (from, to) in [(&*src, &*url), (&*url, &*back)] {
            let arguments = ["sync", "--active", "--pin", &certificate.pin, from, to];
            sandbox.command(arguments).env("ONEWAY_PASSWORD", PASSWORD).run().expect_status(0);
        }
        assert_same_tree(&src, &back);
    });
}

/// A ticket of TLS 1.3 goes once, and an upload brings none: whoever goes on without one is refused.
#[test]
fn sessions_whose_tickets_are_used_up_give_way_to_new_ones() {
    for versions in [TlsVersions::Tls13, TlsVersions::Tls12, TlsVersions::Both] {
        let sandbox = Sandbox::new();
        let (src, root, back) = (sandbox.tree("src", few()), sandbox.dir("root"), sandbox.dir("back"));
        let shown = SelfSigned::new();
        let tls = TlsOptions { required: true, require_reuse: true, versions, ..shown.options() };
        let pin: String = tls.identity.sha256().iter().map(|byte| format!("{byte:02x}")).collect();
        let options =
            ServeOptions { access: Access::Write, tls: Some(tls), ..ServeOptions::new(root.path()) };
        let server = Server::start(options).unwrap();
        let url = server.url();
        for (from, to) in [(&*src, &*url), (&*url, &*back)] {
            let arguments = ["sync", "-j", "2", "--format", "json", "--pin", &pin, from, to];
            let output = sandbox.oneway(arguments).expect_status(0);
            assert!(output.events("done").iter().all(|event| event["tries"] == 1), "{versions:?} {output}");
        }
        assert_same_tree(&src, &back);
        server.stop();
    }
}

fn few() -> Files {
    Files((0..12).map(|n| (format!("f{n}").into(), Some(vec![b'x'; n * 30_000]))).collect())
}

#[test]
fn a_client_shows_its_certificate_to_servers_that_ask() {
    for software in [Software::Vsftpd, Software::Proftpd] {
        let sandbox = Sandbox::new();
        let certificate = Certificate::new(&sandbox);
        let Some(daemon) = Daemon::prepare(software).tls_for_known(&certificate).start(&sandbox) else {
            continue;
        };
        let (src, url) = (sandbox.tree("src", files! {"a" => "a", "b" => "b"}), daemon.protected_url("/"));
        let run = |shown: &[&str]| {
            let arguments =
                [&["sync", "--retries", "0", "--pin", &certificate.pin], shown, &[&*src, &*url]].concat();
            sandbox.command(arguments).env("ONEWAY_PASSWORD", PASSWORD).run()
        };
        run(&[]).expect_status(4);
        let [shown, key] =
            [&certificate.client, &certificate.client_key].map(|file| file.display().to_string());
        run(&["--client-cert", &shown, "--client-key", &key]).expect_status(0);
        assert_same_tree(&src, daemon.root());
        let output = run(&["--client-cert", &shown, "--client-key", &shown]).expect_status(2);
        assert!(output.stderr.contains("no private key"), "{output}");
        let other = certificate.key.display().to_string();
        let output = run(&["--client-cert", &shown, "--client-key", &other]).expect_status(2);
        assert!(output.stderr.contains("can't be used"), "{output}");
        run(&["--client-cert", &shown]).expect_status(2);
    }
}
