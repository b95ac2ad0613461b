//! Whatever way a path is found, it finds what RFC 9535 says.

use proptest::prelude::*;
use serde_json::json;
use serde_json_path::JsonPath;

use super::*;

/// What the path finds in the text, as JSON.
fn find(path: &str, take: Option<Take>, text: &str) -> Found<Json> {
    let mut needs = Needs::default();
    let finder = Finder::new(Path::parse(path).unwrap(), take, &mut needs);
    let mended = OnceCell::new();
    let document = Document::read(text, &needs, &mended).unwrap();
    match finder.find(&document) {
        Found::Nothing => Found::Nothing,
        Found::Several => Found::Several,
        Found::One(node) => Found::One(match node {
            Node::Null => Json::Null,
            Node::Boolean(truth) => truth.into(),
            Node::Number(text) => text.parse::<serde_json::Number>().unwrap().into(),
            Node::Text(text) => (*text).into(),
            Node::Nested => document.text(finder.slot).map_or(Json::Null, |text| {
                finder
                    .path
                    .query()
                    .map_or_else(|| text.parse().unwrap(), |_| json!("nested"))
            }),
        }),
    }
}

fn body() -> Json {
    json!({
        "a": {"b c": [10, 20, 30], "d'e": 1, "é": 2, "f.g": 3, "n": null},
        "list": [{"k": "x", "v": 1}, {"k": "y", "v": 2}, {"k": "y", "v": 3}],
    })
}

#[test]
fn the_direct_way_and_the_library_find_the_same() {
    let direct = [
        "$",
        "$.a",
        "$.a.n",
        "$['a'][\"b c\"][0]",
        "$.a['b c'][-1]",
        "$.a['b c'][-4]",
        "$.a['b c'][3]",
        "$.a[\"d'e\"]",
        "$.a.é",
        "$.a['f.g']",
        "$.a['x']['y']",
        "$.list[1].v",
        "$.list.v",
        "$.a[0]",
        "$['']",
    ];
    let body = body();
    for text in direct {
        assert!(
            Path::parse(text).unwrap().query().is_none(),
            "{text} is not direct"
        );
        let expected = JsonPath::parse(text).unwrap().query(&body).first();
        let expected = expected.map_or(Found::Nothing, |node| Found::One(node.clone()));
        assert_eq!(find(text, None, &body.to_string()), expected, "{text}");
    }
}

#[test]
fn other_paths_go_through_the_library_and_several_nodes_need_a_choice() {
    #[track_caller]
    fn check(text: &str, take: Option<Take>, expected: &Found<Json>) {
        assert!(
            Path::parse(text).unwrap().query().is_some(),
            "{text} is direct"
        );
        assert_eq!(find(text, take, &body().to_string()), *expected, "{text}");
    }
    let one = |value: i64| Found::One(json!(value));
    check("$.list[?@.k=='x'].v", None, &one(1));
    check("$.list[?@.k=='y'].v", None, &Found::Several);
    check("$.list[?@.k=='y'].v", Some(Take::First), &one(2));
    check("$.list[?@.k=='y'].v", Some(Take::Last), &one(3));
    check("$.list[?@.k=='z'].v", Some(Take::Last), &Found::Nothing);
    check("$..v", None, &Found::Several);
    check("$.a['d\\'e']", None, &one(1));
    check("$.list[*]['v']", Some(Take::First), &one(1));
    check("$.nothing[*]", Some(Take::First), &Found::Nothing);
    check("$.list[?@.v == $.a.é].k", None, &Found::One(json!("y")));
}

#[test]
fn elements_are_picked_where_their_key_is_the_text_and_the_value_is_there() {
    let text = r#"{"list": [
        1, "x", {"k": "x"}, {"v": 1}, {"k": ["x"], "v": 2}, {"k": 5, "v": 3},
        {"k": "\u0078", "v": {"w": 4}}, {"k": "x", "k": "y", "v": {"w": 5}}, {"v": {"w": 6}, "k": "z"}
    ]}"#;
    for (path, expected) in [
        ("$.list[?@.k=='x'].v.w", Found::One(json!(4))),
        ("$.list[?@.k=='y'].v.w", Found::One(json!(5))),
        ("$.list[?@.k=='z'].v.w", Found::One(json!(6))),
        ("$.list[?@.k=='5'].v", Found::Nothing),
        ("$.list[?@=='x']", Found::One(json!("x"))),
        ("$.nothing[?@.k=='x']", Found::Nothing),
        ("$.list[0][?@.k=='x']", Found::Nothing),
        ("$[?@.k=='x']", Found::Nothing),
    ] {
        assert_eq!(find(path, None, text), expected, "{path}");
    }
}

