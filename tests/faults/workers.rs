//! Fault runs with workers: real worker programs, which are killed too, speak to the operators over a network that
//! breaks.
//!
//! What the witness can't see in pods, programs write down: each of them when it begins and when it ends.

use std::collections::{BTreeMap, BTreeSet};

use maptask::core::ids::Index;
use maptask::core::phases::{ItemPhase, Tries};
use serde_json::{Value, json};

use crate::check::{LookupKeys, Problem, counts_add_up, decode, problem, successes};
use crate::cluster::Disturbance;
use crate::kubelet::{TAINT, WorkerEnd};
use crate::profile::Profile;
use crate::random::Random;
use crate::runs::{Run, TASK};
use crate::witness::Log;

const CONCURRENCY: usize = 8;
/// A worker that is killed while one item runs costs that item one of these.
const RETRIES: u32 = 20;

/// A program says what it does in one line each time, which no other line can break.
const SCRIPT: &str = r#"
say() { echo "$MAPTASK_INDEX $MAPTASK_ATTEMPT $POD $1 $(date +%s%N)" >>"$DIARY"; }
trap 'say stopped; exit 143' TERM
say start
sleep 0.$((MAPTASK_INDEX * 37 % 40 + 10))
if [ "$MAPTASK_ATTEMPT" = 1 ] && [ $((MAPTASK_INDEX % FAIL_EVERY)) = 0 ]; then say failed; exit 3; fi
printf '{"index":%s,"attempt":%s}' "$MAPTASK_INDEX" "$MAPTASK_ATTEMPT" >"$MAPTASK_RESULT"
say done
"#;

/// How a program ended, by its own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Done,
    Failed,
    Stopped,
    /// It said nothing: its worker was killed.
    Killed,
}

/// One program, from its begin to its end in nanoseconds since 1970.
#[derive(Clone, Debug)]
struct Program {
    index: u32,
    attempt: u32,
    pod: String,
    start: u128,
    end: Option<(End, u128)>,
    /// Its worker ended by itself, which it does once its reports are acknowledged.
    reported: bool,
}

/// A run under this seed; its summary.
pub fn run(seed: u64) -> Result<String, String> {
    let profile = Profile::draw(&mut Random::new(seed));
    let slots = [1, 2, 4][Random::new(seed.wrapping_mul(8) + 5).below(3)];
    let disturbance = (seed % 16 == 11).then_some(Disturbance::RestartApiServer);
    let script = SCRIPT.replace("FAIL_EVERY", &profile.fail_every.to_string());
    let task = json!({
        "apiVersion": "maptask.dev/v1alpha1",
        "kind": "MapTask",
        "metadata": { "name": TASK },
        "spec": {
            "items": { "count": profile.items },
            "concurrency": CONCURRENCY,
            "workers": { "slots": slots, "idleSeconds": 3 },
            "retries": RETRIES,
            "retryPolicy": { "backoffSeconds": 0, "infrastructureRetries": 50 },
            "template": { "spec": {
                "terminationGracePeriodSeconds": 5,
                "tolerations": [{ "key": TAINT, "operator": "Exists" }],
                "containers": [{ "name": "main", "image": "fake", "command": ["sh", "-c", script] }],
            } },
        },
    });
    let fail_every = profile.fail_every;
    let wanted = LookupKeys { items: profile.items, concurrency: CONCURRENCY, retries: RETRIES, fail_every };
    let mut run = Run::start("workers", seed, profile, &task, disturbance);
    let result = to_the_end(&mut run, &wanted);
    run.finish(seed, result)
}

fn to_the_end(run: &mut Run, wanted: &LookupKeys) -> Result<(), String> {
    let results = run.wait_for_end()?;
    run.delete()?;
    let diary = std::fs::read_to_string(run.folder.join("diary")).map_err(|error| error.to_string())?;
    let ends = run.kubelet.as_ref().expect("a run with workers has a kubelet").ends();
    let programs = read(&diary, &ends)?;
    let log = run.witness.log();
    check(&log, wanted, &programs, ends.len(), &results).map_err(|problem| {
        let of_item = programs.iter().filter(|program| problem.item() == Some(program.index));
        format!("{}\n  {:?}", problem.emit(&log), of_item.collect::<Vec<_>>())
    })
}

