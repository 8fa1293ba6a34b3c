//! What goes in comes out, nothing else gets in, and the sizes are those of docs/architecture/phases.md.

use super::*;
use crate::core::ids::Attempt;
use crate::core::phases::{Attempts, Raises, Tries};
use proptest::prelude::*;

fn count(n: u64) -> ItemCount {
    ItemCount::new(n).unwrap()
}

fn phases(n: u32, mut phase_of: impl FnMut(u32) -> ItemPhase) -> Phases {
    let mut phases = Phases::new(count(u64::from(n)));
    (0..n).for_each(|i| assert!(phases.set(Index(i), phase_of(i)).is_some()));
    phases
}

/// Well-spread numbers from a fixed seed.
fn spread(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |below| {
        state = state.wrapping_add(1);
        crate::core::spec::retry::mix(state) % below
    }
}

fn worst(n: u32) -> Phases {
    let mut random = spread(1);
    phases(n, |_| ItemPhase::ALL[usize::try_from(random(6)).unwrap()])
}

fn best(n: u32) -> Phases {
    phases(n, |_| ItemPhase::Succeeded)
}

/// Half done in nearly sequential order, one of a hundred failed, 500 running.
fn typical(n: u32) -> Phases {
    let mut random = spread(2);
    phases(n, |i| {
        if i < n / 2 {
            if random(100) == 0 { ItemPhase::Failed } else { ItemPhase::Succeeded }
        } else if i < n / 2 + 500 && random(2) == 0 {
            ItemPhase::Running
        } else {
            ItemPhase::Pending
        }
    })
}

fn retried(n: u32, percent: u64) -> Attempts {
    let mut random = spread(3);
    let mut attempts = Attempts::default();
    for i in 0..n {
        if random(100) < percent {
            let own = u32::try_from(1 + random(3)).unwrap();
            let failure_groups = 1 << random(10).min(random(10));
            let tries = Tries { attempt: Attempt(1 + own), application: own, failure_groups, ..Tries::default() };
            attempts.set(Index(i), tries);
        }
    }
    attempts
}

/// The table of docs/architecture/phases.md: `cargo test --lib size_table -- --nocapture`.
#[test]
fn size_table() {
    println!("| items | all succeeded | half done, 1 % failed | random over all phases | 1 % retried | 10 % | 50 % |");
    for n in [1_000, 10_000, 100_000, 1_000_000] {
        let phases = [best(n), typical(n), worst(n)].map(|p| p.encode().len());
        let attempts = [1, 10, 50].map(|percent| retried(n, percent).encode(count(u64::from(n))).len());
        println!(
            "| {n} | {} | {} | {} | {} | {} | {} |",
            phases[0], phases[1], phases[2], attempts[0], attempts[1], attempts[2]
        );
        if n >= 100_000 {
            assert!(phases[2] * 2 <= n as usize, "{} bytes for {n} items is over half a byte an item", phases[2]);
        }
    }
}

#[test]
fn the_worked_examples_of_the_documentation_are_what_is_written() {
    let page = include_str!("../../../docs/architecture/phases.md");
    let rows: Vec<(&str, &str)> =
        page.lines().filter_map(|line| line.strip_prefix("| `AQ")?.strip_suffix('|')?.split_once("` |")).collect();
    assert_eq!(rows.len(), 3);
    for (text, numbers) in rows {
        let numbers: Vec<usize> = numbers.split_whitespace().map(|number| number.parse().unwrap()).collect();
        let phases = phases(u32::try_from(numbers.len()).unwrap(), |i| ItemPhase::ALL[numbers[i as usize]]);
        assert_eq!(phases.encode(), format!("AQ{text}"));
        assert_eq!(Phases::decode(&format!("AQ{text}"), phases.count()), Ok(phases));
    }
}

#[test]
fn large_phases_and_attempts_come_back() {
    for phases in [best(1_000_000), typical(100_000), worst(100_001)] {
        assert_eq!(Phases::decode(&phases.encode(), phases.count()), Ok(phases));
    }
    let attempts = retried(1_000_000, 5);
    assert_eq!(Attempts::decode(&attempts.encode(count(1_000_000)), count(1_000_000), Attempt::FIRST), Ok(attempts));
    let mut attempts = retried(1_000_000, 50);
    let text = attempts.encode(count(1_000_000));
    attempts.forget_failure_groups();
    assert_eq!(text, attempts.encode(count(1_000_000)), "the groups of this many items are not recorded");
    assert_eq!(Attempts::decode(&attempts.encode(count(1_000_000)), count(1_000_000), Attempt::FIRST), Ok(attempts));
}

