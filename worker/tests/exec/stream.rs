//! Stream mode: a program starts once and answers line by line.

use std::time::Duration;

use maptask_exchange::{Answer, Artifacts, AttemptId, Config, Mode, Outcome};
use nix::sys::signal::Signal;

use crate::fake::{Leader, SUCCEEDED, Worker, config, grants, succeeded};

/// Reads an item a line, sets `i` to its index, and does what is given.
fn program(body: &str) -> String {
    let read = r#"while IFS= read -r line; do i=${line#*:}; i=${i%%,*}"#;
    format!("echo start >> \"$DIR/starts\"\n{read}\n{body}\ndone\necho end >> \"$DIR/ends\"").replace("$$", "$$$$")
}

fn stream(leader: &Leader, pipeline: u32) -> Config {
    Config { mode: Mode::Stream { pipeline }, ..config(&leader.url) }
}

fn start(config: &Config, body: &str) -> Worker {
    Worker::start(config, &["sh", "-c", &program(body)])
}

fn failed(exit_code: i32, message: &str) -> Outcome {
    Outcome::Failed { exit_code, message: message.to_owned() }
}

#[tokio::test]
async fn a_program_starts_once_and_answers_on_stdout_or_on_descriptor_3() {
    for to in ["", ">&3"] {
        let mut leader = Leader::start().await;
        let body =
            format!(r#"echo "log $i"; echo "{{\"index\":$i,\"result\":\"$line\"}}" | sed 's/"{{/{{/; s/}}"/}}/' {to}"#);
        let mut worker = start(&stream(&leader, 1), &body);
        let ends = leader.run(grants(20), 1, 5).await;
        for end in ends {
            let expected = succeeded(&format!(r#"{{"index":{0},"attempt":1,"item":{0}}}"#, end.id.0));
            assert_eq!(end.outcome, expected);
        }
        assert!(worker.end().await.success());
        assert_eq!((worker.text("starts"), worker.text("ends")), ("start\n".to_owned(), "end\n".to_owned()));
        assert!(worker.text("out").contains("[7] log 7\n"), "{}", worker.text("out"));
    }
}

#[tokio::test]
async fn stray_lines_go_to_the_log_and_an_answer_after_an_unterminated_one_is_found() {
    let mut leader = Leader::start().await;
    let mut worker =
        start(&stream(&leader, 1), r#"printf 'loading... {"index":%s,"result":1}\n' $i; echo '{"index":true}'"#);
    let ends = leader.run(grants(5), 1, 0).await;
    assert!(ends.iter().all(|end| end.outcome == succeeded("1")), "{ends:?}");
    assert!(worker.end().await.success());
    assert!(worker.text("out").contains("[0] loading... \n"), "{}", worker.text("out"));
    assert!(worker.text("out").contains("{\"index\":true}\n"));
}

#[tokio::test]
async fn answers_twice_or_for_items_that_are_not_held_are_ignored() {
    let mut leader = Leader::start().await;
    let body = r#"echo '{"index":99,"result":1}'; for n in 1 2; do echo "{\"index\":$i,\"result\":$n}"; done"#;
    let mut worker = start(&stream(&leader, 4), body);
    let ends = leader.run(grants(10), 1, 5).await;
    assert!(ends.iter().all(|end| end.outcome == succeeded("1")), "{ends:?}");
    assert!(worker.end().await.success());
    assert!(worker.text("err").contains("an answer for item 99, which the program does not hold, is ignored"));
}

#[tokio::test]
async fn garbage_fails_its_item_with_what_was_wrong_and_the_stream_goes_on() {
    let mut leader = Leader::start().await;
    let body = r#"if [ $i = 1 ]; then echo '{"index":1,"reslt":5}' >&3; else echo garbage >&3; echo "{\"index\":$i,\"result\":null}" >&3; fi"#;
    let worker = start(&stream(&leader, 1), body);
    let ends = leader.run(grants(3), 1, 0).await;
    assert_eq!((&ends[0].outcome, &ends[2].outcome), (&SUCCEEDED, &SUCCEEDED));
    let Outcome::Failed { exit_code: 1, message } = &ends[1].outcome else { panic!("{ends:?}") };
    assert!(message.contains("reslt"), "{message}");
    assert_eq!(worker.text("starts"), "start\n");
}

#[tokio::test]
async fn a_program_that_dies_fails_its_only_line_and_is_started_again() {
    let mut leader = Leader::start().await;
    let body = r#"case $i in
        1) echo boom >&2; exit 3 ;;
        2) exit 0 ;;
        *) echo "{\"index\":$i,\"result\":$i}" ;;
        esac"#;
    let worker = start(&stream(&leader, 1), body);
    let ends = leader.run(grants(4), 1, 5).await;
    assert_eq!(ends[0].outcome, succeeded("0"));
    assert_eq!(ends[1].outcome, failed(3, "boom\n"));
    assert_eq!(ends[2].outcome, failed(1, "the program ended with exit code 0 and without an answer\n"));
    assert_eq!(ends[3].outcome, succeeded("3"));
    assert_eq!(worker.text("starts"), "start\n".repeat(3));
}

#[tokio::test]
async fn a_program_that_dies_with_several_lines_makes_suspects_of_them() {
    let mut leader = Leader::start().await;
    // It answers 0, and dies when it has read three more.
    let body = r#"case $i in 0) echo '{"index":0,"result":0}' ;; 3) echo boom >&2; kill -9 $$ ;; esac"#;
    let _worker = start(&stream(&leader, 4), body);
    leader.call().await.grant(grants(4));
    let call = loop {
        let call = leader.ends().await;
        if call.request.ended.len() == 4 {
            break call;
        }
    };
    assert_eq!(call.request.ended[0].outcome, succeeded("0"));
    for end in &call.request.ended[1..] {
        assert_eq!(end.outcome, Outcome::Suspect { exit_code: 137, message: "boom\n".to_owned() });
    }
}

#[tokio::test]
async fn as_many_lines_as_the_pipeline_has_are_unanswered_at_once() {
    let mut leader = Leader::start().await;
    let worker = start(&stream(&leader, 3), r#"echo $i >> "$DIR/read""#);
    leader.call().await.grant(grants(5));
    worker.until("read", "2").await;
    let call = leader.call().await;
    let (running, stock) = (call.request.running.len(), call.request.stock.len());
    assert_eq!((running, stock), (3, 2));
    assert_eq!(worker.text("read"), "0\n1\n2\n");
}

#[tokio::test]
async fn thousands_of_lines_in_full_pipelines_lose_none() {
    let mut leader = Leader::start().await;
    let config = Config { slots: 4, ..stream(&leader, 512) };
    let mut worker = start(&config, r#"echo "{\"index\":$i,\"result\":$i}""#);
    let ends = leader.run(grants(4_000), 4, 1_000).await;
    for end in &ends {
        assert_eq!(end.outcome, succeeded(&end.id.0.to_string()));
    }
    assert!(worker.end().await.success());
    assert_eq!(worker.text("starts"), "start\n".repeat(4));
}

#[tokio::test]
async fn a_line_over_its_deadline_restarts_the_program_and_costs_the_others_nothing() {
    let mut leader = Leader::start().await;
    let config = Config { deadline_seconds: Some(1), grace_seconds: 1, ..stream(&leader, 2) };
    // Item 0 hangs; the shell reads the next line only afterwards.
    let body =
        r#"if [ $i = 0 ]; then echo hang >&2; while :; do sleep 0.1; done; fi; echo "{\"index\":$i,\"result\":$i}""#;
    let worker = start(&config, body);
    leader.call().await.grant(grants(1));
    worker.until("err", "hang").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    leader.call().await.grant(grants(2).split_off(1));
    let mut ends = Vec::new();
    while ends.len() < 2 {
        ends = leader.ends().await.request.ended;
    }
    let Outcome::Deadline { message } = &ends[0].outcome else { panic!("{ends:?}") };
    assert!(message.contains("hang"), "{message}");
    assert_eq!(ends[1].outcome, succeeded("1"));
    assert_eq!(worker.text("starts"), "start\n".repeat(2));
}

#[tokio::test]
async fn three_errors_in_a_row_restart_the_program_and_those_items_run_again_at_no_cost() {
    let mut leader = Leader::start().await;
    // The first program breaks at item 2, the second works.
    let body = r#"[ $i = 2 ] && [ $(wc -l < "$DIR/starts") = 1 ] && broken=1
        if [ $broken ]; then echo "{\"index\":$i,\"error\":\"assert\"}"; else echo "{\"index\":$i,\"result\":$i}"; fi"#;
    let worker = start(&stream(&leader, 1), body);
    let ends = leader.run(grants(10), 1, 9).await;
    for end in &ends {
        assert_eq!(end.outcome, succeeded(&end.id.0.to_string()), "{ends:?}");
    }
    assert_eq!(worker.text("starts"), "start\n".repeat(2));
}

#[tokio::test]
async fn errors_of_items_are_reported_although_the_program_was_started_again() {
    let mut leader = Leader::start().await;
    let worker = start(&stream(&leader, 1), r#"echo "{\"index\":$i,\"error\":\"no $i\"}""#);
    let ends = leader.run(grants(12), 1, 12).await;
    for end in &ends {
        assert_eq!(end.outcome, failed(1, &format!("no {}", end.id.0)));
    }
    let starts = worker.text("starts").lines().count();
    assert!((2..=3).contains(&starts), "{starts} starts: a restart that does not help is not repeated");
}

#[tokio::test]
async fn a_result_over_the_limit_fails_its_line() {
    let mut leader = Leader::start().await;
    let config = Config { max_result_bytes: 10, ..stream(&leader, 1) };
    let _worker = start(&config, r#"echo "{\"index\":$i,\"result\":\"0123456789a\"}""#);
    let ends = leader.run(grants(1), 1, 0).await;
    assert_eq!(ends[0].outcome, Outcome::ResultTooLarge { bytes: 11, end: "123456789a".to_owned() });
}

#[tokio::test]
async fn a_stream_ends_with_sigterm_as_a_program_does() {
    let mut leader = Leader::start().await;
    let body = r#"trap 'echo "{\"index\":0,\"result\":\"saved\"}"; exit 0' TERM; echo up > "$DIR/up"; while :; do sleep 0.01; done"#;
    let mut worker = start(&stream(&leader, 2), body);
    leader.call().await.grant(grants(2));
    worker.until("up", "up").await;
    worker.signal(Signal::SIGTERM);
    let mut ends = Vec::new();
    let last = loop {
        let call = leader.ends().await;
        ends.clone_from(&call.request.ended);
        if ends.len() == 2 {
            break call;
        }
    };
    ends.sort_by_key(|end| end.id);
    assert_eq!((&ends[0].outcome, &ends[1].outcome), (&succeeded("saved"), &Outcome::Stopped));
    let answer = Answer { acknowledged: 2, ..last.empty() };
    last.answer(&answer);
    assert!(worker.end().await.success());
}

#[tokio::test]
async fn a_revoked_line_ends_its_program_and_costs_the_others_nothing() {
    let mut leader = Leader::start().await;
    let body =
        r#"[ $i = 0 ] && { echo up > "$DIR/up"; while :; do sleep 0.01; done; }; echo "{\"index\":$i,\"result\":$i}""#;
    let worker = start(&stream(&leader, 2), body);
    leader.call().await.grant(grants(2));
    worker.until("up", "up").await;
    let call = leader.call().await;
    let answer = Answer { revoked: vec![AttemptId(0, 1)], ..call.empty() };
    call.answer(&answer);
    let call = leader.ends().await;
    assert_eq!(call.request.ended.len(), 1);
    assert_eq!((call.request.ended[0].id, &call.request.ended[0].outcome), (AttemptId(1, 1), &succeeded("1")));
    assert!(call.request.running.is_empty());
}

#[tokio::test]
async fn a_line_whose_begin_no_answer_confirms_is_killed_before_it_may_begin_elsewhere() {
    let mut leader = Leader::start().await;
    let config = Config { grace_seconds: 30, ..stream(&leader, 1) };
    let body = r#"trap "" TERM; while :; do echo >> "$DIR/alive"; sleep 0.1; done"#;
    let worker = start(&config, body);
    leader.call().await.grant(grants(1));
    worker.until("alive", "\n").await;
    // No further request is answered. Others get what a worker may have begun 45 s after they heard of it last.
    tokio::time::sleep(Duration::from_secs(44)).await;
    let before = worker.text("alive");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(worker.text("alive") == before, "it runs on");
}

#[tokio::test]
async fn a_stream_whose_program_is_not_there_says_so() {
    let mut leader = Leader::start().await;
    let _worker = Worker::start(&stream(&leader, 2), &["no-such-program"]);
    let ends = leader.run(grants(2), 1, 2).await;
    for end in ends {
        assert!(matches!(&end.outcome, Outcome::NotStarted { message } if message.contains("not found in $PATH")));
    }
}

#[tokio::test]
async fn a_line_names_the_directory_for_its_artifacts() {
    let mut leader = Leader::start().await;
    let directory = crate::fake::directory();
    let artifacts = Artifacts { path: directory.display().to_string(), prefix: "words".to_owned() };
    let config = Config { artifacts: Some(artifacts), ..stream(&leader, 2) };
    let body = r#"d=${line##*artifacts\":\"}; d=${d%\"*}; echo $i > "$d/file"; echo "{\"index\":$i,\"result\":1}""#;
    let _worker = start(&config, body);
    let ends = leader.run(grants(3), 1, 0).await;
    assert!(ends.iter().all(|end| end.outcome == succeeded("1")), "{ends:?}");
    assert_eq!(std::fs::read_to_string(directory.join("words-2-1/file")).unwrap(), "2\n");
}

#[tokio::test]
async fn a_line_whose_directory_cannot_be_made_is_not_given_to_the_program() {
    let mut leader = Leader::start().await;
    let artifacts = Artifacts { path: "/proc/self".to_owned(), prefix: "words".to_owned() };
    let config = Config { artifacts: Some(artifacts), ..stream(&leader, 1) };
    let _worker = start(&config, r#"echo "{\"index\":$i,\"result\":1}""#);
    let ends = leader.run(grants(2), 1, 0).await;
    for end in ends {
        let named = format!("/proc/self/words-{}-1", end.id.0);
        assert!(matches!(&end.outcome, Outcome::NotStarted { message } if message.contains(&named)), "{end:?}");
    }
}
