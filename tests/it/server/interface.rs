//! The interface of the library.

use super::*;

#[test]
fn options_that_cannot_work_are_refused() {
    let sandbox = Sandbox::new();
    let with = |change: &dyn Fn(&mut ServeOptions)| {
        let mut options = sandbox.options();
        change(&mut options);
        Server::start(options).unwrap_err()
    };
    assert!(matches!(with(&|o| o.root = sandbox.path("missing")), ServeError::Root { .. }));
    #[expect(clippy::reversed_empty_ranges)]
    let backwards = 2000..=1000;
    assert!(matches!(
        with(&|o| o.passive_ports = Some(backwards.clone())),
        ServeError::PassivePorts { low: 2000, high: 1000 }
    ));
    let nobody = Login::User { name: "anna".into(), password: Secret::new("") };
    assert!(matches!(with(&|o| o.login = nobody.clone()), ServeError::Login));
    let server = sandbox.serve();
    assert!(matches!(with(&|o| o.listen = server.address()), ServeError::Listen { .. }));
}

#[derive(Debug, Default)]
pub(super) struct Recorder(pub(super) Mutex<Vec<String>>);

impl ServerObserver for Recorder {
    fn event(&self, _: SocketAddr, event: &ServerEvent<'_>) {
        let text = match event {
            ServerEvent::Command(command) => command.to_string(),
            ServerEvent::LoggedIn { user } => format!("in {}", String::from_utf8_lossy(user)),
            ServerEvent::LoginFailed { user } => format!("failed {}", String::from_utf8_lossy(user)),
            ServerEvent::Transferred(t) => {
                format!("{} {} {} {}", t.verb, t.path, t.bytes, t.end == TransferEnd::Complete)
            }
            ServerEvent::Changed { verb, path, to } => format!("changed {verb} {path} {to:?}"),
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push(text);
    }
}

#[test]
fn the_observer_is_told_what_happens_but_no_password() {
    let sandbox = Sandbox::new();
    let recorder = Arc::new(Recorder::default());
    let options = ServeOptions { observer: Some(Arc::<Recorder>::clone(&recorder)), ..with_user(&sandbox) };
    let server = Server::start(options).unwrap();
    let mut client = Client::connect(&server);
    client.expect("USER anna", 331);
    client.expect("PASS wrong", 530);
    client.expect("USER anna", 331);
    client.expect("PASS geheim 1", 230);
    client.put("STOR a", "hello");
    client.expect("RNFR a", 350);
    client.expect("RNTO b", 250);
    client.expect("QUIT", 221);
    server.stop();
    assert_eq!(
        *recorder.0.lock().unwrap(),
        [
            "Connected",
            "USER anna",
            "PASS ***",
            "failed anna",
            "USER anna",
            "PASS ***",
            "in anna",
            "EPSV",
            "STOR a",
            "STOR a 5 true",
            "RNFR a",
            "RNTO b",
            "changed RNTO a Some(\"b\")",
            "QUIT",
            "Closed",
        ]
    );
}

#[test]
fn the_root_may_be_a_link_and_need_not_be_absolute() {
    let sandbox = Sandbox::new().file("a.txt", "hello");
    let link = sandbox.temp.path().join("link");
    symlink(Path::new("served"), &link).unwrap();
    let server = Server::start(ServeOptions::new(&link)).unwrap();
    assert_eq!(Client::login(&server).fetch("RETR a.txt"), "hello");
}