#[test]
fn a_bomb_is_refused_before_it_goes_off() {
    let bomb = envelope(DEFLATED, count(1_000_000), &deflate(&vec![0; 100_000_000]));
    let error = Phases::decode(&bomb, count(1_000_000)).unwrap_err();
    assert_eq!(error, DecodeError::Length { found: 375_001, expected: 375_000 });
    assert!(Attempts::decode(&bomb, count(1_000_000), Attempt::FIRST).is_err());
}

#[test]
fn each_kind_of_damage_has_its_error() {
    let ten = count(10);
    let decode = |form, body: &[u8]| Phases::decode(&envelope(form, ten, body), ten).unwrap_err();
    assert_eq!(Phases::decode("!", ten), Err(DecodeError::Base64));
    assert_eq!(Phases::decode("AQ==", ten), Err(DecodeError::NoHeader(1)));
    assert_eq!(Phases::decode(&STANDARD.encode([9; 10]), ten), Err(DecodeError::Version(9)));
    let other = Phases::new(count(11)).encode();
    assert_eq!(Phases::decode(&other, ten), Err(DecodeError::Count { found: 11, expected: 10 }));
    assert_eq!(decode(7, &[]), DecodeError::Form(7));
    assert_eq!(decode(PLAIN, &[0; 5]), DecodeError::Length { found: 5, expected: 6 });
    assert_eq!(decode(PLAIN, &[0, 0, 1, 0, 1, 0]), DecodeError::NoPhase(0), "bits 6");
    assert_eq!(decode(PLAIN, &[0, 4, 0, 0, 0, 0]), DecodeError::NoPhase(10), "an eleventh item");
    assert_eq!(decode(PACKED, &[216, 0, 0, 0]), DecodeError::NoPhase(0));
    assert_eq!(decode(PACKED, &[0, 0, 0, 6]), DecodeError::NoPhase(10));
    assert_eq!(decode(DEFLATED, &[0xff]), DecodeError::Inflate);
    let mut trailing = deflate(&[0; 6]);
    trailing.push(0);
    assert!(Phases::decode(&envelope(DEFLATED, count(60), &trailing), count(60)).is_err());
    assert!(matches!(Phases::decode(&worst(1000).encode(), ten), Err(DecodeError::Length { .. })));
}

#[test]
fn the_shortest_form_is_written() {
    let form = |phases: &Phases| STANDARD.decode(phases.encode()).unwrap()[1];
    let body = |phases: &Phases| STANDARD.decode(phases.encode()).unwrap().len() - HEADER;
    for (phases, shortest, bytes) in [
        (best(1_000), DEFLATED, deflate(&best(1_000).plane_bytes()).len()),
        (worst(6), PACKED, 2),
        (worst(8), PLAIN, 3),
        (worst(16), PLAIN, 6),
        (worst(1_000), PACKED, 334),
        // Of forms that are as short as each other the deflated one.
        (phases(16, |i| if i == 8 { ItemPhase::Cached } else { ItemPhase::Pending }), DEFLATED, 6),
    ] {
        assert_eq!((form(&phases), body(&phases)), (shortest, bytes), "{} items", phases.count().get());
    }
}

#[test]
fn a_text_is_read_up_to_the_length_that_it_can_have_and_no_further() {
    let text = |length: usize| "A".repeat(length);
    let (ten, one) = (count(10), count(1));
    assert_eq!(Phases::decode(&text(24), ten), Err(DecodeError::Version(0)));
    assert_eq!(Phases::decode(&text(28), ten), Err(DecodeError::Length { found: 9, expected: 6 }));
    // The most of one entry, 35 bytes, and 64 for what DEFLATE adds.
    assert_eq!(Attempts::decode(&text(148), one, Attempt::FIRST), Err(DecodeError::Version(0)));
    assert_eq!(
        Attempts::decode(&text(152), one, Attempt::FIRST),
        Err(DecodeError::Length { found: 102, expected: 99 })
    );
}

#[test]
fn bits_that_are_no_phase_are_told_with_their_item() {
    let hundred = count(100);
    let mut planes = [0; 39];
    // Item 70 is bit 6 of byte 8 in each of three planes of 13 bytes.
    (planes[13 + 8], planes[26 + 8]) = (1 << 6, 1 << 6);
    assert_eq!(Phases::decode(&envelope(PLAIN, hundred, &planes), hundred), Err(DecodeError::NoPhase(70)));
}