#[test]
fn of_members_with_one_name_the_last_counts_with_all_that_is_in_it() {
    for (path, text, expected) in [
        ("$.a", r#"{"a": 1, "a": 2}"#, Found::One(json!(2))),
        ("$.a.b", r#"{"a": {"b": 1}, "a": {"c": 2}}"#, Found::Nothing),
        ("$.a.b", r#"{"a": {"b": 1}, "a": 7}"#, Found::Nothing),
        ("$.a[0]", r#"{"a": [1], "\u0061": []}"#, Found::Nothing),
        ("$[?@.k].k", r#"[{"k": 1, "k": 2}]"#, Found::One(json!(2))),
    ] {
        assert_eq!(find(path, None, text), expected, "{path} in {text}");
    }
}

#[test]
fn a_node_is_what_its_text_says_and_a_number_stays_as_it_is_written() {
    for (text, expected) in [
        ("null", Node::Null),
        ("true", Node::Boolean(true)),
        ("false", Node::Boolean(false)),
        ("[1]", Node::Nested),
        ("{}", Node::Nested),
        ("1e999", Node::Number("1e999".into())),
        (
            "-9007199254740993.0",
            Node::Number("-9007199254740993.0".into()),
        ),
        (r#""""#, Node::Text("".into())),
        (r#""a\n\u00e9\"""#, Node::Text("a\né\"".into())),
        (r#""cut \ud83d""#, Node::Text("cut \u{fffd}".into())),
    ] {
        assert_eq!(node(text), expected, "{text}");
    }
}

#[test]
fn numbers_and_halves_that_cannot_be_read_spoil_nothing_else() {
    let text = r#"{"a": 1e999, "b": "\ud83d", "\ud83d": 1, "list": [{"k": 1e999, "v": 1}, {"k": "\ude00", "v": 2}]}"#;
    for (path, expected) in [
        ("$.list[0].v", json!(1)),
        ("$.list[?@.v == 2].k", json!("\u{fffd}")),
        ("$.list[?@.k == '1e999'].v", json!(1)),
        ("$.b", json!("\u{fffd}")),
        ("$['\u{fffd}']", json!(1)),
    ] {
        assert_eq!(find(path, None, text), Found::One(expected), "{path}");
    }
    assert_eq!(find("$.a.b", None, text), Found::Nothing);
}

#[test]
fn the_widest_body_is_searched_within_its_size() {
    // As many nodes as fit into the body that is allowed by default, as deep as is allowed and as wide as is left.
    let deep = "[".repeat(128) + &"]".repeat(128);
    let wide = format!("[{deep}{}]", ",[]".repeat(80_000))
        .replacen("[[", "[", 1)
        .replacen("]]", "]", 1);
    assert!(wide.len() < 256 * 1024);
    assert_eq!(find("$..*", None, &wide), Found::Several);
    assert_eq!(
        find("$..[-1:]", Some(Take::Last), &wide),
        Found::One(json!("nested"))
    );
    assert_eq!(find("$..[?count(@.*) > 1000]", None, &wide), Found::Nothing);
    let members = format!("{{{}\"z\":1}}", "\"a\":0,".repeat(40_000));
    assert_eq!(find("$.z", None, &members), Found::One(json!(1)));
    assert_eq!(find("$[?@ == 1]", None, &members), Found::One(json!(1)));
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i32>().prop_map(Json::from),
        "[a-c\"{\\[]{0,3}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            proptest::collection::btree_map("[a-c]", inner, 0..4)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn every_path_finds_what_it_finds_in_the_whole(body in any_json()) {
        let paths = [
            "$.a", "$.b.a", "$.b.c.a", "$.c[0].a", "$.c[-1]", "$.a.b", "$.b", "$.a[*]", "$.b.c[?@.a].b", "$.c[0]..b",
            "$[?@.a=='a'].b", "$[?@=='']", "$.a[?@.b=='b']", "$.a[?@=='a']", "$.a[?@.a=='b'].a", "$.a[?@[0]=='c'][1]",
        ];
        let text = body.to_string();
        // Together, so that one's needs are in the way of another's.
        let mut needs = Needs::default();
        let finders = paths.map(|path| Finder::new(Path::parse(path).unwrap(), Some(Take::Last), &mut needs));
        let mended = OnceCell::new();
        let document = Document::read(&text, &needs, &mended).unwrap();
        for finder in finders {
            let query = JsonPath::parse(finder.path.text()).unwrap();
            let expected = query.query(&body).last().map_or(Found::Nothing, |node| Found::One(Node::from(node)));
            prop_assert_eq!(finder.find(&document), expected, "{}", finder.path);
        }
    }
}
