//! Moving about and changing the tree.

use super::*;

#[test]
fn directories_are_made_entered_and_removed() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    assert_eq!(client.expect("PWD", 257), "\"/\" is the working directory");
    assert_eq!(client.expect("MKD a \"b\"", 257), "\"/a \"\"b\"\"\" made");
    client.expect("MKD a \"b\"", 550);
    client.expect("MKD no/such", 550);
    client.expect("MKD /", 550);
    client.expect("CWD a \"b\"", 250);
    client.expect("XMKD c", 257);
    client.expect("XCWD c", 250);
    assert_eq!(client.expect("XPWD", 257), "\"/a \"\"b\"\"/c\" is the working directory");
    client.expect("CDUP", 250);
    client.expect("XCUP", 250);
    client.expect("CDUP", 250);
    assert_eq!(client.expect("PWD", 257), "\"/\" is the working directory");
    client.expect("RMD a \"b\"", 550);
    client.expect("XRMD a \"b\"/c", 250);
    client.expect("RMD a \"b\"", 250);
    client.expect("RMD a \"b\"", 550);
    client.expect("RMD /", 550);
    client.expect("CWD nowhere", 550);
    client.expect("CWD", 501);
    assert_eq!(fs::read_dir(sandbox.path("")).unwrap().count(), 0);
}

#[test]
fn files_are_renamed_and_removed() {
    let sandbox = Sandbox::new().file("a.txt", "a").file("b.txt", "b").file("d/c.txt", "c");
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    client.expect("RNTO x", 503);
    client.expect("RNFR missing", 550);
    client.expect("RNFR a.txt", 350);
    client.expect("NOOP", 200);
    client.expect("RNTO x", 503);
    client.expect("RNFR a.txt", 350);
    client.expect("RNTO b.txt", 250);
    assert_eq!(sandbox.read("b.txt"), "a");
    client.expect("RNFR b.txt", 350);
    client.expect("RNTO d/b.txt", 250);
    client.expect("RNFR d", 350);
    client.expect("RNTO d/inside", 550);
    client.expect("RNFR d", 350);
    client.expect("RNTO e", 250);
    assert_eq!(sandbox.read("e/b.txt"), "a");
    client.expect("DELE e", 550);
    client.expect("DELE e/b.txt", 250);
    client.expect("DELE e/b.txt", 550);
    client.expect("DELE", 501);
    assert!(!sandbox.path("e/b.txt").exists());
}

#[test]
fn sizes_times_and_modes() {
    let sandbox = Sandbox::new().file("a b.txt", "hello").file("d/x", "");
    let server = sandbox.serve();
    let mut client = Client::login(&server);
    assert_eq!(client.expect("SIZE a b.txt", 213), "5");
    client.expect("SIZE d", 550);
    client.expect("SIZE missing", 550);
    client.expect("SIZE", 501);
    assert_eq!(client.expect("MFMT 20200102030405 a b.txt", 213), "Modify=20200102030405; a b.txt");
    assert_eq!(client.expect("MDTM a b.txt", 213), "20200102030405");
    client.expect("MFMT 19691231235959 d", 213);
    assert_eq!(client.expect("MDTM d", 213), "19691231235959");
    assert_eq!(fs::metadata(sandbox.path("d")).unwrap().mtime(), -1);
    client.expect("MFMT 20201302030405 a b.txt", 501);
    client.expect("MFMT 20200102030405", 501);
    client.expect("MFMT 20200102030405 missing", 550);
    client.expect("MDTM missing", 550);
    // How vsftpd sets a time; here it is a name.
    client.expect("MDTM 20210102030405 a b.txt", 550);
    client.expect("SITE CHMOD 640 a b.txt", 200);
    assert_eq!(fs::metadata(sandbox.path("a b.txt")).unwrap().permissions().mode() & 0o7777, 0o640);
    client.expect("SITE CHMOD 750 d", 200);
    client.expect("SITE CHMOD 4755 d", 501);
    client.expect("SITE CHMOD 640", 501);
    client.expect("SITE CHMOD 640 missing", 550);
}