/// The programs of a diary. What has not said its end ended with its pod.
fn read(diary: &str, ends: &BTreeMap<String, WorkerEnd>) -> Result<Vec<Program>, String> {
    let mut programs: Vec<Program> = Vec::new();
    for line in diary.lines() {
        let strange = || format!("strange line {line:?}");
        let [index, attempt, pod, what, at] = line.split(' ').collect::<Vec<_>>()[..] else { return Err(strange()) };
        let (index, attempt) = (index.parse().map_err(|_| strange())?, attempt.parse().map_err(|_| strange())?);
        let at = at.parse().map_err(|_| strange())?;
        let end = match what {
            "start" => {
                programs.push(Program { index, attempt, pod: pod.to_owned(), start: at, end: None, reported: false });
                continue;
            }
            "done" => End::Done,
            "failed" => End::Failed,
            _ => End::Stopped,
        };
        let is_it = |p: &&mut Program| p.index == index && p.attempt == attempt && p.pod == pod && p.end.is_none();
        programs.iter_mut().rfind(is_it).ok_or_else(strange)?.end = Some((end, at));
    }
    for program in programs.iter_mut().filter(|program| program.end.is_none()) {
        let end = ends.get(&program.pod).ok_or_else(|| format!("{program:?} has not ended, nor has its pod"))?;
        program.end = Some((End::Killed, end.at));
    }
    for program in &mut programs {
        program.reported = ends.get(&program.pod).is_some_and(|end| end.code == 0);
    }
    programs.sort_by_key(|program| (program.index, program.start));
    Ok(programs)
}

fn check(
    log: &Log,
    wanted: &LookupKeys,
    programs: &[Program],
    ended_pods: usize,
    results: &[Value],
) -> Result<(), Problem> {
    let last = log.tasks.iter().rfind(|task| !task.gone).expect("the task was seen");
    let Some((phases, attempts)) = decode(&last.status) else {
        return problem(None, format!("no record: {:?}", last.status));
    };
    counts_add_up(&last.status, &phases, wanted)?;
    successes(log)?;
    one_at_a_time(log, programs)?;
    if results.len() != wanted.items as usize {
        return problem(None, format!("{} results of {} items", results.len(), wanted.items));
    }
    for index in 0..wanted.items {
        let of_item: Vec<&Program> = programs.iter().filter(|program| program.index == index).collect();
        let result = &results[index as usize];
        let said = |program: &Program| {
            matches!(program.end, Some((End::Done, _)))
                && *result == json!({ "index": index, "attempt": program.attempt })
        };
        if !of_item.iter().copied().any(said) {
            return problem(index, format!("the result of item {index} is {result}, and no program of it said so"));
        }
        charged_for_what_ran(index, attempts.get(Index(index)), &of_item, ended_pods)?;
    }
    worker_pods(log)
}

/// Each program but the one that succeeded costs its item one attempt at most, and a failure that was reported costs
/// one. A program that was killed before it could say that it had begun is known only by its pod's end.
fn charged_for_what_ran(index: u32, tries: Tries, programs: &[&Program], ended_pods: usize) -> Result<(), Problem> {
    let attempts: BTreeSet<u32> = programs.iter().map(|program| program.attempt).collect();
    let has_failed = |program: &&&Program| matches!(program.end, Some((End::Failed, _))) && program.reported;
    let failed = programs.iter().filter(has_failed).count();
    let charged = (tries.application + tries.infrastructure) as usize;
    // What ended, and whose worker died with the report, runs again under its number.
    let least = if attempts.len() == programs.len() { failed } else { 0 };
    if charged < least || charged > programs.len() - 1 + ended_pods {
        let ran = programs.len();
        return problem(
            index,
            format!("item {index} is recorded with {tries:?}, {ran} programs ran and {failed} failed"),
        );
    }
    Ok(())
}

/// No item in two workers at once, and nothing after its success was recorded and seen.
fn one_at_a_time(log: &Log, programs: &[Program]) -> Result<(), Problem> {
    for pair in programs.windows(2).filter(|pair| pair[0].index == pair[1].index) {
        if pair[0].end.is_none_or(|(_, end)| end > pair[1].start) {
            return problem(pair[1].index, format!("item {} ran twice at once", pair[1].index));
        }
    }
    let mut recorded: BTreeMap<u32, u128> = BTreeMap::new();
    for task in &log.tasks {
        let Some((phases, _)) = decode(&task.status) else { continue };
        for index in phases.iter_in(ItemPhase::Succeeded) {
            recorded.entry(index.0).or_insert(task.seen);
        }
    }
    let late = |program: &&Program| recorded.get(&program.index).is_some_and(|seen| program.start > *seen);
    match programs.iter().find(late) {
        Some(program) => problem(program.index, format!("{program:?} began after its item's success was recorded")),
        None => Ok(()),
    }
}

/// Each worker pod is made once, and none after the end.
fn worker_pods(log: &Log) -> Result<(), Problem> {
    let ended = log.tasks.iter().find(|task| task.status.phase.is_some_and(maptask::api::TaskPhase::is_terminal));
    let ended = ended.map_or(u64::MAX, |task| task.version);
    let mut made: BTreeMap<&str, &str> = BTreeMap::new();
    for pod in &log.workers {
        if made.insert(&pod.name, &pod.uid).is_some_and(|uid| uid != pod.uid) {
            return problem(None, format!("{} was made twice", pod.name));
        }
        if pod.change == crate::witness::Change::Added && pod.version > ended {
            return problem(None, format!("{} was made at {}, after the end at {ended}", pod.name, pod.version));
        }
    }
    if made.is_empty() { problem(None, "no worker was seen".to_owned()) } else { Ok(()) }
}