#[test]
fn there_are_as_many_attempts_as_items_at_most() {
    let entries = |number: u8| {
        let columns = [0, 1, 0, 0, 0, 0].map(|byte| vec![byte; usize::from(number)]).concat();
        Attempts::decode(
            &envelope(1, count(10), &[&[number], deflate(&columns).as_slice()].concat()),
            count(10),
            Attempt::FIRST,
        )
    };
    assert_eq!(entries(0), Err(DecodeError::Entry(0)), "nothing to tell is an empty text");
    assert_eq!(entries(10).map(|attempts| attempts.count()), Ok(10));
    assert_eq!(entries(11), Err(DecodeError::Entry(0)));
}

#[test]
fn attempts_out_of_range_are_refused() {
    let encode = |index| {
        let mut attempts = Attempts::default();
        attempts.set(Index(index), Tries { attempt: Attempt(2), application: 1, ..Tries::default() });
        attempts.encode(count(10))
    };
    assert!(Attempts::decode(&encode(9), count(10), Attempt::FIRST).is_ok());
    assert_eq!(Attempts::decode(&encode(10), count(10), Attempt::FIRST), Err(DecodeError::Entry(0)));
    assert_eq!(Attempts::default().encode(count(10)), "");
    let columns = |columns: &[u8]| {
        Attempts::decode(
            &envelope(1, count(10), &[&[1], deflate(columns).as_slice()].concat()),
            count(10),
            Attempt::FIRST,
        )
    };
    assert!(columns(&[3, 1, 0, 0, 0, 0]).is_ok());
    assert_eq!(columns(&[3, 0, 0, 0, 0, 0]), Err(DecodeError::Entry(0)), "a first attempt is not stored");
    assert_eq!(columns(&[3, 1, 0, 0, 0]), Err(DecodeError::Entry(0)), "a column is missing");
    assert!(matches!(columns(&[3, 1, 0, 0, 0, 0, 0]), Err(DecodeError::Length { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn phases_come_back(numbers in prop::collection::vec(0usize..6, 0..2_000)) {
        let phases = phases(u32::try_from(numbers.len()).unwrap(), |i| ItemPhase::ALL[numbers[i as usize]]);
        prop_assert_eq!(Phases::decode(&phases.encode(), phases.count()), Ok(phases));
    }

    #[test]
    fn attempts_come_back(entries in prop::collection::btree_map(0u32..5_000, (0u32..20, 0u32..1_001, 0u32..12, prop::collection::vec(0usize..8, 0..9), 0u32..1_024), 0..200)) {
        let mut attempts = Attempts::default();
        for (index, (free, own, infrastructure, raises, failure_groups)) in entries {
            let memory_raises = raises.iter().fold(Raises::NONE, |all, slot| all.raised(*slot));
            let attempt = Attempt(1 + free + own + infrastructure);
            prop_assume!(attempt > Attempt::FIRST || memory_raises.is_none() && failure_groups == 0);
            attempts.set(Index(index), Tries { attempt, application: own, infrastructure, memory_raises, failure_groups });
        }
        prop_assert_eq!(Attempts::decode(&attempts.encode(count(5_000)), count(5_000), Attempt::FIRST), Ok(attempts));
    }

    #[test]
    fn no_text_breaks_it(text in ".{0,300}", n in 0u64..3_000) {
        let _ = Phases::decode(&text, count(n));
        let _ = Attempts::decode(&text, count(n), Attempt::FIRST);
    }

    #[test]
    fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..300), form in 0u8..4, n in 0u64..3_000) {
        let text = envelope(form, count(n), &bytes);
        if let Ok(phases) = Phases::decode(&text, count(n)) {
            prop_assert_eq!(u64::from(phases.counts().total()), n);
        }
        let _ = Attempts::decode(&text, count(n), Attempt::FIRST);
    }

    #[test]
    fn a_change_in_one_place_is_an_error(n in 1u32..500, place in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let good = worst(n).encode();
        let mut bytes = STANDARD.decode(&good).unwrap();
        let at = place.index(bytes.len());
        prop_assume!(cut || bytes[at] != byte);
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        prop_assert!(Phases::decode(&STANDARD.encode(bytes), count(u64::from(n))).is_err());
    }
}
