//! Completions and man pages: of every command and option there is.

use std::process::{Command, Stdio};

use crate::support::Sandbox;

#[test]
fn each_shell_has_completions_of_all_options() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = sandbox.oneway(["completions", shell]).expect_status(0).stdout;
        for word in ["delay-updates", "parse-listing", "max-delete", "undo"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    sandbox.oneway(["completions", "tcsh"]).expect_status(2).tells(&["bash, elvish, fish"]);
}

#[test]
fn bash_takes_the_completions_and_completes_by_them() {
    let sandbox = Sandbox::new();
    let script = sandbox.oneway(["completions", "bash"]).expect_status(0).stdout;
    std::fs::write(sandbox.path("oneway.bash"), script).unwrap();
    let ask = "source ./oneway.bash; COMP_WORDS=(oneway sync --delay); COMP_CWORD=2; _oneway oneway --delay sync; \
               printf '%s\\n' \"${COMPREPLY[@]}\"";
    let asked =
        Command::new("bash").args(["-c", ask]).current_dir(sandbox.path("")).stdin(Stdio::null()).output();
    let asked = asked.unwrap();
    assert_eq!(String::from_utf8_lossy(&asked.stdout), "--delay-updates\n", "{asked:?}");
}

#[test]
fn each_command_has_a_page() {
    let sandbox = Sandbox::new();
    let page = sandbox.oneway(["man"]).expect_status(0).stdout;
    assert!(page.contains(".TH oneway 1") && page.contains("Exit status"), "{page}");
    let dir = sandbox.path("man");
    sandbox.oneway(["man", "--install", dir.to_str().unwrap()]).expect_status(0);
    let help = sandbox.oneway(["--help"]).expect_status(0).stdout;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    let mut count = 0;
    for name in commands.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        let page = std::fs::read_to_string(dir.join(format!("man1/oneway-{name}.1"))).unwrap();
        assert!(page.contains(&format!(".TH oneway-{name} 1")), "{page}");
        count += 1;
    }
    assert!(count > 10, "{help}");
    sandbox.oneway(["man", "--install", "/dev/null"]).expect_status(2).tells(&["cannot make /dev/null/man1"]);
}
