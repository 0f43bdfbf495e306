use proptest::prelude::*;

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn offset(minutes: i64) -> Offset {
    Offset::from_minutes(minutes).unwrap()
}

/// What a listing in a zone so far from UTC tells of an instant.
fn listed(exact: DateTime<Utc>, ahead: TimeDelta, precision: Precision) -> Mtime {
    let (local, span) = ((exact + ahead).timestamp(), precision.span().num_seconds());
    let at = DateTime::from_timestamp(local.div_euclid(span) * span, 0).unwrap();
    Mtime { at, precision, zone: Zone::Unknown }
}

fn sample(exact: DateTime<Utc>, minutes: i64) -> Sample {
    let listed = listed(exact, TimeDelta::minutes(minutes), Precision::Minute);
    Sample { listed, exact: Mtime::exact(exact) }
}

/// New York's daylight saving of 2026.
fn new_york(at: DateTime<Utc>) -> i64 {
    let summer = self::at("2026-03-08T07:00:00Z")..=self::at("2026-11-01T06:00:00Z");
    if summer.contains(&at) { -240 } else { -300 }
}

#[test]
fn a_fixed_offset_is_learned_from_few_files() {
    for minutes in [330, -300, 0, 345, 840, -720] {
        let samples = ["2026-01-15T12:34:56Z", "2026-07-15T00:00:59Z", "2026-10-31T23:59:00Z"]
            .map(|text| sample(at(text), minutes));
        let clock = Clock::learn(&samples).unwrap();
        assert_eq!(clock.to_string(), format!("{}, seen on 3 files", offset(minutes)));
        for sample in samples {
            assert_eq!(clock.offset_at(&sample.listed), Some(offset(minutes)));
            assert!(sample.exact.gap(&clock.read(sample.listed)).is_zero());
        }
    }
}

#[test]
fn daylight_saving_counts_for_the_months_it_was_seen_in() {
    let samples = ["2026-01-15T12:34:56Z", "2026-05-15T12:34:56Z", "2026-08-15T12:34:56Z"]
        .map(|text| sample(at(text), new_york(at(text))));
    let clock = Clock::learn(&samples).unwrap();
    assert_eq!(clock.to_string(), "UTC-05:00 or UTC-04:00, seen on 3 files");
    for (day, minutes) in [
        ("2026-01-31", Some(-300)),
        ("2026-05-01", Some(-240)),
        // Between two that show the same.
        ("2026-06-30", Some(-240)),
        // Between two that don't, before the first and after the last.
        ("2026-03-20", None),
        ("2025-12-31", None),
        ("2026-09-01", None),
        ("2025-05-15", None),
    ] {
        let told = Mtime {
            precision: Precision::Minute,
            zone: Zone::Unknown,
            ..Mtime::exact(at(&format!("{day}T10:02:00Z")))
        };
        assert_eq!(clock.offset_at(&told), minutes.map(offset), "{day}");
    }
}

#[test]
fn a_month_in_which_the_offset_changes_shows_none() {
    let clock = Clock::learn(&[
        sample(at("2026-03-01T12:00:00Z"), -300),
        sample(at("2026-03-20T12:00:00Z"), -240),
        sample(at("2026-04-20T12:00:00Z"), -240),
    ]);
    let told = |text: &str| listed(at(text), TimeDelta::zero(), Precision::Minute);
    let clock = clock.unwrap();
    assert_eq!(clock.offset_at(&told("2026-03-10T12:00:00Z")), None);
    assert_eq!(clock.offset_at(&told("2026-04-10T12:00:00Z")), Some(offset(-240)));
}

#[test]
fn what_no_zone_explains_is_no_clock() {
    let good = sample(at("2026-01-15T12:34:56Z"), 60);
    let late = |minutes| Sample {
        listed: Mtime { at: good.listed.at + TimeDelta::minutes(minutes), ..good.listed },
        ..good
    };
    for bad in [late(1), late(-1), late(7), late(24 * 60), late(365 * 24 * 60), late(120), late(75)] {
        assert_eq!(Clock::learn(&[good, bad]), None, "{bad:?}");
    }
    assert_eq!(Clock::learn(&[]), None);
    let day = Sample { listed: listed(good.exact.at, TimeDelta::zero(), Precision::Day), ..good };
    assert_eq!(Clock::learn(&[day]), None, "a day shows no zone");
    assert_eq!(Clock::learn(&[good, day]), Clock::learn(&[good]));
}

