//! Fault runs with containers on a real node, which write down themselves when they start and when they are done.

use std::collections::BTreeMap;

use serde_json::json;

use crate::check::LookupKeys;
use crate::kubectl::real_task;
use crate::profile::Profile;
use crate::random::Random;
use crate::runs::{Run, TASK, to_the_end};

const ITEMS: u32 = 40;
const CONCURRENCY: usize = 6;
const RETRIES: u32 = 3;
const FAIL_EVERY: usize = 7;
const SEED: u64 = 7_001;

/// Says when it starts and when it is done; the first attempt at every seventh item fails.
const SCRIPT: &str = r#"
i=$MAPTASK_INDEX a=$MAPTASK_ATTEMPT
echo "$i $a start" >>/diary/diary
sleep 1
if [ "$a" = 1 ] && [ $((i % 7)) = 0 ]; then exit 3; fi
echo "$i $a done" >>/diary/diary
printf '{"index":%s,"attempt":%s}' "$i" "$a" >/dev/termination-log
"#;

#[test]
#[ignore = "needs a cluster of its own: make test-faults"]
fn containers_that_keep_a_diary_are_run_once_whatever_goes_wrong() {
    if crate::number("FAULT_SEED").is_some_and(|seed| seed != SEED) {
        return;
    }
    let mut random = Random::new(SEED);
    let mut profile = Profile::draw(&mut random);
    profile.refuse = 10;
    profile.lose = 8;
    profile.late = 3;
    profile.cut = 50;
    profile.kill_every = 5;
    profile.expire = 0;
    let mut task = real_task(
        TASK,
        &json!({ "items": { "count": ITEMS }, "concurrency": CONCURRENCY, "retries": RETRIES }),
        SCRIPT,
    );
    let diary = tempdir();
    let spec = &mut task["spec"]["template"]["spec"];
    spec["volumes"] = json!([{ "name": "diary", "hostPath": { "path": diary, "type": "Directory" } }]);
    spec["containers"][0]["volumeMounts"] = json!([{ "name": "diary", "mountPath": "/diary" }]);
    let wanted = LookupKeys { items: ITEMS, concurrency: CONCURRENCY, retries: RETRIES, fail_every: FAIL_EVERY };
    let mut run = Run::start("real", SEED, profile, &task, None);
    let result = to_the_end(&mut run, &wanted).and_then(|_| {
        let text = std::fs::read_to_string(format!("{diary}/diary")).map_err(|e| e.to_string())?;
        read(&text).map_err(|problem| format!("{problem}; the diary:\n{text}"))
    });
    println!("real: {}", run.finish(SEED, result).unwrap_or_else(|problem| panic!("{problem}")));
    let _ = std::fs::remove_dir_all(diary);
}

fn tempdir() -> String {
    let diary = format!("{}/diary-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    std::fs::create_dir_all(&diary).unwrap();
    diary
}

/// Each attempt that there must be was made once, in its turn, and nothing else.
fn read(diary: &str) -> Result<(), String> {
    let mut items: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for line in diary.lines() {
        let (index, what) = line.split_once(' ').ok_or_else(|| format!("strange line {line:?}"))?;
        items.entry(index.parse().map_err(|_| format!("strange line {line:?}"))?).or_default().push(what.to_owned());
    }
    for index in 0..ITEMS as usize {
        let expected: &[&str] =
            if index % FAIL_EVERY == 0 { &["1 start", "2 start", "2 done"] } else { &["1 start", "1 done"] };
        let lines = items.remove(&index).unwrap_or_default();
        if lines != expected {
            return Err(format!("item {index} did {lines:?}, and should {expected:?}"));
        }
    }
    if items.is_empty() { Ok(()) } else { Err(format!("items that are not in the list: {items:?}")) }
}
