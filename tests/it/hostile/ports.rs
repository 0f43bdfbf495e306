//! Data connections that a server wants elsewhere, and strangers at ours.

use std::net::TcpListener;

use super::{TWO_FILES, Trial, all, files, two_files};

#[test]
fn d2_16_an_address_in_a_reply_is_not_connected_to() {
    // 127.0.0.3 is an address of this machine where somebody listens, and must hear nobody.
    let elsewhere = TcpListener::bind(("127.0.0.3", 0)).expect("all of 127/8 is loopback");
    elsewhere.set_nonblocking(true).expect("it can be");
    let [high, low] = elsewhere.local_addr().expect("it is bound").port().to_be_bytes();
    let there = format!("on EPSV\n< 500 no\non PASV\n< 227 ok (127,0,0,3,{high},{low})");
    let trial = Trial::with(two_files(), &there);
    trial.pull(&["--retries", "0", "--connect-timeout", "300ms"]).expect_status(4);
    assert!(elsewhere.accept().is_err(), "somebody connected");
    trial.finish();
    let [high, low] = [u16::from(high), u16::from(low)];
    let port = high << 8 | low;
    for address in ["127.0.0.3", "::ffff:127.0.0.3"] {
        let trial =
            Trial::with(two_files(), &format!("on EPSV\n< 229 ok (|1|{address}|{port}|)\non PASV\n< 500 no"));
        trial.pull(&["--retries", "0", "--connect-timeout", "300ms"]).expect_status(4);
        trial.finish();
    }
    assert!(elsewhere.accept().is_err(), "somebody connected");
    // The port alone counts, whatever stands before it.
    all(["10,0,0,1", "127,0,0,1", "8,8,8,8", "0,0,0,0", "255,255,255,255", "169,254,169,254"], |address| {
        let trial = Trial::with(
            two_files(),
            &format!("on EPSV\n< 500 no\non PASV\n< 227 ok ({address},{{p1}},{{p2}})"),
        );
        trial.pull(&["--retries", "0"]).expect_status(0);
        assert_eq!(trial.local(), TWO_FILES, "{address}");
        trial.finish();
    });
}

#[test]
fn d2_17_a_port_that_is_none_is_an_error_and_pasv_is_tried_once() {
    let ports = [
        "0",
        "65536",
        "70000",
        "-1",
        "",
        "99999999999999999999",
        "1",
        "22",
        "80",
        "1023",
        "6446x",
        " 6446",
        "0x1000",
    ];
    all(ports, |port| {
        eprintln!("{port}");
        // Behind EPSV, PASV is tried, and then not EPSV again.
        let trial = Trial::with(two_files(), &format!("on EPSV\n< 229 ok (|||{port}|)"));
        trial.pull(&["--retries", "0"]).expect_status(0);
        assert_eq!(trial.local(), TWO_FILES, "{port}");
        assert_eq!(trial.finish().sent(&["EPSV"]).len(), 1, "{port}");
        // And neither: an error, and no panic.
        let script = format!("on EPSV\n< 229 ok (|||{port}|)\non PASV\n< 227 ok (127,0,0,1,0,{port})");
        let trial = Trial::with(two_files(), &script);
        let output = trial.pull(&["--retries", "0"]).expect_status(4);
        output.tells(&["names no usable port"]);
        assert!(!output.stderr.contains("panicked"), "{output}");
        trial.finish();
    });
    all(
        ["256,1", "1,256", "4,", ",4", "-1,1", "4", "", "4,1,1", "99999999999,1", "0,0", "3,255"],
        |numbers| {
            let trial = Trial::with(
                two_files(),
                &format!("on EPSV\n< 500 no\non PASV\n< 227 ok (127,0,0,1,{numbers})"),
            );
            trial.pull(&["--retries", "0"]).expect_status(4).tells(&["names no usable port"]);
            trial.finish();
        },
    );
}

#[test]
fn d2_22_in_active_mode_a_stranger_is_sent_away_and_the_server_waited_for() {
    // A listing that would have everything deleted, and a file of the right size.
    let evil = "on MLSD\n< 150 here\ndata stranger \"type=file;size=12;modify=20240506070809; evil\\r\\n\"\n\
                data stranger \"\"\nnormally\n\
                on RETR\n< 150 here\ndata stranger \"evil content\"\ndata stranger \"\"\nnormally";
    let trial = Trial::with(two_files(), evil).having(files! {"extra" => "goes"});
    trial.pull(&["--active", "--delete", "--max-delete", "1"]).expect_status(0);
    assert_eq!(trial.local(), TWO_FILES);
    trial.finish();
    // What is sent is not for them.
    let trial =
        Trial::with(files! {}, "on STOR\n< 150 go on\ndata stranger \"\"\nnormally").having(two_files());
    trial.push(&["--active"]).expect_status(0);
    assert_eq!(trial.finish().tree(), TWO_FILES);
    // Without the server there is no transfer, however many strangers come.
    let script = "on MLSD\n< 150 here\ndata stranger \"type=file;size=1; evil\\r\\n\"\ndata stranger \"x\"\n< 226 done";
    let trial = Trial::with(two_files(), script);
    let run = trial.pull(&["--active", "--retries", "0", "--connect-timeout", "300ms"]);
    run.expect_status(4).tells(&["active mode"]);
    assert_eq!(trial.local(), "");
    trial.finish();
}

/// Who takes the data connection of a download leaves nothing for its rightful end.
#[test]
fn d2_22b_a_download_that_somebody_else_got_is_done_again() {
    for once in ["once RETR\n< 150 here\ndata close\n< 226 done", "once RETR\ndata close\n< 226 done"] {
        let trial = Trial::with(two_files(), once);
        trial.pull(&["--retries", "1"]).expect_status(0);
        assert_eq!(trial.local(), TWO_FILES);
        trial.finish();
    }
    let trial = Trial::with(two_files(), "on RETR\n< 150 here\ndata close\n< 226 done")
        .having(files! {"a.txt" => "old"});
    trial.pull(&["--retries", "1"]).expect_status(3).tells(&["0 bytes arrived where 12 were expected"]);
    assert_eq!(trial.local(), "a.txt = \"old\"\n");
    trial.finish();
}

/// Nor does a listing: where the server's own line is in every other one, an empty one is none.
#[test]
fn d2_22b_a_listing_that_somebody_else_got_empties_no_directory() {
    let script = "on MLSD /\n< 150 here\n\
                  data send \"type=cdir; /\\r\\ntype=dir; sub\\r\\ntype=dir; void\\r\\n\"\ndata close\n< 226 done\n\
                  on MLSD /sub\n< 150 here\ndata close\n< 226 done\n\
                  on MLSD /void\n< 150 here\ndata send \"type=cdir; /void\\r\\n\"\ndata close\n< 226 done";
    let trial = Trial::with(files! {"sub/a" => "1", "void/"}, script)
        .having(files! {"sub/a" => "stays", "sub/b" => "stays", "void/x" => "goes"});
    let output = trial.pull(&["--delete", "--max-delete", "100%"]).expect_status(3);
    output.tells(&["the listing of `sub`", "not even the directory itself"]);
    assert_eq!(trial.local(), "sub/\nsub/a = \"stays\"\nsub/b = \"stays\"\nvoid/\n");
    trial.finish();
}
