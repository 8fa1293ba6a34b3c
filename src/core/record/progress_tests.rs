//! Samples are few, in order, and survive a restart; the rate is that of the last minute.

use proptest::prelude::*;

use super::*;

fn ended(succeeded: u32, failed: u32) -> Counts {
    Counts { succeeded, failed, ..Counts::default() }
}

fn at(seconds: u32) -> Time {
    Time(1_700_000_000_000 + i64::from(seconds) * 1_000)
}

/// The samples of a status, as a reader of its description would take them apart.
fn read(shown: &Shown) -> Vec<(u32, u32, u32)> {
    let mut sum = (0, 0, 0);
    let samples = shown.samples.split(';').map(|sample| {
        let n: Vec<u32> = sample.split(',').map(|n| n.parse().unwrap()).collect();
        sum = (sum.0 + n[0], sum.1 + n[1], sum.2 + n[2]);
        sum
    });
    samples.collect()
}

#[test]
fn progress_is_a_curve_of_few_samples_with_a_stride_that_doubles() {
    let mut progress = Progress::default();
    assert_eq!(progress.to_status(at(0), ended(0, 0)), None);
    for second in 0..64 {
        progress.note(at(second), ended(second * 10, second));
    }
    let shown = progress.to_status(at(63), ended(630, 63)).unwrap();
    assert_eq!((shown.stride_seconds, read(&shown).len()), (1, 64));
    assert!(shown.samples.starts_with("0,0,0;1,11,1;1,11,1"), "{}", shown.samples);
    progress.note(at(64), ended(640, 64));
    let shown = progress.to_status(at(64), ended(640, 64)).unwrap();
    assert_eq!((shown.stride_seconds, read(&shown).len()), (2, 33));
    assert_eq!((read(&shown)[1], read(&shown)[32]), ((2, 22, 2), (64, 704, 64)));
    progress.note(at(65), ended(650, 64));
    assert_eq!(read(&progress.to_status(at(65), ended(650, 64)).unwrap()).len(), 33, "a second is less than a stride");
    progress.close(at(65), ended(650, 64));
    progress.close(at(65), ended(650, 64));
    let shown = progress.to_status(at(65), ended(650, 64)).unwrap();
    assert_eq!((read(&shown)[33], shown.items_per_minute), ((65, 714, 64), None), "an end is shown, and has no rate");
}

#[test]
fn the_rate_is_that_of_the_last_minute() {
    let mut progress = Progress::default();
    let mut rates = Vec::new();
    // A hundred a second for two minutes, then nothing.
    for second in 0..=300 {
        let counts = ended(second.min(120) * 100, 0);
        progress.note(at(second), counts);
        rates.push(progress.to_status(at(second), counts).unwrap().items_per_minute);
    }
    assert_eq!((rates[4], rates[5], rates[30], rates[120]), (None, Some(6_000), Some(6_000), Some(6_000)));
    assert!((2_700..=3_300).contains(&rates[150].unwrap()), "half of it: {:?}", rates[150]);
    assert_eq!((rates[190], rates[300]), (Some(0), Some(0)));
    assert!(progress.recent.len() <= 14, "{}", progress.recent.len());
}

#[test]
fn another_curve_begins_where_less_has_ended_than_before() {
    let mut progress = Progress::default();
    progress.note(at(0), ended(0, 0));
    progress.note(at(10), ended(8, 2));
    progress.note(at(20), ended(8, 0));
    let shown = progress.to_status(at(20), ended(8, 0)).unwrap();
    assert_eq!((shown.samples.as_str(), shown.start_time), ("0,8,0", Some(meta_time(at(20)))));
}

#[test]
fn unreadable_progress_starts_over() {
    let shown = |samples: &str| Shown {
        start_time: Some(meta_time(at(0))),
        samples: samples.to_owned(),
        stride_seconds: 1,
        ..Shown::default()
    };
    let good = Progress::from_status(Some(&shown("0,0,0;7,5,1")));
    assert_eq!(good.samples[1], Sample { time: at(7), ended: 5, failed: 1 });
    for samples in ["", "0", "0,0", "0,0,0;", "0,-1,0", "1,2,3,4", "0,4294967295,0;1,1,0", "x"] {
        assert_eq!(Progress::from_status(Some(&shown(samples))), Progress::default(), "{samples}");
    }
    assert_eq!(Progress::from_status(Some(&Shown { start_time: None, ..shown("0,0,0") })), Progress::default());
}

proptest! {
    #[test]
    fn samples_are_bounded_in_order_and_the_same_after_a_restart(
        steps in prop::collection::vec((0u32..100_000, 0u32..1_000, 0u32..3), 1..400), restart in 0usize..400,
    ) {
        let (mut progress, mut time, mut counts) = (Progress::default(), 0, ended(0, 0));
        for (place, (seconds, more, failed)) in steps.into_iter().enumerate() {
            time += seconds;
            counts = ended(counts.succeeded + more, counts.failed + failed);
            progress.note(at(time), counts);
            let shown = progress.to_status(at(time), counts).unwrap();
            prop_assert!(shown.samples.len() < 2_048, "{}", shown.samples.len());
            let samples = read(&shown);
            prop_assert!(samples.len() <= MAX_SAMPLES && samples.is_sorted());
            let gaps = samples.windows(2).all(|two| two[1].0 - two[0].0 >= u32::try_from(shown.stride_seconds).unwrap());
            prop_assert!(gaps, "{}", shown.samples);
            prop_assert!(samples.last().unwrap().1 <= counts.ended());
            if place == restart {
                progress = Progress::from_status(Some(&shown));
                prop_assert_eq!(&progress.to_status(at(time), counts).unwrap().samples, &shown.samples);
            }
        }
    }
}