#[test]
fn two_times_are_apart_only_if_no_season_and_no_year_explains_it() {
    let clock = Clock::learn(&[sample(at("2026-07-15T12:34:56Z"), -240)]).unwrap();
    let told = |precision| listed(at("2026-01-15T12:34:56Z"), TimeDelta::minutes(-300), precision);
    let apart =
        |listed: Mtime, other: &str| clock.tells_apart(&listed, &Mtime::exact(at(other)), TimeDelta::zero());
    let (minute, day) = (told(Precision::Minute), told(Precision::Day));
    for (other, minutes, days) in [
        ("2026-01-15T12:34:00Z", false, false),
        // The next minute, and that of the offset that was seen.
        ("2026-01-15T12:35:00Z", true, false),
        ("2026-01-15T11:34:30Z", false, false),
        ("2026-01-15T13:34:30Z", true, false),
        ("2026-01-15T10:34:30Z", false, false),
        ("2026-01-16T06:00:00Z", true, true),
        // A listing without a year may be of any; one that tells the day has it.
        ("2027-01-15T12:34:56Z", false, true),
        ("2019-01-15T12:34:56Z", false, true),
        ("2027-01-15T12:39:56Z", true, true),
    ] {
        assert_eq!((apart(minute, other), apart(day, other)), (minutes, days), "{other}");
    }
    let other = Mtime::exact(at("2026-01-15T12:35:09Z"));
    assert!(!clock.tells_apart(&minute, &other, TimeDelta::seconds(10)), "the window");
    let unknown = Mtime { zone: Zone::Unknown, ..Mtime::exact(at("2026-01-16T01:00:00Z")) };
    assert!(!clock.tells_apart(&minute, &unknown, TimeDelta::zero()), "nobody knows the zone of the other");
    assert!(!clock.tells_apart(&Mtime { zone: Zone::Utc, ..minute }, &other, TimeDelta::zero()));
}

#[test]
fn a_server_that_tells_exact_times_as_it_lists_them_is_found_out() {
    let (india, exact) = (offset(330), at("2026-07-15T12:34:56Z"));
    let of = |minutes, precision| Sample {
        listed: listed(exact, TimeDelta::minutes(minutes), precision),
        exact: Mtime::exact(exact),
    };
    let late = Sample { exact: Mtime::exact(at("2026-07-15T23:34:56Z")), ..of(0, Precision::Day) };
    for (samples, as_listed) in [
        (vec![], false),
        (vec![of(0, Precision::Minute)], true),
        (vec![of(330, Precision::Minute)], false),
        (vec![of(60, Precision::Minute)], false),
        (vec![of(0, Precision::Minute), of(330, Precision::Minute)], false),
        // Noon is of the same day in both; shortly before midnight it isn't.
        (vec![of(0, Precision::Day)], false),
        (vec![of(0, Precision::Day), late], true),
    ] {
        let others = vec![None; samples.len()];
        assert_eq!(tells_as_listed(&samples, &others, india), as_listed, "{samples:?}");
        assert!(!tells_as_listed(&samples, &others, Offset::default()));
    }
    // Where the listing leaves it open, a file that the other side has to the second tells.
    let day = [of(0, Precision::Day)];
    let other = |text: &str| [Some(Mtime::exact(at(text)))];
    assert!(tells_as_listed(&day, &other("2026-07-15T07:04:56Z"), india));
    assert!(!tells_as_listed(&day, &other("2026-07-15T12:34:56Z"), india));
    assert!(!tells_as_listed(&day, &other("2026-07-15T07:04:57Z"), india));
}

