//! The pages of reports and of the schedule as people use them, in a real browser. Runs where `ONEWAY_BROWSER` is set: it needs Chromium and its chromedriver
//! (Debian: `chromium chromium-driver`).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Sandbox, ScriptServer, files};

/// A browser with one page.
struct Browser {
    driver: Child,
    port: u16,
    session: String,
}

impl Browser {
    /// Opens a page.
    fn open(width: u32, url: &str) -> Self {
        let mut driver = Command::new("chromedriver")
            .args(["--port=0", "--log-level=WARNING"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed");
        let mut lines = BufReader::new(driver.stdout.take().expect("it is piped")).lines();
        let port = lines
            .find_map(|line| {
                line.ok()?.split("successfully on port ").nth(1)?.trim_end_matches('.').parse().ok()
            })
            .expect("chromedriver says its port");
        // It says more later, and must find somebody who hears it.
        std::thread::spawn(move || lines.for_each(drop));
        let mut browser = Self { driver, port, session: String::new() };
        let size = format!("--window-size={width},900");
        let mut options = json!({"args": ["--headless=new", "--no-sandbox", "--disable-gpu", size]});
        if width < 500 {
            options["mobileEmulation"] =
                json!({"deviceMetrics": {"width": width, "height": 844, "pixelRatio": 1}});
        }
        let wanted = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}});
        let session = browser.post("/session", &wanted);
        browser.session = format!("/session/{}", session["sessionId"].as_str().expect("a session"));
        browser.post("/url", &json!({"url": url}));
        browser
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let path = if path == "/session" { path.to_owned() } else { format!("{}{path}", self.session) };
        self.send("POST", &path, &body.to_string())
    }

    fn send(&self, method: &str, path: &str, body: &str) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("chromedriver listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a time limit");
        let head = "Host: localhost\r\nContent-Type: application/json\r\nConnection: close";
        write!(stream, "{method} {path} HTTP/1.1\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            .expect("it is sent");
        let mut reply = BufReader::new(stream);
        let (mut line, mut length) = (String::new(), 0);
        while reply.read_line(&mut line).expect("a reply") > 0 && line.trim() != "" {
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().expect("a length");
            }
            line.clear();
        }
        let mut body = vec![0; length];
        reply.read_exact(&mut body).expect("the reply is whole");
        let mut value: Value = serde_json::from_slice(&body).expect("it is JSON");
        assert!(value["value"]["error"].is_null(), "{path}: {value}");
        value["value"].take()
    }

    fn ask(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({"script": format!("return {script}"), "args": []}))
    }

    fn element(&self, css: &str) -> String {
        let found = self.post("/element", &json!({"using": "css selector", "value": css}));
        let id = found.as_object().expect("an element").values().next().expect("its number");
        id.as_str().expect("text").to_owned()
    }

    fn click(&self, css: &str) {
        self.post(&format!("/element/{}/click", self.element(css)), &json!({}));
    }

    fn write(&self, css: &str, text: &str) {
        self.post(&format!("/element/{}/value", self.element(css)), &json!({"text": text}));
    }

    /// The names that the table shows, in their order.
    fn names(&self) -> Vec<String> {
        let names =
            self.ask("[...document.querySelectorAll('.row:not(.group) .path')].map(e => e.textContent)");
        serde_json::from_value(names).expect("texts")
    }

    fn shown(&self) -> String {
        std::thread::sleep(Duration::from_millis(300));
        self.ask("document.getElementById('shown').textContent").as_str().expect("text").to_owned()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser goes with its session: a driver that is killed leaves it behind.
        if !self.session.is_empty() {
            drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                self.send("DELETE", &self.session, "")
            })));
        }
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}

fn address(file: &std::path::Path) -> String {
    format!("file://{}", file.display())
}

fn is_wanted() -> bool {
    std::env::var_os("ONEWAY_BROWSER").is_some()
}

const EVIL: &str = "<script>document.title='hacked'<script>";

#[test]
fn the_page_is_searched_sorted_and_folded() {
    if !is_wanted() {
        return;
    }
    let sandbox = Sandbox::new();
    let long = "x".repeat(240);
    let here = sandbox.dir("here");
    here.add(files! {
        EVIL => "1", "a/\"quotes\" & 'more'.txt" => "22", "a/turned\u{202e}gnp.exe" => "333", "a/10.txt" => "4444",
        format!("b/{long}").as_str() => "55555",
    });
    let server = ScriptServer::plain(files! {"b/gone.txt" => "", "a/10.txt" => "old"}, "");
    let page = sandbox.dir("out").at("diff.html");
    let report = format!("html={}", page.display());
    sandbox
        .oneway(["diff", "--delete", "--report", &report, here.as_ref(), &server.url("/")])
        .expect_status(1);
    for width in [1280, 390] {
        let browser = Browser::open(width, &address(&page));
        assert_eq!(browser.shown(), "6 rows");
        assert_eq!(browser.ask("document.documentElement.scrollWidth <= innerWidth"), true);
        assert!(!browser.ask("document.title").as_str().expect("text").contains("hacked"));
        assert!(browser.names().contains(&EVIL.to_owned()), "{:?}", browser.names());
        assert!(browser.names().contains(&"turned\\u{202e}gnp.exe".to_owned()), "{:?}", browser.names());

        browser.click("[data-key=size]");
        browser.click("#grouped");
        let by_size = browser.names();
        assert!(by_size.last().expect("rows").starts_with("b/xxx"), "{by_size:?}");
        browser.click("[data-key=size]");
        assert_eq!(browser.names(), by_size.into_iter().rev().collect::<Vec<_>>());

        browser.write("#search", "QUOTES more");
        assert_eq!(browser.shown(), "1 of 6 rows");
        assert_eq!(browser.names(), ["a/\"quotes\" & 'more'.txt"]);
        browser.click(".row");
        let detail = browser.ask("document.getElementById('detail').innerText").to_string();
        assert!(detail.contains("missing at the destination") && detail.contains("2 bytes"), "{detail}");
        browser.ask("document.getElementById('search').value = ''");
        browser.write("#search", " ");
        assert_eq!(browser.shown(), "6 rows");

        browser.click(".chip[data-action=delete]");
        assert_eq!(browser.shown(), "5 of 6 rows");
        browser.click("#fold");
        assert_eq!(browser.names(), [""; 0]);
        assert_eq!(browser.ask("document.querySelectorAll('.row.group').length"), 3);
        browser.click(".row.group");
        assert_eq!(browser.names(), [EVIL]);

        let back = "getComputedStyle(document.body).backgroundColor";
        let before = browser.ask(back);
        browser.click("#theme");
        assert_ne!(browser.ask(back), before);
    }
}

