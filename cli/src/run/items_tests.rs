use super::*;

fn texts(values: &[Json]) -> Vec<&str> {
    values.iter().map(Json::text).collect()
}

#[test]
fn a_matrix_keeps_the_text_of_its_values() {
    let (key, values) = axis("lr=0.1,1e-3,3.10,007,7,true,a b").unwrap();
    assert_eq!(key, "lr");
    assert_eq!(texts(&values), ["0.1", "\"1e-3\"", "\"3.10\"", "\"007\"", "7", "true", "\"a b\""]);
    assert_eq!(texts(&axis(r#"k=["a,b",[1]]"#).unwrap().1), ["\"a,b\"", "[1]"]);
    assert!(axis("lr").is_err() && axis("=1").is_err() && axis("k=[1").is_err());
    let options = ItemsOptions { matrix: vec!["a=1,2".to_owned(), "b=x".to_owned()], ..ItemsOptions::default() };
    let input = options.read().unwrap();
    assert_eq!((input.list.count().get(), input.keys()), (2, ["a", "b"].map(str::to_owned).into()));
    let twice = ItemsOptions { matrix: vec!["a=1".to_owned(), "a=2".to_owned()], ..ItemsOptions::default() };
    assert_eq!(twice.read().unwrap_err().exit.code(), 2);
}

#[test]
fn each_column_of_csv_is_a_key() {
    let items = records("f.csv", b"lr,note\n0.1,\"a, b\"\n0.2,\n").unwrap();
    assert_eq!(texts(&items), [r#"{"lr":"0.1","note":"a, b"}"#, r#"{"lr":"0.2","note":""}"#]);
    let failure = records("f.csv", b"a,b\n1,2\n3\n").unwrap_err();
    assert_eq!(failure.message, "f.csv line 3: 1 fields, but the header has 2");
    assert!(records("f.csv", b"").is_err() && records("f.csv", b"a,\n1,2\n").is_err());
}

#[test]
fn lines_and_json_are_read_as_the_operator_reads_them() {
    assert_eq!(texts(&list("f", b"a\r\n\n b \n", ItemFormat::Lines).unwrap()), ["\"a\"", "\" b \""]);
    assert_eq!(texts(&list("f", b"1.50\n{\"a\": 1}", ItemFormat::JsonLines).unwrap()), ["1.50", "{\"a\":1}"]);
    let failure = list("f.jsonl", b"1\nx\n", ItemFormat::JsonLines).unwrap_err();
    assert!(failure.message.starts_with("f.jsonl line 2:"), "{}", failure.message);
}

#[test]
fn what_does_not_fit_into_the_spec_goes_into_a_configmap_and_what_fits_nowhere_is_refused() {
    let options = ItemsOptions::default();
    let small = options.place(vec![Json::string("a"), Json::parse("1.5").unwrap()]).unwrap();
    assert!(small.items.values.is_some() && small.contents.is_empty());
    assert_eq!(small.bytes, Some((8, VALUES_BYTES)));
    let exact = options.place(vec![Json::parse("3.10").unwrap()]).unwrap();
    assert_eq!(exact.contents, [Content::Text("3.10\n".to_owned())], "the API server would write 3.1");
    let ids: Vec<Json> = (0..120_000).map(|n| Json::string(&format!("{n:06}"))).collect();
    let large = options.place(ids.clone()).unwrap();
    assert_eq!(large.items.config_map.as_ref().unwrap().format, ItemFormat::Lines);
    assert_eq!((large.contents[0].bytes().len(), large.list.count().get()), (840_000, 120_000));
    let several = options.place(ids.into_iter().cycle().take(200_000).collect()).unwrap();
    assert_eq!((several.contents.len(), several.list.count().get()), (2, 200_000));
    assert_eq!(several.list.get(Index(199_999)).text(), "\"079999\"");
    let line = Json::string(&"x".repeat(99_000));
    let failure = options.place(vec![line; 1_300]).unwrap_err();
    assert_eq!(failure.message, "items: 128.7 MB of items, at most 128.0 MB fit");
    assert!(failure.hint.unwrap().contains("several tasks"));
    let into = ItemsOptions { items_into: Into::Configmap, ..ItemsOptions::default() };
    let made = into.place(vec![Json::string("a\nb")]).unwrap();
    assert_eq!(made.contents, [Content::Text("\"a\\nb\"\n".to_owned())]);
}

#[test]
fn a_range_is_two_or_three_numbers() {
    assert_eq!(parse_range("0:1000:250"), Ok(Range { start: 0, stop: 1_000, step: 250 }));
    assert_eq!(parse_range("-5:5"), Ok(Range { start: -5, stop: 5, step: 1 }));
    assert!(parse_range("5").is_err() && parse_range("a:b").is_err());
}