#[test]
fn samples_are_of_months_far_apart() {
    let file = |name: &str, mtime| Entry::file(RelPath::parse(name).unwrap(), 1, mtime);
    let told = |month: u32, day: u32, precision| {
        Some(listed(at(&format!("2026-{month:02}-{day:02}T12:00:00Z")), TimeDelta::zero(), precision))
    };
    let mut files = vec![
        file("untold", None),
        file("exact", Some(Mtime::exact(at("2026-01-01T00:00:00Z")))),
        Entry::new(RelPath::parse("dir").unwrap(), Kind::Dir),
    ];
    for month in 1..=9 {
        for day in 1..=9 {
            files.push(file(&format!("m{month}-{day}"), told(month, day, Precision::Minute)));
            files.push(file(&format!("d{month}-{day}"), told(month, day, Precision::Day)));
        }
    }
    let chosen =
        |files: &[Entry], most| samples(files, most).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(chosen(&files, 3), ["m9-1", "m1-1", "m5-1"]);
    assert_eq!(chosen(&files, 6).len(), 6);
    assert_eq!(chosen(&files[..5], 9), ["m1-1", "d1-1"], "days where there are no minutes");
    assert!(chosen(&files[..3], 9).is_empty());
    assert_eq!(chosen(&files, 1000).len(), 162);
}

prop_compose! {
    fn instant()(seconds in 1_500_000_000i64..1_900_000_000) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }
}

proptest! {
    #[test]
    fn a_fixed_zone_is_always_learned_and_reads_every_listing_right(
        quarters in -48i64..=56,
        exact in prop::collection::vec(instant(), 1..8),
        other in instant(),
    ) {
        let samples: Vec<_> = exact.iter().map(|&at| sample(at, quarters * 15)).collect();
        let clock = Clock::learn(&samples).unwrap();
        for precision in [Precision::Second, Precision::Minute, Precision::Day] {
            let told = listed(other, TimeDelta::minutes(quarters * 15), precision);
            prop_assert!(clock.read(told).gap(&Mtime::exact(other)).is_zero());
            // What is the same is never told apart, whatever the season.
            for saving in [-60, 0, 60] {
                let told = listed(other, TimeDelta::minutes(quarters * 15 + saving), precision);
                prop_assert!(!clock.tells_apart(&told, &Mtime::exact(other), TimeDelta::zero()));
            }
        }
    }

    #[test]
    fn with_daylight_saving_what_is_the_same_is_never_told_apart(
        exact in prop::collection::vec(instant(), 1..8),
        other in instant(),
    ) {
        let samples: Vec<_> = exact.iter().map(|&at| sample(at, new_york(at))).collect();
        let clock = Clock::learn(&samples).unwrap();
        for sample in &samples {
            let offset = clock.offset_at(&sample.listed);
            prop_assert!(offset.is_none_or(|offset| sample.fits(offset)));
        }
        let told = listed(other, TimeDelta::minutes(new_york(other)), Precision::Minute);
        prop_assert!(!clock.tells_apart(&told, &Mtime::exact(other), TimeDelta::zero()));
    }

    #[test]
    fn any_times_are_judged_without_panic(
        pairs in prop::collection::vec((any::<i64>(), any::<i64>(), 0usize..3), 0..6),
        most in 0usize..5,
    ) {
        let precisions = [Precision::Second, Precision::Minute, Precision::Day];
        let time = |seconds: i64, precision| {
            let at = DateTime::from_timestamp(seconds % 8_000_000_000_000, 0)?;
            Some(Mtime { at, precision, zone: Zone::Unknown })
        };
        let samples: Vec<_> = pairs
            .iter()
            .filter_map(|&(a, b, p)| Some(Sample { listed: time(a, precisions[p])?, exact: time(b, Precision::Second)? }))
            .collect();
        let others: Vec<_> = samples.iter().map(|sample| Some(sample.listed)).collect();
        let _ = tells_as_listed(&samples, &others, offset(330));
        if let Some(clock) = Clock::learn(&samples[..samples.len().min(1)]) {
            for sample in &samples {
                let _ = (clock.read(sample.listed), clock.offset_at(&sample.listed));
                let _ = clock.tells_apart(&sample.listed, &sample.exact, TimeDelta::zero());
            }
        }
        let files = samples.iter().enumerate().map(|(i, sample)| {
            Entry::file(RelPath::parse(format!("f{i}")).unwrap(), 1, Some(sample.listed))
        });
        prop_assert!(super::samples(files, most).len() <= most);
    }
}
