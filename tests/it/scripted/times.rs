//! Times that come out otherwise than they were sent.

use super::{Trial, all};
use crate::support::files;

#[test]
fn a_server_that_takes_utc_for_its_local_time_is_made_up_for() {
    // What is read back is an hour later than what was sent, until it is sent an hour earlier. The first answer is about a file that
    // has no time yet.
    let script = "on MDTM\n< 213 20240506070809\nnth 2 MDTM\n< 213 20240506080809";
    let trial = Trial::with(files! {}, script).having(files! {"a" => "1", "b" => "2", "c" => "3"});
    trial.push(&[]).expect_status(0);
    let transcript = trial.finish();
    let times: Vec<String> = transcript
        .sent(&["MFMT"])
        .iter()
        .map(|line| line.split(' ').nth(1).expect("a time").to_owned())
        .collect();
    let (utc, local) = ("20240506070809", "20240506060809");
    assert_eq!(times, [utc, local, local, local], "the second file is sent with the shift at once");
    assert_eq!(transcript.sent(&["MDTM"]).len(), 3, "what is known to be right is not asked again");
}

#[test]
fn a_server_whose_times_are_off_by_no_zone_is_not_corrected() {
    all(["20240506070812", "20240509070809", "19700101000000", "20240506070810"], |off| {
        let trial = Trial::with(files! {}, &format!("on MDTM\n< 213 {off}")).having(files! {"a" => "1"});
        trial.push(&[]).expect_status(0);
        let transcript = trial.finish();
        assert_eq!(transcript.sent(&["MFMT"]).len(), 1, "{off}");
        assert_eq!(transcript.tree(), "a = \"1\"\n");
    });
}

#[test]
fn a_time_that_cannot_be_set_or_read_back_fails_no_file() {
    all(
        [
            "on MFMT\n< 550 not yours",
            "on MFMT\n< 501 what time?",
            "on MFMT\n< 213",
            "on MDTM\n< 550 no",
            "on MDTM\n< 213 yesterday",
            "on MDTM\n< 213",
        ],
        |script| {
            let trial = Trial::with(files! {}, script).having(files! {"a" => "1", "b" => "2"});
            trial.push(&["--retries", "0"]).expect_status(0);
            let transcript = trial.finish();
            assert_eq!(
                (transcript.tree(), transcript.connections()),
                ("a = \"1\"\nb = \"2\"\n", 1),
                "{script}"
            );
        },
    );
}