#[test]
fn a_hundred_thousand_changes_are_a_page_like_any_other() {
    if !is_wanted() {
        return;
    }
    let sandbox = Sandbox::new();
    let here = sandbox.dir("here");
    for dir in 0..500 {
        let path = here.path().join(format!("dir{dir:03}"));
        std::fs::create_dir(&path).expect("a directory");
        for file in 0..200 {
            std::fs::File::create(path.join(format!("file {file}"))).expect("a file");
        }
    }
    let server = ScriptServer::plain(files! {}, "");
    let page = sandbox.dir("out").at("diff.html");
    let report = format!("html={}", page.display());
    sandbox.oneway(["diff", "-q", "--report", &report, here.as_ref(), &server.url("/")]).expect_status(1);
    let browser = Browser::open(1280, &address(&page));
    assert_eq!(browser.shown(), "100,500 rows");
    // What is in sight is all there is to lay out.
    assert!(browser.ask("document.querySelectorAll('.row').length").as_u64().expect("a number") < 100);
    browser.ask("(view => view.scrollTop = view.scrollHeight)(document.getElementById('view'))");
    browser.shown();
    assert_eq!(browser.names().last().map(String::as_str), Some("file 99"));
    // Two words: files with a 7 in their names.
    browser.write("#search", "dir499/file 7");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(browser.shown(), "38 of 100,500 rows");
}

#[test]
fn the_status_page_leads_from_jobs_to_runs_on_every_screen() {
    if !is_wanted() {
        return;
    }
    let sandbox = Sandbox::new();
    let long = "x".repeat(240);
    sandbox.tree("work/one", files! {EVIL => "1", "turned\u{202e}gnp.exe" => "22", long.as_str() => "333"});
    let server = ScriptServer::plain(files! {}, "");
    let jobs = format!(
        "version = 1\n[job.site]\nsource = 'one'\ndestination = '{url}'\nevery = '1h'\n\
         [job.gone]\nsource = 'nowhere'\ndestination = '{url}/other'\nevery = '1h'\n",
        url = server.url("/site")
    );
    let file = sandbox.path("work/oneway.toml");
    std::fs::write(&file, jobs).expect("the sandbox can be written to");
    // It holds the server's password.
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("it was just written");
    let schedule = sandbox.command(["schedule", "--http", "0"]).start();
    let url = schedule.wait_for("http://");
    let done = |job: &str| sandbox.oneway(["history", job]).any_status().stdout.lines().count() == 2;
    let began = std::time::Instant::now();
    while !(done("site") && done("gone")) && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(100));
    }
    for width in [1280, 390] {
        let page = Browser::open(width, &url);
        let fits = |page: &Browser| {
            let fits = page.ask("document.documentElement.scrollWidth <= window.innerWidth");
            assert_eq!(fits, json!(true), "it is wider than {width}");
        };
        fits(&page);
        assert_eq!(
            page.ask("[...document.querySelectorAll('td.bad')].map(e => e.textContent)")[0],
            "unreachable"
        );
        page.click("a[href='/job/site']");
        assert_eq!(page.ask("document.querySelector('h1').textContent"), "site");
        fits(&page);
        page.click("td.good a");
        assert_eq!(page.ask("document.querySelector('h1').textContent"), "site: done");
        let names = page.ask("[...document.querySelectorAll('bdi')].map(e => e.textContent).sort()");
        assert_eq!(names, json!([EVIL, "turned\\u{202e}gnp.exe", long]));
        assert!(page.ask("document.title").as_str().is_some_and(|title| title.starts_with("oneway: run ")));
        fits(&page);
        let back = || page.ask("getComputedStyle(document.body).backgroundColor");
        let light = back();
        let dark = json!({"cmd": "Emulation.setEmulatedMedia", "params": {
            "features": [{"name": "prefers-color-scheme", "value": "dark"}]}});
        page.post("/goog/cdp/execute", &dark);
        assert_ne!(back(), light, "it is as bright in the dark");
        page.click("a[href='/job/site']");
        assert_eq!(page.ask("document.querySelector('h1').textContent"), "site");
    }
    schedule.signal("TERM");
    schedule.finish().expect_status(0);
    server.finish_unchecked();
}
